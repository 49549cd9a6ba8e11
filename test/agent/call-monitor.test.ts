import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'tap'
import { CaptureReader } from '../../agent/capture/capture-reader.ts'
import { Datagram } from '../../agent/capture/datagram.ts'
import { decodeFrame } from '../../agent/capture/frame.ts'
import { IS_TCP, IS_UDP } from '../../agent/capture/verdicts.ts'
import { CallMonitor } from '../../agent/media/call-monitor.ts'
import { MediaTable, type MediaDescription } from '../../agent/media/media-table.ts'
import { TcpStreams } from '../../agent/media/tcp-streams.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { Random } from '../fuzz/fuzz.ts'
import { CallTap } from '../support/call-tap.ts'
import {
  callMessages,
  request,
  response,
  sdpText,
  sipText,
  type CallOptions,
} from '../support/sip-messages.ts'
import { captureSipp, missingForSipp } from '../support/sipp.ts'

const CALLER = { from: '10.0.0.1', to: '10.0.0.2' }
const CALLEE = { from: '10.0.0.2', to: '10.0.0.1' }
const TO: CallOptions = { toTag: 'callee-tag' }
const PCMA = ['a=rtpmap:8 PCMA/8000']
const SYN = 2
const FIN = 1
const RST = 4

/** INVITE, 180 and 200 of a call, with these media. */
function answer(
  tap: CallTap,
  options: CallOptions = {},
  lines: { caller?: readonly string[]; callee?: readonly string[] } = {},
): void {
  const { callerIp = '10.0.0.1', callerPort = 20_000, calleeIp = '10.0.0.2' } = options
  const { calleePort = 30_000 } = options
  const callee = { ...TO, ...options }
  const offer = sdpText({ ip: callerIp, port: callerPort, lines: lines.caller ?? [] })
  const accepted = sdpText({ ip: calleeIp, port: calleePort, lines: lines.callee ?? [] })
  tap.sip(request('INVITE', options, offer), CALLER)
  tap.sip(response('180 Ringing', callee), CALLEE)
  tap.sip(response('200 OK', callee, accepted), CALLEE)
  tap.sip(request('ACK', callee), CALLER)
}

test('a call is followed from INVITE to BYE, and its media stays described for a minute', async (t) => {
  const tap = new CallTap()
  const messages = callMessages()
  const show = (from: number, to: number) => {
    for (const { isFromCaller, text } of messages.slice(from, to))
      tap.sip(text, isFromCaller ? CALLER : CALLEE)
  }
  show(0, 2)
  t.match(tap.row(), {
    callId: 'call-1@10.0.0.1',
    caller: '**********67@pbx.example',
    callee: '**********21@pbx.example',
    state: 'trying',
    statusCode: undefined,
    startMs: 1_700_000_000_000,
    answerMs: undefined,
  })
  t.match(tap.described('10.0.0.1', 20_000), { callId: 'call-1@10.0.0.1', packetMs: 20 }, 'at once')
  tap.wait(1)
  show(2, 3)
  t.equal(tap.row().state, 'ringing')
  tap.wait(1)
  show(3, 5)
  tap.rtpTo('10.0.0.2', 30_000)
  const row = tap.row()
  t.match(row, { state: 'established', statusCode: 200, answerMs: 1_700_000_002_000 })
  t.same(row.media, [
    {
      party: 'caller',
      kind: 'audio',
      ip: '10.0.0.1',
      port: 20_000,
      codecs: ['PCMU', 'PCMA', 'telephone-event'],
      isExpected: true,
      isHeard: false,
    },
    {
      party: 'callee',
      kind: 'audio',
      ip: '10.0.0.2',
      port: 30_000,
      codecs: ['PCMU', 'PCMA', 'telephone-event'],
      isExpected: true,
      isHeard: true,
    },
  ])
  const described = tap.described('10.0.0.2', 30_000)
  t.match(described, { isOnHold: false, isEnded: false, isEncrypted: false, mayPause: undefined })
  t.same(described?.payloads.get(101), { name: 'telephone-event', clockRate: 8000 })
  tap.wait(60)
  show(5, 7)
  t.match(tap.row(), { state: 'ended', endMs: 1_700_000_062_000, isOneWay: false, isSilent: false })
  t.equal(tap.described('10.0.0.2', 30_000)?.isEnded, true)
  tap.wait(59)
  t.same(tap.rows(), [], 'nothing new of a call that is over')
  t.equal(tap.described('10.0.0.2', 30_000)?.isEnded, true)
  tap.wait(2)
  tap.rows()
  t.equal(tap.described('10.0.0.2', 30_000), undefined)
  t.equal(tap.media.size, 0)
  t.same(tap.monitor.counts, {
    messages: 7,
    requests: { INVITE: 1, ACK: 1, BYE: 1 },
    responses: { '1xx': 2, '2xx': 2 },
    calls: 1,
    invalid: {},
  })
})

