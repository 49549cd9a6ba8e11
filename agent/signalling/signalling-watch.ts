import { AddressOctets } from '../sip/address-octets.ts'
import type { SipMessage } from '../sip/message.ts'
import { METHODS, headerNumber } from '../sip/names.ts'
import { Accounts } from './accounts.ts'
import type { SignallingEvent } from './call-book.ts'
import { CallWatch } from './call-watch.ts'
import type { Heard } from './heard.ts'
import { MessageFacts } from './message-facts.ts'
import { checkNat } from './nat-check.ts'
import { OctetHash } from './octet-hash.ts'
import { Peers, directionOf, peerOf } from './peers.ts'
import { RegistrationWatch } from './registration-watch.ts'
import { SessionWatch } from './session-watch.ts'
import type { SignallingInterval, SignallingOptions } from './signalling-row.ts'
import { SourceWatch } from './source-watch.ts'
import { SteadyClock } from './steady-clock.ts'
import { Traffic, otherLane } from './traffic.ts'
import { Transactions } from './transactions.ts'
import { UserAgents } from './user-agents.ts'

const INVITE = METHODS.indexOf('INVITE')
const ACK = METHODS.indexOf('ACK')
const BYE = METHODS.indexOf('BYE')
const CANCEL = METHODS.indexOf('CANCEL')
const REGISTER = METHODS.indexOf('REGISTER')
const USER_AGENT = headerNumber('user-agent')
const SERVER = headerNumber('server')
const AUTHORIZATION = headerNumber('authorization')
const PROXY_AUTHORIZATION = headerNumber('proxy-authorization')
const REASON = headerNumber('reason')
/** Q.850: no circuit available, network out of order, temporary failure, switching equipment congestion. */
const CONGESTION = /\bQ\.850\b[^,]*;\s*cause\s*=\s*(?:34|38|41|42)\b/i
const US_PER_S = 1_000_000

export interface SignallingWatchOptions extends SignallingOptions {
  readonly seed: number
}

/** What is counted of SIP that passes, every message once; of limited size, whatever passes. */
export class SignallingWatch {
  readonly #facts: MessageFacts
  readonly #peers: Peers
  readonly #traffic = new Traffic()
  readonly #transactions: Transactions
  readonly #sessions: SessionWatch
  readonly #registrations: RegistrationWatch
  readonly #calls: CallWatch
  readonly #sources: SourceWatch
  readonly #accounts: Accounts
  readonly #userAgents: UserAgents
  readonly #address = new AddressOctets()
  readonly #clock = new SteadyClock()
  readonly #count
  #messages = 0
  #invalid = 0
  #firstUs: number | undefined
  #evicted = 0

