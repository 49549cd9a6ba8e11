import type { IpVersion } from '../capture/address.ts'
import type { Datagram } from '../capture/frame.ts'

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

/** Where the sender is, or the receiver: the address in the form of Datagram. */
export class Endpoint {
  version: IpVersion = 4
  readonly address = new Int32Array(REST_WORDS + 1)
  port = 0

  readSource(key: Int32Array): void {
    this.#read(key, SOURCE_WORD, SOURCE_REST)
    this.port = (key[PORTS_WORD] ?? 0) >>> PORT_BITS
  }

  readDestination(key: Int32Array): void {
    this.#read(key, DESTINATION_WORD, DESTINATION_REST)
    this.port = (key[PORTS_WORD] ?? 0) & PORT_MASK
  }

  isAt(version: IpVersion, address: Int32Array): boolean {
    if (version !== this.version) return false
    const words = version === IPV6 ? REST_WORDS : 0
    for (let word = 0; word <= words; word++) if (this.address[word] !== address[word]) return false
    return true
  }

  #read(key: Int32Array, last: number, rest: number): void {
    this.version = key[VERSION_WORD] === IPV6 ? IPV6 : 4
    const words = this.version === IPV6 ? REST_WORDS : 0
    for (let word = 0; word < words; word++) this.address[word] = key[rest + word] ?? 0
    this.address[words] = key[last] ?? 0
  }
}

/** Whether both have the same SSRC and the same receiver, wherever they come from. */
export function isSameDestination(a: Int32Array, b: Int32Array): boolean {
  if (a[SSRC_WORD] !== b[SSRC_WORD] || a[VERSION_WORD] !== b[VERSION_WORD]) return false
  if ((((a[PORTS_WORD] ?? 0) ^ (b[PORTS_WORD] ?? 0)) & PORT_MASK) !== 0) return false
  if (a[DESTINATION_WORD] !== b[DESTINATION_WORD]) return false
  const words = a[VERSION_WORD] === IPV6 ? REST_WORDS : 0
  for (let word = 0; word < words; word++)
    if (a[DESTINATION_REST + word] !== b[DESTINATION_REST + word]) return false
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
