import {
  SKEW_ORIGIN,
  SKEW_POINTS,
  SKEW_X,
  SKEW_XX,
  SKEW_XY,
  SKEW_Y,
  SKEW_YY,
  TICK_MINIMUM,
  TICK_MINIMUM_AT,
  add,
  floatsOf,
} from './stream-state.ts'

/**
 * How much faster than our clock the sender's runs: the slope of a straight line (least squares) through the smallest transit of every
 * two seconds. The fastest packets have waited nowhere, so that what is left of their transit is the difference of the clocks.
 */

const US_PER_S = 1_000_000
/** Ten seconds at least. */
const LEAST_POINTS = 6
const LEAST_SPAN_S = 10
/** With a larger error, twice the standard error of the slope, nothing is said: cheap quartz is within 100 ppm. */
const MAX_SKEW_ERROR_PPM = 100
const CONFIDENCE = 2
/** Points spread evenly have a twelfth of their span squared as variance. */
const EVEN_SPREAD = 12

export interface ClockSkew {
  readonly ppm: number
  /** The truth is within, 19 times of 20. */
  readonly errorPpm: number
}

/** Takes the smallest transit of the tick that is over. */
export function takeMinimum(ints: Int32Array, floats: Float64Array, row: number): void {
  const at = floatsOf(row)
  const transitUs = floats[at + TICK_MINIMUM] ?? Infinity
  const arrivalUs = floats[at + TICK_MINIMUM_AT] ?? NaN
  // No packet of the audio came.
  if (transitUs === Infinity) return
  if (ints[row + SKEW_POINTS] === 0) floats[at + SKEW_ORIGIN] = arrivalUs
  const x = (arrivalUs - (floats[at + SKEW_ORIGIN] ?? 0)) / US_PER_S
  add(ints, row + SKEW_POINTS, 1)
  addTo(floats, at + SKEW_X, x)
  addTo(floats, at + SKEW_Y, transitUs)
  addTo(floats, at + SKEW_XX, x * x)
  addTo(floats, at + SKEW_XY, x * transitUs)
  addTo(floats, at + SKEW_YY, transitUs * transitUs)
}

/** The slope begins anew. */
export function restartSkew(ints: Int32Array, floats: Float64Array, row: number): void {
  ints[row + SKEW_POINTS] = 0
  floats.fill(0, floatsOf(row) + SKEW_ORIGIN, floatsOf(row) + SKEW_YY + 1)
}

/** Undefined until there is enough to say. */
export function readSkew(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
): ClockSkew | undefined {
  const sum = (word: number) => floats[floatsOf(row) + word] ?? 0
  const points = ints[row + SKEW_POINTS] ?? 0
  if (points < LEAST_POINTS) return undefined
  const xx = sum(SKEW_XX) - sum(SKEW_X) ** 2 / points
  if (EVEN_SPREAD * (xx / points) < LEAST_SPAN_S ** 2) return undefined
  const xy = sum(SKEW_XY) - (sum(SKEW_X) * sum(SKEW_Y)) / points
  const yy = sum(SKEW_YY) - sum(SKEW_Y) ** 2 / points
  const slope = xy / xx
  const rest = Math.max(0, yy - slope * xy)
  const errorPpm = CONFIDENCE * Math.sqrt(rest / (points - 2) / xx)
  // A transit that shrinks, in microseconds per second, is a sender that runs fast.
  return errorPpm > MAX_SKEW_ERROR_PPM ? undefined : { ppm: 0 - slope, errorPpm }
}

function addTo(floats: Float64Array, at: number, value: number): void {
  floats[at] = (floats[at] ?? 0) + value
}
