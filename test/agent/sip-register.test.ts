import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { test, type Test } from 'tap'
import { Authenticator } from '../../agent/sip/authenticator.ts'
import { readProbeOptions } from '../../agent/config.ts'
import type { Probe, ProbeKind } from '../../agent/probe.ts'
import { sipOptions } from '../../agent/probes/sip-options.ts'
import { sipRegister } from '../../agent/probes/sip-register.ts'
import { openSipClient } from '../../agent/sip-client/sip-client.ts'
import { RegisteringAccount } from '../../agent/sip-client/registering-account.ts'
import { sipClock } from '../../agent/sip-client/scheduler.ts'
import { newToken } from '../../agent/sip-client/token.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue } from '../../common/measurement.ts'
import { makeCertificate } from '../support/certificate.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { startKamailio, type Kamailio, type KamailioOptions } from '../support/kamailio.ts'
import { listen } from '../support/listen.ts'
import {
  headerOf,
  respond,
  startTcpScript,
  startUdpScript,
  type Script,
  type ScriptedSip,
} from '../support/scripted-sip.ts'

const SIGNAL = new AbortController().signal
const NOW_US = 1_800_000_000_000_000
const INTERVAL = { endUs: NOW_US, durationMs: 100 }
const PASSWORD = 'pass-word-1001'
const ACCOUNT = { name: 'reception', user: '31201001', password: PASSWORD }
const CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'

type Fields = Readonly<Record<string, FieldValue>>

tap.setTimeout(60_000)

