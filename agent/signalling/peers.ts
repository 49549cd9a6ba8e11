import { addressText, type IpVersion } from '../capture/address.ts'
import type { Datagram } from '../capture/datagram.ts'
import { Endpoints, type EndpointsOptions } from './endpoints.ts'
import { isLoopback } from './networks.ts'
import { OctetHash } from './octet-hash.ts'
import { SlotTable } from './slot-table.ts'

const MAX_PAIRS = 32_768
/** Peers shown by name or address: each is a series of its own. */
const MAX_SHOWN = 128
/** Peers counted apart until they prove to be one. */
const MAX_CANDIDATES = 128
const US_PER_S = 1_000_000
/** One that has had nothing to say for so long makes room. */
const SHOWN_FOR_US = 24 * 3600 * US_PER_S
const CANDIDATE_FOR_US = 600 * US_PER_S
const IPV6 = 6
const V6_WORDS = 4

const CLIENT_OUTSIDE = 1
const SERVER_OUTSIDE = 2
const LOCAL = 4

/** All that is beyond the limits, and those that never answered. */
export const OTHER_PEER = 0
const PEERS = 1 + MAX_SHOWN + MAX_CANDIDATES
const DIRECTIONS = ['to', 'from'] as const
export type Direction = (typeof DIRECTIONS)[number]
/** A lane is a peer and a direction. */
export const LANES = PEERS * DIRECTIONS.length

export function peerOf(lane: number): number {
  return lane >> 1
}

export function firstLane(peer: number): number {
  return peer * DIRECTIONS.length
}

export function directionOf(lane: number): Direction {
  return DIRECTIONS[lane & 1] ?? 'to'
}

export interface PeersOptions extends EndpointsOptions {
  readonly seed: number
}

/**
 * Whose doing SIP between two addresses is: of the two the peer is
 *   1. the one the configuration names, of two the one that is asked;
 *   2. the one the other registers with;
 *   3. the one outside the own networks, once it was sent an INVITE or REGISTER from inside: a trunk;
 *   4. the one more others talk to; of equals the one that has answered such; of equals the one that is asked.
 * It is shown once it has answered an INVITE or REGISTER; a scanner never does.
 */
export class Peers {
  readonly #hash: OctetHash
  readonly #endpoints: Endpoints
  readonly #pairs = new SlotTable(MAX_PAIRS)
  readonly #lanes = new Uint16Array(MAX_PAIRS)
  readonly #pairFlags = new Uint8Array(MAX_PAIRS)
  /** The client of the pair registers with its server. */
  readonly #registers = new Uint8Array(MAX_PAIRS)
  /** It has sent it an INVITE or REGISTER. */
  readonly #asks = new Uint8Array(MAX_PAIRS)
  /** What was known when the lane was found; it may be another since. */
  readonly #versions = new Uint32Array(MAX_PAIRS)
  readonly #table = new SlotTable(PEERS - 1)
  readonly #names: string[] = []
  readonly #isShown = new Uint8Array(PEERS)
  readonly #heardUs = new Float64Array(PEERS)
  readonly #named: number
  #shown = 0
  #candidates = 0

  /** Of the message looked at last. */
  lane = OTHER_PEER
  isClientOutside = false
  isServerOutside = false
  /** It did not leave the machine. */
  isLocal = false
  /** The same for both ways between the two. */
  pairWord = 0
  #pair = 0
  #clientHigh = 0
  #clientLow = 0
  #serverHigh = 0
  #serverLow = 0

  constructor(options: PeersOptions) {
    const named = options.named.slice(0, MAX_SHOWN)
    this.#hash = new OctetHash(options.seed)
    this.#endpoints = new Endpoints({ ...options, named })
    this.#named = named.length
    for (const [index, { name }] of named.entries()) this.#add(index, ~index, name, true)
  }

