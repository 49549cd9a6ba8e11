import { addressText } from '../capture/address.ts'
import type { Datagram } from '../capture/datagram.ts'
import { AddressOctets } from '../sip/address-octets.ts'
import type { SipMessage } from '../sip/message.ts'
import { headerNumber } from '../sip/names.ts'
import { LOWER_CASE_BIT, textOf } from '../sip/octets.ts'
import { parameterName } from '../sip/parameter.ts'
import { isNumber, maskedParty } from '../sip/uri.ts'
import type { Accounts } from './accounts.ts'
import { CallBook, type SignallingEvent } from './call-book.ts'
import { valueEnd } from './contacts.ts'
import { forwarderIn } from './call-history.ts'
import { DialPlan, type Destination, type DialPlanOptions } from './dial-plan.ts'
import type { Heard } from './heard.ts'
import { CALL_ID, FROM, TO, type MessageFacts } from './message-facts.ts'
import { directionOf, type Peers } from './peers.ts'
import { RINGING_US } from './transactions.ts'
import type { Traffic } from './traffic.ts'

const CONTACT = headerNumber('contact')
const DIVERSION = headerNumber('diversion')
const ASSERTED = headerNumber('p-asserted-identity')
/** Where servers take the caller's name from, too (RFC 3325 section 9.2; draft-ietf-sip-privacy-04). */
const ALSO_SHOWN = [headerNumber('p-preferred-identity'), headerNumber('remote-party-id')]
/** There are two at most (RFC 3325 section 9.1). */
const MAX_NAMES = 4
const VERSTAT_FAILED = parameterName('verstat=tn-validation-failed')
/** Escapes and visual separators make numbers longer than they are. */
const MAX_USER_OCTETS = 128
const MAX_CALL_ID_OCTETS = 256
const V6_WORDS = 4
const IPV6 = 6
const NONE = -1

export interface CallWatchOptions {
  readonly dialPlan: DialPlanOptions
  readonly accounts: Accounts
  readonly peers: Peers
  readonly traffic: Traffic
  readonly facts: MessageFacts
}

/** Who calls what: calls by account and destination, forwards, identities that are not what they say, and calls for help. */
export class CallWatch {
  readonly calls: CallBook
  readonly #options: CallWatchOptions
  readonly #plan: DialPlan
  readonly #from = new AddressOctets()
  readonly #other = new AddressOctets()
  readonly #count

