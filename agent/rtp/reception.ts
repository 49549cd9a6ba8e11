import { smoothedJitter, transitDifference } from './jitter.ts'
import { AHEAD, BEHIND, behindBy, sequenceDistance, standing } from './sequence.ts'

/**
 * What a receiver counts of each stream: RFC 3550 sections A.1, A.3 and A.8, and beside them what those leave out (distinct packets,
 * duplicates, reordering), over all restarts of the sender. A stream is a number, its state one row in each of two typed arrays: a
 * row is two cache lines and a packet allocates nothing.
 *
 * Counters are 32 bits and wrap; take differences modulo 2^32, as deltaSince() does.
 */

/** Words of a row of `#counts`. Extended sequence numbers are cycles and number in one word. */
const BASE = 0
const HIGHEST = 1
const BAD = 2
const JITTER_TIMESTAMP = 3
const RECEIVED = 4
const UNIQUE = 5
const DUPLICATES = 6
const REORDERED = 7
const BEFORE_BASE = 8
const REJECTED = 9
const RESTARTS = 10
/** Packets expected before the last restart. */
const EARLIER_EXPECTED = 11
/** Which of the last 128 extended numbers have come, a bit each: more than MAX_MISORDER, and a divisor of 2^16. */
const WINDOW = 12
const COUNTS_STRIDE = 16

const WINDOW_WORDS = 4
const WORD_SHIFT = 5
const WINDOW_BITS = 128

/** Words of a row of `#times`, microseconds but the octets. */
const LAST_ARRIVAL = 0
/** Arrival of the packet the next D starts from; NaN when there is none. */
const JITTER_ARRIVAL = 1
const JITTER = 2
/** Highest jitter of the interval; negative when none was measured in it. */
const JITTER_MAX = 3
const DELTA_MAX = 4
/** First arrival of the interval; NaN when nothing came in it. */
const INTERVAL_FIRST = 5
const OCTETS = 6
const TIMES_STRIDE = 8

const SEQUENCE_MASK = 0xffff
/** No sequence number, so that it never matches (RFC 3550 A.1: RTP_SEQ_MOD + 1). */
const NEVER = 65_537

/** Cumulative counters since the stream began. Differences of two of these are what an interval is made of. */
export interface Totals {
  /** Packets the sequence numbers say were sent, over all restarts. */
  expected: number
  /** Packets accepted, duplicates and late ones included. */
  received: number
  /** Distinct packets received between the first and the highest. */
  unique: number
  duplicates: number
  reordered: number
  /** Accepted packets older than the first: received, but never expected. */
  beforeBase: number
  rejected: number
  restarts: number
}

export const NOTHING: Readonly<Totals> = {
  expected: 0,
  received: 0,
  unique: 0,
  duplicates: 0,
  reordered: 0,
  beforeBase: 0,
  rejected: 0,
  restarts: 0,
}

/** What belongs to the interval since the last startInterval(). */
export interface IntervalTimes {
  /** Time between first and last arrival, or undefined when nothing came. */
  readonly activeUs: number | undefined
  readonly deltaMaxUs: number | undefined
  /** Jitter now; undefined when none was measured in the interval. */
  readonly jitterUs: number | undefined
  readonly jitterMaxUs: number | undefined
  readonly octets: number
}

export class Reception {
  #counts: Int32Array
  #times: Float64Array

  constructor(streams: number) {
    this.#counts = new Int32Array(streams * COUNTS_STRIDE)
    this.#times = new Float64Array(streams * TIMES_STRIDE)
  }