test('messages repeated change nothing but their count', async (t) => {
  const once = new CallTap()
  const twice = new CallTap()
  for (const { isFromCaller, text } of callMessages()) {
    const way = isFromCaller ? CALLER : CALLEE
    once.sip(text, way)
    twice.sip(text, way)
    twice.sip(text, way)
  }
  t.same(twice.rows(), once.rows())
  t.equal(twice.media.version, once.media.version)
  t.equal(twice.monitor.counts.messages, 14)
  t.equal(twice.monitor.counts.calls, 1)
})

test('payload types mean what their receiver announced, static or bound anew', async (t) => {
  const tap = new CallTap()
  const offer = sdpText({
    formats: '9 8 96 97 98 18',
    lines: [
      'a=rtpmap:9 g722/16000',
      'a=rtpmap:96 OPUS/48000/2',
      'a=rtpmap:97 x-secret/8000',
      'a=rtpmap:8 iLBC/8000',
      'a=fmtp:96 minptime=10;usedtx=1',
    ],
  })
  tap.sip(request('INVITE', {}, offer), CALLER)
  const described = tap.described('10.0.0.1', 20_000)
  t.same(
    [...(described?.payloads ?? [])],
    [
      [9, { name: 'G722', clockRate: 8000 }],
      [8, { name: 'iLBC', clockRate: 8000 }],
      [96, { name: 'opus', clockRate: 48_000 }],
      [97, { name: 'other', clockRate: 8000 }],
      [18, { name: 'G729', clockRate: 8000 }],
    ],
  )
  t.equal(described?.mayPause, true)
})

test('a description says whether the sender may pause, when it says anything', async (t) => {
  const mayPause = (formats: string, lines: readonly string[] = []) => {
    const tap = new CallTap()
    tap.sip(request('INVITE', {}, sdpText({ formats, lines })), CALLER)
    return tap.described('10.0.0.1', 20_000)?.mayPause
  }
  t.equal(mayPause('0 8'), undefined)
  t.equal(mayPause('8 13'), true)
  t.equal(mayPause('8 98', ['a=rtpmap:98 CN/16000']), true)
  t.equal(mayPause('18', ['a=fmtp:18 annexb=no']), false)
  t.equal(mayPause('18', ['a=fmtp:18 annexb=yes']), true)
  t.equal(mayPause('96', ['a=rtpmap:96 opus/48000/2', 'a=fmtp:96 useinbandfec=1;usedtx=0']), false)
})

test('media is known as encrypted by profile and fingerprint, by keys only when both have some', async (t) => {
  const crypto = ['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x']
  const tap = new CallTap()
  answer(tap, {}, { caller: crypto })
  t.equal(tap.described('10.0.0.1', 20_000)?.isEncrypted, false)
  const both = new CallTap()
  answer(both, {}, { caller: crypto, callee: crypto })
  t.equal(both.described('10.0.0.1', 20_000)?.isEncrypted, true)
  t.equal(both.described('10.0.0.2', 30_000)?.isEncrypted, true)
  const dtls = new CallTap()
  answer(dtls, {}, { caller: ['a=fingerprint:sha-256 00'] })
  t.equal(dtls.described('10.0.0.1', 20_000)?.isEncrypted, true)
})

test('a re-INVITE that moves the media ends what was before when it is answered, and not when it is refused', async (t) => {
  const tap = new CallTap()
  answer(tap)
  tap.wait(10)
  tap.sip(request('INVITE', TO, sdpText({ port: 20_400, lines: PCMA }), 2), CALLER)
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false, 'RTP may come to either meanwhile')
  t.equal(tap.described('10.0.0.1', 20_400)?.isEnded, false)
  tap.sip(response('491 Request Pending', TO, '', 'INVITE', 2), CALLEE)
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false)
  t.equal(tap.described('10.0.0.1', 20_400)?.isEnded, true)
  t.equal(tap.row().state, 'established')
  tap.sip(request('INVITE', TO, sdpText({ port: 20_600 }), 3), CALLER)
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 }), 'INVITE', 3), CALLEE)
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, true)
  t.equal(tap.described('10.0.0.1', 20_600)?.isEnded, false)
  t.equal(tap.described('10.0.0.2', 30_000)?.isEnded, false)
  t.same(
    tap.row().media.map(({ port }) => port),
    [20_600, 30_000],
  )
})

