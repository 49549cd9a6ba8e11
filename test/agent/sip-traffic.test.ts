import { fileURLToPath } from 'node:url'
import tap, { test } from 'tap'
import { analyzeFile } from '../../agent/analyze/analyze.ts'
import { Monitor } from '../../agent/media/monitor.ts'
import { DEFAULT_SIGNALLING } from '../../agent/signalling/default-options.ts'
import { rtp, udpFrame, type Path } from '../support/pcap-writer.ts'
import { request, sdpText, sipText } from '../support/sip-messages.ts'
import { Hop, SignallingTap, trafficOf, type Words } from '../support/signalling-tap.ts'
import { captureSipp, missingForSipp } from '../support/sipp.ts'
import { tsharkSip, tsharkValues } from '../support/tshark.ts'

const CAPTURES = fileURLToPath(new URL('../fixtures/captures/', import.meta.url))

tap.setTimeout(120_000)

test('the worked example of RFC 6076: 200 attempts, every outcome in its count', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const outcomes: readonly (readonly [count: number, status: number])[] = [
    [150, 200],
    [10, 486],
    [6, 480],
    [2, 603],
    [4, 404],
    [8, 408],
    [6, 503],
    [2, 500],
    [2, 302],
    [10, 487],
  ]
  const established: string[] = []
  outcomes.forEach(([count, status]) => {
    for (let index = 0; index < count; index++) {
      const callId = `${status}-${index}`
      const invite = hop.ask('INVITE', { callId })
      hop.answer(invite, 100)
      if (status === 487) hop.answer(hop.ask('CANCEL', { callId, branch: invite.branch }), 200)
      hop.answer(invite, status)
      if (status === 200) established.push(callId)
    }
  })
  established.forEach((callId, index) => {
    const bye = hop.ask('BYE', { callId, toTag: 'to', cseq: 2 })
    if (index >= 3) hop.answer(bye, 200)
  })
  tap.wait(33_000)
  const { counts } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, {
    session_attempts: 200,
    session_established: 150,
    session_redirected: 2,
    session_declined: 18,
    session_cancelled: 10,
    session_failed: 20,
    session_ineffective: 16,
    session_completed: 147,
    session_lost: 3,
    disconnects: 147,
    disconnect_timeouts: 3,
  })
  const { session_attempts = 0, session_redirected = 0, session_established = 0 } = counts
  const { session_declined = 0, session_ineffective = 0, session_completed = 0 } = counts
  const asked = session_attempts - session_redirected
  t.equal((session_established / asked).toFixed(4), '0.7576', 'SER')
  t.equal(((session_established + session_declined) / asked).toFixed(4), '0.8485', 'SEER')
  t.equal((session_ineffective / session_attempts).toFixed(4), '0.0800', 'ISA')
  t.equal((session_completed / session_attempts).toFixed(4), '0.7350', 'SCR')
  t.equal(counts.sessions_up, undefined)
})

test('registration delay runs from the first REGISTER through the challenge to the 200', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const first = hop.ask('REGISTER', { contact: '<sip:101@10.0.0.1>' })
  tap.wait(19)
  hop.answer(first, 401)
  const second = hop.ask('REGISTER', { contact: '<sip:101@10.0.0.1>', cseq: 2 })
  tap.wait(28)
  hop.answer(second, 200, ['Contact: <sip:101@10.0.0.1>;expires=60'])
  const { counts, delays } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { registration_attempts: 1, registration_ok: 1, requests_register: 2 })
  t.equal(counts.registration_failed, undefined)
  t.equal(counts.responses_401, 1)
  t.same(delays.registration, { count: 1, sumMs: 50, p50Ms: 50, p95Ms: 50 })
})

test('a challenge nobody takes up is abandoned, a refusal and silence are failures', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('REGISTER', { callId: 'no password' }), 401)
  hop.answer(hop.ask('REGISTER', { callId: 'barred' }), 403)
  hop.answer(hop.ask('REGISTER', { callId: 'payment' }), 402)
  hop.ask('REGISTER', { callId: 'silence' })
  t.equal(trafficOf(tap.take(), '10.0.0.9').counts.registration_attempts, 1)
  tap.wait(33_000)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, {
    registration_attempts: 3,
    registration_abandoned: 2,
    registration_failed: 1,
    registration_timeouts: 1,
    unanswered: 1,
  })
})

test('a 423 is no failure when the longer time is granted, and one when it is not asked for', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('REGISTER', { callId: 'a' }), 423, ['Min-Expires: 600'])
  hop.answer(hop.ask('REGISTER', { callId: 'a', cseq: 2 }), 200)
  hop.answer(hop.ask('REGISTER', { callId: 'b' }), 423, ['Min-Expires: 600'])
  tap.wait(33_000)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, {
    registration_attempts: 2,
    registration_too_brief: 2,
    registration_ok: 1,
    registration_failed: 1,
  })
})

test('session request delay ends at the first ringing, not at 100, and includes challenges', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const first = hop.ask('INVITE')
  hop.answer(first, 100)
  tap.wait(7)
  hop.answer(first, 407)
  const second = hop.ask('INVITE', { cseq: 2 })
  hop.answer(second, 100)
  tap.wait(188)
  hop.answer(second, 183)
  tap.wait(5000)
  hop.answer(second, 200)
  const { counts, delays } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { session_attempts: 1, session_established: 1, sessions_up: 1 })
  t.equal(delays.session?.p50Ms, 200)
  t.equal(delays.sessionFailed, undefined)
})

