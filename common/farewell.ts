import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The last word of an agent, and how it is signed. Collectors keep only the SHA-256 of a token: the key is made of that, so both sides
 * have it and neither needs to keep more.
 */

export const FAREWELL_CAUSES = [
  'on-battery',
  'low-battery',
  'shutdown',
  'stop',
  'failure',
  'unknown',
] as const
export type FarewellCause = (typeof FAREWELL_CAUSES)[number]

/** Keeps this key from being one for anything else. */
const PURPOSE = 'kiestoon farewell 1'
/** An agent has at most sixteen collectors. */
const SIGNATURES = /^[0-9a-f]{64}( [0-9a-f]{64}){0,15}$/

export interface SignedFarewell {
  readonly agent: string
  readonly site: string
  /** As it goes over the wire: by the agent's own clock. */
  readonly timeUs: number
  readonly cause: string
  /** '' where it says none. */
  readonly power: string
}

/** SHA-256 of a token, hexadecimal. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** @param hash of the token: tokenHash() */
export function signFarewell(hash: string, farewell: SignedFarewell): string {
  return hmac(hash, farewell).toString('hex')
}

/** @param signature for one token, or for several with a space between: whoever reads it finds its own */
export function isFarewellGenuine(
  hash: string,
  farewell: SignedFarewell,
  signature: unknown,
): boolean {
  if (typeof signature !== 'string' || !SIGNATURES.test(signature)) return false
  const right = hmac(hash, farewell)
  return signature.split(' ').some((one) => timingSafeEqual(Buffer.from(one, 'hex'), right))
}

/** HMAC-SHA-256 (RFC 2104) over the five, as JSON: no two farewells make one text. */
function hmac(hash: string, { agent, site, timeUs, cause, power }: SignedFarewell): Buffer {
  const key = createHmac('sha256', Buffer.from(hash, 'hex')).update(PURPOSE).digest()
  return createHmac('sha256', key)
    .update(JSON.stringify([agent, site, timeUs, cause, power]))
    .digest()
}
