import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { cancellation } from '../../agent/sip/acknowledgement.ts'
import { Authenticator } from '../../agent/sip/authenticator.ts'
import { readBindings, seconds, waitSeconds } from '../../agent/sip/bindings.ts'
import { DIGEST_ALGORITHMS, chooseChallenges } from '../../agent/sip/challenge.ts'
import { authorizationText, digestResponse } from '../../agent/sip/digest.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { domainUri, escapedUser, isSameContact } from '../../agent/sip/sip-uri.ts'
import { ClientTransaction, STANDARD_TIMERS } from '../../agent/sip/transaction.ts'
import { parseUri, type SipUri } from '../../agent/sip/uri.ts'
import { NO_BODY, writeMessage, type RequestDraft } from '../../agent/sip/write-message.ts'
import { Dns } from '../../agent/sip-client/dns.ts'
import { SipEndpoint, type EndpointOptions } from '../../agent/sip-client/endpoint.ts'
import { isFlow, type Flow, type Target } from '../../agent/sip-client/flow.ts'
import { Locator } from '../../agent/sip-client/locator.ts'
import { runSpread, sipClock } from '../../agent/sip-client/scheduler.ts'
import { isServerAddress } from '../../agent/sip-client/server-address.ts'
import { inSrvOrder } from '../../agent/sip-client/srv-order.ts'
import { newToken } from '../../agent/sip-client/token.ts'
import { UnwantedRequests } from '../../agent/sip-client/unwanted-requests.ts'
import { makeCertificate } from '../support/certificate.ts'
import { startDnsServer, type Zone } from '../support/dns-server.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { headerOf, respond, startTcpScript, startUdpScript } from '../support/scripted-sip.ts'

const SIGNAL = new AbortController().signal
const VECTORS = z
  .object({
    sipDigest: z.array(
      z.object({
        name: z.string(),
        algorithm: z.enum(DIGEST_ALGORITHMS),
        username: z.string(),
        realm: z.string(),
        password: z.string(),
        method: z.string(),
        uri: z.string(),
        nonce: z.string(),
        nc: z.string().default('00000001'),
        cnonce: z.string().default(''),
        qop: z.enum(['auth', 'auth-int']).optional(),
        response: z.string(),
      }),
    ),
    sipTimers: z.object({
      T1ms: z.number(),
      T2ms: z.number(),
      T4ms: z.number(),
      nonInviteSendTimesMs: z.array(z.number()),
      timerFms: z.number(),
      inviteSendTimesMs: z.array(z.number()),
      timerBms: z.number(),
    }),
  })
  .parse(
    JSON.parse(
      readFileSync(new URL('../fixtures/sip/digest-and-timers.json', import.meta.url), 'utf8'),
    ),
  )

test('digest answers are those of the vectors', async (t) => {
  for (const { name, nc, qop, response, ...input } of VECTORS.sipDigest) {
    const answer = digestResponse({ ...input, qop, nonceCount: parseInt(nc, 16), body: NO_BODY })
    t.equal(answer, response, name)
  }
  const own = {
    username: '1001',
    realm: 'kiestoon.example',
    password: 's3cret',
    method: 'REGISTER',
    uri: 'sip:kiestoon.example',
    nonce: '5f3a1b2c',
    nonceCount: 1,
    cnonce: 'abcdef01',
    qop: 'auth',
    body: NO_BODY,
  } as const
  t.equal(digestResponse({ ...own, algorithm: 'MD5-sess' }), '55f62604a007c64e874fdc2d9e9c6e89')
})

