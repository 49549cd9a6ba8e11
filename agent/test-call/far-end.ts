import { CODEC_IMPAIRMENTS } from '../rtp/codec-impairments.ts'
import { smoothedJitter, tickUs, transitDifference } from '../rtp/jitter.ts'
import type { Measures } from '../rtp/measures.ts'
import type { RtpPacket } from '../rtp/packet.ts'
import { AUDIO, kindWithoutName, staticPayload } from '../rtp/payload.ts'
import { rate } from '../rtp/rate.ts'
import { Reception } from '../rtp/reception.ts'
import type { ReportBlock } from '../rtp/rtcp-packet.ts'
import type { ReceivedMedia } from './media-report.ts'

/** Senders followed in one call; packets of others are counted and left. */
const MAX_SOURCES = 4
const FRACTION = 256
const MAX_FRACTION = 255
const NO_SENDER_REPORT = { lastSenderReport: 0, delaySinceLastSenderReport: 0 }

interface Source {
  readonly stream: number
  readonly ssrc: number
  codec: string
  clockRate: number
  /** All that came, for reports: those go on over intervals (RFC 3550 section A.3). */
  received: number
  expectedBefore: number
  receivedBefore: number
  jitterUs: number
  timestamp: number
  arrivalUs: number
}

/** The sound that comes in: each of its senders is measured as a receiver does (RFC 3550), all together are one direction. */
export class FarEnd {
  readonly #reception = new Reception(MAX_SOURCES)
  readonly #sources: Source[] = []
  #ignored = 0

  /** Packets of more senders than are followed. */
  get ignored(): number {
    return this.#ignored
  }

  receive(packet: RtpPacket, nowUs: number): void {
    const { ssrc, payloadType, sequenceNumber, timestamp, payloadOctets, marker } = packet
    const source = this.#sources.find((known) => known.ssrc === ssrc) ?? this.#open(packet, nowUs)
    if (source === undefined) {
      this.#ignored++
      return
    }
    const payload = staticPayload(payloadType)
    const kind = kindWithoutName(payloadType, payloadOctets)
    if (kind === AUDIO && payload !== undefined && payload.name !== source.codec) {
      this.#reception.changeCodec(source.stream, payload.clockRate !== source.clockRate)
      source.codec = payload.name
      source.clockRate = payload.clockRate
    }
    const usPerTick = kind === AUDIO && payload !== undefined ? tickUs(payload.clockRate) : 0
    const { stream } = source
    const octets = payloadOctets
    const receive = this.#reception
    receive.receive(stream, sequenceNumber, timestamp, nowUs, octets, usPerTick, marker, kind)
    if (source.received > 0 && usPerTick > 0) {
      const { arrivalUs, timestamp: before } = source
      const difference = transitDifference(nowUs, timestamp, arrivalUs, before, usPerTick)
      source.jitterUs = smoothedJitter(source.jitterUs, difference)
    }
    source.received++
    source.timestamp = timestamp
    source.arrivalUs = nowUs
  }

  /** What came since the last call; undefined when nothing did. `isLast`: nothing more will come. */
  take(nowUs: number, isLast: boolean): ReceivedMedia | undefined {
    const taken = this.#sources.flatMap((source) => {
      const { stream, codec, clockRate } = source
      if (Number.isNaN(this.#reception.firstArrivalUs(stream))) return []
      const measures = this.#reception.measures(stream, nowUs, isLast)
      this.#reception.startInterval(stream)
      return [{ codec, clockRate, measures }]
    })
    const [main] = taken.toSorted((a, b) => b.measures.received - a.measures.received)
    if (main === undefined) return undefined
    const all = taken.map(({ measures }) => measures)
    const { codec, clockRate, measures } = main
    const expected = sum(all, ({ expected }) => expected)
    const lost = sum(all, ({ lostUnique }) => lostUnique)
    const discarded = sum(all, (one) => one.discarded.adaptive)
    const quality = rate(
      {
        ...{ codec, clockRate, packetMs: measures.packetMs, expected, discarded },
        lost: Math.max(0, lost),
        lossRuns: sum(all, ({ lossRuns }) => lossRuns.reduce((total, runs) => total + runs, 0)),
        lossRunPackets: sum(all, ({ lossRunPackets }) => lossRunPackets),
        roundTripMs: undefined,
      },
      CODEC_IMPAIRMENTS,
    )
    const burstPackets = sum(all, ({ bursts }) => bursts.burstPackets)
    return {
      ...{ codec, sources: taken.length, expected, lost, discarded },
      received: sum(all, ({ received }) => received),
      duplicates: sum(all, ({ duplicates }) => duplicates),
      reordered: sum(all, ({ reordered }) => reordered),
      jitterMs: measures.jitterMeanMs,
      jitterMaxMs: measures.jitterMaxMs,
      deltaMaxMs: measures.deltaMaxMs,
      burstDensityRatio:
        burstPackets > 0 ? sum(all, ({ bursts }) => bursts.burstBad) / burstPackets : undefined,
      rFactor: quality?.rFactor,
      mosLq: quality?.mosLq,
    }
  }

  /** What we tell each sender of its packets (RFC 3550 section 6.4.1). */
  reportBlocks(
    heardOf: (
      ssrc: number,
    ) => Pick<ReportBlock, 'lastSenderReport' | 'delaySinceLastSenderReport'> | undefined,
  ): ReportBlock[] {
    return this.#sources.map((source) => {
      const { ssrc, stream, received, clockRate, jitterUs } = source
      const highest = this.#reception.highest(stream)
      const expected = highest - this.#reception.base(stream) + 1
      const newExpected = expected - source.expectedBefore
      const lost = newExpected - (received - source.receivedBefore)
      source.expectedBefore = expected
      source.receivedBefore = received
      return {
        ssrc,
        fractionLost:
          newExpected > 0 && lost > 0
            ? Math.min(MAX_FRACTION, Math.floor((lost * FRACTION) / newExpected))
            : 0,
        cumulativeLost: expected - received,
        extendedHighestSequence: highest,
        jitterTicks: Math.round(jitterUs / tickUs(clockRate)),
        ...(heardOf(ssrc) ?? NO_SENDER_REPORT),
      }
    })
  }

  #open({ ssrc, payloadType, sequenceNumber }: RtpPacket, nowUs: number): Source | undefined {
    const stream = this.#sources.length
    if (stream === MAX_SOURCES) return undefined
    const { name: codec, clockRate } = staticPayload(payloadType) ?? { name: '', clockRate: 8000 }
    const none = { received: 0, expectedBefore: 0, receivedBefore: 0, jitterUs: 0, timestamp: 0 }
    const source: Source = { ...none, stream, ssrc, codec, clockRate, arrivalUs: nowUs }
    this.#reception.open(stream, sequenceNumber)
    this.#sources.push(source)
    return source
  }
}

function sum(all: readonly Measures[], of: (one: Measures) => number): number {
  return all.reduce((total, one) => total + of(one), 0)
}
