import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test, type Test } from 'tap'
import { readAgentConfig, readProbeOptions } from '../../agent/config.ts'
import type { Probe } from '../../agent/probe.ts'
import { sipCall } from '../../agent/probes/sip-call.ts'
import { ConfigError } from '../../common/config.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue } from '../../common/measurement.ts'
import { makeCertificate } from '../support/certificate.ts'
import { startKamailio, type Kamailio } from '../support/kamailio.ts'
import { registerContact } from '../support/register-contact.ts'
import {
  headerOf,
  respond,
  startTcpScript,
  startUdpScript,
  type Script,
  type ScriptedSip,
} from '../support/scripted-sip.ts'
import {
  HUNG_UP,
  INVITED,
  STREAM,
  STREAM_ENDS,
  agree,
  isSippMissing,
  say,
  soundOf,
  startSippCallee,
  type CalleeOptions,
  type SippCallee,
} from '../support/sipp-callee.ts'

const SIGNAL = new AbortController().signal
const INTERVAL = { endUs: 1_800_000_000_000_000, durationMs: 60_000 }
const ECHO = soundOf('[media_port]')
const OWN = soundOf('[rtpstream_audio_port]')
const ANSWER = `${say('200 OK', ECHO, ' retrans="500"')}<recv request="ACK"></recv>`
const SDP = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'],
  ...['m=audio 9 RTP/AVP 8', ''],
].join('\r\n')
const SDP_ROWS = ['Content-Type: application/sdp']

type Fields = Readonly<Record<string, FieldValue>>

tap.setTimeout(240_000)
const real = { skip: isSippMissing ?? false }

test('a call to an echo is set up, carries sound both ways, and is hung up', real, async (t) => {
  const steps = `${INVITED}${say('180 Ringing')}<pause milliseconds="200"/>${ANSWER}${HUNG_UP}`
  const callee = await calleeOf(t, { steps, echoes: true })
  const fields = await called(t, callee, { hold: '2s' })
  t.match(fields, {
    ...{ outcome: 'answered', answered: true, status_code: 200, ended_by: 'us', ringing: true },
    ...{ early_media: false, timeout: false, paused: false, failures_in_row: 0 },
    ...{ codec: 'PCMA', echoed: true, heard: true, heard_by_peer: true },
    ...{ one_way_audio: false, no_audio: false, disconnect_timeout: false, transport: 'udp' },
    ...{ round_trip_lost: 0, round_trip_loss_ratio: 0, round_trip_duplicates: 0 },
    ...{ peer_reports: 0, stray_packets: 0, retransmissions: 0, challenges: 0 },
  })
  const answerMs = Number(fields['answer_delay_ms'])
  t.ok(answerMs >= 200 && answerMs < 3000, `answered after ${answerMs} ms`)
  t.ok(Number(fields['session_request_delay_ms']) < answerMs - 150, 'ringing ends the delay')
  t.ok(Number(fields['session_disconnect_delay_ms']) < 3000)
  t.ok(Number(fields['talk_ms']) >= 2000 && Number(fields['talk_ms']) < 6000)
  // A pace that a busy machine does not keep is not made up for.
  const sent = Number(fields['sent_packets'])
  const echoed = Number(fields['round_trip_expected'])
  t.ok(sent >= 50 && sent <= 200, `${sent} packets sent`)
  t.ok(echoed > sent - 10 && echoed <= sent, `${echoed} of them expected back`)
  t.ok(Number(fields['media_round_trip_ms']) < 500)
  for (const name of Object.keys(fields))
    t.notMatch(name, /^(?:received|reported|failed)_/, 'what was not measured is absent')
})