test('an authorization quotes what must be quoted, and nothing else', async (t) => {
  const [challenge] = chooseChallenges([
    'Digest realm="a \\"b\\"", nonce="n1", opaque="o", qop="auth,auth-int", algorithm=SHA-256',
  ]).challenges
  if (challenge === undefined) throw new Error('no challenge')
  const text = authorizationText(challenge, {
    username: 'al"ice',
    password: 'p',
    method: 'REGISTER',
    uri: 'sip:x',
    nonceCount: 26,
    cnonce: 'c1',
    body: NO_BODY,
  })
  t.match(text, /^Digest username="al\\"ice", realm="a \\"b\\"", nonce="n1", uri="sip:x", /)
  t.match(
    text,
    /, response="[0-9a-f]{64}", algorithm=SHA-256, qop=auth, nc=0000001a, cnonce="c1", opaque="o"$/,
  )
})

test('of several challenges the topmost that can be answered is taken, MD5 only for want of better', async (t) => {
  const digest = (algorithm: string, nonce: string): string =>
    `Digest realm="r", nonce="${nonce}", algorithm=${algorithm}, qop="auth"`
  const chosen = (...rows: readonly string[]): string[] =>
    chooseChallenges(rows).challenges.map(({ algorithm, nonce }) => `${algorithm} ${nonce}`)
  t.same(chosen(digest('SHA-512-256', '1'), digest('SHA-256', '2'), digest('MD5', '3')), [
    'SHA-512-256 1',
  ])
  t.same(chosen(digest('SHA-3', '1'), digest('SHA-256', '2')), ['SHA-256 2'])
  t.same(chosen(digest('MD5', '1'), digest('SHA-256', '2')), ['SHA-256 2'])
  t.same(chosen('Digest realm="r",nonce="1"'), ['MD5 1'], 'no algorithm means MD5')
  t.same(
    chosen(`${digest('MD5', '1')}, ${digest('SHA-256-sess', '2')}`),
    ['SHA-256-sess 2'],
    'folded into one row',
  )
  t.equal(
    chooseChallenges([digest('MD5', '1'), 'Digest realm="q", nonce="2"']).challenges.length,
    2,
    'two realms',
  )
  const refused = (row: string): string | undefined => {
    const { challenges, refusals } = chooseChallenges([row])
    return challenges.length === 0 ? refusals[0] : undefined
  }
  t.match(refused('Basic realm="r"'), /scheme Basic is not Digest/)
  t.match(refused('Digest realm="r"'), /without a nonce/)
  t.match(refused('Digest realm="r", nonce="1", algorithm=ROT13'), /algorithm rot13 is unknown/)
  t.match(refused('Digest realm="r", nonce="1", qop="token"'), /qop is neither/)
  t.match(refused(`Digest realm="r", nonce="${'n'.repeat(5000)}"`), /too long/)
  t.match(refused('Digest realm="r", nonce="a\u0001b"'), /control characters/)
  for (const row of ['', ',', 'Digest', 'Digest ', '"', 'Digest realm=,nonce=,', '\u0000'])
    t.ok(refused(row) !== undefined, JSON.stringify(row))
})

test('a stale nonce is no wrong password; a second refusal is', async (t) => {
  const cnonces = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6']
  const authenticator = new Authenticator({
    username: 'u',
    revealPassword: () => 'p',
    newCnonce: () => cnonces.shift() ?? '',
  })
  const challenge = (
    row: string,
    status = '401 Unauthorized',
  ): ReturnType<Authenticator['takeChallenge']> =>
    authenticator.takeChallenge(parsed(`SIP/2.0 ${status}\r\n${row}\r\n\r\n`))
  const nonces = (): string[] =>
    authenticator
      .authorizations('REGISTER', 'sip:x', NO_BODY)
      .map(
        ([name, value]) =>
          `${name} ${/nonce="(\w+)"/.exec(value)?.[1] ?? ''} ${/nc=(\w+)/.exec(value)?.[1] ?? ''}`,
      )
  t.same(nonces(), [])
  t.same(challenge('WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth"'), {
    kind: 'answer',
    isStale: false,
  })
  t.same(nonces(), ['Authorization n1 00000001'])
  t.same(nonces(), ['Authorization n1 00000002'], 'the count goes up with each request')
  t.same(challenge('WWW-Authenticate: Digest realm="r", nonce="n2", qop="auth", stale=TRUE'), {
    kind: 'answer',
    isStale: true,
  })
  const proxy = 'Proxy-Authenticate: Digest realm="p", nonce="n3"'
  t.same(challenge(proxy, '407 Proxy Authentication Required'), { kind: 'answer', isStale: false })
  t.same(nonces(), ['Authorization n2 00000001', 'Proxy-Authorization n3 '], 'both are answered')
  authenticator.takeAcceptance(
    parsed('SIP/2.0 200 OK\r\nAuthentication-Info: qop=auth, nextnonce="n4"\r\n\r\n'),
  )
  authenticator.startOver()
  t.same(
    nonces(),
    ['Authorization n4 00000001'],
    'the nonce given for next time is used, the others forgotten',
  )
  t.same(
    challenge('WWW-Authenticate: Digest realm="r", nonce="n5"'),
    { kind: 'answer', isStale: false },
    'it may have been too old',
  )
  nonces()
  t.same(challenge('WWW-Authenticate: Digest realm="r", nonce="n6"'), { kind: 'wrong-credentials' })
  authenticator.startOver()
  t.same(nonces(), [])
  t.match(challenge('Server: x'), {
    kind: 'unanswerable',
    reason: '401 that cannot be answered: no challenge in it',
  })
})

test('requests are sent again at the times of the vectors, and given up in time', async (t) => {
  const { sipTimers } = VECTORS
  t.match(STANDARD_TIMERS, { t1Ms: sipTimers.T1ms, t2Ms: sipTimers.T2ms, t4Ms: sipTimers.T4ms })
  for (const { isInvite, sentMs, timeoutMs } of [
    { isInvite: false, sentMs: sipTimers.nonInviteSendTimesMs, timeoutMs: sipTimers.timerFms },
    { isInvite: true, sentMs: sipTimers.inviteSendTimesMs, timeoutMs: sipTimers.timerBms },
  ]) {
    const run = transaction({ isInvite })
    run.transaction.start()
    await run.clock.advance(timeoutMs - 1)
    t.same(run.sentMs, sentMs)
    t.equal(run.transaction.retransmissions, sentMs.length - 1)
    t.same(run.events, [])
    await run.clock.advance(1)
    t.same(run.events, ['end', 'timeout'])
    t.equal(run.clock.timers, 0)
  }
  const reliable = transaction({ isReliable: true })
  reliable.transaction.start()
  await reliable.clock.advance(32_000)
  t.same(
    [reliable.sentMs, reliable.events],
    [[0], ['end', 'timeout']],
    'over TCP nothing is sent twice',
  )
  const brief = transaction({ timeoutMs: 8000 })
  brief.transaction.start()
  await brief.clock.advance(8000)
  t.same(
    [brief.sentMs, brief.events],
    [
      [0, 500, 1500, 3500, 7500],
      ['end', 'timeout'],
    ],
  )
})

test('a transaction hears each response once', async (t) => {
  const options = transaction({})
  options.transaction.start()
  await options.clock.advance(600)
  t.equal(options.transaction.receive(100), true)
  await options.clock.advance(9000)
  t.same(options.sentMs, [0, 500, 1500, 5500, 9500], 'after a provisional response every 4 s')
  t.equal(options.transaction.receive(200), true)
  t.equal(options.transaction.receive(200), false, 'the same again')
  t.equal(options.transaction.receive(403), false, 'or another')
  t.same([options.events, options.clock.timers], [['end'], 0], 'nothing of it is kept')

  const refused = transaction({ isInvite: true })
  refused.transaction.start()
  t.equal(refused.transaction.receive(180), true)
  await refused.clock.advance(60_000)
  t.same(refused.sentMs, [0], 'a ringing INVITE is not sent again, and not given up')
  t.equal(refused.transaction.receive(486), true)
  t.equal(refused.transaction.receive(486), false)
  t.equal(refused.acknowledged(), 2, 'each 486 is acknowledged')
  await refused.clock.advance(32_000)
  t.same([refused.events, refused.clock.timers], [['end'], 0], 'timer D')

  const accepted = transaction({ isInvite: true, isReliable: true })
  accepted.transaction.start()
  t.equal(accepted.transaction.receive(200), true)
  t.equal(
    accepted.transaction.receive(200),
    true,
    'another branch, or the ACK was lost: both are for the caller',
  )
  t.equal(accepted.transaction.receive(486), false)
  t.equal(accepted.acknowledged(), 0)
  await accepted.clock.advance(32_000)
  t.same(accepted.events, ['end'], 'timer M')
  t.equal(accepted.transaction.receive(200), false)
})

test('nothing in a header can begin another', async (t) => {
  const bytes = writeMessage('OPTIONS sip:x SIP/2.0', [['To', '<sip:x>\r\nX-Evil: 1\u0000']])
  t.equal(
    Buffer.from(bytes).toString(),
    'OPTIONS sip:x SIP/2.0\r\nTo: <sip:x> X-Evil: 1 \r\nContent-Length: 0\r\n\r\n',
  )
  const withBody = Buffer.from(writeMessage('A b SIP/2.0', [], Buffer.from([0, 13, 10])))
  t.equal(withBody.toString('latin1'), 'A b SIP/2.0\r\nContent-Length: 3\r\n\r\n\u0000\r\n')
})

test('contacts are told apart as a registrar does', async (t) => {
  t.ok(isSameContact('sip:a@10.0.0.1:5060', 'SIP:%61@10.0.0.1:5060;ob'))
  t.ok(isSameContact('sip:a@H.example;transport=TCP', 'sip:a@h.example;transport=tcp'))
  t.notOk(isSameContact('sip:a@10.0.0.1', 'sip:a@10.0.0.1:5060'), 'a port left out is another')
  t.notOk(isSameContact('sip:A@10.0.0.1', 'sip:a@10.0.0.1'))
  t.notOk(isSameContact('sip:a@10.0.0.1', 'sips:a@10.0.0.1'))
  t.notOk(isSameContact('sip:a@10.0.0.1', '<>'))
  t.equal(domainUri(uriOf('sip:x@[2001:DB8::1]:5070;transport=tcp')), 'sip:[2001:db8::1]:5070')
  t.equal(escapedUser('+31 20#é'), '+31%2020%23%C3%A9')
})

test('bindings are read with the time each still has', async (t) => {
  const bindings = readBindings(
    parsed(
      [
        'SIP/2.0 200 OK',
        'Contact: "A, B" <sip:a@10.0.0.1;x=1>;expires=1800;q=0.5, <sip:b@10.0.0.2>',
        'm: sip:c@10.0.0.3;expires=soon',
        'Contact: <sip:broken',
        'Contact: *',
        'Expires: 60',
        '',
        '',
      ].join('\r\n'),
    ),
  )
  t.same(bindings, [
    { uri: 'sip:a@10.0.0.1;x=1', expiresS: 1800 },
    { uri: 'sip:b@10.0.0.2', expiresS: 60 },
    { uri: 'sip:c@10.0.0.3', expiresS: 3600 },
  ])
  t.same(
    ['0', '007', '4294967295', '4294967296', '-1', '1e3'].map(seconds),
    [0, 7, 4294967295, 3600, 3600, 3600],
  )
  t.same(
    ['120', '18000;duration=3600', '5 (back soon)', 'tomorrow', '', '-3', '99999999999'].map(
      waitSeconds,
    ),
    [120, 18000, 5, undefined, undefined, undefined, undefined],
  )
})

test('servers are tried by priority, and drawn by weight', async (t) => {
  const records = [
    { name: 'backup', priority: 20, weight: 0 },
    { name: 'big', priority: 10, weight: 60 },
    { name: 'small', priority: 10, weight: 40 },
    { name: 'never', priority: 10, weight: 0 },
  ]
  const order = (...shares: number[]): string[] =>
    inSrvOrder(records, () => shares.shift() ?? 0.99).map(({ name }) => name)
  t.same(order(0.5), ['big', 'small', 'never', 'backup'])
  t.same(order(0.7), ['small', 'big', 'never', 'backup'])
  t.same(order(0, 0, 0), ['never', 'big', 'small', 'backup'])
  let firsts = 0
  let step = 0
  for (let count = 0; count < 1000; count++) {
    const [first] = inSrvOrder(records, () => (step += 0.618034) % 1)
    if (first?.name === 'big') firsts++
  }
  t.ok(firsts > 550 && firsts < 650, `${firsts} of 1000`)
})

test('a domain is located by NAPTR, SRV and addresses, in that order', async (t) => {
  const srv = (target: string, port: number, priority = 10) => ({
    priority,
    weight: 1,
    port,
    target,
  })
  const { locate, server } = await locator(t, {
    'naptr.example NAPTR': [
      {
        order: 20,
        preference: 1,
        flags: 's',
        service: 'SIP+D2U',
        replacement: '_sip._udp.naptr.example',
      },
      {
        order: 10,
        preference: 2,
        flags: 'S',
        service: 'sips+d2t',
        replacement: '_sips._tcp.naptr.example',
      },
      {
        order: 10,
        preference: 1,
        flags: 's',
        service: 'SIP+D2X',
        replacement: '_sip._x.naptr.example',
      },
    ],
    '_sips._tcp.naptr.example SRV': [srv('edge.naptr.example', 5071)],
    'edge.naptr.example A': [{ address: '192.0.2.7' }],
    'edge.naptr.example AAAA': [{ address: '2001:db8::7' }],
    '_sip._udp.srv.example SRV': [srv('b.srv.example', 5060, 20), srv('a.srv.example', 5080)],
    '_sip._tcp.srv.example SRV': [srv('c.srv.example', 5060)],
    'a.srv.example A': [{ address: '192.0.2.1' }],
    'b.srv.example A': [{ address: '192.0.2.2' }],
    'c.srv.example A': [{ address: '192.0.2.3' }],
    'plain.example A': [{ address: '192.0.2.9' }, { address: '192.0.2.10' }],
    '_sip._udp.none.example SRV': [srv('.', 0)],
    'lies.example A': [{ address: '0.0.0.0' }, { address: '239.1.1.1' }],
    'lies.example AAAA': [{ address: 'ff02::1' }],
    '_sip._udp.many.example SRV': Array.from({ length: 20 }, (_, index) =>
      srv('plain.example', 5060 + index),
    ),
  })
  t.same(await locate('sip:naptr.example'), [
    'edge.naptr.example:5071 tls 192.0.2.7:5071',
    'edge.naptr.example:5071 tls 2001:db8::7:5071',
  ])
  t.same(await locate('sip:srv.example'), [
    'a.srv.example:5080 udp 192.0.2.1:5080',
    'b.srv.example udp 192.0.2.2:5060',
  ])
  t.same(await locate('sip:srv.example;transport=tcp'), ['c.srv.example tcp 192.0.2.3:5060'])
  t.same(await locate('sip:plain.example'), [
    'plain.example udp 192.0.2.9:5060',
    'plain.example udp 192.0.2.10:5060',
  ])
  t.same(await locate('sips:plain.example'), [
    'plain.example tls 192.0.2.9:5061',
    'plain.example tls 192.0.2.10:5061',
  ])
  t.same(await locate('sip:plain.example:5070'), [
    'plain.example:5070 udp 192.0.2.9:5070',
    'plain.example:5070 udp 192.0.2.10:5070',
  ])
  const asked = server.questions.length
  t.same(await locate('sip:[2001:db8::1];transport=tls'), ['2001:db8::1 tls 2001:db8::1:5061'])
  t.same(await locate('sip:srv.example'), [
    'a.srv.example:5080 udp 192.0.2.1:5080',
    'b.srv.example udp 192.0.2.2:5060',
  ])
  t.equal(
    server.questions.length,
    asked,
    'addresses are not asked for, and answers are kept for a while',
  )
  t.match(await locate('sip:none.example'), [/^DNS: none.example does not offer SIP over udp/])
  t.match(await locate('sip:lies.example'), [
    /lies.example is said to be at 0.0.0.0, where nobody is/,
  ])
  t.match(await locate('sip:missing.example'), ['DNS: missing.example has no address'])
  t.match(await locate('sip:x.example;transport=sctp'), [
    /transport of x.example is not spoken here/,
  ])
  t.match(await locate('tel:+31'), [/no SIP URI/])
  t.equal((await locate('sip:many.example')).length, 32, '16 of 20 servers, two addresses each')
})

test('name servers that hang or lie cost their time once, and are named', async (t) => {
  const { locate } = await locator(t, {
    'hangs.example NAPTR': 'silence',
    '_sip._udp.hangs.example SRV': 'silence',
    '_sip._tcp.hangs.example SRV': 'silence',
    '_sips._tcp.hangs.example SRV': 'silence',
    'hangs.example A': 'silence',
    'hangs.example AAAA': 'silence',
    'half.example NAPTR': 'silence',
    'half.example A': [{ address: '192.0.2.1' }],
    'garbage.example A': Buffer.from('no DNS at all'),
    'garbage.example AAAA': Buffer.from('no DNS at all'),
  })
  const before = performance.now()
  t.match(await locate('sip:hangs.example'), [/DNS: no answer to .*hangs.example in 300 ms/])
  t.match(await locate('sip:garbage.example:5060'), [/DNS: /])
  t.same(
    await locate('sip:half.example'),
    ['half.example udp 192.0.2.1:5060'],
    'what is answered is used',
  )
  t.ok(performance.now() - before < 2000)
  t.same(
    [
      '192.0.2.1',
      '127.0.0.1',
      '::1',
      '0.0.0.0',
      '255.255.255.255',
      '224.0.0.1',
      '::',
      'ff02::1',
      'x',
    ].map(isServerAddress),
    [true, true, true, false, false, false, false, false, false],
  )
})

test('a request over UDP is answered by its branch, and by nothing else', async (t) => {
  const peer = await startUdpScript((request) => [
    'garbage',
    respond(request, '200 OK').replace(/branch=\w+/, 'branch=z9hG4bKsomebodyelse'),
    respond(request, '200 OK').replace('Via: ', 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtop, '),
    respond(request, '100 Trying'),
    respond(request, '200 OK', ['Server: first']),
    respond(request, '500 Never Mind', ['Server: second']),
  ])
  t.teardown(peer.close)
  const endpoint = newEndpoint(t)
  const flow = await openFlow(endpoint, { port: peer.port })
  const heard: number[] = []
  const exchange = endpoint.send(flow, OPTIONS, {
    signal: SIGNAL,
    onResponse: ({ statusCode }) => heard.push(statusCode),
  })
  const outcome = await exchange.outcome
  t.equal(outcome.kind === 'answered' && outcome.response.header('server'), 'first')
  t.same(heard, [100, 200])
  t.equal(exchange.retransmissions, 0)
  const [request = ''] = peer.requests
  t.match(
    headerOf(request, 'Via'),
    new RegExp(`^SIP/2.0/UDP 127.0.0.1:${flow.local.port};branch=z9hG4bK[0-9a-f]{32};rport$`),
  )
  t.equal(headerOf(request, 'Max-Forwards'), '70')
  t.equal(headerOf(request, 'Content-Length'), '0')
  t.match(endpoint.counts, { strays: 2, refused: 1 })
})

test('silence, garbage and closed ports over UDP are told apart', async (t) => {
  const silent = await startUdpScript(() => [])
  const garbage = await startUdpScript(() => ['SIP/3.0 200 OK\r\n\r\n'])
  t.teardown(async () => Promise.all([silent.close(), garbage.close()]))
  const endpoint = newEndpoint(t, { timers: { ...STANDARD_TIMERS, timeoutMs: 1200 } })
  const ask = async (port: number): Promise<string> => {
    const exchange = endpoint.send(await openFlow(endpoint, { port }), OPTIONS, { signal: SIGNAL })
    const outcome = await exchange.outcome
    return outcome.kind === 'answered' ? 'answered' : `${outcome.kind}: ${outcome.reason}`
  }
  const gone = createSocket('udp4').bind(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address()
  gone.close()
  const [fromSilent, fromGarbage, fromNobody] = await Promise.all([
    ask(silent.port),
    ask(garbage.port),
    ask(port),
  ])
  t.equal(fromSilent, `timed-out: 127.0.0.1:${silent.port} over UDP: no answer in 1200 ms`)
  t.match(
    fromGarbage,
    /timed-out: .*no answer in 1200 ms; 2 times what came was no SIP message \(bad-version\)/,
  )
  t.match(fromNobody, /lost: .*nobody listens there \(.*ECONNREFUSED\)/)
  t.equal(silent.requests.length, 2, 'sent again after T1')
  t.equal(silent.requests[0], silent.requests[1], 'octet for octet')
  const limit = new AbortController()
  const cut = endpoint.send(await openFlow(endpoint, { port: silent.port }), OPTIONS, {
    signal: limit.signal,
  })
  limit.abort()
  t.match(await cut.outcome, { kind: 'cut-off', reason: /the time of the interval was up/ })
  t.equal(endpoint.pending, 0)
})

test('IPv6 is spoken like IPv4', async (t) => {
  const peer = await startUdpScript((request) => [respond(request, '404 Not Found')], '::1').catch(
    () => undefined,
  )
  if (peer === undefined) {
    t.pass('IPv6', { skip: 'this machine has no ::1' })
    return
  }
  t.teardown(peer.close)
  const endpoint = newEndpoint(t)
  const flow = await openFlow(endpoint, { address: '::1', port: peer.port })
  const outcome = await endpoint.send(flow, OPTIONS, { signal: SIGNAL }).outcome
  t.match(outcome, { kind: 'answered', response: { statusCode: 404 } })
  t.match(headerOf(peer.requests[0] ?? '', 'Via'), /^SIP\/2.0\/UDP \[::1\]:\d+;/)
})

test('over TCP messages are cut by their length, however they arrive', async (t) => {
  const peer = await startTcpScript((request, index, send) => {
    const answer = respond(request, '200 OK', [], 'body')
    if (index === 0) for (const octet of Buffer.from(answer)) send(Uint8Array.of(octet))
    return index === 1 ? [answer.slice(0, 60)] : index === 0 ? [] : [answer]
  })
  t.teardown(peer.close)
  const endpoint = newEndpoint(t, { timers: { ...STANDARD_TIMERS, timeoutMs: 500 } })
  const ask = async (): Promise<string> => {
    const flow = await openFlow(endpoint, { transport: 'tcp', port: peer.port })
    const outcome = await endpoint.send(flow, OPTIONS, { signal: SIGNAL }).outcome
    if (outcome.kind !== 'answered') return `${outcome.kind}: ${outcome.reason}`
    return Buffer.from(outcome.response.body).toString()
  }
  t.equal(await ask(), 'body', 'octet by octet')
  t.match(await ask(), /^timed-out: .*no answer in 500 ms; what came is only part of a message/)
  t.equal(await ask(), 'body', "by a new connection: the rest of the half message is nobody else's")
  t.equal(peer.connections(), 2)
})

test('what is no SIP over TCP ends the connection with a reason', async (t) => {
  const answers = [
    (request: string) =>
      respond(request, '200 OK', [], 'b').replace('Content-Length: 1', 'Content-Length: 104857600'),
    () => 'HTTP/1.1 400 Bad Request\r\n\r\n',
    (request: string) => respond(request, '200 OK').replace('Content-Length: 0\r\n', ''),
    (request: string) =>
      respond(request, '200 OK').replace('Content-Length: 0', 'Content-Length: -1'),
    (request: string) =>
      `${respond(request, '200 OK').replace(/\r\n\r\n$/, '')}\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`,
  ]
  const peer = await startTcpScript((request, index) => [answers[index]?.(request) ?? ''])
  t.teardown(peer.close)
  const endpoint = newEndpoint(t)
  for (const reason of [
    /body-too-long/,
    /not-sip/,
    /no-content-length/,
    /bad-content-length/,
    /line-too-long|head-too-long/,
  ]) {
    const flow = await openFlow(endpoint, { transport: 'tcp', port: peer.port })
    const outcome = await endpoint.send(flow, OPTIONS, { signal: SIGNAL }).outcome
    t.match(outcome, { kind: 'lost', reason })
  }
  t.equal(peer.connections(), answers.length, 'each time a new connection')
  t.equal(endpoint.counts.refused, answers.length)
})

test('one connection serves all, and a certificate is looked at before anything is sent', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sip-tls-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  const good = await makeCertificate(folder, { names: 'DNS:other.example,URI:sip:pbx.example' })
  const old = await makeCertificate(folder, { days: -1, file: 'old', names: 'DNS:pbx.example' })
  const peer = await startTcpScript((request) => [respond(request, '200 OK')], {
    certificate: good,
  })
  const expired = await startTcpScript((request) => [respond(request, '200 OK')], {
    certificate: old,
  })
  t.teardown(async () => Promise.all([peer.close(), expired.close()]))
  const endpoint = newEndpoint(t, { tls: { ca: `${good.pem}${old.pem}` } })
  const target = { transport: 'tls', domain: 'pbx.example' } as const
  const flows = await Promise.all(
    [1, 2, 3].map(async () => openFlow(endpoint, { ...target, port: peer.port })),
  )
  const outcomes = await Promise.all(
    flows.map(async (flow) => endpoint.send(flow, OPTIONS, { signal: SIGNAL }).outcome),
  )
  t.same(
    outcomes.map(({ kind }) => kind),
    ['answered', 'answered', 'answered'],
  )
  t.equal(peer.connections(), 1)
  const days = flows[0]?.certificate?.daysLeft ?? 0
  t.ok(days > 89 && days < 90.1, `${days} days`)
  const refused = await endpoint.open({ ...target, address: '127.0.0.1', port: expired.port })
  t.match(refused, { reason: /CERT_HAS_EXPIRED/, isTimeout: false })
  t.ok(!isFlow(refused) && (refused.certificate?.daysLeft ?? 0) < -0.9)
  const wrong = await endpoint.open({
    ...target,
    address: '127.0.0.1',
    port: peer.port,
    domain: 'www.example',
  })
  t.match(wrong, { reason: /ERR_TLS_CERT_ALTNAME_INVALID/ })
  t.equal(expired.requests.length, 0, 'whoever is not trusted hears nothing')
  const plain = await startUdpScript(() => [])
  t.teardown(plain.close)
  const noTls = await startTcpScript((request) => [respond(request, '200 OK')])
  t.teardown(noTls.close)
  t.match(await endpoint.open({ ...target, address: '127.0.0.1', port: noTls.port }), {
    reason: /./,
  })
})

test('a refused INVITE is acknowledged in its own transaction, and can be cancelled before', async (t) => {
  const peer = await startUdpScript((request) => {
    if (request.startsWith('INVITE')) return [respond(request, '180 Ringing')]
    if (request.startsWith('CANCEL')) {
      const invite = request.replace(/^CANCEL/, 'INVITE').replace('1 CANCEL', '1 INVITE')
      return [respond(request, '200 OK'), respond(invite, '487 Request Terminated')]
    }
    return []
  })
  t.teardown(peer.close)
  const endpoint = newEndpoint(t)
  const flow = await openFlow(endpoint, { port: peer.port })
  const invite: RequestDraft = { ...OPTIONS, method: 'INVITE', headers: headersOf('INVITE') }
  const ringing = new Promise<void>((resolve) => {
    const exchange = endpoint.send(flow, invite, {
      signal: SIGNAL,
      onResponse: ({ statusCode }) => {
        if (statusCode !== 180) return
        const { via } = exchange
        const cancel = endpoint.send(flow, cancellation(invite), { signal: SIGNAL, via })
        void Promise.all([exchange.outcome, cancel.outcome]).then(([invited, cancelled]) => {
          t.match(invited, { kind: 'answered', response: { statusCode: 487 } })
          t.match(cancelled, { kind: 'answered', response: { statusCode: 200 } })
          resolve()
        })
      },
    })
  })
  await ringing
  while (peer.requests.length < 3)
    await once(process, 'never', { signal: AbortSignal.timeout(5) }).catch(() => undefined)
  const [first = '', cancel = '', ack = ''] = peer.requests
  t.match(ack, /^ACK sip:127.0.0.1 SIP\/2.0\r\n/)
  t.equal(headerOf(ack, 'CSeq'), '1 ACK')
  t.equal(headerOf(ack, 'To'), '<sip:127.0.0.1>;tag=scripted')
  t.equal(headerOf(cancel, 'To'), '<sip:127.0.0.1>')
  for (const request of [cancel, ack])
    for (const name of ['Via', 'From', 'Call-ID'])
      t.equal(headerOf(request, name), headerOf(first, name))
})

test('who calls a contact of ours is told to try elsewhere, but not without end', async (t) => {
  const clock = new FakeClock()
  const unwanted = new UnwantedRequests(clock, 'key')
  const answerTo = (method: string, to = '<sip:k@10.0.0.1>'): string => {
    const text = `${method} sip:k@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=1\r\nVia: SIP/2.0/UDP b;branch=2\r\nFrom: <sip:a>;tag=1\r\nTo: ${to}\r\nCall-ID: c1\r\nCSeq: 1 ${method}\r\n\r\n`
    let answer = ''
    unwanted.answer(parsed(text), (bytes) => {
      answer = Buffer.from(bytes).toString()
    })
    return answer
  }
  const invited = answerTo('INVITE')
  t.match(
    invited,
    /^SIP\/2.0 480 Temporarily Unavailable\r\nVia: SIP\/2.0\/UDP a;branch=1\r\nVia: SIP\/2.0\/UDP b;branch=2\r\n/,
  )
  t.match(headerOf(invited, 'To'), /^<sip:k@10.0.0.1>;tag=[0-9a-f]{16}$/)
  t.equal(answerTo('INVITE'), invited, 'the same again for the same request')
  t.equal(answerTo('ACK'), '')
  t.match(answerTo('OPTIONS'), /^SIP\/2.0 200 /)
  t.match(answerTo('BYE', '<sip:k>;tag=x'), /^SIP\/2.0 481 [\s\S]*\r\nTo: <sip:k>;tag=x\r\n/)
  t.match(answerTo('REFER'), /^SIP\/2.0 405 /)
  const answered = Array.from({ length: 100 }, () => answerTo('INVITE')).filter(
    (answer) => answer !== '',
  )
  t.equal(answered.length, 45, 'fifty in a second')
  await clock.advance(1000)
  t.match(answerTo('INVITE'), /^SIP\/2.0 480 /)
})

test('checks begin one after another, and each ends by itself', async (t) => {
  const clock = new FakeClock()
  const begun: number[] = []
  const running = runSpread(
    [...Array(10).keys()],
    { overMs: 5000, maxGapMs: 1000 },
    clock,
    SIGNAL,
    async (item) => {
      begun.push(clock.monotonicMs())
      return Promise.resolve(item * 2)
    },
  )
  await clock.advance(4500)
  t.same(await running, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18])
  t.same(begun, [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500])
  const limit = new AbortController()
  const cut = runSpread(
    [1, 2, 3],
    { overMs: 60_000, maxGapMs: 60_000 },
    clock,
    limit.signal,
    async (_, signal) => Promise.resolve(signal.aborted),
  )
  await clock.advance(0)
  limit.abort()
  t.same(
    await cut,
    [false, true, true],
    'those whose turn has not come see that there is no time left',
  )
  t.equal(clock.timers, 0)
})

const OPTIONS: RequestDraft = {
  method: 'OPTIONS',
  uri: 'sip:127.0.0.1',
  headers: headersOf('OPTIONS'),
}

function headersOf(method: string): (readonly [string, string])[] {
  return [
    ['From', '<sip:test@127.0.0.1>;tag=1'],
    ['To', '<sip:127.0.0.1>'],
    ['Call-ID', 'call-1'],
    ['CSeq', `1 ${method}`],
  ]
}

function uriOf(text: string): SipUri {
  const uri = parseUri(text)
  if (uri === undefined) throw new Error(text)
  return uri
}

function parsed(text: string): SipMessage {
  const message = new SipMessage()
  const bytes = Buffer.from(text)
  message.parse(bytes, 0, bytes.length)
  return message
}

function transaction({ isInvite = false, isReliable = false, timeoutMs = 32_000 }) {
  const clock = new FakeClock()
  const sentMs: number[] = []
  const events: string[] = []
  let acknowledged = 0
  return {
    clock,
    sentMs,
    events,
    acknowledged: () => acknowledged,
    transaction: new ClientTransaction({
      isInvite,
      isReliable,
      timers: { ...STANDARD_TIMERS, timeoutMs },
      clock,
      send: () => sentMs.push(clock.monotonicMs()),
      acknowledge: () => acknowledged++,
      onTimeout: () => events.push('timeout'),
      onEnd: () => events.push('end'),
    }),
  }
}

function newEndpoint(t: Test, options: Partial<EndpointOptions> = {}): SipEndpoint {
  const endpoint = new SipEndpoint({
    clock: sipClock,
    nowUs: () => Date.now() * 1000,
    timers: STANDARD_TIMERS,
    userAgent: 'test',
    newToken,
    ...options,
  })
  t.teardown(() => {
    endpoint.close()
  })
  return endpoint
}

async function openFlow(endpoint: SipEndpoint, target: Partial<Target>): Promise<Flow> {
  const found = await endpoint.open({
    transport: 'udp',
    address: '127.0.0.1',
    port: 0,
    domain: '',
    ...target,
  })
  if (!isFlow(found)) throw new Error(found.reason)
  return found
}

async function locator(t: Test, zone: Zone) {
  const server = await startDnsServer(zone)
  const dns = new Dns({ servers: [server.address], limitMs: 300, clock: sipClock })
  t.teardown(() => {
    dns.close()
    server.close()
  })
  const own = new Locator({ dns, clock: sipClock, random: () => 0.5, transport: undefined })
  const locate = async (uri: string): Promise<string[]> => {
    const { servers, reason } = await own.locate(uri)
    const found = servers.flatMap(({ name, targets }) =>
      targets.map(({ transport, address, port }) => `${name} ${transport} ${address}:${port}`),
    )
    return found.length > 0 ? found : [reason ?? '']
  }
  return { locate, server }
}