  constructor({ seed, peers: named, ownNetworks, dialPlan, accountKey }: SignallingWatchOptions) {
    const traffic = this.#traffic
    const hash = new OctetHash(seed)
    const facts = new MessageFacts(seed)
    const peers = new Peers({ named, ownNetworks, seed })
    const userAgents = new UserAgents(hash)
    const accounts = new Accounts({ hash, userAgents, key: accountKey }, (account) => {
      this.#registrations.bindings.forget(account)
    })
    this.#facts = facts
    this.#peers = peers
    this.#userAgents = userAgents
    this.#accounts = accounts
    const evicted = traffic.indexOf('evicted')
    this.#transactions = new Transactions((lane) => {
      traffic.add(lane, evicted)
    })
    this.#registrations = new RegistrationWatch({ accounts, traffic, hash })
    this.#calls = new CallWatch({ dialPlan, accounts, peers, traffic, facts })
    this.#sessions = new SessionWatch({ traffic, peers, facts, calls: this.#calls })
    this.#sources = new SourceWatch({ accounts, peers, facts, userAgents, hash })
    this.#count = {
      tcp: traffic.indexOf('tcp'),
      clear: traffic.indexOf('clear_text'),
      credentials: traffic.indexOf('clear_credentials'),
      duplicated: traffic.indexOf('duplicated'),
      requestAgain: traffic.indexOf('retransmitted_requests'),
      responseAgain: traffic.indexOf('retransmitted_responses'),
      unanswered: traffic.indexOf('unanswered'),
      congestion: traffic.indexOf('congestion'),
      natChecked: traffic.indexOf('nat_checked'),
      natDamage: traffic.indexOf('nat_damage'),
      natMixed: traffic.indexOf('nat_mixed'),
    }
  }

  handle(told: Heard): void {
    const timeUs = this.#clock.timeOf(told.timeUs)
    const heard = timeUs === told.timeUs ? told : { ...told, timeUs }
    const { message, datagram } = heard
    this.#messages++
    this.#firstUs ??= timeUs
    if (!this.#facts.read(message)) return
    const { isRequest, method } = message
    const isAsking = (method === INVITE || method === REGISTER) && !this.#facts.hasToTag
    this.#peers.look(datagram, isRequest, isRequest && isAsking, timeUs)
    if (message.isRequest) this.#request(heard)
    else this.#response(heard)
  }

  /** Something looked like SIP and was none. */
  refuse(): void {
    this.#invalid++
  }

  /** What cannot wait for the end of the interval, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    return this.#calls.takeEvents()
  }

  /** What the interval had, which ends here. */
  takeInterval(endUs: number): SignallingInterval {
    const nowUs = this.#clock.end(endUs)
    const nameOf = (peer: number) => this.#peers.nameOf(peer)
    const watchedUs = nowUs - (this.#firstUs ?? nowUs)
    const { sources } = this.#sources
    this.#transactions.expire(nowUs, (slot) => {
      this.#expire(slot)
    })
    this.#registrations.attempts.settle(nowUs)
    this.#sessions.sessions.settle(nowUs)
    this.#calls.settle(nowUs)
    const interval = {
      traffic: this.#traffic.take(nameOf),
      bindings: this.#registrations.bindings.take(nowUs, watchedUs, nameOf),
      sources: sources.take(nowUs),
      accounts: this.#accounts.take(nowUs),
      watchedS: watchedUs / US_PER_S,
      messages: this.#messages,
      invalid: this.#invalid,
      seenSources: sources.seen,
      untold: sources.untold + this.#accounts.untold,
      evicted: this.#takeEvicted(),
    }
    this.#messages = 0
    this.#invalid = 0
    this.#forgetSilent(nowUs)
    return interval
  }

  #request(heard: Heard): void {
    const { message, timeUs } = heard
    const { lane } = this.#peers
    const { transactionHigh: high, transactionLow: low } = this.#facts
    const { method } = message
    // An ACK has no response, and may well come again.
    const known = method === ACK ? -1 : this.#transactions.find(high, low)
    if (known >= 0 && this.#transactions.repeat(known, true, timeUs) === 'copy') {
      this.#traffic.add(lane, this.#count.duplicated)
      return
    }
    const hasCredentials =
      message.rowOf(AUTHORIZATION) >= 0 || message.rowOf(PROXY_AUTHORIZATION) >= 0
    this.#traffic.countRequest(lane, method)
    this.#countSeen(heard, lane, hasCredentials)
    const source = this.#sources.ask(heard)
    // The same from elsewhere was sent by nobody who waits for an answer: a flood of one message from many false addresses.
    if (known >= 0 && this.#transactions.sourceOf(known) === source)
      this.#traffic.add(lane, this.#count.requestAgain)
    if (known >= 0 || method === ACK) return
    const isInitial = !this.#facts.hasToTag
    this.#sources.identify(heard, source)
    this.#sessions.look(heard)
    this.#transactions.open({
      high,
      low,
      lane,
      method,
      timeUs,
      isInitial,
      hasCredentials,
      attemptHigh: this.#sessions.high,
      attemptLow: this.#sessions.low,
      source,
    })
    if (isInitial) this.#begin(heard, source, lane)
    else this.#sessions.inside(heard)
  }

  /** A request outside of dialogs. */
  #begin(heard: Heard, source: number, lane: number): void {
    const { method } = heard.message
    if (method === CANCEL) return
    this.#sources.begin(heard, source)
    if (method === INVITE) {
      if (this.#sessions.invite(heard, lane)) this.#sources.spoof(source)
    } else if (method === REGISTER)
      this.#registrations.request(heard, this.#sessions.high, this.#sessions.low, lane)
    else return
    this.#checkNat(heard, lane)
  }

  #response(heard: Heard): void {
    const { message, timeUs } = heard
    const { statusCode } = message
    const transactions = this.#transactions
    const slot = transactions.find(this.#facts.transactionHigh, this.#facts.transactionLow)
    const lane = slot < 0 ? this.#peers.lane : transactions.laneOf(slot)
    const isAgain = slot >= 0 && transactions.statusOf(slot) === statusCode
    if (isAgain && transactions.repeat(slot, false, timeUs) === 'copy') {
      this.#traffic.add(lane, this.#count.duplicated)
      return
    }
    this.#traffic.countResponse(lane, statusCode)
    this.#countSeen(heard, lane, false)
    if (isAgain) this.#traffic.add(lane, this.#count.responseAgain)
    if (slot < 0 || transactions.isOver(slot)) return
    transactions.answer(slot, statusCode, timeUs)
    if (statusCode >= 200) this.#conclude(heard, slot, lane)
    else if (statusCode > 100 && this.#begins(slot, INVITE)) {
      const { high, low } = transactions.attemptOf(slot)
      this.#sessions.sessions.respond(high, low, statusCode, timeUs)
    }
  }

  /** The final response to a request has come. */
  #conclude(heard: Heard, slot: number, lane: number): void {
    const transactions = this.#transactions
    const { sources } = this.#sources
    const method = transactions.methodOf(slot)
    const attempt = transactions.attemptOf(slot)
    const sentUs = transactions.startUs(slot)
    const source = transactions.sourceOf(slot)
    const isStill = sources.isStill(source, sentUs)
    if (method === INVITE || method === REGISTER) this.#peers.markServer()
    this.#hearServer(heard.message, lane)
    if (isStill)
      this.#sources.answer(heard, source, method, transactions.hasCredentials(slot), attempt)
    if (method === BYE) this.#sessions.disconnect(heard, attempt, lane, sentUs)
    else if (this.#begins(slot, REGISTER)) {
      const kind = isStill ? sources.kindOf(source) : 0
      if (!this.#registrations.respond(heard, attempt, lane, kind)) return
      this.#peers.markRegistrar()
      if (isStill) sources.trust(source, heard.timeUs)
    } else if (this.#begins(slot, INVITE)) {
      const outcome = this.#sessions.conclude(heard, attempt)
      const isOurs = !this.#peers.isClientOutside || this.#isFromPeer(lane)
      if (isStill && isOurs && outcome === 'established') sources.trust(source, heard.timeUs)
    }
  }

  /** There was no final response. */
  #expire(slot: number): void {
    const transactions = this.#transactions
    const method = transactions.methodOf(slot)
    const lane = transactions.laneOf(slot)
    const attempt = transactions.attemptOf(slot)
    const source = transactions.sourceOf(slot)
    const isSilent = method !== INVITE || !transactions.hasProvisional(slot)
    if (isSilent && this.#sources.sources.isStill(source, transactions.startUs(slot)))
      this.#sources.giveUp(source)
    if (method !== INVITE) this.#traffic.add(lane, this.#count.unanswered)
    if (method === BYE) this.#sessions.disconnectTimeOut(attempt, lane)
    else if (this.#begins(slot, REGISTER))
      this.#registrations.attempts.timeOut(attempt.high, attempt.low)
    else if (this.#begins(slot, INVITE) && isSilent)
      this.#sessions.sessions.timeOut(attempt.high, attempt.low)
  }

  #begins(slot: number, method: number): boolean {
    return this.#transactions.isInitial(slot) && this.#transactions.methodOf(slot) === method
  }

  #isFromPeer(lane: number): boolean {
    return directionOf(lane) === 'from' && this.#peers.nameOf(peerOf(lane)) !== undefined
  }

  #countSeen({ message, isTcp }: Heard, lane: number, hasCredentials: boolean): void {
    const traffic = this.#traffic
    const { isLocal } = this.#peers
    if (isTcp) traffic.add(lane, this.#count.tcp)
    if (!isLocal) traffic.add(lane, this.#count.clear)
    if (!isLocal && hasCredentials) traffic.add(lane, this.#count.credentials)
    const row = message.rowOf(REASON)
    if (row >= 0 && CONGESTION.test(message.valueText(row)))
      traffic.add(lane, this.#count.congestion)
  }

  #checkNat({ message, datagram }: Heard, lane: number): void {
    const verdict = checkNat(message, datagram, this.#address)
    if (verdict === 'unknown') return
    this.#traffic.add(lane, this.#count.natChecked)
    if (verdict !== 'intact') this.#traffic.add(lane, this.#count.natDamage)
    if (verdict === 'mixed') this.#traffic.add(lane, this.#count.natMixed)
  }

  /** What the peer calls itself. */
  #hearServer(message: SipMessage, lane: number): void {
    if (directionOf(lane) !== 'to') return
    const row = message.rowOf(SERVER) < 0 ? message.rowOf(USER_AGENT) : message.rowOf(SERVER)
    if (row < 0) return
    const at = message.valueAt(row)
    const kind = this.#userAgents.kindOf(message.bytes, at, message.valueEnd(row))
    const text = this.#userAgents.textOf(kind)
    if (text !== undefined) this.#traffic.setServer(peerOf(lane), text)
  }

  #takeEvicted(): number {
    const evicted =
      this.#transactions.evicted +
      this.#sessions.sessions.evicted +
      this.#registrations.attempts.evicted +
      this.#registrations.bindings.evicted +
      this.#calls.calls.evicted +
      this.#calls.calls.dropped +
      this.#sources.sources.evicted +
      this.#accounts.evicted
    const since = evicted - this.#evicted
    this.#evicted = evicted
    return since
  }

  /** Peers long silent make room: what is still open with them goes on among the others. */
  #forgetSilent(nowUs: number): void {
    const silent = this.#peers.takeSilent(nowUs)
    if (silent.size === 0) return
    const laneOf = (lane: number) => (silent.has(peerOf(lane)) ? otherLane(lane) : lane)
    this.#transactions.remap(laneOf)
    this.#sessions.sessions.remap(laneOf)
    this.#registrations.remap(laneOf)
    this.#traffic.forget(silent)
  }
}
