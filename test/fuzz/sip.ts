import { Datagram } from '../../agent/capture/datagram.ts'
import { CallMonitor } from '../../agent/media/call-monitor.ts'
import { MediaTable } from '../../agent/media/media-table.ts'
import { SipFramer } from '../../agent/sip/framer.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { sdpOf } from '../../agent/sip/multipart.ts'
import { headerNumber, type HeaderName } from '../../agent/sip/names.ts'
import { looksLikeSip } from '../../agent/sip/start.ts'
import { tagOf } from '../../agent/sip/tag.ts'
import { maskedParty, parseUri } from '../../agent/sip/uri.ts'
import { parameterOf, parseNameAddress, splitValues } from '../../agent/sip/values.ts'
import { INCOMPLETE, IS_SIP, MAX_HEADERS, SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { callMessages, sipText } from '../support/sip-messages.ts'
import type { FuzzTarget } from './fuzz.ts'

const MAX_CALLS = 50
const ASKED: readonly HeaderName[] = ['from', 'to', 'contact', 'via', 'call-id', 'content-type']
const HEX = 16

const datagram = new Datagram()
const message = new SipMessage()
const media = new MediaTable(MAX_CALLS * 4)
const monitor = new CallMonitor({ media, maxCalls: MAX_CALLS })
let timeUs = 0

/** Messages, alone and as a stream cut in two, and the calls they make. */
export const target: FuzzTarget = {
  name: 'sip',
  corpus: [
    ...callMessages().map(({ text }) => Buffer.from(text)),
    Buffer.from(
      callMessages()
        .map(({ text }) => text)
        .join(''),
    ),
    Buffer.from(
      sipText(
        [
          'INVITE sip:b@h SIP/2.0',
          'f: "A, \\"B\\"" <sip:a@[::1]>\r\n ;tag=1',
          't:<tel:1>',
          'i: 1',
          'CSeq: 1 INVITE',
        ],
        '--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 9 RTP/AVP 0\r\n--b--\r\n',
        'multipart/mixed;boundary=b',
      ),
    ),
  ],
  words: [
    '\r\n',
    '\r\n\r\n',
    '\r\n ',
    'SIP/2.0',
    ' SIP/2.0\r\n',
    'INVITE ',
    'Content-Length: ',
    'l:',
    '"',
    '<',
    '>',
    '%00',
    ';tag=',
  ].map((word) => Buffer.from(word)),
  run: (input) => {
    looksLikeSip(new DataView(input.buffer, input.byteOffset, input.length), 0, input.length)
    ask(input)
    checkStream(input)
    checkCalls(input)
  },
}

function ask(input: Uint8Array): void {
  const verdict = message.parse(input, 0, input.length, input.length + (input[0] ?? 0))
  if (SIP_VERDICTS[verdict] === undefined) throw new Error(`verdict ${verdict}`)
  if (verdict !== IS_SIP) return
  if (message.headerCount > MAX_HEADERS) throw new Error('more headers than there is room for')
  if (message.bodyAt > message.end || message.end > input.length)
    throw new Error('a body beyond the end')
  const { methodText, requestUri, reasonPhrase, cseqMethodText } = message
  if (
    methodText.length + requestUri.length + reasonPhrase.length + cseqMethodText.length >
    2 * input.length
  )
    throw new Error('more text than there was')
  parseUri(requestUri)
  message.otherHeaders('x')
  for (const name of ASKED) {
    for (const value of message.headers(name)) {
      for (const one of splitValues(value)) maskedParty(parseNameAddress(one)?.uri ?? '')
      parameterOf(value, 'tag')
    }
    const row = message.rowOf(headerNumber(name))
    if (row >= 0) tagOf(message, row)
  }
  sdpOf(message)
}

/** Cut anywhere, a stream is the same messages. */
function checkStream(input: Uint8Array): void {
  const whole = framed([input])
  const cut = (input[input.length >> 1] ?? 0) % (input.length + 1)
  const parts = framed([input.subarray(0, cut), input.subarray(cut)])
  if (whole !== parts) throw new Error(`cut at ${cut} it is ${parts}, not ${whole}`)
}

function framed(parts: readonly Uint8Array[]): string {
  const framer = new SipFramer(message)
  const found: string[] = []
  for (const part of parts)
    framer.push(part, {
      message: ({ bytes, start, end }) => {
        let sum = end - start
        for (let at = start; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
        found.push(sum.toString(HEX))
      },
      refused: () => undefined,
    })
  framer.lose({
    message: () => undefined,
    refused: (verdict) => found.push(verdict === INCOMPLETE ? '' : 'x'),
  })
  return found.filter((one) => one !== '').join(' ')
}

function checkCalls(input: Uint8Array): void {
  timeUs += 1000
  datagram.sourcePort = input.length
  datagram.payloadOctets = input.length
  monitor.handleDatagram(input, datagram, timeUs)
  datagram.tcpSequence = timeUs >>> 0
  datagram.tcpFlags = (input[1] ?? 0) & 7
  monitor.handleSegment(input, datagram, timeUs)
  if ((input[0] ?? 0) % 50 === 0) {
    const rows = monitor.takeInterval(timeUs)
    if (rows.length > MAX_CALLS) throw new Error('more calls than allowed')
    if (rows.some((row) => row.media.some(({ ip }) => ip.length > 64)))
      throw new Error('a long address')
  }
  if (media.size > MAX_CALLS * 4) throw new Error('more addresses than allowed')
}