test('the delay of a call that fails is told apart, and a redirect goes on with the same time', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const failing = hop.ask('INVITE', { callId: 'failing' })
  tap.wait(299)
  hop.answer(failing, 500)
  const moved = hop.ask('INVITE', { callId: 'moved' })
  tap.wait(49)
  hop.answer(moved, 302, ['Contact: <sip:103@pbx.example>'])
  const other = hop.ask('INVITE', { callId: 'moved', cseq: 2, uri: 'sip:103@pbx.example' })
  tap.wait(48)
  hop.answer(other, 200)
  const { counts, delays } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { session_attempts: 3, session_redirected: 1, session_established: 1 })
  t.equal(delays.sessionFailed?.p50Ms, 300)
  t.equal(delays.session?.p50Ms, 100)
})

test('an INVITE nobody answers times out after 32 s, one that rings is abandoned after 5 min', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('INVITE', { callId: 'before' }), 404)
  hop.ask('INVITE', { callId: 'silent' })
  hop.answer(hop.ask('INVITE', { callId: 'ringing' }), 180)
  tap.wait(31_000)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, { session_attempts: 1, sessions_setting_up: 2 })
  tap.wait(2000)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, {
    session_attempts: 1,
    session_failed: 1,
    session_ineffective: 1,
    session_timeouts: 1,
    sessions_setting_up: 1,
  })
  tap.wait(270_000)
  const late = trafficOf(tap.take(), '10.0.0.9').counts
  t.match(late, { session_attempts: 1, session_abandoned: 1 })
  t.equal(late.sessions_setting_up, undefined)
})

test('a phone that rings for two minutes is answered after all', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const invite = hop.ask('INVITE')
  hop.answer(invite, 180)
  for (let minute = 0; minute < 4; minute++) {
    tap.wait(30_000)
    tap.take()
  }
  hop.answer(invite, 200)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, { session_established: 1, sessions_up: 1 })
})

test('a disconnect is timed to the 200, whoever hangs up, and a 503 that asks to wait is not its end', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const back = new Hop(tap, '10.0.0.9', '10.0.0.1')
  hop.answer(hop.ask('INVITE'), 200)
  tap.wait(4999)
  const bye = back.ask('BYE', { fromTag: 'to', toTag: 'from', cseq: 7 })
  tap.wait(9)
  back.answer(bye, 503, ['Retry-After: 1'])
  tap.wait(1000)
  const again = back.ask('BYE', { fromTag: 'to', toTag: 'from', cseq: 8 })
  tap.wait(8)
  back.answer(again, 200)
  const interval = tap.take()
  const { counts } = trafficOf(interval, '10.0.0.9', 'to')
  t.match(counts, { session_completed: 1 })
  t.equal(counts.session_duration_sum_s, 5)
  t.match(trafficOf(interval, '10.0.0.9', 'from'), {
    counts: { disconnects: 1, requests_bye: 2 },
    delays: { disconnect: { count: 1, p50Ms: 1020 } },
  })
})

test('a call that ends with 481 is lost, not completed', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('INVITE'), 200)
  hop.answer(hop.ask('BYE', { toTag: 'to', cseq: 2 }), 481)
  const { counts } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { session_established: 1, session_lost: 1, responses_481: 1 })
  t.equal(counts.session_completed, undefined)
  t.equal(counts.disconnects, undefined)
})

test('re-INVITEs are no sessions', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('INVITE'), 200)
  hop.answer(hop.ask('INVITE', { toTag: 'to', cseq: 2 }), 488)
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, {
    session_attempts: 1,
    session_established: 1,
    sessions_up: 1,
    requests_invite: 2,
    responses_488: 1,
  })
})

test('the same branch again is a retransmission, and again within 5 ms a copy the tap made', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const options = hop.ask('OPTIONS')
  hop.again(options)
  tap.wait(500)
  hop.again(options)
  tap.wait(1000)
  hop.again(options)
  hop.answer(options, 200)
  tap.wait(500)
  hop.answer(options, 200)
  hop.answer(options, 200)
  t.match(trafficOf(tap.take(), undefined).counts, {
    messages: 5,
    requests: 3,
    requests_options: 3,
    retransmitted_requests: 2,
    retransmitted_responses: 1,
    responses_2xx: 2,
    duplicated: 2,
  })
})

test('the same datagram over and over is a flood, not a copy', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap, '203.0.113.5')
  const invite = hop.ask('INVITE')
  for (let count = 0; count < 99; count++) hop.again(invite)
  const [source] = tap.take().sources
  t.equal(source?.srcIp, '203.0.113.5')
  t.equal(source?.counts.requests, 50)
})

test('without a branch of RFC 3261 the headers tell transactions apart', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  for (const branch of ['1', 'z9hG4bK']) {
    const one = hop.ask('INVITE', { callId: `a${branch}`, branch })
    const other = hop.ask('INVITE', { callId: `b${branch}`, branch })
    tap.wait(500)
    hop.again(one)
    hop.answer(one, 200)
    hop.answer(other, 486)
  }
  t.match(trafficOf(tap.take(), '10.0.0.9').counts, {
    session_established: 2,
    session_declined: 2,
    retransmitted_requests: 2,
  })
})

