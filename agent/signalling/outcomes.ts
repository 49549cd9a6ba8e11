/** What a final response means to an attempt to set up a session or to register (RFC 6076 section 4). */

/**
 * established, redirected, declined (the callee has no time), cancelled, failed; continued: the client is asked to try again, and what
 * comes of that counts (RFC 3261 section 22, RFC 4028, RFC 3329); ineffective: failed, by fault of the network rather than of the call.
 */
export type SessionOutcome =
  'established' | 'redirected' | 'declined' | 'cancelled' | 'continued' | 'ineffective' | 'failed'

const REQUEST_TIMEOUT = 408
const CHALLENGES: readonly number[] = [401, 402, 407]
const TRY_AGAIN: readonly number[] = [...CHALLENGES, 422, 423, 491, 494]
const DECLINED: readonly number[] = [480, 486, 600, 603]
const INEFFECTIVE: readonly number[] = [REQUEST_TIMEOUT, 500, 503, 504]
const REQUEST_TERMINATED = 487
const INTERVAL_TOO_BRIEF = 423

export function isChallenge(status: number): boolean {
  return CHALLENGES.includes(status)
}

export function isTooBrief(status: number): boolean {
  return status === INTERVAL_TOO_BRIEF
}

export function sessionOutcome(status: number): SessionOutcome {
  if (status < 300) return 'established'
  if (status < 400) return 'redirected'
  if (TRY_AGAIN.includes(status)) return 'continued'
  if (DECLINED.includes(status)) return 'declined'
  if (status === REQUEST_TERMINATED) return 'cancelled'
  return INEFFECTIVE.includes(status) ? 'ineffective' : 'failed'
}

/** The same for REGISTER; 423 asks for another try with a longer time (RFC 3261 section 10.2.8). */
export function registrationOutcome(status: number): 'ok' | 'continued' | 'failed' {
  if (status < 300) return 'ok'
  return status < 400 || TRY_AGAIN.includes(status) ? 'continued' : 'failed'
}
