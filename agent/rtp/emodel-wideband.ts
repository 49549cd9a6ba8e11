import { absoluteDelayImpairment } from './emodel.ts'

/**
 * The E-model for wideband (ITU-T G.107.1, R up to 129) and fullband (G.107.2, R up to 148) in the short form that leaves noise, sidetone
 * and echo at their defaults. Figures of different scales do not compare: 4.2 on one is not 4.2 on another.
 */

export const WIDEBAND_MAX_R = 129
export const FULLBAND_MAX_R = 148
/** The greatest impairment by loss: that of the narrowband scale in G.107.1, one of its own in G.107.2. */
const WIDEBAND_MAX_IMPAIRMENT = 95
const FULLBAND_MAX_IMPAIRMENT = 132
/** Length of the scale against the narrowband one. */
const FULLBAND_STRETCH = 1.48
const PERCENT = 100

export interface BandRating {
  /** Id. */
  readonly delay: number
  /** Ie_eff. */
  readonly equipment: number
  /** R on the scale of the band, not limited. */
  readonly r: number
}

/** `oneWayMs` is mouth to ear; leave it out for listening quality. Loss is 0..1 and thought to be random. */
export function widebandRating(
  ie: number,
  bpl: number,
  lossRatio: number,
  oneWayMs = 0,
): BandRating {
  const delay = absoluteDelayImpairment(oneWayMs)
  const equipment = impairmentUnderLoss(ie, bpl, lossRatio, WIDEBAND_MAX_IMPAIRMENT)
  return { delay, equipment, r: WIDEBAND_MAX_R - delay - equipment }
}

/** As widebandRating(). */
export function fullbandRating(
  ie: number,
  bpl: number,
  lossRatio: number,
  oneWayMs = 0,
): BandRating {
  const delay = FULLBAND_STRETCH * absoluteDelayImpairment(oneWayMs)
  const equipment = impairmentUnderLoss(ie, bpl, lossRatio, FULLBAND_MAX_IMPAIRMENT)
  return { delay, equipment, r: FULLBAND_MAX_R - delay - equipment }
}

function impairmentUnderLoss(ie: number, bpl: number, lossRatio: number, limit: number): number {
  const lossPercent = lossRatio * PERCENT
  return ie + ((limit - ie) * lossPercent) / (lossPercent + bpl)
}
