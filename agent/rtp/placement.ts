import { AHEAD, BEHIND, MAX_DROPOUT, behindBy, sequenceDistance, standing } from './sequence.ts'
import { openWords, restartWords, settle, sharesWord, wordOf } from './settlement.ts'
import { takeRestart } from './silence.ts'
import {
  AUDIO_ARRIVAL,
  BAD,
  BASE,
  BEFORE_BASE,
  DUPLICATES,
  EXPECTED_OFFSET,
  HIGHEST,
  LATE,
  RECEIVED,
  REJECTED,
  REORDERED,
  RESTARTS,
  SEEN,
  STEADY_SINCE,
  TICK_HIGHEST,
  add,
  floatsOf,
} from './stream-state.ts'

/** The table of RFC 3550 section A.1, with what it leaves out: which packets have come before, and what came late. */

const SEQUENCE_MASK = 0xffff
/** No sequence number, so that it never matches (RFC 3550 A.1: RTP_SEQ_MOD + 1). */
export const NEVER = 65_537

/** What place() makes of a packet. */
export const REFUSED = 0
/** Received, but not to be played: a copy, or older than the first. */
export const SPARE = 1
const LATE_BUT_NEW = 2
export const NEWEST = 3

/** Counts a packet by its number. What is received here is all but REFUSED. */
export function place(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  sequenceNumber: number,
  timestamp: number,
  arrivalUs: number,
): number {
  const highest = ints[row + HIGHEST] ?? 0
  const distance = sequenceDistance(sequenceNumber, highest & SEQUENCE_MASK)
  const where = standing(distance)
  if (where === AHEAD) {
    add(ints, row + RECEIVED, 1)
    return advance(ints, row, highest, distance)
  }
  if (where === BEHIND) {
    add(ints, row + RECEIVED, 1)
    return lookBack(ints, row, (highest - behindBy(distance)) | 0)
  }
  if (sequenceNumber === ints[row + BAD]) {
    takeRestart(ints, floats, row, sequenceNumber, timestamp, arrivalUs)
    // Otherwise one D of minutes would poison the jitter for the rest of the call.
    floats[floatsOf(row) + AUDIO_ARRIVAL] = NaN
    restart(ints, row, highest, sequenceNumber)
    add(ints, row + RECEIVED, 1)
    return NEWEST
  }
  ints[row + BAD] = (sequenceNumber + 1) & SEQUENCE_MASK
  add(ints, row + REJECTED, 1)
  if (behindBy(distance) <= MAX_DROPOUT) add(ints, row + LATE, 1)
  return REFUSED
}

/** Settles all numbers up to the highest. */
export function settleAll(ints: Int32Array, row: number): void {
  settle(ints, row, (ints[row + HIGHEST] ?? 0) + 1)
}

function advance(ints: Int32Array, row: number, highest: number, distance: number): number {
  const newest = (highest + distance) | 0
  if (!sharesWord(newest, highest)) openWords(ints, row, highest, newest)
  if (!isFirstCopy(ints, row, newest)) return SPARE
  ints[row + HIGHEST] = newest
  return NEWEST
}

function lookBack(ints: Int32Array, row: number, number: number): number {
  if (!isFirstCopy(ints, row, number)) return SPARE
  add(ints, row + REORDERED, 1)
  if (((number - (ints[row + BASE] ?? 0)) | 0) >= 0) return LATE_BUT_NEW
  add(ints, row + BEFORE_BASE, 1)
  return SPARE
}

function isFirstCopy(ints: Int32Array, row: number, number: number): boolean {
  const word = wordOf(row, SEEN, number)
  const seen = ints[word] ?? 0
  const bit = 1 << number
  if ((seen & bit) !== 0) {
    add(ints, row + DUPLICATES, 1)
    return false
  }
  ints[word] = seen | bit
  return true
}

/** Two packets in sequence far from the rest: the sender began anew. What was counted stays counted. */
function restart(ints: Int32Array, row: number, highest: number, sequenceNumber: number): void {
  settleAll(ints, row)
  const expected = (highest - (ints[row + BASE] ?? 0) + 1) | 0
  add(ints, row + EXPECTED_OFFSET, expected)
  add(ints, row + RESTARTS, 1)
  ints[row + BASE] = sequenceNumber
  ints[row + HIGHEST] = sequenceNumber
  ints[row + TICK_HIGHEST] = sequenceNumber
  ints[row + STEADY_SINCE] = sequenceNumber
  ints[row + BAD] = NEVER
  restartWords(ints, row, sequenceNumber)
  isFirstCopy(ints, row, sequenceNumber)
}
