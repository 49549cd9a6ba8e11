import { test } from 'tap'
import { CallTap } from '../support/call-tap.ts'
import { Random } from '../fuzz/fuzz.ts'
import { SipFramer } from '../../agent/sip/framer.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { maskedParty } from '../../agent/sip/uri.ts'
import { SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { callMessages, sipText } from '../support/sip-messages.ts'
import { Hop, SignallingTap, trafficOf, type Words } from '../support/signalling-tap.ts'

/** SIP made to be missed, misread or made too much of. */

const SYN = 2

// ---- TCP

test('a segment that waits for another outlives the memory it was captured in', async (t) => {
  const stream = Buffer.from(
    Array.from({ length: 3 }, (_, call) =>
      callMessages({ callId: `call-${call}` }).map(({ text }) => text),
    )
      .flat()
      .join(''),
  )
  const random = new Random(7)
  for (let round = 0; round < 40; round++) {
    const tap = new CallTap()
    const first = round % 2 === 0 ? 0xffff_fe00 : 1000
    tap.tcp(new Uint8Array(0), first - 1, SYN)
    const segments: { at: number; end: number }[] = []
    for (let at = 0; at < stream.length;) {
      const end = Math.min(stream.length, at + 1 + random.below(900))
      segments.push({ at: Math.max(0, at - random.below(30)), end })
      at = end
    }
    for (let index = 0; index + 1 < segments.length; index += 1 + random.below(3)) {
      const [here, next] = [segments[index], segments[index + 1]]
      if (here !== undefined && next !== undefined) segments.splice(index, 2, next, here)
    }
    // As a reader of captures has it: every packet lies where the one before lay.
    const memory = Buffer.alloc(2048)
    for (const { at, end } of segments) {
      memory.fill(0x20)
      stream.copy(memory, 0, at, end)
      tap.tcp(memory.subarray(0, end - at), first + at)
    }
    t.equal(tap.monitor.counts.messages, 21, `round ${round}`)
    t.same(tap.monitor.counts.invalid, {})
  }
})

// ---- numbers in disguise

test('a call for help is seen in every dress a server takes it in', async (t) => {
  const disguises = [
    ...['sip:112', 'SIP:112@pbx', 'sips:112:word@pbx', 'sip:112;phone-context=+31', 'tel:112'],
    ...['tel:1-1-2;phone-context=+31', 'tel:+31112', 'sip:112;isub=1@pbx', 'sip:%31%31%32@pbx'],
    ...['sip:112%3Bphone-context=+31@pbx', 'sip:%2B31112@pbx', 'sip:112%20@pbx', 'sip:112,1@pbx'],
    ...['sip:0031112@pbx', 'sip:00031112@pbx', 'sip:+112@pbx', 'sip:00112@pbx', 'sip:112%23@pbx'],
    ...['sip:*31#112@pbx', 'sip:%2331%23112@pbx', 'sip:(112)@pbx', 'sip:*67911@pbx'],
  ]
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  for (const uri of disguises) {
    hop.ask('INVITE', { callId: uri, uri })
    const number = uri.includes('911') ? '911' : '112'
    t.same(
      tap.watch.takeEvents().map((event) => event.number),
      [number],
      uri,
    )
  }
  for (const uri of [
    'urn:service:sos',
    'URN:service:sos.fire',
    'sip:sos@pbx',
    'sip:sos.police@pbx',
  ]) {
    hop.ask('INVITE', { callId: uri, uri })
    t.same(
      tap.watch.takeEvents().map((event) => event.number),
      ['sos'],
      uri,
    )
  }
  const others = [
    'sip:pbx',
    'sip:10.1.1.2',
    'sip:112.example.org',
    'sip:112paul@pbx',
    'sip:*98112@pbx',
  ]
  for (const uri of [...others, 'sip:sosa@pbx', 'sip:+31201123112@pbx', 'sip:%311%32%34@pbx']) {
    hop.ask('INVITE', { callId: uri, uri })
    t.same(tap.watch.takeEvents(), [], uri)
  }
})

test('a call that is for somebody else after a challenge, a redirect or an answer is that call too', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const invite = (callId: string, uri: string, cseq: number) =>
    hop.ask('INVITE', { callId, uri, cseq })
  hop.answer(invite('redirected', 'sip:200@pbx', 1), 302, ['Contact: <sip:112@pbx>'])
  const help = invite('redirected', 'sip:112@pbx', 2)
  hop.answer(help, 200)
  t.match(tap.watch.takeEvents(), [{ number: '112', state: 'calling' }, { state: 'answered' }])
  hop.answer(invite('challenged', 'sip:200@pbx', 1), 407)
  hop.answer(invite('challenged', 'sip:09001234@pbx', 2), 200)
  for (const number of [1, 2, 3, 3]) invite('challenged', `sip:0900123${number}@pbx`, 2 + number)
  const [account] = tap.take().accounts
  t.match(account, { account: '*01@pbx.example', destinations: 6, upCostly: 1 })
  t.match(account?.counts, { calls_short: 2, calls_premium: 4, calls_emergency: 1 })
})