test(
  'the sound of a far end of its own is measured as that, and nothing is said of ours',
  real,
  async (t) => {
    const answer = `${say('200 OK', OWN, ' retrans="500"')}<recv request="ACK"></recv>`
    const steps = `${INVITED}${answer}${STREAM}<recv request="BYE"></recv>${STREAM_ENDS}${agree()}`
    const fields = await called(t, await calleeOf(t, { steps }), { hold: '2s' })
    t.match(fields, {
      ...{ outcome: 'answered', echoed: false, heard: true, no_audio: false, codec: 'PCMA' },
      ...{ received_lost: 0, received_loss_ratio: 0, received_sources: 1, received_duplicates: 0 },
    })
    t.ok(Number(fields['received_packets']) > 80)
    // On a busy machine sipp sends unevenly, which a jitter buffer pays for; 4.41 is the highest there is for G.711.
    const mosLq = Number(fields['received_mos_lq'])
    t.ok(mosLq > 3 && mosLq < 4.45, `G.711 without loss: ${mosLq}`)
    for (const name of ['heard_by_peer', 'one_way_audio', 'reported_loss_ratio', 'round_trip_lost'])
      t.notOk(name in fields, `${name}: nobody said`)
  },
)

test('an answer without any sound is no audio', real, async (t) => {
  const fields = await called(t, await calleeOf(t, { steps: `${INVITED}${ANSWER}${HUNG_UP}` }))
  t.match(fields, { outcome: 'answered', heard: false, no_audio: true })
  t.notOk('one_way_audio' in fields, 'whether we are heard nobody knows')
})

test('refusals are told apart, and their delay is not that of a call', real, async (t) => {
  const cases = [
    ['486 Busy Here', 'busy'],
    ['404 Not Found', 'not-found'],
    ['603 Decline', 'rejected'],
    ['480 Temporarily Unavailable', 'unavailable'],
    ['488 Not Acceptable Here', 'incompatible'],
    ['500 Server Internal Error', 'failed'],
    ['401 Unauthorized', 'unauthorized'],
  ] as const
  for (const [status, outcome] of cases) {
    const steps = `${INVITED}${say(status)}<recv request="ACK"></recv>`
    const fields = await called(t, await calleeOf(t, { steps }))
    const statusCode = Number(status.slice(0, 3))
    t.match(fields, { outcome, answered: false, status_code: statusCode, failures_in_row: 1 })
    t.match(fields['reason'], new RegExp(`^${status} from 127`))
    t.ok(Number(fields['failed_session_request_delay_ms']) < 500)
    t.notOk('session_request_delay_ms' in fields || 'talk_ms' in fields || 'heard' in fields)
  }
})

test('early media is measured, and is not the call', real, async (t) => {
  const steps = `${INVITED}${say('183 Session Progress', OWN)}${STREAM}<pause milliseconds="800"/>
    ${say('200 OK', OWN, ' retrans="500"')}<recv request="ACK"></recv>
    <recv request="BYE"></recv>${STREAM_ENDS}${agree()}`
  const fields = await called(t, await calleeOf(t, { steps }), { hold: '1s' })
  t.match(fields, { outcome: 'answered', early_media: true, ringing: false, received_lost: 0 })
  const early = Number(fields['early_packets'])
  t.ok(early >= 25 && early <= 45, `${early} packets before the answer`)
  t.ok(Number(fields['received_packets']) >= 40 && Number(fields['received_packets']) <= 75)
  t.ok(Number(fields['session_request_delay_ms']) < 300)
  t.ok(Number(fields['answer_delay_ms']) >= 790)
})

test('whoever does not answer is called off', real, async (t) => {
  const steps = `${INVITED}${say('180 Ringing')}<recv request="CANCEL"></recv>${agree()}
    ${say('487 Request Terminated').replaceAll('[last_CSeq:]', 'CSeq: 1 INVITE').replaceAll('[last_To:];tag=[call_number]x', '[last_To:]')}
    <recv request="ACK"></recv>`
  const callee = await calleeOf(t, { steps })
  const fields = await called(t, callee, { ring: '600ms' })
  t.match(fields, { outcome: 'no-answer', answered: false, ringing: true, timeout: false })
  t.match(fields['reason'], /not answered in 600 ms/)
  t.ok(Number(fields['failed_session_request_delay_ms']) < 300, 'it rang soon')
  const messages = await callee.messages()
  t.equal([...messages.matchAll(/^CANCEL /gm)].length, 1)
})

