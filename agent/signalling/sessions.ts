import { isChallenge, sessionOutcome, type SessionOutcome } from './outcomes.ts'
import { SlotTable } from './slot-table.ts'
import type { Traffic } from './traffic.ts'
import { RINGING_US, TIMEOUT_US } from './transactions.ts'

const MAX_SESSIONS = 65_536
const US_PER_S = 1_000_000
/** A session with no message for so long is over. */
const IDLE_US = 4 * 3600 * US_PER_S

const PENDING = 1
/** Refused in a way that asks for another try. */
const CONTINUED = 2
const REDIRECTED = 3
const ESTABLISHED = 4
/** A BYE is on its way. */
const ENDING = 5

/**
 * Sessions between two addresses, from the INVITE that begins one to the BYE that ends it, and what RFC 6076 counts of them. The sum
 * they are known by is of Call-ID, tag of the caller and the two addresses: a call over three hops is three sessions.
 */
export class Sessions {
  readonly #traffic: Traffic
  readonly #table: SlotTable
  readonly #lanes = new Uint16Array(MAX_SESSIONS)
  readonly #states = new Uint8Array(MAX_SESSIONS)
  /** What asked for another try. */
  readonly #statuses = new Uint16Array(MAX_SESSIONS)
  readonly #startUs = new Float64Array(MAX_SESSIONS)
  /** First response but 100 and challenges; 0 when there is none. */
  readonly #respondedUs = new Float64Array(MAX_SESSIONS)
  readonly #answeredUs = new Float64Array(MAX_SESSIONS)
  readonly #byeUs = new Float64Array(MAX_SESSIONS)
  readonly #lastUs = new Float64Array(MAX_SESSIONS)
  readonly #count

