import type { IpVersion } from '../capture/address.ts'
import type { Payload } from '../rtp/payload.ts'
import { EvictionOrder } from './eviction-order.ts'

/** Places of the index; doubled when half of them are taken. */
const FIRST_PLACES = 64
const V6_WORDS = 4
const IPV6 = 6
const HASH_SHIFT = 15
/** Multipliers of MurmurHash3 (Austin Appleby, public domain). */
const MULTIPLY_1 = 0xcc9e2d51 | 0
const MULTIPLY_2 = 0x85ebca6b | 0

/** What signalling said about the RTP that arrives at one address and port: what its owner announced it wants to receive. */
export interface MediaDescription {
  readonly callId: string
  /** By the number the receiver announced (RFC 3264 section 5.1: it names what it wants to get). */
  readonly payloads: ReadonlyMap<number, Payload>
  /** a=ptime; a wish only. */
  readonly packetMs: number | undefined
  /** RTP/SAVP and kin, or a fingerprint: the packets are SRTP. */
  readonly isEncrypted: boolean
  /** The sender may stop while nobody speaks: annexb, usedtx, comfort noise offered. Undefined when nothing was said. */
  readonly mayPause: boolean | undefined
  /** The receiver asked for silence, or the sender said it would send nothing: hold, or inactive. */
  readonly isOnHold: boolean
  /** The call is over, or its media moved elsewhere; the description stays a minute longer, so that the silence after it is understood. */
  readonly isEnded: boolean
}

/** One address and port RTP is to arrive at, and what was said about it. */
export interface MediaEntry {
  readonly hash: number
  readonly version: IpVersion
  readonly address: readonly number[]
  readonly port: number
  description: MediaDescription
  /** When RTP last arrived there, and last left there; -Infinity when never. */
  heardUs: number
  sentUs: number
  isRemoved: boolean
}

/** Everything signalling told about media, by the address and port RTP is to arrive at. Bounded: the oldest gives way. */
export class MediaTable {
  readonly #limit: number
  readonly #seed: number
  readonly #order = new EvictionOrder<MediaEntry>()
  #places: (MediaEntry | undefined)[] = emptyPlaces(FIRST_PLACES)
  /** Grows with every change, so that a reader knows when to look again. */
  version = 0
  /** Entries that gave way. */
  evicted = 0

  /** `seed` is secret, so that nobody can choose addresses that all fall into one place. */
  constructor(limit: number, seed = 0) {
    this.#limit = Math.max(1, limit)
    this.#seed = seed
  }

  get size(): number {
    return this.#order.size
  }

  /** `address` as in Datagram: the words of an IPv4 address are in [0], those of IPv6 in [0..3]. */
  find(version: IpVersion, address: ArrayLike<number>, port: number): MediaDescription | undefined {
    return this.entry(version, address, port)?.description
  }

  /** RTP arrived at this address and port, at `timeUs` last. */
  heard(version: IpVersion, address: ArrayLike<number>, port: number, timeUs: number): void {
    const entry = this.entry(version, address, port)
    if (entry !== undefined && timeUs > entry.heardUs) entry.heardUs = timeUs
  }

  /** RTP left this address and port, wherever to, at `timeUs` last. */
  sent(version: IpVersion, address: ArrayLike<number>, port: number, timeUs: number): void {
    const entry = this.entry(version, address, port)
    if (entry !== undefined && timeUs > entry.sentUs) entry.sentUs = timeUs
  }

  /** The entry of this address and port; nothing is allocated. */
  entry(version: IpVersion, address: ArrayLike<number>, port: number): MediaEntry | undefined {
    const places = this.#places
    const mask = places.length - 1
    const hash = hashOf(version, address, port, this.#seed)
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = places[place]
      if (entry === undefined) return undefined
      if (entry.hash === hash && isAt(entry, version, address, port)) return entry
    }
  }

  /**
   * Says what is wanted at this address and port; the newest description wins. `isProven` when the call it belongs to was answered:
   * what is not gives way first.
   */
  announce(
    version: IpVersion,
    address: readonly number[],
    port: number,
    description: MediaDescription,
    isProven: boolean,
  ): MediaEntry {
    this.version++
    const known = this.entry(version, address, port)
    if (known !== undefined) {
      known.description = description
      this.#order.add(known, isProven)
      return known
    }
    if (this.#order.size >= this.#limit) this.#evict()
    const hash = hashOf(version, address, port, this.#seed)
    const entry: MediaEntry = {
      hash,
      version,
      address,
      port,
      description,
      heardUs: -Infinity,
      sentUs: -Infinity,
      isRemoved: false,
    }
    this.#order.add(entry, isProven)
    if (this.#order.size * 2 > this.#places.length) this.#grow()
    else this.#place(entry)
    return entry
  }

  /** Something else is now true of an address. */
  describe(entry: MediaEntry, description: MediaDescription): void {
    if (entry.isRemoved) return
    entry.description = description
    this.version++
  }

  /** The call of an address was answered. */
  prove(entry: MediaEntry): void {
    if (!entry.isRemoved) this.#order.add(entry, true)
  }

  remove(entry: MediaEntry): void {
    if (entry.isRemoved) return
    entry.isRemoved = true
    this.#order.delete(entry)
    this.#unplace(entry)
    this.version++
  }

  #evict(): void {
    const oldest = this.#order.first()
    if (oldest === undefined) return
    this.remove(oldest)
    this.evicted++
  }

  #grow(): void {
    this.#places = emptyPlaces(this.#places.length * 2)
    for (const entry of this.#order) this.#place(entry)
  }

  #place(entry: MediaEntry): void {
    const places = this.#places
    const mask = places.length - 1
    let place = entry.hash & mask
    while (places[place] !== undefined) place = (place + 1) & mask
    places[place] = entry
  }

  /** Takes it out and moves those behind it up, so that no search ends too early (Knuth, vol. 3, 6.4, algorithm R). */
  #unplace(entry: MediaEntry): void {
    const places = this.#places
    const mask = places.length - 1
    let hole = entry.hash & mask
    while (places[hole] !== entry) hole = (hole + 1) & mask
    for (let place = (hole + 1) & mask; ; place = (place + 1) & mask) {
      const other = places[place]
      if (other === undefined) break
      const home = other.hash & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      places[hole] = other
      hole = place
    }
    places[hole] = undefined
  }
}

function emptyPlaces(count: number): (MediaEntry | undefined)[] {
  return Array.from({ length: count }, () => undefined)
}

function hashOf(
  version: IpVersion,
  address: ArrayLike<number>,
  port: number,
  seed: number,
): number {
  const words = version === IPV6 ? V6_WORDS : 1
  let hash = Math.imul(seed ^ Math.imul(port, MULTIPLY_1), MULTIPLY_2)
  for (let word = 0; word < words; word++) {
    hash ^= hash >>> HASH_SHIFT
    hash = Math.imul(hash ^ Math.imul(address[word] ?? 0, MULTIPLY_1), MULTIPLY_2)
  }
  return hash ^ (hash >>> HASH_SHIFT)
}

function isAt(
  entry: MediaEntry,
  version: IpVersion,
  address: ArrayLike<number>,
  port: number,
): boolean {
  if (entry.port !== port || entry.version !== version) return false
  const own = entry.address
  for (let word = 0; word < own.length; word++) if (own[word] !== address[word]) return false
  return true
}
