import { LOWER_CASE_BIT } from './octets.ts'

/** FNV-1a (Fowler, Noll, Vo). */
const FNV_OFFSET = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193
const FOLD_SHIFT = 15

/** Sparse, so that nearly every name has its place to itself. */
const PLACES_PER_NAME = 8

/** Known words to their numbers, straight from octets: no text is made. Words differ in more than case. */
export class NameTable {
  readonly #ignoresCase: boolean
  readonly #mask: number
  readonly #words: (Uint8Array | undefined)[]
  readonly #numbers: Int32Array

  /** Pairs of an ASCII word and its number, 0 or more. */
  constructor(entries: readonly (readonly [word: string, number: number])[], ignoresCase: boolean) {
    const places = 2 ** Math.ceil(Math.log2(entries.length * PLACES_PER_NAME))
    this.#ignoresCase = ignoresCase
    this.#mask = places - 1
    this.#words = Array.from({ length: places }, () => undefined)
    this.#numbers = new Int32Array(places).fill(-1)
    for (const [word, number] of entries) {
      const octets = Uint8Array.from(word, (letter) => letter.charCodeAt(0))
      let place = placeOf(octets, 0, octets.length, this.#mask)
      while (this.#words[place] !== undefined) place = (place + 1) & this.#mask
      this.#words[place] = octets
      this.#numbers[place] = number
    }
  }

  /** The number of the word between `at` and `end`, or -1. */
  find(bytes: Uint8Array, at: number, end: number): number {
    let place = placeOf(bytes, at, end, this.#mask)
    for (;;) {
      const word = this.#words[place]
      if (word === undefined) return -1
      if (word.length === end - at && this.#is(word, bytes, at)) return this.#numbers[place] ?? -1
      place = (place + 1) & this.#mask
    }
  }

  #is(word: Uint8Array, bytes: Uint8Array, at: number): boolean {
    const differing = this.#ignoresCase ? ~LOWER_CASE_BIT : -1
    for (let index = 0; index < word.length; index++)
      if ((((word[index] ?? 0) ^ (bytes[at + index] ?? 0)) & differing) !== 0) return false
    return true
  }
}

/** Without regard to case; fold and mask choose the place. */
function placeOf(bytes: Uint8Array, at: number, end: number, mask: number): number {
  let hash = FNV_OFFSET
  for (let index = at; index < end; index++)
    hash = Math.imul(hash ^ ((bytes[index] ?? 0) | LOWER_CASE_BIT), FNV_PRIME)
  return (hash ^ (hash >>> FOLD_SHIFT)) & mask
}
