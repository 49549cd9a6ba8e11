import type { Datagram } from '../capture/datagram.ts'
import type { SipMessage } from '../sip/message.ts'
import { sdpOf } from '../sip/multipart.ts'
import { METHODS, headerNumber } from '../sip/names.ts'
import { textOf } from '../sip/octets.ts'
import { parseSdp, type SdpFault } from '../sip/sdp.ts'
import { tagOf } from '../sip/tag.ts'
import { maskedParty } from '../sip/uri.ts'
import { parseNameAddress } from '../sip/values.ts'
import type { CallEvent, CallNames } from './call.ts'
import type { Hops } from './hop.ts'

/** What a SIP message says of a call. */

/** Longer ones are kept by no call. */
const MAX_CALL_ID_OCTETS = 256
const CALL_METHODS: readonly string[] = ['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK', 'UPDATE']
const CALL_ID = headerNumber('call-id')
const FROM = headerNumber('from')
const TO = headerNumber('to')

/** By the number of the method. */
const IS_CALL_METHOD = METHODS.map((method) => CALL_METHODS.includes(method))

export type EventFault =
  'no-cseq' | 'method-mismatch' | 'no-call-id' | 'call-id-too-long' | 'no-from' | 'no-to'

/**
 * Reads what a call needs to know; undefined for a message that belongs to none, a reason when it ought to and leaves out what it must
 * not (RFC 3261 section 8.1.1).
 */
export function callEventOf(
  message: SipMessage,
  datagram: Datagram,
  timeUs: number,
  hops: Hops,
): (CallEvent & { readonly callId: string }) | EventFault | undefined {
  const { isRequest, cseqNumber, cseqMethod } = message
  if (cseqNumber < 0) return message.isTruncated ? undefined : 'no-cseq'
  if (isRequest && message.methodText !== message.cseqMethodText) return 'method-mismatch'
  if (IS_CALL_METHOD[cseqMethod] !== true) return undefined
  const callIdRow = message.rowOf(CALL_ID)
  const fromRow = message.rowOf(FROM)
  const toRow = message.rowOf(TO)
  if (callIdRow < 0) return 'no-call-id'
  if (fromRow < 0) return 'no-from'
  if (toRow < 0) return 'no-to'
  const at = message.valueAt(callIdRow)
  const end = message.valueEnd(callIdRow)
  if (at === end) return 'no-call-id'
  if (end - at > MAX_CALL_ID_OCTETS) return 'call-id-too-long'
  return {
    callId: textOf(message.bytes, at, end),
    timeUs,
    isRequest,
    statusCode: message.statusCode,
    method: message.cseqMethodText,
    cseq: cseqNumber,
    fromTag: tagOf(message, fromRow),
    toTag: tagOf(message, toRow),
    hop: hops.of(datagram),
    said: undefined,
  }
}

/** The session description a message carries, read; why it could not be; undefined without one. */
export function sdpIn(
  message: SipMessage,
  datagram: Datagram,
  hop: string,
): CallEvent['said'] | SdpFault {
  const text = sdpOf(message)
  if (text === undefined) return undefined
  const sdp = parseSdp(text)
  if (typeof sdp === 'string') return sdp
  const version = datagram.ipVersion
  const words = Array.from(datagram.source.subarray(0, version === 4 ? 1 : undefined))
  return { sdp, text, hop, source: { version, words } }
}

export function callNamesOf(message: SipMessage, callId: string): CallNames {
  const named = (row: number) =>
    maskedParty(row < 0 ? '' : (parseNameAddress(message.valueText(row))?.uri ?? ''))
  return { callId, caller: named(message.rowOf(FROM)), callee: named(message.rowOf(TO)) }
}