test('requests by method and responses by group are counted', async (t) => {
  const tap = new SignallingTap({ peers: { pbx: '10.0.0.9' } })
  const hop = new Hop(tap)
  const methods = ['PRACK', 'UPDATE', 'INFO', 'MESSAGE', 'NOTIFY', 'PUBLISH', 'REFER', 'SUBSCRIBE']
  for (const method of [...methods, 'FOO']) hop.answer(hop.ask(method, { callId: method }), 200)
  const statuses = [301, 401, 403, 410, 482, 483, 488, 408, 504, 500, 502, 503, 600, 604]
  for (const status of statuses)
    hop.answer(hop.ask('OPTIONS', { callId: `${status}` }), status, [
      'Reason: Q.850;cause=42;text="congestion"',
    ])
  t.match(trafficOf(tap.take(), 'pbx').counts, {
    requests: 23,
    requests_prack: 1,
    requests_update: 1,
    requests_info: 1,
    requests_message: 1,
    requests_notify: 1,
    requests_publish: 1,
    requests_refer: 1,
    requests_subscribe: 1,
    requests_other: 1,
    requests_options: 14,
    responses_2xx: 9,
    responses_3xx: 1,
    responses_4xx: 7,
    responses_5xx: 4,
    responses_6xx: 2,
    responses_401: 1,
    responses_403: 1,
    responses_404: 2,
    responses_482: 2,
    responses_488: 1,
    responses_408: 2,
    responses_500: 2,
    responses_503: 1,
    congestion: 14,
  })
})

test('percentiles are of values that were measured', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  for (let index = 1; index <= 100; index++) {
    const invite = hop.ask('INVITE', { callId: `${index}` })
    tap.wait(index - 1)
    hop.answer(invite, 200)
  }
  const { delays } = trafficOf(tap.take(), '10.0.0.9')
  t.same(delays.session, { count: 100, sumMs: 5050, p50Ms: 50, p95Ms: 95 })
})

test('phones and trunk each have their peer and direction, attackers are none', async (t) => {
  const tap = new SignallingTap()
  const phones = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((ip) => new Hop(tap, ip, '10.0.0.9'))
  phones.forEach((phone, index) => {
    phone.register(`10${index}`)
    phone.call(`out-${index}`)
  })
  new Hop(tap, '10.0.0.9', '10.0.0.1').call('to phone')
  const toTrunk = new Hop(tap, '10.0.0.9', '203.0.113.1')
  toTrunk.call('to trunk')
  new Hop(tap, '203.0.113.1', '10.0.0.9').call('from trunk')
  for (let last = 1; last < 200; last++)
    new Hop(tap, `198.51.100.${last}`, '10.0.0.9').ask('OPTIONS', { callId: `scan ${last}` })
  const interval = tap.take()
  const lanes = interval.traffic.map(({ target, direction, counts }) => [
    target,
    direction,
    counts.session_attempts ?? 0,
    counts.requests_options ?? 0,
  ])
  t.same(
    new Set(lanes.map((lane) => lane.join(' '))),
    new Set([
      '10.0.0.9 to 3 199',
      '10.0.0.9 from 1 0',
      '203.0.113.1 to 1 0',
      '203.0.113.1 from 1 0',
    ]),
  )
})

test('a peer with a name goes by it, whatever its addresses do', async (t) => {
  const tap = new SignallingTap({ peers: { carrier: ['192.0.2.0/24', '2001:db8:1::/48'] } })
  new Hop(tap, '10.0.0.9', '192.0.2.7').ask('OPTIONS')
  new Hop(tap, '192.0.2.8', '10.0.0.9').ask('INVITE')
  new Hop(tap, '2001:db8::1', '2001:db8:1::1').ask('OPTIONS')
  const lanes = tap
    .take()
    .traffic.map(({ target, direction, counts }) => [target, direction, counts.requests])
  t.same(lanes, [
    ['carrier', 'to', 2],
    ['carrier', 'from', 1],
  ])
})

test('more peers than are shown become one, and those long silent make room', async (t) => {
  const tap = new SignallingTap()
  const callAll = (octet: number) => {
    for (let host = 0; host < 200; host++) {
      const hop = new Hop(tap, '10.0.0.9', `198.51.${octet}.${host}`)
      hop.answer(hop.ask('INVITE', { callId: `${octet} ${host}` }), 486)
    }
  }
  callAll(1)
  const crowded = tap.take().traffic
  t.equal(crowded.length, 129)
  const sum = crowded.reduce((attempts, { counts }) => attempts + (counts.session_attempts ?? 0), 0)
  t.equal(sum, 200, 'nothing is lost among the others')
  tap.wait(25 * 3600 * 1000)
  tap.take()
  callAll(2)
  t.equal(tap.take().traffic.filter(({ target }) => target?.startsWith('198.51.2.')).length, 128)
})

test('a call over a proxy that steps aside ends on every hop', async (t) => {
  const tap = new SignallingTap()
  const first = new Hop(tap, '10.0.0.1', '10.0.0.9')
  const second = new Hop(tap, '10.0.0.9', '10.0.0.2')
  const direct = new Hop(tap, '10.0.0.1', '10.0.0.2')
  const outer = first.ask('INVITE')
  const inner = second.ask('INVITE')
  second.answer(inner, 200)
  first.answer(outer, 200)
  direct.answer(direct.ask('BYE', { toTag: 'to', cseq: 2 }), 200)
  const interval = tap.take()
  const total = (name: 'session_established' | 'session_completed' | 'sessions_up') =>
    interval.traffic.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0)
  t.equal(total('session_established'), 2)
  t.equal(total('session_completed'), 2)
  t.equal(total('sessions_up'), 0)
  t.equal(interval.accounts[0]?.counts.calls, 1, 'it is one call')
})

