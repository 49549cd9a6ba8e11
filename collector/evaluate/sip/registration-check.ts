import type { Measurement } from '../../../common/measurement.ts'
import { countOf, intervalUsOf, numberOf, textOf } from '../points.ts'

/**
 * registered: it is. unregistered: credentials are right, and nobody has registered it. refused: the registrar says no. silent: no answer
 * of any use. unchecked: nobody knows, for want of time or in a pause.
 */
export type RegistrationOutcome = 'registered' | 'unregistered' | 'refused' | 'silent' | 'unchecked'

/** What one active check says of an account. */
export interface RegistrationCheck {
  readonly agent: string
  readonly site: string
  /** As configured: never the number. */
  readonly account: string
  /** Masked. */
  readonly aor: string
  /** Domain of the address of record: whose accounts are judged together. */
  readonly registrar: string
  /** Address and port of the server asked last. */
  readonly server: string
  readonly outcome: RegistrationOutcome
  readonly statusCode: number | undefined
  readonly reason: string
  readonly marginS: number | undefined
  readonly failuresInRow: number
  readonly timeUs: number
  readonly intervalUs: number
}

/** Says of a server that it cannot rather than of an account that it may not. */
const FIRST_SERVER_FAILURE = 500
const REQUEST_TIMEOUT = 408

/** @returns undefined for anything but the check of an account */
export function readRegistrationCheck(point: Measurement): RegistrationCheck | undefined {
  const { name, tags, fields, timeUs } = point
  const { agent = '', site = '', target = '' } = tags
  if (name !== 'sip_registration' || target === '') return undefined
  const aor = textOf(fields, 'aor') ?? ''
  const server = textOf(fields, 'server') ?? ''
  const domain = aor.slice(aor.indexOf('@') + 1)
  return {
    ...{ agent, site, account: target, aor, server, timeUs },
    registrar: domain === '' ? server : domain,
    outcome: outcomeOf(fields),
    statusCode: numberOf(fields, 'status_code'),
    reason: textOf(fields, 'reason') ?? 'no reason given',
    marginS: numberOf(fields, 'margin_s'),
    failuresInRow: countOf(fields, 'failures_in_row'),
    intervalUs: intervalUsOf(fields),
  }
}

function outcomeOf(fields: Measurement['fields']): RegistrationOutcome {
  const { registered, accepted, paused } = fields
  if (paused === true) return 'unchecked'
  if (registered === true) return 'registered'
  if (accepted === true) return registered === false ? 'unregistered' : 'unchecked'
  const status = numberOf(fields, 'status_code')
  const isServers =
    status === undefined || status >= FIRST_SERVER_FAILURE || status === REQUEST_TIMEOUT
  if (registered === false) return isServers ? 'silent' : 'refused'
  return accepted === false ? 'silent' : 'unchecked'
}
