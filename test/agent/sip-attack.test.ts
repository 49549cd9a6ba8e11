import { test } from 'tap'
import { CallTap } from '../support/call-tap.ts'
import { Random } from '../fuzz/fuzz.ts'
import { maskedParty } from '../../agent/sip/uri.ts'
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
