import { z } from 'zod'
import { PermanentError, TransientError } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { bytes, duration } from '../../common/settings.ts'
import type { CaptureInterval } from '../capture/capture-interval.ts'
import { Capture } from '../capture/capture.ts'
import { parseNetwork } from '../capture/address.ts'
import type { CaptureTask } from '../capture/messages.ts'
import type { StreamRow } from '../capture/stream-row.ts'
import { isInterfaceName } from '../capture/tcpdump.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'

/** Points of a file handed over at once; the rest comes with the next measurement. */
const MAX_POINTS = 50_000
const MAX_NETWORKS = 64
const MAX_PORT = 65_535
const MAX_STREAMS = 200_000
const MAX_PROBATION = 8
const KIB = 1024
const MIB = KIB * KIB

const network = z.string().transform((text, context) => {
  const read = parseNetwork(text)
  if (read !== undefined) return read
  const message = 'expected a network such as 10.1.0.0/16, 2001:db8::/32 or a single address'
  context.issues.push({ code: 'custom', message, input: text })
  return z.NEVER
})
const networks = z.array(network).max(MAX_NETWORKS).default([])

const ports = z
  .string('expected a range of ports such as 10000-20000')
  .transform((text, context) => {
    const match = /^(\d{1,5})-(\d{1,5})$/.exec(text)
    const range = { from: Number(match?.[1]), to: Number(match?.[2]) }
    if (match !== null && range.from <= range.to && range.to <= MAX_PORT) return range
    const message = 'expected a range of ports such as 10000-20000'
    context.issues.push({ code: 'custom', message, input: text })
    return z.NEVER
  })

const options = z
  .strictObject({
    interface: z.string().refine(isInterfaceName, 'expected an interface such as eth0').optional(),
    file: z.string().min(1).optional(),
    /** Of a file: one point per stream and so much packet time, instead of one over the whole file. */
    'file-interval': duration.optional(),
    /** One of the two ports lies in it. */
    ports: ports.default({ from: 1024, to: MAX_PORT }),
    /** One of the two addresses lies in one of them. */
    networks,
    direction: z.strictObject({ from: networks, to: networks }).prefault({}),
    /** Packets in sequence before a source counts as a stream; it is then counted from its first. */
    probation: z.int().min(1).max(MAX_PROBATION).default(3),
    'max-streams': z.int().min(1).max(MAX_STREAMS).default(20_000),
    /** Kernel buffer for packets not read yet. */
    buffer: bytes
      .pipe(
        z
          .int()
          .min(MIB)
          .max(KIB * MIB),
      )
      .default(8 * MIB),
  })
  .refine((read) => (read.interface === undefined) !== (read.file === undefined), {
    message: 'expected either an interface or a file',
    path: ['interface'],
  })
type Options = z.infer<typeof options>

/** Loss, jitter, duplicates and reordering of every RTP stream that passes an interface, or is in a capture file. */
export const rtpCapture = defineProbe({
  name: 'rtp-capture',
  summary:
    'every RTP stream on an interface (through tcpdump) or in a pcap file, counted by its packets',
  options,
  create: (read, context) => new RtpCaptureProbe(read, context),
})

class RtpCaptureProbe implements Probe {
  readonly #task: CaptureTask
  readonly #context: ProbeContext
  #capture: Capture | undefined

  constructor(read: Options, context: ProbeContext) {
    this.#task = taskOf(read)
    this.#context = context
  }

  async open(signal: AbortSignal): Promise<void> {
    this.#capture = await Capture.start(this.#task, signal)
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    if (this.#capture === undefined || this.#capture.hasEnded) await this.#reopen(signal)
    return this.#task.source.file === undefined
      ? await this.#measureTap(interval)
      : await this.#measureFile(signal)
  }

  async close(): Promise<void> {
    await this.#capture?.close()
    this.#capture = undefined
  }

  async #reopen(signal: AbortSignal): Promise<void> {
    await this.close()
    await this.open(signal)
  }

  async #measureTap(interval: Interval): Promise<readonly Measurement[]> {
    const taken = (await this.#capture?.take(interval.endUs)) ?? []
    return taken.flatMap((one) => {
      if (one.fault !== undefined && one.streams.length === 0)
        throw new TransientError('capture-down', `the tap is down: ${one.fault}`)
      return points({ ...one, durationMs: interval.durationMs }, 'capture')
    })
  }

  async #measureFile(signal: AbortSignal): Promise<readonly Measurement[]> {
    const measured: Measurement[] = []
    while (measured.length < MAX_POINTS && !signal.aborted) {
      const taken = (await this.#capture?.take(0)) ?? []
      if (taken.length === 0) return measured
      for (const one of taken) {
        if (one.fault !== undefined) this.#complain(one, one.fault)
        measured.push(...points(one, 'file'))
      }
    }
    this.#context.log.warn(
      { points: measured.length },
      'not the whole file: the rest comes with the next measurement',
    )
    return measured
  }

  /** Half a file is worth its half; a file of which nothing could be read is a failure. */
  #complain(interval: CaptureInterval, fault: string): void {
    if (interval.durationMs === undefined || interval.endUs === 0)
      throw new PermanentError('capture-file', fault)
    this.#context.log.warn({ fault }, 'the file was read only so far')
  }
}

function taskOf(read: Options): CaptureTask {
  const filter = { ports: read.ports, networks: read.networks, ...read.direction }
  const monitor = { filter, maxStreams: read['max-streams'], probation: read.probation }
  return read.file === undefined
    ? {
        monitor,
        source: {
          live: {
            interface: read.interface ?? '',
            filter,
            bufferKib: Math.ceil(read.buffer / KIB),
          },
        },
      }
    : { monitor, source: { file: { path: read.file, intervalMs: read['file-interval'] } } }
}

function points(interval: CaptureInterval, source: 'capture' | 'file'): readonly Measurement[] {
  const endUs = Math.round(interval.endUs)
  const own = measurement(
    'agent',
    endUs,
    { target: 'rtp-capture' },
    {
      interval_ms: interval.durationMs,
      sensor_drops: interval.sensorDrops,
      ignored: Object.values(interval.ignored).reduce((sum, count) => sum + count, 0),
      streams_evicted: interval.evicted,
      reason: interval.fault,
    },
  )
  return [...interval.streams.map((row) => toPoint(row, interval, endUs, source)), own]
}

/** All points of an interval carry its end; what tells streams of one interval apart is added with the tags of the agent. */
function toPoint(
  row: StreamRow,
  { durationMs, sensorDrops }: CaptureInterval,
  endUs: number,
  source: string,
): Measurement {
  const { expected, lostUnique } = row
  return measurement(
    'rtp_stream',
    endUs,
    { codec: row.codec ?? 'unknown', source },
    {
      interval_ms: durationMs,
      active_ms: row.activeMs,
      first: row.first,
      ended: row.ended,
      src_ip: row.srcIp,
      src_port: row.srcPort,
      dst_ip: row.dstIp,
      dst_port: row.dstPort,
      ssrc: row.ssrc,
      payload_type: row.payloadType,
      expected,
      received: row.received,
      lost: row.lost,
      lost_unique: lostUnique,
      loss_ratio: expected > 0 ? Math.max(0, lostUnique) / expected : undefined,
      duplicates: row.duplicates,
      reordered: row.reordered,
      restarts: row.restarts,
      rejected: row.rejected,
      jitter_ms: row.jitterMs,
      jitter_max_ms: row.jitterMaxMs,
      max_delta_ms: row.maxDeltaMs,
      octets: row.octets,
      dscp: row.dscp,
      sensor_drops: sensorDrops,
    },
  )
}