test('a number that shows what it is on the next hop only counts by what it is', async (t) => {
  const tap = new SignallingTap()
  const trunk = new Hop(tap, '10.0.0.9', '203.0.113.1')
  const phone = new Hop(tap)
  phone.ask('INVITE', { callId: 'speed dial', uri: 'sip:**7@pbx' })
  trunk.ask('INVITE', { callId: 'speed dial', uri: 'sip:+8821234567@carrier' })
  phone.ask('INVITE', { callId: 'as dialled', uri: 'sip:0201234567@pbx' })
  trunk.ask('INVITE', { callId: 'as dialled', uri: 'sip:+31201234567@carrier' })
  t.match(tap.take().accounts, [{ counts: { calls: 2, calls_premium: 1, calls_national: 1 } }])
})

test('a premium number behind the digit for an outside line, or in escapes, is one', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const numbers = ['009001234567', '0008821234567', '%30900%31234', `0${'-'.repeat(60)}9001234`]
  for (const user of numbers) hop.ask('INVITE', { callId: user, uri: `sip:${user}@pbx` })
  hop.ask('INVITE', { callId: 'Turkey', uri: 'sip:00902121234567@pbx' })
  const [account] = tap.take().accounts
  t.match(account?.counts, { calls: 5, calls_premium: 4, calls_international: 1 })
})

test('an account is the same account however its name is escaped', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const users = ['10a', '%310a', '1%30a', '10%61', '%31%30%61']
  for (const user of users)
    hop.ask('INVITE', { callId: user, from: `sip:${user}@pbx`, uri: 'sip:0900123@pbx' })
  hop.ask('INVITE', { callId: 'another', from: 'sip:10%40a@pbx', uri: 'sip:0900123@pbx' })
  hop.ask('INVITE', { callId: 'broken', from: 'sip:10%4@pbx', uri: 'sip:0900123@pbx' })
  const told = tap.take().accounts.map(({ account, counts }) => [account, counts.calls_premium])
  t.same(told, [
    ['*0a@pbx', 5],
    ['****0a@pbx', 1],
    ['**%4@pbx', 1],
  ])
})

// ---- what is shown