test('a phone registered at kamailio is seen, and nothing is changed by looking', async (t) => {
  const kamailio = await kamailioOf(t, { accounts: { [ACCOUNT.user]: PASSWORD } })
  if (kamailio === undefined) return
  const proxy = `127.0.0.1:${kamailio.port}`
  const own = { registrar: 'sip:kiestoon.example', proxy }
  const look = await registerProbe(t, { ...own, accounts: [ACCOUNT] })
  const nobody = await only(look)
  t.match(nobody, {
    accepted: true,
    registered: false,
    status_code: 200,
    contacts: 0,
    challenges: 1,
  })
  t.equal(nobody['reason'], 'nobody is registered under this account')
  await registerPhone(kamailio, 3600)
  const seen = await only(look)
  t.match(seen, {
    accepted: true,
    registered: true,
    status_code: 200,
    contacts: 1,
    contact_hosts: '192.0.2.55',
    stale: 0,
    algorithm: 'MD5',
    retransmissions: 0,
    transport: 'udp',
    server: proxy,
    timeout: false,
    timeout_ms: 8000,
    paused: false,
    failures_in_row: 0,
    aor: '******01@kiestoon.example',
    dedicated: false,
  })
  t.match(seen['user_agent'], /^kamailio \(\d/)
  t.ok(Number(seen['margin_s']) > 3590 && Number(seen['margin_s']) <= 3600)
  const delayMs = Number(seen['registration_request_delay_ms'])
  t.ok(delayMs > 0 && delayMs < 1000, `RRD ${delayMs} ms`)
  t.notOk('expires_s' in seen || 'reason' in seen)
  t.same(await kamailio.contacts(ACCOUNT.user), ['sip:phone@192.0.2.55:5060'])
})

test('an account that was deleted, or whose password is wrong, is not tried again for a quarter of an hour', async (t) => {
  const accounts = { [ACCOUNT.user]: PASSWORD, other: 'right' }
  const kamailio = await kamailioOf(t, { accounts })
  if (kamailio === undefined) return
  const own = { registrar: 'sip:kiestoon.example', proxy: `127.0.0.1:${kamailio.port}` }
  const probe = await registerProbe(t, {
    ...own,
    accounts: [
      { ...ACCOUNT, dedicated: true },
      { name: 'wrong', user: 'other', password: 'wrong-password' },
      { name: 'guest', user: 'barred', password: 'x-1' },
    ],
  })
  const first = await measure(probe)
  t.match(first.get('reception'), {
    registered: true,
    expires_s: 300,
    margin_s: 300,
    contacts: 1,
    dedicated: true,
  })
  t.same(await kamailio.contacts(ACCOUNT.user), [], 'our contact is taken back')
  t.match(first.get('wrong'), {
    accepted: false,
    registered: false,
    status_code: 401,
    challenges: 2,
  })
  t.match(first.get('wrong')?.['reason'], /name or password is wrong; no check for 15 min$/)
  t.match(first.get('guest'), { accepted: false, registered: false, status_code: 403 })
  t.match(first.get('guest')?.['reason'], /^403 Barred from .*; no check for 15 min$/)
  await kamailio.deleteAccount(ACCOUNT.user)
  const second = await measure(probe)
  t.match(second.get('reception'), {
    registered: false,
    accepted: false,
    status_code: 401,
    failures_in_row: 1,
  })
  for (const name of ['wrong', 'guest']) {
    const fields = second.get(name) ?? {}
    t.match(fields, { paused: true, failures_in_row: 1 })
    t.match(fields['reason'], /^not checked, so as not to lock the account out: 40/)
    t.ok(Number(fields['pause_left_s']) > 890)
    t.notOk('registered' in fields || 'accepted' in fields || 'status_code' in fields)
  }
  await kamailio.setAccount(ACCOUNT.user, PASSWORD)
  t.match(
    (await measure(probe)).get('reception'),
    { paused: true },
    'it may be right again, and is left alone',
  )
})

test('a frozen registrar is a timeout, and never a response time', async (t) => {
  const kamailio = await kamailioOf(t, { accounts: { [ACCOUNT.user]: PASSWORD } })
  if (kamailio === undefined) return
  const own = { registrar: 'sip:kiestoon.example', accounts: [ACCOUNT], timeout: '900ms' }
  const proxy = `127.0.0.1:${kamailio.port}`
  const udp = await registerProbe(t, { ...own, proxy })
  const tcp = await registerProbe(t, { ...own, proxy: `${proxy};transport=tcp` })
  const options = await probeOf(t, sipOptions, {
    targets: [{ name: 'pbx', uri: proxy }],
    timeout: '900ms',
  })
  t.match(await only(udp), { accepted: true, timeout: false })
  t.match(await only(options), { alive: true, status_code: 200, failures_in_row: 0 })
  kamailio.freeze()
  for (const probe of [udp, tcp]) {
    const frozen = await only(probe)
    t.match(frozen, { accepted: false, timeout: true })
    t.match(frozen['reason'], /no answer in 900 ms/)
    t.ok(Number(frozen['timeout_ms']) >= 899 && Number(frozen['timeout_ms']) < 1500)
    t.notOk(
      'registration_request_delay_ms' in frozen ||
        'status_code' in frozen ||
        'registered' in frozen,
    )
  }
  const dead = await only(options)
  t.match(dead, { alive: false, timeout: true, failures_in_row: 1, retransmissions: 1 })
  t.notOk('round_trip_ms' in dead)
  kamailio.thaw()
  t.match(await only(udp), { accepted: true, timeout: false })
  t.match(await only(options), { alive: true, failures_in_row: 0 })
})

test('kamailio is asked over UDP, TCP and TLS, with MD5 and SHA-256', async (t) => {
  const folder = await folderOf(t)
  const tls = await makeCertificate(folder, { days: 30 })
  const kamailio = await kamailioOf(t, {
    accounts: { [ACCOUNT.user]: PASSWORD },
    tls,
    algorithm: 'SHA-256',
  })
  if (kamailio === undefined) return
  const own = { registrar: 'sip:kiestoon.example', ca: tls.cert, 'server-name': '127.0.0.1' }
  for (const [transport, port] of [
    ['udp', kamailio.port],
    ['tcp', kamailio.port],
    ['tls', kamailio.tlsPort],
  ] as const) {
    const proxy = `sip:127.0.0.1:${port};transport=${transport}`
    const accounts = [{ ...ACCOUNT, dedicated: true }]
    const fields = await only(await registerProbe(t, { ...own, proxy, accounts }))
    t.match(
      fields,
      { registered: true, transport, algorithm: 'SHA-256', expires_s: 300 },
      transport,
    )
    t.equal('certificate_days' in fields, transport === 'tls')
    t.equal('connect_ms' in fields, transport !== 'udp')
    if (transport === 'tls') {
      const days = Number(fields['certificate_days'])
      t.ok(days > 29.9 && days < 30.1, `${days} days`)
    }
  }
})

test('an expired certificate is refused, and says since when', async (t) => {
  const folder = await folderOf(t)
  const tls = await makeCertificate(folder, { days: -1 })
  const kamailio = await kamailioOf(t, { accounts: { [ACCOUNT.user]: PASSWORD }, tls })
  if (kamailio === undefined) return
  const proxy = `sip:127.0.0.1:${kamailio.tlsPort};transport=tls`
  const own = { ca: tls.cert, proxy }
  const fields = await only(
    await registerProbe(t, { ...own, registrar: 'sips:127.0.0.1', accounts: [ACCOUNT] }),
  )
  t.match(fields, { accepted: false, timeout: false, transport: 'tls' })
  t.match(fields['reason'], /over TLS: certificate refused: CERT_HAS_EXPIRED/)
  t.ok(Number(fields['certificate_days']) < -0.9 && Number(fields['certificate_days']) > -1.2)
  t.notOk('registered' in fields || 'status_code' in fields)
})

test('a registrar that talks nonsense is bounded, and named', async (t) => {
  const cases: readonly [string, Script, RegExp, Fields][] = [
    ['nothing', () => [], /no answer in 700 ms$/, { timeout: true }],
    [
      'garbage',
      () => ['\u0000\u0001garbage'],
      /no answer in 700 ms; \d times what came was no SIP message \(not-sip\)/,
      { timeout: true },
    ],
    [
      'a status that is none',
      (request) => [respond(request, '999 What')],
      /no SIP message \(bad-status-line\)/,
      { timeout: true },
    ],
    [
      'a body too short',
      (request) => [respond(request, '200 OK').replace('Length: 0', 'Length: 9')],
      /body-too-short/,
      { timeout: true },
    ],
    [
      'a challenge without one',
      (request) => [respond(request, '401 Unauthorized')],
      /401 that cannot be answered: no challenge in it/,
      { status_code: 401 },
    ],
    [
      'Basic',
      (request) => [respond(request, '401 Unauthorized', ['WWW-Authenticate: Basic realm="r"'])],
      /scheme Basic is not Digest/,
      { status_code: 401 },
    ],
    [
      'stale for ever',
      (request, index) => [
        respond(request, '401 Unauthorized', [
          `${CHALLENGE.replace('"n"', `"n${index}"`)}, stale=true`,
        ]),
      ],
      /challenged again and again/,
      { challenges: 6, stale: 5 },
    ],
    [
      'a realm for every request',
      (request, index) => [
        respond(request, '401 Unauthorized', [CHALLENGE.replace('"r"', `"r${index}"`)]),
      ],
      /challenged again and again/,
      { challenges: 6 },
    ],
    [
      'to itself',
      (request) => [respond(request, '302 Moved', ['Contact: <sip:kiestoon.example>'])],
      /302: redirected in a circle/,
      { redirects: 0 },
    ],
    [
      'to ever new places',
      (request, index) => [respond(request, '302 Moved', [`Contact: <sip:r${index}.example>`])],
      /302: redirected more than 5 times/,
      { redirects: 5 },
    ],
    [
      'to a telephone',
      (request) => [respond(request, '302 Moved', ['Contact: <tel:+31>'])],
      /302: redirected to nowhere we can go/,
      {},
    ],
    [
      'two answers',
      (request) => [
        respond(request, '200 OK', ['Contact: <sip:a@192.0.2.1>;expires=60']),
        respond(request, '403 No'),
      ],
      /^$/,
      { registered: true, status_code: 200, margin_s: 60 },
    ],
    [
      'a list of nothing',
      (request) => [respond(request, '200 OK', ['Contact: <<<>>>, "', 'Contact: ,,,'])],
      /nobody is registered/,
      { registered: false, contacts: 0 },
    ],
  ]
  for (const [name, script, reason, expected] of cases) {
    const server = await startUdpScript(script)
    const fields = await only(await scriptedProbe(t, server))
    t.match(fields['reason'] ?? '', reason, name)
    t.match(fields, expected, name)
    t.notOk(JSON.stringify(fields).includes(PASSWORD))
    await server.close()
  }
})

test('what a registrar asks for is done: a longer time, a pause, another place', async (t) => {
  const brief = await startUdpScript((request) => {
    const contact = headerOf(request, 'Contact')
    const expires = Number(/expires=(\d+)/.exec(contact)?.[1])
    if (expires > 0 && expires < 600)
      return [respond(request, '423 Interval Too Brief', ['Min-Expires: 600'])]
    return [respond(request, '200 OK', expires === 0 ? [] : [`Contact: ${contact}`])]
  })
  const longer = await scriptedProbe(t, brief, { accounts: [{ ...ACCOUNT, dedicated: true }] })
  t.match(await only(longer), { registered: true, expires_s: 600, status_code: 200 })
  t.equal(brief.requests.length, 3, 'too brief, longer, taken back')
  await only(longer)
  t.equal(brief.requests.length, 5, 'the second time it knows')
  const [first, , removal] = brief.requests.map((request) => headerOf(request, 'Contact'))
  t.match(first, /^<sip:[0-9a-f]{12}@127.0.0.1:\d+>;expires=300$/)
  t.equal(removal, first?.replace('300', '0'))
  const numbers = brief.requests.map((request) => parseInt(headerOf(request, 'CSeq')))
  t.same(numbers, [1, 2, 3, 4, 5])
  t.equal(new Set(brief.requests.map((request) => headerOf(request, 'Call-ID'))).size, 1)
  await brief.close()

  const busy = await startUdpScript((request) => [
    respond(request, '503 Overloaded', ['Retry-After: 120 (soon)']),
  ])
  const patient = await scriptedProbe(t, busy)
  t.match((await only(patient))['reason'], /^503 Overloaded from .*; no check for 2 min$/)
  const quiet = await only(patient)
  t.match(quiet, { paused: true })
  t.match(quiet['reason'], /^not checked, as the registrar asked: 503/)
  t.equal(busy.requests.length, 1)
  await busy.close()

  const there = await startUdpScript((request) =>
    request.includes('Authorization:')
      ? [respond(request, '200 OK', ['Contact: <sip:a@192.0.2.1>;expires=60'])]
      : [respond(request, '401 Unauthorized', [CHALLENGE])],
  )
  const moved = await startUdpScript((request) => [
    respond(request, '302 Moved', [
      `Contact: <sip:127.0.0.1:${there.port}>;q=0.9, <sip:192.0.2.1>;q=0.1`,
    ]),
  ])
  const following = await registerProbe(t, {
    registrar: `sip:127.0.0.1:${moved.port}`,
    accounts: [ACCOUNT],
  })
  t.match(await only(following), {
    registered: true,
    redirects: 1,
    challenges: 1,
    server: `127.0.0.1:${there.port}`,
  })
  t.match(there.requests[0], new RegExp(`^REGISTER sip:127.0.0.1:${there.port} SIP/2.0`))
  await Promise.all([moved.close(), there.close()])
})

test('a body of 100 MB is refused by its length, and none of it is kept', async (t) => {
  const octets = 100_000_000
  let written = 0
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (request) => {
      if (!request.toString().startsWith('REGISTER')) return
      socket.write(respond(request.toString(), '200 OK').replace('Length: 0', `Length: ${octets}`))
      const piece = Buffer.alloc(1 << 20, 'A')
      const go = (): void => {
        while (written < octets) {
          written += piece.length
          if (socket.write(piece)) continue
          socket.once('drain', go)
          return
        }
      }
      go()
    })
  })
  const proxy = `sip:127.0.0.1:${await listen(server)};transport=tcp`
  t.teardown(() => server.close())
  const before = process.memoryUsage().rss
  const probe = await registerProbe(t, {
    ...{ registrar: 'sip:kiestoon.example', proxy, accounts: [ACCOUNT], timeout: '2s' },
  })
  const fields = await only(probe)
  t.match(fields, { accepted: false, reason: /body-too-long/ })
  t.notOk('registered' in fields || 'registration_request_delay_ms' in fields)
  t.ok(written < octets / 4, `hung up after ${written} octets`)
  t.ok(process.memoryUsage().rss - before < 50_000_000)
})

