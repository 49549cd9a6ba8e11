import { CODEC_IMPAIRMENTS, type CodecTable } from '../rtp/codec-impairments.ts'
import type { Measures } from '../rtp/measures.ts'
import type { Payload } from '../rtp/payload.ts'
import type { Quality } from '../rtp/quality.ts'
import { rate } from '../rtp/rate.ts'
import { addressText } from '../capture/address.ts'
import { endpointsOf } from './stream-key.ts'

const HEX = 16
const SSRC_DIGITS = 8

/** Who sends to whom. */
export interface StreamEnds {
  readonly srcIp: string
  readonly srcPort: number
  readonly dstIp: string
  readonly dstPort: number
}

/** One stream over one interval. What was not measured is undefined. */
export interface StreamRow extends Measures, StreamEnds {
  /** As 0x and 8 hex digits. */
  readonly ssrc: string
  readonly payloadType: number
  /** Undefined for a number that only signalling explains. */
  readonly codec: string | undefined
  readonly clockRate: number | undefined
  readonly dscp: number
  readonly first: boolean
  readonly ended: boolean
  /** Arrivals of the first and the newest packet of the interval, microseconds since 1970. */
  readonly firstUs: number | undefined
  readonly lastUs: number | undefined
  /** SRTP; undefined when neither signalling nor the size of the packets tells. */
  readonly isEncrypted: boolean | undefined
  readonly callId: string | undefined
  readonly roundTripMs: number | undefined
  readonly quality: Quality | undefined
}

/** What a row is made of besides its measures. */
export interface RowSource {
  readonly ends: StreamEnds
  readonly ssrc: number
  readonly payloadType: number
  readonly payload: Payload | undefined
  readonly dscp: number
  readonly first: boolean
  readonly ended: boolean
  readonly firstUs: number | undefined
  readonly lastUs: number | undefined
  readonly isEncrypted: boolean | undefined
  readonly callId: string | undefined
  readonly roundTripMs: number | undefined
}

/** Field by field: tens of thousands of rows are made while the tap waits, and spreading an object costs twenty times as much. */
export function streamRow(
  source: RowSource,
  measures: Measures,
  table: CodecTable = CODEC_IMPAIRMENTS,
): StreamRow {
  const { ends, payload, roundTripMs } = source
  return {
    srcIp: ends.srcIp,
    srcPort: ends.srcPort,
    dstIp: ends.dstIp,
    dstPort: ends.dstPort,
    ssrc: ssrcText(source.ssrc),
    payloadType: source.payloadType,
    codec: payload?.name,
    clockRate: payload?.clockRate,
    dscp: source.dscp,
    first: source.first,
    ended: source.ended,
    firstUs: source.firstUs,
    lastUs: source.lastUs,
    isEncrypted: source.isEncrypted,
    callId: source.callId,
    roundTripMs,
    quality: payload === undefined ? undefined : qualityOf(payload, measures, roundTripMs, table),
    expected: measures.expected,
    sequenceLast: measures.sequenceLast,
    received: measures.received,
    lost: measures.lost,
    lostUnique: measures.lostUnique,
    duplicates: measures.duplicates,
    reordered: measures.reordered,
    late: measures.late,
    restarts: measures.restarts,
    rejected: measures.rejected,
    octets: measures.octets,
    activeMs: measures.activeMs,
    stalledMs: measures.stalledMs,
    gapMs: measures.gapMs,
    gapLost: measures.gapLost,
    packetMs: measures.packetMs,
    jitterMs: measures.jitterMs,
    jitterMeanMs: measures.jitterMeanMs,
    jitterP95Ms: measures.jitterP95Ms,
    jitterMaxMs: measures.jitterMaxMs,
    jitterSamples: measures.jitterSamples,
    deltaMeanMs: measures.deltaMeanMs,
    deltaMaxMs: measures.deltaMaxMs,
    deltaSamples: measures.deltaSamples,
    deltaCounts: measures.deltaCounts,
    lossRuns: measures.lossRuns,
    lossRunPackets: measures.lossRunPackets,
    bursts: measures.bursts,
    discarded: measures.discarded,
    talkspurts: measures.talkspurts,
    comfortNoise: measures.comfortNoise,
    events: measures.events,
    clockSkewPpm: measures.clockSkewPpm,
    clockSkewErrorPpm: measures.clockSkewErrorPpm,
  }
}

export function endsOf(key: Int32Array): StreamEnds {
  const { source, sourcePort, destination, destinationPort } = endpointsOf(key)
  return {
    srcIp: addressText(source),
    srcPort: sourcePort,
    dstIp: addressText(destination),
    dstPort: destinationPort,
  }
}

export function ssrcText(word: number): string {
  return `0x${(word >>> 0).toString(HEX).padStart(SSRC_DIGITS, '0')}`
}

function qualityOf(
  { name, clockRate }: Payload,
  measures: Measures,
  roundTripMs: number | undefined,
  table: CodecTable,
): Quality | undefined {
  const { packetMs, expected, lostUnique, discarded, lossRuns, lossRunPackets } = measures
  return rate(
    {
      codec: name,
      clockRate,
      packetMs,
      expected,
      lost: Math.max(0, lostUnique),
      discarded: discarded.adaptive,
      lossRuns: lossRuns.reduce((sum, runs) => sum + runs, 0),
      lossRunPackets,
      roundTripMs,
    },
    table,
  )
}
