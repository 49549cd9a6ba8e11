import { takeDelta } from './delta.ts'
import { FIXED_50_AND_200, moveAnchor, type JitterBuffers } from './jitter-buffer.ts'
import type { Measures } from './measures.ts'
import { forgetPacketTime, isSteady } from './packet-time.ts'
import { AUDIO } from './payload.ts'
import { NEVER, REFUSED, place, settleAll } from './placement.ts'
import { readMeasures, startMeasures } from './read-measures.ts'
import { settle } from './settlement.ts'
import { SILENT_US, endSilence, excuse, stalledUs } from './silence.ts'
import { takeMinimum } from './skew.ts'
import {
  AUDIO_ARRIVAL,
  BAD,
  BASE,
  ENDED_STALL,
  HIGHEST,
  INTERVAL_FIRST,
  LAST_ARRIVAL,
  OCTETS,
  ROW_INTS,
  SETTLED,
  STEADY_SINCE,
  StreamStates,
  TICK_BEGAN,
  TICK_HIGHEST,
  floatsOf,
} from './stream-state.ts'
import { takeTimed, takeUntimed } from './timing.ts'

/**
 * What a receiver measures of each stream: RFC 3550 sections A.1, A.3 and A.8, and beside them what those leave out, over all restarts
 * of the sender. A stream is a number, its state a row of stream-state.ts; what is measured of it has a file for each measure.
 *
 * Once in two seconds of a stream comes its tick: what was passed before the tick is settled, the anchor of the jitter buffers moves
 * on, and the smallest transit goes into the clock skew. Ticks hang on arrivals alone, so that it does not matter how a stream is cut
 * into intervals.
 */

/** Also how long a number may be missing before it is settled as lost. */
const TICK_US = 2_000_000
const SIGN_SHIFT = 16

export class Reception {
  readonly #states: StreamStates
  readonly #buffers: JitterBuffers

  constructor(streams: number, buffers: JitterBuffers = FIXED_50_AND_200) {
    this.#states = new StreamStates(streams)
    this.#buffers = buffers
  }

  /** Makes room for so many streams; those there are stay. */
  grow(streams: number): void {
    this.#states.grow(streams)
  }

