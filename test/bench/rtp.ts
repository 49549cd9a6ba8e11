import { spawnSync } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Capture } from '../../agent/media/capture.ts'
import { FileCapture } from '../../agent/media/file-capture.ts'
import { pcapHeader, pcapRecord, rtp, udpFrame } from '../support/pcap-writer.ts'

/** The file of the issue: 2.4 million packets of 214 octets, 540 MB. KIESTOON_BENCH_PACKETS makes it smaller. */
const PACKETS = Number(process.env['KIESTOON_BENCH_PACKETS'] ?? 2_400_000)
const STREAMS = 800
const RUNS = 3
const START_S = 1_750_000_000
const US_PER_S = 1_000_000
const PACKET_US = 20_000
const PACKET_TICKS = 160
const RECORD_OCTETS = 16
const SEQUENCE_AT = RECORD_OCTETS + 14 + 20 + 8 + 2
const TIMESTAMP_AT = SEQUENCE_AT + 2
const MEGA = 1e6

const MONITOR = {
  filter: { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] },
  maxStreams: 20_000,
  probation: 3,
}

/** From a capture file to streams: by us, start of the thread included, and by tshark on the same file. */
export async function bench(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-bench-'))
  try {
    const path = join(folder, 'streams.pcap')
    const packets = writeCapture(path)
    const { size } = await stat(path)
    console.log(`${packets} packets, ${STREAMS} streams of G.711, ${(size / MEGA).toFixed(0)} MB`)
    const seconds: number[] = []
    for (let run = 0; run < RUNS; run++) seconds.push(await timed(() => inThread(path)))
    const ours = median(seconds)
    console.log(
      `thread started to streams: ${rate(packets, ours)} (median of ${RUNS}: ${list(seconds)})`,
    )
    const before = process.memoryUsage().heapUsed
    const direct = await timed(async () => {
      await readHere(path)
    })
    const grown = process.memoryUsage().heapUsed - before
    console.log(
      `the same without a thread: ${rate(packets, direct)}; heap ${(grown / packets).toFixed(1)} octets per packet`,
    )
    console.log(
      `peak RSS of this process ${((process.resourceUsage().maxRSS * 1024) / MEGA).toFixed(0)} MB`,
    )
    const theirs = await timed(async () => {
      const { error } = spawnSync(
        'tshark',
        ['-q', '--enable-heuristic', 'rtp_udp', '-z', 'rtp,streams', '-r', path],
        { stdio: 'ignore' },
      )
      if (error !== undefined) throw error
    }).catch(() => undefined)
    console.log(
      theirs === undefined
        ? 'tshark is missing: apt-get install tshark'
        : `tshark -z rtp,streams: ${rate(packets, theirs)}; we are ${(theirs / ours).toFixed(1)} times as fast`,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function inThread(path: string): Promise<void> {
  const task = { source: { file: { path, intervalMs: undefined } }, monitor: MONITOR }
  const capture = await Capture.start(task, AbortSignal.timeout(10_000))
  const [interval] = await capture.take(0)
  await capture.close()
  if (interval?.streams.length !== STREAMS) throw new Error('not all streams were found')
}

async function readHere(path: string): Promise<void> {
  const capture = new FileCapture({ path, intervalMs: undefined }, { ...MONITOR, seed: 1 })
  const [interval] = await capture.take()
  if (interval?.streams.length !== STREAMS) throw new Error('not all streams were found')
}

/** Calls side by side, each with a packet every 20 ms; every 97th packet is lost. */
function writeCapture(path: string): number {
  const file = openSync(path, 'w')
  const records = Array.from({ length: STREAMS }, (_, stream) =>
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
          toPort: 30_000 + 2 * stream,
        },
      ),
    }),
  )
  writeSync(file, pcapHeader())
  let written = 0
  for (let tick = 0; written < PACKETS; tick++) {
    const kept = records.filter((_, stream) => (tick + stream) % 97 !== 96)
    for (const [index, record] of kept.entries()) {
      const us = tick * PACKET_US + index * (PACKET_US / STREAMS)
      record.writeUInt32LE(START_S + Math.floor(us / US_PER_S), 0)
      record.writeUInt32LE(us % US_PER_S, 4)
      record.writeUInt16BE(tick & 0xffff, SEQUENCE_AT)
      record.writeUInt32BE(tick * PACKET_TICKS, TIMESTAMP_AT)
    }
    writeSync(file, Buffer.concat(kept))
    written += kept.length
  }
  closeSync(file)
  return written
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function rate(packets: number, seconds: number): string {
  return `${(packets / seconds / MEGA).toFixed(2)} million packets/s (${seconds.toFixed(2)} s)`
}

function list(seconds: readonly number[]): string {
  return seconds.map((one) => `${one.toFixed(2)} s`).join(', ')
}
