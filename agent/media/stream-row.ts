import { staticPayload } from '../rtp/payload.ts'
import type { IntervalTimes, Totals } from '../rtp/reception.ts'
import { addressText } from './address.ts'
import { SSRC_WORD, endpointsOf } from './stream-key.ts'

const US_PER_MS = 1000
const HEX = 16
const SSRC_DIGITS = 8

/** One stream over one interval. What was not measured is absent. */
export interface StreamRow {
  readonly srcIp: string
  readonly srcPort: number
  readonly dstIp: string
  readonly dstPort: number
  readonly ssrc: string
  readonly payloadType: number
  /** Undefined for a number that only signalling explains. */
  readonly codec: string | undefined
  readonly dscp: number
  readonly first: boolean
  readonly ended: boolean
  readonly expected: number
  readonly received: number
  readonly lost: number
  readonly lostUnique: number
  readonly duplicates: number
  readonly reordered: number
  readonly restarts: number
  readonly rejected: number
  readonly octets: number
  readonly activeMs: number | undefined
  readonly maxDeltaMs: number | undefined
  readonly jitterMs: number | undefined
  readonly jitterMaxMs: number | undefined
}

/** What a row is made of: the counters at the end of the interval and at the end of the one before. */
export interface RowSource {
  readonly key: Int32Array
  readonly payloadType: number
  readonly dscp: number
  /** Never reported before. */
  readonly isNew: boolean
  readonly ended: boolean
  readonly before: Totals
  readonly now: Totals
  readonly times: IntervalTimes
}

export function streamRow(of: RowSource): StreamRow {
  const { key, payloadType, dscp, isNew, ended, before, now, times } = of
  // Modulo 2^32, like the counters.
  const since = (counter: keyof Totals) => (now[counter] - before[counter]) | 0
  const expected = since('expected')
  const { source, sourcePort, destination, destinationPort } = endpointsOf(key)
  return {
    srcIp: addressText(source),
    srcPort: sourcePort,
    dstIp: addressText(destination),
    dstPort: destinationPort,
    ssrc: ssrcText(key[SSRC_WORD] ?? 0),
    payloadType,
    codec: staticPayload(payloadType)?.name,
    dscp,
    first: isNew,
    ended,
    expected,
    received: since('received'),
    lost: expected - since('received'),
    lostUnique: expected - since('unique'),
    duplicates: since('duplicates'),
    reordered: since('reordered'),
    restarts: since('restarts'),
    rejected: since('rejected'),
    octets: times.octets,
    activeMs: inMs(times.activeUs),
    maxDeltaMs: inMs(times.deltaMaxUs),
    jitterMs: inMs(times.jitterUs),
    jitterMaxMs: inMs(times.jitterMaxUs),
  }
}

function inMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / US_PER_MS
}

function ssrcText(word: number): string {
  return `0x${(word >>> 0).toString(HEX).padStart(SSRC_DIGITS, '0')}`
}
