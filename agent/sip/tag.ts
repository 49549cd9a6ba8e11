import type { SipMessage } from './message.ts'
import {
  BACKSLASH,
  EQUALS,
  GREATER_THAN,
  LESS_THAN,
  LOWER_CASE_BIT,
  QUOTE,
  SEMICOLON,
  isBlank,
  textOf,
} from './octets.ts'

const NAME = Uint8Array.from('tag', (character) => character.charCodeAt(0))
/** Longer ones are cut off; they only have to differ. */
const MAX_TAG_OCTETS = 128

/** The tag parameter of a From or To row, '' when there is none: straight from the octets, as every message of a call is asked for it. */
export function tagOf(message: SipMessage, row: number): string {
  const { bytes } = message
  const end = message.valueEnd(row)
  let isQuoted = false
  let isBracketed = false
  for (let at = message.valueAt(row); at < end; at++) {
    const octet = bytes[at]
    if (isQuoted && octet === BACKSLASH) at++
    else if (octet === QUOTE && !isBracketed) isQuoted = !isQuoted
    else if (isQuoted) continue
    else if (octet === LESS_THAN) isBracketed = true
    else if (octet === GREATER_THAN) isBracketed = false
    else if (octet === SEMICOLON && !isBracketed) {
      const valueAt = tagValueAt(bytes, at + 1, end)
      if (valueAt >= 0) return textOf(bytes, valueAt, tagEnd(bytes, valueAt, end))
    }
  }
  return ''
}

/** Where the value begins when the parameter at `at` is a tag, else -1. */
function tagValueAt(bytes: Uint8Array, at: number, end: number): number {
  let from = at
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  for (const letter of NAME) if (((bytes[from++] ?? 0) | LOWER_CASE_BIT) !== letter) return -1
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  if (from >= end || bytes[from] !== EQUALS) return -1
  from++
  while (from < end && isBlank(bytes[from] ?? 0)) from++
  return from
}

function tagEnd(bytes: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, at + MAX_TAG_OCTETS)
  let to = at
  while (to < limit && bytes[to] !== SEMICOLON && !isBlank(bytes[to] ?? 0)) to++
  return to
}
