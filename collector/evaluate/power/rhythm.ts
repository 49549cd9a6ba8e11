/** How often a device is read, learned from its readings. */

/** A pause up to this long is rhythm. */
const MAX_PAUSE_US = 300_000_000
/** What comes sooner after another is no poll: a change told at once. */
const MIN_PAUSE_US = 500_000
/** How slowly a long pause is forgotten: changes told between two polls do not make the polls more frequent. */
const FORGET = 0.9

/** @param knownUs undefined while nothing is known @returns the pause to be expected, microseconds */
export function rhythmUs(knownUs: number | undefined, pauseUs: number): number | undefined {
  if (pauseUs < MIN_PAUSE_US || pauseUs > MAX_PAUSE_US) return knownUs
  return knownUs === undefined ? pauseUs : Math.max(pauseUs, knownUs * FORGET)
}