test('hold is known in both notations, on both sides, and ends', async (t) => {
  for (const [hold, reply] of [
    [{ lines: ['a=sendonly'] }, ['a=recvonly']],
    [{ lines: ['a=inactive'] }, ['a=inactive']],
    [{ ip: '0.0.0.0' }, []],
  ] as const) {
    const tap = new CallTap()
    answer(tap)
    tap.sip(request('INVITE', TO, sdpText({ ...hold }), 2), CALLER)
    const callee = { ip: '10.0.0.2', port: 30_000 }
    tap.sip(response('200 OK', TO, sdpText({ ...callee, lines: reply }), 'INVITE', 2), CALLEE)
    t.equal(tap.described('10.0.0.1', 20_000)?.isOnHold, true, 'the address stays the same')
    t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false)
    const isSilenced = reply[0] === 'a=inactive'
    t.equal(tap.described('10.0.0.2', 30_000)?.isOnHold, isSilenced, 'music may come')
    tap.wait(60)
    t.match(tap.row(), { isOneWay: false, isSilent: false })
    t.match(
      tap.row().media.map(({ isExpected }) => isExpected),
      [false, !isSilenced],
    )
    tap.sip(request('INVITE', TO, sdpText(), 3), CALLER)
    tap.sip(response('200 OK', TO, sdpText(callee), 'INVITE', 3), CALLEE)
    t.equal(tap.described('10.0.0.1', 20_000)?.isOnHold, false)
    t.equal(tap.described('10.0.0.2', 30_000)?.isOnHold, false)
  }
})

test('a call over IPv6 is a call', async (t) => {
  const tap = new CallTap()
  const there = { from: '2001:db8::1', to: '2001:db8::2' }
  const back = { from: '2001:db8::2', to: '2001:db8::1' }
  tap.sip(request('INVITE', {}, sdpText({ ip: '2001:db8::1' })), there)
  tap.sip(response('200 OK', TO, sdpText({ ip: '2001:db8:0::2', port: 30_000 })), back)
  t.equal(tap.described('2001:db8::2', 30_000)?.isEnded, false)
  tap.wait(20)
  tap.rtpTo('2001:db8::1', 20_000)
  t.match(tap.row(), { isOneWay: true })
})

test('an offer may come late, and its answer with the ACK', async (t) => {
  const tap = new CallTap()
  tap.sip(request('INVITE', {}), CALLER)
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), CALLEE)
  t.equal(tap.described('10.0.0.1', 20_000), undefined)
  tap.sip(request('ACK', TO, sdpText()), CALLER)
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false)
  t.match(tap.row().media, [
    { party: 'caller', port: 20_000 },
    { party: 'callee', port: 30_000 },
  ])
})

test('UPDATE and PRACK carry offers and answers too', async (t) => {
  const tap = new CallTap()
  tap.sip(request('INVITE', {}, sdpText()), CALLER)
  tap.sip(response('183 Progress', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), CALLEE)
  tap.sip(request('PRACK', TO, sdpText({ port: 20_002 }), 2), CALLER)
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_002 }), 'PRACK', 2), CALLEE)
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, true)
  t.equal(tap.described('10.0.0.1', 20_002)?.isEnded, false)
  tap.sip(request('UPDATE', TO, sdpText({ port: 20_004 }), 3), CALLER)
  tap.sip(response('488 Not Acceptable', TO, '', 'UPDATE', 3), CALLEE)
  t.equal(tap.described('10.0.0.1', 20_002)?.isEnded, false)
  t.equal(tap.described('10.0.0.1', 20_004)?.isEnded, true)
  t.equal(tap.row().state, 'ringing')
})

test('of several forks the one that answers stays', async (t) => {
  const tap = new CallTap()
  const a = { toTag: 'fork-a' }
  const b = { toTag: 'fork-b' }
  tap.sip(request('INVITE', {}, sdpText()), CALLER)
  tap.sip(response('183 Progress', a, sdpText({ ip: '10.0.0.3', port: 31_000 })), CALLEE)
  tap.sip(response('183 Progress', b, sdpText({ ip: '10.0.0.4', port: 32_000 })), CALLEE)
  t.equal(tap.described('10.0.0.3', 31_000)?.isEnded, false)
  t.equal(tap.described('10.0.0.4', 32_000)?.isEnded, false)
  tap.sip(response('486 Busy Here', a), CALLEE)
  t.equal(tap.row().state, 'ringing', 'one fork is busy, the other rings')
  t.equal(tap.described('10.0.0.3', 31_000)?.isEnded, true)
  tap.sip(response('200 OK', b, sdpText({ ip: '10.0.0.4', port: 32_000 })), CALLEE)
  t.match(tap.row(), { state: 'established', statusCode: 200 })
  t.match(tap.row().media, [{ ip: '10.0.0.1' }, { ip: '10.0.0.4', port: 32_000 }])
})

