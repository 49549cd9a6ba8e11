import type { SipMessage } from '../sip/message.ts'
import { METHODS, headerNumber } from '../sip/names.ts'
import type { CallWatch } from './call-watch.ts'
import type { Heard } from './heard.ts'
import type { MessageFacts } from './message-facts.ts'
import { isChallenge, type SessionOutcome } from './outcomes.ts'
import type { Peers } from './peers.ts'
import { Sessions } from './sessions.ts'
import type { Traffic } from './traffic.ts'

const BYE = METHODS.indexOf('BYE')
const RETRY_AFTER = headerNumber('retry-after')
const UNAVAILABLE = 503

export interface SessionWatchOptions {
  readonly traffic: Traffic
  readonly peers: Peers
  readonly facts: MessageFacts
  readonly calls: CallWatch
}

/** By what a session is found again; read from a transaction. */
export interface SessionKey {
  readonly high: number
  readonly low: number
}

/** From requests and responses to sessions on every hop, and to the calls they are hops of. */
export class SessionWatch {
  readonly sessions: Sessions
  readonly #options: SessionWatchOptions
  readonly #disconnects: number
  readonly #disconnectTimeouts: number
  /** Of the request looked at last. */
  high = 0
  low = 0

  constructor(options: SessionWatchOptions) {
    const { traffic } = options
    this.#options = options
    this.sessions = new Sessions(traffic)
    this.#disconnects = traffic.indexOf('disconnects')
    this.#disconnectTimeouts = traffic.indexOf('disconnect_timeouts')
  }

  /** The session a request belongs to, whoever of the two sends it. */
  look({ message }: Heard): void {
    const { facts } = this.#options
    this.#set()
    if (!facts.hasToTag || this.sessions.has(this.high, this.low)) return
    const { high, low } = this
    facts.turn(message)
    this.#set()
    if (this.sessions.has(this.high, this.low)) return
    this.high = high
    this.low = low
  }

  /** An INVITE outside of dialogs; true when it says it is from somebody it cannot be. */
  invite(heard: Heard, lane: number): boolean {
    const isNew = this.sessions.invite(this.high, this.low, lane, heard.timeUs)
    return this.#options.calls.invite(heard, this.high, this.low, !isNew)
  }

  /** A request within a dialog. */
  inside({ message, timeUs }: Heard): void {
    if (message.method === BYE) this.sessions.bye(this.high, this.low, timeUs)
    else this.sessions.touch(this.high, this.low, timeUs)
  }

  /** The final response to an INVITE outside of dialogs. */
  conclude({ message, timeUs }: Heard, { high, low }: SessionKey): SessionOutcome | undefined {
    const { facts, calls } = this.#options
    const { statusCode } = message
    const outcome = this.sessions.respond(high, low, statusCode, timeUs)
    if (outcome === undefined) return undefined
    if (outcome === 'redirected') calls.redirect(message)
    calls.calls.decide(facts.dialogHigh, facts.dialogLow, outcome, statusCode, timeUs)
    return outcome
  }

  /** The final response to a BYE that was sent at `sentUs`. */
  disconnect(
    { message, timeUs }: Heard,
    { high, low }: SessionKey,
    lane: number,
    sentUs: number,
  ): void {
    const { statusCode } = message
    if (isChallenge(statusCode)) return
    // Not yet: it is to be sent again (RFC 6076 section 4.4).
    if (statusCode === UNAVAILABLE && message.rowOf(RETRY_AFTER) >= 0) return
    const isDone = statusCode < 300
    const sinceUs = this.sessions.byeUs(high, low) || sentUs
    if (isDone) {
      const { traffic } = this.#options
      traffic.add(lane, this.#disconnects)
      traffic.addDelay(lane, 'disconnect', timeUs - sinceUs)
    }
    this.#end(high, low, isDone, timeUs)
    this.#endCall(message, isDone, sinceUs)
  }

  /** Nobody answered a BYE. */
  disconnectTimeOut({ high, low }: SessionKey, lane: number): void {
    this.#options.traffic.add(lane, this.#disconnectTimeouts)
    this.sessions.lose(high, low)
  }

  /** The call is over on all hops; those that see no BYE of their own would not know. */
  #endCall(message: SipMessage, isDone: boolean, timeUs: number): void {
    const { facts, calls } = this.#options
    if (!calls.calls.has(facts.dialogHigh, facts.dialogLow)) facts.turn(message)
    calls.calls.end(facts.dialogHigh, facts.dialogLow, timeUs, (high, low) => {
      if (this.sessions.byeUs(high, low) === 0) this.#end(high, low, isDone, timeUs)
    })
  }

  #end(high: number, low: number, isDone: boolean, timeUs: number): void {
    if (isDone) this.sessions.complete(high, low, timeUs)
    else this.sessions.lose(high, low)
  }

  #set(): void {
    const { facts, peers } = this.#options
    this.high = facts.dialogHigh ^ peers.pairWord
    this.low = facts.dialogLow
  }
}
