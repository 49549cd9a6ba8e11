import { KEY_WORDS, isKeyAt } from './stream-key.ts'

/**
 * Streams by their key: a hash table of open addressing over typed arrays that begins small and grows to its limit. A stream is a
 * number below `capacity`, given again after the stream was removed. Streams leave many at a time, so the index is built anew then
 * rather than mended.
 */

const FIRST_CAPACITY = 64
/** A key and its hash. */
const ROW_WORDS = KEY_WORDS + 1
const HASH_WORD = KEY_WORDS
const EMPTY = -1
/** Twice as many places as streams, so that a search ends soon. */
const PLACES_PER_STREAM = 2

export class StreamTable {
  readonly #limit: number
  #capacity: number
  #rows: Int32Array
  #places: Int32Array
  /** In order of first packet. */
  #streams: number[] = []
  #free: number[] = []

  constructor(limit: number) {
    this.#limit = limit
    this.#capacity = Math.min(limit, FIRST_CAPACITY)
    this.#rows = new Int32Array(this.#capacity * ROW_WORDS)
    this.#places = emptyPlaces(this.#capacity)
    this.#free = numbersDown(0, this.#capacity)
  }

  get capacity(): number {
    return this.#capacity
  }

  get size(): number {
    return this.#streams.length
  }

  /** In order of first packet. */
  get streams(): readonly number[] {
    return this.#streams
  }

  keyOf(stream: number): Int32Array {
    return this.#rows.subarray(stream * ROW_WORDS, stream * ROW_WORDS + KEY_WORDS)
  }

  /** The stream of this key, or -1. */
  find(key: Int32Array, hash: number): number {
    const places = this.#places
    const mask = places.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const stream = places[place] ?? EMPTY
      if (stream === EMPTY) return EMPTY
      const row = stream * ROW_WORDS
      if (this.#rows[row + HASH_WORD] === hash && isKeyAt(this.#rows, row, key)) return stream
    }
  }

  /** Adds a stream that is not there yet. The table must not be full; it may grow. */
  add(key: Int32Array, hash: number): number {
    if (this.#free.length === 0) this.#grow()
    const stream = this.#free.pop()
    if (stream === undefined) throw new RangeError('the stream table is full')
    const row = stream * ROW_WORDS
    this.#rows.set(key.subarray(0, KEY_WORDS), row)
    this.#rows[row + HASH_WORD] = hash
    this.#streams.push(stream)
    this.#index(stream)
    return stream
  }

  /** Removes every stream that `isOver`. */
  remove(isOver: (stream: number) => boolean): void {
    const kept: number[] = []
    for (const stream of this.#streams) (isOver(stream) ? this.#free : kept).push(stream)
    if (kept.length === this.#streams.length) return
    this.#streams = kept
    this.#reindex()
  }

  /** `stream` gets the key of `other`, which leaves. */
  takeOver(stream: number, other: number): void {
    const from = other * ROW_WORDS
    this.#rows.copyWithin(stream * ROW_WORDS, from, from + ROW_WORDS)
    this.remove((one) => one === other)
  }

  #grow(): void {
    const before = this.#capacity
    this.#capacity = Math.min(this.#limit, before * 2)
    const rows = new Int32Array(this.#capacity * ROW_WORDS)
    rows.set(this.#rows)
    this.#rows = rows
    this.#free = numbersDown(before, this.#capacity)
    this.#places = emptyPlaces(this.#capacity)
    this.#reindex()
  }

  #reindex(): void {
    this.#places.fill(EMPTY)
    for (const stream of this.#streams) this.#index(stream)
  }

  #index(stream: number): void {
    const places = this.#places
    const mask = places.length - 1
    let place = (this.#rows[stream * ROW_WORDS + HASH_WORD] ?? 0) & mask
    while (places[place] !== EMPTY) place = (place + 1) & mask
    places[place] = stream
  }
}

function emptyPlaces(capacity: number): Int32Array {
  const places = 2 ** Math.ceil(Math.log2(capacity * PLACES_PER_STREAM))
  return new Int32Array(places).fill(EMPTY)
}

/** Highest first, so that the lowest is given first. */
function numbersDown(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => to - 1 - index)
}
