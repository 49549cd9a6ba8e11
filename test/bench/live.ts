import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, writeSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { PcapReader } from '../../agent/capture/pcap.ts'
import { tcpdumpArguments } from '../../agent/capture/tcpdump.ts'
import type { CaptureInterval } from '../../agent/media/capture-interval.ts'
import { Capture } from '../../agent/media/capture.ts'
import { Monitor } from '../../agent/media/monitor.ts'
import { listen } from '../support/listen.ts'
import { pcapHeader, pcapRecord, rtp, udpFrame } from '../support/pcap-writer.ts'

/** Packets per second, 0 for as many as the sender can, and for how long. */
const RATE = Number(process.env['KIESTOON_BENCH_RATE'] ?? 1_000_000)
const SECONDS = Number(process.env['KIESTOON_BENCH_SECONDS'] ?? 60)
const CALLS = Number(process.env['KIESTOON_BENCH_CALLS'] ?? 10_000)

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SENDER = fileURLToPath(new URL('send-rtp.py', import.meta.url))
const FAR = `kf${process.pid}`
const NEAR = `kb${process.pid}`
/** Reading the intervals of 20,000 streams takes the thread 0.3 s, in which it reads no packets. */
const BUFFER_KIB = 131_072
const SMALL_CALLS = 100
const SMALL_SECONDS = 30
/** For what only the sender is measured by. */
const ALONE_SECONDS = 5
const SETTLE_MS = 5000
const PACKETS_PER_S = 50
const TICKS = 160
/** Packets of a stream in the file. */
const LENGTH = 150
const RECORD_OCTETS = 16
const SEQUENCE_AT = RECORD_OCTETS + 14 + 20 + 8 + 2
const TIMESTAMP_AT = SEQUENCE_AT + 2
/** USER_HZ, which proc(5) counts CPU time in on every Linux there is. */
const TICKS_PER_S = 100
const US_PER_S = 1_000_000
const MIB = 1024 * 1024
const FILTER = { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] }
const TAP = {
  interface: NEAR,
  filter: FILTER,
  sipPorts: [{ from: 5060, to: 5061 }],
  bufferKib: BUFFER_KIB,
}
const MONITOR = { filter: FILTER, maxStreams: 50_000, probation: 3, sipPorts: TAP.sipPorts }

/** A live tap on a veth that RTP goes through (as root, with python3): by tcpdump and a reader that does nothing, by us, and by the agent on 100 calls. */
export async function bench(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('run as root: this makes a pair of interfaces')
  const folder = await mkdtemp(
    join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'kiestoon-bench-'),
  )
  const ip = (...list: string[]) => execFileSync('ip', list)
  ip('link', 'add', NEAR, 'type', 'veth', 'peer', 'name', FAR)
  try {
    for (const end of [NEAR, FAR]) {
      // Nothing else on it: the kernel would look for neighbours and routers.
      ip('link', 'set', end, 'addrgenmode', 'none')
      ip('link', 'set', end, 'up')
    }
    const want = RATE === 0 ? 'as fast as it goes' : `${RATE} packets/s`
    console.log(`${CALLS} two-way calls of G.711, ${want}, ${SECONDS} s, 2 cores for all`)
    const alone = await send(2 * CALLS, 0, ALONE_SECONDS)
    console.log(`nobody listening: the sender, on one core, can send ${rateOf(alone)}/s`)
    await throughPipe(folder)
    await bareReader()
    await ours()
    await smallAgent(folder)
  } finally {
    ip('link', 'delete', NEAR)
    await rm(folder, { recursive: true })
  }
}

/** What the way behind the kernel can take: a tcpdump that reads a file, the pipe, and everything computed. */
async function throughPipe(folder: string): Promise<void> {
  const file = join(folder, 'calls.pcap')
  writeCalls(file)
  const monitor = new Monitor({ ...MONITOR, seed: 1 })
  const reader = new PcapReader(monitor.handleFrame)
  const before = process.cpuUsage()
  const start = performance.now()
  const tcpdump = spawn('tcpdump', ['-r', file, '-w', '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  tcpdump.stdout.on('data', (piece: Uint8Array) => {
    reader.push(piece)
  })
  await once(tcpdump, 'close')
  const seconds = (performance.now() - start) / 1000
  const own = process.cpuUsage(before)
  await rm(file)
  const { frames } = monitor.counts
  const us = (own.user + own.system) / frames
  console.log(
    `from a file through tcpdump and its pipe, whole packets: ${Math.round(frames / seconds)}/s, ${us.toFixed(2)} us of CPU each`,
  )
}

