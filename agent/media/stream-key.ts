import type { Datagram } from './frame.ts'

/**
 * What makes a stream one stream: addresses, ports and SSRC (RFC 3550 section 8; a new SSRC is a new source), as 32-bit words in one
 * array: SSRC, ports, last words of both addresses, IP version, and for IPv6 the other words of both.
 */

export const SSRC_WORD = 0
const PORTS_WORD = 1
const SOURCE_WORD = 2
const DESTINATION_WORD = 3
const VERSION_WORD = 4
const SOURCE_REST = 5
const DESTINATION_REST = 8
export const KEY_WORDS = 11

const V4_WORDS = 5
const REST_WORDS = 3
const PORT_BITS = 16
const PORT_MASK = 0xffff
const IPV6 = 6

/** Multipliers and shifts of MurmurHash3 (Austin Appleby, public domain). */
const MULTIPLY_1 = 0xcc9e2d51 | 0
const MULTIPLY_2 = 0x85ebca6b | 0
const ROTATE = 15
const WORD_BITS = 32
const FINAL_SHIFT = 16

export interface Endpoints {
  readonly source: readonly number[]
  readonly sourcePort: number
  readonly destination: readonly number[]
  readonly destinationPort: number
}

export function writeKey(key: Int32Array, datagram: Datagram, ssrc: number): void {
  const { source, destination } = datagram
  const last = datagram.ipVersion === IPV6 ? REST_WORDS : 0
  key[SSRC_WORD] = ssrc
  key[PORTS_WORD] = (datagram.sourcePort << PORT_BITS) | datagram.destinationPort
  key[SOURCE_WORD] = source[last] ?? 0
  key[DESTINATION_WORD] = destination[last] ?? 0
  key[VERSION_WORD] = datagram.ipVersion
  for (let word = 0; word < last; word++) {
    key[SOURCE_REST + word] = source[word] ?? 0
    key[DESTINATION_REST + word] = destination[word] ?? 0
  }
}

/** 32 bits, signed. The seed is secret, so that nobody can choose SSRCs that all fall into one place. */
export function hashKey(key: Int32Array, seed: number): number {
  const words = key[VERSION_WORD] === IPV6 ? KEY_WORDS : V4_WORDS
  let hash = seed
  for (let word = 0; word < words; word++) {
    hash = Math.imul(hash ^ Math.imul(key[word] ?? 0, MULTIPLY_1), MULTIPLY_2)
    hash = (hash << ROTATE) | (hash >>> (WORD_BITS - ROTATE))
  }
  return hash ^ (hash >>> FINAL_SHIFT)
}

/** Whether the key that begins at `at` of `rows` is this one. */
export function isKeyAt(rows: Int32Array, at: number, key: Int32Array): boolean {
  for (let word = 0; word < V4_WORDS; word++) if (rows[at + word] !== key[word]) return false
  if (key[VERSION_WORD] !== IPV6) return true
  for (let word = V4_WORDS; word < KEY_WORDS; word++)
    if (rows[at + word] !== key[word]) return false
  return true
}

export function endpointsOf(key: Int32Array): Endpoints {
  const ports = key[PORTS_WORD] ?? 0
  const isV6 = key[VERSION_WORD] === IPV6
  const rest = (from: number) => [...key.subarray(from, from + (isV6 ? REST_WORDS : 0))]
  return {
    source: [...rest(SOURCE_REST), key[SOURCE_WORD] ?? 0],
    sourcePort: ports >>> PORT_BITS,
    destination: [...rest(DESTINATION_REST), key[DESTINATION_WORD] ?? 0],
    destinationPort: ports & PORT_MASK,
  }
}