test('a stale nonce is answered once more, and a nonce given for next time is used', async (t) => {
  const server = await startUdpScript((request, index) => {
    const nonce = /nonce="(\w+)"/.exec(headerOf(request, 'Authorization'))?.[1]
    if (nonce === undefined) return [respond(request, '401 Unauthorized', [CHALLENGE])]
    if (index === 1)
      return [
        respond(request, '401 Unauthorized', [
          `${CHALLENGE.replace('"n"', '"fresh"')}, stale=true`,
        ]),
      ]
    const rows = ['Contact: <sip:a@192.0.2.1>;expires=60', 'Authentication-Info: nextnonce="next"']
    return [respond(request, '200 OK', rows)]
  })
  t.teardown(server.close)
  const probe = await scriptedProbe(t, server)
  t.match(await only(probe), { registered: true, challenges: 2, stale: 1 })
  t.match(await only(probe), { registered: true, challenges: 0, stale: 0 })
  t.match(headerOf(server.requests.at(-1) ?? '', 'Authorization'), /nonce="next".*nc=00000001/)
})

test('the next server stands in for one that is silent, gone or unavailable', async (t) => {
  const silent = await startUdpScript(() => [])
  const busy = await startUdpScript((request) => [respond(request, '503 Busy')])
  const good = await startUdpScript((request) => [
    respond(request, '200 OK', ['Contact: <sip:a@192.0.2.1>;expires=60']),
  ])
  const srv = (port: number, priority: number) => ({
    priority,
    weight: 0,
    port,
    target: 'node.pbx.example',
  })
  const dns = await startDnsServer({
    '_sip._udp.pbx.example SRV': [srv(silent.port, 1), srv(busy.port, 2), srv(good.port, 3)],
    'node.pbx.example A': [{ address: '127.0.0.1' }],
  })
  t.teardown(async () => {
    dns.close()
    await Promise.all([silent.close(), busy.close(), good.close()])
  })
  const own = { accounts: [ACCOUNT], timeout: '600ms', 'dns-servers': [dns.address] }
  const fields = await only(await registerProbe(t, { ...own, registrar: 'pbx.example' }))
  t.match(fields, {
    registered: true,
    failovers: 2,
    server: `127.0.0.1:${good.port}`,
    timeout: false,
  })
  t.match(fields['reason'], /: 503; 127.0.0.1:\d+ over UDP: no answer in 600 ms$/)
  t.ok(
    Number(fields['registration_request_delay_ms']) < 300,
    'the time lost on others is none of its delay',
  )
  const options = await probeOf(t, sipOptions, {
    targets: [
      { name: 'pool', uri: 'pbx.example' },
      { name: 'nowhere', uri: 'missing.example' },
    ],
    timeout: '600ms',
    'dns-servers': [dns.address],
  })
  const points = await options.measure(INTERVAL, SIGNAL)
  t.same(
    points.map(({ tags, fields: { alive, status_code: status } }) => [
      tags['target'],
      tags['server'],
      alive,
      status,
    ]),
    [
      ['pool', `node.pbx.example:${silent.port}`, false, undefined],
      ['pool', `node.pbx.example:${busy.port}`, false, 503],
      ['pool', `node.pbx.example:${good.port}`, true, 200],
      ['nowhere', undefined, false, undefined],
    ],
    'every server is asked',
  )
  t.equal(points[3]?.fields['reason'], 'DNS: missing.example has no address')
  const dead = await only(await registerProbe(t, { ...own, registrar: 'missing.example' }))
  t.match(dead, { accepted: false, timeout: false, reason: 'DNS: missing.example has no address' })
})

