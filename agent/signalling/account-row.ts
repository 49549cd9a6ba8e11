import type { Counts } from './counters.ts'

/** What is counted per account, as it is called on the wire. */
export const ACCOUNT_COUNTERS = [
  'wrong_credentials',
  'calls',
  'calls_emergency',
  'calls_premium',
  'calls_international',
  'calls_national',
  'calls_short',
  'calls_other',
  'answered',
  'brief',
  'talked_s',
  'forwards',
  'forwards_premium',
  'forwards_international',
] as const
export type AccountCounter = (typeof ACCOUNT_COUNTERS)[number]

export type RegistrationChange = 'registered' | 'removed' | 'expired' | 'refused'

/** An account over one interval in which there is something to tell of it. */
export interface AccountRow {
  /** Masked. */
  readonly account: string
  readonly key: string
  readonly srcIp: string | undefined
  readonly userAgent: string | undefined
  readonly isFirst: boolean
  readonly knownS: number
  readonly isNewNetwork: boolean
  readonly isNewUserAgent: boolean
  readonly registration: RegistrationChange | undefined
  readonly isOverdue: boolean
  /** Of the response that refused it. */
  readonly statusCode: number | undefined
  readonly bindings: number
  readonly guessingSources: number
  readonly destinations: number
  readonly up: number
  readonly upMax: number
  readonly upCostly: number
  readonly counts: Counts<AccountCounter>
}
