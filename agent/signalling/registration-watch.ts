import { AddressOctets } from '../sip/address-octets.ts'
import type { SipMessage } from '../sip/message.ts'
import { Bindings } from './bindings.ts'
import { MAX_ACCOUNTS, type Accounts } from './accounts.ts'
import { grantedIn, wishOf } from './contacts.ts'
import type { Heard } from './heard.ts'
import { TO } from './message-facts.ts'
import type { OctetHash } from './octet-hash.ts'
import { firstLane, peerOf } from './peers.ts'
import { RegistrationAttempts } from './registration-attempts.ts'
import type { SessionKey } from './session-watch.ts'
import type { Traffic } from './traffic.ts'

const REFUSED: readonly number[] = [403, 404]

export interface RegistrationWatchOptions {
  readonly accounts: Accounts
  readonly traffic: Traffic
  readonly hash: OctetHash
}

/** Who registers with whom, how that goes, and who is registered. */
export class RegistrationWatch {
  readonly attempts: RegistrationAttempts
  readonly bindings: Bindings
  readonly #options: RegistrationWatchOptions
  readonly #address = new AddressOctets()

  constructor(options: RegistrationWatchOptions) {
    this.#options = options
    this.attempts = new RegistrationAttempts(options.traffic)
    this.bindings = new Bindings(options.accounts, MAX_ACCOUNTS)
  }

  request({ message, timeUs }: Heard, high: number, low: number, lane: number): void {
    const wish = wishOf(message, this.#address, this.#options.hash)
    this.attempts.request(high, low, lane, wish, timeUs)
  }

  /** A final response, heard for the first time; true when it lets the phone in. `kind`: which of UserAgents asked. */
  respond(heard: Heard, attempt: SessionKey, lane: number, kind: number): boolean {
    const { message, datagram, timeUs } = heard
    const { statusCode } = message
    const wish = this.attempts.respond(attempt.high, attempt.low, statusCode, timeUs)
    if (wish === undefined) {
      if (REFUSED.includes(statusCode)) this.#refuse(message)
      return false
    }
    if (!this.#readTo(message)) return false
    const { accounts, hash } = this.#options
    const account = accounts.findOrAdd(message.bytes, this.#address, timeUs)
    const list = grantedIn(message, this.#address, hash, wish.expiresS)
    const hasOwn = wish.contactHigh !== 0 || wish.contactLow !== 0
    const own = hasOwn ? { high: wish.contactHigh, low: wish.contactLow } : undefined
    this.bindings.accept(account, peerOf(lane), list, own, timeUs)
    // The response goes to where the phone is.
    if (hasOwn) accounts.admit(account, datagram.ipVersion, datagram.destination, kind)
    return true
  }

  remap(laneOf: (lane: number) => number): void {
    this.attempts.remap(laneOf)
    this.bindings.remap((peer) => peerOf(laneOf(firstLane(peer))))
  }

  /** Of an account that is known; of one nobody has ever heard of its source tells. */
  #refuse(message: SipMessage): void {
    if (!this.#readTo(message)) return
    const { accounts } = this.#options
    const account = accounts.find(message.bytes, this.#address)
    if (account >= 0) accounts.refuse(account, message.statusCode)
  }

  #readTo(message: SipMessage): boolean {
    const row = message.rowOf(TO)
    if (row < 0) return false
    return this.#address.read(message.bytes, message.valueAt(row), message.valueEnd(row))
  }
}
