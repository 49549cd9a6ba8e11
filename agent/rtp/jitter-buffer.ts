import { wordOf } from './settlement.ts'
import {
  ANCHOR,
  DELAY_DEVIATION,
  DELAY_MEAN,
  DISCARDED,
  DISCARDED_ADAPTIVE,
  DISCARDED_DEEP,
  DISCARDED_SHALLOW,
  MINIMA,
  MINIMA_END,
  TICK_MINIMUM,
  TICK_MINIMUM_AT,
  TRANSIT,
  add,
  floatsOf,
} from './stream-state.ts'

/**
 * Three jitter buffers as a phone may have one: which packets came, but after the moment they would have been played? Each judges the
 * first copy of every packet of the audio as it comes, by its transit: how much longer than others it was on its way.
 *
 * Two are of fixed depth, counted from the fastest packet of the last 8 to 10 seconds: the first packet may have been a late one, and two
 * clocks drift apart. The anchor is set anew where speech begins after a pause, as receivers do.
 *
 * The third adapts as Ramjee, Kurose, Towsley and Schulzrinne have it (INFOCOM 1994, algorithm 1): its depth is the mean delay and four
 * times its mean deviation, both smoothed. As receivers that stretch speech do, and as most lines never pause, it moves with every
 * packet rather than with talkspurts only, and so may smooth over a second where theirs took ten. It holds 40 ms at least and 500 at
 * most.
 */

/** After a longer time none of the transits before counts. */
const WINDOW_US = 10_000_000
/** A second or so of packets of 20 ms. */
const GAIN = 1 / 64
const DEVIATIONS = 4
const SHALLOWEST_US = 40_000
const DEEPEST_US = 500_000

/** The fixed buffers. */
export interface JitterBuffers {
  readonly shallowUs: number
  readonly deepUs: number
  /** Or the lateness counts from the first packet, and again from every newer one with the marker. */
  readonly anchor: 'fastest' | 'first'
}

export const FIXED_50_AND_200: JitterBuffers = {
  shallowUs: 50_000,
  deepUs: 200_000,
  anchor: 'fastest',
}

/** Takes the first copy of a packet; TRANSIT is that of this packet. */
export function takeArrival(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  number: number,
  arrivalUs: number,
  buffers: JitterBuffers,
): void {
  const at = floatsOf(row)
  const transit = floats[at + TRANSIT] ?? 0
  if (transit < (floats[at + TICK_MINIMUM] ?? 0)) {
    floats[at + TICK_MINIMUM] = transit
    floats[at + TICK_MINIMUM_AT] = arrivalUs
    if (transit < (floats[at + ANCHOR] ?? 0) && buffers.anchor === 'fastest')
      floats[at + ANCHOR] = transit
  }
  const anchor = floats[at + ANCHOR] ?? 0
  const lateness = transit - anchor
  if (lateness > buffers.shallowUs) add(ints, row + DISCARDED_SHALLOW, 1)
  if (lateness > buffers.deepUs) add(ints, row + DISCARDED_DEEP, 1)
  const mean = floats[at + DELAY_MEAN] ?? 0
  const deviation = floats[at + DELAY_DEVIATION] ?? 0
  const depth = mean + DEVIATIONS * deviation - anchor
  if (lateness > Math.min(DEEPEST_US, Math.max(SHALLOWEST_US, depth))) {
    add(ints, row + DISCARDED_ADAPTIVE, 1)
    const word = wordOf(row, DISCARDED, number)
    ints[word] = (ints[word] ?? 0) | (1 << number)
  }
  const newMean = mean + (transit - mean) * GAIN
  floats[at + DELAY_MEAN] = newMean
  floats[at + DELAY_DEVIATION] = deviation + (Math.abs(transit - newMean) - deviation) * GAIN
}

/** Lateness counts from the transit of the present packet. */
export function setAnchor(floats: Float64Array, row: number): void {
  const at = floatsOf(row)
  floats[at + ANCHOR] = floats[at + TRANSIT] ?? 0
  floats[at + TICK_MINIMUM] = Infinity
  floats.fill(Infinity, at + MINIMA, at + MINIMA_END)
}

/** The tick is over, `sinceUs` after it began, and the window moves on by it. */
export function moveAnchor(
  floats: Float64Array,
  row: number,
  sinceUs: number,
  buffers: JitterBuffers,
): void {
  const at = floatsOf(row)
  const minimum = floats[at + TICK_MINIMUM] ?? 0
  floats[at + TICK_MINIMUM] = Infinity
  if (sinceUs >= WINDOW_US) floats.fill(Infinity, at + MINIMA, at + MINIMA_END)
  else floats.copyWithin(at + MINIMA + 1, at + MINIMA, at + MINIMA_END - 1)
  floats[at + MINIMA] = minimum
  let fastest = minimum
  for (let one = MINIMA + 1; one < MINIMA_END; one++)
    fastest = Math.min(fastest, floats[at + one] ?? 0)
  if (buffers.anchor === 'fastest') floats[at + ANCHOR] = fastest
}
