import type { Accounts } from './accounts.ts'
import { SlotTable } from './slot-table.ts'

const MAX_BINDINGS = 100_000
const US_PER_S = 1_000_000
const NONE = -1
/** Past this share of its time a binding ought to have been renewed. */
const OVERDUE_SHARE = 0.9
const LATE_SHARE_LEFT = 0.1
const EARLY_SHARE_LEFT = 0.75
/** Of what lasts longer than a day nobody waits for the refresh, to say that all registrations have been seen. */
const MAX_COMPLETE_US = 24 * 3600 * US_PER_S

/** Registrations at one registrar over one interval. */
export interface BindingsRow {
  /** Undefined for those of all registrars that are not told apart. */
  readonly target: string | undefined
  /** Watched for as long as the longest registration seen lasts. */
  readonly isComplete: boolean
  readonly active: number
  readonly accounts: number
  readonly overdue: number
  readonly nextLapseS: number | undefined
  readonly expired: number
  readonly removed: number
  readonly added: number
  readonly refreshed: number
  readonly refreshedEarly: number
  readonly refreshedLate: number
  readonly expiresMinS: number | undefined
  readonly expiresMaxS: number | undefined
  readonly evicted: number
}

interface Draft {
  active: number
  accounts: Set<number>
  overdue: number
  nextLapseS: number | undefined
  expired: number
  removed: number
  added: number
  refreshed: number
  refreshedEarly: number
  refreshedLate: number
  expiresMinS: number | undefined
  expiresMaxS: number | undefined
  evicted: number
}

/** One contact of a list in a 200 to REGISTER, and of how long. */
export interface Granted {
  readonly high: number
  readonly low: number
  readonly expiresS: number
}

/** What a registrar says an account has. */
export interface GrantedList {
  readonly list: readonly Granted[]
  readonly isWhole: boolean
}

/** Who is registered, where and until when: by the lists of bindings registrars send (RFC 3261 section 10.3). */
export class Bindings {
  readonly #accounts: Accounts
  readonly #table: SlotTable
  readonly #accountOf = new Int32Array(MAX_BINDINGS)
  readonly #peers = new Uint16Array(MAX_BINDINGS)
  readonly #expiresUs = new Float64Array(MAX_BINDINGS)
  readonly #grantedUs = new Float64Array(MAX_BINDINGS)
  /** The bindings of an account, chained; slot + 1, 0 ends. */
  readonly #next = new Int32Array(MAX_BINDINGS)
  readonly #first: Int32Array
  readonly #listed = new Set<number>()
  readonly #drafts = new Map<number, Draft>()
  /** Peers that have granted a binding: that there is none left is worth telling. */
  readonly #registrars = new Set<number>()
  #longestUs = 0