test('a call that is refused, cancelled or challenged says so', async (t) => {
  const refused = new CallTap()
  refused.sip(request('INVITE', {}, sdpText()), CALLER)
  refused.wait(2)
  refused.sip(response('486 Busy Here', TO), CALLEE)
  refused.sip(request('ACK', TO), CALLER)
  t.match(refused.row(), { state: 'failed', statusCode: 486, endMs: 1_700_000_002_000 })
  t.equal(refused.described('10.0.0.1', 20_000)?.isEnded, true)

  const cancelled = new CallTap()
  cancelled.sip(request('INVITE', {}, sdpText()), CALLER)
  cancelled.sip(response('180 Ringing', TO), CALLEE)
  cancelled.sip(request('CANCEL', {}), CALLER)
  t.match(cancelled.row(), { state: 'failed', statusCode: undefined })
  t.equal(cancelled.described('10.0.0.1', 20_000)?.isEnded, true)
  cancelled.sip(response('200 OK', TO, '', 'CANCEL'), CALLEE)
  cancelled.sip(response('487 Request Terminated', TO), CALLEE)
  t.match(cancelled.row(), { state: 'failed', statusCode: 487 })

  const late = new CallTap()
  late.sip(request('INVITE', {}, sdpText()), CALLER)
  late.sip(request('CANCEL', {}), CALLER)
  late.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), CALLEE)
  t.match(late.row(), { state: 'established', statusCode: 200 }, 'the CANCEL came too late')
  t.equal(late.described('10.0.0.1', 20_000)?.isEnded, false)

  const challenged = new CallTap()
  challenged.sip(request('INVITE', {}, sdpText()), CALLER)
  challenged.sip(response('407 Proxy Authentication Required', TO), CALLEE)
  challenged.sip(request('ACK', TO), CALLER)
  t.match(challenged.row(), { state: 'trying', statusCode: undefined })
  challenged.sip(request('INVITE', {}, sdpText(), 2), CALLER)
  const other = { toTag: 'tag-2' }
  const accepted = sdpText({ ip: '10.0.0.2', port: 30_000 })
  challenged.sip(response('200 OK', other, accepted, 'INVITE', 2), CALLEE)
  t.match(challenged.row(), { state: 'established', startMs: 1_700_000_000_000 })
  t.equal(challenged.monitor.counts.calls, 1)
})

test('a Call-ID used again after the end is another call', async (t) => {
  const tap = new CallTap()
  for (const { isFromCaller, text } of callMessages()) tap.sip(text, isFromCaller ? CALLER : CALLEE)
  tap.rows()
  tap.wait(5)
  tap.sip(request('INVITE', {}, sdpText(), 10), CALLER)
  t.match(tap.row(), { state: 'trying', startMs: 1_700_000_005_000, endMs: undefined })
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false)
  t.equal(tap.monitor.counts.calls, 2)
  tap.wait(58)
  tap.rows()
  t.equal(tap.described('10.0.0.1', 20_000)?.isEnded, false, 'the newest call keeps the address')
})

test('a tap that comes too late learns a call from its next exchange', async (t) => {
  const tap = new CallTap()
  tap.sip(request('BYE', { callId: 'unknown', toTag: 'x' }, '', 3), CALLER)
  t.same(tap.rows(), [])
  tap.sip(request('INVITE', TO, sdpText(), 5), CALLER)
  t.match(tap.row(), { state: 'established', answerMs: undefined })
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 }), 'INVITE', 5), CALLEE)
  t.match(tap.row(), { state: 'established', statusCode: 200, answerMs: undefined })
  t.equal(tap.described('10.0.0.2', 30_000)?.isEnded, false)
})

test('ICE candidates are announced too; refused media, faxes and names are not', async (t) => {
  const tap = new CallTap()
  const offer = sdpText({
    lines: [
      'a=candidate:1 1 UDP 1 10.0.0.1 20000 typ host',
      'a=candidate:2 1 UDP 1 198.51.100.1 20777 typ srflx raddr 10.0.0.1 rport 20000',
      'a=candidate:3 1 UDP 1 2001:db8::5 20778 typ relay',
      'a=candidate:4 2 UDP 1 10.0.0.1 20001 typ host',
      'a=candidate:5 1 UDP 1 4a.local 20779 typ host',
      'm=video 0 RTP/AVP 99',
      'm=image 4000 udptl t38',
      'm=audio 4002 RTP/AVP 0',
      'c=IN IP4 phone.example',
    ],
  })
  tap.sip(request('INVITE', {}, offer), CALLER)
  t.equal(tap.media.size, 3)
  t.ok(tap.described('198.51.100.1', 20_777))
  t.ok(tap.described('2001:db8::5', 20_778))
  t.equal(tap.described('10.0.0.1', 20_001), undefined)
})

test('bundled media shares an address and all its payload types', async (t) => {
  const tap = new CallTap()
  const lines = ['a=rtpmap:96 opus/48000/2', 'a=mid:a', 'm=video 20000 RTP/AVP 97']
  const offer = sdpText({ formats: '96', lines: [...lines, 'a=rtpmap:97 VP8/90000', 'a=mid:v'] })
  tap.sip(request('INVITE', {}, offer.replace('t=0 0', 't=0 0\r\na=group:BUNDLE a v')), CALLER)
  const payloads = tap.described('10.0.0.1', 20_000)?.payloads
  t.equal(payloads?.get(96)?.name, 'opus')
  t.equal(payloads?.get(97)?.name, 'VP8')
})

