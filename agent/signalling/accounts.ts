import { createHmac } from 'node:crypto'
import { addressText, type IpVersion } from '../capture/address.ts'
import type { AddressOctets } from '../sip/address-octets.ts'
import { textOf } from '../sip/octets.ts'
import { plainUser } from '../sip/plain-user.ts'
import { maskedParty } from '../sip/uri.ts'
import {
  ACCOUNT_COUNTERS,
  type AccountCounter,
  type AccountRow,
  type RegistrationChange,
} from './account-row.ts'
import { Counters } from './counters.ts'
import { KnownFew } from './known-few.ts'
import type { OctetHash } from './octet-hash.ts'
import { SlotTable } from './slot-table.ts'
import type { UserAgents } from './user-agents.ts'

export const MAX_ACCOUNTS = 100_000
/** Rows of an interval. */
const MAX_TOLD = 50
const MAX_NAME_OCTETS = 128
const MAX_DESTINATIONS = 64
const MAX_GUESSING = 16
const US_PER_S = 1_000_000
const KEY_DIGITS = 16
const IPV6 = 6
const V6_WORDS = 4
const V6_NETWORK_WORDS = 2
/** /24: where a phone may move without being elsewhere. */
const V4_NETWORK_MASK = ~0xff
const NONE = -1

/** How much what happened is worth a look, when there are more accounts than rows. */
const WORTH: Readonly<Partial<Record<AccountCounter, number>>> = {
  calls_emergency: 1000,
  calls_premium: 200,
  forwards_premium: 200,
  forwards_international: 100,
  wrong_credentials: 30,
  calls_international: 20,
  brief: 3,
  calls: 1,
}
const NEW_NETWORK_WORTH = 60
const LOST_WORTH = 40
const NEW_USER_AGENT_WORTH = 20
const OVERDUE_WORTH = 10

/** What happened to an account within the interval. */
interface News {
  registration: RegistrationChange | undefined
  statusCode: number | undefined
  isFirst: boolean
  isNewNetwork: boolean
  isNewUserAgent: boolean
  isOverdue: boolean
  upMax: number
  destinations: Set<number> | undefined
  guessing: Set<number> | undefined
}

export interface AccountsOptions {
  readonly hash: OctetHash
  readonly userAgents: UserAgents
  /** Secret: what the keys of accounts are made with. */
  readonly key: string
}

/** Accounts by user and host: those that registered or called. Numbers below MAX_ACCOUNTS. */
export class Accounts {
  readonly #options: AccountsOptions
  readonly #table: SlotTable
  readonly #counters = new Counters(ACCOUNT_COUNTERS, MAX_ACCOUNTS)
  readonly #names: string[] = []
  /** Tells an account from the one whose number it got. */
  readonly #stamps = new Uint32Array(MAX_ACCOUNTS)
  readonly #firstUs = new Float64Array(MAX_ACCOUNTS)
  readonly #versions = new Uint8Array(MAX_ACCOUNTS)
  readonly #words = new Int32Array(MAX_ACCOUNTS * V6_WORDS)
  readonly #kinds = new Int32Array(MAX_ACCOUNTS)
  readonly #bindings = new Uint16Array(MAX_ACCOUNTS)
  readonly #up = new Uint16Array(MAX_ACCOUNTS)
  readonly #upCostly = new Uint16Array(MAX_ACCOUNTS)
  readonly #networks = new KnownFew(MAX_ACCOUNTS)
  readonly #agents = new KnownFew(MAX_ACCOUNTS)
  readonly #news = new Map<number, News>()
  readonly #onEvicted: (account: number) => void
  #stamp = 0
  #untold = 0

