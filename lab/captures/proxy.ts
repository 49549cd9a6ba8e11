import type { ChildProcess } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { CALLEE, ROUTER, fileIn, saying, type Rig } from './rig.ts'

const CONTROL = '127.0.0.1:2223'

/** Kamailio as the proxy in the router, rtpengine beside it for the media: both legs of every call pass the router's taps. */
export async function startProxy(rig: Rig): Promise<readonly ChildProcess[]> {
  const media = rig.run('router', [
    'rtpengine',
    ...['--table=-1', '--foreground', '--log-stderr', '--log-level=6'],
    ...[`--interface=${ROUTER}`, `--listen-ng=${CONTROL}`],
    ...['--port-min=30000', '--port-max=30100', '--num-threads=2'],
  ])
  await saying(media, 'Startup complete')
  const file = fileIn(rig, 'kamailio.cfg')
  await writeFile(file, CONFIGURATION)
  const proxy = rig.run('router', [
    'kamailio',
    '-DD',
    '-E',
    '-n',
    '1',
    '-f',
    file,
    '-w',
    rig.folder,
  ])
  await saying(proxy, 'support for it enabled')
  return [proxy, media]
}

const CONFIGURATION = `debug=2
log_stderror=yes
children=1
auto_aliases=no
disable_tcp=yes
listen=udp:${ROUTER}:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:${CONTROL}")
request_route {
  if (has_totag()) {
    loose_route();
    if (is_method("BYE")) rtpengine_delete();
    t_relay();
    exit;
  }
  if (is_method("CANCEL")) { t_relay(); exit; }
  record_route();
  if (is_method("INVITE")) {
    rtpengine_offer("replace-origin");
    t_on_reply("ANSWER");
  }
  $ru = "sip:" + $rU + "@${CALLEE}:5060";
  t_relay();
}
onreply_route[ANSWER] {
  if (has_body("application/sdp")) rtpengine_answer("replace-origin");
}
`
