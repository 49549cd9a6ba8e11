import { METHODS, OTHER, methodAt } from './names.ts'
import { SPACE, decimalOf, isBlank, isTokenOctet, textOf, trimmedEnd } from './octets.ts'
import { BAD_REQUEST_LINE, BAD_STATUS_LINE, BAD_VERSION, IS_SIP, NOT_SIP } from './verdicts.ts'

const FIRST_STATUS = 100
const LAST_STATUS = 699
const STATUS_DIGITS = 3
const VERSION = Uint8Array.from('SIP/2.0', (character) => character.charCodeAt(0))
const SIP_SLASH_OCTETS = 4
const SLASH_AT = 3
const LOWER_CASE_BIT = 0x20

/**
 * The first line of a SIP message (RFC 3261 sections 7.1 and 7.2), filled again and again:
 *
 *   Method SP Request-URI SP SIP-Version          SIP-Version SP Status-Code SP Reason-Phrase
 */
export class StartLine {
  isRequest = false
  /** Of a response, or 0. */
  statusCode = 0
  /** By its number in METHODS; OTHER for one we do not know, and of a response. */
  method = OTHER
  /** Where the Request-URI of a request lies, or the reason phrase of a response. */
  restAt = 0
  restEnd = 0
  #methodAt = 0
  #methodEnd = 0

  /** Reads the line between `at` and `end`, blanks at its end taken off. */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (isSipSlash(bytes, at, end)) return this.#readStatusLine(bytes, at, end)
    let methodEnd = at
    while (methodEnd < end && isTokenOctet(bytes[methodEnd] ?? 0)) methodEnd++
    if (methodEnd === at || methodEnd === end || bytes[methodEnd] !== SPACE) return NOT_SIP
    let versionAt = end
    while (versionAt > methodEnd && bytes[versionAt - 1] !== SPACE) versionAt--
    if (!isSipSlash(bytes, versionAt, end)) return NOT_SIP
    if (!isVersion(bytes, versionAt, end)) return BAD_VERSION
    let uriAt = methodEnd
    while (uriAt < versionAt && isBlank(bytes[uriAt] ?? 0)) uriAt++
    if (uriAt === versionAt) return BAD_REQUEST_LINE
    this.isRequest = true
    this.statusCode = 0
    this.method = methodAt(bytes, at, methodEnd)
    this.#methodAt = at
    this.#methodEnd = methodEnd
    this.restAt = uriAt
    this.restEnd = trimmedEnd(bytes, uriAt, versionAt)
    return IS_SIP
  }

  methodText(bytes: Uint8Array): string {
    if (!this.isRequest) return ''
    return METHODS[this.method] ?? textOf(bytes, this.#methodAt, this.#methodEnd)
  }

  /** The Request-URI of a request, the reason phrase of a response. */
  restText(bytes: Uint8Array): string {
    return textOf(bytes, this.restAt, this.restEnd)
  }

  #readStatusLine(bytes: Uint8Array, at: number, end: number): number {
    let versionEnd = at
    while (versionEnd < end && bytes[versionEnd] !== SPACE) versionEnd++
    if (!isVersion(bytes, at, versionEnd)) return BAD_VERSION
    let codeAt = versionEnd
    while (codeAt < end && bytes[codeAt] === SPACE) codeAt++
    const codeEnd = codeAt + STATUS_DIGITS
    if (codeEnd > end || (codeEnd < end && !isBlank(bytes[codeEnd] ?? 0))) return BAD_STATUS_LINE
    const code = decimalOf(bytes, codeAt, codeEnd)
    if (code < FIRST_STATUS || code > LAST_STATUS) return BAD_STATUS_LINE
    this.isRequest = false
    this.statusCode = code
    this.method = OTHER
    this.restAt = codeEnd + 1
    this.restEnd = end
    return IS_SIP
  }
}

/** Whether a line of which only this much has come may yet be the first of a message. */
export function mayBecomeStartLine(bytes: Uint8Array, at: number, end: number): boolean {
  return prospectOf(bytes, at, end, at) !== 'none'
}

/** token: all of it is one so far, and what follows will tell; line: it begins as a first line does, whatever follows. */
export type Prospect = 'token' | 'line' | 'none'

/** What a line of which only this much has come may be; `from`: up to where it is known to be a token. */
export function prospectOf(bytes: Uint8Array, at: number, end: number, from: number): Prospect {
  let index = from
  while (index < end && isTokenOctet(bytes[index] ?? 0)) index++
  if (index === end) return 'token'
  const isLine = (index > at && bytes[index] === SPACE) || isSipSlash(bytes, at, end)
  return isLine ? 'line' : 'none'
}

/** "SIP/": versions are told without regard to case (RFC 3261 section 7.1). */
function isSipSlash(bytes: Uint8Array, at: number, end: number): boolean {
  return end - at >= SIP_SLASH_OCTETS && isVersionUpTo(bytes, at, SIP_SLASH_OCTETS)
}

function isVersion(bytes: Uint8Array, at: number, end: number): boolean {
  return end - at === VERSION.length && isVersionUpTo(bytes, at, VERSION.length)
}

function isVersionUpTo(bytes: Uint8Array, at: number, octets: number): boolean {
  for (let index = 0; index < octets; index++) {
    const wanted = VERSION[index] ?? 0
    const octet = bytes[at + index] ?? 0
    if (octet !== wanted && (index >= SLASH_AT || octet !== (wanted | LOWER_CASE_BIT))) return false
  }
  return true
}
