import {
  AFTER_INTERLUDE,
  AFTER_NOISE,
  AUDIO_NUMBER,
  CANDIDATE_AT,
  CANDIDATE_COUNT,
  CANDIDATE_TICKS,
  FLAGS,
  HAS_PAUSED,
  HIGHEST,
  PACKET_TICKS,
  PACKET_TIME,
  STEADY_SINCE,
  TALKSPURTS,
  add,
  floatsOf,
} from './stream-state.ts'

/**
 * The packet time of a stream, learnt from the timestamps of packets in sequence (SDP's ptime is only a wish), and from it the pauses in
 * its speech: the number goes on, the timestamp jumps (RFC 3551 section 4.1). The marker alone proves nothing.
 */

/** Longer ones are pauses: a packet holds 200 ms at most (RFC 3551 section 4.2). */
const MAX_PACKET_US = 200_000
/** So many steps of the same length in a row are the packet time. */
const STEPS = 3
/** A jump of so many packet times is a pause, less with the marker: a sender may also change its packet time. */
const PAUSE_PACKETS = 2
const MARKED_PAUSE_PACKETS = 0.5
/** Without a pause for so many packets a stream is taken to have none: a second at 20 ms, or half a minute once it had one. */
const STEADY_PACKETS = 50
const STEADY_AGAIN_PACKETS = 1500

/**
 * Takes a packet of the audio, newer than all before, whose timestamp is `ticks` after that of the packet before and not just what
 * their numbers promise. Returns whether speech begins with it.
 */
export function takeIrregular(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  number: number,
  ticks: number,
  usPerTick: number,
  marker: boolean,
): boolean {
  const flags = ints[row + FLAGS] ?? 0
  if ((flags & AFTER_NOISE) !== 0) {
    pause(ints, row, number)
    return true
  }
  // An event freezes its timestamp, and its sender need not make up for the time.
  if ((flags & AFTER_INTERLUDE) !== 0) return false
  const steps = (number - (ints[row + AUDIO_NUMBER] ?? 0)) | 0
  if (steps < 1 || ticks <= 0) return false
  if (steps === 1 && ticks * usPerTick <= MAX_PACKET_US)
    learn(ints, floats, row, number, ticks, usPerTick)
  const packetTicks = ints[row + PACKET_TICKS] ?? 0
  const pauseTicks = ticks - steps * packetTicks
  const least = marker ? MARKED_PAUSE_PACKETS : PAUSE_PACKETS
  if (packetTicks === 0 || pauseTicks < least * packetTicks) return false
  pause(ints, row, number)
  return true
}

/** Comfort noise says that nobody speaks: the stream does pause. */
export function takeNoise(ints: Int32Array, row: number): void {
  ints[row + FLAGS] = (ints[row + FLAGS] ?? 0) | AFTER_INTERLUDE | AFTER_NOISE | HAS_PAUSED
  ints[row + STEADY_SINCE] = ints[row + HIGHEST] ?? 0
}

/** Another clock, another codec: all has to be learnt again. */
export function forgetPacketTime(ints: Int32Array, row: number): void {
  ints[row + PACKET_TICKS] = 0
  ints[row + CANDIDATE_COUNT] = 0
}

/** Whether the sender goes on when nobody speaks. */
export function isSteady(ints: Int32Array, row: number): boolean {
  const hasPaused = ((ints[row + FLAGS] ?? 0) & HAS_PAUSED) !== 0
  const packets = ((ints[row + HIGHEST] ?? 0) - (ints[row + STEADY_SINCE] ?? 0)) | 0
  return (
    ints[row + PACKET_TICKS] !== 0 && packets >= (hasPaused ? STEADY_AGAIN_PACKETS : STEADY_PACKETS)
  )
}

function learn(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  number: number,
  ticks: number,
  usPerTick: number,
): void {
  const isSame =
    ints[row + CANDIDATE_TICKS] === ticks && ints[row + CANDIDATE_AT] === ints[row + AUDIO_NUMBER]
  const count = isSame ? (ints[row + CANDIDATE_COUNT] ?? 0) + 1 : 1
  ints[row + CANDIDATE_TICKS] = ticks
  ints[row + CANDIDATE_COUNT] = count
  ints[row + CANDIDATE_AT] = number
  if (count < STEPS) return
  ints[row + PACKET_TICKS] = ticks
  floats[floatsOf(row) + PACKET_TIME] = ticks * usPerTick
}

function pause(ints: Int32Array, row: number, number: number): void {
  // A single packet between two pauses is how Opus and G.729 say that nobody speaks: only the first of them counts.
  if (ints[row + STEADY_SINCE] !== ints[row + AUDIO_NUMBER]) add(ints, row + TALKSPURTS, 1)
  ints[row + FLAGS] = (ints[row + FLAGS] ?? 0) | HAS_PAUSED
  ints[row + STEADY_SINCE] = number
}