test('bindings: active, refreshed early and late, overdue, expired and removed', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  for (const user of ['early', 'timely', 'late', 'lost', 'leaving']) hop.register(user, 600)
  const first = tap.take().bindings
  t.match(first, [{ target: '10.0.0.9', active: 5, accounts: 5, added: 5, refreshed: 0 }])
  t.match(first, [{ expiresMinS: 600, expiresMaxS: 600, isComplete: false }])
  tap.wait(60_000)
  hop.register('early', 600)
  hop.register('leaving', 0)
  tap.wait(240_000)
  hop.register('timely', 600)
  tap.wait(245_000)
  t.match(tap.take().bindings, [
    { active: 4, overdue: 2, removed: 1, refreshed: 2, refreshedEarly: 1, refreshedLate: 0 },
  ])
  hop.register('late', 600)
  const [late] = tap.take().bindings
  t.match(late, { active: 4, overdue: 1, refreshed: 1, refreshedLate: 1, isComplete: false })
  t.ok((late?.nextLapseS ?? 0) > 50 && (late?.nextLapseS ?? 0) < 60, `${late?.nextLapseS}`)
  tap.wait(60_000)
  const after = tap.take()
  t.match(after.bindings, [{ active: 3, overdue: 1, expired: 1, isComplete: true }])
  t.match(after.accounts, [{ account: '**st@pbx.example', registration: 'expired', bindings: 0 }])
})

test('a registrar that loses all its bindings says so with a row of zeros', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.register('101', 60)
  tap.take()
  tap.wait(61_000)
  t.match(tap.take().bindings, [{ target: '10.0.0.9', active: 0, expired: 1 }])
  t.match(tap.take().bindings, [{ target: '10.0.0.9', active: 0, expired: 0 }])
})

test('what a registrar does not list any more is gone, what it lists with another address is ours', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const register = (callId: string, contact: string, list: readonly string[]) => {
    hop.answer(hop.ask('REGISTER', { callId, contact }), 200, list)
  }
  register('a', '<sip:101@10.0.0.1>', ['Contact: <sip:101@10.0.0.1>;expires=60'])
  register('b', '<sip:101@10.0.0.2>', [
    'Contact: <sip:101@10.0.0.1>;expires=60, "Second, phone" <sip:101@10.0.0.2>;expires=70',
  ])
  t.match(tap.take().bindings, [{ active: 2, accounts: 1, added: 2 }])
  register('c', '<sip:101@192.168.1.7>', ['m: <sip:101@203.0.113.7:1024>;expires=80'])
  t.match(tap.take().bindings, [{ active: 1, accounts: 1, added: 1, removed: 2 }])
  register('c', '<sip:101@192.168.1.7>', ['m: <sip:101@203.0.113.7:1024>;expires=80'])
  t.match(tap.take().bindings, [{ active: 1, refreshed: 1, refreshedEarly: 1 }])
  register('d', '*', [])
  t.match(tap.take().bindings, [{ active: 0, removed: 1 }])
})

test('a REGISTER that only asks changes nothing, and teaches what there is', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('REGISTER'), 200, ['Contact: <sip:101@10.0.0.1>;expires=600'])
  t.match(tap.take().bindings, [{ active: 1, added: 1 }])
  tap.wait(10_000)
  hop.answer(hop.ask('REGISTER', { cseq: 2 }), 200, ['Contact: <sip:101@10.0.0.1>;expires=590'])
  t.match(tap.take().bindings, [{ active: 1, added: 0 }])
})

test('a scan shows its source: accounts tried, what was answered, its scanner', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap, '198.51.100.9')
  for (let user = 100; user < 150; user++) {
    const to = `sip:${user}@10.0.0.9`
    const lines = ['User-Agent: friendly-scanner']
    hop.answer(
      hop.ask('REGISTER', { callId: `${user}`, to, from: to, lines }),
      user % 10 === 0 ? 401 : 404,
    )
  }
  const [source] = tap.take().sources
  t.match(source, {
    srcIp: '198.51.100.9',
    isOutside: true,
    isRegistered: false,
    scanner: 'sipvicious',
    userAgent: 'friendly-scanner',
    peakPerS: 50,
    targets: 1,
    accounts: 50,
    accountsRecent: 50,
    counts: { requests: 50, requests_register: 50, responses_401: 5, responses_404: 45 },
  })
  tap.wait(60_000)
  t.same(tap.take().sources, [], 'silent it is not told of')
  hop.ask('OPTIONS', { callId: 'again', uri: 'sip:10.0.0.9' })
  t.match(tap.take().sources, [{ accounts: 0, accountsRecent: 50, targets: 1 }])
})

test('five thousand accounts tried are counted within 7 %', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap, '198.51.100.9')
  for (let user = 0; user < 5000; user++)
    hop.ask('INVITE', { callId: `${user}`, uri: `sip:${user}@10.0.0.9` })
  const { accounts = 0 } = tap.take().sources[0] ?? {}
  t.ok(Math.abs(accounts - 5000) < 350, `${accounts}`)
})

