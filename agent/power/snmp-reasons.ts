import { TransientError, reasonOf } from '../../common/errors.ts'
import type { SnmpAccess, SnmpOptions } from './snmp-access.ts'

/** What net-snmp, the device (RFC 3414 section 3.2: usmStats) and the system say, in words that say what to look at. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/unknown user name/i, 'it does not know this user'],
  [/digest/i, 'wrong authentication key or protocol'],
  [/decrypt/i, 'wrong privacy key or protocol'],
  [/unsupported security level/i, 'it does not let this user in at this level of security'],
  [/time window/i, 'its clock of SNMPv3 has jumped'],
  [/authorizationerror|noaccess/i, 'it does not let us read this'],
  [/econnrefused/i, 'nothing listens there'],
  [/ehostunreach|enetunreach/i, 'no route to it'],
  [/enotfound|eai_again/i, 'its name is not known'],
]

/** What came of a device before it was given up. */
export interface Heard {
  readonly datagrams: number
  /** Requests that were answered. */
  readonly answers: number
  /** Datagrams that are not SNMP. */
  readonly nonsense: number
}

/** Why a device was not read, as a TransientError that names it. */
export function explainSnmp(
  error: unknown,
  { host, port, access, timeoutMs, retries }: SnmpOptions,
  heard: Heard,
): TransientError {
  if (error instanceof TransientError) return error
  const text = reasonOf(error)
  const isTimeout = error instanceof Error && error.name === 'RequestTimedOutError'
  const reason = isTimeout
    ? `no answer (${retries + 1} x ${timeoutMs} ms): ${silence(access, heard)}`
    : (WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? text)
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return new TransientError('snmp-unreachable', `SNMP ${where}: ${reason}`, { cause: error })
}

/** Devices do not answer a wrong community, nor an address they do not serve, and many of them not a wrong privacy key. */
function silence(access: SnmpAccess, heard: Heard): string {
  if (heard.nonsense > 0) return 'what came is not SNMP'
  if (access.version !== 'v3') return 'unreachable, or a wrong community'
  return heard.datagrams > 0 && heard.answers === 0 && access.priv !== undefined
    ? 'it is there, but keeps silent: a wrong privacy key or protocol'
    : 'unreachable, or it does not serve us'
}
