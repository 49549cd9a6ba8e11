/**
 * Interarrival jitter, RFC 3550 sections 6.4.1 and A.8, in floating point. The RFC counts in RTP ticks; here both clocks are turned
 * into microseconds first, which is the same filter times a constant and goes on undisturbed when a stream changes its clock rate.
 */

const US_PER_S = 1_000_000
/** The RFC's gain parameter, "a good noise reduction ratio while maintaining a reasonable rate of convergence". */
const GAIN = 1 / 16

/** Length of one RTP tick, the form in which the filter wants the clock rate. */
export function tickUs(clockRate: number): number {
  return US_PER_S / clockRate
}

/**
 * D of two packets: how much later than its timestamp promised the second one came, in microseconds. The timestamps are compared as
 * a signed 32-bit difference, so that their wrap does no harm.
 */
export function transitDifference(
  arrivalUs: number,
  timestamp: number,
  earlierArrivalUs: number,
  earlierTimestamp: number,
  usPerTick: number,
): number {
  return arrivalUs - earlierArrivalUs - ((timestamp - earlierTimestamp) | 0) * usPerTick
}

/** J after one more D: `J += (|D| - J) / 16`. */
export function smoothedJitter(jitter: number, difference: number): number {
  return jitter + (Math.abs(difference) - jitter) * GAIN
}