  constructor(traffic: Traffic) {
    this.#traffic = traffic
    const evicted = traffic.indexOf('evicted')
    this.#table = new SlotTable(MAX_SESSIONS, (slot) => {
      traffic.add(this.#laneOf(slot), evicted)
    })
    this.#count = {
      attempts: traffic.indexOf('session_attempts'),
      established: traffic.indexOf('session_established'),
      redirected: traffic.indexOf('session_redirected'),
      declined: traffic.indexOf('session_declined'),
      cancelled: traffic.indexOf('session_cancelled'),
      failed: traffic.indexOf('session_failed'),
      ineffective: traffic.indexOf('session_ineffective'),
      timeouts: traffic.indexOf('session_timeouts'),
      abandoned: traffic.indexOf('session_abandoned'),
      completed: traffic.indexOf('session_completed'),
      lost: traffic.indexOf('session_lost'),
      duration: traffic.indexOf('session_duration_sum_s'),
      up: traffic.indexOf('sessions_up'),
      settingUp: traffic.indexOf('sessions_setting_up'),
    }
  }

  get size(): number {
    return this.#table.size
  }

  get evicted(): number {
    return this.#table.evicted
  }

  has(high: number, low: number): boolean {
    return this.#table.find(high, low) >= 0
  }

  /** An INVITE outside of a dialog, not a copy; true when it begins a session. */
  invite(high: number, low: number, lane: number, timeUs: number): boolean {
    const known = this.#table.find(high, low)
    if (known < 0) {
      const slot = this.#table.add(high, low)
      this.#lanes[slot] = lane
      this.#states[slot] = PENDING
      this.#startUs[slot] = timeUs
      this.#respondedUs[slot] = 0
      this.#byeUs[slot] = 0
      this.#lastUs[slot] = timeUs
      return true
    }
    this.#lastUs[known] = timeUs
    const state = this.#states[known]
    // The caller tries again; time runs since the first try. Else it is the same INVITE, passed on between the same two.
    if (state === CONTINUED || state === REDIRECTED) this.#states[known] = PENDING
    return false
  }

  /** A response but 100 to such an INVITE, heard for the first time; what it means, undefined when nothing. */
  respond(high: number, low: number, status: number, timeUs: number): SessionOutcome | undefined {
    const slot = this.#table.find(high, low)
    if (slot < 0) return undefined
    this.#lastUs[slot] = timeUs
    if (this.#states[slot] !== PENDING) return undefined
    const isContinued = status >= 200 && sessionOutcome(status) === 'continued'
    if (this.#respondedUs[slot] === 0 && !isContinued) this.#respondedUs[slot] = timeUs
    if (status < 200) return undefined
    const outcome = sessionOutcome(status)
    this.#decide(slot, outcome, status, timeUs)
    return outcome
  }

  /** Nobody answered its INVITE, not even provisionally (timer B). */
  timeOut(high: number, low: number): boolean {
    const slot = this.#table.find(high, low)
    if (slot < 0 || this.#states[slot] !== PENDING) return false
    const lane = this.#laneOf(slot)
    for (const index of [
      this.#count.attempts,
      this.#count.failed,
      this.#count.ineffective,
      this.#count.timeouts,
    ])
      this.#traffic.add(lane, index)
    this.#table.remove(slot)
    return true
  }

  /** A BYE; false when it is of no session known here. */
  bye(high: number, low: number, timeUs: number): boolean {
    const slot = this.#table.find(high, low)
    if (slot < 0) return false
    this.#lastUs[slot] = timeUs
    if (this.#states[slot] === ESTABLISHED) {
      this.#states[slot] = ENDING
      this.#byeUs[slot] = timeUs
    }
    return true
  }

  /** The BYE is answered. */
  complete(high: number, low: number, timeUs: number): void {
    const slot = this.#table.find(high, low)
    const state = slot < 0 ? 0 : this.#states[slot]
    if (state !== ENDING && state !== ESTABLISHED) return
    const byeUs = this.#byeUs[slot] || timeUs
    const lane = this.#laneOf(slot)
    this.#traffic.add(lane, this.#count.completed)
    const durationUs = Math.max(0, byeUs - (this.#answeredUs[slot] ?? 0))
    this.#traffic.add(lane, this.#count.duration, durationUs / US_PER_S)
    this.#table.remove(slot)
  }

  /** It ended, but not as it should. */
  lose(high: number, low: number): void {
    const slot = this.#table.find(high, low)
    if (slot < 0 || (this.#states[slot] !== ENDING && this.#states[slot] !== ESTABLISHED)) return
    this.#traffic.add(this.#laneOf(slot), this.#count.lost)
    this.#table.remove(slot)
  }

  /** Since when the BYE of a session has been on its way; 0 when none is. */
  byeUs(high: number, low: number): number {
    const slot = this.#table.find(high, low)
    return slot < 0 ? 0 : (this.#byeUs[slot] ?? 0)
  }

  /** Something was said within a session. */
  touch(high: number, low: number, timeUs: number): void {
    const slot = this.#table.find(high, low)
    if (slot >= 0) this.#lastUs[slot] = timeUs
  }

  /** Gives up what has been silent for too long, and counts what there is. */
  settle(nowUs: number): void {
    this.#table.forEach((slot) => {
      const lane = this.#laneOf(slot)
      const silentUs = nowUs - (this.#lastUs[slot] ?? 0)
      const state = this.#states[slot]
      if (state === ESTABLISHED || state === ENDING) {
        const limitUs = state === ESTABLISHED ? IDLE_US : 2 * TIMEOUT_US
        if (silentUs <= limitUs) this.#traffic.add(lane, this.#count.up)
        else this.#remove(slot, lane, this.#count.lost)
      } else if (state === PENDING) {
        if (silentUs <= RINGING_US) this.#traffic.add(lane, this.#count.settingUp)
        else this.#give(slot, lane, this.#count.abandoned)
      } else if (silentUs <= TIMEOUT_US) {
        if (state === CONTINUED) this.#traffic.add(lane, this.#count.settingUp)
      } else if (state === REDIRECTED) this.#table.remove(slot)
      else {
        const isAsked = isChallenge(this.#statuses[slot] ?? 0)
        this.#give(slot, lane, isAsked ? this.#count.abandoned : this.#count.failed)
      }
    })
  }

  /** Lanes become others. */
  remap(laneOf: (lane: number) => number): void {
    this.#table.forEach((slot) => {
      this.#lanes[slot] = laneOf(this.#laneOf(slot))
    })
  }

  #decide(slot: number, outcome: SessionOutcome, status: number, timeUs: number): void {
    const lane = this.#laneOf(slot)
    if (outcome === 'continued') {
      this.#states[slot] = CONTINUED
      this.#statuses[slot] = status
      this.#respondedUs[slot] = 0
      return
    }
    this.#traffic.add(lane, this.#count.attempts)
    this.#traffic.add(lane, this.#count[outcome === 'ineffective' ? 'failed' : outcome])
    const delayUs = (this.#respondedUs[slot] ?? timeUs) - (this.#startUs[slot] ?? timeUs)
    if (outcome === 'established') {
      this.#traffic.addDelay(lane, 'session', delayUs)
      this.#states[slot] = ESTABLISHED
      this.#answeredUs[slot] = timeUs
      this.#table.prove(slot)
    } else if (outcome === 'redirected') {
      this.#states[slot] = REDIRECTED
      this.#respondedUs[slot] = 0
    } else {
      if (outcome === 'ineffective') this.#traffic.add(lane, this.#count.ineffective)
      this.#traffic.addDelay(lane, 'sessionFailed', delayUs)
      this.#table.remove(slot)
    }
  }

  #give(slot: number, lane: number, index: number): void {
    this.#traffic.add(lane, this.#count.attempts)
    this.#remove(slot, lane, index)
  }

  #remove(slot: number, lane: number, index: number): void {
    this.#traffic.add(lane, index)
    this.#table.remove(slot)
  }

  #laneOf(slot: number): number {
    return this.#lanes[slot] ?? 0
  }
}
