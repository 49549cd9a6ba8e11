import { percentile } from '../rtp/percentile.ts'

/** Which of our packets came back. Numbers are told apart over one turn of the sequence number: a call is shorter. */

const NUMBERS = 65_536
const NUMBER_MASK = NUMBERS - 1
const MEDIAN = 0.5
const US_PER_MS = 1000
/** Round trips kept for the median: the first of a call. */
const MAX_ROUND_TRIPS = 16_384

export interface EchoCounts {
  readonly expected: number
  readonly lost: number
  readonly duplicates: number
  readonly roundTripMs: number | undefined
  readonly roundTripMaxMs: number | undefined
}

export class Echoes {
  readonly #first: number
  readonly #sentUs = new Float64Array(NUMBERS)
  readonly #hasReturned = new Uint8Array(NUMBERS)
  readonly #roundTripsUs = new Float64Array(MAX_ROUND_TRIPS)
  #sent = 0
  #returned = 0
  #duplicates = 0
  #firstReturned = Infinity

  /** @param first number of the first packet sent */
  constructor(first: number) {
    this.#first = first
  }

  /** The next number goes out. */
  send(nowUs: number): void {
    this.#sentUs[this.#sent & NUMBER_MASK] = nowUs
    this.#sent++
  }

  /** A packet of ours came back; false when we have sent no such number. */
  take(sequenceNumber: number, nowUs: number): boolean {
    const index = (sequenceNumber - this.#first) & NUMBER_MASK
    if (index >= this.#sent) return false
    if (this.#hasReturned[index] === 1) {
      this.#duplicates++
      return true
    }
    this.#hasReturned[index] = 1
    if (this.#returned < MAX_ROUND_TRIPS)
      this.#roundTripsUs[this.#returned] = nowUs - (this.#sentUs[index] ?? nowUs)
    this.#returned++
    this.#firstReturned = Math.min(this.#firstReturned, index)
    return true
  }

  /** All that were sent since the first that came back have come back. */
  get isComplete(): boolean {
    return this.#returned > 0 && this.#returned === this.#sent - this.#firstReturned
  }

  /** Undefined when nothing came back. */
  get counts(): EchoCounts | undefined {
    if (this.#returned === 0) return undefined
    const expected = this.#sent - this.#firstReturned
    const roundTripsUs = this.#roundTripsUs
      .slice(0, Math.min(this.#returned, MAX_ROUND_TRIPS))
      .sort()
    return {
      expected,
      lost: expected - this.#returned,
      duplicates: this.#duplicates,
      roundTripMs: inMs(percentile(roundTripsUs, MEDIAN)),
      roundTripMaxMs: inMs(roundTripsUs.at(-1)),
    }
  }
}

function inMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / US_PER_MS
}