test('no way of writing a caller shows a number', async (t) => {
  const number = '31612345678'
  const callers = [
    ...[
      `sip:${number}`,
      `sip:+${number}`,
      `sip:@${number}`,
      `sip:${number}?x=@pbx`,
      `tel:+${number}`,
    ],
    ...[`sip:${number}@${number}`, `sip:x:y@${number}`, `sip:${number};phone-context=+31@pbx`],
    ...[`sips:${number}:5061`, `sip:${number}%40pbx@pbx`, `tel:${number};isub=${number}`],
    ...[`sip:x@${number};maddr=${number}`, `SIP:(0)${number}`, `sip:${number}@pbx;x=<${number}`],
  ]
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const calls = new CallTap()
  for (const [index, from] of callers.entries()) {
    t.notMatch(maskedParty(from), /1234/, from)
    const words: Partial<Words> = { callId: `${index}`, from, to: from }
    hop.answer(hop.ask('REGISTER', { ...words, contact: '<sip:a@10.0.0.1>' }), 200)
    hop.ask('INVITE', { ...words, callId: `call ${index}`, uri: 'sip:112@pbx' })
    hop.ask('INVITE', { ...words, callId: `dear ${index}`, uri: 'sip:0900@pbx' })
    const [{ text } = { text: '' }] = callMessages({ callId: `${index}` })
    calls.sip(text.replaceAll(/<sip:[^>]*>/g, `<${from}>`))
  }
  const events = tap.watch.takeEvents()
  t.equal(events.length, callers.length)
  const { accounts, sources, traffic } = tap.take()
  t.ok(accounts.length > 8)
  t.notMatch(JSON.stringify([events, accounts, sources, traffic, calls.rows()]), /1234/)
  t.notOk(
    accounts.some(({ account }) => account === ''),
    'of a tel URI the end is shown, too',
  )
})

test('whoever says he is one of ours is found out, in whatever header a server believes', async (t) => {
  const own = '+31201234567'
  const headers = [
    [`P-Asserted-Identity: "A, B" <sip:x@c.example>, <tel:${own}>`],
    ['P-Asserted-Identity: <sip:x@c.example>', `P-Asserted-Identity: <tel:${own}>`],
    [`P-Preferred-Identity: <sip:${own}@c.example>`],
    [`Remote-Party-ID: "Us" <sip:0201234567@c.example>;party=calling;screen=yes`],
    ['Remote-Party-ID: <sip:%2B31%3201234567@c.example>;party=calling'],
    ['Remote-Party-ID: <sip:+49301234567@c.example>;party=calling'],
  ]
  const tap = new SignallingTap({ 'own-numbers': ['+31201234'] })
  const hop = new Hop(tap, '203.0.113.1', '10.0.0.9')
  for (const [index, lines] of headers.entries())
    hop.ask('INVITE', { callId: `${index}`, from: 'sip:anonymous@anonymous.invalid', lines })
  t.match(tap.take().sources, [{ counts: { spoofed: 5 } }])
})

test('whoever passes calls on is known by History-Info too, and not by a server that only finds phones', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap, '10.0.0.9', '203.0.113.1')
  const dear = 'sip:+8821234@carrier.example'
  const histories = [
    [`History-Info: <sip:102@pbx.example>;index=1, <${dear};cause=302>;index=1.1;mp=1`],
    ['History-Info: <sip:102@pbx.example>;index=1', `History-Info: <${dear}>;index=1.1;mp=1`],
    [`History-Info: <sip:102@pbx.example>;index=1, <${dear}>;index=1.1;rc=1`],
    [`History-Info: <${dear}>;index=1`],
    ['History-Info: <sip:102@pbx.example;index=1, "'],
  ]
  for (const [index, lines] of histories.entries())
    hop.ask('INVITE', { callId: `${index}`, uri: dear, lines })
  const forwarder = tap.take().accounts.find(({ account }) => account === '*02@pbx.example')
  t.match(forwarder?.counts, { calls: 2, forwards: 2, forwards_premium: 2 })
})

// ---- registrations

test('a phone that makes use of its nonce once more guesses no password, whatever the server says of it', async (t) => {
  const tap = new SignallingTap()
  const credentials = ['Authorization: Digest username="101", nonce="old", response="x"']
  const challenge = ['WWW-Authenticate: Digest realm="pbx", nonce="new"']
  /** A branch of 300 phones behind one address, of which all refresh, three times, across the ends of intervals. */
  const hop = new Hop(tap, '203.0.113.7', '10.0.0.9')
  let wrong = 0
  for (let index = 0; index < 900; index++) {
    const user = `sip:${1000 + (index % 300)}@pbx.example`
    const words = { callId: user, from: user, to: user, contact: `<${user}>`, lines: credentials }
    hop.answer(hop.ask('REGISTER', { ...words, cseq: 2 * index + 1 }), 401, challenge)
    if (index % 10 === 0) wrong += wrongIn(tap)
    hop.answer(hop.ask('REGISTER', { ...words, cseq: 2 * index + 2 }), 200)
  }
  wrong += wrongIn(tap)
  t.ok(wrong <= 2, `${wrong} wrong passwords`)
  // Who guesses in one attempt until it is right has guessed.
  const user = 'sip:2000@pbx.example'
  const words = { callId: 'guessing', from: user, to: user, lines: credentials }
  for (let cseq = 1; cseq <= 50; cseq++)
    hop.answer(hop.ask('REGISTER', { ...words, cseq }), cseq < 50 ? 401 : 200, challenge)
  t.ok(wrongIn(tap) >= 48)
})

