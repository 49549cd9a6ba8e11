/** Client transactions (RFC 3261 section 17.1, RFC 6026): what is sent again, and when it is over. Time and sending are arguments. */

export interface TransactionClock {
  /** Milliseconds that pass evenly, from any beginning. */
  monotonicMs(): number
  /** Calls back once, after the delay; the function returned takes that back. */
  setTimer(callback: () => void, delayMs: number): () => void
}

export interface TransactionTimers {
  /** An estimate of the round trip. */
  readonly t1Ms: number
  /** Longest time between two retransmissions of a request other than INVITE. */
  readonly t2Ms: number
  /** How long a message may live in the network. */
  readonly t4Ms: number
  /** Timers B and F: how long to wait for the answer. */
  readonly timeoutMs: number
}

/** RFC 3261 table 4; timers B and F are 64 T1. */
export const STANDARD_TIMERS: TransactionTimers = {
  t1Ms: 500,
  t2Ms: 4000,
  t4Ms: 5000,
  timeoutMs: 32_000,
}

/** Timer D over UDP: how long a refused INVITE is acknowledged again. */
const TIMER_D_MS = 32_000
/** Timer M, in T1: how long answers of further branches of an accepted INVITE may come (RFC 6026 section 7.2). */
const TIMER_M_T1S = 64
const FIRST_FINAL = 200
const FIRST_REFUSAL = 300

export interface TransactionOptions {
  readonly isInvite: boolean
  /** Over TCP and TLS nothing is sent twice. */
  readonly isReliable: boolean
  readonly timers: TransactionTimers
  readonly clock: TransactionClock
  /** Sends the request, for the first time or again. */
  readonly send: () => void
  /** Sends the ACK to a final response other than 2xx, for the first time or again; only ever asked of an INVITE. */
  readonly acknowledge?: () => void
  /** Nobody answered in time. Nothing more will come. */
  readonly onTimeout: () => void
  /**
   * All that is to come of it has come. Timer K is left to whoever hands on the responses: a branch that is remembered for T4 takes a
   * hundredth of the room that a transaction takes.
   */
  readonly onEnd: () => void
}

type State = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated'

export class ClientTransaction {
  readonly #options: TransactionOptions
  readonly #cancels = new Set<() => void>()
  #state: State = 'calling'
  #retransmissions = 0
  #cancelRetransmit = (): void => undefined
  #cancelTimeout = (): void => undefined

  constructor(options: TransactionOptions) {
    this.#options = options
  }

  get retransmissions(): number {
    return this.#retransmissions
  }

  get state(): State {
    return this.#state
  }

  start(): void {
    const { timers, isReliable, send } = this.#options
    send()
    if (this.#state === 'terminated') return
    if (!isReliable) this.#waitToRetransmit(timers.t1Ms)
    this.#cancelTimeout = this.#after(timers.timeoutMs, () => {
      this.#end()
      this.#options.onTimeout()
    })
  }

  /** Takes the status code of a response; true when its content is news, false for one that has been heard already. */
  receive(statusCode: number): boolean {
    const { isInvite, acknowledge } = this.#options
    if (this.#state === 'terminated') return false
    const isFinal = statusCode >= FIRST_FINAL
    const isRefusal = statusCode >= FIRST_REFUSAL
    if (this.#state === 'completed') {
      if (isRefusal) acknowledge?.()
      return false
    }
    if (this.#state === 'accepted') return isFinal && !isRefusal
    if (!isFinal) {
      this.#proceed()
      return true
    }
    this.#cancelRetransmit()
    this.#cancelTimeout()
    if (!isInvite) this.#end()
    else if (isRefusal) {
      acknowledge?.()
      this.#linger()
    } else this.#accept()
    return true
  }

  /** Ends it without a word. */
  stop(): void {
    if (this.#state !== 'terminated') this.#end()
  }

  #proceed(): void {
    if (this.#options.isInvite && this.#state === 'calling') {
      // From here on the callee may take its time; whoever called decides when to CANCEL.
      this.#cancelRetransmit()
      this.#cancelTimeout()
    }
    this.#state = 'proceeding'
  }

  /** Timer D: what is refused again must be acknowledged again. */
  #linger(): void {
    this.#state = 'completed'
    if (this.#options.isReliable) this.#end()
    else {
      this.#after(TIMER_D_MS, () => {
        this.#end()
      })
    }
  }

  #accept(): void {
    this.#state = 'accepted'
    this.#after(TIMER_M_T1S * this.#options.timers.t1Ms, () => {
      this.#end()
    })
  }

  /** Timers A and E. */
  #waitToRetransmit(delayMs: number): void {
    const { isInvite, timers, send } = this.#options
    this.#cancelRetransmit = this.#after(delayMs, () => {
      this.#retransmissions++
      send()
      if (this.#state === 'terminated') return
      if (isInvite) this.#waitToRetransmit(2 * delayMs)
      else if (this.#state === 'proceeding') this.#waitToRetransmit(timers.t2Ms)
      else this.#waitToRetransmit(Math.min(2 * delayMs, timers.t2Ms))
    })
  }

  #after(delayMs: number, callback: () => void): () => void {
    const cancel = this.#options.clock.setTimer(() => {
      this.#cancels.delete(cancel)
      callback()
    }, delayMs)
    this.#cancels.add(cancel)
    return () => {
      cancel()
      this.#cancels.delete(cancel)
    }
  }

  #end(): void {
    this.#state = 'terminated'
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
    this.#options.onEnd()
  }
}
