import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createSocket } from 'node:dgram'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const HOST = '127.0.0.1'
const CALLS_PER_S = 50
const TIMEOUT_S = 15
const POLL_MS = 20

export interface SippOptions {
  readonly calls: number
  readonly transport: 'udp' | 'tcp'
  /** Of the messages each of the two drops, before they are sent or after they came. */
  readonly lossPercent?: number
}

export interface SippCapture {
  /** A pcap file. */
  readonly file: string
  readonly calleePort: number
  readonly close: () => Promise<void>
}

/** Which of the programs needed is missing; undefined when none is. */
export function missingForSipp(): string | undefined {
  const wanted = ['sipp', 'tcpdump', 'tshark'].find(
    (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined,
  )
  if (wanted !== undefined) return `${wanted} is missing: apt-get install sip-tester tcpdump tshark`
  return process.getuid?.() === 0 ? undefined : 'capturing needs root'
}

/** Calls between two sipp on loopback by its built-in scenarios, captured by tcpdump. */
export async function captureSipp({
  calls,
  transport,
  lossPercent = 0,
}: SippOptions): Promise<SippCapture> {
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'))
  const file = join(folder, 'calls.pcap')
  const calleePort = await freePort()
  const callerPort = await freePort()
  const filter = `port ${calleePort} or port ${callerPort}`
  const tcpdump = spawn(
    'tcpdump',
    ['-i', 'lo', '-U', '--immediate-mode', '-s', '0', '-Z', 'root', '-w', file, filter],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  await saying(tcpdump, 'listening on')
  const common = [
    '-i',
    HOST,
    '-t',
    transport === 'udp' ? 'u1' : 't1',
    '-nostdin',
    ...lossy(lossPercent),
  ]
  const callee = sipp(folder, ['-sn', 'uas', '-p', `${calleePort}`, '-mp', '41000', ...common])
  await bound(transport, calleePort, callee)
  const caller = sipp(folder, [
    ...['-sn', 'uac', '-p', `${callerPort}`, '-mp', '42000', ...common],
    ...['-m', `${calls}`, '-r', `${CALLS_PER_S}`, '-d', '20', '-timeout', `${TIMEOUT_S}`],
    `${HOST}:${calleePort}`,
  ])
  await once(caller, 'exit')
  await ended(callee)
  await ended(tcpdump)
  return {
    file,
    calleePort,
    close: async () => {
      await rm(folder, { recursive: true })
    },
  }
}

/** Gives up after seconds rather than half a minute. */
function lossy(percent: number): string[] {
  if (percent === 0) return []
  return ['-lost', `${percent}`, '-max_invite_retrans', '4', '-max_non_invite_retrans', '3']
}

function sipp(folder: string, args: readonly string[]): ChildProcess {
  return spawn('sipp', args, {
    cwd: folder,
    stdio: 'ignore',
    env: { ...process.env, TERM: 'xterm' },
  })
}

/** Waits until the port is in use. */
async function bound(transport: string, port: number, child: ChildProcess): Promise<void> {
  const wanted = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  while (!(await readFile(`/proc/net/${transport}`, 'utf8')).includes(wanted)) {
    if (child.exitCode !== null) throw new Error(`sipp ended with ${child.exitCode}`)
    await delay(POLL_MS)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGINT')
  const forced = setTimeout(() => child.kill('SIGKILL'), 2000)
  await exit
  clearTimeout(forced)
}

async function saying(child: ChildProcess, words: string): Promise<void> {
  let said = ''
  for await (const [piece] of onStderr(child)) {
    said += String(piece)
    if (said.includes(words)) return
  }
  throw new Error(`tcpdump ended: ${said}`)
}

async function* onStderr(child: ChildProcess): AsyncGenerator<[unknown]> {
  if (child.stderr === null) return
  const { stderr } = child
  while (child.exitCode === null) {
    const pieces: unknown[] = await Promise.race([once(stderr, 'data'), once(stderr, 'end')])
    yield [pieces[0]]
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => {
    socket.bind(0, HOST, resolve)
  })
  const { port } = socket.address()
  await new Promise<void>((resolve) => {
    socket.close(() => {
      resolve()
    })
  })
  return port
}