test('silence is a timeout, and no delay', async (t) => {
  const peer = await scripted(t, () => [])
  const fields = await calledAt(t, peer, { timeout: '700ms' })
  t.match(fields, { outcome: 'timeout', answered: false, timeout: true })
  t.ok(Number(fields['timeout_ms']) >= 699 && Number(fields['timeout_ms']) < 1500)
  t.match(fields['reason'], /no answer in 700 ms/)
  for (const name of Object.keys(fields)) t.notMatch(name, /delay_ms$/)
  t.ok(Number(fields['retransmissions']) >= 1)
})

test('an answer that crosses the CANCEL is acknowledged and hung up', async (t) => {
  let invite = ''
  const peer = await scripted(t, (request, _, send) => {
    const method = methodOf(request)
    if (method === 'INVITE') {
      invite = request
      return [respond(request, '180 Ringing')]
    }
    if (method === 'CANCEL') {
      send(respond(invite, '200 OK', [contact(peer), ...SDP_ROWS], SDP))
      return [respond(request, '200 OK')]
    }
    return method === 'BYE' ? [respond(request, '200 OK')] : []
  })
  const fields = await calledAt(t, peer, { ring: '500ms' })
  t.match(fields, { outcome: 'no-answer', answered: false })
  t.notOk('talk_ms' in fields)
  await until(() => peer.requests.some((request) => methodOf(request) === 'BYE'))
  t.same(peer.requests.map(methodOf), ['INVITE', 'CANCEL', 'ACK', 'BYE'])
  const [first, cancel, ack, bye] = peer.requests
  t.equal(headerOf(cancel ?? '', 'Via'), headerOf(first ?? '', 'Via'), 'of the same transaction')
  t.equal(headerOf(ack ?? '', 'CSeq'), '1 ACK')
  t.equal(headerOf(bye ?? '', 'CSeq'), '2 BYE')
})

test('an answer that comes again is acknowledged again, and a second branch is hung up', async (t) => {
  const peer = await scripted(t, (request) => {
    if (methodOf(request) === 'BYE') return [respond(request, '200 OK')]
    if (methodOf(request) !== 'INVITE') return []
    const answer = respond(request, '200 OK', [contact(peer), ...SDP_ROWS], SDP)
    const other = answer.replace('tag=scripted', 'tag=other')
    return [respond(request, '100 Trying'), answer, answer, other]
  })
  const fields = await calledAt(t, peer, { hold: '700ms' })
  t.match(fields, { outcome: 'answered', no_audio: true, ended_by: 'us' })
  t.equal(fields['session_request_delay_ms'], fields['answer_delay_ms'], '100 is no progress')
  const acks = peer.requests.filter((request) => methodOf(request) === 'ACK')
  const of = (tag: string) => acks.filter((ack) => headerOf(ack, 'To').includes(tag))
  t.equal(of('scripted').length, 2)
  t.equal(of('scripted')[0], of('scripted')[1], 'the same again')
  t.equal(of('other').length, 1)
  const byes = peer.requests.filter((request) => methodOf(request) === 'BYE')
  t.same(
    byes.map((bye) => /tag=(\w+)$/.exec(headerOf(bye, 'To'))?.[1]),
    ['other', 'scripted'],
  )
})