test('a proxy with a relay makes several addresses of one party, all of them known', async (t) => {
  const tap = new CallTap()
  const proxyIn = { from: '10.0.0.1', to: '10.0.0.9' }
  const proxyOut = { from: '10.0.0.9', to: '10.0.0.2' }
  const back = (way: { from: string; to: string }) => ({ from: way.to, to: way.from })
  const relayed = (port: number) => sdpText({ ip: '10.0.0.9', port })
  tap.sip(request('INVITE', {}, sdpText()), proxyIn)
  tap.sip(request('INVITE', {}, relayed(40_000)), proxyOut)
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), back(proxyOut))
  tap.sip(response('200 OK', TO, relayed(40_002)), back(proxyIn))
  t.equal(tap.monitor.counts.calls, 1)
  t.same(
    tap.row().media.map(({ party, ip, port }) => `${party} ${ip}:${port}`),
    [
      'caller 10.0.0.1:20000',
      'caller 10.0.0.9:40000',
      'callee 10.0.0.2:30000',
      'callee 10.0.0.9:40002',
    ],
  )
  tap.wait(30)
  // From the callee to the relay and on to the caller: nothing the other way.
  tap.rtpTo('10.0.0.9', 40_000)
  tap.rtpTo('10.0.0.1', 20_000)
  t.match(tap.row(), { isOneWay: true, isSilent: false })
  tap.rtpTo('10.0.0.9', 40_002)
  t.equal(tap.row().isOneWay, false, 'the relay hears the caller')
})

test('a call heard on one side only is one-way after five seconds', async (t) => {
  const tap = new CallTap()
  answer(tap)
  tap.wait(4)
  tap.rtpTo('10.0.0.1', 20_000)
  t.match(tap.row(), { isOneWay: false, isSilent: false })
  tap.wait(2)
  tap.rtpTo('10.0.0.1', 20_000)
  t.match(tap.row(), { isOneWay: true, isSilent: false })
  t.match(tap.row().media, [{ isHeard: true }, { isHeard: false, isExpected: true }])
  tap.rtpTo('10.0.0.2', 30_000)
  t.match(tap.row(), { isOneWay: false })
  tap.wait(20)
  tap.rtpTo('10.0.0.1', 20_000)
  t.match(tap.row(), { isOneWay: true }, 'also when it stopped later')
})

test('RTP of before the answer does not count', async (t) => {
  const tap = new CallTap()
  tap.sip(request('INVITE', {}, sdpText()), CALLER)
  tap.sip(response('183 Progress', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), CALLEE)
  tap.rtpTo('10.0.0.2', 30_000)
  t.match(tap.row().media[1], { isHeard: true }, 'early media')
  tap.wait(1)
  tap.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), CALLEE)
  t.match(tap.row().media[1], { isHeard: false })
})

test('nobody is called one-way behind NAT, or when RTP goes somewhere signalling did not name', async (t) => {
  const nat = new CallTap()
  const offer = sdpText({ ip: '192.168.1.5', port: 20_000 })
  nat.sip(request('INVITE', {}, offer), { from: '198.51.100.7', to: '10.0.0.2' })
  nat.sip(response('200 OK', TO, sdpText({ ip: '10.0.0.2', port: 30_000 })), {
    from: '10.0.0.2',
    to: '198.51.100.7',
  })
  nat.wait(30)
  nat.rtpTo('10.0.0.2', 30_000)
  t.match(
    nat.row(),
    { isOneWay: false, isSilent: false },
    'a private address is not where RTP goes',
  )

  const latched = new CallTap()
  answer(latched)
  latched.wait(30)
  latched.rtpTo('10.0.0.1', 20_000)
  latched.rtpFrom('10.0.0.1', 20_000)
  t.match(latched.row(), { isOneWay: false }, 'the caller does send, to another port')
})

test('a sender that may pause is given a minute', async (t) => {
  const paused = new CallTap()
  const cn = sdpText({ ip: '10.0.0.2', port: 30_000, formats: '8 13' })
  paused.sip(request('INVITE', {}, sdpText()), CALLER)
  paused.sip(response('200 OK', TO, cn), CALLEE)
  paused.wait(30)
  paused.rtpTo('10.0.0.1', 20_000)
  t.match(paused.row(), { isOneWay: false })
  paused.wait(31)
  paused.rtpTo('10.0.0.1', 20_000)
  t.match(paused.row(), { isOneWay: true })
})