test('of an IPv6 attacker the network counts', async (t) => {
  const tap = new SignallingTap()
  for (let host = 1; host <= 30; host++)
    new Hop(tap, `2001:db8:5:6::${host}`, '2001:db8::9').ask('OPTIONS', { callId: `${host}` })
  t.match(tap.take().sources, [{ srcIp: '2001:db8:5:6::/64', counts: { requests: 30 } }])
})

test('wrong passwords are counted for source and account, a stale nonce is none', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap, '198.51.100.9')
  const credentials = ['Authorization: Digest username="101", response="x"']
  const guess = (callId: string, lines: readonly string[], status: number) => {
    hop.answer(hop.ask('REGISTER', { callId, lines: credentials }), status, lines)
  }
  hop.answer(hop.ask('REGISTER', { callId: 'first' }), 401)
  guess('1', ['WWW-Authenticate: Digest realm="pbx", nonce="2"'], 401)
  guess('2', [], 403)
  guess('3', ['WWW-Authenticate: Digest realm="pbx", nonce="3", stale=TRUE'], 401)
  guess('4', [], 404)
  const { sources, accounts, traffic } = tap.take()
  t.match(sources, [{ counts: { wrong_credentials: 2, responses_401: 3 } }])
  t.match(accounts, [
    { account: '*01@pbx.example', counts: { wrong_credentials: 2 }, guessingSources: 1 },
  ])
  t.equal(traffic[0]?.counts.clear_credentials, 4)
})

test('a phone that comes from another network, or is another, is told; one of its usual is not', async (t) => {
  const tap = new SignallingTap()
  const from = (ip: string, agent: string) => {
    new Hop(tap, ip, '10.0.0.9').register('101', 600, { lines: [`User-Agent: ${agent}`] })
    return tap.take().accounts
  }
  t.match(from('10.0.0.1', 'Phone 1.0'), [
    { isFirst: true, isNewNetwork: false, isNewUserAgent: false, registration: 'registered' },
  ])
  t.same(
    from('10.0.0.77', 'Phone 1.0').filter(({ isNewNetwork }) => isNewNetwork),
    [],
  )
  t.match(from('203.0.113.4', 'Phone 1.0'), [
    { isFirst: false, isNewNetwork: true, isNewUserAgent: false, srcIp: '203.0.113.4' },
  ])
  t.match(from('10.0.0.1', 'Phone 2.0'), [{ isNewNetwork: false, isNewUserAgent: true }])
  t.same(
    from('10.0.0.1', 'Phone 1.0').filter(({ isNewUserAgent }) => isNewUserAgent),
    [],
  )
})

test('calls count by where they go, and for how long', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const numbers = [
    '112',
    '09001234',
    '+31909123',
    '0044201234567',
    '+4420123',
    '0201234567',
    '+31201234567',
    '102',
    'info',
  ]
  numbers.forEach((number, index) => {
    hop.call(`${index}`, 100, index === 0 ? 20_000 : 1000, { uri: `sip:${number}@pbx.example` })
  })
  hop.ask('INVITE', { callId: 'unanswered', uri: 'sip:102@pbx.example' })
  const [account] = tap.take().accounts
  t.match(account, {
    account: '*01@pbx.example',
    destinations: 9,
    up: 0,
    upMax: 1,
    counts: {
      calls: 10,
      calls_emergency: 1,
      calls_premium: 2,
      calls_international: 2,
      calls_national: 2,
      calls_short: 2,
      calls_other: 1,
      answered: 9,
      brief: 8,
    },
  })
  t.equal(account?.counts.talked_s?.toFixed(1), '28.0')
})

test('concurrent calls and the costly of them are known while they are up', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  for (let index = 0; index < 5; index++) {
    const uri = index < 2 ? 'sip:00882123456@pbx.example' : 'sip:0201234567@pbx.example'
    hop.answer(hop.ask('INVITE', { callId: `${index}`, uri }), 200)
  }
  hop.answer(hop.ask('BYE', { callId: '4', toTag: 'to', cseq: 2 }), 200)
  t.match(tap.take().accounts, [{ up: 4, upMax: 5, upCostly: 2, counts: { calls_premium: 2 } }])
})

test('calls that come in are nobody here, those of a peer that is asked are', async (t) => {
  const tap = new SignallingTap({ peers: { trunk: '203.0.113.1' } })
  new Hop(tap, '203.0.113.1', '10.0.0.9').call('in', 1, 1, { from: 'sip:+4930123@carrier.example' })
  new Hop(tap, '10.0.0.9', '203.0.113.1').call('out', 1, 1, {
    from: 'sip:+31201234567@pbx.example',
  })
  t.same(
    tap.take().accounts.map(({ account }) => account),
    ['**********67@pbx.example'],
  )
})

test('forwards count for who forwards, by 3xx and by Diversion', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.register('102')
  tap.take()
  hop.answer(hop.ask('INVITE'), 302, ['Contact: "Away" <sip:09061234@pbx.example>'])
  const trunk = new Hop(tap, '10.0.0.9', '203.0.113.1')
  trunk.ask('INVITE', {
    callId: 'diverted',
    uri: 'sip:+4930123456@carrier.example',
    lines: ['Diversion: <sip:102@pbx.example>;reason=unconditional;counter=1'],
  })
  const forwarding = tap.take().accounts.find(({ account }) => account === '*02@pbx.example')
  t.same(forwarding?.counts, {
    calls: 1,
    calls_international: 1,
    forwards: 2,
    forwards_premium: 1,
    forwards_international: 1,
  })
})