  /** Begins a stream with its first packet still to come through receive(). */
  open(stream: number, sequenceNumber: number): void {
    const { ints, floats } = this.#states
    const row = stream * ROW_INTS
    this.#states.clear(row)
    ints[row + BASE] = sequenceNumber
    ints[row + HIGHEST] = sequenceNumber
    ints[row + SETTLED] = sequenceNumber
    ints[row + STEADY_SINCE] = sequenceNumber
    ints[row + BAD] = NEVER
    floats[floatsOf(row) + LAST_ARRIVAL] = NaN
    floats[floatsOf(row) + AUDIO_ARRIVAL] = NaN
    floats[floatsOf(row) + TICK_BEGAN] = NaN
    startMeasures(this.#states, row)
  }

  /**
   * Counts one packet. `usPerTick` is the length of a tick of its clock, 0 where that is unknown; `kind` is AUDIO or one of the
   * interludes (payload.ts), which keep their own time. Neither an interlude nor a packet without a clock is measured in time, and the
   * next one of the audio is no measure of jitter.
   */
  receive(
    stream: number,
    sequenceNumber: number,
    timestamp: number,
    arrivalUs: number,
    octets: number,
    usPerTick: number,
    marker: boolean,
    kind: number,
  ): void {
    const { ints, floats } = this.#states
    const row = stream * ROW_INTS
    const at = floatsOf(row)
    const silentUs = arrivalUs - (floats[at + LAST_ARRIVAL] ?? NaN)
    const tickUs = arrivalUs - (floats[at + TICK_BEGAN] ?? NaN)
    if (!(tickUs >= 0 && tickUs < TICK_US)) this.#tick(row, arrivalUs, tickUs, silentUs)
    arrive(ints, floats, row, arrivalUs, silentUs, octets)

    const isTimed = usPerTick > 0 && kind === AUDIO
    const outcome = place(ints, floats, row, sequenceNumber, timestamp, arrivalUs)
    const highest = ints[row + HIGHEST] ?? 0
    const number = (highest + (((sequenceNumber - highest) << SIGN_SHIFT) >> SIGN_SHIFT)) | 0
    if (silentUs >= SILENT_US) {
      const placed = outcome === REFUSED ? undefined : number
      const tick = isTimed ? usPerTick : 0
      endSilence(ints, floats, row, silentUs, placed, timestamp, arrivalUs, tick)
    }
    if (outcome === REFUSED) return
    if (isTimed)
      takeTimed(
        ints,
        floats,
        row,
        outcome,
        number,
        timestamp,
        arrivalUs,
        usPerTick,
        marker,
        this.#buffers,
      )
    else takeUntimed(ints, row, kind)
  }

  /** The next packet is of another codec. Where it has another clock too, there is no D from one to the other. */
  changeCodec(stream: number, changesClock: boolean): void {
    const { ints, floats } = this.#states
    const row = stream * ROW_INTS
    if (changesClock) floats[floatsOf(row) + AUDIO_ARRIVAL] = NaN
    forgetPacketTime(ints, row)
  }

  /**
   * Whether there is a reason for silence: hold, BYE, a codec that pauses, as signalling has it. A silence during which there was one at
   * any time is excused in whole.
   */
  excuse(stream: number, isExcused: boolean, nowUs: number): void {
    excuse(this.#states.ints, this.#states.floats, stream * ROW_INTS, isExcused, nowUs)
  }

  /** Arrival of the newest packet; NaN before the first. */
  lastArrivalUs(stream: number): number {
    return this.#float(stream, LAST_ARRIVAL)
  }

  /** Arrival of the first packet of the interval; NaN when nothing came in it. */
  firstArrivalUs(stream: number): number {
    return this.#float(stream, INTERVAL_FIRST)
  }

  /** Whether the sender goes on when nobody speaks: its packets came evenly, without a pause or comfort noise. */
  isConstantRate(stream: number): boolean {
    return isSteady(this.#states.ints, stream * ROW_INTS)
  }

  /** How long a constant-rate stream has been silent without an excuse; 0 while it is not, or for less than SILENT_US. */
  stalledUs(stream: number, nowUs: number): number {
    return stalledUs(this.#states.ints, this.#states.floats, stream * ROW_INTS, nowUs)
  }

  /** Length of the newest silence of that kind that is over; 0 when there was none since the stream began. */
  endedStallUs(stream: number): number {
    return this.#float(stream, ENDED_STALL)
  }

  /** First and highest extended sequence number since the last restart. */
  base(stream: number): number {
    return this.#states.ints[stream * ROW_INTS + BASE] ?? 0
  }

  highest(stream: number): number {
    return this.#states.ints[stream * ROW_INTS + HIGHEST] ?? 0
  }

  /** What came since startInterval(), which is to follow. `ended`: nothing more will come, so that all is settled. */
  measures(stream: number, endUs: number, ended: boolean): Measures {
    const { ints, floats } = this.#states
    const row = stream * ROW_INTS
    const hasPassed = (word: number) => endUs - (floats[floatsOf(row) + word] ?? NaN) >= TICK_US
    if (hasPassed(TICK_BEGAN)) settle(ints, row, (ints[row + TICK_HIGHEST] ?? 0) + 1)
    if (ended || hasPassed(LAST_ARRIVAL)) settleAll(ints, row)
    return readMeasures(this.#states, row, endUs, ended)
  }

  startInterval(stream: number): void {
    startMeasures(this.#states, stream * ROW_INTS)
  }

  #tick(row: number, arrivalUs: number, sinceUs: number, silentUs: number): void {
    const { ints, floats } = this.#states
    if (sinceUs >= TICK_US) {
      settle(ints, row, (ints[row + TICK_HIGHEST] ?? 0) + 1)
      if (silentUs >= TICK_US) settleAll(ints, row)
      takeMinimum(ints, floats, row)
      moveAnchor(floats, row, sinceUs, this.#buffers)
    }
    floats[floatsOf(row) + TICK_BEGAN] = arrivalUs
    ints[row + TICK_HIGHEST] = ints[row + HIGHEST] ?? 0
  }

  #float(stream: number, word: number): number {
    return this.#states.floats[floatsOf(stream * ROW_INTS) + word] ?? NaN
  }
}

/** `silentUs` is the time since the last arrival; negative where captured packets are not in order, or a clock was set back. */
function arrive(
  ints: Int32Array,
  floats: Float64Array,
  row: number,
  arrivalUs: number,
  silentUs: number,
  octets: number,
): void {
  const at = floatsOf(row)
  floats[at + OCTETS] = (floats[at + OCTETS] ?? 0) + octets
  if (silentUs >= 0) takeDelta(ints, floats, row, silentUs)
  // A little out of order is not earlier than the newest.
  if (!(silentUs < 0 && silentUs > -SILENT_US)) floats[at + LAST_ARRIVAL] = arrivalUs
  if (Number.isNaN(floats[at + INTERVAL_FIRST] ?? NaN)) floats[at + INTERVAL_FIRST] = arrivalUs
}
