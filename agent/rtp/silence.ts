import {
  AUDIO_ARRIVAL,
  AUDIO_NUMBER,
  ENDED_STALL,
  EXCUSED,
  FLAGS,
  GAP_LOST,
  GAP_TIME,
  HIGHEST,
  LAST_ARRIVAL,
  PACKET_TICKS,
  PACKET_TIME,
  SILENCE_EXCUSED,
  TIMESTAMP,
  add,
  floatsOf,
} from './stream-state.ts'
import { isSteady } from './packet-time.ts'
import { transitDifference } from './jitter.ts'

/**
 * Silence is not 0 % loss: `expected` stands still while media is cut. A stream that sends at a constant rate and falls silent without
 * an excuse has stalled; when it comes back, the time is a gap.
 */

/** Shorter silences are no stall. */
export const SILENT_US = 1_000_000
/** Number, timestamp and clock advanced alike when they differ by no more than this, or this share. */
const ALIKE_US = 1_000_000
const ALIKE_PACKETS = 2
const ALIKE_SHARE = 0.01
const SEQUENCE_NUMBERS = 65_536
/** At a restart the first packet of the new numbers is rejected (RFC 3550 A.1), but it came. */
const CAME_AT_RESTART = 2

/** See Reception.excuse(). */
export function excuse(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  isExcused: boolean,
  nowUs: number,
): void {
  const flags = ints[row + FLAGS] ?? 0
  if (isExcused) {
    ints[row + FLAGS] = flags | EXCUSED | SILENCE_EXCUSED
    return
  }
  const isSilent = nowUs - (floats[floatsOf(row) + LAST_ARRIVAL] ?? NaN) >= SILENT_US
  ints[row + FLAGS] = flags & ~(isSilent ? EXCUSED : EXCUSED | SILENCE_EXCUSED)
}

/** How long a stream has stalled; 0 when it has not. */
export function stalledUs(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  nowUs: number,
): number {
  const silentUs = nowUs - (floats[floatsOf(row) + LAST_ARRIVAL] ?? NaN)
  return silentUs >= SILENT_US && mayStall(ints, row) ? silentUs : 0
}

/**
 * Takes the packet that ends a silence of SILENT_US or more, before it is measured. `number` is undefined when it was rejected,
 * `usPerTick` 0 when its timestamp says nothing. The next number with a timestamp that has kept up with the clock shows that the sender
 * paused, signalled or not.
 */
export function endSilence(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  silentUs: number,
  number: number | undefined,
  timestamp: number,
  arrivalUs: number,
  usPerTick: number,
): void {
  const at = floatsOf(row)
  if (mayStall(ints, row) && !isPause()) {
    floats[at + GAP_TIME] = (floats[at + GAP_TIME] ?? 0) + silentUs
    floats[at + ENDED_STALL] = silentUs
  }
  const flags = ints[row + FLAGS] ?? 0
  if ((flags & EXCUSED) === 0) ints[row + FLAGS] = flags & ~SILENCE_EXCUSED

  function isPause(): boolean {
    if (number === undefined || ((number - (ints[row + AUDIO_NUMBER] ?? 0)) | 0) !== 1) return false
    const earlierUs = floats[at + AUDIO_ARRIVAL] ?? NaN
    const earlier = ints[row + TIMESTAMP] ?? 0
    const difference = transitDifference(arrivalUs, timestamp, earlierUs, earlier, usPerTick)
    return usPerTick > 0 && Math.abs(difference) < SILENT_US
  }
}

/** Counts the packets missing over a restart, if its number, timestamp and arrival show that the sender went on all the while. */
export function takeRestart(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  sequenceNumber: number,
  timestamp: number,
  arrivalUs: number,
): void {
  const at = floatsOf(row)
  const packetTicks = ints[row + PACKET_TICKS] ?? 0
  const byTimestamp = ((timestamp - (ints[row + TIMESTAMP] ?? 0)) | 0) / packetTicks
  const byNumber = (sequenceNumber - (ints[row + HIGHEST] ?? 0)) & (SEQUENCE_NUMBERS - 1)
  const wraps = Math.round((byTimestamp - byNumber) / SEQUENCE_NUMBERS)
  const steps = byNumber + wraps * SEQUENCE_NUMBERS
  const mediaUs = steps * (floats[at + PACKET_TIME] ?? 0)
  const clockUs = arrivalUs - (floats[at + AUDIO_ARRIVAL] ?? NaN)
  const isAlike =
    packetTicks > 0 &&
    Math.abs(steps - byTimestamp) <= ALIKE_PACKETS + ALIKE_SHARE * steps &&
    Math.abs(clockUs - mediaUs) <= ALIKE_US + ALIKE_SHARE * mediaUs
  if (isAlike) add(ints, row + GAP_LOST, steps - CAME_AT_RESTART)
}

function mayStall(ints: Int32Array, row: number): boolean {
  return ((ints[row + FLAGS] ?? 0) & SILENCE_EXCUSED) === 0 && isSteady(ints, row)
}
