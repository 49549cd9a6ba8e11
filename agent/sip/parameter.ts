import {
  BACKSLASH,
  EQUALS,
  GREATER_THAN,
  LESS_THAN,
  LOWER_CASE_BIT,
  QUOTE,
  SEMICOLON,
  isBlank,
} from './octets.ts'

/** Parameters of header values straight from their octets: no text is made. */

/** The octets of a parameter's name, in lower case. */
export function parameterName(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0))
}

/** Where the value of `;name=value` begins between `at` and `end`, not within quotes or brackets; -1 when it is not there. */
export function parameterAt(bytes: Uint8Array, at: number, end: number, name: Uint8Array): number {
  let isQuoted = false
  let isBracketed = false
  for (let index = at; index < end; index++) {
    const octet = bytes[index]
    if (isQuoted && octet === BACKSLASH) index++
    else if (octet === QUOTE && !isBracketed) isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (octet === LESS_THAN) isBracketed = true
    else if (octet === GREATER_THAN) isBracketed = false
    else if (octet === SEMICOLON && !isBracketed) {
      const valueAt = valueBehind(bytes, index + 1, end, name)
      if (valueAt >= 0) return valueAt
    }
  }
  return -1
}

/** Where a value that begins at `at` ends: a semicolon or a blank is behind it. */
export function parameterEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = at
  while (to < end && bytes[to] !== SEMICOLON && !isBlank(bytes[to] ?? 0)) to++
  return to
}

/** Where the value begins when the parameter at `at` has this name, else -1. */
function valueBehind(bytes: Uint8Array, at: number, end: number, name: Uint8Array): number {
  let from = at
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  for (const letter of name) if (((bytes[from++] ?? 0) | LOWER_CASE_BIT) !== letter) return -1
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  if (from >= end || bytes[from] !== EQUALS) return -1
  from++
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  return from
}