test('a call is called silent only where RTP between its two addresses was seen before', async (t) => {
  const tap = new CallTap()
  answer(tap)
  tap.wait(60)
  t.match(tap.row(), { isOneWay: false, isSilent: false }, 'the tap may not see this media at all')
  tap.rtpTo('10.0.0.1', 20_000)
  tap.rtpTo('10.0.0.2', 30_000)
  t.match(tap.row(), { isOneWay: false, isSilent: false })
  tap.wait(11)
  t.match(tap.row(), { isOneWay: false, isSilent: true })
  tap.sip(request('BYE', TO, '', 2), CALLER)
  t.match(tap.row(), { state: 'ended', isSilent: false })

  answer(tap, { callId: 'second', callerPort: 20_100, calleePort: 30_100 })
  tap.wait(6)
  const second = tap.rows().find(({ callId }) => callId === 'second')
  t.match(second, { isOneWay: false, isSilent: true }, 'another call between the same two')
})

test('a call of which nothing more is heard is over at last', async (t) => {
  const tap = new CallTap()
  tap.sip(request('INVITE', { callId: 'ringing' }, sdpText({ port: 1000 })), CALLER)
  answer(tap, { callId: 'talking' })
  tap.wait(299)
  t.equal(tap.rows().length, 2)
  tap.wait(2)
  t.match(
    tap.rows().map(({ callId, state }) => [callId, state]),
    [
      ['ringing', 'failed'],
      ['talking', 'established'],
    ],
  )
  tap.wait(4 * 3600 - 400)
  tap.rtpTo('10.0.0.1', 20_000)
  tap.wait(3600)
  t.match(tap.rows(), [{ callId: 'talking', state: 'established' }], 'RTP still comes')
  tap.wait(4 * 3600)
  t.match(tap.rows(), [{ callId: 'talking', state: 'ended' }])
  tap.wait(61)
  t.same(tap.rows(), [])
  t.equal(tap.media.size, 0)
})

test('a flood of INVITEs drives out unanswered calls, not those that are up', async (t) => {
  const tap = new CallTap({ maxCalls: 20, maxMedia: 50 })
  answer(tap, { callId: 'up', callerPort: 50_000, calleePort: 50_002 })
  for (let count = 0; count < 500; count++) {
    const port = 10_000 + 2 * count
    tap.sip(request('INVITE', { callId: `flood-${count}` }, sdpText({ port })), CALLER)
  }
  const rows = tap.rows()
  t.equal(rows.length, 20)
  t.match(rows[0], { callId: 'up', state: 'established' })
  t.equal(tap.described('10.0.0.1', 50_000)?.callId, 'up')
  t.equal(tap.described('10.0.0.1', 10_000), undefined)
  t.equal(tap.monitor.evicted, 481)
  t.ok(tap.media.size <= 50)
})

test('messages that say nothing sensible of their call are counted, and begin none', async (t) => {
  const tap = new CallTap()
  const line = 'INVITE sip:a@b SIP/2.0'
  const from = 'From: <sip:a@b>;tag=1'
  const to = 'To: <sip:a@b>'
  tap.sip(sipText([line, from, to, 'Call-ID: 1']))
  tap.sip(sipText([line, from, to, 'Call-ID: 1', 'CSeq: 1 OPTIONS']))
  tap.sip(sipText([line, from, to, 'CSeq: 1 INVITE']))
  tap.sip(sipText([line, from, to, `Call-ID: ${'x'.repeat(300)}`, 'CSeq: 1 INVITE']))
  tap.sip(sipText([line, to, 'Call-ID: 1', 'CSeq: 1 INVITE']))
  tap.sip(sipText([line, from, 'Call-ID: 1', 'CSeq: 1 INVITE']))
  tap.sip('\r\n\r\n')
  tap.sip('not sip at all\r\n')
  tap.sip(sipText([line, from, to, 'Call-ID: ok', 'CSeq: 1 INVITE'], 'v=0\r\ns=-\r\n'))
  tap.sip(sipText(['SUBSCRIBE sip:a SIP/2.0', from, to, 'Call-ID: s', 'CSeq: 1 SUBSCRIBE']))
  tap.sip(sipText(['BREW sip:a SIP/2.0', from, to, 'Call-ID: s', 'CSeq: 1 BREW']))
  t.same(tap.monitor.counts, {
    messages: 9,
    requests: { INVITE: 7, SUBSCRIBE: 1, other: 1 },
    responses: {},
    calls: 1,
    invalid: {
      'no-cseq': 1,
      'method-mismatch': 1,
      'no-call-id': 1,
      'call-id-too-long': 1,
      'no-from': 1,
      'no-to': 1,
      keepalive: 1,
      'not-sip': 1,
      'no-media': 1,
    },
  })
})

