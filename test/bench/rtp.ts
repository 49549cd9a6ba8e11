import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FileCapture } from '../../agent/media/file-capture.ts'
import { pcapHeader, pcapRecord, rtp, udpFrame } from '../support/pcap-writer.ts'

/** 2.4 million packets of 214 octets make 550 MB. KIESTOON_BENCH_PACKETS makes it smaller. */
const PACKETS = Number(process.env['KIESTOON_BENCH_PACKETS'] ?? 2_400_000)
const STREAMS = 800
const RUNS = 5
const STREAM_COUNTS: readonly number[] = [10, 100, 800, 5000, 20_000]
const INTERVAL_MS = 10_000
const START_S = 1_750_000_000
const US_PER_S = 1_000_000
const PACKET_US = 20_000
const PACKET_TICKS = 160
const RECORD_OCTETS = 16
const SEQUENCE_AT = RECORD_OCTETS + 14 + 20 + 8 + 2
const TIMESTAMP_AT = SEQUENCE_AT + 2
const POLL_MS = 10
const KIB_PER_MB = 1000
const MEGA = 1e6
const PROGRAM = fileURLToPath(new URL('../../dist/agent/main.js', import.meta.url))

const MONITOR = {
  filter: { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] },
  maxStreams: 20_000,
  probation: 3,
}

/**
 * From a capture file to everything that is measured of its streams: `kiestoon-agent analyze`, started as a user does, beside tshark and
 * a tcpdump that only counts, on the same file; then what a packet costs with few and with many streams.
 */
export async function bench(): Promise<void> {
  if (!existsSync(PROGRAM)) throw new Error('build first: npm run build')
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  try {
    const path = join(folder, 'streams.pcap')
    const packets = writeCapture(path, STREAMS, PACKETS)
    const { size } = await stat(path)
    console.log(`${packets} packets, ${STREAMS} streams of G.711, ${(size / MEGA).toFixed(0)} MB`)
    const runs: Run[] = []
    for (let run = 0; run < RUNS; run++) runs.push(await analyzed(path))
    const ours = median(runs.map(({ seconds }) => seconds))
    const highest = Math.max(...runs.map(({ kib }) => kib))
    console.log(
      `kiestoon-agent analyze --json: ${rate(packets, ours)} (median of ${RUNS}: ${list(runs)}), at most ${(highest / KIB_PER_MB).toFixed(0)} MB`,
    )
    compare('tshark -q -z rtp,streams', packets, ours, () =>
      spawnSync(
        'tshark',
        ['-q', '--enable-heuristic', 'rtp_udp', '-z', 'rtp,streams', '-r', path],
        { stdio: 'ignore' },
      ),
    )
    compare('tcpdump --count', packets, ours, () =>
      spawnSync('tcpdump', ['--count', '-r', path], { stdio: 'ignore' }),
    )
    console.log('the cost of a packet, without the start:')
    for (const streams of STREAM_COUNTS) {
      const many = join(folder, `${streams}.pcap`)
      const written = writeCapture(many, streams, PACKETS)
      const seconds: number[] = []
      for (let run = 0; run < RUNS; run++) seconds.push(await readHere(many))
      await rm(many)
      const best = median(seconds)
      console.log(
        `  ${String(streams).padStart(6)} streams: ${((best / written) * 1e9).toFixed(0)} ns, ${rate(written, best)}`,
      )
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Run {
  readonly seconds: number
  readonly kib: number
}

/** As a user starts it; the whole output is read. */
async function analyzed(path: string): Promise<Run> {
  const start = performance.now()
  const child = spawn(process.execPath, [PROGRAM, 'analyze', '--json', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let octets = 0
  child.stdout.on('data', (chunk: Buffer) => {
    octets += chunk.length
  })
  const ended = once(child, 'close').then(() => performance.now())
  let kib = 0
  while (child.exitCode === null) {
    kib = Math.max(kib, highestKib(child.pid))
    await Promise.race([ended, delay(POLL_MS)])
  }
  const seconds = ((await ended) - start) / 1000
  if (child.exitCode !== 0 || octets < STREAMS) throw new Error('analyze failed')
  return { seconds, kib }
}

/** VmHWM of proc(5): the highest resident size so far. */
function highestKib(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

async function readHere(path: string): Promise<number> {
  const start = performance.now()
  const capture = new FileCapture({ path, intervalMs: INTERVAL_MS }, { ...MONITOR, seed: 1 })
  for (;;) {
    const intervals = await capture.take()
    if (intervals.length === 0) break
  }
  capture.close()
  return (performance.now() - start) / 1000
}

function compare(
  name: string,
  packets: number,
  ours: number,
  run: () => { readonly error?: Error },
): void {
  const start = performance.now()
  const { error } = run()
  const theirs = (performance.now() - start) / 1000
  console.log(
    error === undefined
      ? `${name}: ${rate(packets, theirs)}; we are ${(theirs / ours).toFixed(2)} times as fast`
      : `${name}: missing`,
  )
}

/** Calls side by side, each with a packet every 20 ms; every 97th packet is lost. */
function writeCapture(path: string, streams: number, atLeast: number): number {
  const file = openSync(path, 'w')
  const records = Array.from({ length: streams }, (_, stream) =>
    pcapRecord({
      timeUs: 0,
      frame: udpFrame(
        rtp({
          timeUs: 0,
          sequenceNumber: 0,
          timestamp: 0,
          payloadType: 8,
          ssrc: (stream + 1) * 7919,
        }),
        {
          from: `10.0.${stream >> 8}.${stream & 0xff}`,
          fromPort: 10_000 + 2 * stream,
          toPort: 10_000 + 2 * stream,
        },
      ),
    }),
  )
  writeSync(file, pcapHeader())
  let written = 0
  for (let tick = 0; written < atLeast; tick++) {
    const kept = records.filter((_, stream) => (tick + stream) % 97 !== 96)
    for (const [index, record] of kept.entries()) {
      const us = tick * PACKET_US + Math.floor(index * (PACKET_US / streams))
      record.writeUInt32LE(START_S + Math.floor(us / US_PER_S), 0)
      record.writeUInt32LE(us % US_PER_S, 4)
      record.writeUInt16BE(tick & 0xffff, SEQUENCE_AT)
      record.writeUInt32BE((tick * PACKET_TICKS) >>> 0, TIMESTAMP_AT)
    }
    writeSync(file, Buffer.concat(kept))
    written += kept.length
  }
  closeSync(file)
  return written
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function rate(packets: number, seconds: number): string {
  return `${(packets / seconds / MEGA).toFixed(2)} million packets/s (${seconds.toFixed(2)} s)`
}

function list(runs: readonly Run[]): string {
  return runs.map(({ seconds }) => `${seconds.toFixed(2)} s`).join(', ')
}
