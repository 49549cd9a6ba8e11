import { impairmentOf, type CodecImpairment, type CodecTable } from './codec-impairments.ts'
import {
  FULLBAND_MAX_R,
  WIDEBAND_MAX_R,
  fullbandRating,
  widebandRating,
} from './emodel-wideband.ts'
import { mosOf, transmissionRating } from './emodel.ts'
import type { Quality, QualityInput } from './quality.ts'

/** What a packet holds where the timestamps did not tell (RFC 3551 section 4.2). */
const DEFAULT_PACKET_MS = 20
/** A nominal jitter buffer, where the receiver did not report its own. */
const JITTER_BUFFER_MS = 40
/** Fewer losses than this say nothing about bursts. */
const MIN_LOST_FOR_BURSTS = 5
/** Length of each scale against the narrowband one, on which the MOS of Annex B is defined. */
const NARROWBAND_MAX_R = 100
const WIDEBAND_STRETCH = WIDEBAND_MAX_R / NARROWBAND_MAX_R
const FULLBAND_STRETCH = FULLBAND_MAX_R / NARROWBAND_MAX_R

/** What the E-model says of a stream. Undefined where the codec has no entry in the table, or nothing was expected to come. */
export function rate(input: QualityInput, table: CodecTable): Quality | undefined {
  const codec = impairmentOf(input.codec, table)
  if (codec === undefined || input.expected <= 0) return undefined
  const lossRatio = share(input.lost + input.discarded, input.expected)
  const burstRatio = burstRatioOf(input)
  const listening = ratingOf(codec, lossRatio, burstRatio, 0)
  const delayMs = oneWayMs(input, codec)
  return {
    rFactor: listening.r,
    mosLq: listening.mos,
    mosCq: delayMs === undefined ? undefined : ratingOf(codec, lossRatio, burstRatio, delayMs).mos,
    scale: codec.scale,
    isAssumed: codec.isAssumed,
  }
}

/** R, kept to its scale, and its MOS. */
function ratingOf(
  { scale, ie, bpl }: CodecImpairment,
  lossRatio: number,
  burstRatio: number,
  delayMs: number,
): { r: number; mos: number } {
  switch (scale) {
    case 'narrowband': {
      // For a call: T = Ta = mouth to ear, and Tr twice that.
      const delays = { tMs: delayMs, taMs: delayMs, trMs: 2 * delayMs }
      const { r } = transmissionRating({ ie, bpl, lossRatio, burstRatio, ...delays })
      return { r: Math.max(0, r), mos: mosOf(r) }
    }
    case 'wideband': {
      const { r } = widebandRating(ie, bpl, lossRatio, delayMs)
      return { r: Math.max(0, r), mos: mosOf(r / WIDEBAND_STRETCH) }
    }
    case 'fullband': {
      const { r } = fullbandRating(ie, bpl, lossRatio, delayMs)
      return { r: Math.max(0, r), mos: mosOf(r / FULLBAND_STRETCH) }
    }
  }
}

/** How much longer the runs of loss were than random loss would make them (G.107 clause 3.2). Only the way makes runs. */
function burstRatioOf({ expected, lost, lossRuns, lossRunPackets }: QualityInput): number {
  if (lossRuns <= 0 || lossRunPackets < MIN_LOST_FOR_BURSTS) return 1
  return (lossRunPackets / lossRuns) * (1 - share(lost, expected))
}

/** Mouth to ear: half the round trip, and what the packets and the receiver add to it (RFC 3611 section 4.7.3). */
function oneWayMs(
  { roundTripMs, packetMs = DEFAULT_PACKET_MS }: QualityInput,
  { lookaheadMs }: CodecImpairment,
): number | undefined {
  if (roundTripMs === undefined) return undefined
  return roundTripMs / 2 + packetMs + lookaheadMs + JITTER_BUFFER_MS
}

function share(part: number, whole: number): number {
  return Math.min(1, Math.max(0, part / whole))
}
