import type { AddressOctets } from '../sip/address-octets.ts'
import { seconds } from '../sip/bindings.ts'
import type { SipMessage } from '../sip/message.ts'
import { headerNumber } from '../sip/names.ts'
import { BACKSLASH, GREATER_THAN, LESS_THAN, QUOTE, isDigit, textOf } from '../sip/octets.ts'
import { parameterAt, parameterEnd, parameterName } from '../sip/parameter.ts'
import type { Granted, GrantedList } from './bindings.ts'
import type { OctetHash } from './octet-hash.ts'
import type { Wish } from './registration-attempts.ts'

const CONTACT = headerNumber('contact')
const EXPIRES_HEADER = headerNumber('expires')
const EXPIRES = parameterName('expires')
const COMMA = 0x2c
const COLON = 0x3a
/** More bindings of one account than these are not looked at. */
const MAX_CONTACTS = 16
const MAX_DIGITS = 32
const NO_CONTACT = { contactHigh: 0, contactLow: 0 }

/** The first contact a REGISTER is about, and for how long. */
export function wishOf(message: SipMessage, address: AddressOctets, hash: OctetHash): Wish {
  const expiresS = headerSeconds(message)
  const row = message.rowOf(CONTACT)
  if (row < 0) return { ...NO_CONTACT, expiresS }
  const { bytes } = message
  const at = message.valueAt(row)
  const end = valueEnd(bytes, at, message.valueEnd(row))
  const own = parameterSeconds(bytes, at, end) ?? expiresS
  // "Contact: *" takes all of them away.
  if (!address.read(bytes, at, end)) return { ...NO_CONTACT, expiresS: own }
  sumContact(bytes, end, address, hash)
  return { contactHigh: hash.high, contactLow: hash.low, expiresS: own }
}

/** The bindings a registrar lists; of those that do not say how long, as long as was asked for. */
export function grantedIn(
  message: SipMessage,
  address: AddressOctets,
  hash: OctetHash,
  askedS: number | undefined,
): GrantedList {
  const list: Granted[] = []
  const { bytes } = message
  const common = headerSeconds(message) ?? askedS ?? seconds('')
  for (let row = message.rowOf(CONTACT); row >= 0; row = message.rowAfter(row)) {
    const rowEnd = message.valueEnd(row)
    for (let at = message.valueAt(row); at < rowEnd;) {
      if (list.length === MAX_CONTACTS) return { list, isWhole: false }
      const end = valueEnd(bytes, at, rowEnd)
      if (address.read(bytes, at, end)) {
        sumContact(bytes, end, address, hash)
        const expiresS = parameterSeconds(bytes, at, end) ?? common
        list.push({ high: hash.high, low: hash.low, expiresS })
      }
      at = end + 1
    }
  }
  return { list, isWhole: true }
}

/** Where a value of a list ends: at a comma outside quotes and brackets. */
export function valueEnd(bytes: Uint8Array, at: number, end: number): number {
  let isQuoted = false
  let isBracketed = false
  for (let index = at; index < end; index++) {
    const octet = bytes[index]
    if (isQuoted && octet === BACKSLASH) index++
    else if (octet === QUOTE && !isBracketed) isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (octet === LESS_THAN) isBracketed = true
    else if (octet === GREATER_THAN) isBracketed = false
    else if (octet === COMMA && !isBracketed) return index
  }
  return end
}

/** User, host and port: what tells one contact from another (RFC 3261 section 19.1.4, as far as registrars keep it). */
function sumContact(bytes: Uint8Array, end: number, address: AddressOctets, hash: OctetHash): void {
  const { userAt, userEnd, hostAt, hostEnd, portAt } = address
  hash.begin()
  hash.add(bytes, userAt, userEnd)
  hash.addFolded(bytes, hostAt, hostEnd)
  let portEnd = portAt
  if (bytes[portAt] === COLON) {
    portEnd++
    while (portEnd < end && isDigit(bytes[portEnd] ?? 0)) portEnd++
  }
  hash.add(bytes, portAt, portEnd)
  hash.finish()
}

function headerSeconds(message: SipMessage): number | undefined {
  const row = message.rowOf(EXPIRES_HEADER)
  if (row < 0) return undefined
  const at = message.valueAt(row)
  return seconds(textOf(message.bytes, at, Math.min(message.valueEnd(row), at + MAX_DIGITS)))
}

function parameterSeconds(bytes: Uint8Array, at: number, end: number): number | undefined {
  const valueAt = parameterAt(bytes, at, end, EXPIRES)
  if (valueAt < 0) return undefined
  return seconds(
    textOf(bytes, valueAt, parameterEnd(bytes, valueAt, Math.min(end, valueAt + MAX_DIGITS))),
  )
}