  /** Makes room for so many streams; the rows there are stay. */
  grow(streams: number): void {
    const counts = new Int32Array(streams * COUNTS_STRIDE)
    const times = new Float64Array(streams * TIMES_STRIDE)
    counts.set(this.#counts)
    times.set(this.#times)
    this.#counts = counts
    this.#times = times
  }

  /** Begins a stream with its first packet still to come through receive(). */
  open(stream: number, sequenceNumber: number): void {
    const row = stream * COUNTS_STRIDE
    this.#counts.fill(0, row, row + COUNTS_STRIDE)
    this.#counts[row + BASE] = sequenceNumber
    this.#counts[row + HIGHEST] = sequenceNumber
    this.#counts[row + BAD] = NEVER
    const times = stream * TIMES_STRIDE
    this.#times.fill(0, times, times + TIMES_STRIDE)
    this.#times[times + LAST_ARRIVAL] = NaN
    this.#times[times + JITTER_ARRIVAL] = NaN
    this.startInterval(stream)
  }

  /**
   * Counts one packet. `usPerTick` is the length of a tick of its clock, or 0 to keep the packet out of the jitter (clock unknown,
   * comfort noise, an event): the next packet with a clock then starts D anew.
   */
  receive(
    stream: number,
    sequenceNumber: number,
    timestamp: number,
    arrivalUs: number,
    octets: number,
    usPerTick: number,
  ): void {
    this.#arrive(stream * TIMES_STRIDE, arrivalUs, octets)
    if (this.#place(stream, sequenceNumber))
      this.#measureJitter(stream, timestamp, arrivalUs, usPerTick)
  }

  /** The next packet starts D anew, as after a change of clock. */
  breakJitter(stream: number): void {
    this.#times[stream * TIMES_STRIDE + JITTER_ARRIVAL] = NaN
  }

  /** Arrival of the newest packet. */
  lastArrivalUs(stream: number): number {
    return this.#times[stream * TIMES_STRIDE + LAST_ARRIVAL] ?? NaN
  }

  /** First and highest extended sequence number since the last restart. */
  base(stream: number): number {
    return this.#count(stream, BASE)
  }

  highest(stream: number): number {
    return this.#count(stream, HIGHEST)
  }

  /** Writes the cumulative counters into `totals`. */
  read(stream: number, totals: Totals): void {
    const begun = this.#times[stream * TIMES_STRIDE + LAST_ARRIVAL] ?? NaN
    const current = Number.isNaN(begun) ? 0 : this.highest(stream) - this.base(stream) + 1
    totals.expected = (this.#count(stream, EARLIER_EXPECTED) + current) | 0
    totals.received = this.#count(stream, RECEIVED)
    totals.unique = this.#count(stream, UNIQUE)
    totals.duplicates = this.#count(stream, DUPLICATES)
    totals.reordered = this.#count(stream, REORDERED)
    totals.beforeBase = this.#count(stream, BEFORE_BASE)
    totals.rejected = this.#count(stream, REJECTED)
    totals.restarts = this.#count(stream, RESTARTS)
  }

  interval(stream: number): IntervalTimes {
    const row = stream * TIMES_STRIDE
    const time = (word: number) => this.#times[row + word] ?? NaN
    const first = time(INTERVAL_FIRST)
    const jitterMaxUs = time(JITTER_MAX)
    const deltaMaxUs = time(DELTA_MAX)
    return {
      activeUs: Number.isNaN(first) ? undefined : Math.max(0, time(LAST_ARRIVAL) - first),
      deltaMaxUs: deltaMaxUs < 0 ? undefined : deltaMaxUs,
      jitterUs: jitterMaxUs < 0 ? undefined : time(JITTER),
      jitterMaxUs: jitterMaxUs < 0 ? undefined : jitterMaxUs,
      octets: time(OCTETS),
    }
  }

  startInterval(stream: number): void {
    const row = stream * TIMES_STRIDE
    this.#times[row + JITTER_MAX] = -1
    this.#times[row + DELTA_MAX] = -1
    this.#times[row + INTERVAL_FIRST] = NaN
    this.#times[row + OCTETS] = 0
  }

  #arrive(row: number, arrivalUs: number, octets: number): void {
    const times = this.#times
    const delta = arrivalUs - (times[row + LAST_ARRIVAL] ?? NaN)
    if (delta > (times[row + DELTA_MAX] ?? 0)) times[row + DELTA_MAX] = delta
    if (Number.isNaN(times[row + INTERVAL_FIRST] ?? NaN)) times[row + INTERVAL_FIRST] = arrivalUs
    times[row + LAST_ARRIVAL] = arrivalUs
    times[row + OCTETS] = (times[row + OCTETS] ?? 0) + octets
  }

  /** The table of RFC 3550 A.1. False when the packet is rejected. */
  #place(stream: number, sequenceNumber: number): boolean {
    const counts = this.#counts
    const row = stream * COUNTS_STRIDE
    const highest = counts[row + HIGHEST] ?? 0
    const distance = sequenceDistance(sequenceNumber, highest & SEQUENCE_MASK)
    const where = standing(distance)
    if (where === AHEAD) this.#advance(row, highest, distance)
    else if (where === BEHIND) this.#lookBack(row, highest, behindBy(distance))
    else if (sequenceNumber === counts[row + BAD]) this.#restart(stream, sequenceNumber)
    else {
      counts[row + BAD] = (sequenceNumber + 1) & SEQUENCE_MASK
      increment(counts, row + REJECTED)
      return false
    }
    increment(counts, row + RECEIVED)
    return true
  }

  #advance(row: number, highest: number, distance: number): void {
    const counts = this.#counts
    if (distance > 1) forget(counts, row, highest, distance)
    const newest = (highest + distance) | 0
    const word = windowWord(row, newest)
    const bit = 1 << newest
    const seen = counts[word] ?? 0
    if (distance === 0 && (seen & bit) !== 0) {
      increment(counts, row + DUPLICATES)
      return
    }
    counts[word] = seen | bit
    counts[row + HIGHEST] = newest
    increment(counts, row + UNIQUE)
  }

  #lookBack(row: number, highest: number, behind: number): void {
    const counts = this.#counts
    const number = (highest - behind) | 0
    const word = windowWord(row, number)
    const bit = 1 << number
    const seen = counts[word] ?? 0
    if ((seen & bit) !== 0) {
      increment(counts, row + DUPLICATES)
      return
    }
    counts[word] = seen | bit
    increment(counts, row + REORDERED)
    if (((number - (counts[row + BASE] ?? 0)) | 0) < 0) increment(counts, row + BEFORE_BASE)
    else increment(counts, row + UNIQUE)
  }

