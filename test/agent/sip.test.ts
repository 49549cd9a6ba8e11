import { test } from 'tap'
import { SipFramer } from '../../agent/sip/framer.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { sdpOf } from '../../agent/sip/multipart.ts'
import { METHODS, headerNumber } from '../../agent/sip/names.ts'
import { parseSdp, type SessionDescription } from '../../agent/sip/sdp.ts'
import { looksLikeSip } from '../../agent/sip/start.ts'
import { tagOf } from '../../agent/sip/tag.ts'
import { maskedParty, parseUri } from '../../agent/sip/uri.ts'
import { parameterOf, parseNameAddress, splitValues, valueOf } from '../../agent/sip/values.ts'
import { SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { Random } from '../fuzz/fuzz.ts'
import { callMessages, sdpText, sipText } from '../support/sip-messages.ts'

const FROM = headerNumber('from')
const TO = headerNumber('to')

function parsed(text: string | Uint8Array, wireOctets?: number) {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const message = new SipMessage()
  const verdict = message.parse(bytes, 0, bytes.length, wireOctets ?? bytes.length)
  return { message, verdict: SIP_VERDICTS[verdict] ?? 'unknown' }
}

function described(text: string): SessionDescription {
  const sdp = parseSdp(text)
  if (typeof sdp === 'string') throw new Error(sdp)
  return sdp
}

test('a request tells its method, its URI, its headers and its body', async (t) => {
  const { message, verdict } = parsed(
    'INVITE sip:bob@example.com SIP/2.0\r\n' +
      'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n' +
      'Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb\r\n' +
      'From: <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\n' +
      'Call-ID: x@192.0.2.1\r\nCSeq: 7 INVITE\r\nX-Own: yes\r\nContent-Length: 4\r\n\r\nbodyIGNORED',
  )
  t.equal(verdict, 'sip')
  t.equal(message.isRequest, true)
  t.equal(message.methodText, 'INVITE')
  t.equal(METHODS[message.method], 'INVITE')
  t.equal(message.requestUri, 'sip:bob@example.com')
  t.same(message.headers('via'), [
    'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa',
    'SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb',
  ])
  t.same(message.otherHeaders('x-own'), ['yes'])
  t.equal(message.header('expires'), undefined)
  t.equal(message.cseqNumber, 7)
  t.equal(message.cseqMethodText, 'INVITE')
  t.equal(tagOf(message, message.rowOf(FROM)), 'a1')
  t.equal(tagOf(message, message.rowOf(TO)), '')
  t.equal(Buffer.from(message.body).toString(), 'body')
})

test('a response tells its status and its phrase, which may be empty or not ASCII', async (t) => {
  const rest = 'CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n'
  const { message } = parsed(`SIP/2.0 200 Почти всё\r\n${rest}`)
  t.equal(message.isRequest, false)
  t.equal(message.statusCode, 200)
  t.equal(message.reasonPhrase, 'Почти всё')
  t.equal(parsed(`SIP/2.0 100 \r\n${rest}`).message.reasonPhrase, '')
  t.equal(parsed(`SIP/2.0 100\r\n${rest}`).verdict, 'sip')
  t.equal(parsed(`sip/2.0 486 Busy\r\n${rest}`).message.statusCode, 486)
})

test('names are read in any case, long or compact, with blanks before the colon', async (t) => {
  const { message } = parsed(
    'OPTIONS sip:a@b SIP/2.0\r\nv  : SIP/2.0/TCP h\r\nI:id\r\nf\t: <sip:x@y>;tag=1\r\nT: <sip:y@z>\r\n' +
      'cSEQ: 0009 OPTIONS\r\nCONTENT-length : 00\r\nm:<sip:c@d>\r\nc: text/plain\r\nk: 100rel\r\nx: 1800\r\n\r\n',
  )
  t.equal(message.header('via'), 'SIP/2.0/TCP h')
  t.equal(message.header('call-id'), 'id')
  t.equal(message.header('from'), '<sip:x@y>;tag=1')
  t.equal(message.header('contact'), '<sip:c@d>')
  t.equal(message.header('content-type'), 'text/plain')
  t.equal(message.header('supported'), '100rel')
  t.equal(message.header('session-expires'), '1800')
  t.equal(message.cseqNumber, 9)
  t.equal(message.contentLength, 0)
})

test('a folded header is one line, also when the fold comes first or holds blanks only', async (t) => {
  const { message, verdict } = parsed(
    'INVITE sip:a@b SIP/2.0\r\nFrom: "A"\r\n  <sip:a@b>\r\n\t;\r\n tag = folded\r\nSubject:\r\n     \r\n' +
      'CSeq:\r\n 12\r\n  INVITE\r\nCall-ID:\r\n id\r\n\r\n',
  )
  t.equal(verdict, 'sip')
  t.equal(message.header('from'), '"A" <sip:a@b> ; tag = folded')
  t.equal(tagOf(message, message.rowOf(FROM)), 'folded')
  t.equal(message.header('subject'), '')
  t.equal(message.header('call-id'), 'id')
  t.equal(message.cseqNumber, 12)
  t.equal(METHODS[message.cseqMethod], 'INVITE')
  t.equal(message.badLines, 0)
})

test('a tag is found behind quotes, brackets and other parameters only', async (t) => {
  const tag = (from: string) => {
    const { message } = parsed(`BYE sip:a@b SIP/2.0\r\nFrom: ${from}\r\n\r\n`)
    return tagOf(message, message.rowOf(FROM))
  }
  t.equal(tag('";tag=no\\";tag=no" <sip:a@b;tag=no>;x="1;tag=no";TAG=yes;z'), 'yes')
  t.equal(tag('sip:a@b;tag=bare'), 'bare')
  t.equal(tag('<sip:a@b>;tagged=1;tag'), '')
  t.equal(tag('<sip:a@b;tag=no>'), '')
  t.equal(tag('"never closed;tag=no'), '')
})

test('what is not SIP is refused with its reason', async (t) => {
  const cases: readonly (readonly [string | Uint8Array, string])[] = [
    ['', 'keepalive'],
    ['\r\n\r\n', 'keepalive'],
    [new Uint8Array(4), 'keepalive'],
    [new Uint8Array([0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]), 'not-sip'],
    ['GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n', 'not-sip'],
    ['HTTP/1.1 200 OK\r\n\r\n', 'not-sip'],
    ['just a line of text\r\n', 'not-sip'],
    ['OPTIONS sip:a@b SIP/7.0\r\n\r\n', 'bad-version'],
    ['SIP/2.1 200 OK\r\n\r\n', 'bad-version'],
    ['OPTIONS  SIP/2.0\r\n\r\n', 'bad-request-line'],
    ['SIP/2.0 4294967301 too large\r\n\r\n', 'bad-status-line'],
    ['SIP/2.0 700 large\r\n\r\n', 'bad-status-line'],
    ['SIP/2.0 99 small\r\n\r\n', 'bad-status-line'],
    ['SIP/2.0 2OO letters\r\n\r\n', 'bad-status-line'],
    ['INVITE sip:a@b SIP/2.0', 'incomplete'],
    [`INVITE ${'a'.repeat(20_000)}`, 'line-too-long'],
    [`OPTIONS sip:a@b SIP/2.0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, 'line-too-long'],
    [`OPTIONS sip:a@b SIP/2.0\r\n${'X: y\r\n'.repeat(257)}\r\n`, 'too-many-headers'],
    [`OPTIONS sip:a@b SIP/2.0\r\n${`X: ${'y'.repeat(9000)}\r\n`.repeat(8)}\r\n`, 'head-too-long'],
    ['OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -999\r\n\r\n', 'bad-content-length'],
    ['OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\nabc', 'bad-content-length'],
    ['OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 9999\r\n\r\nshort', 'body-too-short'],
  ]
  for (const [text, verdict] of cases)
    t.equal(parsed(text).verdict, verdict, Buffer.from(text).toString('latin1').slice(0, 50))
})

test('messages that look strange but are legal are read', async (t) => {
  // After the cases of RFC 4475 section 3.1.1, in words of our own.
  const method = "!interesting-Method0123456789_*+`.%indeed'~"
  const strange = parsed(
    `${method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0\r\n` +
      `CSeq: 139122385 ${method}\r\nContent-Length: 0\r\n\r\n`,
  )
  t.equal(strange.verdict, 'sip')
  t.equal(strange.message.methodText, method)
  t.equal(strange.message.cseqMethodText, method)
  const escaped = parsed(
    'RE%47IST%45R sip:registrar.example.com SIP/2.0\r\nCSeq: 1 RE%47IST%45R\r\n\r\n',
  )
  t.equal(escaped.message.methodText, 'RE%47IST%45R', 'a % in a method is no escape')
  t.equal(METHODS[escaped.message.method], undefined)
  const twice =
    'REGISTER sip:a SIP/2.0\r\nCSeq: 8 REGISTER\r\nContent-Length: 0\r\n\r\nINVITE sip:b SIP/2.0\r\n\r\n'
  t.equal(parsed(twice).message.body.length, 0, 'a second message in a datagram is not read')
  const long = `INVITE sip:user@example.com SIP/2.0\r\nVia: ${'SIP/2.0/TCP sip33.example.com, '.repeat(100)}x\r\n\r\n`
  t.equal(splitValues(parsed(long).message.header('via') ?? '').length, 101)
  const lineFeeds = parsed('OPTIONS sip:a@b SIP/2.0\nCSeq: 1 OPTIONS\nContent-Length: 2\n\nhi')
  t.equal(Buffer.from(lineFeeds.message.body).toString(), 'hi')
  const broken = parsed(
    'OPTIONS sip:a@b SIP/2.0\r\n leading\r\nno colon\r\nCSeq: 1 OPTIONS\r\n: x\r\n\r\n',
  )
  t.equal(broken.verdict, 'sip')
  t.equal(broken.message.badLines, 3)
  t.equal(broken.message.cseqNumber, 1)
  t.equal(parsed('\r\n\r\nOPTIONS sip:a SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n').verdict, 'sip')
  const unended = parsed('OPTIONS sip:a SIP/2.0\r\nCSeq: 1 OPTIONS\r\n')
  t.equal(unended.verdict, 'sip', 'a datagram that ends with its last header')
  t.equal(unended.message.hasHeadEnd, false)
})

test('a message of which the capture has less than the wire is read as far as it goes', async (t) => {
  const text = sipText(['INVITE sip:a SIP/2.0', 'CSeq: 1 INVITE', 'Call-ID: x'], sdpText())
  const whole = Buffer.from(text)
  const head = parsed(whole.subarray(0, 45), whole.length)
  t.equal(head.verdict, 'sip')
  t.equal(head.message.isTruncated, true)
  t.equal(head.message.cseqNumber, 1)
  t.equal(head.message.header('call-id'), undefined)
  const body = parsed(whole.subarray(0, whole.length - 10), whole.length)
  t.equal(body.verdict, 'sip')
  t.equal(body.message.isTruncated, true)
  t.match(sdpOf(body.message), /m=audio 20000/)
})

test('lists part at commas outside of quotes and brackets, parameters at semicolons', async (t) => {
  t.same(splitValues('"a, \\"b" <sip:a,b@c>;x=1 , <sip:d>,e'), [
    '"a, \\"b" <sip:a,b@c>;x=1',
    '<sip:d>',
    'e',
  ])
  t.equal(parameterOf(';A=1; b ="q;\\"r" ;lr', 'B'), 'q;"r')
  t.equal(parameterOf(';a=1;lr', 'lr'), '')
  t.equal(parameterOf(';a=1', 'b'), undefined)
  t.equal(valueOf('application/sdp ; charset=x'), 'application/sdp')
})

test('names and addresses are taken apart, and refused when something is not closed', async (t) => {
  t.same(parseNameAddress('"B. \\"Bob\\" <x>" <sip:bob@h;transport=tcp> ;tag=1'), {
    displayName: 'B. "Bob" <x>',
    uri: 'sip:bob@h;transport=tcp',
    parameters: ' ;tag=1',
  })
  t.same(parseNameAddress('caller<sip:c@h>;tag=2'), {
    displayName: 'caller',
    uri: 'sip:c@h',
    parameters: ';tag=2',
  })
  t.same(parseNameAddress('sip:c@h;tag=3'), {
    displayName: undefined,
    uri: 'sip:c@h',
    parameters: ';tag=3',
  })
  for (const broken of ['"Joe <sip:a@b>', '<sip:a@b', '', '<>', 'Bell, Alexander'])
    t.equal(parseNameAddress(broken), undefined, broken)
})

test('URIs tell user, host and port', async (t) => {
  t.same(parseUri('SIP:user;par=u%40h:secret@[2001:DB8::9]:5070;transport=tcp?subject=a@b'), {
    scheme: 'sip',
    user: 'user;par=u%40h',
    host: '2001:db8::9',
    port: 5070,
    parameters: ';transport=tcp',
  })
  t.same(parseUri('sips:Example.COM'), {
    scheme: 'sips',
    user: undefined,
    host: 'example.com',
    port: undefined,
    parameters: '',
  })
  t.equal(parseUri('tel:+31-20-123;phone-context=x')?.user, '+31-20-123')
  for (const broken of ['nobodyKnowsThis:a', 'sip:', 'sip:a@', 'sip:a@b:99999', 'sip:a b@c d', ''])
    t.equal(parseUri(broken), undefined, broken)
})

test('of a party no more than the last two characters are shown', async (t) => {
  t.equal(maskedParty('sip:+31201234567@pbx.example:5060;user=phone'), '**********67@pbx.example')
  t.equal(maskedParty('sip:101@10.0.0.1'), '*01@10.0.0.1')
  t.equal(maskedParty('sip:12@10.0.0.1'), '**@10.0.0.1')
  t.equal(maskedParty('tel:+31201'), '****01')
  t.equal(maskedParty('sip:pbx.example'), 'pbx.example')
  t.equal(maskedParty('mailto:a@b'), '')
})

test('a payload is known for SIP by its first line', async (t) => {
  const looks = (text: string, at = 0) => {
    const bytes = Buffer.from(text, 'latin1')
    return looksLikeSip(
      new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      at,
      bytes.length,
    )
  }
  t.equal(looks('INVITE sip:a@b SIP/2.0\r\n'), true)
  t.equal(looks('xxSIP/2.0 200 OK\r\n', 2), true)
  t.equal(looks('OPTIONS sip:a SIP/3.0\n'), true, 'the version is judged later')
  t.equal(looks('GET / HTTP/1.1\r\n'), false)
  t.equal(looks('INVITE sip:a@b SIP/2.0'), false)
  t.equal(looks('\x80\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a'), false)
  t.equal(looks(''), false)
})

test('a description tells address, port, codecs, packet time and direction of each medium', async (t) => {
  const { media } = described(
    [
      'v=0',
      'o=- 2 3 IN IP4 192.0.2.9',
      's=-',
      'c=IN IP4 192.0.2.10/127',
      't=0 0',
      'a=sendonly',
      'm=audio 49170/2 RTP/AVP 9 96 18 101 13',
      'a=rtpmap:96 opus/48000/2',
      'a=fmtp:96 usedtx=1; useinbandfec=1',
      'a=fmtp:18 annexb=no',
      'a=rtpmap:101 telephone-event/8000',
      'a=rtpmap:9 L16/16000',
      'a=ptime:20',
      'a=maxptime:150',
      'a=rtcp:53020 IN IP4 192.0.2.11',
      'm=video 0 RTP/AVPF 97',
      'c=IN IP6 2001:db8::1',
      'a=recvonly',
      'm=image 5000 udptl t38',
    ].join('\r\n'),
  )
  t.equal(media.length, 3)
  const [audio, video, fax] = media
  t.match(audio, {
    kind: 'audio',
    port: 49_170,
    address: '192.0.2.10',
    isRtp: true,
    isSecure: false,
    formats: [9, 96, 18, 101, 13],
    packetMs: 20,
    maxPacketMs: 150,
    direction: 'sendonly',
    rtcpPort: 53_020,
    isRtcpMuxed: false,
  })
  t.match(audio?.rtpMaps.get(96), { name: 'opus', clockRate: 48_000, channels: 2 })
  t.match(audio?.rtpMaps.get(9), { name: 'L16', clockRate: 16_000, channels: 1 })
  t.equal(audio?.parameters.get(18), 'annexb=no')
  t.match(video, { kind: 'video', port: 0, address: '2001:db8::1', direction: 'recvonly' })
  t.match(fax, { kind: 'image', port: 5000, isRtp: false, formats: [] })
})

test('profiles, keys and fingerprints tell whether media is secure', async (t) => {
  const audio = (protocol: string, lines: readonly string[] = [], before = '') =>
    described(sdpText({ protocol, lines }).replace('t=0 0\r\n', `t=0 0\r\n${before}`)).media[0]
  const fingerprint = 'a=fingerprint:sha-256 00:11'
  for (const secure of ['RTP/SAVP', 'RTP/SAVPF', 'UDP/TLS/RTP/SAVP', 'UDP/TLS/RTP/SAVPF'])
    t.match(audio(secure), { isRtp: true, isSecure: true }, secure)
  for (const plain of ['RTP/AVP', 'RTP/AVPF', 'TCP/RTP/AVP'])
    t.match(audio(plain), { isRtp: true, isSecure: false }, plain)
  t.match(audio('udptl', [fingerprint]), { isRtp: false, isSecure: false })
  t.match(audio('RTP/AVP', [fingerprint, 'a=setup:actpass']), { isSecure: true, setup: 'actpass' })
  t.match(audio('RTP/AVP', [], `${fingerprint}\r\n`), { isSecure: true })
  const crypto = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:xx'
  t.match(audio('RTP/AVP', [crypto]), { isSecure: false, hasCrypto: true })
})

test('candidates, bundles and muxing are read', async (t) => {
  const { media, bundled } = described(
    sdpText({
      protocol: 'UDP/TLS/RTP/SAVPF',
      lines: [
        'a=mid:0',
        'a=rtcp-mux',
        'a=candidate:1 1 UDP 2113667327 203.0.113.141 54400 typ host',
        'a=candidate:2 2 udp 1677729535 198.51.100.7 54401 typ srflx raddr 10.0.0.1 rport 9',
        'a=candidate:3 1 tcp 1 10.0.0.1 9 typ host tcptype active',
        'a=candidate:4 1 udp 1 10.0.0.1 99999 typ host',
        'a=candidate:nonsense',
        'm=video 0 UDP/TLS/RTP/SAVPF 96',
        'a=mid:1',
        'a=bundle-only',
      ],
    }).replace('t=0 0\r\n', 't=0 0\r\na=group:BUNDLE 0 1\r\n'),
  )
  t.same(bundled, ['0', '1'])
  t.same(media[0]?.candidates, [
    { component: 1, transport: 'udp', address: '203.0.113.141', port: 54_400, type: 'host' },
    { component: 2, transport: 'udp', address: '198.51.100.7', port: 54_401, type: 'srflx' },
    { component: 1, transport: 'tcp', address: '10.0.0.1', port: 9, type: 'host' },
  ])
  t.equal(media[0]?.isRtcpMuxed, true)
  t.match(media[1], { mid: '1', isBundleOnly: true, port: 0 })
})

test('what is no description is refused with its reason, and nonsense within one is passed over', async (t) => {
  t.equal(parseSdp(''), 'not-sdp')
  t.equal(parseSdp('hello\r\nm=audio 1 RTP/AVP 0'), 'not-sdp')
  t.equal(parseSdp('v=0\r\ns=-\r\n'), 'no-media')
  t.equal(parseSdp(`v=0\r\n${'a=x\r\n'.repeat(20_000)}`), 'sdp-too-long')
  t.equal(parseSdp(`v=0\r\n${'m=audio 1 RTP/AVP 0\r\n'.repeat(65)}`), 'too-many-media')
  const { media } = described(
    'v=0\nm=audio 99999 RTP/AVP 0 999 x 8\na=rtpmap:0\na=rtpmap:8 PCMA/0\na=ptime:-1\na=rtcp:x\nm=\nfoo\nc=IN IP4\n',
  )
  t.match(media[0], { port: 0, formats: [0, 8], packetMs: undefined, rtcpPort: undefined })
  t.equal(media[0]?.rtpMaps.size, 0)
  t.equal(media[1]?.port, 0)
})

test('a description is found within a multipart body', async (t) => {
  const sdp = sdpText({ port: 4000 }).trimEnd()
  const body =
    `preamble\r\n--b1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b1x not a boundary\r\n` +
    `--b1\r\nContent-Type: multipart/mixed;\r\n boundary="in ner"\r\n\r\n` +
    `--in ner\r\ncontent-type: Application/SDP\r\nContent-ID: <1>\r\n\r\n${sdp}\r\n--in ner--\r\n` +
    `--b1\r\n\r\nrest\r\n--b1--\r\n`
  const found = (type: string, text = body) =>
    sdpOf(parsed(sipText(['INVITE sip:a SIP/2.0'], text, type)).message)
  t.equal(found('multipart/mixed;boundary=b1'), sdp)
  t.equal(found('multipart/mixed'), undefined)
  t.equal(found('multipart/mixed;boundary=other'), undefined)
  t.equal(found('text/plain'), undefined)
  t.equal(found('Application/SDP ;charset=utf-8', sdp), sdp)
})

test('a stream gives the same messages however it is cut', async (t) => {
  const texts = [
    ...callMessages().map(({ text }) => text),
    '\r\n\r\n',
    ...callMessages({ callId: 'two' }).map(({ text }) => text),
  ]
  const stream = Buffer.from(texts.join(''))
  const whole = texts.filter((text) => text !== '\r\n\r\n')
  const random = new Random(7)
  const cuts = [
    () => stream.length,
    () => 1,
    () => 1 + random.below(3),
    () => 1 + random.below(900),
  ]
  for (const size of [...cuts, ...Array.from({ length: 20 }, () => () => 1 + random.below(2000))]) {
    const found: string[] = []
    const refused: number[] = []
    const framer = new SipFramer(new SipMessage())
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + size())
      framer.push(stream.subarray(at, end), {
        message: ({ bytes, start, end: messageEnd }) =>
          found.push(Buffer.from(bytes.subarray(start, messageEnd)).toString()),
        refused: (verdict) => refused.push(verdict),
      })
      at = end
    }
    t.same(found, whole)
    t.same(refused, [])
    t.equal(framer.isBetweenMessages, true)
  }
})

test('a stream goes on at the next start line after what cannot be read', async (t) => {
  const good = (id: string) => sipText(['OPTIONS sip:a SIP/2.0', `Call-ID: ${id}`])
  const read = (...parts: (string | undefined)[]) => {
    const found: string[] = []
    const framer = new SipFramer(new SipMessage())
    const sink = {
      message: (message: SipMessage) => void found.push(message.header('call-id') ?? ''),
      refused: (verdict: number) => void found.push(SIP_VERDICTS[verdict] ?? ''),
    }
    for (const part of parts) {
      if (part === undefined) framer.lose(sink)
      else framer.push(Buffer.from(part), sink)
    }
    return found
  }
  const without = 'OPTIONS sip:a SIP/2.0\r\nCall-ID: w\r\n\r\n'
  t.same(read(without + good('1')), ['no-content-length', '1'])
  t.same(read(`OPTIONS sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n${good('2')}`), [
    'bad-content-length',
    '2',
  ])
  t.same(read(`OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n${good('3')}`), [
    'body-too-long',
    '3',
  ])
  t.same(read(`garbage\r\nmore\r\n${good('4')}`), ['not-sip', '4'])
  t.same(read(`garb`, `age`, `\r\nmo`, `re\r\n`, good('5')), ['not-sip', '5'])
  t.same(read(good('6').slice(0, 30), undefined, `end of it\r\n\r\n${good('7')}`), [
    'incomplete',
    '7',
  ])
  t.same(read(good('8'), undefined, good('9').slice(0, 5), good('9').slice(5)), ['8', '9'])
  t.same(
    read('\x16\x03\x01\x02\x00\x01', good('a')),
    ['not-sip'],
    'in the middle of a line nothing begins',
  )
  t.same(
    read(`OPTIONS sip:a SIP/2.0\r\n${'X: y\r\n'.repeat(11_000)}`, `Z: z\r\n\r\n${good('b')}`),
    ['head-too-long', 'b'],
  )
})

test('a framer holds no more than one message of bounded length', async (t) => {
  const framer = new SipFramer(new SipMessage())
  const sink = { message: () => undefined, refused: () => undefined }
  const chunk = Buffer.from('X: y\r\n'.repeat(200))
  framer.push(Buffer.from('OPTIONS sip:a SIP/2.0\r\n'), sink)
  let most = 0
  for (let count = 0; count < 2000; count++) {
    framer.push(chunk, sink)
    most = Math.max(most, framer.held)
  }
  t.ok(most <= 131_072, `${most} octets`)
  framer.push(Buffer.from('\r\nOPTIONS sip:a SIP/2.0\r\nContent-Length: 262144\r\n\r\n'), sink)
  for (let count = 0; count < 200; count++) framer.push(chunk, sink)
  t.ok(framer.held <= 524_288, `${framer.held} octets`)
})
