import { textOf } from './octets.ts'

const PERCENT = 0x25
/** Letters, digits and marks: they are the same user escaped or not (RFC 3261 sections 19.1.4 and 25.1). */
const NEEDLESS = /%(?:2[1789ade]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e|2b)/gi

/** The user between `at` and `end` without escapes that need not be; undefined when there is no escape, as in nearly every user. */
export function plainUser(bytes: Uint8Array, at: number, end: number): Uint8Array | undefined {
  let index = at
  while (index < end && bytes[index] !== PERCENT) index++
  if (index === end) return undefined
  const plain = textOf(bytes, at, end).replace(NEEDLESS, (escape) =>
    String.fromCharCode(parseInt(escape.slice(1), 16)),
  )
  return Buffer.from(plain)
}