test('any final answer but 408 and 503 proves a peer alive', async (t) => {
  for (const [status, alive] of [
    ['200 OK', true],
    ['401 Unauthorized', true],
    ['403 Forbidden', true],
    ['404 Not Found', true],
    ['405 Method Not Allowed', true],
    ['483 Too Many Hops', true],
    ['500 Oops', true],
    ['302 Moved', true],
    ['408 Request Timeout', false],
    ['503 Unavailable', false],
  ] as const) {
    const server = await startUdpScript((request) => [
      respond(request, status, ['User-Agent: SBC/7.2']),
    ])
    const probe = await probeOf(t, sipOptions, {
      targets: [{ name: 'peer', uri: `sip:127.0.0.1:${server.port}` }],
    })
    const fields = await only(probe)
    t.match(
      fields,
      {
        alive,
        status_code: parseInt(status),
        user_agent: 'SBC/7.2',
        failures_in_row: alive ? 0 : 1,
      },
      status,
    )
    t.equal('round_trip_ms' in fields, !status.startsWith('408'))
    t.match(await only(probe), { failures_in_row: alive ? 0 : 2 })
    const [first = '', second = ''] = server.requests
    t.not(headerOf(first, 'Call-ID'), headerOf(second, 'Call-ID'))
    await server.close()
  }
})