test('the far end may hold, go on without an offer, ask, and hang up', async (t) => {
  const answers: string[] = []
  let step = 0
  const peer = await scripted(t, (message, _, send) => {
    const invite = peer.requests[0] ?? ''
    const ask = (method: string, cseq: number, rows: string[] = [], body = ''): void => {
      send(inDialog(invite, peer, method, cseq, rows, body))
    }
    if (message.startsWith('SIP/2.0')) {
      answers.push(message)
      const cseq = headerOf(message, 'CSeq')
      if (cseq.endsWith('INVITE')) ask('ACK', Number(cseq.split(' ')[0]))
      if (cseq === '1 INVITE') ask('INVITE', 2)
      if (cseq === '2 INVITE') ask('INVITE', 3, SDP_ROWS, SDP.replace('RTP/AVP 8', 'RTP/SAVP 8'))
      if (cseq === '3 INVITE') ask('OPTIONS', 4)
      if (cseq === '4 OPTIONS') ask('INFO', 5)
      if (cseq === '5 INFO') ask('BYE', 6)
      return []
    }
    if (methodOf(message) === 'INVITE')
      return [respond(message, '200 OK', [contact(peer), ...SDP_ROWS], SDP)]
    if (methodOf(message) === 'ACK' && step++ === 0)
      ask('INVITE', 1, SDP_ROWS, `${SDP}a=sendonly\r\nm=video 9 RTP/AVP 31\r\n`)
    return []
  })
  const fields = await calledAt(t, peer, { hold: '5s' })
  t.match(fields, { outcome: 'answered', ended_by: 'far-end', disconnect_timeout: false })
  t.notOk('session_disconnect_delay_ms' in fields)
  const statusOf = (cseq: string) =>
    answers.find((answer) => headerOf(answer, 'CSeq') === cseq)?.split(' ')[1]
  t.same(['1 INVITE', '2 INVITE', '3 INVITE', '4 OPTIONS', '5 INFO', '6 BYE'].map(statusOf), [
    '200',
    '200',
    '488',
    '200',
    '405',
    '200',
  ])
  const [held = '', fresh = ''] = answers
  t.match(held, /a=recvonly\r\nm=video 0 RTP\/AVP 31\r\n/, 'holds, and declines the picture')
  t.match(fresh, /m=audio \d+ RTP\/AVP 8 0\r\n[^]*a=sendrecv/, 'an offer of our own')
  t.equal(new Set(answers.map((answer) => /o=- (\d+)/.exec(answer)?.[1] ?? '-')).size, 2)
})

test('an answer that names the last port of all, or a host nobody finds, does no harm', async (t) => {
  for (const body of [
    SDP.replace('audio 9', 'audio 65535'),
    SDP.replace('IP4 127.0.0.1\r\nt', 'IP4 nobody.invalid\r\nt'),
    `${SDP}a=rtcp:0\r\n`,
  ]) {
    const peer = await scripted(t, (request) => {
      if (methodOf(request) === 'BYE') return [respond(request, '200 OK')]
      if (methodOf(request) !== 'INVITE') return []
      return [respond(request, '200 OK', [contact(peer), ...SDP_ROWS], body)]
    })
    const fields = await calledAt(t, peer, { hold: '3s' })
    t.match(fields, { outcome: 'answered', ended_by: 'us', no_audio: true })
  }
})

test('a far end that goes silent in the call costs its time and no more', async (t) => {
  const silent = await scripted(t, (request) =>
    methodOf(request) === 'INVITE'
      ? [respond(request, '200 OK', [contact(silent), ...SDP_ROWS], SDP)]
      : [],
  )
  const fields = await calledAt(t, silent, { timeout: '600ms' })
  t.match(fields, { outcome: 'answered', ended_by: 'us', disconnect_timeout: true })
  t.match(fields['reason'], /BYE: .*no answer in 600 ms/)
  t.notOk('session_disconnect_delay_ms' in fields, 'a timeout is no delay')

  const nowhere = await scripted(t, (request) => {
    const rows = ['Contact: <sip:x@nobody.invalid>', 'Record-Route: <sip:239.1.1.1;lr>']
    if (methodOf(request) === 'BYE') return [respond(request, '200 OK')]
    if (methodOf(request) !== 'INVITE') return []
    return [respond(request, '200 OK', [...rows, ...SDP_ROWS], SDP)]
  })
  t.match(await calledAt(t, nowhere), { ended_by: 'us', disconnect_timeout: false })
  t.same(nowhere.requests.map(methodOf), ['INVITE', 'ACK', 'BYE'], 'back the way it came')
})

