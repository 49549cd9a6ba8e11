/**
 * Where the state of a stream is: one row of 13 cache lines in one block of memory, integers and floating-point numbers side by side, so
 * that a stream not heard of for a while costs few cache misses and a packet allocates nothing. An odd number of lines, or all rows
 * would compete for the same places in the cache.
 *
 *     line  0..1  floats  times, jitter, delay            each packet
 *           2..3  ints    numbers, which of them came     each packet
 *           4     ints    times between arrivals          each packet: one of 14
 *           5..8  ints    jitter of the packets           each packet: one of 64
 *           9..12         the rest                        now and then
 */

const LINE_INTS = 16
const LINES = 13
const INT_OCTETS = 4
/** A row begins at `stream * ROW_INTS` in `ints`, and at half of that in `floats`. */
export const ROW_INTS = LINES * LINE_INTS
const FLOAT_SHIFT = 1

// Floats. Microseconds, but the octets.

export const LAST_ARRIVAL = 0
/** Arrival of the packet the next D starts from; NaN when there is none. */
export const AUDIO_ARRIVAL = 1
/** How much longer that packet was on its way than the first since timing was taken up. */
export const TRANSIT = 2
export const JITTER = 3
export const JITTER_SUM = 4
/** Highest of the interval; negative when none was measured in it. */
export const JITTER_MAX = 5
export const DELTA_SUM = 6
/** Negative when there was none in the interval. */
export const DELTA_MAX = 7
/** Transit from which lateness counts. */
export const ANCHOR = 8
export const DELAY_MEAN = 9
export const DELAY_DEVIATION = 10
/** Arrival at which the current tick began; NaN before the first packet. */
export const TICK_BEGAN = 11
/** Smallest transit of the tick, and the arrival of that packet. */
export const TICK_MINIMUM = 12
export const TICK_MINIMUM_AT = 13
/** First arrival of the interval; NaN when nothing came in it. */
export const INTERVAL_FIRST = 14
export const OCTETS = 15

// Ints. Extended sequence numbers are cycles and number in one word and wrap: compare differences.

export const BASE = 32
export const HIGHEST = 33
export const BAD = 34
/** Timestamp and number of the packet the next D starts from. */
export const TIMESTAMP = 35
export const AUDIO_NUMBER = 36
export const RECEIVED = 37
export const FLAGS = 38
/** Packet time in ticks; 0 while it is not known. */
export const PACKET_TICKS = 39
/** The next number to be settled, and how many were since the stream began. */
export const SETTLED = 40
export const SETTLED_COUNT = 41
/** The highest number when the tick began. */
export const TICK_HIGHEST = 42
export const CANDIDATE_TICKS = 43
export const CANDIDATE_COUNT = 44
export const CANDIDATE_AT = 45
/** From this number on there was no pause. */
export const STEADY_SINCE = 46
/** Packets received of the interval whose jitter was not measured. */
export const WITHOUT_JITTER = 47
/** Which of the last 256 numbers have come, and which of them the adaptive buffer discarded, a bit each. */
export const SEEN = 48
export const DISCARDED = 56

// What counts within the interval; all of it begins again at 0.

const INTERVAL_COUNTS = 64
export const DELTA_COUNTS = 64
export const DISCARDED_SHALLOW = 78
export const DISCARDED_DEEP = 79
export const JITTER_COUNTS = 80
export const JITTER_COUNTS_END = 144
export const DISCARDED_ADAPTIVE = 144
export const DUPLICATES = 145
export const REORDERED = 146
/** Received but never expected: older than the first. */
export const BEFORE_BASE = 147
export const REJECTED = 148
export const LATE = 149
export const RESTARTS = 150
export const GAP_LOST = 151
export const TALKSPURTS = 152
export const NOISE_PACKETS = 153
export const EVENT_PACKETS = 154
export const RUN_PACKETS = 155
export const BURSTS = 156
export const BURST_PACKETS = 157
export const BURST_BAD = 158
export const GAPS = 159
export const GAP_BAD = 160
export const LOSS_RUNS = 161
const INTERVAL_COUNTS_END = 171

// The life of the stream again.

/** What to add to the numbers since the last restart for the packets expected in the interval. */
export const EXPECTED_OFFSET = 171
/** Lost or discarded packets with fewer than Gmin good ones between them, by settled count. */
export const CLUSTER_FIRST = 172
export const CLUSTER_LAST = 173
export const CLUSTER_BAD = 174
export const RUN_LENGTH = 175
export const RUN_END = 176
/** Where the newest burst ended, and whether the gap from there on has been counted. */
export const GAP_FROM = 177
export const GAP_COUNTED = 178
/** How many packets were known to be in bursts or gaps when the interval began. */
export const CLASSIFIED_BEFORE = 179
export const SKEW_POINTS = 180

/** Length of the silences of the interval. */
export const GAP_TIME = 91
export const ENDED_STALL = 92
export const PACKET_TIME = 93
/** Smallest transits of the ticks before. */
export const MINIMA = 94
export const MINIMA_END = 98
export const SKEW_ORIGIN = 98
export const SKEW_X = 99
export const SKEW_Y = 100
export const SKEW_XX = 101
export const SKEW_XY = 102
export const SKEW_YY = 103

// Bits of FLAGS.

/** The next packet of the audio is no measure of jitter: it comes after an interlude. */
export const AFTER_INTERLUDE = 1
export const AFTER_NOISE = 2
/** The stream has paused before. */
export const HAS_PAUSED = 4
/** There is a reason for silence now; there was one at some time during the present silence. */
export const EXCUSED = 8
export const SILENCE_EXCUSED = 16

/** The rows of all streams. */
export class StreamStates {
  ints: Int32Array
  floats: Float64Array

  constructor(streams: number) {
    const memory = new ArrayBuffer(streams * ROW_INTS * INT_OCTETS)
    this.ints = new Int32Array(memory)
    this.floats = new Float64Array(memory)
  }

  /** Makes room for so many streams; the rows there are stay. */
  grow(streams: number): void {
    const larger = new StreamStates(streams)
    larger.ints.set(this.ints)
    this.ints = larger.ints
    this.floats = larger.floats
  }

  clear(row: number): void {
    this.ints.fill(0, row, row + ROW_INTS)
  }

  clearInterval(row: number): void {
    this.ints.fill(0, row + INTERVAL_COUNTS, row + INTERVAL_COUNTS_END)
  }
}

/** Where the floats of a row begin. */
export function floatsOf(row: number): number {
  return row >> FLOAT_SHIFT
}

export function add(ints: Int32Array, at: number, count: number): void {
  ints[at] = (ints[at] ?? 0) + count
}