function wrongIn(tap: SignallingTap): number {
  const { sources } = tap.take()
  return sources.reduce((sum, { counts }) => sum + (counts.wrong_credentials ?? 0), 0)
}

test('contacts with times of their own, more of them than are read, and one that lasts for ever', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  const register = (
    contact: string | undefined,
    list: readonly string[],
    lines: readonly string[] = [],
  ) => {
    const callId = `${contact}`
    hop.answer(hop.ask('REGISTER', { callId, contact, lines }), 200, list)
    return tap.take().bindings[0]
  }
  const three = '<sip:a@10.0.0.1>;expires=60;q=0.5, "B, b" <sip:b@10.0.0.1>;expires=600'
  t.match(
    register(
      `${three}, <sip:c@10.0.0.1>`,
      [`Contact: ${three}`, 'm: <sip:c@10.0.0.1>'],
      ['Expires: 120'],
    ),
    { active: 3, accounts: 1, added: 3, expiresMinS: 60, expiresMaxS: 600 },
  )
  t.match(register(undefined, ['Contact: <sip:b@10.0.0.1>;expires=590']), {
    ...{ active: 1, removed: 2, refreshed: 0, refreshedEarly: 0 },
  })
  t.match(register('*', []), { active: 0, removed: 1 })
  const many = Array.from(
    { length: 20 },
    (_, index) => `Contact: <sip:${index}@10.0.0.1>;expires=60`,
  )
  for (let round = 0; round < 5; round++) {
    const row = register(`<sip:${round}@10.0.0.1>`, [
      ...many.slice(4 * round),
      ...many.slice(0, 4 * round),
    ])
    t.equal(row?.removed, 0, 'the list is longer than what is read of it')
  }
  register('<sip:ever@10.0.0.1>', ['Contact: <sip:ever@10.0.0.1>;expires=4294967295'])
  tap.wait(25 * 3_600_000)
  t.match(tap.take().bindings, [{ active: 1, isComplete: true }])
})

// ---- floods and clocks

test('one message from many false addresses is a flood, not one request sent again', async (t) => {
  const tap = new SignallingTap()
  new Hop(tap).register('101')
  tap.take()
  for (let index = 0; index < 3000; index++) {
    const hop = new Hop(tap, `198.51.${index >> 8}.${index & 0xff}`, '10.0.0.9')
    hop.again({
      ...{ method: 'REGISTER', callId: 'one', from: 'sip:1@pbx', to: 'sip:1@pbx', uri: 'sip:pbx' },
      ...{ fromTag: 'f', toTag: '', cseq: 1, branch: 'z9hG4bK-one', contact: undefined, lines: [] },
    })
  }
  const { counts } = trafficOf(tap.take(), '10.0.0.9')
  const { requests = 0, retransmitted_requests: again = 0, duplicated = 0 } = counts
  t.ok(requests - again > 1000, `${requests} requests, ${again} again, ${duplicated} copies`)
})

