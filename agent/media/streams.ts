import type { Datagram } from '../capture/frame.ts'
import { Reception } from '../rtp/reception.ts'
import { SsrcIndex } from './ssrc-index.ts'
import { KEY_WORDS, SSRC_WORD, hashKey, writeKey } from './stream-key.ts'
import { StreamTable } from './stream-table.ts'
import { newWatchedStream, type WatchedStream } from './watched-stream.ts'

/** When there are too many, this share gives way at once, the least recently seen first. */
const EVICTED_SHARE = 1 / 16
/** Sources not yet known to be streams: at least so many, or a flood of SSRCs would keep newcomers from passing their probation. */
const MIN_SOURCES = 20_000

/**
 * The streams there are, and the sources that may become some. Both have a limit of their own, so that a flood of new SSRCs drives out no
 * stream. Each is a number, which is given again when it has left.
 */
export class Streams {
  readonly reception: Reception
  readonly #seed: number
  readonly #maxStreams: number
  readonly #maxSources: number
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #table: StreamTable
  readonly #watched: WatchedStream[] = []
  /** Of streams, not of sources. */
  readonly #bySsrc = new SsrcIndex()
  readonly #onLeave: (stream: number, watched: WatchedStream) => void
  #confirmed = 0
  #resting = 0
  #unconfirmed = 0
  #evicted = 0

  constructor(
    maxStreams: number,
    seed: number,
    onLeave: (stream: number, watched: WatchedStream) => void,
  ) {
    this.#maxStreams = maxStreams
    this.#maxSources = Math.max(MIN_SOURCES, maxStreams)
    this.#seed = seed
    this.#onLeave = onLeave
    this.#table = new StreamTable(maxStreams + this.#maxSources)
    this.reception = new Reception(this.#table.capacity)
  }

  /** How many are streams, those at rest included. */
  get confirmed(): number {
    return this.#confirmed
  }

  get resting(): number {
    return this.#resting
  }

  /** Packets of sources that left without becoming a stream. */
  get unconfirmed(): number {
    return this.#unconfirmed
  }

  get evicted(): number {
    return this.#evicted
  }

  /** Packets of sources still on probation. */
  get pending(): number {
    let packets = 0
    for (const stream of this.#table.streams) {
      const watched = this.#watched[stream]
      if (watched !== undefined && watched.remaining > 0) packets += watched.packets
    }
    return packets
  }

  /** Streams and sources in order of first packet. */
  get all(): readonly number[] {
    return this.#table.streams
  }

  /** Streams with this SSRC; none where too many share it. */
  withSsrc(ssrc: number): readonly number[] {
    return this.#bySsrc.of(ssrc)
  }

  watched(stream: number): WatchedStream | undefined {
    return this.#watched[stream]
  }

  keyOf(stream: number): Int32Array {
    return this.#table.keyOf(stream)
  }

  /** The stream or source a packet belongs to, or -1. */
  find(datagram: Datagram, ssrc: number): number {
    writeKey(this.#key, datagram, ssrc)
    return this.#table.find(this.#key, hashKey(this.#key, this.#seed))
  }

  /** Adds the source that find() has just missed. */
  add(): number {
    if (this.#table.size - this.#confirmed >= this.#maxSources)
      this.#evict((other) => !this.#isConfirmed(other))
    const { capacity } = this.#table
    const stream = this.#table.add(this.#key, hashKey(this.#key, this.#seed))
    if (this.#table.capacity > capacity) this.reception.grow(this.#table.capacity)
    this.#watched[stream] ??= newWatchedStream()
    return stream
  }

  /** A source is known to be a stream now. */
  confirm(stream: number): void {
    if (this.#confirmed >= this.#maxStreams && this.#resting > 0)
      this.remove((_, { isResting }) => isResting)
    if (this.#confirmed >= this.#maxStreams)
      this.#evict((other) => other !== stream && this.#isConfirmed(other))
    this.#confirmed++
    this.#bySsrc.add(this.#ssrcOf(stream), stream)
  }

  /** The last row of a stream was given. */
  rest(stream: number, watched: WatchedStream): void {
    watched.isResting = true
    this.#resting++
    this.#onLeave(stream, watched)
  }

  /** A stream at rest came back. */
  wake(watched: WatchedStream): void {
    watched.isResting = false
    this.#resting--
  }

  /** A stream is over, and its addresses and SSRC are those of a source again. */
  demote(stream: number, watched: WatchedStream): void {
    this.#leave(stream, watched)
    watched.remaining = watched.minSequential
  }

  /** A source turns out to be a stream known already, come from a new address: that stream is found there from now on. */
  succeed(source: number, stream: number): void {
    this.#table.takeOver(stream, source)
  }

  /** Counts packets of a source that begins anew. */
  discount(packets: number): void {
    this.#unconfirmed += packets
  }

  remove(isLeaving: (stream: number, watched: WatchedStream) => boolean): void {
    this.#table.remove((stream) => {
      const watched = this.#watched[stream]
      if (watched === undefined || !isLeaving(stream, watched)) return false
      if (watched.remaining === 0) this.#leave(stream, watched)
      else this.#unconfirmed += watched.packets
      return true
    })
  }

  #leave(stream: number, watched: WatchedStream): void {
    this.#confirmed--
    this.#bySsrc.remove(this.#ssrcOf(stream), stream)
    if (watched.isResting) this.#resting--
    else this.#onLeave(stream, watched)
  }

  /** Makes room: of those that `may` leave, the least recently seen do; many at a time, as that builds the index anew. */
  #evict(may: (stream: number) => boolean): void {
    const lastSeen = (stream: number) => this.reception.lastArrivalUs(stream)
    const times = Float64Array.from(this.#table.streams.filter(may), lastSeen).sort()
    let left = Math.ceil(times.length * EVICTED_SHARE)
    const lastUs = times[left - 1] ?? Infinity
    const before = this.#confirmed
    this.remove((stream) => may(stream) && lastSeen(stream) <= lastUs && left-- > 0)
    this.#evicted += before - this.#confirmed
  }

  #isConfirmed(stream: number): boolean {
    return this.#watched[stream]?.remaining === 0
  }

  #ssrcOf(stream: number): number {
    return this.#table.keyOf(stream)[SSRC_WORD] ?? 0
  }
}
