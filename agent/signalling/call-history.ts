import type { SipMessage } from '../sip/message.ts'
import { headerNumber } from '../sip/names.ts'
import { parameterOf, parseNameAddress, splitValues } from '../sip/values.ts'

const HISTORY = headerNumber('history-info')
/** Why a call is passed on to somebody else (RFC 4458 section 2). */
const FORWARDED = /;cause=(?:302|404|408|480|486|487|503)(?![0-9])/i

/**
 * Who passed a call on to whom it is for now, by History-Info (RFC 7044): the last but one it was for, when the last is another user and
 * not the same one somewhere else. Undefined when nobody did.
 */
export function forwarderIn(message: SipMessage): string | undefined {
  if (message.rowOf(HISTORY) < 0) return undefined
  const entries = message.headers('history-info').flatMap(splitValues).slice(-2)
  const [before, last] = entries.map(parseNameAddress)
  if (before === undefined || last === undefined) return undefined
  const isForwarded = parameterOf(last.parameters, 'mp') !== undefined || FORWARDED.test(last.uri)
  return isForwarded ? before.uri : undefined
}