  constructor(options: CallWatchOptions) {
    const { accounts, traffic } = options
    this.#options = options
    this.#plan = new DialPlan(options.dialPlan)
    this.calls = new CallBook(accounts)
    this.#count = {
      spoofed: traffic.indexOf('spoofed'),
      mismatch: traffic.indexOf('identity_mismatch'),
      verstat: traffic.indexOf('verstat_failed'),
      forwards: accounts.indexOf('forwards'),
      forwardsPremium: accounts.indexOf('forwards_premium'),
      forwardsInternational: accounts.indexOf('forwards_international'),
    }
  }

  /**
   * An INVITE that begins a call, shows it on one more hop, or asks again on one it was seen on (`isAgain`), maybe for somebody else;
   * true when it says it is from somebody it cannot be.
   */
  invite(heard: Heard, sessionHigh: number, sessionLow: number, isAgain: boolean): boolean {
    const { message, datagram, timeUs } = heard
    const { facts, peers } = this.#options
    const { dialogHigh: high, dialogLow: low } = facts
    const hasCaller = this.#readRow(message, FROM, this.#from)
    const dialled = dialledIn(message, this.#other)
    const { destination, emergencyNumber } = this.#plan.read(dialled)
    const call = { high, low, destination, dialled: sumOf(dialled) }
    if (!this.calls.has(high, low)) this.calls.begin({ ...call, timeUs })
    else if (!this.calls.redial(call, isAgain) && isAgain) return false
    if (emergencyNumber !== undefined) this.#alarm(heard, emergencyNumber, hasCaller)
    if (this.calls.isFree(high, low)) {
      const forwarder = this.#forwarderOf(message, destination, timeUs)
      const account =
        forwarder !== NONE || !hasCaller ? forwarder : this.#callerOf(message, datagram, timeUs)
      if (account !== NONE) {
        this.calls.own(high, low, account)
        this.#options.accounts.dial(account, call.dialled)
      }
    }
    if (isAgain) return false
    this.calls.hop(high, low, sessionHigh, sessionLow)
    return hasCaller && this.#checkIdentity(message, datagram, peers.lane)
  }

  /** A 3xx to an INVITE: whom it was for passes it on. */
  redirect(message: SipMessage): void {
    if (!this.#readRow(message, TO, this.#other)) return
    const { accounts } = this.#options
    const account = accounts.find(message.bytes, this.#other)
    const row = message.rowOf(CONTACT)
    if (account < 0 || row < 0 || !this.#readRow(message, CONTACT, this.#other)) return
    const { userAt, userEnd } = this.#other
    this.#countForward(account, this.#plan.read(userIn(message.bytes, userAt, userEnd)).destination)
  }

  takeEvents(): readonly SignallingEvent[] {
    return this.calls.takeEvents()
  }

  settle(nowUs: number): void {
    this.calls.settle(nowUs, RINGING_US)
  }

  /**
   * Whose call it is: an account's that is registered, or whoever's inside that asks a peer. What a peer asks of us is for us, not from
   * us, and a stranger outside is nobody's account.
   */
  #callerOf(message: SipMessage, datagram: Datagram, timeUs: number): number {
    const { accounts, peers } = this.#options
    const { bytes } = message
    const known = accounts.find(bytes, this.#from)
    const isOurs = known >= 0 && accounts.bindingsOf(known) > 0
    if (!isOurs && (peers.isClientOutside || directionOf(peers.lane) === 'from')) return NONE
    if (peers.isClientOutside && !isFrom(accounts, known, datagram)) return NONE
    const account = accounts.findOrAdd(bytes, this.#from, timeUs)
    accounts.place(account, datagram.ipVersion, datagram.source, 0)
    return account
  }

  /** Counts what a caller says of itself that does not fit; true when it says it is one of ours and comes from elsewhere. */
  #checkIdentity(message: SipMessage, datagram: Datagram, lane: number): boolean {
    const { accounts, peers, traffic } = this.#options
    const { bytes } = message
    const { userAt, userEnd } = this.#from
    const caller = userIn(bytes, userAt, userEnd)
    const asserted = this.#usersIn(message, ASSERTED)
    if (asserted.length > 0 && !asserted.includes(caller)) traffic.add(lane, this.#count.mismatch)
    if (this.#says(message, FROM, VERSTAT_FAILED) || this.#says(message, ASSERTED, VERSTAT_FAILED))
      traffic.add(lane, this.#count.verstat)
    if (!peers.isClientOutside) return false
    const known = accounts.find(bytes, this.#from)
    const isElsewhere =
      known >= 0 && accounts.bindingsOf(known) > 0 && !isFrom(accounts, known, datagram)
    const names = [caller, ...asserted, ...ALSO_SHOWN.flatMap((row) => this.#usersIn(message, row))]
    if (!isElsewhere && !names.some((name) => this.#plan.isOwn(name))) return false
    traffic.add(lane, this.#count.spoofed)
    return true
  }

  /** A call that leaves us because somebody forwards theirs is theirs (RFC 5806, RFC 7044). */
  #forwarderOf(message: SipMessage, destination: Destination, timeUs: number): number {
    const { accounts, peers } = this.#options
    if (directionOf(peers.lane) === 'from') return NONE
    let { bytes } = message
    if (!this.#readRow(message, DIVERSION, this.#other)) {
      const forwarder = forwarderIn(message)
      if (forwarder === undefined) return NONE
      bytes = Buffer.from(forwarder)
      if (!this.#other.readUri(bytes, 0, bytes.length)) return NONE
    }
    const account = accounts.findOrAdd(bytes, this.#other, timeUs)
    this.#countForward(account, destination)
    return account
  }

  #countForward(account: number, destination: Destination): void {
    const { accounts } = this.#options
    accounts.add(account, this.#count.forwards)
    if (destination === 'premium') accounts.add(account, this.#count.forwardsPremium)
    if (destination === 'international') accounts.add(account, this.#count.forwardsInternational)
  }

  /** A call for help; one from a stranger outside is none of ours, as long as nobody here passes it on. */
  #alarm({ message, datagram, timeUs }: Heard, number: string, hasCaller: boolean): void {
    const { facts, accounts, peers } = this.#options
    const { bytes } = message
    if (this.calls.isAlarmed(facts.dialogHigh, facts.dialogLow)) return
    const known = hasCaller ? accounts.find(bytes, this.#from) : NONE
    if (peers.isClientOutside && (known === NONE || accounts.bindingsOf(known) === 0)) return
    const account = hasCaller ? accounts.findOrAdd(bytes, this.#from, timeUs) : NONE
    const { uriAt, uriEnd } = this.#from
    const callIdRow = message.rowOf(CALL_ID)
    const callIdAt = message.valueAt(callIdRow)
    this.calls.alarm(
      facts.dialogHigh,
      facts.dialogLow,
      {
        number,
        caller: hasCaller ? maskedParty(textOf(bytes, uriAt, uriEnd)) : '',
        key: account === NONE ? undefined : accounts.keyOf(account),
        srcIp: ipText(datagram, datagram.source),
        dstIp: ipText(datagram, datagram.destination),
        callId: textOf(
          bytes,
          callIdAt,
          Math.min(message.valueEnd(callIdRow), callIdAt + MAX_CALL_ID_OCTETS),
        ),
      },
      timeUs,
    )
  }

  /** The users of all values of a header. */
  #usersIn(message: SipMessage, number: number): readonly string[] {
    const { bytes } = message
    const users: string[] = []
    for (let row = message.rowOf(number); row >= 0; row = message.rowAfter(row)) {
      const rowEnd = message.valueEnd(row)
      for (let at = message.valueAt(row); at < rowEnd && users.length < MAX_NAMES;) {
        const end = valueEnd(bytes, at, rowEnd)
        if (this.#other.read(bytes, at, end))
          users.push(userIn(bytes, this.#other.userAt, this.#other.userEnd))
        at = end + 1
      }
    }
    return users
  }

  #says(message: SipMessage, number: number, words: Uint8Array): boolean {
    const row = message.rowOf(number)
    return row >= 0 && includes(message.bytes, message.valueAt(row), message.valueEnd(row), words)
  }

  /** Reads the first value of a header. */
  #readRow(message: SipMessage, number: number, address: AddressOctets): boolean {
    const row = message.rowOf(number)
    if (row < 0) return false
    const at = message.valueAt(row)
    return address.read(message.bytes, at, valueEnd(message.bytes, at, message.valueEnd(row)))
  }
}

/** The user of the Request-URI, or its host where that is a number (sip:112); of a URN all of it. */
function dialledIn(message: SipMessage, address: AddressOctets): string {
  const { bytes, requestUriAt, requestUriEnd } = message
  if (!address.readUri(bytes, requestUriAt, requestUriEnd))
    return userIn(bytes, requestUriAt, requestUriEnd)
  const { userAt, userEnd, hostAt, hostEnd } = address
  if (userAt < userEnd) return userIn(bytes, userAt, userEnd)
  const host = userIn(bytes, hostAt, hostEnd)
  return isNumber(host) ? host : ''
}

function userIn(bytes: Uint8Array, at: number, end: number): string {
  return textOf(bytes, at, Math.min(end, at + MAX_USER_OCTETS))
}

/** Whether these words, given in lower case, stand between `at` and `end` in any case. */
function includes(bytes: Uint8Array, at: number, end: number, words: Uint8Array): boolean {
  for (let from = at; from + words.length <= end; from++) {
    let index = 0
    while (
      index < words.length &&
      ((bytes[from + index] ?? 0) | LOWER_CASE_BIT) === ((words[index] ?? 0) | LOWER_CASE_BIT)
    )
      index++
    if (index === words.length) return true
  }
  return false
}

function isFrom(accounts: Accounts, account: number, datagram: Datagram): boolean {
  return accounts.isKnownFrom(account, datagram.ipVersion, datagram.source)
}

/** FNV-1a: destinations only have to differ. */
function sumOf(text: string): number {
  let sum = 0x811c9dc5 | 0
  for (let index = 0; index < text.length; index++)
    sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193)
  return sum
}

function ipText({ ipVersion }: Datagram, words: Int32Array): string {
  return addressText([...words.subarray(0, ipVersion === IPV6 ? V6_WORDS : 1)])
}
