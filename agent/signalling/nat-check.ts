import { parseNetwork } from '../capture/address.ts'
import type { Datagram } from '../capture/datagram.ts'
import type { AddressOctets } from '../sip/address-octets.ts'
import type { SipMessage } from '../sip/message.ts'
import { headerNumber } from '../sip/names.ts'
import { isBlank, textOf } from '../sip/octets.ts'
import { valueEnd } from './contacts.ts'
import { VIA } from './message-facts.ts'

const CONTACT = headerNumber('contact')
const COLON = 0x3a
const SEMICOLON = 0x3b
const DOT = 0x2e
const SLASH = 0x2f
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const OCTET_BITS = 8
const DECIMAL = 10
const MAX_OCTET = 255
const V4_OCTETS = 4
const MAX_V6_TEXT = 45
const IPV6 = 6

/** unknown: it says too little; intact: both name where it came from; mixed: they name different addresses. */
export type NatVerdict = 'unknown' | 'intact' | 'damaged' | 'mixed'

/**
 * Whether a request that comes straight from its sender names the address it comes from. Behind address translation it does not (RFC
 * 3581); where Via and Contact differ, something on the way rewrites one of them.
 */
export function checkNat(
  message: SipMessage,
  datagram: Datagram,
  address: AddressOctets,
): NatVerdict {
  const viaRow = message.rowOf(VIA)
  const contactRow = message.rowOf(CONTACT)
  if (viaRow < 0 || contactRow < 0 || !isOnlyVia(message, viaRow)) return 'unknown'
  const { bytes } = message
  const end = message.valueEnd(viaRow)
  const sentByAt = sentByIn(bytes, message.valueAt(viaRow), end)
  const sentBy = wordsIn(bytes, sentByAt, hostEnd(bytes, sentByAt, end))
  if (sentBy === undefined) return 'unknown'
  if (!address.read(bytes, message.valueAt(contactRow), message.valueEnd(contactRow)))
    return 'unknown'
  const contact = wordsIn(bytes, address.hostAt, address.hostEnd)
  if (contact === undefined) return 'unknown'
  if (!isSame(sentBy, contact)) return 'mixed'
  const count = datagram.ipVersion === IPV6 ? V4_OCTETS : 1
  return isSame(sentBy, datagram.source.subarray(0, count)) ? 'intact' : 'damaged'
}

function isOnlyVia(message: SipMessage, row: number): boolean {
  const at = message.valueAt(row)
  const end = message.valueEnd(row)
  return valueEnd(message.bytes, at, end) === end && message.rowAfter(row) < 0
}

/** Behind "SIP/2.0/UDP", blanks anywhere. */
function sentByIn(bytes: Uint8Array, at: number, end: number): number {
  let index = at
  let slashes = 0
  while (index < end && slashes < 2) if (bytes[index++] === SLASH) slashes++
  while (index < end && isBlank(bytes[index] ?? 0)) index++
  while (index < end && !isBlank(bytes[index] ?? 0)) index++
  while (index < end && isBlank(bytes[index] ?? 0)) index++
  return index
}

function hostEnd(bytes: Uint8Array, at: number, end: number): number {
  let index = at
  if (bytes[index] === OPENING_BRACKET) {
    while (index < end && bytes[index] !== CLOSING_BRACKET) index++
    return Math.min(end, index + 1)
  }
  while (index < end && bytes[index] !== COLON && bytes[index] !== SEMICOLON) {
    if (isBlank(bytes[index] ?? 0)) break
    index++
  }
  return index
}

/** The words of an address between `at` and `end`; undefined for a name. */
function wordsIn(bytes: Uint8Array, at: number, end: number): ArrayLike<number> | undefined {
  const v4 = v4WordIn(bytes, at, end)
  if (v4 !== undefined) return [v4]
  if (end - at > MAX_V6_TEXT) return undefined
  const text = textOf(bytes, at, end).replace(/^\[|\]$/g, '')
  return text.includes(':') ? parseNetwork(text)?.words : undefined
}

function v4WordIn(bytes: Uint8Array, at: number, end: number): number | undefined {
  let word = 0
  let octet = -1
  let octets = 0
  for (let index = at; index <= end; index++) {
    const character = index < end ? (bytes[index] ?? 0) : DOT
    if (character === DOT) {
      if (octet < 0 || octet > MAX_OCTET) return undefined
      word = (word << OCTET_BITS) | octet
      octet = -1
      octets++
    } else if (character >= DIGIT_0 && character <= DIGIT_9)
      octet = Math.max(0, octet) * DECIMAL + (character - DIGIT_0)
    else return undefined
  }
  return octets === V4_OCTETS ? word : undefined
}

function isSame(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  if (one.length !== other.length) return false
  for (let word = 0; word < one.length; word++) if (one[word] !== other[word]) return false
  return true
}
