/** Octets of SIP text, by what they may be (RFC 3261 section 25.1), and text out of octets. */

export const TAB = 0x09
export const LINE_FEED = 0x0a
export const CARRIAGE_RETURN = 0x0d
export const SPACE = 0x20
export const QUOTE = 0x22
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const LESS_THAN = 0x3c
export const EQUALS = 0x3d
export const GREATER_THAN = 0x3e
export const BACKSLASH = 0x5c
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** Makes an ASCII letter lower case. */
export const LOWER_CASE_BIT = 0x20

const OCTETS = 256
const TOKEN_MARKS = "-.!%*_+`'~"
const DECIMAL = 10
/** More digits than any number of SIP has, leading zeros and all. */
const MAX_DIGITS = 32

const TOKEN = tokenTable()
/** What is not UTF-8 becomes U+FFFD: text from the network may be anything. */
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Alphanumeric and - . ! % * _ + ` ' ~ */
export function isTokenOctet(octet: number): boolean {
  return TOKEN[octet] === 1
}

export function isDigit(octet: number): boolean {
  return octet >= DIGIT_0 && octet <= DIGIT_9
}

/** Space or tab; a fold's line end counts too. */
export function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB || octet === LINE_FEED || octet === CARRIAGE_RETURN
}

/**
 * The decimal number between `at` and `end`, blanks around it allowed, leading zeros too; -1 when it is anything else, Infinity when
 * it has more digits than a number can be exact in.
 */
export function decimalOf(bytes: Uint8Array, at: number, end: number): number {
  let from = at
  let to = end
  while (from < to && isBlank(bytes[from] ?? 0)) from++
  while (to > from && isBlank(bytes[to - 1] ?? 0)) to--
  if (from === to || to - from > MAX_DIGITS) return -1
  let value = 0
  for (let index = from; index < to; index++) {
    const octet = bytes[index] ?? 0
    if (!isDigit(octet)) return -1
    value = value * DECIMAL + (octet - DIGIT_0)
  }
  return value > Number.MAX_SAFE_INTEGER ? Infinity : value
}

/** The line feed between `at` and `end`, or -1. */
export function lineFeedIn(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) if (bytes[index] === LINE_FEED) return index
  return -1
}

/** `end` without the blanks before it. */
export function trimmedEnd(bytes: Uint8Array, at: number, end: number): number {
  let trimmed = end
  while (trimmed > at && isBlank(bytes[trimmed - 1] ?? 0)) trimmed--
  return trimmed
}

/** The text between `at` and `end`, as UTF-8 with what is not UTF-8 replaced. */
export function textOf(bytes: Uint8Array, at: number, end: number): string {
  if (at >= end) return ''
  // Several times as fast as a decoder, which wants a view of its own: every message is asked for a dozen texts.
  return Buffer.isBuffer(bytes)
    ? bytes.toString('utf8', at, end)
    : UTF8.decode(bytes.subarray(at, end))
}

function tokenTable(): Uint8Array {
  const table = new Uint8Array(OCTETS)
  for (let octet = 0; octet < OCTETS; octet++) {
    const character = String.fromCharCode(octet)
    if (/[A-Za-z0-9]/.test(character) || TOKEN_MARKS.includes(character)) table[octet] = 1
  }
  return table
}
