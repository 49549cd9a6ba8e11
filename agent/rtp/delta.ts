import { DELTA_BOUNDS_MS } from './measures.ts'
import { DELTA_COUNTS, DELTA_MAX, DELTA_SUM, add, floatsOf } from './stream-state.ts'

/** Times between arrivals. */

const US_PER_MS = 1000
const BINS = DELTA_BOUNDS_MS.length + 1
const LAST_BOUND_MS = DELTA_BOUNDS_MS.at(-1) ?? 0
/** The bin by whole milliseconds, rounded up, as all bounds are whole. */
const BIN_OF_MS = Uint8Array.from({ length: LAST_BOUND_MS + 1 }, (_, ms) =>
  DELTA_BOUNDS_MS.findIndex((bound) => ms <= bound),
)

/** Takes one of 0 or more. */
export function takeDelta(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  deltaUs: number,
): void {
  const at = floatsOf(row)
  floats[at + DELTA_SUM] = (floats[at + DELTA_SUM] ?? 0) + deltaUs
  if (deltaUs > (floats[at + DELTA_MAX] ?? 0)) floats[at + DELTA_MAX] = deltaUs
  const ms = deltaUs / US_PER_MS
  const bin = ms > LAST_BOUND_MS ? BINS - 1 : (BIN_OF_MS[Math.ceil(ms)] ?? 0)
  add(ints, row + DELTA_COUNTS + bin, 1)
}

/** The counts of the interval, by DELTA_BOUNDS_MS. */
export function readDeltas(ints: Int32Array, row: number): number[] {
  return Array.from(ints.subarray(row + DELTA_COUNTS, row + DELTA_COUNTS + BINS))
}

export function startDeltaInterval(floats: Float64Array, row: number): void {
  floats[floatsOf(row) + DELTA_SUM] = 0
  floats[floatsOf(row) + DELTA_MAX] = -1
}
