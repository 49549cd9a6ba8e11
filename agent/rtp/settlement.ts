import { takeBad } from './burst.ts'
import { takeLost } from './loss-runs.ts'
import { DISCARDED, SEEN, SETTLED, SETTLED_COUNT, add } from './stream-state.ts'

/**
 * Which numbers have come, in a ring of 256 bits, and what became of each when it is settled: played, discarded or lost. A number may
 * be settled when a packet 100 or more newer has come (RFC 3550 A.1 takes nothing older), when it was passed two seconds ago, or when the
 * stream is over. Numbers are settled in order, a word of 32 at a time: one comparison where nothing was lost.
 */

const WORD_SHIFT = 5
const WORD_BITS = 32
const RING_WORDS = 8
const RING_MASK = RING_WORDS - 1
/** Words are numbered by the upper 27 bits of the numbers in them. */
const WORD_NUMBER_MASK = 0x7ff_ffff
/** The words that stay open with the newest one: the last number before them is at least 129 behind. */
const OPEN_WORDS = 4

/** Whether two extended numbers have their bits in the same word. */
export function sharesWord(number: number, other: number): boolean {
  return number >>> WORD_SHIFT === other >>> WORD_SHIFT
}

/** Which word of `ints` holds the bit of an extended number; the bit is its lowest five bits. `kind` is SEEN or DISCARDED. */
export function wordOf(row: number, kind: number, number: number): number {
  return row + kind + ((number >>> WORD_SHIFT) & RING_MASK)
}

/** Makes room for the words after that of `highest` up to that of `newest`: what was in their places is settled. */
export function openWords(ints: Int32Array, row: number, highest: number, newest: number): void {
  const words = ((newest >>> WORD_SHIFT) - (highest >>> WORD_SHIFT)) & WORD_NUMBER_MASK
  const last = highest & -WORD_BITS
  for (let word = 1; word <= words; word++) {
    const first = (last + word * WORD_BITS) | 0
    settle(ints, row, (first - OPEN_WORDS * WORD_BITS) | 0)
    ints[wordOf(row, SEEN, first)] = 0
    ints[wordOf(row, DISCARDED, first)] = 0
  }
}

/** The ring begins anew with `base` as the next number to be settled. */
export function restartWords(ints: Int32Array, row: number, base: number): void {
  ints.fill(0, row + SEEN, row + SEEN + RING_WORDS)
  ints.fill(0, row + DISCARDED, row + DISCARDED + RING_WORDS)
  ints[row + SETTLED] = base
}

/** Settles all numbers before `end`. */
export function settle(ints: Int32Array, row: number, end: number): void {
  let next = ints[row + SETTLED] ?? 0
  let left = (end - next) | 0
  while (left > 0) {
    const from = next & (WORD_BITS - 1)
    const count = Math.min(left, WORD_BITS - from)
    const mask = count === WORD_BITS ? -1 : ((1 << count) - 1) << from
    const lost = ~(ints[wordOf(row, SEEN, next)] ?? 0) & mask
    const bad = lost | ((ints[wordOf(row, DISCARDED, next)] ?? 0) & mask)
    if (bad !== 0) takeWord(ints, row, bad >>> from, lost >>> from, count)
    add(ints, row + SETTLED_COUNT, count)
    next = (next + count) | 0
    left -= count
  }
  ints[row + SETTLED] = next
}

/** The lowest `count` bits stand for as many numbers, the lowest for the next one. */
function takeWord(ints: Int32Array, row: number, bad: number, lost: number, count: number): void {
  const settled = ints[row + SETTLED_COUNT] ?? 0
  if (count === WORD_BITS && (lost | 0) === -1) {
    takeBad(ints, row, settled, count)
    takeLost(ints, row, settled, count)
    return
  }
  let left = bad | 0
  while (left !== 0) {
    const lowest = left & -left
    const at = (settled + WORD_BITS - 1 - Math.clz32(lowest)) | 0
    takeBad(ints, row, at, 1)
    if ((lost & lowest) !== 0) takeLost(ints, row, at, 1)
    left ^= lowest
  }
}
