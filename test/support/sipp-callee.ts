import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** sipp as the far end of calls, by scenarios of our own. */

const HOST = '127.0.0.1'
const POLL_MS = 20
const ALAW_SILENCE = 0xd5
const SECOND_OCTETS = 8000

export interface SippCallee {
  readonly port: number
  /** All messages so far, as sipp writes them down. */
  messages(): Promise<string>
  readonly close: () => Promise<void>
}

export interface CalleeOptions {
  /** What it does, between the first and the last line of a scenario. */
  readonly steps: string
  /** Sends back every RTP packet it gets. */
  readonly echoes?: boolean
  readonly transport?: 'udp' | 'tcp'
  readonly address?: string
}

export const isSippMissing =
  spawnSync('sipp', ['-v'], { stdio: 'ignore' }).error !== undefined
    ? 'sipp is missing: apt-get install sip-tester'
    : undefined

/** A free pair of ports, the even one first. */
async function freePair(): Promise<number> {
  for (;;) {
    const socket = createSocket('udp4')
    socket.bind(0, HOST)
    await once(socket, 'listening')
    const { port } = socket.address()
    socket.close()
    await once(socket, 'close')
    if (port % 2 === 0 && port < 65_000) return port
  }
}

export async function startSippCallee(options: CalleeOptions): Promise<SippCallee> {
  const { steps, echoes = false, transport = 'udp', address = HOST } = options
  const folder = await mkdtemp(join(tmpdir(), 'callee-'))
  const scenario = join(folder, 'callee.xml')
  await writeFile(
    scenario,
    `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="callee">${steps}</scenario>
`,
  )
  await writeFile(join(folder, 'silence.alaw'), Buffer.alloc(SECOND_OCTETS, ALAW_SILENCE))
  const [port, mediaPort] = [await freePair(), await freePair()]
  const child = spawn(
    'sipp',
    [
      ...['-sf', scenario, '-i', address, '-mi', address, '-p', `${port}`, '-mp', `${mediaPort}`],
      ...['-t', transport === 'udp' ? 'u1' : 't1', '-nostdin', '-trace_msg'],
      ...['-message_file', join(folder, 'messages.log'), ...(echoes ? ['-rtp_echo'] : [])],
    ],
    { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'xterm' } },
  )
  await listening(child, transport, port)
  return {
    port,
    messages: async () => await readFile(join(folder, 'messages.log'), 'utf8').catch(() => ''),
    close: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit')
        child.kill('SIGKILL')
        await exit
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function listening(child: ChildProcess, transport: string, port: number): Promise<void> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  while (!(await readFile(`/proc/net/${transport}`, 'utf8')).includes(wanted)) {
    if (child.exitCode !== null) throw new Error(`sipp ended with ${child.exitCode}`)
    await delay(POLL_MS)
  }
}

const REPEATED = `
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]x
      [last_Call-ID:]
      [last_CSeq:]
      [last_Record-Route:]
      Contact: <sip:callee@[local_ip]:[local_port];transport=[transport]>`

const NO_BODY = `
      Content-Length: 0

`

/** G.711 A-law at sipp's echo port, or the port of its own stream. */
export function soundOf(
  portWord: '[media_port]' | '[rtpstream_audio_port]',
  attributes = '',
): string {
  return `
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=callee 1 1 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio ${portWord} RTP/AVP 8
      a=rtpmap:8 PCMA/8000
      a=ptime:20${attributes}
`
}

export const INVITED = '<recv request="INVITE" crlf="true"></recv>'

export function say(status: string, body = NO_BODY, attributes = ''): string {
  return `<send${attributes}><![CDATA[
      SIP/2.0 ${status}${REPEATED}${body}
  ]]></send>`
}

/** The answer to the request before within the dialog. */
export function agree(status = '200 OK', body = NO_BODY): string {
  return `<send><![CDATA[
      SIP/2.0 ${status}
      [last_Via:]
      [last_From:]
      [last_To:]
      [last_Call-ID:]
      [last_CSeq:]${body}
  ]]></send>`
}

export const STREAM = '<nop><action><exec rtp_stream="silence.alaw,-1,8"/></action></nop>'
export const STREAM_ENDS = '<nop><action><exec rtp_stream="pause"/></action></nop>'
export const HUNG_UP = `<recv request="BYE"></recv>${agree()}`