test('a connection that is closed in the call, or brings half an answer, is told as that', async (t) => {
  const hangsUp = await startTcpScript((request) =>
    methodOf(request) === 'INVITE'
      ? [
          respond(
            request,
            '200 OK',
            [`${contact(hangsUp).slice(0, -1)};transport=tcp>`, ...SDP_ROWS],
            SDP,
          ),
        ]
      : [],
  )
  const half = await startTcpScript((request) =>
    methodOf(request) === 'INVITE' ? [respond(request, '200 OK', SDP_ROWS, SDP).slice(0, -9)] : [],
  )
  t.teardown(async () => Promise.all([hangsUp.close(), half.close()]))
  const way = ({ port }: ScriptedSip) => ({ proxy: `sip:127.0.0.1:${port};transport=tcp` })
  const closing = calledAt(t, hangsUp, { ...way(hangsUp), timeout: '700ms', hold: '900ms' })
  await until(() => hangsUp.requests.some((request) => request.startsWith('ACK')))
  await hangsUp.close()
  const closed = await closing
  t.match(closed, { outcome: 'answered', ended_by: 'us', no_audio: true })
  t.match(closed['reason'], /^BYE: /)
  const halved = await calledAt(t, half, { ...way(half), timeout: '700ms' })
  t.match(halved, { outcome: 'timeout', answered: false, transport: 'tcp' })
  t.match(halved['reason'], /what came is only part of a message/)
})

test('a stranger cannot hang up our call', async (t) => {
  const statuses: string[] = []
  const peer = await scripted(t, (message, _, send) => {
    if (message.startsWith('SIP/2.0')) statuses.push(message.slice(8, 11))
    if (methodOf(message) === 'INVITE')
      return [respond(message, '200 OK', [contact(peer), ...SDP_ROWS], SDP)]
    if (methodOf(message) === 'ACK') {
      const invite = peer.requests[0] ?? ''
      send(inDialog(invite, peer, 'BYE', 1).replace('tag=scripted', 'tag=guessed'))
    }
    return methodOf(message) === 'BYE' ? [respond(message, '200 OK')] : []
  })
  const fields = await calledAt(t, peer, { hold: '600ms' })
  t.same(statuses, ['481'])
  t.match(fields, { ended_by: 'us', outcome: 'answered' })
})

test('redirects are followed, but not in a circle, and never to an emergency number', async (t) => {
  const callee = await scripted(t, (request) =>
    methodOf(request) === 'INVITE' ? [respond(request, '486 Busy Here')] : [],
  )
  const there = `sip:other@127.0.0.1:${callee.port}`
  const moved =
    (to: string): Script =>
    (request) =>
      methodOf(request) === 'INVITE' ? [respond(request, '302 Moved', [`Contact: <${to}>`])] : []
  const followed = await calledAt(t, await scripted(t, moved(there)))
  t.match(followed, { outcome: 'busy', redirects: 1 })
  t.match(headerOf(callee.requests[0] ?? '', 'CSeq'), '2 INVITE')
  const circle: ScriptedSip = await scripted(t, (request) =>
    moved(`sip:echo@127.0.0.1:${circle.port}`)(request, 0, () => undefined),
  )
  t.match(await calledAt(t, circle), { outcome: 'redirected', status_code: 302 })

  const heard = callee.requests.length
  for (const user of ['112', '%31%312', '0,112', '+31112', 'sos', '1-1-2', 'echo;postd=112']) {
    const peer = await scripted(t, moved(`sip:${user}@127.0.0.1:${callee.port};user=phone`))
    const fields = await calledAt(t, peer)
    t.match(fields, { outcome: 'refused', answered: false }, user)
    t.match(fields['reason'], /may reach the emergency number (?:112|sos)/)
  }
  const urn = await calledAt(t, await scripted(t, moved('urn:service:sos.police')))
  t.match(urn, { outcome: 'redirected', reason: /redirected to nowhere we can go/ })
  t.equal(callee.requests.length, heard, 'not a packet')
})

