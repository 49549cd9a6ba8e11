import { test } from 'tap'
import { messageFault } from '../../agent/sip/message-fault.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { sdpOf } from '../../agent/sip/multipart.ts'
import { SipFramer } from '../../agent/sip/framer.ts'
import { parseNameAddress, parameterOf, splitValues } from '../../agent/sip/values.ts'
import { IS_SIP, SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { CallTap } from '../support/call-tap.ts'
import { SignallingTap } from '../support/signalling-tap.ts'
import { INVALID, VALID } from '../support/torture-messages.ts'

const message = new SipMessage()

test('every valid torture message of RFC 4475 is read, and nothing is found wrong with it', async (t) => {
  for (const { name, about, bytes } of VALID) {
    const verdict = message.parse(bytes, 0, bytes.length)
    t.equal(SIP_VERDICTS[verdict], 'sip', `${name}: ${about}`)
    t.equal(messageFault(message), undefined, name)
  }
})

test('every invalid one is refused, with the reason', async (t) => {
  for (const { name, about, bytes, fault } of INVALID) {
    const verdict = message.parse(bytes, 0, bytes.length)
    const found = verdict === IS_SIP ? messageFault(message) : SIP_VERDICTS[verdict]
    t.equal(found, fault, `${name}: ${about}`)
  }
})

test('none of them stops who follows calls or watches signalling', async (t) => {
  const calls = new CallTap()
  const watch = new SignallingTap()
  for (const { name, bytes } of [...VALID, ...INVALID]) {
    const text = Buffer.from(bytes).toString('latin1')
    t.doesNotThrow(() => {
      calls.sip(text)
      calls.tcp(bytes, 1, 0x12)
      if (message.parse(bytes, 0, bytes.length) === IS_SIP)
        watch.show(Buffer.from(bytes).toString(), '198.51.100.1', '10.0.0.9')
    }, name)
  }
  t.ok(calls.rows().length >= 2)
  const { messages, sources } = watch.take()
  t.ok(messages >= VALID.length)
  t.ok((sources[0]?.counts.malformed ?? 0) >= 7, 'the source is known for it')
})

test('the tortuous INVITE says what it says', async (t) => {
  read('wsinv')
  t.equal(message.methodText, 'INVITE')
  t.equal(message.requestUri, 'sip:callee@example.com;unknownparam')
  t.equal(message.header('call-id'), 'wsinv.ndaksdj@192.0.2.1')
  t.equal(message.cseqNumber, 9)
  t.equal(message.cseqMethodText, 'INVITE')
  t.equal(message.header('subject'), '')
  t.equal(message.header('max-forwards'), '0068')
  const from = parseNameAddress(message.header('from') ?? '')
  t.equal(from?.displayName, 'Caller \\"')
  t.equal(from?.uri, 'sip:caller@example.com')
  t.equal(parameterOf(from?.parameters ?? '', 'tag'), '98asjd8')
  t.equal(parameterOf(message.header('to') ?? '', 'tag'), '1918181833n')
  const vias = message.headers('via').flatMap(splitValues)
  t.equal(vias.length, 3)
  t.same(
    vias.map((via) => parameterOf(via, 'branch')),
    ['390skdjuw', 'z9hG4bK9ikj8', 'z9hG4bK30239'],
  )
  t.match(sdpOf(message), /^m=audio 49217 RTP\/AVP 0 12/m)
  t.same(message.otherHeaders('newfangledheader'), ['newfangled value continued newfangled value'])
})

test('a message made to take long to check takes no time', async (t) => {
  const blanks = ' '.repeat(16_000)
  const long: readonly (readonly [name: string, value: string])[] = [
    ['To', `a${blanks}x"`],
    ['From', `a;b${blanks}c`],
    ['From', `a;${'b'.repeat(16_000)} c`],
    ['Contact', `"${blanks}`],
    ['Via', `SIP${blanks}/ 2.0 x`],
  ]
  for (const [name, value] of long) {
    const values = new Map([
      ['Via', 'SIP/2.0/UDP a'],
      ['From', '<sip:a@b>'],
      ['To', '<sip:a@b>'],
      ['Call-ID', '1'],
      ['CSeq', '1 OPTIONS'],
      [name, value],
    ])
    const lines = [...values].map(([header, text]) => `${header}: ${text}`)
    const bytes = Buffer.from(['OPTIONS sip:a@b SIP/2.0', ...lines, '', ''].join('\r\n'))
    t.equal(message.parse(bytes, 0, bytes.length), IS_SIP)
    const since = process.hrtime.bigint()
    t.match(messageFault(message), /bad-(address|via)/)
    const tookMs = Number(process.hrtime.bigint() - since) / 1e6
    t.ok(tookMs < 100, `${name}: ${tookMs} ms`)
  }
})

test('odd but legal words stay what they are', async (t) => {
  read('intmeth')
  t.equal(message.methodText, "!interesting-Method0123456789_*+`.%indeed'~")
  t.equal(message.cseqMethodText, message.methodText)
  t.match(message.header('from'), /\u0440\u0430\u0431\u043e\u0442\u0430/)
  read('esc02')
  t.equal(message.methodText, 'RE%47IST%45R', 'no REGISTER')
  t.equal(message.headers('contact').length, 2, 'C%6Fntact is no Contact')
  read('escnull')
  t.same(message.headers('contact'), [
    '<sip:%00@host5.example.com>',
    '<sip:%00%00@host5.example.com>',
  ])
  read('lwsdisp')
  t.equal(parseNameAddress(message.header('from') ?? '')?.displayName, 'caller')
  read('unreason')
  t.equal(message.statusCode, 200)
  t.match(message.reasonPhrase, /^= 2\*\*3 \* 5\*\*2 \u043d\u043e/)
  read('noreason')
  t.equal(message.statusCode, 100)
  t.equal(message.reasonPhrase, '')
})

test('the second message of a datagram is none, of a stream it is', async (t) => {
  const bytes = read('dblreq')
  t.equal(message.methodText, 'REGISTER')
  t.equal(message.end - message.bodyAt, 0)
  const methods: string[] = []
  new SipFramer(new SipMessage()).push(bytes, {
    message: ({ methodText }) => methods.push(methodText),
    refused: (verdict) => methods.push(SIP_VERDICTS[verdict] ?? ''),
  })
  t.same(methods, ['REGISTER', 'INVITE'])
})

test('a body is octets, not text', async (t) => {
  read('mpart01')
  t.same([...message.body.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47])
  t.equal(message.body.length, 12)
})

test('values of any length within the limits are read', async (t) => {
  read('longreq')
  t.equal(message.headers('via').flatMap(splitValues).length, 7)
  t.equal(message.header('call-id')?.length, 1021)
})

/** Parses it into `message`. */
function read(name: string): Uint8Array {
  const bytes = VALID.find((one) => one.name === name)?.bytes ?? new Uint8Array(0)
  const verdict = message.parse(bytes, 0, bytes.length)
  if (verdict !== IS_SIP) throw new Error(`${name}: ${SIP_VERDICTS[verdict] ?? ''}`)
  return bytes
}