test('a TCP connection gives the same calls however its segments are cut, repeated and shuffled', async (t) => {
  const stream = Buffer.from(
    Array.from({ length: 6 }, (_, call) =>
      callMessages({ callId: `call-${call}`, callerPort: 20_000 + call }).map(({ text }) => text),
    )
      .flat()
      .join('\r\n'),
  )
  const random = new Random(11)
  for (let round = 0; round < 60; round++) {
    const tap = new CallTap()
    const first = round % 2 === 0 ? 0xffff_ff00 : random.below(0x7fff_ffff)
    tap.tcp(new Uint8Array(0), first - 1, SYN)
    const segments: { at: number; end: number }[] = []
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + 1 + random.below(round < 30 ? 1460 : 60))
      // Now and then one that overlaps what was sent, or goes out again.
      segments.push({ at: Math.max(0, at - random.below(round % 3 === 0 ? 40 : 1)), end })
      if (random.below(8) === 0) segments.push({ at, end })
      at = end
    }
    for (let index = 0; index + 1 < segments.length; index++) {
      const here = segments[index]
      const later = segments[Math.min(segments.length - 1, index + random.below(5))]
      if (here === undefined || later === undefined || random.below(3) > 0) continue
      segments[segments.indexOf(later)] = here
      segments[index] = later
    }
    for (const { at, end } of segments) tap.tcp(stream.subarray(at, end), first + at)
    t.equal(tap.monitor.counts.messages, 42, `round ${round}`)
    t.same(tap.monitor.counts.invalid, {})
    t.equal(tap.rows().filter(({ state }) => state === 'ended').length, 6)
  }
})

test('a missing TCP segment costs the message it belongs to, and no more', async (t) => {
  const texts = callMessages().map(({ text }) => Buffer.from(text))
  const starts: number[] = []
  let length = 0
  for (const text of texts) {
    starts.push(length)
    length += text.length
  }
  const show = (tap: CallTap, index: number, from = 0, wireOctets?: number) => {
    const text = texts[index] ?? Buffer.alloc(0)
    const cut = wireOctets === undefined ? text.subarray(from) : text.subarray(from, 40)
    tap.tcp(cut, 1000 + (starts[index] ?? 0) + from, 0x18, {}, wireOctets)
  }
  const waiting = new CallTap()
  waiting.tcp(new Uint8Array(0), 999, SYN)
  show(waiting, 0)
  for (const index of [2, 3, 4]) show(waiting, index)
  t.equal(waiting.monitor.counts.messages, 1, 'the missing one may come yet')
  waiting.wait(4)
  show(waiting, 5)
  t.equal(waiting.monitor.counts.messages, 5)

  const closed = new CallTap()
  show(closed, 0)
  show(closed, 3)
  closed.tcp(new Uint8Array(0), 1000 + length, FIN)
  t.equal(closed.monitor.counts.messages, 2, 'what waits is read when the connection closes')

  const middle = new CallTap()
  show(middle, 1, 30)
  show(middle, 2)
  show(middle, 3)
  t.equal(middle.monitor.counts.messages, 2, 'met in the middle of a message')

  const snapped = new CallTap()
  show(snapped, 0)
  show(snapped, 1, 0, texts[1]?.length)
  show(snapped, 2)
  t.equal(snapped.monitor.counts.messages, 2, 'the capture cut one short')
  t.same(snapped.monitor.counts.invalid, { incomplete: 1 })

  const reset = new CallTap()
  show(reset, 0)
  reset.tcp(new Uint8Array(0), 5, RST)
  reset.tcp(texts[1] ?? Buffer.alloc(0), 77_777)
  t.equal(reset.monitor.counts.messages, 2, 'another connection of the same ports')
})

test('what connections hold of unfinished messages is bounded over all of them', async (t) => {
  const streams = new TcpStreams(new SipMessage(), {
    maxConnections: 4096,
    onMessage: () => undefined,
    onRefused: () => undefined,
  })
  const datagram = new Datagram()
  const head = Buffer.from('INVITE sip:a SIP/2.0\r\nContent-Length: 200000\r\n\r\n')
  const piece = Buffer.alloc(60_000, 'x')
  let most = 0
  for (let connection = 0; connection < 1000; connection++) {
    datagram.sourcePort = connection
    datagram.tcpSequence = 0
    datagram.tcpFlags = 0x10
    for (const bytes of [head, piece, piece]) {
      datagram.payloadOctets = bytes.length
      streams.handle(bytes, datagram, 0)
      datagram.tcpSequence += bytes.length
    }
    most = Math.max(most, streams.held)
  }
  t.ok(most <= 16 << 20, `${most} octets`)
  t.ok(streams.size < 200)
  t.ok(streams.evicted > 800)
})

test('TCP that is not SIP costs next to nothing', async (t) => {
  const tap = new CallTap()
  const random = new Random(3)
  for (let index = 0; index < 20_000; index++) {
    const way = { fromPort: 1024 + (index % 20_000), toPort: 443 }
    tap.tcp(new Uint8Array(0), 1, SYN, way)
    tap.tcp(
      Uint8Array.from({ length: 20 }, () => random.below(256)),
      2,
      0x18,
      way,
    )
    tap.tcp(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), 22, 0x18, way)
  }
  t.equal(tap.monitor.counts.messages, 0)
  t.same(tap.monitor.counts.invalid, {})
})

