/**
 * Two sums of 32 bits over the same octets, by which they are told from all others without being kept: two keys in a hundred thousand are
 * taken for one once in a billion times. The seed keeps others from choosing octets that are.
 */

/** MurmurHash3 (Appleby), 32 bits, and the same with other constants: those of its variant for 128 bits. */
const HIGH_FIRST = 0xcc9e2d51 | 0
const HIGH_SECOND = 0x1b873593
const LOW_FIRST = 0x239b961b
const LOW_SECOND = 0xab0e9789 | 0
const HIGH_ADDED = 0xe6546b64 | 0
const LOW_ADDED = 0x561ccd1b
const FACTOR = 5
const WORD_TURN = 15
const SUM_TURN = 13
const WORD_BITS = 32
const SPREAD_FIRST = 0x85ebca6b | 0
const SPREAD_SECOND = 0xc2b2ae35 | 0
const SPREAD_SHIFTS = [16, 13, 16] as const
const OCTET_BITS = 8
const WORD_OCTETS = 4
const UPPER_A = 0x41
const UPPER_Z = 0x5a
const LOWER_CASE_BIT = 0x20

export class OctetHash {
  high = 0
  low = 0
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed | 0
  }

  begin(): void {
    this.high = this.#seed
    this.low = ~this.#seed
  }

  /** Goes on from another sum. */
  resume(high: number, low: number): void {
    this.high = high
    this.low = low
  }

  addWord(word: number): void {
    this.high = highWith(this.high, word)
    this.low = lowWith(this.low, word)
  }

  /** The octets between `at` and `end`, and how many they are. */
  add(bytes: Uint8Array, at: number, end: number): void {
    let { high, low } = this
    let index = at
    for (; index + WORD_OCTETS <= end; index += WORD_OCTETS) {
      const word =
        (bytes[index] ?? 0) |
        ((bytes[index + 1] ?? 0) << OCTET_BITS) |
        ((bytes[index + 2] ?? 0) << (2 * OCTET_BITS)) |
        ((bytes[index + 3] ?? 0) << (3 * OCTET_BITS))
      high = highWith(high, word)
      low = lowWith(low, word)
    }
    let rest = end - at
    for (; index < end; index++) rest = (rest << OCTET_BITS) | (bytes[index] ?? 0)
    this.high = highWith(high, rest)
    this.low = lowWith(low, rest)
  }

  /** The same without regard to case. */
  addFolded(bytes: Uint8Array, at: number, end: number): void {
    for (let index = at; index < end; index++) {
      const octet = bytes[index] ?? 0
      this.addWord(octet >= UPPER_A && octet <= UPPER_Z ? octet | LOWER_CASE_BIT : octet)
    }
    this.addWord(end - at)
  }

  /** Spreads what was added over all bits; `high` and `low` are the key then. */
  finish(): void {
    this.high = spread(this.high)
    this.low = spread(this.low)
  }
}

function highWith(sum: number, word: number): number {
  const turned = turn(Math.imul(word, HIGH_FIRST), WORD_TURN)
  return (Math.imul(turn(sum ^ Math.imul(turned, HIGH_SECOND), SUM_TURN), FACTOR) + HIGH_ADDED) | 0
}

function lowWith(sum: number, word: number): number {
  const turned = turn(Math.imul(word, LOW_FIRST), WORD_TURN)
  return (Math.imul(turn(sum ^ Math.imul(turned, LOW_SECOND), SUM_TURN), FACTOR) + LOW_ADDED) | 0
}

function turn(word: number, bits: number): number {
  return (word << bits) | (word >>> (WORD_BITS - bits))
}

function spread(sum: number): number {
  const once = Math.imul(sum ^ (sum >>> SPREAD_SHIFTS[0]), SPREAD_FIRST)
  const twice = Math.imul(once ^ (once >>> SPREAD_SHIFTS[1]), SPREAD_SECOND)
  return twice ^ (twice >>> SPREAD_SHIFTS[2])
}