test('an own number that arrives from outside is false, and so is an account registered elsewhere', async (t) => {
  const tap = new SignallingTap({ 'own-numbers': ['+31201234'] })
  new Hop(tap).register('101')
  const outside = new Hop(tap, '203.0.113.1', '10.0.0.9')
  const invite = (callId: string, from: string, lines: readonly string[] = []) => {
    outside.ask('INVITE', { callId, from, lines })
  }
  invite('1', 'sip:+31201234567@carrier.example')
  invite('2', 'sip:0201234567@carrier.example')
  invite('3', 'sip:101@pbx.example')
  invite('4', 'sip:+4930123@carrier.example')
  invite('5', 'sip:+4930123@carrier.example', ['P-Asserted-Identity: <sip:+31201234567@c.example>'])
  invite('6', 'sip:+4930123@c.example;verstat=TN-Validation-Failed')
  new Hop(tap).ask('INVITE', { callId: '7' })
  const { traffic, sources } = tap.take()
  const sum = (name: 'spoofed' | 'identity_mismatch' | 'verstat_failed') =>
    traffic.reduce((total, { counts }) => total + (counts[name] ?? 0), 0)
  t.equal(sum('spoofed'), 4)
  t.equal(sum('identity_mismatch'), 1)
  t.equal(sum('verstat_failed'), 1)
  t.match(sources, [{ srcIp: '203.0.113.1', counts: { spoofed: 4 } }])
})

test('a call for help is told at once, with its end, and never with what was said', async (t) => {
  const tap = new SignallingTap({ 'account-key': 'secret' })
  const hop = new Hop(tap)
  const back = new Hop(tap, '10.0.0.9', '10.0.0.1')
  const from = 'sip:+31201234567@pbx.example'
  const invite = hop.ask('INVITE', { uri: 'sip:112@pbx.example;user=phone', from })
  const [calling, ...none] = tap.watch.takeEvents()
  t.same(none, [])
  t.match(calling, {
    kind: 'emergency-call',
    state: 'calling',
    number: '112',
    caller: '**********67@pbx.example',
    srcIp: '10.0.0.1',
    dstIp: '10.0.0.9',
    callId: 'a@client',
    statusCode: undefined,
  })
  // printf '+31201234567@pbx.example' | openssl dgst -sha256 -hmac secret | cut -c1-16
  t.equal(calling?.key, 'e11784b931b2848e')
  hop.answer(invite, 180)
  hop.answer(invite, 200)
  back.answer(back.ask('BYE', { fromTag: 'to', toTag: 'from' }), 200)
  t.same(
    tap.watch.takeEvents().map(({ state }) => state),
    ['answered', 'ended'],
  )
})

test('a call for help that fails says how, over however many hops, once', async (t) => {
  const tap = new SignallingTap()
  const uri = 'urn:service:sos.police'
  const [first, second] = [new Hop(tap), new Hop(tap, '10.0.0.9', '203.0.113.1')]
  const outer = first.ask('INVITE', { uri })
  const inner = second.ask('INVITE', { uri })
  second.answer(inner, 503)
  first.answer(outer, 503)
  t.match(tap.watch.takeEvents(), [
    { state: 'calling', number: 'sos' },
    { state: 'failed', statusCode: 503 },
  ])
})

test('which numbers are calls for help', async (t) => {
  const tap = new SignallingTap({ emergency: ['1144'] })
  const hop = new Hop(tap)
  const dialled = (user: string) => {
    hop.ask('INVITE', { callId: user, uri: `sip:${user}@pbx.example` })
    return tap.watch.takeEvents().map(({ number }) => number)
  }
  for (const number of ['112', '911', '999', '110', '118', '1144'])
    t.same(dialled(number), [number])
  t.same(dialled('0112'), ['112'], 'with the digit for an outside line')
  t.same(dialled('+31112'), ['112'])
  t.same(dialled('1-1-2'), ['112'])
  t.same(dialled('00112'), ['112'], 'as handsets write it in international form')
  for (const number of ['1120', '0311200', '1121234', 'help', '12', '+112112'])
    t.same(dialled(number), [])
  new Hop(tap, '198.51.100.1').ask('INVITE', { callId: 'stranger', uri: 'sip:112@10.0.0.9' })
  t.same(tap.watch.takeEvents(), [], 'a stranger outside does not call for help here')
})

test('Via and Contact tell of address translation, and of those who rewrite them', async (t) => {
  const tap = new SignallingTap({ peers: { pbx: '192.0.2.9' } })
  const show = (via: string, contact: string, source: string) => {
    tap.show(
      sipText([
        'REGISTER sip:pbx.example SIP/2.0',
        `Via: SIP/2.0/UDP ${via};branch=${tap.branch()}`,
        'From: <sip:101@pbx.example>;tag=1',
        'To: <sip:101@pbx.example>',
        `Call-ID: ${via}${contact}`,
        'CSeq: 1 REGISTER',
        `Contact: <sip:101@${contact}>`,
      ]),
      source,
      '192.0.2.9',
    )
  }
  show('10.0.0.1:5060', '10.0.0.1:5060', '10.0.0.1')
  show('10.0.0.1', '10.0.0.1', '203.0.113.1')
  show('10.0.0.1', '203.0.113.1', '203.0.113.1')
  show('phone.example', '10.0.0.1', '203.0.113.1')
  show('10.0.0.1, SIP/2.0/UDP 10.0.0.2', '10.0.0.1', '10.0.0.2')
  t.match(trafficOf(tap.take(), 'pbx').counts, { nat_checked: 3, nat_damage: 2, nat_mixed: 1 })
})

