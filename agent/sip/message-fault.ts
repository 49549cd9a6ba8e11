import type { SipMessage } from './message.ts'
import type { HeaderName } from './names.ts'
import { lineFeedIn, textOf } from './octets.ts'
import { splitValues } from './values.ts'

/**
 * Whether a message keeps to the grammar (RFC 3261 section 25.1), as far as one that does not is to be answered with 400, or dropped.
 * Reading on is often possible, and what watches others' messages does; but a sender of such is broken, or means harm.
 */
export type MessageFault =
  | 'bad-start-line'
  | 'bad-request-uri'
  | 'bad-header-line'
  | 'missing-header'
  | 'repeated-header'
  | 'bad-cseq'
  | 'method-mismatch'
  | 'bad-max-forwards'
  | 'bad-via'
  | 'bad-address'
  | 'bad-date'

const MAX_CSEQ = 2 ** 31 - 1
const MAX_FORWARDS = 255
const MANDATORY: readonly HeaderName[] = ['via', 'from', 'to', 'call-id', 'cseq']
const SINGLE: readonly HeaderName[] = ['from', 'to', 'call-id', 'cseq', 'max-forwards']
const ADDRESSES: readonly HeaderName[] = ['from', 'to']
const ADDRESS_LISTS: readonly HeaderName[] = ['contact', 'route', 'record-route']

const REQUEST_LINE = /^[^\s<>]+ [^\s<>]+ SIP\/2\.0\r?$/i
const STATUS_LINE = /^SIP\/2\.0 \d{3}(?: .*)?\r?$/is
const TOKEN = "[A-Za-z0-9\\-.!%*_+`'~]"
const QUOTED = '"(?:[^"\\\\]|\\\\.)*"'
/** Of a host, IPv6 too. */
const VALUE = "[A-Za-z0-9\\-.!%*_+`'~:[\\]]"
const PARAMETERS = `(?:\\s*;\\s*${TOKEN}+(?:\\s*=\\s*(?:${VALUE}+|${QUOTED}))?)*\\s*`
/** A display name of tokens or in quotes and a URI in brackets, or a URI alone that needs none. */
const NAME_ADDRESS = new RegExp(
  `^(?:(?:${QUOTED}\\s*|[A-Za-z0-9\\-.!%*_+\`'~\\s]*)<[^<>\\s]+>|[^\\s<>"?,;]+)${PARAMETERS}$`,
  's',
)
const VIA = new RegExp(
  `^SIP\\s*/\\s*2\\.0\\s*/\\s*${TOKEN}+\\s+[^\\s;,<>"]+(?:\\s*:\\s*\\d+)?${PARAMETERS}$`,
  'i',
)

/** What is wrong with a message that was parsed; undefined when nothing is. */
export function messageFault(message: SipMessage): MessageFault | undefined {
  return startFault(message) ?? headerFault(message) ?? valueFault(message)
}

function startFault(message: SipMessage): MessageFault | undefined {
  const { bytes, start, end, isRequest, requestUri } = message
  const lineEnd = lineFeedIn(bytes, start, end)
  const line = textOf(bytes, start, lineEnd < 0 ? end : lineEnd)
  if (!(isRequest ? REQUEST_LINE : STATUS_LINE).test(line)) return 'bad-start-line'
  // Headers within a URI are for those who send requests (RFC 3261 section 19.1.1).
  if (isRequest && hasHeaders(requestUri)) return 'bad-request-uri'
  return undefined
}

/** A user may have a question mark in it. */
function hasHeaders(uri: string): boolean {
  return /^sips?:/i.test(uri) && uri.slice(uri.indexOf('@') + 1).includes('?')
}

function headerFault(message: SipMessage): MessageFault | undefined {
  if (message.badLines > 0) return 'bad-header-line'
  if (MANDATORY.some((name) => message.header(name) === undefined)) return 'missing-header'
  if (SINGLE.some((name) => message.headers(name).length > 1)) return 'repeated-header'
  const { cseqNumber, isRequest, methodText, cseqMethodText } = message
  if (cseqNumber < 0 || cseqNumber > MAX_CSEQ) return 'bad-cseq'
  if (isRequest && methodText !== cseqMethodText) return 'method-mismatch'
  const forwards = message.header('max-forwards')?.trim()
  const isCount = forwards === undefined || /^\d+$/.test(forwards)
  return isCount && Number(forwards ?? 0) <= MAX_FORWARDS ? undefined : 'bad-max-forwards'
}

function valueFault(message: SipMessage): MessageFault | undefined {
  const vias = message.headers('via').flatMap(splitValues)
  if (!vias.every((via) => VIA.test(via))) return 'bad-via'
  const single = ADDRESSES.flatMap((name) => message.headers(name))
  const listed = ADDRESS_LISTS.flatMap((name) => message.headers(name)).flatMap(splitValues)
  const isAddress = (text: string) => NAME_ADDRESS.test(text.trim())
  if (!single.every(isAddress) || !listed.every((text) => text === '*' || isAddress(text)))
    return 'bad-address'
  const date = message.header('date')
  // No other zone is allowed (RFC 3261 section 20.17).
  return date === undefined || date.trim().endsWith('GMT') ? undefined : 'bad-date'
}