test('the media table finds what was announced, grows, forgets, and keeps the newest', async (t) => {
  const table = new MediaTable(3000, 12_345)
  const description = (callId: string): MediaDescription => ({
    callId,
    payloads: new Map(),
    packetMs: undefined,
    isEncrypted: false,
    mayPause: undefined,
    isOnHold: false,
    isEnded: false,
  })
  const entries = Array.from({ length: 3000 }, (_, index) =>
    table.announce(4, [index >> 4], index & 15, description(`${index}`), true),
  )
  t.equal(table.find(4, [2999 >> 4], 2999 & 15)?.callId, '2999')
  t.equal(table.find(6, [0, 0, 0, 0], 0), undefined, 'an IPv6 address is another')
  for (const [index, entry] of entries.entries()) if (index % 3 !== 0) table.remove(entry)
  t.ok(
    entries.every(
      (_, index) => (table.find(4, [index >> 4], index & 15) !== undefined) === (index % 3 === 0),
    ),
  )
  t.equal(table.size, 1000)
  const version = table.version
  table.announce(4, [0], 0, description('new'), false)
  t.equal(table.find(4, [0], 0)?.callId, 'new')
  t.ok(table.version > version)
  for (let index = 0; index < 3000; index++)
    table.announce(6, [1, 2, 3, index], 9, description(`six-${index}`), false)
  t.equal(table.size, 3000)
  t.equal(table.find(6, [1, 2, 3, 2999], 9)?.callId, 'six-2999')
  t.equal(table.find(6, [1, 2, 3, 0], 9), undefined)
  t.equal(table.find(4, [3 >> 4], 3)?.callId, '3', 'what was answered stays')
})

for (const transport of ['udp', 'tcp'] as const)
  test(`calls of two sipp over ${transport} are what tshark sees`, async (t) => {
    const missing = missingForSipp()
    if (missing !== undefined) {
      t.pass('sipp', { skip: missing })
      return
    }
    const calls = 40
    const capture = await captureSipp({ calls, transport })
    t.teardown(capture.close)
    const tap = new CallMonitor({ media: new MediaTable(1000), maxCalls: 1000 })
    const rows = await readCalls(capture.file, tap)
    const seen = tsharkFields(capture.file, capture.calleePort)
    const { requests, responses, messages, invalid } = tap.counts
    t.same(invalid, {})
    t.same(requests, countBy(seen.methods))
    t.same(responses, countBy(seen.codes.map((code) => `${code.slice(0, 1)}xx`)))
    t.equal(messages, seen.methods.length + seen.codes.length)
    t.same(rows.map(({ callId }) => callId).sort(), [...new Set(seen.callIds)].sort())
    t.equal(rows.length, calls)
    t.ok(rows.every(({ state, statusCode }) => state === 'ended' && statusCode === 200))
    const ports = rows.flatMap(({ media }) => media.map(({ port }) => `${port}`))
    t.same([...new Set(ports)].sort(), [...new Set(seen.mediaPorts)].sort())
  })

async function readCalls(file: string, monitor: CallMonitor) {
  const datagram = new Datagram()
  let lastUs = 0
  const reader = new CaptureReader((view, offset, end, timeUs, linkType) => {
    lastUs = timeUs
    const verdict = decodeFrame(view, offset, end, linkType, datagram)
    const at = view.byteOffset + datagram.payloadAt
    const bytes = new Uint8Array(
      view.buffer,
      at,
      verdict === IS_UDP || verdict === IS_TCP ? datagram.capturedOctets : 0,
    )
    if (verdict === IS_UDP) monitor.handleDatagram(bytes, datagram, timeUs)
    else if (verdict === IS_TCP) monitor.handleSegment(bytes, datagram, timeUs)
  })
  reader.push(await readFile(file))
  reader.end()
  return monitor.takeInterval(lastUs)
}

function tsharkFields(file: string, port: number) {
  const args = [
    '-r',
    file,
    '-d',
    `udp.port==${port},sip`,
    '-d',
    `tcp.port==${port},sip`,
    '-Y',
    'sip',
    '-T',
    'fields',
  ]
  const fields = ['sip.Method', 'sip.Status-Code', 'sip.Call-ID', 'sdp.media.port']
  const wanted = fields.flatMap((field) => ['-e', field])
  const text = execFileSync('tshark', [...args, '-E', 'aggregator=,', ...wanted], {
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString()
  const columns = text.split('\n').map((line) => line.split('\t'))
  const column = (index: number) =>
    columns.flatMap((line) => (line[index] ?? '').split(',')).filter((value) => value !== '')
  return { methods: column(0), codes: column(1), callIds: column(2), mediaPorts: column(3) }
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