test('calls mixed at random, with retransmissions, count as one after another', async (t) => {
  const statuses = [200, 200, 200, 486, 404, 503, 487, 302]
  const names = [
    'established',
    'declined',
    'failed',
    'ineffective',
    'cancelled',
    'redirected',
    'completed',
  ] as const
  for (let seed = 1; seed <= 20; seed++) {
    let state = seed
    const random = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % limit
    }
    const tap = new SignallingTap()
    const hop = new Hop(tap)
    const expected: Record<string, number> = {}
    const count = (name: (typeof names)[number]) => (expected[name] = (expected[name] ?? 0) + 1)
    const calls = Array.from({ length: 40 }, (_, index) => {
      const status = statuses[random(statuses.length)] ?? 200
      if (status === 200) count('established')
      if (status === 486) count('declined')
      if (status === 404 || status === 503) count('failed')
      if (status === 503) count('ineffective')
      if (status === 487) count('cancelled')
      if (status === 302) count('redirected')
      const isEnded = status === 200 && random(2) === 0
      if (isEnded) count('completed')
      return stepsOf(hop, `${seed}-${index}`, status, isEnded, random)
    })
    while (calls.some((steps) => steps.length > 0)) {
      calls[random(calls.length)]?.shift()?.()
      tap.wait(10)
      if (random(50) === 0) tap.watch.takeEvents()
    }
    const { counts } = trafficOf(tap.take(), '10.0.0.9')
    t.equal(counts.session_attempts, 40)
    for (const name of names) t.equal(counts[`session_${name}`] ?? 0, expected[name] ?? 0, name)
  }
})

test('more accounts than there is room for make room for one another', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const before = process.memoryUsage()
  const count = 120_000
  for (let user = 0; user < count; user++) {
    hop.register(`${user}`, 3600)
    if (user % 20_000 === 0) tap.take()
  }
  const { bindings, evicted, accounts, untold } = tap.take()
  t.match(bindings, [{ active: 100_000, accounts: 100_000 }])
  t.equal(evicted, 19_999)
  t.equal(accounts.length, 50)
  t.ok(untold > 1000, `${untold} untold`)
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers
  t.ok(grown < 120e6, `grown by ${Math.round(grown / 1e6)} MB`)
})

test('a flood from everywhere drives out nobody who was let in', async (t) => {
  const tap = new SignallingTap()
  const phone = new Hop(tap)
  phone.register('101')
  phone.answer(phone.ask('INVITE', { callId: 'up' }), 200)
  tap.take()
  for (let index = 0; index < 150_000; index++) {
    const ip = `198.${index >> 16}.${(index >> 8) & 0xff}.${index & 0xff}`
    new Hop(tap, ip, '10.0.0.9').ask('INVITE', {
      callId: `${index}`,
      from: `sip:${index}@x.example`,
      uri: `sip:00${index}@10.0.0.9`,
    })
    tap.nowUs -= 900
  }
  phone.answer(phone.ask('BYE', { callId: 'up', toTag: 'to', cseq: 2 }), 200)
  const interval = tap.take()
  t.ok(interval.evicted > 100_000, `${interval.evicted}`)
  t.match(interval.bindings, [{ active: 1 }])
  t.equal(trafficOf(interval, '10.0.0.9').counts.session_completed, 1)
  t.equal(trafficOf(interval, '10.0.0.9').counts.requests_invite, 150_000, 'all are counted')
  t.equal(interval.sources.length, 50)
})

test('under 5,000 INVITEs a second no RTP packet is lost count of, and a call for help is told', async (t) => {
  const monitor = new Monitor({
    filter: { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] },
    maxStreams: 1000,
    probation: 3,
    seed: 1,
    signalling: DEFAULT_SIGNALLING,
  })
  let timeUs = 1_700_000_000_000_000
  const show = (payload: Uint8Array, path: Path) => {
    const frame = udpFrame(payload, path)
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
    monitor.handleFrame(view, 0, frame.length, timeUs, 1)
  }
  const packets = 100
  for (let packet = 0; packet < packets; packet++) {
    for (let stream = 0; stream < 20; stream++)
      show(rtp({ timeUs, sequenceNumber: packet, timestamp: packet * 160, ssrc: stream + 1 }), {
        fromPort: 20_000 + 2 * stream,
        toPort: 30_000 + 2 * stream,
      })
    for (let count = 0; count < 100; count++) {
      timeUs += 200
      const id = `${packet}-${count}`
      const text = request('INVITE', { callId: id, fromTag: id }, sdpText({ port: 40_000 + count }))
      const unique = text.replace(/branch=[^;]*/, `branch=z9hG4bK${id}`)
      const from = `198.51.${packet}.${count}`
      show(Buffer.from(unique), { from, fromPort: 5060, to: '10.0.0.9', toPort: 5060 })
    }
  }
  const help = request('INVITE', { callId: 'help' }).replace(/sip:\+31207654321/, 'sip:112')
  show(Buffer.from(help), { from: '10.0.0.1', fromPort: 5060, to: '10.0.0.9', toPort: 5060 })
  t.match(monitor.takeEvents(), [{ number: '112', state: 'calling', callId: 'help' }])
  const { streams, signalling, calls } = monitor.takeInterval(timeUs)
  t.equal(streams.length, 20)
  t.equal(
    streams.reduce((sum, { received }) => sum + received, 0),
    20 * packets,
  )
  t.equal(
    streams.reduce((sum, { lost }) => sum + lost, 0),
    0,
  )
  t.equal(signalling.messages, 10_001)
  t.equal(signalling.traffic[0]?.counts.requests_invite, 10_001)
  t.equal(signalling.sources.length, 50)
  t.ok(calls.length <= 8192, `${calls.length} calls are followed`)
})

