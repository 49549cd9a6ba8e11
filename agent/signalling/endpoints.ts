import { contains, type IpVersion, type Network } from '../capture/address.ts'
import { isWithin } from './networks.ts'
import { SlotTable } from './slot-table.ts'

const MAX_ENDPOINTS = 16_384
/** More others than these make nobody more of a server. */
const MANY_OTHERS = 4
const OUTSIDE = 1
const SERVES = 2
const ASKED = 4
const UNNAMED = -1

/** A peer the configuration gives a name. */
export interface NamedPeer {
  readonly name: string
  readonly networks: readonly Network[]
}

export interface EndpointsOptions {
  readonly named: readonly NamedPeer[]
  /** Private networks where none are named. */
  readonly ownNetworks: readonly Network[]
}

/** What is known of addresses that speak SIP; each is a number, by the sum of its octets. */
export class Endpoints {
  readonly #options: EndpointsOptions
  readonly #table: SlotTable
  readonly #flags = new Uint8Array(MAX_ENDPOINTS)
  readonly #others = new Uint8Array(MAX_ENDPOINTS)
  readonly #named = new Int16Array(MAX_ENDPOINTS)
  /** Goes up whenever something is known that was not. */
  version = 1

  constructor(options: EndpointsOptions) {
    this.#options = options
    this.#table = new SlotTable(MAX_ENDPOINTS, () => {
      this.version++
    })
  }

  /** The endpoint of an address, known or new. */
  of(high: number, low: number, version: IpVersion, words: Int32Array): number {
    const known = this.#table.find(high, low)
    if (known >= 0) return known
    const endpoint = this.#table.add(high, low)
    const { named, ownNetworks } = this.#options
    const isIn = (network: Network) => network.version === version && contains(network, words)
    this.#flags[endpoint] = isWithin(ownNetworks, version, words) ? 0 : OUTSIDE
    this.#named[endpoint] = named.findIndex(({ networks }) => networks.some(isIn))
    this.#others[endpoint] = 1
    return endpoint
  }

  isOutside(endpoint: number): boolean {
    return ((this.#flags[endpoint] ?? 0) & OUTSIDE) !== 0
  }

  /** It has answered an INVITE or REGISTER. */
  serves(endpoint: number): boolean {
    return ((this.#flags[endpoint] ?? 0) & SERVES) !== 0
  }

  /** Somebody inside has sent it, outside, an INVITE or REGISTER. */
  isAsked(endpoint: number): boolean {
    return ((this.#flags[endpoint] ?? 0) & ASKED) !== 0
  }

  markAsked(endpoint: number): void {
    if (this.isAsked(endpoint)) return
    this.#flags[endpoint] = (this.#flags[endpoint] ?? 0) | ASKED
    this.version++
  }

  /** Index of the peer the configuration names it as, or -1. */
  nameOf(endpoint: number): number {
    return this.#named[endpoint] ?? UNNAMED
  }

  /** How many it talks to, to 4. */
  others(endpoint: number): number {
    return this.#others[endpoint] ?? 0
  }

  /** An address, if it is known, talks to one more other. */
  meet(high: number, low: number): void {
    const endpoint = this.#table.find(high, low)
    if (endpoint < 0 || this.others(endpoint) >= MANY_OTHERS) return
    this.#others[endpoint] = this.others(endpoint) + 1
    this.version++
  }

  /** True when that is news. */
  markServer(high: number, low: number): boolean {
    const endpoint = this.#table.find(high, low)
    if (endpoint < 0 || this.serves(endpoint)) return false
    this.#flags[endpoint] = (this.#flags[endpoint] ?? 0) | SERVES
    this.#table.prove(endpoint)
    this.version++
    return true
  }
}
