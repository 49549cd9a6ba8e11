import { test } from 'tap'
import { CallTap } from '../support/call-tap.ts'
import { Random } from '../fuzz/fuzz.ts'
import { maskedParty } from '../../agent/sip/uri.ts'
import { callMessages } from '../support/sip-messages.ts'
import { Hop, SignallingTap, type Words } from '../support/signalling-tap.ts'

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
    const [{ text = '' } = {}] = callMessages({ callId: `${index}` })
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