test('calls go through a proxy that asks who we are, over UDP, TCP and TLS', real, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sip-call-'))
  t.teardown(async () => rm(folder, { recursive: true }))
  const tls = await makeCertificate(folder)
  const kamailio = await kamailioOf(t, { tls })
  if (kamailio === undefined) return
  const steps = `<recv request="INVITE" rrs="true"></recv>${say('180 Ringing')}${say('200 OK', ECHO)}<recv request="ACK"></recv>${HUNG_UP}`
  const callee = await calleeOf(t, { steps, echoes: true })
  await registerContact(kamailio, 'echo', `sip:echo@127.0.0.1:${callee.port}`)
  const own = { account: { user: '31201001', password: 'pass-word' }, hold: '600ms' }
  const ways = {
    udp: `sip:127.0.0.1:${kamailio.port};lr`,
    tcp: `sip:127.0.0.1:${kamailio.port};transport=tcp;lr`,
    tls: `sips:127.0.0.1:${kamailio.tlsPort};lr`,
  }
  for (const [transport, proxy] of Object.entries(ways)) {
    const trust = transport === 'tls' ? { ca: tls.cert } : {}
    const probe = await probeOf(t, {
      ...own,
      ...trust,
      proxy,
      targets: [{ name: 'echo', uri: 'sip:echo@kiestoon.example' }],
    })
    const fields = await measured(probe)
    t.match(fields, {
      ...{ outcome: 'answered', challenges: 1, transport, echoed: true, round_trip_lost: 0 },
      ...{ ended_by: 'us', disconnect_timeout: false },
    })
    t.ok(Number(fields['session_disconnect_delay_ms']) >= 0, 'the BYE went the same way')
    t.equal('certificate_days' in fields, transport === 'tls')
  }
  const messages = await callee.messages()
  t.equal([...messages.matchAll(/^BYE sip:/gm)].length, 3)
  const wrong = await probeOf(t, {
    ...own,
    account: { user: '31201001', password: 'wrong' },
    proxy: ways.udp,
    targets: [{ name: 'echo', uri: 'sip:echo@kiestoon.example' }],
  })
  t.match(await measured(wrong), { outcome: 'unauthorized', status_code: 407, answered: false })
  const paused = await measured(wrong)
  t.match(paused, { paused: true, failures_in_row: 1 })
  t.match(paused['reason'], /^not called, so as not to lock the account out/)
  t.notOk('outcome' in paused)
})

test('a server that is full is left alone for as long as it asks', async (t) => {
  const peer = await scripted(t, (request) =>
    methodOf(request) === 'INVITE'
      ? [respond(request, '503 Service Unavailable', ['Retry-After: 120'])]
      : [],
  )
  const probe = await probeAt(t, peer)
  t.match(await measured(probe), { outcome: 'overloaded', status_code: 503 })
  const paused = await measured(probe)
  t.match(paused, { paused: true })
  t.ok(Number(paused['pause_left_s']) > 110 && Number(paused['pause_left_s']) <= 120)
  t.equal(peer.requests.filter((request) => methodOf(request) === 'INVITE').length, 1)
})