test('a call that reaches our contact meanwhile is told to ring elsewhere', async (t) => {
  const answers: string[] = []
  const server = await startUdpScript((request, _index, send) => {
    if (request.startsWith('SIP/2.0 ')) {
      answers.push(request)
      return []
    }
    const contact = headerOf(request, 'Contact')
    if (contact.includes('expires=0')) return [respond(request, '200 OK')]
    send(
      `INVITE ${/<(.*)>/.exec(contact)?.[1] ?? ''} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${server.port};branch=z9hG4bKcall\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: in\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`,
    )
    return [respond(request, '200 OK', [`Contact: ${contact}`])]
  })
  t.teardown(server.close)
  const dedicated = await scriptedProbe(t, server, { accounts: [{ ...ACCOUNT, dedicated: true }] })
  t.match(await only(dedicated), { registered: true })
  t.match(answers, [/^SIP\/2.0 480 /])
  const lost = await startUdpScript((request) =>
    headerOf(request, 'Contact').includes('expires=0')
      ? [respond(request, '500 No')]
      : [respond(request, '200 OK', ['Contact: <sip:somebody@192.0.2.1>;expires=60'])],
  )
  t.teardown(lost.close)
  const fields = await only(
    await scriptedProbe(t, lost, { accounts: [{ ...ACCOUNT, dedicated: true }] }),
  )
  t.match(fields, { registered: false, accepted: true, contacts: 1 })
  t.match(
    fields['reason'],
    /does not list our contact among the 1 it has; our contact could not be taken back \(500 No\)/,
  )
})

