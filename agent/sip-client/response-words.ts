import type { SipMessage } from '../sip/message.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import { parameterOf, splitValues, valueOf } from '../sip/values.ts'

/** What we keep of the words in a response: bounded, and fit to be shown. */

const MAX_PHRASE_LENGTH = 60
const MAX_AGENT_LENGTH = 128

/** "403 Forbidden". */
export function statusText(response: SipMessage): string {
  const phrase = shown(response.reasonPhrase, MAX_PHRASE_LENGTH)
  return `${response.statusCode}${phrase === '' ? '' : ` ${phrase}`}`
}

/** What the server calls itself, and its version. */
export function agentOf(response: SipMessage): string | undefined {
  const agent = response.header('server') ?? response.header('user-agent')
  return agent === undefined ? undefined : shown(agent, MAX_AGENT_LENGTH)
}

/** Where the server saw us send from, when it says so (RFC 3581 section 4): behind a NAT that is not our own address. */
export function mappedAddressOf(response: SipMessage): string | undefined {
  const via = splitValues(response.header('via') ?? '')[0] ?? ''
  const received = parameterOf(via, 'received')
  const rport = Number(parameterOf(via, 'rport') ?? '')
  if (received === undefined || valueOf(via) === '') return undefined
  const host = shown(received.replace(/^\[|\]$/g, ''), MAX_PHRASE_LENGTH)
  return hostPortText(host, rport > 0 ? rport : undefined)
}

function shown(text: string, length: number): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, length)
}
