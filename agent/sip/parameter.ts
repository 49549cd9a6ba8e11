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

const COMMA = 0x2c

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

/**
 * The same in a list whose values have no brackets, as Via, of the first value; and where that value ends is not looked for first.
 */
export function topParameterAt(
  bytes: Uint8Array,
  at: number,
  end: number,
  name: Uint8Array,
): number {
  let isQuoted = false
  for (let index = at; index < end; index++) {
    const octet = bytes[index]
    if (isQuoted && octet === BACKSLASH) index++
    else if (octet === QUOTE) isQuoted = !isQuoted
    if (isQuoted) continue
    if (octet === COMMA) return -1
    if (octet !== SEMICOLON) continue
    const valueAt = valueBehind(bytes, index + 1, end, name)
    if (valueAt >= 0) return valueAt
  }
  return -1
}

/** Where the parameters behind a name-addr begin, found from its end; `at` when it is not as simple as most are. */
export function parametersAt(bytes: Uint8Array, at: number, end: number): number {
  for (let index = end - 1; index >= at; index--) {
    const octet = bytes[index]
    if (octet === GREATER_THAN) return index + 1
    if (octet === QUOTE) return at
  }
  return at
}

/** Where a value that begins at `at` ends: a semicolon, a comma or a blank is behind it. */
export function parameterEnd(bytes: Uint8Array, at: number, end: number): number {
  let to = at
  while (to < end && !endsValue(bytes[to] ?? 0)) to++
  return to
}

function endsValue(octet: number): boolean {
  return octet === SEMICOLON || octet === COMMA || isBlank(octet)
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
