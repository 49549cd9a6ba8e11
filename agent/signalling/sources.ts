import { addressText, type IpVersion } from '../capture/address.ts'
import { Counters, type Counts } from './counters.ts'
import { DistinctCounter } from './distinct-counter.ts'
import { OctetHash } from './octet-hash.ts'
import { SlotTable } from './slot-table.ts'
import type { UserAgents } from './user-agents.ts'

const MAX_SOURCES = 8192
/** Rows of an interval. */
const MAX_TOLD = 50
const MAX_TARGETS = 16
const US_PER_S = 1_000_000
/** Accounts tried are remembered for one to two of these. */
const GENERATION_US = 1800 * US_PER_S
const TRUSTED_FOR_US = 24 * 3600 * US_PER_S
const IPV6 = 6
const V6_WORDS = 4
const V6_NETWORK_WORDS = 2
const MAX_FORGIVEN = 255
const OUTSIDE = 1
/** It is in the list of those with something to tell. */
const DIRTY = 2
const ASKED = 4

/** What is counted per source, as it is called on the wire. */
export const SOURCE_COUNTERS = [
  'clear_text',
  'tcp',
  'requests',
  'requests_register',
  'requests_invite',
  'requests_options',
  'requests_other',
  'responses_2xx',
  'responses_401',
  'responses_403',
  'responses_404',
  'unanswered',
  'wrong_credentials',
  'spoofed',
  'malformed',
] as const
export type SourceCounter = (typeof SOURCE_COUNTERS)[number]

/** An address that asked for something over one interval. */
export interface SourceRow {
  readonly srcIp: string
  readonly isOutside: boolean
  readonly knownS: number
  readonly isRegistered: boolean
  readonly userAgent: string | undefined
  readonly scanner: string | undefined
  readonly peakPerS: number
  readonly targets: number
  readonly accounts: number
  readonly accountsRecent: number
  readonly counts: Counts<SourceCounter>
}

/** A quiet source is not told: below all of these there is nothing to see. */
const LOUD_REQUESTS = 100
const LOUD_PER_S = 20
const MANY_ACCOUNTS = 5
/** One refusal of credentials, one false number, or three other refusals, by their worth. */
const REFUSED = 15
const SCANNER_WORTH = 1000
const ACCOUNT_WORTH = 10
const OUTSIDER_WORTH = 2
const WORTH: Readonly<Partial<Record<SourceCounter, number>>> = {
  wrong_credentials: 20,
  spoofed: 50,
  malformed: 5,
  responses_403: 5,
  responses_404: 5,
  requests: 0.1,
}

/** Which accounts one source tried: in the interval, and for longer. */
class Tried {
  interval = new DistinctCounter()
  recent = new DistinctCounter()
  before = new DistinctCounter()
}

/** Addresses that send requests. Numbers below MAX_SOURCES. */
export class Sources {
  readonly #hash: OctetHash
  readonly #userAgents: UserAgents
  readonly #table: SlotTable
  readonly #counters = new Counters(SOURCE_COUNTERS, MAX_SOURCES)
  readonly #flags = new Uint8Array(MAX_SOURCES)
  readonly #versions = new Uint8Array(MAX_SOURCES)
  readonly #words = new Int32Array(MAX_SOURCES * V6_WORDS)
  readonly #firstUs = new Float64Array(MAX_SOURCES)
  readonly #trustedUs = new Float64Array(MAX_SOURCES)
  readonly #kinds = new Int32Array(MAX_SOURCES)
  readonly #second = new Float64Array(MAX_SOURCES)
  readonly #inSecond = new Uint32Array(MAX_SOURCES)
  readonly #peaks = new Uint32Array(MAX_SOURCES)
  readonly #targets = new Int32Array(MAX_SOURCES * MAX_TARGETS)
  readonly #targetCounts = new Uint8Array(MAX_SOURCES)
  /** The one account most sources have; 0 for none. */
  readonly #onlyAccount = new Int32Array(MAX_SOURCES)
  readonly #triedNow = new Uint8Array(MAX_SOURCES)
  readonly #tried = new Map<number, Tried>()
  readonly #signs = new Map<number, string>()
  readonly #forgiven = new Uint8Array(MAX_SOURCES)
  #generationUs = -Infinity
  #dirty: number[] = []
  #untold = 0
  #asking = 0
  #seen = 0