test('ten thousand names of devices push out no device that is heard of, and none changes its kind', async (t) => {
  const tap = new SignallingTap()
  const phone = () => {
    const hop = new Hop(tap)
    hop.register('101', 600, { lines: ['User-Agent: Real phone 1.0'] })
    hop.ask('INVITE', { callId: tap.branch() })
    return tap.take().accounts[0]
  }
  t.match(phone(), { userAgent: 'Real phone 1.0', isNewUserAgent: false })
  const stranger = new Hop(tap, '198.51.100.9')
  for (let index = 0; index < 10_000; index++)
    stranger.ask('OPTIONS', { callId: `${index}`, lines: [`User-Agent: invented ${index}`] })
  t.match(phone(), { userAgent: 'Real phone 1.0', isNewUserAgent: false })
  stranger.ask('OPTIONS', { callId: 'scan', lines: ['User-Agent: friendly-scanner'] })
  t.match(tap.take().sources, [{ scanner: 'sipvicious', userAgent: 'friendly-scanner' }])
})

test('a clock that is set back holds up nothing', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.register('101', 60)
  tap.take()
  tap.nowUs -= 3_600_000_000
  hop.ask('OPTIONS', { callId: 'never answered' })
  tap.wait(10_000)
  t.match(tap.take().bindings, [{ active: 1, expired: 0 }])
  tap.wait(33_000)
  hop.call('as ever', 100, 2000)
  const { counts, delays } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { unanswered: 1, session_completed: 1, session_duration_sum_s: 2.002 })
  t.equal(delays.session?.p50Ms, 102)
  tap.wait(30_000)
  t.match(tap.take().bindings, [{ active: 0, expired: 1 }])
})

test('blanks, quotes and commas in Via hide no branch', async (t) => {
  const tap = new SignallingTap()
  const show = (via: string) => {
    tap.show(
      sipText([
        ...['OPTIONS sip:pbx SIP/2.0', `v: ${via}`, 'f: <sip:1@pbx>;tag=1', 't: <sip:2@pbx>'],
        ...['i: one', 'CSeq: 1 OPTIONS'],
      ]),
      '10.0.0.1',
      '10.0.0.9',
    )
    tap.wait(100)
  }
  show('SIP/2.0/UDP a;branch=z9hG4bK-1')
  show('SIP/2.0/UDP a;x="q,\\";branch=z9hG4bK-1;";branch=z9hG4bK-2, SIP/2.0/UDP b;branch=z9hG4bK-9')
  show('SIP / 2.0 / TCP a : 5060 ; branch = z9hG4bK-3 ,SIP/2.0/UDP b')
  show('SIP/2.0/UDP a\t;\r\n\tBRANCH=z9hG4bK-4')
  const [row] = tap.take().traffic
  t.match(row?.counts, { requests_options: 4 })
  t.equal(row?.counts.retransmitted_requests, undefined)
})

test('octet by octet long lines and what is between messages are what they are', async (t) => {
  const framer = new SipFramer(new SipMessage())
  const found: string[] = []
  const sink = {
    message: (message: SipMessage) => void found.push(message.header('call-id') ?? ''),
    refused: (verdict: number) => void found.push(SIP_VERDICTS[verdict] ?? ''),
  }
  const message = (id: string) =>
    sipText([`OPTIONS sip:${'a'.repeat(9000)} SIP/2.0`, `Call-ID: ${id}`, `X: ${'y'.repeat(9000)}`])
  const stream = Buffer.from(
    `${message('1')}${'x'.repeat(9000)}\r\n\r\n${message('2')}${'z'.repeat(99)}\x00`,
  )
  for (let at = 0; at < stream.length; at++) framer.push(stream.subarray(at, at + 1), sink)
  t.same(found, ['1', 'not-sip', '2', 'not-sip'])
})

test('segments that overlap and differ count once, as they came first, and hold no more for it', async (t) => {
  const [{ text } = { text: '' }] = callMessages()
  const octets = Buffer.from(text)
  const forged = Buffer.from(
    text.replace('INVITE sip:+31', 'CANCEL sip:+31').replace('1 INVITE', '1 CANCEL'),
  )
  for (const first of [1000, 0xffff_ffff, 0x7fff_ffff]) {
    const tap = new CallTap()
    tap.tcp(new Uint8Array(0), first - 1, SYN)
    tap.tcp(octets.subarray(0, 500), first)
    tap.tcp(forged, first)
    tap.tcp(forged.subarray(0, 200), first)
    tap.tcp(octets.subarray(300), first + 300)
    t.match(tap.monitor.counts, { messages: 1, requests: { INVITE: 1 }, invalid: {} })
    tap.tcp(new Uint8Array(0), first - 1, SYN)
    tap.tcp(octets, first)
    t.equal(tap.monitor.counts.messages, 2, 'the ports are another connection’s')
  }
})

