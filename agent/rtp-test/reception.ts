import { smoothedJitter } from '../rtp/jitter.ts'

/** Sequence numbers remembered, to tell a late packet from a duplicate: 20 s at 200 packets/s. */
const WINDOW = 4096
const WORD_BITS = 32
const US_PER_MS = 1000

export type Arrival = 'new' | 'duplicate' | 'too-old'

/**
 * Counts what arrived of one direction of a test session. Its sequence numbers are 32 bits, sealed and begin at 0, so nothing has
 * to be guessed as RFC 3550 A.1 must: no probation, no cycles, no restart, and packets lost before the first count as lost.
 */
export class TestReception {
  readonly #seen = new Uint32Array(WINDOW / WORD_BITS)
  #highest = -1
  #received = 0
  #unique = 0
  #duplicates = 0
  #reordered = 0
  #transitUs: number | undefined
  #jitterUs = 0

  get highest(): number {
    return this.#highest
  }
  /** Duplicates included. */
  get received(): number {
    return this.#received
  }
  get unique(): number {
    return this.#unique
  }
  get duplicates(): number {
    return this.#duplicates
  }
  /** Older than the newest, and not seen before. */
  get reordered(): number {
    return this.#reordered
  }
  /** Interarrival jitter (RFC 3550 A.8), from the times of sending in the packets. */
  get jitterMs(): number {
    return this.#jitterUs / US_PER_MS
  }

  /** @param sentUs by the sender's clock; only its differences matter */
  take(sequence: number, sentUs: number, arrivalUs: number): Arrival {
    if (sequence <= this.#highest - WINDOW) return 'too-old'
    this.#received++
    if (sequence > this.#highest) {
      this.#forget(sequence)
      this.#highest = sequence
    } else if (this.#has(sequence)) {
      this.#duplicates++
      return 'duplicate'
    } else {
      this.#reordered++
    }
    this.#mark(sequence)
    this.#unique++
    const transitUs = arrivalUs - sentUs
    if (this.#transitUs !== undefined) {
      this.#jitterUs = smoothedJitter(this.#jitterUs, transitUs - this.#transitUs)
    }
    this.#transitUs = transitUs
    return 'new'
  }

  /** The places of the numbers from the highest to this one are taken over from numbers a window older. */
  #forget(upTo: number): void {
    if (upTo - this.#highest >= WINDOW) {
      this.#seen.fill(0)
      return
    }
    for (let sequence = this.#highest + 1; sequence <= upTo; sequence++) {
      const place = sequence % WINDOW
      const word = Math.floor(place / WORD_BITS)
      this.#seen[word] = (this.#seen[word] ?? 0) & ~(1 << (place % WORD_BITS))
    }
  }

  #has(sequence: number): boolean {
    const place = sequence % WINDOW
    return (((this.#seen[Math.floor(place / WORD_BITS)] ?? 0) >>> (place % WORD_BITS)) & 1) === 1
  }

  #mark(sequence: number): void {
    const place = sequence % WINDOW
    const word = Math.floor(place / WORD_BITS)
    this.#seen[word] = (this.#seen[word] ?? 0) | (1 << (place % WORD_BITS))
  }
}
