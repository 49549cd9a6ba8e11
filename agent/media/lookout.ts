import type { Payload } from '../rtp/payload.ts'
import { AHEAD, ASTRAY, sequenceDistance, standing } from '../rtp/sequence.ts'
import type { Announcements } from './announcements.ts'
import type { Streams } from './streams.ts'
import {
  isLeaving,
  mayBeSilent,
  payloadOf,
  setPayload,
  type WatchedStream,
} from './watched-stream.ts'

const SEQUENCE_MASK = 0xffff
/** A stream is over when nothing came for so long; one that said good-bye, or whose call has ended, sooner. */
const IDLE_US = 30_000_000
const LEAVING_US = 2_000_000
/** So long it is remembered, or what a line that was cut for longer than IDLE_US lost would be seen by nobody. */
const REMEMBERED_US = 300_000_000
/** From this silence on signalling is asked for a reason. */
export const QUIET_US = 1_000_000
/** How soon streams that signalling has not explained are looked up again when it says something new. */
const LOOK_AGAIN_US = 1_000_000

/** Asks signalling about streams: what they carry, and why they are silent. Never per packet. */
export class Lookout {
  readonly #streams: Streams
  readonly #announcements: Announcements
  #againUs = Infinity
  #lookedUs = -Infinity

  constructor(streams: Streams, announcements: Announcements) {
    this.#streams = streams
    this.#announcements = announcements
  }

  /** When to look at all streams again. */
  get againUs(): number {
    return this.#againUs
  }

  /** Signalling is about to say something: what is silent now is judged by what it said before. */
  beforeSignalling(timeUs: number): void {
    if (Math.abs(timeUs - this.#lookedUs) >= LOOK_AGAIN_US) this.lookAtAll(timeUs)
  }

  /** Signalling may have said something. */
  afterSignalling(timeUs: number): void {
    // Not only where it is infinite: a clock may have been set back.
    this.#againUs = Math.min(this.#againUs, timeUs + LOOK_AGAIN_US)
  }

  /** What is silent may have a reason to be; what was not explained may be now. */
  lookAtAll(nowUs: number): void {
    this.#againUs = Infinity
    this.#lookedUs = nowUs
    for (const stream of this.#streams.all) {
      const watched = this.#streams.watched(stream)
      if (watched === undefined || watched.remaining > 0 || watched.isResting) continue
      const isExplained = watched.toward !== undefined && watched.payload !== undefined
      if (!isExplained || this.isQuiet(stream, nowUs)) this.look(stream, watched, nowUs)
    }
  }

  look(stream: number, watched: WatchedStream, nowUs: number): void {
    const { reception } = this.#streams
    this.#lookUp(stream, watched)
    // It did not mean it.
    if (reception.lastArrivalUs(stream) > watched.leftUs + LEAVING_US) watched.leftUs = Infinity
    if (this.isQuiet(stream, nowUs)) reception.excuse(stream, mayBeSilent(watched), nowUs)
  }

  /**
   * Whether a packet of this number begins another stream, though all its addresses are the same: another call took them over, and this
   * is not how ours would go on. `isQuiet`: it comes after a silence.
   */
  isOfNextCall(
    stream: number,
    watched: WatchedStream,
    sequenceNumber: number,
    isQuiet: boolean,
  ): boolean {
    this.#lookUp(stream, watched)
    if (!watched.isReplaced) return false
    const highest = this.#streams.reception.highest(stream) & SEQUENCE_MASK
    const where = standing(sequenceDistance(sequenceNumber, highest))
    return isQuiet ? isLeaving(watched) || where !== AHEAD : where === ASTRAY
  }

  isQuiet(stream: number, nowUs: number): boolean {
    return nowUs - this.#streams.reception.lastArrivalUs(stream) >= QUIET_US
  }

  isOver(stream: number, watched: WatchedStream, nowUs: number): boolean {
    const idleUs = isLeaving(watched) ? LEAVING_US : IDLE_US
    return this.#streams.reception.lastArrivalUs(stream) <= nowUs - idleUs
  }

  /** Whether it need not be remembered: it will not come back, or another took its place. */
  isGone(stream: number, watched: WatchedStream, nowUs: number): boolean {
    if (!this.isOver(stream, watched, nowUs)) return false
    if (watched.remaining > 0 || watched.isReplaced || isLeaving(watched)) return true
    return this.#streams.reception.lastArrivalUs(stream) <= nowUs - REMEMBERED_US
  }

  /** What another payload type than the stream's usual one means on it. */
  otherPayload(stream: number, watched: WatchedStream, payloadType: number): Payload | undefined {
    this.#lookUp(stream, watched)
    return payloadOf(payloadType, watched.toward, watched.from)
  }

  /** The stream sends this from now on. */
  follow(
    stream: number,
    watched: WatchedStream,
    payloadType: number,
    payload: Payload | undefined,
  ): void {
    const { usPerTick } = watched
    setPayload(watched, payloadType, payload)
    this.#streams.reception.changeCodec(stream, watched.usPerTick !== usPerTick)
  }

  #lookUp(stream: number, watched: WatchedStream): void {
    if (!this.#announcements.hasNewsFor(watched)) return
    this.#announcements.lookUp(watched, this.#streams.keyOf(stream))
    const { payloadType, payload: before } = watched
    const payload = payloadOf(payloadType, watched.toward, watched.from)
    if (payload === undefined) return
    const isNews = payload.name !== before?.name || payload.clockRate !== before.clockRate
    if (isNews) this.follow(stream, watched, payloadType, payload)
  }
}