test('whatever Content-Length says, the next message is found or nothing is made up', async (t) => {
  const next = sipText(['OPTIONS sip:a SIP/2.0', 'Call-ID: next'])
  const read = (...lengths: readonly string[]) => {
    const framer = new SipFramer(new SipMessage())
    const found: string[] = []
    const text = ['OPTIONS sip:a SIP/2.0', 'Call-ID: first', ...lengths, '', 'body'].join('\r\n')
    framer.push(Buffer.from(`${text}\r\n${next}`), {
      message: (message) => void found.push(message.header('call-id') ?? ''),
      refused: (verdict) => void found.push(SIP_VERDICTS[verdict] ?? ''),
    })
    return found
  }
  t.same(read('Content-Length: 4'), ['first', 'next'])
  t.same(read('l\t :\r\n 04'), ['first', 'next'])
  t.same(read('Content-Length: 4', 'l: 4'), ['first', 'next'])
  for (const lie of ['-4', '+4', '4, 4', '4;x', '0x4', '4\r\n 0', '4e0', '', '٤', '4 4'])
    t.same(read(`Content-Length: ${lie}`), ['bad-content-length', 'next'], lie)
  t.same(read('Content-Length: 4', 'Content-Length: 5'), ['bad-content-length', 'next'])
  t.same(read('Content-Length: x', 'Content-Length: 4'), ['bad-content-length', 'next'])
  for (const lie of ['262145', '99999999999999999999', '9'.repeat(32)])
    t.same(read(`Content-Length: ${lie}`), ['body-too-long', 'next'], lie)
})

// ---- calls that do not go as drawn

test('races, forks, glare and loops: every attempt has one outcome, and no table grows with them', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  // The CANCEL crosses the 200: the call is up, and ended by BYE.
  const crossed = hop.ask('INVITE', { callId: 'crossed' })
  const cancel = hop.ask('CANCEL', { callId: 'crossed', branch: crossed.branch })
  hop.answer(crossed, 200)
  hop.answer(cancel, 200)
  hop.answer(hop.ask('BYE', { callId: 'crossed', toTag: 'to', cseq: 2 }), 200)
  // Two forks answer; the second is let go at once.
  const forked = hop.ask('INVITE', { callId: 'forked' })
  for (const tag of ['a', 'b', 'c']) hop.answer(forked, 183, ['Require: 100rel', 'RSeq: 1'], tag)
  hop.answer(
    hop.ask('PRACK', { callId: 'forked', toTag: 'a', cseq: 2, lines: ['RAck: 1 1 INVITE'] }),
    200,
  )
  hop.answer(forked, 200, [], 'a')
  hop.answer(forked, 200, [], 'b')
  hop.answer(hop.ask('BYE', { callId: 'forked', toTag: 'b', cseq: 3 }), 200)
  // Both ask at once within the call, and it is refreshed by the other.
  const back = new Hop(tap, '10.0.0.9', '10.0.0.1')
  hop.call('glare', 10, 10, { lines: ['Session-Expires: 90;refresher=uas'] })
  const glaring = hop.ask('INVITE', { callId: 'glaring' })
  hop.answer(glaring, 200)
  hop.answer(hop.ask('INVITE', { callId: 'glaring', toTag: 'to', cseq: 2 }), 491)
  back.answer(back.ask('INVITE', { callId: 'glaring', fromTag: 'to', toTag: 'from' }), 491)
  back.answer(back.ask('UPDATE', { callId: 'glaring', fromTag: 'to', toTag: 'from', cseq: 2 }), 200)
  back.answer(back.ask('REFER', { callId: 'glaring', fromTag: 'to', toTag: 'from', cseq: 3 }), 202)
  // Sent in a circle; asked too briefly, then long enough.
  for (let cseq = 1; cseq <= 100; cseq++)
    hop.answer(hop.ask('INVITE', { callId: 'circle', cseq }), 302, [
      'Contact: <sip:102@pbx.example>',
    ])
  hop.answer(hop.ask('INVITE', { callId: 'brief' }), 422, ['Min-SE: 1800'])
  hop.answer(hop.ask('INVITE', { callId: 'brief', cseq: 2 }), 200)
  const interval = tap.take()
  t.match(trafficOf(interval, '10.0.0.9').counts, {
    session_attempts: 105,
    session_established: 5,
    session_redirected: 100,
    session_completed: 3,
    sessions_up: 2,
  })
  t.equal(trafficOf(interval, '10.0.0.9').counts.session_cancelled, undefined)
  t.equal(interval.evicted, 0)
  t.match(interval.accounts, [{ counts: { calls: 6, answered: 5, calls_short: 6 } }])
})