test('an agent that ends hangs up, or takes the call back', real, async (t) => {
  const talking = await calleeOf(t, { steps: `${INVITED}${ANSWER}${HUNG_UP}`, echoes: true })
  const limit = new AbortController()
  const probe = await probeOf(t, targetAt(talking, { hold: '60s' }))
  const measuring = measured(probe, limit.signal)
  await until(async () => (await talking.messages()).includes('\nACK '))
  const abortedMs = performance.now()
  limit.abort()
  const fields = await measuring
  t.ok(performance.now() - abortedMs < 900, 'within the second an agent has')
  t.match(fields, { outcome: 'answered', ended_by: 'us', reason: /hung up early/ })
  t.match(await talking.messages(), /\nBYE sip:callee/)

  let invite = ''
  const ringing = await scripted(t, (request) => {
    if (methodOf(request) === 'INVITE') {
      invite = request
      return [respond(request, '180 Ringing')]
    }
    if (methodOf(request) !== 'CANCEL') return []
    return [respond(request, '200 OK'), respond(invite, '487 Request Terminated')]
  })
  const second = new AbortController()
  const ringingProbe = await probeAt(t, ringing)
  const ringingFields = measured(ringingProbe, second.signal)
  await until(() => ringing.requests.length > 0)
  await delay(100)
  second.abort()
  const interrupted = await ringingFields
  t.match(interrupted, { outcome: 'interrupted', failures_in_row: 0 })
  t.notOk('answered' in interrupted, 'nobody knows')
  t.same(ringing.requests.map(methodOf), ['INVITE', 'CANCEL', 'ACK'])
})

test('an answer of no use is hung up at once, and says why', async (t) => {
  for (const [body, reason] of [
    ['', /answered without a session description/],
    ['v=1', /its session description: no-media/],
    ['hello', /its session description: not-sdp/],
    [SDP.replace('AVP 8', 'AVP 18'), /has no sound in clear PCMA or PCMU/],
    [SDP.replace('RTP/AVP', 'RTP/SAVP'), /has no sound in clear/],
    [SDP.replace('IP4 127.0.0.1\r\nt', 'IP4 239.1.1.1\r\nt'), /at 239\.1\.1\.1, where nobody is/],
  ] as const) {
    const peer = await scripted(t, (request) => {
      if (methodOf(request) === 'BYE') return [respond(request, '200 OK')]
      if (methodOf(request) !== 'INVITE') return []
      return [respond(request, '200 OK', [contact(peer), ...SDP_ROWS], body)]
    })
    const fields = await calledAt(t, peer, { hold: '30s' })
    t.match(fields, { outcome: 'answered', ended_by: 'us', reason })
    t.ok(Number(fields['talk_ms']) < 1000)
    t.notOk('heard' in fields || 'no_audio' in fields)
  }
})

test('no configuration may name an emergency number, however it is written', async (t) => {
  const written = (uri: string) => `agent: gw-1
site: hq
probes:
  - probe: sip-call
    interval: 5min
    emergency-numbers: ['144']
    targets:
      - name: echo
        uri: '${uri}'
`
  for (const uri of ['sip:112@pbx', 'sip:+31144@pbx', 'SIP:%31%31%32@pbx;user=phone', '9112@pbx']) {
    const error = await readAgentConfig(written(uri), 'agent.yaml').then(
      () => undefined,
      (reason: unknown) => reason,
    )
    t.ok(error instanceof ConfigError, uri)
    t.match(String(error), /agent\.yaml:9:14: .*may reach the emergency number (?:112|144)/)
  }
  const { probes } = await readAgentConfig(written('sip:*43@pbx'), 'agent.yaml')
  t.equal(probes[0]?.intervalMs, 300_000)
  const hasty = written('sip:*43@pbx').replace('5min', '30s')
  await t.rejects(readAgentConfig(hasty, 'agent.yaml'), /:5:15: .*36 s: expected 45s or more/)
  const silent = written('sip:*43@pbx').replace('    interval: 5min\n', '')
  t.equal((await readAgentConfig(silent, 'agent.yaml')).probes[0]?.intervalMs, 45_000)
  const complaints = (given: object): string => {
    const read = readProbeOptions(sipCall, given)
    return 'complaints' in read ? read.complaints.join('; ') : ''
  }
  const targets = [{ name: 'echo', uri: 'sip:echo@pbx' }]
  t.match(complaints({ targets: [{ name: 'help', uri: 'tel:112' }] }), /emergency number 112/)
  t.match(
    complaints({ targets: [{ name: 'help', uri: 'urn:service:sos' }] }),
    /emergency number sos/,
  )
  t.match(complaints({ targets, proxy: 'sip:112@pbx;lr' }), /proxy: not to be called/)
  t.match(complaints({ targets, 'emergency-numbers': ['1'] }), /2 to 12 digits/)
  t.match(complaints({ targets, 'rtp-ports': '5-4' }), /range of ports/)
  t.equal(complaints({ targets, 'rtp-ports': '30000-30100' }), '')
})