async function bareReader(): Promise<void> {
  const list = tcpdumpArguments(TAP, 'media', { mayHaveVlans: true, canFlush: true })
  const tcpdump = spawn('tcpdump', list, { stdio: ['ignore', 'pipe', 'pipe'] })
  let octets = 0
  let words = ''
  tcpdump.stdout.on('data', (piece: Uint8Array) => {
    octets += piece.length
  })
  tcpdump.stderr.setEncoding('utf8').on('data', (text: string) => {
    words += text
  })
  await once(tcpdump.stderr, 'data')
  const before = process.cpuUsage()
  const sent = await send(2 * CALLS, RATE, SECONDS)
  await delay(SETTLE_MS)
  const own = process.cpuUsage(before)
  const taps = await cpuSeconds([tcpdump.pid ?? 0])
  tcpdump.kill('SIGTERM')
  await once(tcpdump, 'close')
  const count = (what: string) => Number(new RegExp(`(\\d+) packets? ${what}`).exec(words)?.[1])
  report('a reader that does nothing', {
    sent,
    captured: count('captured'),
    dropped: count('dropped by kernel'),
    note: `${(octets / MIB).toFixed(0)} MiB read, CPU of tcpdump ${cores(taps, sent.seconds)}, of the reader ${cores((own.user + own.system) / US_PER_S, sent.seconds)}`,
  })
}

async function ours(): Promise<void> {
  const task = { source: { live: TAP }, monitor: MONITOR }
  const capture = await Capture.start(task, AbortSignal.timeout(15_000))
  const intervals: CaptureInterval[] = []
  const take = async () => {
    intervals.push(...(await capture.take(Date.now() * 1000)))
  }
  const before = process.cpuUsage()
  const timer = setInterval(() => void take(), 10_000)
  const sent = await send(2 * CALLS, RATE, SECONDS)
  clearInterval(timer)
  const own = process.cpuUsage(before)
  const taps = await cpuSeconds(children('tcpdump'))
  await delay(SETTLE_MS)
  await take()
  await capture.close()
  const rows = intervals.flatMap(({ streams }) => streams)
  const sum = (value: (row: (typeof rows)[number]) => number) =>
    rows.reduce((all, row) => all + value(row), 0)
  const dropped = intervals.reduce((all, one) => all + (one.sensorDrops ?? 0), 0)
  report('everything computed', {
    sent,
    captured: intervals.at(-1)?.frames ?? 0,
    dropped,
    note: `CPU of both tcpdumps ${cores(taps, sent.seconds)}, of this process ${cores((own.user + own.system) / US_PER_S, sent.seconds)}, highest RSS ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`,
  })
  const streams = new Set(rows.map(({ srcIp, ssrc }) => `${srcIp} ${ssrc}`)).size
  console.log(
    `  ${streams} streams, received ${sum(({ received }) => received)}, lost ${sum(({ lostUnique }) => lostUnique)}, ` +
      `rejected ${sum(({ rejected }) => rejected)} at ${sum(({ restarts }) => restarts)} restarts; ` +
      `faults: ${intervals.flatMap(({ fault }) => fault ?? []).join('; ') || 'none'}`,
  )
}

/** The agent as it is shipped, compiled, with a collector that takes everything. */
async function smallAgent(folder: string): Promise<void> {
  const streams = 2 * SMALL_CALLS
  const collector = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(204).end())
  })
  const port = await listen(collector)
  const config = join(folder, 'agent.yaml')
  await writeFile(
    config,
    `agent: bench
site: bench
collectors: [{ url: 'http://127.0.0.1:${port}', token: bench }]
probes:
  - { probe: rtp-capture, interface: ${NEAR} }
`,
  )
  const main = await build(folder)
  const agent = spawn(process.execPath, [main, 'run', '--config', config], {
    stdio: 'ignore',
    cwd: folder,
  })
  const exited = once(agent, 'exit')
  try {
    await delay(SETTLE_MS)
    const before = await cpuSeconds([agent.pid ?? 0])
    const taps = children('tcpdump', agent.pid)
    const tapsBefore = await cpuSeconds(taps)
    const sent = await send(streams, streams * PACKETS_PER_S, SMALL_SECONDS)
    const own = (await cpuSeconds([agent.pid ?? 0])) - before
    const theirs = (await cpuSeconds(taps)) - tapsBefore
    const status = await readFile(`/proc/${agent.pid ?? 0}/status`, 'utf8')
    const rss = (key: string) =>
      (Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024).toFixed(0)
    console.log(
      `${SMALL_CALLS} calls: agent ${cores(own, sent.seconds)} (at most 5 %), its tcpdumps ${cores(theirs, sent.seconds)}, ` +
        `RSS ${rss('VmRSS')} MiB, highest ${rss('VmHWM')} MiB (at most 100 MB)`,
    )
  } finally {
    agent.kill('SIGTERM')
    await exited
    collector.closeAllConnections()
    collector.close()
  }
}

