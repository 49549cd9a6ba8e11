import { METHODS } from '../sip/names.ts'
import { SlotTable } from './slot-table.ts'

/** As many as are open at 2,000 a second for 32 s. */
const MAX_TRANSACTIONS = 65_536
/** Timers B, F, H and J: nothing of a transaction comes after this (RFC 3261 table 4). */
export const TIMEOUT_US = 32_000_000
/** An INVITE somebody works on may take its time: timer C of a proxy is more than three minutes (RFC 3261 section 16.6). */
export const RINGING_US = 300_000_000
/** A timer of SIP is never this short: what comes again this soon, unasked for, the tap has seen twice. */
const COPY_WITHIN_US = 5000

const INVITE = METHODS.indexOf('INVITE')
const PROVISIONAL = 1
const HAS_CREDENTIALS = 2
/** A copy was seen; what comes again now is no second one. */
const IS_COPIED = 4
/** The request came again; the response will. */
const IS_ASKED_AGAIN = 8

/** What a request that came again is. */
export type Repeat = 'copy' | 'retransmission'

export interface Opening {
  readonly high: number
  readonly low: number
  readonly lane: number
  readonly method: number
  readonly timeUs: number
  /** It begins something, outside of a dialog. */
  readonly isInitial: boolean
  readonly hasCredentials: boolean
  /** The sum the attempt it belongs to is known by. */
  readonly attemptHigh: number
  readonly attemptLow: number
  readonly source: number
}

/** Requests and what became of them: from the first copy until 32 s later, of an INVITE that rings until 5 min later. */
export class Transactions {
  readonly #table: SlotTable
  readonly #lanes = new Uint16Array(MAX_TRANSACTIONS)
  readonly #methods = new Int8Array(MAX_TRANSACTIONS)
  readonly #flags = new Uint8Array(MAX_TRANSACTIONS)
  readonly #initial = new Uint8Array(MAX_TRANSACTIONS)
  readonly #statuses = new Uint16Array(MAX_TRANSACTIONS)
  readonly #startUs = new Float64Array(MAX_TRANSACTIONS)
  readonly #lastUs = new Float64Array(MAX_TRANSACTIONS)
  readonly #attemptHigh = new Int32Array(MAX_TRANSACTIONS)
  readonly #attemptLow = new Int32Array(MAX_TRANSACTIONS)
  readonly #sources = new Int32Array(MAX_TRANSACTIONS)

  /** `onEvicted` is told the lane of an open transaction that gave way. */
  constructor(onEvicted: (lane: number) => void) {
    this.#table = new SlotTable(MAX_TRANSACTIONS, (slot) => {
      if (!this.isOver(slot)) onEvicted(this.laneOf(slot))
    })
  }

  find(high: number, low: number): number {
    return this.#table.find(high, low)
  }

  open(opening: Opening): number {
    const slot = this.#table.add(opening.high, opening.low)
    this.#lanes[slot] = opening.lane
    this.#methods[slot] = opening.method
    this.#flags[slot] = opening.hasCredentials ? HAS_CREDENTIALS : 0
    this.#initial[slot] = opening.isInitial ? 1 : 0
    this.#statuses[slot] = 0
    this.#startUs[slot] = opening.timeUs
    this.#lastUs[slot] = opening.timeUs
    this.#attemptHigh[slot] = opening.attemptHigh
    this.#attemptLow[slot] = opening.attemptLow
    this.#sources[slot] = opening.source
    return slot
  }

  /** Its request, or its final response, came again. */
  repeat(slot: number, isRequest: boolean, timeUs: number): Repeat {
    const isSoon = timeUs - (this.#lastUs[slot] ?? 0) < COPY_WITHIN_US
    const isWanted = !isRequest && this.#has(slot, IS_ASKED_AGAIN)
    const flags = (this.#flags[slot] ?? 0) & ~(IS_COPIED | IS_ASKED_AGAIN)
    const isCopy = isSoon && !isWanted && !this.#has(slot, IS_COPIED)
    this.#lastUs[slot] = timeUs
    if (isCopy) this.#flags[slot] = flags | IS_COPIED
    else this.#flags[slot] = isRequest ? flags | IS_ASKED_AGAIN : flags
    return isCopy ? 'copy' : 'retransmission'
  }

  answer(slot: number, status: number, timeUs: number): void {
    if (status < 200) {
      if (this.methodOf(slot) === INVITE && !this.hasProvisional(slot)) this.#table.prove(slot)
      this.#flags[slot] = (this.#flags[slot] ?? 0) | PROVISIONAL
      return
    }
    this.#statuses[slot] = status
    this.#lastUs[slot] = timeUs
    this.#flags[slot] = (this.#flags[slot] ?? 0) & ~IS_COPIED
  }

  laneOf(slot: number): number {
    return this.#lanes[slot] ?? 0
  }

  methodOf(slot: number): number {
    return this.#methods[slot] ?? 0
  }

  startUs(slot: number): number {
    return this.#startUs[slot] ?? 0
  }

  /** Its final response, or 0. */
  statusOf(slot: number): number {
    return this.#statuses[slot] ?? 0
  }

  isOver(slot: number): boolean {
    return this.statusOf(slot) !== 0
  }

  isInitial(slot: number): boolean {
    return this.#initial[slot] === 1
  }

  hasCredentials(slot: number): boolean {
    return this.#has(slot, HAS_CREDENTIALS)
  }

  hasProvisional(slot: number): boolean {
    return this.#has(slot, PROVISIONAL)
  }

  /** By what the attempt it belongs to is known. */
  attemptOf(slot: number): { readonly high: number; readonly low: number } {
    return { high: this.#attemptHigh[slot] ?? 0, low: this.#attemptLow[slot] ?? 0 }
  }

  sourceOf(slot: number): number {
    return this.#sources[slot] ?? 0
  }

  /** Forgets those whose time is over; tells of the ones that had no final response. */
  expire(nowUs: number, onUnanswered: (slot: number) => void): void {
    for (const isProven of [false, true]) {
      const sinceUs = nowUs - (isProven ? RINGING_US : TIMEOUT_US)
      for (let slot = this.#table.oldest(isProven); slot >= 0;) {
        if (this.startUs(slot) > sinceUs) break
        const next = this.#table.newer(slot)
        if (!this.isOver(slot)) onUnanswered(slot)
        this.#table.remove(slot)
        slot = next
      }
    }
  }

  /** Lanes become others. */
  remap(laneOf: (lane: number) => number): void {
    this.#table.forEach((slot) => {
      this.#lanes[slot] = laneOf(this.laneOf(slot))
    })
  }

  get size(): number {
    return this.#table.size
  }

  get evicted(): number {
    return this.#table.evicted
  }

  #has(slot: number, flag: number): boolean {
    return ((this.#flags[slot] ?? 0) & flag) !== 0
  }
}
