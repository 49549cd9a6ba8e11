import { AddressOctets } from '../sip/address-octets.ts'
import { messageFault } from '../sip/message-fault.ts'
import type { SipMessage } from '../sip/message.ts'
import { METHODS, headerNumber } from '../sip/names.ts'
import { textOf } from '../sip/octets.ts'
import type { Accounts } from './accounts.ts'
import type { Heard } from './heard.ts'
import { FROM, TO, type MessageFacts } from './message-facts.ts'
import type { OctetHash } from './octet-hash.ts'
import { isChallenge } from './outcomes.ts'
import type { Peers } from './peers.ts'
import type { SessionKey } from './session-watch.ts'
import { SlotTable } from './slot-table.ts'
import { scannerIn } from './scanners.ts'
import { Sources } from './sources.ts'
import type { UserAgents } from './user-agents.ts'

const INVITE = METHODS.indexOf('INVITE')
const OPTIONS = METHODS.indexOf('OPTIONS')
const REGISTER = METHODS.indexOf('REGISTER')
const USER_AGENT = headerNumber('user-agent')
const WWW_AUTHENTICATE = headerNumber('www-authenticate')
const PROXY_AUTHENTICATE = headerNumber('proxy-authenticate')
const STALE = /\bstale\s*=\s*"?true\b/i
const FORBIDDEN = 403
const NO_SUCH_NUMBER: readonly number[] = [404, 410, 484, 485, 604]
/** What svmap and nmap put into From is at its beginning. */
const MAX_FROM_OCTETS = 64
/** Attempts in which credentials were refused, and which may succeed yet. */
const MAX_REFUSED = 16_384
const MANY_REFUSALS = 255

export interface SourceWatchOptions {
  readonly accounts: Accounts
  readonly peers: Peers
  readonly facts: MessageFacts
  readonly userAgents: UserAgents
  readonly hash: OctetHash
}

/** Who asks for what, and is let in or not. */
export class SourceWatch {
  readonly sources: Sources
  readonly #options: SourceWatchOptions
  readonly #address = new AddressOctets()
  readonly #wrongOfAccount: number
  readonly #refused = new SlotTable(MAX_REFUSED)
  /** Of each of these, how often. */
  readonly #refusals = new Uint8Array(MAX_REFUSED)
  readonly #count