test('a capture that begins in the middle makes up no attempts, and knows the end of nothing it did not see begin', async (t) => {
  const tap = new SignallingTap()
  const hop = new Hop(tap)
  hop.answer(hop.ask('BYE', { callId: 'old', toTag: 'to', cseq: 9 }), 200)
  hop.answer(hop.ask('INVITE', { callId: 'older', toTag: 'to', cseq: 9 }), 200)
  hop.ask('ACK', { callId: 'oldest', toTag: 'to', cseq: 9 })
  const words = hop.ask('OPTIONS', { callId: 'a response alone' })
  hop.answer({ ...words, callId: 'never asked', method: 'INVITE' }, 200)
  hop.answer({ ...words, callId: 'never asked either', method: 'REGISTER' }, 200, [
    'Contact: <sip:1@h>',
  ])
  const { counts } = trafficOf(tap.take(), '10.0.0.9')
  t.match(counts, { disconnects: 1 })
  for (const name of [
    'session_attempts',
    'session_completed',
    'sessions_up',
    'registration_ok',
  ] as const)
    t.equal(counts[name], undefined, name)
})

test('whoever passes requests on, or stands between on purpose, damages no address', async (t) => {
  const tap = new SignallingTap({ peers: { pbx: '10.1.0.9' } })
  const show = (
    vias: readonly string[],
    contact: string,
    source: string,
    lines: readonly string[] = [],
  ) => {
    tap.show(
      sipText([
        'INVITE sip:1@pbx SIP/2.0',
        ...vias,
        ...[
          'From: <sip:2@pbx>;tag=1',
          'To: <sip:1@pbx>',
          `Call-ID: ${tap.branch()}`,
          'CSeq: 1 INVITE',
        ],
        `Contact: ${contact}`,
        ...lines,
      ]),
      source,
      '10.1.0.9',
    )
  }
  const proxy = `Via: SIP/2.0/UDP 10.1.0.8;branch=${tap.branch()}`
  const phone = `Via: SIP/2.0/UDP 192.168.1.5;received=203.0.113.9;rport=1024;branch=${tap.branch()}`
  const route = ['Record-Route: <sip:10.1.0.8;lr>']
  show([proxy, phone], '<sip:2@192.168.1.5>', '10.1.0.8', route)
  show([`${proxy}, ${phone.slice(5)}`], '<sip:2@192.168.1.5>', '10.1.0.8', route)
  show(
    [`v: SIP/2.0/UDP 10.1.0.8;x="a, b";branch=${tap.branch()}`],
    '"A, B" <sip:2@10.1.0.8>',
    '10.1.0.8',
  )
  show([`Via: SIP/2.0/UDP sbc.example;branch=${tap.branch()}`], '<sip:2@10.1.0.8>', '10.1.0.8')
  const { counts } = trafficOf(tap.take(), 'pbx', 'to')
  t.equal(counts.nat_checked, 1)
  t.equal(counts.nat_damage, undefined)
  t.equal(counts.nat_mixed, undefined)
})
