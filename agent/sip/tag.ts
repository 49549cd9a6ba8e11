import type { SipMessage } from './message.ts'
import { textOf } from './octets.ts'
import { parameterAt, parameterEnd, parameterName, parametersAt } from './parameter.ts'

const TAG = parameterName('tag')
/** Longer ones are cut off; they only have to differ. */
const MAX_TAG_OCTETS = 128

/** The tag parameter of a From or To row, '' when there is none: straight from the octets, as every message of a call is asked for it. */
export function tagOf(message: SipMessage, row: number): string {
  const at = tagAt(message, row)
  return at < 0 ? '' : textOf(message.bytes, at, tagEnd(message, row, at))
}

/** Where the tag of a row begins, -1 when it has none. */
export function tagAt(message: SipMessage, row: number): number {
  const { bytes } = message
  const end = message.valueEnd(row)
  return parameterAt(bytes, parametersAt(bytes, message.valueAt(row), end), end, TAG)
}

export function tagEnd(message: SipMessage, row: number, at: number): number {
  const end = Math.min(message.valueEnd(row), at + MAX_TAG_OCTETS)
  return parameterEnd(message.bytes, at, end)
}
