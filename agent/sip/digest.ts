import { createHash } from 'node:crypto'
import type { Challenge, DigestAlgorithm } from './challenge.ts'

/** Digest answers (RFC 7616 section 3.4; RFC 8760 for SIP). */

const SESSION = '-sess'
const HASHES: Readonly<Record<string, string>> = {
  MD5: 'md5',
  'SHA-256': 'sha256',
  // Real SHA-512/256; the example of RFC 7616 section 3.9.2 was made with SHA-512 cut short.
  'SHA-512-256': 'sha512-256',
}
const HEX = 16
const NONCE_COUNT_DIGITS = 8

export interface DigestInput {
  readonly algorithm: DigestAlgorithm
  readonly username: string
  readonly realm: string
  readonly password: string
  readonly method: string
  /** The Request-URI as sent. */
  readonly uri: string
  readonly nonce: string
  readonly qop: 'auth' | 'auth-int' | undefined
  /** Requests sent with this nonce, this one included. */
  readonly nonceCount: number
  readonly cnonce: string
  readonly body: Uint8Array
}

/** The response parameter, lower-case hex. */
export function digestResponse(input: DigestInput): string {
  const { algorithm, nonce, cnonce, qop, method, uri } = input
  const isSession = algorithm.endsWith(SESSION)
  const name = HASHES[algorithm.replace(SESSION, '')] ?? 'md5'
  const hash = (data: string | Uint8Array): string => createHash(name).update(data).digest('hex')
  const ownHash = hash(`${input.username}:${input.realm}:${input.password}`)
  const hashA1 = isSession ? hash(`${ownHash}:${nonce}:${cnonce}`) : ownHash
  const body = qop === 'auth-int' ? `:${hash(input.body)}` : ''
  const hashA2 = hash(`${method}:${uri}${body}`)
  if (qop === undefined) return hash(`${hashA1}:${nonce}:${hashA2}`)
  return hash(`${hashA1}:${nonce}:${countText(input.nonceCount)}:${cnonce}:${qop}:${hashA2}`)
}

/** The value of an Authorization or Proxy-Authorization header that answers the challenge. */
export function authorizationText(
  challenge: Challenge,
  own: Pick<
    DigestInput,
    'username' | 'password' | 'method' | 'uri' | 'nonceCount' | 'cnonce' | 'body'
  >,
): string {
  const { realm, nonce, opaque, algorithm, qop } = challenge
  const { username, password, method, uri, nonceCount, cnonce, body } = own
  const response = digestResponse({
    username,
    password,
    method,
    uri,
    nonceCount,
    cnonce,
    body,
    realm,
    nonce,
    algorithm,
    qop,
  })
  const parts = [
    `username=${quoted(own.username)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(own.uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
  ]
  if (qop !== undefined) parts.push(`qop=${qop}`, `nc=${countText(own.nonceCount)}`)
  if (qop !== undefined || algorithm.endsWith(SESSION)) parts.push(`cnonce=${quoted(own.cnonce)}`)
  if (opaque !== undefined) parts.push(`opaque=${quoted(opaque)}`)
  return `Digest ${parts.join(', ')}`
}

function countText(nonceCount: number): string {
  return nonceCount.toString(HEX).padStart(NONCE_COUNT_DIGITS, '0')
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