test('a pause ends when its time is over', async (t) => {
  let nowMs = 0
  let status = '403 Forbidden'
  const server = await startUdpScript((request) => [respond(request, status)])
  const sip = openSipClient({ timeout: 1000 }, () => NOW_US)
  t.teardown(async () => {
    sip.close()
    await server.close()
  })
  const settings = {
    name: 'a',
    user: 'u',
    authUser: 'u',
    revealPassword: () => 'p',
    isDedicated: false,
  }
  const registrar = { uri: `sip:127.0.0.1:${server.port}`, proxy: undefined, expiresS: 300 }
  const clock = {
    monotonicMs: () => nowMs,
    setTimer: (callback: () => void, delayMs: number) => sipClock.setTimer(callback, delayMs),
  }
  const account = new RegisteringAccount(settings, registrar, {
    client: sip.client,
    clock,
    newToken,
  })
  t.match(await account.check(SIGNAL), { isAccepted: false, pause: undefined })
  nowMs = 899_999
  t.match(await account.check(SIGNAL), { isAccepted: undefined, pause: { leftS: 0.001 } })
  t.equal(server.requests.length, 1)
  nowMs = 900_000
  status = '200 OK'
  t.match(await account.check(SIGNAL), { isAccepted: true, pause: undefined })
})