async function kamailioOf(
  t: Test,
  options: Partial<Parameters<typeof startKamailio>[0]>,
): Promise<Kamailio | undefined> {
  const accounts = { '31201001': 'pass-word', echo: 'echo' }
  const kamailio = await startKamailio({ accounts, authenticatesCalls: true, ...options })
  if (kamailio === undefined)
    t.pass('kamailio', { skip: 'missing: apt-get install kamailio kamailio-tls-modules' })
  else t.teardown(kamailio.close)
  return kamailio
}

async function calleeOf(t: Test, options: CalleeOptions): Promise<SippCallee> {
  const callee = await startSippCallee(options)
  t.teardown(callee.close)
  return callee
}

async function scripted(t: Test, script: Script): Promise<ScriptedSip> {
  const peer = await startUdpScript(script)
  t.teardown(peer.close)
  return peer
}

function targetAt({ port }: { readonly port: number }, options: object = {}): object {
  const targets = [{ name: 'echo', uri: `sip:echo@127.0.0.1:${port}` }]
  return { targets, hold: '500ms', timeout: '2s', ...options }
}

async function called(t: Test, callee: SippCallee, options: object = {}): Promise<Fields> {
  return await measured(await probeOf(t, targetAt(callee, options)))
}

async function calledAt(t: Test, peer: ScriptedSip, options: object = {}): Promise<Fields> {
  return await measured(await probeAt(t, peer, options))
}

async function probeAt(t: Test, peer: ScriptedSip, options: object = {}): Promise<Probe> {
  return await probeOf(t, targetAt(peer, options))
}

async function probeOf(t: Test, options: object): Promise<Probe> {
  const read = readProbeOptions(sipCall, options)
  if ('complaints' in read) throw new Error(read.complaints.join('; '))
  const log = createLogger('test', 'silent')
  const probe = read.create({ log, nowUs: () => Date.now() * 1000, report: () => undefined })
  t.teardown(async () => probe.close?.())
  await probe.open?.(SIGNAL)
  return probe
}

async function measured(probe: Probe, signal = SIGNAL): Promise<Fields> {
  const [point] = await probe.measure(INTERVAL, signal)
  return point?.fields ?? {}
}

function methodOf(request: string): string {
  return request.split(' ', 1)[0] ?? ''
}

function contact({ port }: { readonly port: number }): string {
  return `Contact: <sip:callee@127.0.0.1:${port}>`
}

/** A request of the callee within the call. */
function inDialog(
  invite: string,
  { port }: ScriptedSip,
  method: string,
  cseq: number,
  rows: readonly string[] = [],
  body = '',
): string {
  return [
    `${method} ${/<(.*)>/.exec(headerOf(invite, 'Contact'))?.[1] ?? ''} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${method}${cseq}`,
    'Max-Forwards: 70',
    `From: ${headerOf(invite, 'To')};tag=scripted`,
    `To: ${headerOf(invite, 'From')}`,
    `Call-ID: ${headerOf(invite, 'Call-ID')}`,
    `CSeq: ${cseq} ${method}`,
    `Contact: <sip:callee@127.0.0.1:${port}>`,
    ...rows,
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 5000
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error('it did not come to that')
    await delay(10)
  }
}
