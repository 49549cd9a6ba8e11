import type { SipMessage } from './message.ts'
import { parameterOf, parseNameAddress, splitValues } from './values.ts'

/** What a registrar lists in its 200 to a REGISTER (RFC 3261 section 10.3). */

const MAX_EXPIRES_S = 2 ** 32 - 1
/** Malformed means an hour (RFC 3261 section 10.2.1.1 and 20.10). */
const DEFAULT_EXPIRES_S = 3600
const MAX_DIGITS = 32
const ABSOLUTE_URI = /^[a-z][a-z0-9+.-]*:\S+$/i

export interface Binding {
  readonly uri: string
  /** Seconds it still has; undefined when the registrar does not say. */
  readonly expiresS: number | undefined
}

/** The bindings in the Contact rows, those that are no URI left out. */
export function readBindings(response: SipMessage): Binding[] {
  const common = response.header('expires')
  return response
    .headers('contact')
    .flatMap(splitValues)
    .flatMap((text) => {
      const contact = parseNameAddress(text)
      if (contact === undefined || !ABSOLUTE_URI.test(contact.uri)) return []
      const expires = parameterOf(contact.parameters, 'expires') ?? common
      return [{ uri: contact.uri, expiresS: expires === undefined ? undefined : seconds(expires) }]
    })
}

/** Delta-seconds of Expires and its like. */
export function seconds(text: string): number {
  const digits = text.trim()
  if (!/^\d+$/.test(digits) || digits.length > MAX_DIGITS) return DEFAULT_EXPIRES_S
  const value = Number(digits)
  return value > MAX_EXPIRES_S ? DEFAULT_EXPIRES_S : value
}

/** Seconds of a Retry-After or Min-Expires header; comments and parameters are left aside. */
export function waitSeconds(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,10})(?=\s|;|\(|$)/.exec(text ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}
