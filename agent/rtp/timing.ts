import { setAnchor, takeArrival, type JitterBuffers } from './jitter-buffer.ts'
import { smoothedJitter, transitDifference } from './jitter.ts'
import { binOf } from './log-histogram.ts'
import { takeIrregular, takeNoise } from './packet-time.ts'
import { COMFORT_NOISE, TELEPHONE_EVENT } from './payload.ts'
import { NEWEST, SPARE } from './placement.ts'
import { restartSkew } from './skew.ts'
import {
  AFTER_INTERLUDE,
  AFTER_NOISE,
  AUDIO_ARRIVAL,
  AUDIO_NUMBER,
  DELAY_MEAN,
  EVENT_PACKETS,
  FLAGS,
  JITTER,
  JITTER_COUNTS,
  JITTER_MAX,
  JITTER_SUM,
  NOISE_PACKETS,
  PACKET_TICKS,
  TIMESTAMP,
  TRANSIT,
  WITHOUT_JITTER,
  add,
  floatsOf,
} from './stream-state.ts'

/**
 * What depends on the time of a packet: jitter, and the jitter buffers. As in RFC 3550 A.8 every packet received has a jitter, copies and
 * late ones too; the buffers play the first copy of each.
 */

/**
 * A larger D is a step of a clock, or a timestamp that began anew, and would poison the jitter for minutes: timing is taken up anew. No
 * packet of 40 ms that RFC 3550 A.1 still takes (99 behind) is as late.
 */
const MAX_DIFFERENCE_US = 4_000_000

const AFTER = AFTER_INTERLUDE | AFTER_NOISE

/** Takes a packet of the audio, received and placed. */
export function takeTimed(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  outcome: number,
  number: number,
  timestamp: number,
  arrivalUs: number,
  usPerTick: number,
  marker: boolean,
  buffers: JitterBuffers,
): void {
  const at = floatsOf(row)
  const isNewest = outcome === NEWEST
  const after = (ints[row + FLAGS] ?? 0) & AFTER
  const earlierUs = floats[at + AUDIO_ARRIVAL] ?? NaN
  const earlier = ints[row + TIMESTAMP] ?? 0
  const differenceUs = transitDifference(arrivalUs, timestamp, earlierUs, earlier, usPerTick)
  const isContinued = Math.abs(differenceUs) <= MAX_DIFFERENCE_US
  if (isContinued) {
    floats[at + TRANSIT] = (floats[at + TRANSIT] ?? 0) + differenceUs
  } else if (isNewest || Number.isNaN(earlierUs)) {
    takeUp(ints, floats, row)
  } else {
    // So late that it says nothing of the time of the others.
    add(ints, row + WITHOUT_JITTER, 1)
    return
  }
  if (isContinued && after === 0) takeJitter(ints, floats, row, differenceUs)
  else add(ints, row + WITHOUT_JITTER, 1)

  const ticks = (timestamp - earlier) | 0
  const steps = (number - (ints[row + AUDIO_NUMBER] ?? 0)) | 0
  const isRegular = after === 0 && ticks === Math.imul(steps, ints[row + PACKET_TICKS] ?? 0)
  if (isNewest && !isRegular) {
    const stepTicks = isContinued ? ticks : 0
    const begins = takeIrregular(ints, floats, row, number, stepTicks, usPerTick, marker)
    if (begins) setAnchor(floats, row)
  }
  if (marker && isNewest && buffers.anchor === 'first') setAnchor(floats, row)
  if (after !== 0) ints[row + FLAGS] = (ints[row + FLAGS] ?? 0) & ~AFTER
  ints[row + TIMESTAMP] = timestamp
  ints[row + AUDIO_NUMBER] = number
  floats[at + AUDIO_ARRIVAL] = arrivalUs
  if (outcome !== SPARE) takeArrival(ints, floats, row, number, arrivalUs, buffers)
}

/** Takes a packet that keeps its own time, or of an unknown clock. */
export function takeUntimed(ints: Int32Array, row: number, kind: number): void {
  add(ints, row + WITHOUT_JITTER, 1)
  ints[row + FLAGS] = (ints[row + FLAGS] ?? 0) | AFTER_INTERLUDE
  if (kind === TELEPHONE_EVENT) add(ints, row + EVENT_PACKETS, 1)
  if (kind !== COMFORT_NOISE) return
  add(ints, row + NOISE_PACKETS, 1)
  takeNoise(ints, row)
}

/** Transit counts from this packet on. How unsteady the delay is stays known. */
function takeUp(ints: Int32Array, floats: Float64Array, row: number): void {
  floats[floatsOf(row) + TRANSIT] = 0
  floats[floatsOf(row) + DELAY_MEAN] = 0
  setAnchor(floats, row)
  restartSkew(ints, floats, row)
}

function takeJitter(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  differenceUs: number,
): void {
  const at = floatsOf(row)
  const jitter = smoothedJitter(floats[at + JITTER] ?? 0, differenceUs)
  floats[at + JITTER] = jitter
  floats[at + JITTER_SUM] = (floats[at + JITTER_SUM] ?? 0) + jitter
  if (jitter > (floats[at + JITTER_MAX] ?? 0)) floats[at + JITTER_MAX] = jitter
  add(ints, row + JITTER_COUNTS + binOf(jitter), 1)
}