test('captures of real programs: calls set up and ended on every hop', async (t) => {
  const told = async (name: string) =>
    (await analysed(`${CAPTURES}${name}.pcap.gz`)).signalling.traffic.map(
      ({ target, direction, counts }) => [
        target,
        direction,
        counts.session_established,
        counts.session_completed,
        counts.session_duration_sum_s?.toFixed(1),
      ],
    )
  t.same(await told('g722'), [['10.79.2.2', 'to', 1, 1, '8.1']])
  t.same(await told('sip-tcp'), [['10.79.2.2', 'to', 1, 1, '8.1']])
  t.same(await told('sipp'), [['10.79.2.2', 'to', 10, 9, '36.1']], 'the capture ends with one up')
  t.same(
    await told('rtpengine'),
    [
      ['10.79.2.1', 'to', 1, 1, '8.1'],
      ['10.79.2.1', 'from', 1, 1, '8.1'],
    ],
    'caller to proxy, proxy to callee',
  )
})

test('against sipp and tshark', { skip: missingForSipp() ?? false }, async (t) => {
  await t.test('every message of calls over UDP, with loss, is in its count', async (t) => {
    const capture = await captureSipp({ calls: 40, transport: 'udp', lossPercent: 8 })
    t.teardown(capture.close)
    const { signalling } = await analysed(capture.file, capture.calleePort)
    t.equal(signalling.traffic.length, 1)
    const ours = signalling.traffic[0]?.counts ?? {}
    // A sender that was held up sends twice within milliseconds, which looks like a copy.
    const seen = (ours.messages ?? 0) + (ours.duplicated ?? 0)
    t.equal(seen, tsharkSip(capture.file).messages)
    t.ok((ours.retransmitted_requests ?? 0) > 0, 'requests are sent again')
    const answered = 'sip.Status-Code == 200 && sip.CSeq.method == "INVITE"'
    const answeredCalls = new Set(tsharkValues(capture.file, answered, 'sip.Call-ID'))
    t.equal(ours.session_established, answeredCalls.size)
  })

  await t.test('without loss nothing is sent again, and all is as tshark has it', async (t) => {
    const capture = await captureSipp({ calls: 40, transport: 'udp' })
    t.teardown(capture.close)
    const { messages, resent, counts } = tsharkSip(capture.file)
    const { signalling } = await analysed(capture.file, capture.calleePort)
    const ours = signalling.traffic[0]?.counts ?? {}
    t.equal(ours.messages, messages)
    t.equal(ours.requests_invite, counts.get('INVITE'))
    t.equal(ours.requests_ack, counts.get('ACK'))
    t.equal(ours.requests_bye, counts.get('BYE'))
    t.equal(ours.responses_1xx, counts.get('180'))
    t.equal(ours.responses_2xx, counts.get('200'))
    const again = (ours.retransmitted_requests ?? 0) + (ours.retransmitted_responses ?? 0)
    t.equal(again, resent)
  })

  await t.test('calls over TCP, with the times tshark has', async (t) => {
    const capture = await captureSipp({ calls: 40, transport: 'tcp' })
    t.teardown(capture.close)
    const { signalling } = await analysed(capture.file, capture.calleePort)
    const [row] = signalling.traffic
    t.match(row?.counts, {
      tcp: 240,
      messages: 240,
      session_attempts: 40,
      session_established: 40,
      session_completed: 40,
      disconnects: 40,
    })
    t.equal(row?.delays.session?.count, 40)
  })
})

/** The steps of a call, some of them twice. */
function stepsOf(
  hop: Hop,
  callId: string,
  status: number,
  isEnded: boolean,
  random: (limit: number) => number,
): (() => void)[] {
  let invite: Words | undefined
  let bye: Words | undefined
  const answer = (words: Words | undefined, code: number) => () => {
    if (words !== undefined) hop.answer(words, code)
  }
  const steps = [
    () => (invite = hop.ask('INVITE', { callId })),
    () => {
      if (invite !== undefined) hop.again(invite)
    },
    () => {
      answer(invite, 100)()
    },
    () => {
      answer(invite, 180)()
    },
    () => {
      answer(invite, status)()
    },
    () => {
      answer(invite, status)()
    },
    () => hop.ask('ACK', { callId, toTag: 'to' }),
  ]
  const ending = [
    () => (bye = hop.ask('BYE', { callId, toTag: 'to', cseq: 2 })),
    () => {
      if (bye !== undefined) hop.again(bye)
    },
    () => {
      answer(bye, 200)()
    },
  ]
  const kept = steps.filter((_, index) => ![1, 2, 3, 5].includes(index) || random(2) === 0)
  return isEnded ? [...kept, ...ending] : kept
}

async function analysed(file: string, sipPort = 5060) {
  return await analyzeFile(
    file,
    { table: undefined, sipPorts: [{ from: sipPort, to: sipPort }] },
    { terminal: process.stderr, monotonicMs: () => 0 },
  )
}
