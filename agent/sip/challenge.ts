import { parameterOf, splitValues } from './values.ts'

/** What a server asks for with 401 or 407 (RFC 7616 section 3.3, RFC 8760). */

export const DIGEST_ALGORITHMS = [
  'MD5',
  'MD5-sess',
  'SHA-256',
  'SHA-256-sess',
  'SHA-512-256',
  'SHA-512-256-sess',
] as const
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number]

/** Goes back to the server in our next request: a longer one would make that as long as the server likes. */
const MAX_VALUE_LENGTH = 1024
/** Realms answered at once; more than any chain of proxies has. */
const MAX_REALMS = 4
const MAX_NAME_LENGTH = 32

/** "Digest realm=...": a scheme, and behind it the first parameter. */
const SCHEME = /^([\w!#$%&'*+.^`|~-]+)\s+(?=[^\s=]+\s*=)/
const CONTROL = /[\u0000-\u001f\u007f]/

export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly opaque: string | undefined
  readonly algorithm: DigestAlgorithm
  /** Undefined when the server offers none: then the form of RFC 2069 is what it expects. */
  readonly qop: 'auth' | 'auth-int' | undefined
  /** Name and password were right, only the nonce is too old. */
  readonly isStale: boolean
}

export interface ChosenChallenges {
  /** One for each realm. */
  readonly challenges: readonly Challenge[]
  /** Why others, or all, were passed over. */
  readonly refusals: readonly string[]
}

/**
 * Of the values of all WWW-Authenticate or all Proxy-Authenticate rows, for each realm the topmost that can be answered (RFC 8760
 * section 2.4); MD5 only when nothing better is offered, as whoever hears the answer can guess passwords from it.
 */
export function chooseChallenges(values: readonly string[]): ChosenChallenges {
  const chosen = new Map<string, Challenge>()
  const refusals: string[] = []
  for (const text of values.flatMap(parted)) {
    const challenge = readChallenge(text)
    if (typeof challenge === 'string') {
      refusals.push(challenge)
      continue
    }
    const earlier = chosen.get(challenge.realm)
    const isBetter = earlier !== undefined && isMd5(earlier) && !isMd5(challenge)
    if (isBetter || (earlier === undefined && chosen.size < MAX_REALMS))
      chosen.set(challenge.realm, challenge)
  }
  return { challenges: [...chosen.values()], refusals }
}

/** The challenge, or why it cannot be answered. */
function readChallenge(text: string): Challenge | string {
  const scheme = SCHEME.exec(text)?.[1] ?? text.trim().split(/\s/, 1)[0] ?? ''
  if (scheme.toLowerCase() !== 'digest') return `scheme ${shown(scheme)} is not Digest`
  const parameters = splitValues(text.replace(SCHEME, '')).join(';')
  const valueOf = (name: string): string | undefined => parameterOf(parameters, name)
  const realm = valueOf('realm') ?? ''
  const nonce = valueOf('nonce') ?? ''
  const opaque = valueOf('opaque')
  if (nonce === '') return 'challenge without a nonce'
  for (const value of [realm, nonce, opaque ?? ''])
    if (value.length > MAX_VALUE_LENGTH || CONTROL.test(value))
      return 'challenge with a value too long, or with control characters'
  const named = (valueOf('algorithm') ?? 'MD5').toLowerCase()
  const algorithm = DIGEST_ALGORITHMS.find((known) => known.toLowerCase() === named)
  if (algorithm === undefined) return `algorithm ${shown(named)} is unknown`
  const qop = chosenQop(valueOf('qop'))
  if (qop === 'unknown') return 'qop is neither auth nor auth-int'
  const isStale = valueOf('stale')?.toLowerCase() === 'true'
  return { realm, nonce, opaque, algorithm, qop, isStale }
}

function chosenQop(offered: string | undefined): Challenge['qop'] | 'unknown' {
  const options = (offered ?? '').toLowerCase().split(',')
  const names = options.map((option) => option.trim()).filter((option) => option !== '')
  if (names.length === 0) return undefined
  if (names.includes('auth')) return 'auth'
  return names.includes('auth-int') ? 'auth-int' : 'unknown'
}

/** Some servers fold several challenges into one row: each begins with a scheme of its own. */
function parted(value: string): string[] {
  const challenges: string[] = []
  for (const part of splitValues(value)) {
    const last = challenges.length - 1
    if (last < 0 || SCHEME.test(part)) challenges.push(part)
    else challenges[last] = `${challenges[last] ?? ''}, ${part}`
  }
  return challenges
}

function isMd5({ algorithm }: Challenge): boolean {
  return algorithm.startsWith('MD5')
}

function shown(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '?').slice(0, MAX_NAME_LENGTH)
}