  /** Two packets in sequence far from the rest: the sender began anew (RFC 3550 A.1). What was counted stays counted. */
  #restart(stream: number, sequenceNumber: number): void {
    const counts = this.#counts
    const row = stream * COUNTS_STRIDE
    const expected = (counts[row + HIGHEST] ?? 0) - (counts[row + BASE] ?? 0) + 1
    counts[row + EARLIER_EXPECTED] = (counts[row + EARLIER_EXPECTED] ?? 0) + expected
    counts[row + BASE] = sequenceNumber
    counts[row + HIGHEST] = sequenceNumber
    counts[row + BAD] = NEVER
    counts.fill(0, row + WINDOW, row + WINDOW + WINDOW_WORDS)
    counts[windowWord(row, sequenceNumber)] = 1 << sequenceNumber
    increment(counts, row + UNIQUE)
    increment(counts, row + RESTARTS)
    // Otherwise one D of minutes would poison the jitter for the rest of the call.
    this.#times[stream * TIMES_STRIDE + JITTER_ARRIVAL] = NaN
  }

  #measureJitter(stream: number, timestamp: number, arrivalUs: number, usPerTick: number): void {
    const times = this.#times
    const row = stream * TIMES_STRIDE
    if (usPerTick === 0) {
      times[row + JITTER_ARRIVAL] = NaN
      return
    }
    const counts = this.#counts
    const timestampAt = stream * COUNTS_STRIDE + JITTER_TIMESTAMP
    const earlierUs = times[row + JITTER_ARRIVAL] ?? NaN
    if (!Number.isNaN(earlierUs)) {
      const earlier = counts[timestampAt] ?? 0
      const difference = transitDifference(arrivalUs, timestamp, earlierUs, earlier, usPerTick)
      const jitter = smoothedJitter(times[row + JITTER] ?? 0, difference)
      times[row + JITTER] = jitter
      if (jitter > (times[row + JITTER_MAX] ?? 0)) times[row + JITTER_MAX] = jitter
    }
    times[row + JITTER_ARRIVAL] = arrivalUs
    counts[timestampAt] = timestamp
  }

  #count(stream: number, word: number): number {
    return this.#counts[stream * COUNTS_STRIDE + word] ?? 0
  }
}

function increment(counts: Int32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}

/** Which word of the row holds the bit of an extended sequence number; the bit is its lowest five bits. */
function windowWord(row: number, extended: number): number {
  return row + WINDOW + ((extended >>> WORD_SHIFT) & (WINDOW_WORDS - 1))
}

/** The places of the numbers skipped are taken over from numbers a window older. */
function forget(counts: Int32Array, row: number, highest: number, distance: number): void {
  if (distance > WINDOW_BITS) {
    counts.fill(0, row + WINDOW, row + WINDOW + WINDOW_WORDS)
    return
  }
  for (let skipped = 1; skipped < distance; skipped++) {
    const word = windowWord(row, highest + skipped)
    counts[word] = (counts[word] ?? 0) & ~(1 << (highest + skipped))
  }
}
