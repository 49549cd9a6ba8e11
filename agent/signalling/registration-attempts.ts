import { isChallenge, isTooBrief, registrationOutcome } from './outcomes.ts'
import { SlotTable } from './slot-table.ts'
import type { Traffic } from './traffic.ts'
import { TIMEOUT_US } from './transactions.ts'

const MAX_ATTEMPTS = 32_768
const PENDING = 0

/** What a REGISTER asks for. */
export interface Wish {
  /** Sum of the first Contact; 0 and 0 for a REGISTER that only asks what there is. */
  readonly contactHigh: number
  readonly contactLow: number
  /** Undefined when it leaves the time to the registrar. */
  readonly expiresS: number | undefined
}

/** Attempts to register, from the first REGISTER through challenges to the outcome (RFC 6076 sections 4.1 and 4.2). */
export class RegistrationAttempts {
  readonly #traffic: Traffic
  readonly #table: SlotTable
  readonly #lanes = new Uint16Array(MAX_ATTEMPTS)
  /** What asked for another try, PENDING while one is on its way. */
  readonly #statuses = new Uint16Array(MAX_ATTEMPTS)
  readonly #startUs = new Float64Array(MAX_ATTEMPTS)
  readonly #lastUs = new Float64Array(MAX_ATTEMPTS)
  readonly #contactHigh = new Int32Array(MAX_ATTEMPTS)
  readonly #contactLow = new Int32Array(MAX_ATTEMPTS)
  /** -1 for undefined. */
  readonly #expiresS = new Float64Array(MAX_ATTEMPTS)
  readonly #count

  constructor(traffic: Traffic) {
    this.#traffic = traffic
    const evicted = traffic.indexOf('evicted')
    this.#table = new SlotTable(MAX_ATTEMPTS, (slot) => {
      traffic.add(this.#lanes[slot] ?? 0, evicted)
    })
    this.#count = {
      attempts: traffic.indexOf('registration_attempts'),
      ok: traffic.indexOf('registration_ok'),
      failed: traffic.indexOf('registration_failed'),
      timeouts: traffic.indexOf('registration_timeouts'),
      tooBrief: traffic.indexOf('registration_too_brief'),
      abandoned: traffic.indexOf('registration_abandoned'),
    }
  }

  get evicted(): number {
    return this.#table.evicted
  }

  /** A REGISTER, not a copy. */
  request(high: number, low: number, lane: number, wish: Wish, timeUs: number): void {
    const known = this.#table.find(high, low)
    const slot = known < 0 ? this.#table.add(high, low) : known
    if (known < 0) this.#startUs[slot] = timeUs
    this.#lanes[slot] = lane
    this.#statuses[slot] = PENDING
    this.#lastUs[slot] = timeUs
    this.#contactHigh[slot] = wish.contactHigh
    this.#contactLow[slot] = wish.contactLow
    this.#expiresS[slot] = wish.expiresS ?? -1
  }

  /** A final response, heard for the first time; what was asked for when it grants that. */
  respond(high: number, low: number, status: number, timeUs: number): Wish | undefined {
    const slot = this.#table.find(high, low)
    if (slot < 0) return undefined
    const lane = this.#lanes[slot] ?? 0
    const outcome = registrationOutcome(status)
    if (isTooBrief(status)) this.#traffic.add(lane, this.#count.tooBrief)
    if (outcome === 'continued') {
      this.#statuses[slot] = status
      this.#lastUs[slot] = timeUs
      return undefined
    }
    const wish = this.#wishOf(slot)
    if (outcome === 'ok')
      this.#traffic.addDelay(lane, 'registration', timeUs - (this.#startUs[slot] ?? 0))
    this.#decide(slot, outcome === 'ok' ? this.#count.ok : this.#count.failed)
    return outcome === 'ok' ? wish : undefined
  }

  /** Nobody answered (timer F). */
  timeOut(high: number, low: number): void {
    const slot = this.#table.find(high, low)
    if (slot < 0 || this.#statuses[slot] !== PENDING) return
    this.#traffic.add(this.#lanes[slot] ?? 0, this.#count.timeouts)
    this.#decide(slot, this.#count.failed)
  }

  /** Gives up what was not tried again. */
  settle(nowUs: number): void {
    this.#table.forEach((slot) => {
      const silentUs = nowUs - (this.#lastUs[slot] ?? 0)
      const status = this.#statuses[slot] ?? PENDING
      if (silentUs <= TIMEOUT_US) return
      if (status !== PENDING) {
        const isFailure = status >= 400 && !isChallenge(status)
        this.#decide(slot, isFailure ? this.#count.failed : this.#count.abandoned)
      } else if (silentUs > 2 * TIMEOUT_US) this.#table.remove(slot)
    })
  }

  /** Lanes become others. */
  remap(laneOf: (lane: number) => number): void {
    this.#table.forEach((slot) => {
      this.#lanes[slot] = laneOf(this.#lanes[slot] ?? 0)
    })
  }

  #decide(slot: number, index: number): void {
    const lane = this.#lanes[slot] ?? 0
    this.#traffic.add(lane, this.#count.attempts)
    this.#traffic.add(lane, index)
    this.#table.remove(slot)
  }

  #wishOf(slot: number): Wish {
    const expiresS = this.#expiresS[slot] ?? -1
    return {
      contactHigh: this.#contactHigh[slot] ?? 0,
      contactLow: this.#contactLow[slot] ?? 0,
      expiresS: expiresS < 0 ? undefined : expiresS,
    }
  }
}