  constructor(hash: OctetHash, userAgents: UserAgents) {
    this.#hash = hash
    this.#userAgents = userAgents
    this.#table = new SlotTable(MAX_SOURCES, (slot) => {
      this.#counters.clear(slot)
      this.#tried.delete(slot)
      this.#signs.delete(slot)
    })
  }

  get evicted(): number {
    return this.#table.evicted
  }

  /** How many had something to tell in the last interval, but were beyond the limit. */
  get untold(): number {
    return this.#untold
  }

  /** How many asked for something in the last interval. */
  get seen(): number {
    return this.#seen
  }

  indexOf(name: SourceCounter): number {
    return this.#counters.indexOf(name)
  }

  /** The source of a request; of IPv6 the /64 it is in. */
  of(version: IpVersion, words: Int32Array, isOutside: boolean, timeUs: number): number {
    const count = version === IPV6 ? V6_NETWORK_WORDS : 1
    const hash = this.#hash
    hash.begin()
    hash.addWord(version)
    for (let word = 0; word < count; word++) hash.addWord(words[word] ?? 0)
    hash.finish()
    const known = this.#table.find(hash.high, hash.low)
    const slot = known < 0 ? this.#add(version, words, count, timeUs) : known
    if (known >= 0) this.#table.touch(known)
    if (known < 0 || !this.#has(slot, ASKED)) this.#asking++
    this.#flags[slot] = (this.#flags[slot] ?? 0) & ~OUTSIDE
    this.#mark(slot, ASKED | (isOutside ? OUTSIDE : 0))
    this.#count(slot, timeUs)
    return slot
  }

  add(source: number, index: number): void {
    this.#counters.add(source, index)
    this.#mark(source, 0)
  }

  /** Counts what may be forgiven yet. */
  blame(source: number, index: number): void {
    const forgiven = this.#forgiven[source] ?? 0
    if (forgiven > 0) this.#forgiven[source] = forgiven - 1
    else this.add(source, index)
  }

  /** One less than was counted; where an interval before has told of it, one less next time. */
  forgive(source: number, index: number): void {
    if (this.#counters.get(source, index) > 0) this.#counters.add(source, index, -1)
    else this.#forgiven[source] = Math.min(MAX_FORGIVEN, (this.#forgiven[source] ?? 0) + 1)
  }

  /** Whether a number is still the source it was at this time. */
  isStill(source: number, timeUs: number): boolean {
    return (this.#firstUs[source] ?? Infinity) <= timeUs
  }

  /** Which of UserAgents it is. */
  kindOf(source: number): number {
    return this.#kinds[source] ?? 0
  }

  /** What it calls itself. */
  name(source: number, kind: number): void {
    if (kind !== 0) this.#kinds[source] = kind
  }

  /** A sign, other than its User-Agent, of what it is. */
  betray(source: number, scanner: string): void {
    this.#signs.set(source, scanner)
  }

  /** It asks this address, by its sum. */
  aim(source: number, target: number): void {
    const count = this.#targetCounts[source] ?? 0
    const at = source * MAX_TARGETS
    for (let index = at; index < at + count; index++) if (this.#targets[index] === target) return
    if (count === MAX_TARGETS) return
    this.#targets[at + count] = target
    this.#targetCounts[source] = count + 1
  }

  /** It tries this account, by its sum. */
  try(source: number, account: number): void {
    this.#triedNow[source] = 1
    const sum = account === 0 ? 1 : account
    const only = this.#onlyAccount[source] ?? 0
    if (only === 0) this.#onlyAccount[source] = sum
    const known = this.#tried.get(source)
    if (known === undefined && (only === 0 || only === sum)) return
    const tried = known ?? new Tried()
    if (known === undefined) {
      this.#tried.set(source, tried)
      tried.interval.add(only)
      tried.recent.add(only)
    }
    tried.interval.add(sum)
    tried.recent.add(sum)
  }

  /** It was let in. */
  trust(source: number, timeUs: number): void {
    this.#trustedUs[source] = timeUs
    this.#table.prove(source)
  }

  /** The sources of the interval most worth a look; it ends here. */
  take(nowUs: number): readonly SourceRow[] {
    const ranked = this.#dirty
      .map((source) => ({ source, worth: this.#worth(source, nowUs) }))
      .filter(({ worth }) => worth > 0)
      .sort((one, other) => other.worth - one.worth)
    const rows = ranked.slice(0, MAX_TOLD).map(({ source }) => this.#row(source, nowUs))
    this.#untold = Math.max(0, ranked.length - MAX_TOLD)
    this.#seen = this.#asking
    this.#asking = 0
    for (const source of this.#dirty) {
      this.#flags[source] = (this.#flags[source] ?? 0) & OUTSIDE
      this.#clear(source)
    }
    this.#dirty = []
    this.#age(nowUs)
    return rows
  }

  #add(version: IpVersion, words: Int32Array, count: number, timeUs: number): number {
    const slot = this.#table.add(this.#hash.high, this.#hash.low)
    // The number may have been another's in this interval, and be in the list already.
    this.#flags[slot] = (this.#flags[slot] ?? 0) & DIRTY
    this.#versions[slot] = version
    for (let word = 0; word < V6_WORDS; word++)
      this.#words[slot * V6_WORDS + word] = word < count ? (words[word] ?? 0) : 0
    this.#firstUs[slot] = timeUs
    this.#trustedUs[slot] = -Infinity
    this.#kinds[slot] = 0
    this.#onlyAccount[slot] = 0
    this.#forgiven[slot] = 0
    this.#clear(slot)
    return slot
  }

  #has(source: number, flag: number): boolean {
    return ((this.#flags[source] ?? 0) & flag) !== 0
  }

  #mark(source: number, flags: number): void {
    if (!this.#has(source, DIRTY)) this.#dirty.push(source)
    this.#flags[source] = (this.#flags[source] ?? 0) | DIRTY | flags
  }

  #count(slot: number, timeUs: number): void {
    const second = Math.floor(timeUs / US_PER_S)
    const isSame = this.#second[slot] === second
    const count = isSame ? (this.#inSecond[slot] ?? 0) + 1 : 1
    this.#second[slot] = second
    this.#inSecond[slot] = count
    if (count > (this.#peaks[slot] ?? 0)) this.#peaks[slot] = count
  }

  #clear(source: number): void {
    this.#counters.clear(source)
    this.#peaks[source] = 0
    this.#targetCounts[source] = 0
    this.#triedNow[source] = 0
    this.#tried.get(source)?.interval.clear()
  }

  /** Every half hour what was tried becomes what was tried before. */
  #age(nowUs: number): void {
    if (nowUs < this.#generationUs + GENERATION_US) return
    const isFirst = this.#generationUs === -Infinity
    this.#generationUs = nowUs
    if (isFirst) return
    for (const [source, tried] of this.#tried) {
      if (tried.recent.count === 0) {
        this.#tried.delete(source)
        this.#onlyAccount[source] = 0
        continue
      }
      tried.before = tried.recent
      tried.recent = new DistinctCounter()
    }
  }

  #worth(source: number, nowUs: number): number {
    const scanner = this.#scannerOf(source)
    const { now } = this.#accountsOf(source)
    const requests = this.#counters.get(source, this.indexOf('requests'))
    const isStranger = this.#has(source, OUTSIDE) && !this.#isTrusted(source, nowUs)
    let refused = 0
    let worth = 0
    SOURCE_COUNTERS.forEach((name, index) => {
      const part = (WORTH[name] ?? 0) * this.#counters.get(source, index)
      if (name !== 'requests') refused += part
      worth += part
    })
    const isLoud = requests >= LOUD_REQUESTS || (this.#peaks[source] ?? 0) >= LOUD_PER_S
    if (scanner === undefined && !isStranger && !isLoud && now < MANY_ACCOUNTS && refused < REFUSED)
      return 0
    if (scanner !== undefined) worth += SCANNER_WORTH
    if (isStranger) worth += OUTSIDER_WORTH * (1 + requests)
    return worth + ACCOUNT_WORTH * Math.max(0, now - 1) + 1
  }

  #row(source: number, nowUs: number): SourceRow {
    const { now, recent } = this.#accountsOf(source)
    const kind = this.#kinds[source] ?? 0
    return {
      srcIp: this.#ipOf(source),
      isOutside: this.#has(source, OUTSIDE),
      knownS: (nowUs - (this.#firstUs[source] ?? nowUs)) / US_PER_S,
      isRegistered: this.#isTrusted(source, nowUs),
      userAgent: this.#userAgents.textOf(kind),
      scanner: this.#scannerOf(source),
      peakPerS: this.#peaks[source] ?? 0,
      targets: this.#targetCounts[source] ?? 0,
      accounts: now,
      accountsRecent: recent,
      counts: this.#counters.of(source),
    }
  }

  #accountsOf(source: number): { readonly now: number; readonly recent: number } {
    const tried = this.#tried.get(source)
    if (tried !== undefined)
      return { now: tried.interval.count, recent: tried.recent.unionCount(tried.before) }
    const only = this.#onlyAccount[source] === 0 ? 0 : 1
    return { now: this.#triedNow[source] === 1 ? 1 : 0, recent: only }
  }

  #scannerOf(source: number): string | undefined {
    return this.#userAgents.scannerOf(this.#kinds[source] ?? 0) ?? this.#signs.get(source)
  }

  #isTrusted(source: number, nowUs: number): boolean {
    return (this.#trustedUs[source] ?? -Infinity) > nowUs - TRUSTED_FOR_US
  }

  #ipOf(source: number): string {
    const at = source * V6_WORDS
    const isV6 = this.#versions[source] === IPV6
    const text = addressText([...this.#words.subarray(at, at + (isV6 ? V6_WORDS : 1))])
    return isV6 ? `${text}/64` : text
  }
}
