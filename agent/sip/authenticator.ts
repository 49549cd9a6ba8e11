import { chooseChallenges, type Challenge } from './challenge.ts'
import { authorizationText } from './digest.ts'
import type { SipMessage } from './message.ts'
import { parameterOf, splitValues } from './values.ts'
import type { HeaderRow } from './write-message.ts'

const UNAUTHORIZED = 401
const MAX_NONCE_LENGTH = 1024

export interface Credentials {
  readonly username: string
  /** Asked for when an answer is computed, and never kept. */
  readonly revealPassword: () => string
  /** A client nonce: unpredictable, fit for a quoted string. */
  readonly newCnonce: () => string
}

/** What to make of a 401 or 407. */
export type ChallengeVerdict =
  | { readonly kind: 'answer'; readonly isStale: boolean }
  /** Our answer was not accepted: asking again would lock the account. */
  | { readonly kind: 'wrong-credentials' }
  | { readonly kind: 'unanswerable'; readonly reason: string }

interface Session {
  readonly isProxy: boolean
  readonly challenge: Challenge
  nonceCount: number
  /** Got with an answer, for next time (RFC 7616 section 3.5): not yet proved by a challenge. */
  readonly isNext: boolean
}

/** Answers the challenges of one account's servers: one session for each realm, of proxies and of the registrar. */
export class Authenticator {
  readonly #credentials: Credentials
  readonly #sessions = new Map<string, Session>()
  #algorithm: string | undefined

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /** Of the last answer given. */
  get algorithm(): string | undefined {
    return this.#algorithm
  }

  /** Begins anew, as with another server or another check; only a nonce the server gave for next time is kept. */
  startOver(): void {
    this.#algorithm = undefined
    for (const [key, session] of this.#sessions)
      if (!session.isNext || session.nonceCount > 0) this.#sessions.delete(key)
  }

  /** Forgets all, nonces for next time too. */
  forget(): void {
    this.#algorithm = undefined
    this.#sessions.clear()
  }

  /** Takes a 401 or 407; the next `authorizations()` answer it. */
  takeChallenge(response: SipMessage): ChallengeVerdict {
    const isProxy = response.statusCode !== UNAUTHORIZED
    const rows = response.headers(isProxy ? 'proxy-authenticate' : 'www-authenticate')
    const { challenges, refusals } = chooseChallenges(rows)
    if (challenges.length === 0) {
      const why = refusals[0] ?? 'no challenge in it'
      return {
        kind: 'unanswerable',
        reason: `${response.statusCode} that cannot be answered: ${why}`,
      }
    }
    let isStale = false
    for (const challenge of challenges) {
      const key = keyOf(isProxy, challenge.realm)
      const earlier = this.#sessions.get(key)
      if (earlier !== undefined && earlier.nonceCount > 0) {
        if (!challenge.isStale && !earlier.isNext) return { kind: 'wrong-credentials' }
        isStale ||= challenge.isStale
      }
      this.#sessions.set(key, { isProxy, challenge, nonceCount: 0, isNext: false })
    }
    return { kind: 'answer', isStale }
  }

  /** Takes the answer to a request that was accepted: the server may name the nonce it wants next. */
  takeAcceptance(response: SipMessage): void {
    this.#takeNext(false, response.otherHeaders('authentication-info'))
    this.#takeNext(true, response.otherHeaders('proxy-authentication-info'))
  }

  /** The rows that answer all challenges so far, for one request. */
  authorizations(method: string, uri: string, body: Uint8Array): HeaderRow[] {
    const { username, revealPassword, newCnonce } = this.#credentials
    return [...this.#sessions.values()].map((session) => {
      session.nonceCount++
      this.#algorithm = session.challenge.algorithm
      const text = authorizationText(session.challenge, {
        username,
        password: revealPassword(),
        method,
        uri,
        body,
        nonceCount: session.nonceCount,
        cnonce: newCnonce(),
      })
      return [session.isProxy ? 'Proxy-Authorization' : 'Authorization', text] as const
    })
  }

  #takeNext(isProxy: boolean, rows: readonly string[]): void {
    const nonce = parameterOf(splitValues(rows[0] ?? '').join(';'), 'nextnonce') ?? ''
    if (nonce === '' || nonce.length > MAX_NONCE_LENGTH) return
    // It does not say for which realm; with several there is no telling.
    const ours = [...this.#sessions].filter(([, session]) => session.isProxy === isProxy)
    const [key, session] = ours[0] ?? []
    if (key === undefined || session === undefined || ours.length > 1) return
    const challenge = { ...session.challenge, nonce, isStale: false }
    this.#sessions.set(key, { isProxy, challenge, nonceCount: 0, isNext: true })
  }
}

function keyOf(isProxy: boolean, realm: string): string {
  return `${isProxy ? 'proxy' : 'server'} ${realm}`
}
