/** Round trips from report stamps, RFC 3550 section 6.4.1 and figure 2. */

const US_PER_MS = 1000
const US_PER_S = 1_000_000
/** DLSR, DLRR and the middle 32 bits of NTP count so many to the second. */
const STAMPS_PER_S = 65_536
const LOW_HALF = 0xffff
const HALF_BITS = 16
/** Longer is a stepped clock, or a stamp of another run of the sender. */
const MAX_ROUND_TRIP_MS = 10_000
/** What two clocks that count the same five seconds may differ by: beside the receiver the round trip is 0, give or take. */
const CLOCK_SLIP_MS = 1

/** What the other side sends back as LSR or LRR: the middle 32 bits of an NTP time; 0 stands for none. */
export function middleOfNtp(seconds: number, fraction: number): number {
  return (((seconds & LOW_HALF) << HALF_BITS) | (fraction >>> HALF_BITS)) >>> 0
}

/**
 * The round trip, when `elapsedUs` passed between a stamp and its answer, and the answerer says it held it for `delay` (1/65536 s).
 * Undefined when that cannot be, or the delay is 0: nobody answers at once, so 0 means that it was not measured.
 */
export function roundTripMs(elapsedUs: number, delay: number): number | undefined {
  if (delay === 0) return undefined
  const ms = (elapsedUs - (delay * US_PER_S) / STAMPS_PER_S) / US_PER_MS
  if (!(ms >= -CLOCK_SLIP_MS && ms <= MAX_ROUND_TRIP_MS)) return undefined
  return Math.max(0, ms)
}
