import { z } from 'zod'
import { PermanentError, TransientError } from '../../common/errors.ts'
import type { Measurement } from '../../common/measurement.ts'
import { bytes, duration } from '../../common/settings.ts'
import { parseNetwork } from '../capture/address.ts'
import { isInterfaceName } from '../capture/tcpdump.ts'
import { MIRROR_PORTS } from '../capture/tunnel.ts'
import type { CaptureInterval } from '../media/capture-interval.ts'
import { capturePoints, stallPoint } from '../media/capture-points.ts'
import { Capture } from '../media/capture.ts'
import { codecOverrides } from '../media/codec-overrides.ts'
import type { CaptureSource, CaptureTask } from '../media/messages.ts'
import { DEFAULT_SIP_PORTS } from '../media/monitor.ts'
import type { StallRow } from '../media/stall-row.ts'
import { CODEC_IMPAIRMENTS, withOverrides } from '../rtp/codec-impairments.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import { signallingOptions } from '../signalling/options.ts'
import { eventPoint } from '../signalling/signalling-points.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'

/** Points of a file handed over at once; the rest comes with the next measurement. */
const MAX_POINTS = 50_000
const MAX_NETWORKS = 64
const MAX_SIP_PORTS = 16
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
const port = z.int().min(1).max(MAX_PORT)
const onePort = port.transform((number) => ({ from: number, to: number }))

/** What a switch or router sends us of what passes it. */
const mirror = z.strictObject({
  kind: z.enum(['tzsp', 'vxlan']),
  /** Where to listen: this machine only, unless told otherwise. */
  host: z.union([z.ipv4(), z.ipv6()], 'expected an address of this machine').default('127.0.0.1'),
  /** That of the kind, unless told otherwise: 37008 or 4789. */
  port: port.optional(),
  /** Who may send; nobody named lets all. */
  from: networks,
})

const options = z
  .strictObject({
    interface: z.string().refine(isInterfaceName, 'expected an interface such as eth0').optional(),
    /** Of an interface: also see what is meant for others, as on a mirror port. */
    promiscuous: z.boolean().default(false),
    /** Of an interface: look into GRE, VXLAN and TZSP that pass by. */
    tunnels: z.boolean().default(false),
    mirror: mirror.optional(),
    file: z.string().min(1).optional(),
    /** Of a file: one point per stream and so much packet time, instead of one over the whole file. */
    'file-interval': duration.optional(),
    /** One of the two ports lies in it. */
    ports: ports.default({ from: 1024, to: MAX_PORT }),
    /** Where SIP is looked for: what calls negotiate says which streams there are. */
    'sip-ports': z
      .array(z.union([onePort, ports]))
      .max(MAX_SIP_PORTS)
      .default([...DEFAULT_SIP_PORTS]),
    /** What to make of signalling itself: peers by name, whose addresses and numbers are whose. */
    sip: signallingOptions.prefault({}),
    /** One of the two addresses lies in one of them. */
    networks,
    direction: z.strictObject({ from: networks, to: networks }).prefault({}),
    /** Packets in sequence before a source that no call announced counts as a stream; it is then counted from its first. */
    probation: z.int().min(1).max(MAX_PROBATION).default(3),
    /** Impairments of codecs, where those of ITU-T G.113 are not what your equipment shows. */
    codecs: codecOverrides,
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
  .refine((read) => [read.interface, read.mirror, read.file].filter(isGiven).length === 1, {
    message: 'expected either an interface or a mirror or a file',
    path: ['interface'],
  })
type Options = z.infer<typeof options>

/** Every RTP stream that passes an interface, or is in a capture file: what was counted, and what its receiver and its call say. */
export const rtpCapture = defineProbe({
  name: 'rtp-capture',
  summary:
    'every RTP stream on an interface (through tcpdump), mirrored by a switch or in a capture file, counted by its packets',
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
    this.#capture = await Capture.start(this.#task, signal, {
      onStalled: (rows) => {
        this.#report(rows)
      },
      onEvents: (events) => {
        this.#reportEvents(events)
      },
    })
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
      const { durationMs } = interval
      return capturePoints({ ...one, durationMs }, { kind: 'capture', tap: this.#tap })
    })
  }

  async #measureFile(signal: AbortSignal): Promise<readonly Measurement[]> {
    const measured: Measurement[] = []
    while (measured.length < MAX_POINTS && !signal.aborted) {
      const taken = (await this.#capture?.take(0)) ?? []
      if (taken.length === 0) return measured
      for (const one of taken) {
        if (one.fault !== undefined) this.#complain(one, one.fault)
        for (const point of capturePoints(one, { kind: 'file', tap: undefined }))
          measured.push(point)
      }
    }
    this.#context.log.warn(
      { points: measured.length },
      'not the whole file: the rest comes with the next measurement',
    )
    return measured
  }

  /** Two taps of one agent may see the same stream. */
  get #tap(): string | undefined {
    const { live, mirror } = this.#task.source
    return mirror === undefined ? live?.interface : `${mirror.kind} ${mirror.host} ${mirror.port}`
  }

  #report(rows: readonly StallRow[]): void {
    const nowUs = this.#context.nowUs()
    this.#context.report(rows.map((row) => stallPoint(row, nowUs, this.#tap)))
  }

  #reportEvents(events: readonly SignallingEvent[]): void {
    const nowUs = this.#context.nowUs()
    this.#context.report(events.map((event) => eventPoint(event, nowUs, this.#tap)))
  }

  /** Half a file is worth its half; a file of which nothing could be read is a failure. */
  #complain(interval: CaptureInterval, fault: string): void {
    if (interval.durationMs === undefined || interval.endUs === 0)
      throw new PermanentError('capture-file', fault)
    this.#context.log.warn({ fault }, 'the file was read only so far')
  }
}

function taskOf(read: Options): CaptureTask {
  const { ports, networks, direction } = read
  return {
    source: sourceOf(read),
    monitor: {
      filter: { ports, networks, ...direction },
      maxStreams: read['max-streams'],
      probation: read.probation,
      sipPorts: read['sip-ports'],
      signalling: read.sip,
      codecs: withOverrides(CODEC_IMPAIRMENTS, read.codecs),
    },
  }
}

function sourceOf(read: Options): CaptureSource {
  const { file, mirror, ports, networks, direction } = read
  if (file !== undefined) return { file: { path: file, intervalMs: read['file-interval'] } }
  if (mirror !== undefined) {
    const { kind, host, from: senders } = mirror
    return { mirror: { kind, host, senders, port: mirror.port ?? MIRROR_PORTS[kind] } }
  }
  return {
    live: {
      interface: read.interface ?? '',
      filter: { ports, networks, ...direction },
      sipPorts: read['sip-ports'],
      bufferKib: Math.ceil(read.buffer / KIB),
      isPromiscuous: read.promiscuous,
      hasTunnels: read.tunnels,
    },
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined
}
