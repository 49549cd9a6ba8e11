import {
  BACKSLASH,
  COLON,
  GREATER_THAN,
  LESS_THAN,
  LOWER_CASE_BIT,
  QUOTE,
  SEMICOLON,
  isBlank,
} from './octets.ts'

const AT = 0x40
const QUESTION_MARK = 0x3f
const OPENING_BRACKET = 0x5b
const CLOSING_BRACKET = 0x5d
const SIP = schemeOctets('sip')
const SIPS = schemeOctets('sips')
const TEL = schemeOctets('tel')

/**
 * Where user and host lie in a URI, or in a From, To or Contact value (RFC 3261 section 25.1): for the many messages of which only a
 * sum of these octets is wanted. Filled again and again.
 */
export class AddressOctets {
  /** From the scheme on; without brackets and header parameters. */
  uriAt = 0
  uriEnd = 0
  /** Without a password; empty when there is no user. Of a tel URI the number. */
  userAt = 0
  userEnd = 0
  /** Without port; an IPv6 address without its brackets. Of a tel URI empty. */
  hostAt = 0
  hostEnd = 0
  /** Behind the host. */
  portAt = 0

  /** Reads a name-addr or addr-spec between `at` and `end`; false when no SIP, SIPS or tel URI is there. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    let open = at
    let isQuoted = false
    for (; open < end; open++) {
      const octet = bytes[open]
      if (isQuoted && octet === BACKSLASH) open++
      else if (octet === QUOTE) isQuoted = !isQuoted
      else if (octet === LESS_THAN && !isQuoted) break
    }
    if (open < end)
      return this.readUri(bytes, open + 1, firstOf(bytes, open + 1, end, GREATER_THAN))
    let from = at
    while (from < end && isBlank(bytes[from] ?? 0)) from++
    // Without brackets what follows a semicolon belongs to the header (RFC 3261 section 20).
    return this.readUri(bytes, from, firstOf(bytes, from, end, SEMICOLON))
  }

  /** Reads the URI between `at` and `end`. */
  readUri(bytes: Uint8Array, at: number, end: number): boolean {
    this.uriAt = at
    this.uriEnd = end
    const colon = firstOf(bytes, at, Math.min(end, at + SIPS.length + 1), COLON)
    if (isScheme(bytes, at, colon, TEL)) {
      this.userAt = colon + 1
      this.userEnd = firstOf(bytes, colon + 1, end, SEMICOLON)
      this.hostAt = this.hostEnd = this.portAt = end
      return this.userEnd > this.userAt
    }
    if (!isScheme(bytes, at, colon, SIP) && !isScheme(bytes, at, colon, SIPS)) return false
    const from = colon + 1
    // A user may have a question mark in it; an @ in headers is escaped.
    const sign = firstOf(bytes, from, end, AT)
    this.userAt = from
    this.userEnd = sign < end ? firstOf(bytes, from, sign, COLON) : from
    this.#readHost(bytes, sign < end ? sign + 1 : from, end)
    return this.hostEnd > this.hostAt
  }

  #readHost(bytes: Uint8Array, at: number, end: number): void {
    if (bytes[at] === OPENING_BRACKET && at < end) {
      this.hostAt = at + 1
      this.hostEnd = firstOf(bytes, at + 1, end, CLOSING_BRACKET)
      this.portAt = Math.min(end, this.hostEnd + 1)
      return
    }
    let to = at
    while (to < end && !endsHost(bytes[to] ?? 0)) to++
    this.hostAt = at
    this.hostEnd = this.portAt = to
  }
}

function endsHost(octet: number): boolean {
  return octet === COLON || octet === SEMICOLON || octet === QUESTION_MARK || isBlank(octet)
}

/** Where `wanted` lies between `at` and `end`, else `end`. */
function firstOf(bytes: Uint8Array, at: number, end: number, wanted: number): number {
  let index = at
  while (index < end && bytes[index] !== wanted) index++
  return Math.min(index, end)
}

function isScheme(bytes: Uint8Array, at: number, end: number, scheme: Uint8Array): boolean {
  if (end - at !== scheme.length) return false
  for (let index = 0; index < scheme.length; index++)
    if (((bytes[at + index] ?? 0) | LOWER_CASE_BIT) !== scheme[index]) return false
  return true
}

function schemeOctets(scheme: string): Uint8Array {
  return Uint8Array.from(scheme, (character) => character.charCodeAt(0))
}