test('when the time of the interval is up, what is known is said and no more', async (t) => {
  const silent = await startUdpScript(() => [])
  t.teardown(silent.close)
  const hangs = createServer(() => undefined)
  const port = await listen(hangs)
  t.teardown(() => hangs.close())
  const limit = new AbortController()
  const register = await scriptedProbe(t, silent, { timeout: '8s' })
  const options = await probeOf(t, sipOptions, {
    targets: [{ name: 'peer', uri: `sip:127.0.0.1:${port};transport=tls` }],
  })
  const running = Promise.all([
    register.measure(INTERVAL, limit.signal),
    options.measure(INTERVAL, limit.signal),
  ])
  while (silent.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
  limit.abort()
  const [[registered], [alive]] = await running
  t.match(registered?.fields, {
    timeout: false,
    failures_in_row: 0,
    reason: /the time of the interval was up/,
  })
  t.notOk('accepted' in (registered?.fields ?? {}))
  t.match(alive?.fields, { failures_in_row: 0, reason: /no time left in the interval/ })
  t.notOk('alive' in (alive?.fields ?? {}))
})

test('a server may close an idle connection, and a long request goes by TCP', async (t) => {
  const closing = await startTcpScript((request) => [respond(request, '200 OK')], { hangsUp: true })
  t.teardown(closing.close)
  const uri = `sip:127.0.0.1:${closing.port};transport=tcp`
  const probe = await probeOf(t, sipOptions, { targets: [{ name: 'peer', uri }] })
  for (const round of [1, 2, 3])
    t.match(await only(probe), { alive: true, transport: 'tcp' }, `round ${round}`)

  const long = 'n'.repeat(1000)
  const byTcp = await startTcpScript((request) => [
    respond(request, '200 OK', ['Contact: <sip:a@192.0.2.1>;expires=60']),
  ])
  t.teardown(byTcp.close)
  const client = openSipClient({ timeout: 1000 }, () => NOW_US)
  t.teardown(() => {
    client.close()
  })
  const target = { transport: 'udp', address: '127.0.0.1', port: byTcp.port, domain: 'x' } as const
  const delivery = await client.client.askAt(
    {
      method: 'OPTIONS',
      uri: 'sip:x',
      requestUri: (own) => own,
      proxy: undefined,
      authenticator: undefined,
      headers: () => [
        ['Subject', long],
        ['Organization', long],
        ['CSeq', '1 OPTIONS'],
      ],
    },
    [target],
    SIGNAL,
  )
  t.match(delivery, { response: { statusCode: 200 }, flow: { target: { transport: 'tcp' } } })
})

test('settings are checked, and no name is a number', async (t) => {
  const complaints = (kind: ProbeKind, options: unknown): readonly string[] => {
    const read = readProbeOptions(kind, options)
    return 'complaints' in read ? read.complaints : []
  }
  const own = { registrar: 'pbx.example', accounts: [ACCOUNT] }
  t.same(complaints(sipRegister, own), [])
  t.match(complaints(sipRegister, { ...own, accounts: [{ ...ACCOUNT, name: ACCOUNT.user }] }), [
    /accounts.0.name: expected a name that is not the number/,
  ])
  t.match(complaints(sipRegister, { ...own, accounts: [ACCOUNT, ACCOUNT] }), [/a name of its own/])
  t.match(complaints(sipRegister, { ...own, registrar: 'http://x' }), [
    /registrar: expected a SIP URI/,
  ])
  t.match(complaints(sipRegister, { ...own, registrar: 'sip:x>\r\n' }), [/expected a SIP URI/])
  t.match(complaints(sipRegister, { ...own, timeout: '33s' }), [/timeout/])
  t.match(complaints(sipRegister, { ...own, ca: '/nowhere.pem' }), [/ca: ENOENT/])
  t.match(complaints(sipRegister, { ...own, 'dns-servers': ['name'] }), [/dns-servers.0/])
  t.match(complaints(sipOptions, { targets: [] }), [/targets/])
})

/** Kamailio, or a loud skip. */
async function kamailioOf(t: Test, options: KamailioOptions): Promise<Kamailio | undefined> {
  const kamailio = await startKamailio(options)
  if (kamailio === undefined)
    t.pass('kamailio', {
      skip: 'kamailio is missing: apt-get install kamailio kamailio-tls-modules',
    })
  else t.teardown(kamailio.close)
  return kamailio
}

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sip-register-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  return folder
}

