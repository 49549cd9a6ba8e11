import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { test } from 'tap'
import { z } from 'zod'
import { Phone } from '../../lab/captures/baresip.ts'
import { startProxy } from '../../lab/captures/proxy.ts'
import { CALLEE, ROUTER, Rig, type Space } from '../../lab/captures/rig.ts'

tap.setTimeout(150_000)

/** Long enough for a report of baresip, which sends them every 5 s. */
const HOLD = '7s'
const AGENT = fileURLToPath(new URL('../../dist/agent/main.js', import.meta.url))
/** rtpengine's ports in lab/captures/proxy.ts; RTP has the even ones. */
const EVERY_TENTH = 'numgen inc mod 10 == 3'
const IS_RTP = 'udp length 180'
const PROGRAMS = ['rtpengine', 'kamailio', 'baresip', 'nft', 'ip']

const points = z.array(
  z.object({ fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])) }),
)

/** Where every tenth packet of the sound is lost, and in which direction that has to be seen. */
const LEGS: readonly {
  readonly name: string
  readonly at?: Space
  readonly where?: string
  readonly lossy?: 'received' | 'reported'
}[] = [
  { name: 'no leg' },
  { name: 'from us to rtpengine', at: 'router', where: 'iifname eth1', lossy: 'reported' },
  { name: 'from rtpengine to the phone', at: 'callee', where: 'iifname eth0', lossy: 'reported' },
  { name: 'from the phone to rtpengine', at: 'router', where: 'iifname eth2', lossy: 'received' },
  { name: 'from rtpengine to us', at: 'caller', where: 'iifname eth0', lossy: 'received' },
]

const missing = PROGRAMS.filter(
  (program) => spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status !== 0,
)
const impossible =
  missing.length > 0
    ? `missing: ${missing.join(', ')}`
    : process.getuid?.() === 0
      ? false
      : 'network namespaces need root'

test(
  'a test call through rtpengine shows loss in the direction in which packets are lost',
  { skip: impossible },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'kiestoon-call-loss-'))
    const rig = await Rig.open(folder, `kl${process.pid}`)
    t.teardown(async () => {
      await rig.close()
      await rm(folder, { recursive: true, force: true })
    })
    await startProxy(rig)
    await Phone.start(rig, { space: 'callee', address: CALLEE, codecs: 'PCMA/8000/1' })
    const config = join(folder, 'agent.yaml')
    await writeFile(
      config,
      `agent: gw-1
site: hq
probes:
  - probe: sip-call
    proxy: sip:${ROUTER}:5060;lr
    hold: ${HOLD}
    targets: [{ name: phone, uri: 'sip:phone-12345@pbx.example.org' }]
`,
    )
    for (const { name, at, where, lossy } of LEGS) {
      if (at !== undefined && where !== undefined)
        rig.dropAt(at, `${where} ${IS_RTP} ${EVERY_TENTH}`)
      const fields = await callOnce(rig, config)
      if (at !== undefined) rig.healAt(at)
      t.match(
        fields,
        {
          ...{
            outcome: 'answered',
            codec: 'PCMA',
            echoed: false,
            heard: true,
            heard_by_peer: true,
          },
          ...{ one_way_audio: false, no_audio: false, ended_by: 'us', disconnect_timeout: false },
        },
        `loss on ${name}`,
      )
      for (const way of ['received', 'reported'] as const) {
        const loss = Number(fields[`${way}_loss_ratio`])
        const mos = Number(fields[`${way}_mos_lq`])
        const words = `loss on ${name}: ${way} ${loss}, MOS ${mos}`
        if (way === lossy) {
          t.ok(loss > 0.08 && loss < 0.12, words)
          t.ok(mos > 1 && mos < 3.5, words)
        } else {
          t.equal(loss, 0, words)
          // On a busy machine a packet may come too late for the buffer, which is no loss.
          t.ok(mos > 3.6, words)
        }
      }
      t.ok(Number(fields['media_round_trip_ms']) < 100, 'by the stamps of the reports')
      t.notOk('round_trip_lost' in fields, 'no echo')
    }
  },
)

/** The agent as people start it, in the caller's network. */
async function callOnce(
  rig: Rig,
  config: string,
): Promise<Readonly<Record<string, string | number | boolean>>> {
  const args = [AGENT, 'once', '--json', '--interval', '100ms', '--config', config]
  const child = rig.run('caller', [process.execPath, ...args])
  let said = ''
  child.stdout?.on('data', (piece: Buffer) => (said += piece.toString()))
  child.stderr?.on('data', (piece: Buffer) => (said += piece.toString()))
  await new Promise((resolve) => child.once('close', resolve))
  const [point] = points.parse(JSON.parse(said))
  return point?.fields ?? {}
}
