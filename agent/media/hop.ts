import type { IpVersion } from '../capture/address.ts'
import type { Datagram } from '../capture/datagram.ts'

const IPV6 = 6
/** Hops whose text is kept: all of a call goes over a few, again and again. A power of two. */
const KEPT = 1024
const V6_WORDS = 4
/** Version and ports, then both addresses. */
const KEY_WORDS = 2 + 2 * V6_WORDS
const PORT_BITS = 16
/** Multiplier of MurmurHash3 (Austin Appleby, public domain); who makes hops collide only makes us write their text anew. */
const MULTIPLY = 0xcc9e2d51 | 0
const HASH_SHIFT = 15

/** From whom to whom messages went, as text. */
export class Hops {
  readonly #keys = new Int32Array(KEPT * KEY_WORDS)
  readonly #texts: string[] = Array.from({ length: KEPT }, () => '')
  readonly #key = new Int32Array(KEY_WORDS)

  /** A proxy passes one message on over several of them. */
  of(datagram: Datagram): string {
    const { ipVersion, source, sourcePort, destination, destinationPort } = datagram
    const key = this.#key
    const words = ipVersion === IPV6 ? V6_WORDS : 1
    key.fill(0)
    key[0] = ipVersion
    key[1] = (sourcePort << PORT_BITS) | destinationPort
    for (let word = 0; word < words; word++) {
      key[2 + word] = source[word] ?? 0
      key[2 + V6_WORDS + word] = destination[word] ?? 0
    }
    let hash = 0
    for (const word of key) hash = Math.imul(hash ^ (hash >>> HASH_SHIFT) ^ word, MULTIPLY)
    const place = (hash ^ (hash >>> HASH_SHIFT)) & (KEPT - 1)
    const at = place * KEY_WORDS
    let isKnown = this.#texts[place] !== ''
    for (let word = 0; word < KEY_WORDS && isKnown; word++)
      isKnown = this.#keys[at + word] === key[word]
    if (isKnown) return this.#texts[place] ?? ''
    const from = `${wordsText(ipVersion, source)}:${sourcePort}`
    const text = `${from}>${wordsText(ipVersion, destination)}:${destinationPort}`
    this.#keys.set(key, at)
    this.#texts[place] = text
    return text
  }
}

function wordsText(version: IpVersion, words: Int32Array): string {
  return version === IPV6
    ? `${words[0] ?? 0},${words[1] ?? 0},${words[2] ?? 0},${words[3] ?? 0}`
    : `${words[0] ?? 0}`
}
