import type { Accounts } from './accounts.ts'
import { DESTINATIONS, type Destination } from './dial-plan.ts'
import type { SessionOutcome } from './outcomes.ts'
import { SlotTable } from './slot-table.ts'

const MAX_CALLS = 65_536
/** Sessions of one call, on as many hops, that are ended with it. */
const MAX_HOPS = 4
const US_PER_S = 1_000_000
/** A call this short is one nobody meant to hold. */
const BRIEF_US = 10 * US_PER_S
const IDLE_US = 4 * 3600 * US_PER_S
const MAX_EMERGENCIES = 256
const MAX_EVENTS = 256
const NONE = -1

export type EmergencyState = 'calling' | 'answered' | 'failed' | 'ended'

/** What is told of a call to emergency services: never what is said in it. */
export interface EmergencyCall {
  readonly number: string
  /** Masked. */
  readonly caller: string
  readonly key: string | undefined
  readonly srcIp: string
  readonly dstIp: string
  readonly callId: string
}

export interface SignallingEvent extends EmergencyCall {
  readonly kind: 'emergency-call'
  readonly timeUs: number
  readonly state: EmergencyState
  readonly statusCode: number | undefined
}

export interface Beginning {
  readonly high: number
  readonly low: number
  readonly destination: Destination
  /** Sum of what was dialled. */
  readonly dialled: number
  readonly timeUs: number
}

/** Up to here DESTINATIONS are worth telling of, however late a call turns out to be one. */
const LAST_COSTLY = DESTINATIONS.indexOf('international')

/** Calls by Call-ID and tag of the caller, however many hops they are seen on: whose they are, and what comes of them. */
export class CallBook {
  readonly #accounts: Accounts
  readonly #table: SlotTable
  readonly #accountOf = new Int32Array(MAX_CALLS)
  readonly #stamps = new Uint32Array(MAX_CALLS)
  readonly #destinations = new Uint8Array(MAX_CALLS)
  readonly #dialled = new Int32Array(MAX_CALLS)
  readonly #answeredUs = new Float64Array(MAX_CALLS)
  readonly #lastUs = new Float64Array(MAX_CALLS)
  /** Sessions that are neither established nor refused. */
  readonly #pending = new Int16Array(MAX_CALLS)
  readonly #hops = new Int32Array(MAX_CALLS * MAX_HOPS * 2)
  readonly #emergencies = new Map<number, EmergencyCall>()
  #events: SignallingEvent[] = []
  #dropped = 0
  readonly #count