  constructor(options: SourceWatchOptions) {
    const { accounts, hash, userAgents } = options
    const sources = new Sources(hash, userAgents)
    this.sources = sources
    this.#options = options
    this.#wrongOfAccount = accounts.indexOf('wrong_credentials')
    this.#count = {
      clear: sources.indexOf('clear_text'),
      tcp: sources.indexOf('tcp'),
      requests: sources.indexOf('requests'),
      register: sources.indexOf('requests_register'),
      invite: sources.indexOf('requests_invite'),
      options: sources.indexOf('requests_options'),
      other: sources.indexOf('requests_other'),
      ok: sources.indexOf('responses_2xx'),
      challenged: sources.indexOf('responses_401'),
      forbidden: sources.indexOf('responses_403'),
      notFound: sources.indexOf('responses_404'),
      unanswered: sources.indexOf('unanswered'),
      wrong: sources.indexOf('wrong_credentials'),
      spoofed: sources.indexOf('spoofed'),
      malformed: sources.indexOf('malformed'),
    }
  }

  /** Counts a request, retransmissions too; whose it is. */
  ask({ message, datagram, timeUs, isTcp }: Heard): number {
    const { sources } = this
    const { peers, facts } = this.#options
    const { method } = message
    const source = sources.of(datagram.ipVersion, datagram.source, peers.isClientOutside, timeUs)
    const { register, invite, options, other } = this.#count
    const isCall = method === INVITE && !facts.hasToTag
    const kind =
      method === REGISTER ? register : isCall ? invite : method === OPTIONS ? options : other
    sources.add(source, this.#count.requests)
    sources.add(source, kind)
    if (isTcp) sources.add(source, this.#count.tcp)
    if (!peers.isLocal) sources.add(source, this.#count.clear)
    return source
  }

  /** What the source calls itself. */
  identify({ message }: Heard, source: number): void {
    const row = message.rowOf(USER_AGENT)
    if (row < 0) return
    const { userAgents } = this.#options
    const at = message.valueAt(row)
    this.sources.name(source, userAgents.kindOf(message.bytes, at, message.valueEnd(row)))
  }

  /** What account or number a request outside of dialogs is about, and at whom it is aimed. */
  begin({ message, datagram }: Heard, source: number): void {
    const { bytes, method, requestUriAt, requestUriEnd } = message
    this.sources.aim(source, datagram.destination.at(0) ?? 0)
    if (this.#options.peers.isClientOutside) this.#examine(message, source)
    const isRead =
      method === REGISTER
        ? this.#readRow(message, TO)
        : this.#address.readUri(bytes, requestUriAt, requestUriEnd)
    const { userAt, userEnd } = this.#address
    if (!isRead || userAt === userEnd) return
    const { hash } = this.#options
    hash.begin()
    hash.add(bytes, userAt, userEnd)
    hash.finish()
    this.sources.try(source, hash.low)
  }

  spoof(source: number): void {
    this.sources.add(source, this.#count.spoofed)
  }

  /** A final response to a request of the source, heard for the first time; `attempt` is what the request was a try of. */
  answer(
    heard: Heard,
    source: number,
    method: number,
    hasCredentials: boolean,
    attempt: SessionKey,
  ): void {
    const { message, timeUs } = heard
    const { statusCode } = message
    const { ok, challenged, forbidden, notFound } = this.#count
    if (statusCode < 300) this.sources.add(source, ok)
    else if (isChallenge(statusCode)) this.sources.add(source, challenged)
    else if (statusCode === FORBIDDEN) this.sources.add(source, forbidden)
    else if (NO_SUCH_NUMBER.includes(statusCode)) this.sources.add(source, notFound)
    if (!hasCredentials) return
    if (statusCode < 300) {
      if (this.#isFirstPardoned(attempt)) this.#forgive(message, source, method)
      return
    }
    const isRefusal = statusCode === FORBIDDEN || (isChallenge(statusCode) && !isStale(message))
    if (!isRefusal) return
    this.#countRefusal(attempt)
    this.sources.blame(source, this.#count.wrong)
    if (!this.#readRow(message, method === REGISTER ? TO : FROM)) return
    const { accounts } = this.#options
    const account = accounts.findOrAdd(message.bytes, this.#address, timeUs)
    accounts.add(account, this.#wrongOfAccount)
    accounts.guess(account, source)
  }

  #countRefusal({ high, low }: SessionKey): void {
    const known = this.#refused.find(high, low)
    const slot = known < 0 ? this.#refused.add(high, low) : known
    const before = known < 0 ? 0 : (this.#refusals[slot] ?? 0)
    this.#refusals[slot] = Math.min(MANY_REFUSALS, before + 1)
  }

  /** Whether an attempt that succeeds was refused once, and only once. */
  #isFirstPardoned({ high, low }: SessionKey): boolean {
    const slot = this.#refused.find(high, low)
    if (slot < 0) return false
    this.#refused.remove(slot)
    return this.#refusals[slot] === 1
  }

  /** Not every server says that it was the nonce that was too old, of which phones make use once more at every refresh. */
  #forgive(message: SipMessage, source: number, method: number): void {
    this.sources.forgive(source, this.#count.wrong)
    if (!this.#readRow(message, method === REGISTER ? TO : FROM)) return
    const { accounts } = this.#options
    const account = accounts.find(message.bytes, this.#address)
    if (account >= 0) accounts.forgive(account, this.#wrongOfAccount)
  }

  giveUp(source: number): void {
    this.sources.add(source, this.#count.unanswered)
  }

  /** Looks closer at what comes from outside. */
  #examine(message: SipMessage, source: number): void {
    if (messageFault(message) !== undefined) this.sources.add(source, this.#count.malformed)
    if (message.method !== OPTIONS) return
    const row = message.rowOf(FROM)
    const at = message.valueAt(row)
    const end = Math.min(message.valueEnd(row), at + MAX_FROM_OCTETS)
    const scanner = scannerIn(textOf(message.bytes, at, end))
    if (scanner !== undefined) this.sources.betray(source, scanner)
  }

  #readRow(message: SipMessage, number: number): boolean {
    const row = message.rowOf(number)
    if (row < 0) return false
    return this.#address.read(message.bytes, message.valueAt(row), message.valueEnd(row))
  }
}

/** The password was right, the nonce too old (RFC 7616 section 3.3). */
function isStale(message: SipMessage): boolean {
  return [WWW_AUTHENTICATE, PROXY_AUTHENTICATE]
    .map((number) => message.rowOf(number))
    .some((row) => row >= 0 && STALE.test(message.valueText(row)))
}