/** A phone that registers, at an address nobody is at. */
async function registerPhone(kamailio: Kamailio, expiresS: number): Promise<void> {
  const sip = openSipClient({ timeout: 2000 }, () => NOW_US)
  const registrar = {
    uri: 'sip:kiestoon.example',
    proxy: `sip:127.0.0.1:${kamailio.port}`,
    expiresS,
  }
  const authenticator = new Authenticator({
    username: ACCOUNT.user,
    revealPassword: () => PASSWORD,
    newCnonce: newToken,
  })
  let cseq = 0
  const { response } = await sip.client.ask(
    {
      method: 'REGISTER',
      uri: registrar.uri,
      requestUri: (uri) => uri,
      proxy: registrar.proxy,
      authenticator,
      headers: () => [
        ['From', `<sip:${ACCOUNT.user}@kiestoon.example>;tag=phone`],
        ['To', `<sip:${ACCOUNT.user}@kiestoon.example>`],
        ['Call-ID', 'phone'],
        ['CSeq', `${++cseq} REGISTER`],
        ['Contact', `<sip:phone@192.0.2.55:5060>;expires=${expiresS}`],
      ],
    },
    SIGNAL,
  )
  sip.close()
  if (response?.statusCode !== 200)
    throw new Error(`the phone is not registered: ${response?.statusCode ?? 'silence'}`)
}

async function registerProbe(t: Test, options: object, nowUs?: number): Promise<Probe> {
  return await probeOf(t, sipRegister, options, nowUs)
}

async function scriptedProbe(t: Test, { port }: ScriptedSip, options: object = {}): Promise<Probe> {
  const proxy = `sip:127.0.0.1:${port}`
  const own = { registrar: 'sip:kiestoon.example', proxy, accounts: [ACCOUNT], timeout: '700ms' }
  return await registerProbe(t, { ...own, ...options })
}

async function probeOf(
  t: Test,
  kind: ProbeKind,
  options: object,
  nowUs = Date.now() * 1000,
): Promise<Probe> {
  const read = readProbeOptions(kind, options)
  if ('complaints' in read) throw new Error(read.complaints.join('; '))
  const probe = read.create({
    log: createLogger('test', 'silent'),
    nowUs: () => nowUs,
    report: () => undefined,
  })
  t.teardown(async () => probe.close?.())
  await probe.open?.(SIGNAL)
  return probe
}

async function only(probe: Probe): Promise<Fields> {
  const [fields = {}] = (await measure(probe)).values()
  return fields
}

/** Fields by target. */
async function measure(probe: Probe): Promise<ReadonlyMap<string, Fields>> {
  const points = await probe.measure(INTERVAL, SIGNAL)
  return new Map(points.map(({ tags, fields }) => [tags['target'] ?? '', fields]))
}