  constructor(accounts: Accounts) {
    this.#accounts = accounts
    this.#table = new SlotTable(MAX_CALLS, (slot) => {
      this.#hangUp(slot)
      this.#emergencies.delete(slot)
    })
    this.#count = {
      calls: accounts.indexOf('calls'),
      answered: accounts.indexOf('answered'),
      brief: accounts.indexOf('brief'),
      talked: accounts.indexOf('talked_s'),
      byDestination: DESTINATIONS.map((name) => accounts.indexOf(`calls_${name}`)),
    }
  }

  get evicted(): number {
    return this.#table.evicted
  }

  /** Events nobody was told of, as there were too many at once. */
  get dropped(): number {
    return this.#dropped
  }

  has(high: number, low: number): boolean {
    return this.#table.find(high, low) >= 0
  }

  /** A call that is nobody's yet. */
  begin({ high, low, destination, dialled, timeUs }: Beginning): void {
    const slot = this.#table.add(high, low)
    const kind = DESTINATIONS.indexOf(destination)
    this.#destinations[slot] = kind
    this.#dialled[slot] = dialled
    this.#answeredUs[slot] = 0
    this.#lastUs[slot] = timeUs
    this.#pending[slot] = 0
    this.#hops.fill(0, slot * MAX_HOPS * 2, (slot + 1) * MAX_HOPS * 2)
    this.#accountOf[slot] = NONE
  }

  /** Whether it is nobody's yet. */
  isFree(high: number, low: number): boolean {
    const slot = this.#table.find(high, low)
    return slot >= 0 && this.#accountOf[slot] === NONE
  }

  /** The call is the account's. */
  own(high: number, low: number, account: number): void {
    const slot = this.#table.find(high, low)
    if (slot < 0) return
    this.#accountOf[slot] = account
    this.#stamps[slot] = this.#accounts.stampOf(account)
    this.#accounts.add(account, this.#count.calls)
    const kind = this.#count.byDestination[this.#destinations[slot] ?? 0]
    if (kind !== undefined) this.#accounts.add(account, kind)
  }

  /**
   * It goes to this number as well: a hop further on says so, or the caller asks for another after a challenge, a redirect or an answer
   * (`isNext`). False when that is what was dialled last.
   */
  redial({ high, low, destination, dialled }: Omit<Beginning, 'timeUs'>, isNext: boolean): boolean {
    const slot = this.#table.find(high, low)
    if (slot < 0 || this.#dialled[slot] === dialled) return false
    const kind = DESTINATIONS.indexOf(destination)
    const isDearer = kind < (this.#destinations[slot] ?? 0)
    const account = this.#ownerOf(slot)
    const isUp = this.#answeredUs[slot] !== 0
    if (isNext) {
      this.#dialled[slot] = dialled
      if (account !== NONE) this.#accounts.dial(account, dialled)
      if (account !== NONE && isUp) this.#accounts.add(account, this.#count.calls)
    }
    if (kind > LAST_COSTLY || !(isNext || isDearer)) return true
    this.#hangUp(slot)
    this.#destinations[slot] = kind
    if (account === NONE) return true
    if (isUp) this.#accounts.talk(account, 1, this.#isCostly(slot))
    this.#accounts.add(account, this.#count.byDestination[kind] ?? 0)
    return true
  }

  isAlarmed(high: number, low: number): boolean {
    return this.#emergencies.has(this.#table.find(high, low))
  }

  /** It is a call for help, from now on told of at once. */
  alarm(high: number, low: number, emergency: EmergencyCall, timeUs: number): void {
    const slot = this.#table.find(high, low)
    if (slot < 0 || this.#emergencies.size >= MAX_EMERGENCIES) {
      this.#dropped++
      return
    }
    this.#emergencies.set(slot, emergency)
    this.#table.prove(slot)
    this.#tell(slot, 'calling', undefined, timeUs)
  }

  /** One more hop of it has been seen. */
  hop(high: number, low: number, sessionHigh: number, sessionLow: number): void {
    const slot = this.#table.find(high, low)
    if (slot < 0) return
    const number = this.#pending[slot] ?? 0
    this.#pending[slot] = number + 1
    if (number >= MAX_HOPS) return
    const at = (slot * MAX_HOPS + number) * 2
    this.#hops[at] = sessionHigh
    this.#hops[at + 1] = sessionLow
  }

  /** What became of one of its sessions. */
  decide(
    high: number,
    low: number,
    outcome: SessionOutcome,
    status: number | undefined,
    timeUs: number,
  ): void {
    const slot = this.#table.find(high, low)
    if (slot < 0 || outcome === 'continued') return
    this.#lastUs[slot] = timeUs
    if (outcome === 'established') {
      this.#answer(slot, timeUs)
      return
    }
    this.#pending[slot] = Math.max(0, (this.#pending[slot] ?? 0) - 1)
    if (this.#pending[slot] > 0 || this.#answeredUs[slot] !== 0 || outcome === 'redirected') return
    this.#tell(slot, 'failed', status, timeUs)
    this.#forget(slot)
  }

  /** It is over; tells of the sessions it had. */
  end(
    high: number,
    low: number,
    timeUs: number,
    visit: (sessionHigh: number, sessionLow: number) => void,
  ): void {
    const slot = this.#table.find(high, low)
    if (slot < 0 || this.#answeredUs[slot] === 0) return
    const talkedUs = Math.max(0, timeUs - (this.#answeredUs[slot] ?? 0))
    const account = this.#ownerOf(slot)
    if (account !== NONE) {
      this.#accounts.add(account, this.#count.talked, talkedUs / US_PER_S)
      if (talkedUs < BRIEF_US) this.#accounts.add(account, this.#count.brief)
    }
    this.#tell(slot, 'ended', undefined, timeUs)
    for (let at = slot * MAX_HOPS * 2; at < (slot + 1) * MAX_HOPS * 2; at += 2) {
      const [sessionHigh, sessionLow] = [this.#hops[at] ?? 0, this.#hops[at + 1] ?? 0]
      if (sessionHigh !== 0 || sessionLow !== 0) visit(sessionHigh, sessionLow)
    }
    this.#forget(slot)
  }

  /** What happened that cannot wait, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Gives up those of which nothing was heard for too long. */
  settle(nowUs: number, ringingUs: number): void {
    this.#table.forEach((slot) => {
      const silentUs = nowUs - (this.#lastUs[slot] ?? 0)
      if (silentUs > (this.#answeredUs[slot] === 0 ? ringingUs : IDLE_US)) this.#forget(slot)
    })
  }

  #answer(slot: number, timeUs: number): void {
    if (this.#answeredUs[slot] !== 0) return
    this.#answeredUs[slot] = timeUs
    this.#table.prove(slot)
    const account = this.#ownerOf(slot)
    if (account !== NONE) {
      this.#accounts.add(account, this.#count.answered)
      this.#accounts.talk(account, 1, this.#isCostly(slot))
    }
    this.#tell(slot, 'answered', 200, timeUs)
  }

  #forget(slot: number): void {
    this.#hangUp(slot)
    this.#emergencies.delete(slot)
    this.#table.remove(slot)
  }

  #hangUp(slot: number): void {
    const account = this.#ownerOf(slot)
    if (this.#answeredUs[slot] === 0 || account === NONE) return
    this.#accounts.talk(account, -1, this.#isCostly(slot))
  }

  #ownerOf(slot: number): number {
    const account = this.#accountOf[slot] ?? NONE
    return this.#accounts.isStill(account, this.#stamps[slot] ?? 0) ? account : NONE
  }

  #isCostly(slot: number): boolean {
    const destination = DESTINATIONS[this.#destinations[slot] ?? 0]
    return destination === 'premium' || destination === 'international'
  }

  #tell(slot: number, state: EmergencyState, statusCode: number | undefined, timeUs: number): void {
    const emergency = this.#emergencies.get(slot)
    if (emergency === undefined) return
    if (this.#events.length >= MAX_EVENTS) {
      this.#dropped++
      return
    }
    this.#events.push({ kind: 'emergency-call', timeUs, state, statusCode, ...emergency })
  }
}