  /** Finds whose doing a message is. `isRequest` tells which end asked, `isAsking` that it is an INVITE or REGISTER out of dialogs. */
  look(datagram: Datagram, isRequest: boolean, isAsking: boolean, timeUs: number): void {
    const { ipVersion, source, destination } = datagram
    const client = isRequest ? source : destination
    const server = isRequest ? destination : source
    this.#sum(ipVersion, client)
    this.#clientHigh = this.#hash.high
    this.#clientLow = this.#hash.low
    this.#sum(ipVersion, server)
    this.#serverHigh = this.#hash.high
    this.#serverLow = this.#hash.low
    this.pairWord = this.#clientLow ^ this.#serverLow
    const pair = this.#findPair()
    this.#pair = pair
    if (isAsking && this.#asks[pair] === 0) {
      this.#asks[pair] = 1
      this.#versions[pair] = 0
    }
    if (this.#versions[pair] !== this.#endpoints.version)
      this.#decide(pair, ipVersion, client, server)
    this.lane = this.#lanes[pair] ?? OTHER_PEER
    this.#heardUs[peerOf(this.lane)] = timeUs
    const flags = this.#pairFlags[pair] ?? 0
    this.isClientOutside = (flags & CLIENT_OUTSIDE) !== 0
    this.isServerOutside = (flags & SERVER_OUTSIDE) !== 0
    this.isLocal = (flags & LOCAL) !== 0
  }

  /** The server of the message looked at last answers INVITE or REGISTER. */
  markServer(): void {
    if (!this.#endpoints.markServer(this.#serverHigh, this.#serverLow)) return
    const slot = this.#table.find(this.#serverHigh, this.#serverLow)
    if (slot >= 0) this.#show(slot)
  }

  /** The client of the message looked at last has registered with its server. */
  markRegistrar(): void {
    if (this.#registers[this.#pair] === 1) return
    this.#registers[this.#pair] = 1
    this.#pairs.prove(this.#pair)
    this.#endpoints.version++
  }

  /** What a peer is called; undefined for one that is not shown apart. */
  nameOf(peer: number): string | undefined {
    return this.#isShown[peer] === 1 ? this.#names[peer] : undefined
  }

  /** Forgets who has long been silent; what is known of their lanes goes to OTHER_PEER's, which their numbers may soon be another's. */
  takeSilent(nowUs: number): ReadonlySet<number> {
    const silent = new Set<number>()
    this.#table.forEach((slot) => {
      const peer = slot + 1
      const isShown = this.#isShown[peer] === 1
      const keptUs = isShown ? SHOWN_FOR_US : CANDIDATE_FOR_US
      if (slot < this.#named || (this.#heardUs[peer] ?? 0) > nowUs - keptUs) return
      silent.add(peer)
      this.#table.remove(slot)
      if (isShown) this.#shown--
      else this.#candidates--
      this.#isShown[peer] = 0
    })
    if (silent.size > 0) this.#endpoints.version++
    return silent
  }

  #findPair(): number {
    const hash = this.#hash
    hash.resume(this.#clientHigh, this.#clientLow)
    hash.addWord(this.#serverHigh)
    hash.addWord(this.#serverLow)
    hash.finish()
    const { high, low } = hash
    const known = this.#pairs.find(high, low)
    if (known >= 0) return known
    const pair = this.#pairs.add(high, low)
    this.#versions[pair] = 0
    this.#registers[pair] = 0
    this.#asks[pair] = 0
    this.#endpoints.meet(this.#clientHigh, this.#clientLow)
    this.#endpoints.meet(this.#serverHigh, this.#serverLow)
    return pair
  }

  #decide(pair: number, version: IpVersion, client: Int32Array, server: Int32Array): void {
    const endpoints = this.#endpoints
    const asking = endpoints.of(this.#clientHigh, this.#clientLow, version, client)
    const asked = endpoints.of(this.#serverHigh, this.#serverLow, version, server)
    const isOut = endpoints.isOutside(asked) && !endpoints.isOutside(asking)
    if (isOut && this.#asks[pair] === 1) endpoints.markAsked(asked)
    const isAsked = this.#isServerPeer(pair, asking, asked)
    const peer = isAsked
      ? this.#peerOf(this.#serverHigh, this.#serverLow, version, server, asked)
      : this.#peerOf(this.#clientHigh, this.#clientLow, version, client, asking)
    this.#lanes[pair] = firstLane(peer) + (isAsked ? 0 : 1)
    const isLocal = isLoopback(version, server) || isSame(version, client, server)
    this.#pairFlags[pair] =
      (endpoints.isOutside(asking) ? CLIENT_OUTSIDE : 0) |
      (endpoints.isOutside(asked) ? SERVER_OUTSIDE : 0) |
      (isLocal ? LOCAL : 0)
    this.#versions[pair] = endpoints.version
  }

  #isServerPeer(pair: number, asking: number, asked: number): boolean {
    const endpoints = this.#endpoints
    const isNamed = endpoints.nameOf(asked) >= 0
    if (isNamed || endpoints.nameOf(asking) >= 0) return isNamed
    if (this.#registers[pair] === 1) return true
    if (this.#isRegisteredBack()) return false
    if (endpoints.isOutside(asked) !== endpoints.isOutside(asking)) {
      const outer = endpoints.isOutside(asked) ? asked : asking
      if (endpoints.isAsked(outer)) return outer === asked
    }
    const lead = endpoints.others(asked) - endpoints.others(asking)
    if (lead !== 0) return lead > 0
    return endpoints.serves(asked) || !endpoints.serves(asking)
  }

  #isRegisteredBack(): boolean {
    const hash = this.#hash
    hash.resume(this.#serverHigh, this.#serverLow)
    hash.addWord(this.#clientHigh)
    hash.addWord(this.#clientLow)
    hash.finish()
    const back = this.#pairs.find(hash.high, hash.low)
    return back >= 0 && this.#registers[back] === 1
  }

  #peerOf(
    high: number,
    low: number,
    version: IpVersion,
    words: Int32Array,
    endpoint: number,
  ): number {
    const named = this.#endpoints.nameOf(endpoint)
    if (named >= 0) return named + 1
    const known = this.#table.find(high, low)
    if (known >= 0) return known + 1
    const isShown = this.#endpoints.serves(endpoint)
    const room = isShown ? MAX_SHOWN - this.#shown : MAX_CANDIDATES - this.#candidates
    if (room <= 0) return OTHER_PEER
    const count = version === IPV6 ? V6_WORDS : 1
    return this.#add(high, low, addressText([...words.subarray(0, count)]), isShown)
  }

  #add(high: number, low: number, name: string, isShown: boolean): number {
    const slot = this.#table.add(high, low)
    const peer = slot + 1
    this.#names[peer] = name
    this.#isShown[peer] = isShown ? 1 : 0
    if (isShown) this.#shown++
    else this.#candidates++
    return peer
  }

  #show(slot: number): void {
    const peer = slot + 1
    if (this.#isShown[peer] === 1 || this.#shown >= MAX_SHOWN) return
    this.#isShown[peer] = 1
    this.#shown++
    this.#candidates--
  }

  #sum(version: IpVersion, words: Int32Array): void {
    const hash = this.#hash
    hash.begin()
    hash.addWord(version)
    const count = version === IPV6 ? V6_WORDS : 1
    for (let word = 0; word < count; word++) hash.addWord(words[word] ?? 0)
    hash.finish()
  }
}

function isSame(version: IpVersion, one: Int32Array, other: Int32Array): boolean {
  const count = version === IPV6 ? V6_WORDS : 1
  for (let word = 0; word < count; word++) if (one[word] !== other[word]) return false
  return true
}