  /** `slots`: as many accounts as there may be. */
  constructor(accounts: Accounts, slots: number) {
    this.#accounts = accounts
    this.#first = new Int32Array(slots)
    this.#table = new SlotTable(MAX_BINDINGS, (slot) => {
      this.#draftOf(this.#peers[slot] ?? 0).evicted++
      this.#unchain(slot)
      this.#accounts.bind(this.#accountOf[slot] ?? 0, -1, 'removed')
    })
  }

  get size(): number {
    return this.#table.size
  }

  get evicted(): number {
    return this.#table.evicted
  }

  /**
   * A registrar lists what an account has now: what is not in the list is gone, unless it is longer than we read. `own` is the contact
   * the request was about, by its sum; a registrar may have changed its address, and when the list has but one that is it.
   */
  accept(
    account: number,
    peer: number,
    { list, isWhole }: GrantedList,
    own: { readonly high: number; readonly low: number } | undefined,
    timeUs: number,
  ): void {
    const only = list.length === 1 ? list[0] : undefined
    this.#listed.clear()
    for (const granted of list) {
      if (granted.expiresS <= 0) continue
      const isOwn = granted.high === own?.high && granted.low === own.low
      const isOnly = own !== undefined && only !== undefined
      const slot = this.#grant(account, peer, granted, isOwn || isOnly, timeUs)
      this.#listed.add(slot)
    }
    for (let slot = isWhole ? (this.#first[account] ?? 0) - 1 : NONE; slot >= 0;) {
      const next = (this.#next[slot] ?? 0) - 1
      if (this.#peers[slot] === peer && !this.#listed.has(slot)) {
        this.#draftOf(peer).removed++
        this.#remove(slot, 'removed')
      }
      slot = next
    }
  }

  /** The account gives way: its bindings go with it. */
  forget(account: number): void {
    for (let slot = (this.#first[account] ?? 0) - 1; slot >= 0;) {
      const next = (this.#next[slot] ?? 0) - 1
      this.#draftOf(this.#peers[slot] ?? 0).evicted++
      this.#table.remove(slot)
      slot = next
    }
    this.#first[account] = 0
  }

  /** Looks at all, and ends the interval. `watchedUs`: how long the tap has watched. */
  take(
    nowUs: number,
    watchedUs: number,
    nameOf: (peer: number) => string | undefined,
  ): readonly BindingsRow[] {
    for (const peer of this.#registrars) this.#draftOf(peer)
    this.#table.forEach((slot) => {
      this.#look(slot, nowUs)
    })
    const rows = new Map<string | undefined, Draft>()
    for (const [peer, draft] of this.#drafts) {
      const name = nameOf(peer)
      const known = rows.get(name)
      rows.set(name, known === undefined ? draft : together(known, draft))
    }
    this.#drafts.clear()
    const isComplete = watchedUs >= Math.min(this.#longestUs, MAX_COMPLETE_US)
    return [...rows].map(([target, { accounts, ...draft }]) => ({
      target,
      isComplete,
      ...draft,
      accounts: accounts.size,
    }))
  }

  /** Peers become others. */
  remap(peerOf: (peer: number) => number): void {
    this.#table.forEach((slot) => {
      this.#peers[slot] = peerOf(this.#peers[slot] ?? 0)
    })
    for (const peer of this.#registrars) if (peerOf(peer) !== peer) this.#registrars.delete(peer)
  }

  #grant(
    account: number,
    peer: number,
    { high, low, expiresS }: Granted,
    isOwn: boolean,
    timeUs: number,
  ): number {
    const draft = this.#draftOf(peer)
    const stamp = Math.imul(this.#accounts.stampOf(account), peer + 1)
    const known = this.#table.find(high ^ stamp, low)
    const slot = known < 0 ? this.#table.add(high ^ stamp, low) : known
    if (known < 0) {
      draft.added++
      this.#registrars.add(peer)
      this.#accountOf[slot] = account
      this.#next[slot] = this.#first[account] ?? 0
      this.#first[account] = slot + 1
      this.#peers[slot] = peer
      this.#accounts.bind(account, 1, 'registered')
    } else if (isOwn) this.#refresh(slot, draft, timeUs)
    if (known < 0 || isOwn) {
      draft.expiresMinS = Math.min(draft.expiresMinS ?? expiresS, expiresS)
      draft.expiresMaxS = Math.max(draft.expiresMaxS ?? expiresS, expiresS)
      this.#grantedUs[slot] = expiresS * US_PER_S
      this.#longestUs = Math.max(this.#longestUs, expiresS * US_PER_S)
      this.#table.touch(slot)
    }
    this.#expiresUs[slot] = timeUs + expiresS * US_PER_S
    return slot
  }

  #refresh(slot: number, draft: Draft, timeUs: number): void {
    const leftShare = ((this.#expiresUs[slot] ?? 0) - timeUs) / (this.#grantedUs[slot] ?? 1)
    if (leftShare <= 0) {
      draft.expired++
      draft.added++
      return
    }
    draft.refreshed++
    if (leftShare > EARLY_SHARE_LEFT) draft.refreshedEarly++
    if (leftShare < LATE_SHARE_LEFT) draft.refreshedLate++
  }

  #look(slot: number, nowUs: number): void {
    const draft = this.#draftOf(this.#peers[slot] ?? 0)
    const account = this.#accountOf[slot] ?? 0
    const leftUs = (this.#expiresUs[slot] ?? 0) - nowUs
    if (leftUs <= 0) {
      draft.expired++
      this.#remove(slot, 'expired')
      return
    }
    draft.active++
    draft.accounts.add(account)
    if (leftUs >= (this.#grantedUs[slot] ?? 0) * (1 - OVERDUE_SHARE)) return
    draft.overdue++
    draft.nextLapseS = Math.min(draft.nextLapseS ?? Infinity, leftUs / US_PER_S)
    this.#accounts.markOverdue(account)
  }

  #remove(slot: number, why: 'removed' | 'expired'): void {
    this.#unchain(slot)
    this.#table.remove(slot)
    this.#accounts.bind(this.#accountOf[slot] ?? 0, -1, why)
  }

  #unchain(slot: number): void {
    const account = this.#accountOf[slot] ?? 0
    const next = this.#next[slot] ?? 0
    if (this.#first[account] === slot + 1) {
      this.#first[account] = next
      return
    }
    for (let other = (this.#first[account] ?? 0) - 1; other >= 0;) {
      const behind = this.#next[other] ?? 0
      if (behind === slot + 1) {
        this.#next[other] = next
        return
      }
      other = behind - 1
    }
  }

  #draftOf(peer: number): Draft {
    const known = this.#drafts.get(peer)
    if (known !== undefined) return known
    const draft: Draft = {
      active: 0,
      accounts: new Set(),
      overdue: 0,
      nextLapseS: undefined,
      expired: 0,
      removed: 0,
      added: 0,
      refreshed: 0,
      refreshedEarly: 0,
      refreshedLate: 0,
      expiresMinS: undefined,
      expiresMaxS: undefined,
      evicted: 0,
    }
    this.#drafts.set(peer, draft)
    return draft
  }
}

function together(a: Draft, b: Draft): Draft {
  return {
    active: a.active + b.active,
    accounts: new Set([...a.accounts, ...b.accounts]),
    overdue: a.overdue + b.overdue,
    nextLapseS: least(a.nextLapseS, b.nextLapseS),
    expired: a.expired + b.expired,
    removed: a.removed + b.removed,
    added: a.added + b.added,
    refreshed: a.refreshed + b.refreshed,
    refreshedEarly: a.refreshedEarly + b.refreshedEarly,
    refreshedLate: a.refreshedLate + b.refreshedLate,
    expiresMinS: least(a.expiresMinS, b.expiresMinS),
    expiresMaxS: most(a.expiresMaxS, b.expiresMaxS),
    evicted: a.evicted + b.evicted,
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

function most(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}