async function build(folder: string): Promise<string> {
  const out = join(folder, 'dist')
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
  const project = join(ROOT, 'tsconfig.build.json')
  spawnSync(process.execPath, [tsc, '-p', project, '--outDir', out, '--noEmitOnError', 'false'])
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'))
  return join(out, 'agent/main.js')
}

const SENT = z.object({ packets: z.number(), seconds: z.number() }).readonly()

interface Sent extends z.infer<typeof SENT> {
  /** What the interface counts. */
  readonly arrived: number
}

async function send(streams: number, rate: number, seconds: number): Promise<Sent> {
  const list = [SENDER, FAR, NEAR, ...[streams, rate, seconds].map(String)]
  const before = await received()
  const child = spawn('python3', list, { stdio: ['ignore', 'pipe', 'inherit'] })
  const words: unknown = JSON.parse(await text(child))
  return { ...SENT.parse(words), arrived: (await received()) - before }
}

async function received(): Promise<number> {
  return Number(await readFile(`/sys/class/net/${NEAR}/statistics/rx_packets`, 'utf8'))
}

async function text(child: ChildProcess): Promise<string> {
  let words = ''
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    words += piece
  })
  await once(child, 'close')
  return words
}

function report(
  name: string,
  {
    sent,
    captured,
    dropped,
    note,
  }: { sent: Sent; captured: number; dropped: number; note: string },
): void {
  console.log(
    `${name}: ${sent.packets} packets sent in ${sent.seconds} s (${rateOf(sent)}/s), ${sent.arrived} arrived, ${captured} captured, ` +
      `${dropped} dropped by the tap`,
  )
  console.log(`  ${note}`)
}

function rateOf({ packets, seconds }: Sent): number {
  return Math.round(packets / seconds)
}

/** Both ways of all calls, a packet of each every 20 ms, as the sender sends them. */
function writeCalls(path: string): void {
  const streams = 2 * CALLS
  const octet = (number: number, shift: number) => (number >> shift) & 0xff
  const records = Array.from({ length: streams }, (_, stream) => {
    const call = stream >> 1
    const ends = [10, 20].map(
      (net) => `${net}.${octet(call, 16)}.${octet(call, 8)}.${octet(call, 0)}`,
    )
    const [from = '', to = ''] = stream % 2 === 0 ? ends : ends.reverse()
    const packet = {
      timeUs: 0,
      sequenceNumber: 0,
      timestamp: 0,
      payloadType: 8,
      ssrc: (stream + 1) * 7919,
    }
    return pcapRecord({ timeUs: 0, frame: udpFrame(rtp(packet), { from, to }) })
  })
  const octets = Buffer.concat(records)
  const size = octets.length / streams
  const file = openSync(path, 'w')
  writeSync(file, pcapHeader())
  for (let tick = 0; tick < LENGTH; tick++) {
    for (let at = 0; at < octets.length; at += size) {
      octets.writeUInt16BE(tick, at + SEQUENCE_AT)
      octets.writeUInt32BE(tick * TICKS, at + TIMESTAMP_AT)
    }
    for (let written = 0; written < octets.length;) written += writeSync(file, octets, written)
  }
  closeSync(file)
}

function children(name: string, parent = process.pid): readonly number[] {
  const { stdout } = spawnSync('pgrep', ['-P', String(parent), '-x', name], { encoding: 'utf8' })
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : Number(line)))
}

/** Behind the name in parentheses: utime and stime are fields 14 and 15 of proc(5). */
async function cpuSeconds(processes: readonly number[]): Promise<number> {
  const stats = await Promise.all(processes.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')))
  return stats.reduce((sum, stat) => {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
  }, 0)
}

function cores(seconds: number, of: number): string {
  return `${((seconds / of) * 100).toFixed(1)} % of a core`
}