  constructor(options: AccountsOptions, onEvicted: (account: number) => void) {
    this.#options = options
    this.#onEvicted = onEvicted
    this.#table = new SlotTable(MAX_ACCOUNTS, (slot) => {
      this.#onEvicted(slot)
      this.#counters.clear(slot)
      this.#news.delete(slot)
    })
  }

  get size(): number {
    return this.#table.size
  }

  get evicted(): number {
    return this.#table.evicted
  }

  /** How many had something to tell in the last interval, but were beyond the limit. */
  get untold(): number {
    return this.#untold
  }

  indexOf(name: AccountCounter): number {
    return this.#counters.indexOf(name)
  }

  /** The account an address names, or -1. */
  find(bytes: Uint8Array, address: AddressOctets): number {
    this.#sum(bytes, address)
    return this.#table.find(this.#options.hash.high, this.#options.hash.low)
  }

  findOrAdd(bytes: Uint8Array, address: AddressOctets, timeUs: number): number {
    this.#sum(bytes, address)
    const { high, low } = this.#options.hash
    const known = this.#table.find(high, low)
    if (known >= 0) {
      this.#table.touch(known)
      return known
    }
    const slot = this.#table.add(high, low)
    const { userAt, userEnd } = address
    const plain = plainUser(bytes, userAt, userEnd) ?? bytes.subarray(userAt, userEnd)
    const user = textOf(plain, 0, Math.min(plain.length, MAX_NAME_OCTETS))
    const host = textOf(
      bytes,
      address.hostAt,
      Math.min(address.hostEnd, address.hostAt + MAX_NAME_OCTETS),
    )
    this.#names[slot] = `${user}@${host.toLowerCase()}`
    this.#stamps[slot] = ++this.#stamp
    this.#firstUs[slot] = timeUs
    this.#versions[slot] = 0
    this.#kinds[slot] = 0
    this.#bindings[slot] = 0
    this.#up[slot] = 0
    this.#upCostly[slot] = 0
    this.#networks.clear(slot)
    this.#agents.clear(slot)
    this.#newsOf(slot).isFirst = true
    return slot
  }

  stampOf(account: number): number {
    return this.#stamps[account] ?? 0
  }

  /** Whether a number still is the account it was. */
  isStill(account: number, stamp: number): boolean {
    return account !== NONE && this.#stamps[account] === stamp
  }

  add(account: number, index: number, count = 1): void {
    this.#counters.add(account, index, count)
    this.#newsOf(account)
  }

  /** One less than was counted in this interval. */
  forgive(account: number, index: number): void {
    if (this.#counters.get(account, index) > 0) this.#counters.add(account, index, -1)
  }

  /** It was let in from here, with this device. */
  admit(account: number, version: IpVersion, words: Int32Array, kind: number): void {
    const network = networkSum(version, words)
    const isNewNetwork = this.#networks.meet(account, network) === 'another'
    const isNewUserAgent = kind !== 0 && this.#agents.meet(account, kind) === 'another'
    if (isNewNetwork || isNewUserAgent) {
      const news = this.#newsOf(account)
      news.isNewNetwork ||= isNewNetwork
      news.isNewUserAgent ||= isNewUserAgent
    }
    this.#table.prove(account)
    this.place(account, version, words, kind)
  }

  /** It spoke from here. */
  place(account: number, version: IpVersion, words: Int32Array, kind: number): void {
    const count = version === IPV6 ? V6_WORDS : 1
    for (let word = 0; word < count; word++)
      this.#words[account * V6_WORDS + word] = words[word] ?? 0
    this.#versions[account] = version
    if (kind !== 0) this.#kinds[account] = kind
  }

  /** Whether it has been let in from the network of this address. */
  isKnownFrom(account: number, version: IpVersion, words: Int32Array): boolean {
    return this.#networks.has(account, networkSum(version, words))
  }

  bindingsOf(account: number): number {
    return this.#bindings[account] ?? 0
  }

  /** One more binding, or one less for this reason. */
  bind(account: number, by: 1 | -1, why: RegistrationChange): void {
    const before = this.bindingsOf(account)
    const after = Math.max(0, before + by)
    this.#bindings[account] = after
    if ((before === 0) !== (after === 0)) this.#newsOf(account).registration = why
  }

  refuse(account: number, status: number): void {
    const news = this.#newsOf(account)
    news.registration = 'refused'
    news.statusCode = status
  }

  markOverdue(account: number): void {
    this.#newsOf(account).isOverdue = true
  }

  /** One more answered call, or one less. */
  talk(account: number, by: 1 | -1, isCostly: boolean): void {
    const up = Math.max(0, (this.#up[account] ?? 0) + by)
    this.#up[account] = up
    if (isCostly) this.#upCostly[account] = Math.max(0, (this.#upCostly[account] ?? 0) + by)
    const news = this.#newsOf(account)
    news.upMax = Math.max(news.upMax, up, up - by)
  }

  dial(account: number, destination: number): void {
    const news = this.#newsOf(account)
    news.destinations ??= new Set()
    if (news.destinations.size < MAX_DESTINATIONS) news.destinations.add(destination)
  }

  guess(account: number, source: number): void {
    const news = this.#newsOf(account)
    news.guessing ??= new Set()
    if (news.guessing.size < MAX_GUESSING) news.guessing.add(source)
  }

  maskedName(account: number): string {
    const name = this.#names[account] ?? ''
    // Of a tel URI there is no host.
    return maskedParty(name.endsWith('@') ? `tel:${name.slice(0, -1)}` : `sip:${name}`)
  }

  /** 16 hex digits: the same for the account as long as the secret is the same. */
  keyOf(account: number): string {
    return createHmac('sha256', this.#options.key)
      .update(this.#names[account] ?? '')
      .digest('hex')
      .slice(0, KEY_DIGITS)
  }

  /** The accounts of the interval with most to tell; it ends here. */
  take(nowUs: number): readonly AccountRow[] {
    const ranked = [...this.#news.keys()]
      .map((account) => ({ account, worth: this.#worth(account) }))
      .sort((one, other) => other.worth - one.worth)
    const rows = ranked.slice(0, MAX_TOLD).map(({ account }) => this.#row(account, nowUs))
    this.#untold = Math.max(0, ranked.length - MAX_TOLD)
    for (const { account } of ranked) this.#counters.clear(account)
    this.#news.clear()
    return rows
  }

  #row(account: number, nowUs: number): AccountRow {
    const news = this.#newsOf(account)
    const up = this.#up[account] ?? 0
    return {
      account: this.maskedName(account),
      key: this.keyOf(account),
      srcIp: this.#ipOf(account),
      userAgent: this.#options.userAgents.textOf(this.#kinds[account] ?? 0),
      isFirst: news.isFirst,
      knownS: (nowUs - (this.#firstUs[account] ?? nowUs)) / US_PER_S,
      isNewNetwork: news.isNewNetwork,
      isNewUserAgent: news.isNewUserAgent,
      registration: news.registration,
      isOverdue: news.isOverdue,
      statusCode: news.statusCode,
      bindings: this.bindingsOf(account),
      guessingSources: news.guessing?.size ?? 0,
      destinations: news.destinations?.size ?? 0,
      up,
      upMax: Math.max(up, news.upMax),
      upCostly: this.#upCostly[account] ?? 0,
      counts: this.#counters.of(account),
    }
  }

  #worth(account: number): number {
    const { registration, isNewNetwork, isNewUserAgent, isOverdue } = this.#newsOf(account)
    const isLost = registration !== undefined && registration !== 'registered'
    let worth = isLost ? LOST_WORTH : 0
    if (isNewNetwork) worth += NEW_NETWORK_WORTH
    if (isNewUserAgent) worth += NEW_USER_AGENT_WORTH
    if (isOverdue) worth += OVERDUE_WORTH
    ACCOUNT_COUNTERS.forEach((name, index) => {
      worth += (WORTH[name] ?? 0) * this.#counters.get(account, index)
    })
    return worth
  }

  #ipOf(account: number): string | undefined {
    const version = this.#versions[account] ?? 0
    if (version === 0) return undefined
    const at = account * V6_WORDS
    return addressText([...this.#words.subarray(at, at + (version === IPV6 ? V6_WORDS : 1))])
  }

  #newsOf(account: number): News {
    const known = this.#news.get(account)
    if (known !== undefined) return known
    const news: News = {
      registration: undefined,
      statusCode: undefined,
      isFirst: false,
      isNewNetwork: false,
      isNewUserAgent: false,
      isOverdue: false,
      upMax: 0,
      destinations: undefined,
      guessing: undefined,
    }
    this.#news.set(account, news)
    return news
  }

  #sum(bytes: Uint8Array, { userAt, userEnd, hostAt, hostEnd }: AddressOctets): void {
    const { hash } = this.#options
    const plain = plainUser(bytes, userAt, userEnd)
    hash.begin()
    if (plain === undefined) hash.add(bytes, userAt, userEnd)
    else hash.add(plain, 0, plain.length)
    hash.addFolded(bytes, hostAt, hostEnd)
    hash.finish()
  }
}

/** Of the network a device may move in: /24 or /64. Never 0. */
function networkSum(version: IpVersion, words: Int32Array): number {
  if (version !== IPV6) return ((words[0] ?? 0) & V4_NETWORK_MASK) | 1
  let sum = IPV6
  for (let word = 0; word < V6_NETWORK_WORDS; word++) sum = Math.imul(sum, 31) + (words[word] ?? 0)
  return sum | 1
}
