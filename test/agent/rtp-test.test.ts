import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test } from 'tap'
import { rtpReflect } from '../../agent/probes/rtp-reflect.ts'
import { rtpTest } from '../../agent/probes/rtp-test.ts'
import type { Probe } from '../../agent/probe.ts'
import { decodePacket, encodePacket, type Echo } from '../../agent/rtp-test/packet.ts'
import { TestReception } from '../../agent/rtp-test/reception.ts'
import { Reflector } from '../../agent/rtp-test/reflector.ts'
import { Seal } from '../../agent/rtp-test/seal.ts'
import { Tester } from '../../agent/rtp-test/tester.ts'
import { createLogger } from '../../common/log.ts'
import type { FieldValue } from '../../common/measurement.ts'
import { startRelay, type Link, type UdpRelay } from '../support/udp-relay.ts'

const KEY = 'a key for tests only'
const CONTEXT = {
  log: createLogger('test', 'silent'),
  nowUs: () => 0,
  report: () => undefined,
}
const SIGNAL = new AbortController().signal
const END_US = 1_800_000_000_000_000
const PROBE = 3
const ECHO = 4

type Fields = Readonly<Record<string, FieldValue>>

// The thread of the test streams ends with the last of them: this one keeps it, and saves each test the start of another.
const keeper = await startReflector()
tap.setTimeout(60_000)
tap.teardown(async () => keeper.probe.close?.())

test('losses of each direction are counted exactly, interval by interval', async (t) => {
  const { tester, relay, stop } = await startPath({
    forward: (datagram) =>
      isProbe(datagram) && sequenceOf(datagram) % 20 === 19 ? [] : [datagram],
    back: (datagram) => (isEcho(datagram) && ownSequenceOf(datagram) % 10 === 9 ? [] : [datagram]),
  })
  t.teardown(stop)
  const forward = new Sums()
  const back = new Sums()
  for (let interval = 0; interval < 4; interval++) {
    await forwarded(relay, 40 * (interval + 1))
    const points = await measure(tester)
    forward.add(points.forward)
    back.add(points.return)
  }
  t.ok(forward.of('expected') >= 130, 'most of what was sent is judged')
  t.equal(forward.of('lost_unique'), Math.floor(forward.of('expected') / 20))
  t.equal(back.of('lost_unique'), Math.floor(back.of('expected') / 10))
  t.equal(forward.of('received'), forward.of('expected') - forward.of('lost_unique'))
  t.equal(forward.of('duplicates') + back.of('duplicates'), 0)
  t.equal(forward.of('reordered') + back.of('reordered'), 0)
})

test('duplicates and reordered packets are counted exactly and are not loss', async (t) => {
  let held: Buffer | undefined
  const { tester, relay, stop } = await startPath({
    forward: (datagram) =>
      isProbe(datagram) && sequenceOf(datagram) % 7 === 3 ? [datagram, datagram] : [datagram],
    back: (datagram) => {
      if (isEcho(datagram) && ownSequenceOf(datagram) % 10 === 4) {
        held = datagram
        return []
      }
      const late = held
      held = undefined
      return late === undefined ? [datagram] : [datagram, late]
    },
  })
  t.teardown(stop)
  await forwarded(relay, 100)
  const { forward, return: back } = await measure(tester)
  // What had arrived when the newest echo was sent is a beginning of what the relay handed on.
  const arrived = relay.forward
    .filter(isProbe)
    .map(sequenceOf)
    .slice(0, Number(forward['received']))
  const returned = relay.back.filter(isEcho).map(ownSequenceOf).slice(0, Number(back['received']))
  t.equal(forward['expected'], Math.max(...arrived) + 1)
  t.equal(
    forward['duplicates'],
    arrived.filter((sequence, i) => arrived[i - 1] === sequence).length,
  )
  t.equal(forward['lost_unique'], 0)
  t.equal(
    Number(forward['lost']),
    -Number(forward['duplicates']),
    'RFC 3550 loss lets duplicates hide it',
  )
  t.ok(Number(forward['duplicates']) > 8)
  t.equal(back['expected'], Math.max(...returned) + 1)
  t.equal(back['reordered'], returned.filter((sequence) => sequence % 10 === 4).length)
  t.ok(Number(back['reordered']) > 5)
  t.equal(back['duplicates'], 0, 'a doubled packet is answered once')
})

test('an answer is never larger than its request, and there are never more of them', async (t) => {
  const { tester, relay, stop } = await startPath({
    forward: (datagram) => [datagram, datagram],
  })
  t.teardown(stop)
  await forwarded(relay, 100)
  await measure(tester)
  const requests = relay.forward.length
  const answers = relay.answers.length
  t.ok(answers > 20 && answers <= requests, `${answers} answers to ${requests} requests`)
  const smallest = Math.min(...relay.forward.map(({ length }) => length))
  t.ok(relay.answers.every(({ length }) => length <= smallest))
})

test('the round trip is that of the network, and both directions have their jitter', async (t) => {
  const { tester, relay, stop } = await startPath({}, 20)
  t.teardown(stop)
  await forwarded(relay, 60)
  const { forward, return: back } = await measure(tester)
  t.ok(Number(forward['round_trip_ms']) >= 39, 'two links of 20 ms')
  t.ok(Number(forward['round_trip_ms']) < 100)
  t.ok(Number(forward['round_trip_max_ms']) >= Number(forward['round_trip_ms']))
  t.ok(Number(forward['jitter_ms']) < 20)
  t.ok(Number(back['jitter_ms']) < 20)
  t.equal(forward['src_ip'], '127.0.0.1')
})

test('a stalled main thread is not measured as jitter or loss', async (t) => {
  const reflector = await startReflector()
  const tester = await startTester(reflector.port)
  t.teardown(async () => {
    await tester.close?.()
    await reflector.probe.close?.()
  })
  const end = performance.now() + 2000
  while (performance.now() < end) {
    await delay(160)
    const stall = performance.now() + 40
    while (performance.now() < stall);
  }
  const { forward, return: back } = await measure(tester)
  t.comment(`jitter ${String(forward['jitter_max_ms'])} ms, ${String(back['jitter_max_ms'])} ms`)
  t.equal(forward['lost_unique'], 0)
  // What the thread itself was late by is measured and said: on a busy machine that is all there may be.
  for (const { jitter_ms: jitterMs, loop_delay_ms: loopDelayMs } of [forward, back])
    t.ok(Number(jitterMs) < Math.max(1, Number(loopDelayMs)), `${String(jitterMs)} ms of jitter`)
})

test('an outage is seen as no answer, and what it cost is known when it is over', async (t) => {
  let cut = false
  const lost: number[] = []
  const { tester, relay, stop } = await startPath({
    forward: (datagram) => {
      if (!cut) return [datagram]
      if (isProbe(datagram)) lost.push(sequenceOf(datagram))
      return []
    },
  })
  t.teardown(stop)
  await forwarded(relay, 60)
  const before = await measure(tester, 1000)
  cut = true
  await until(() => lost.length > 20)
  await measure(tester, 1000)
  await until(() => lost.length > 60)
  const during = await measure(tester, 1000)
  t.equal(during.forward['answered'], false)
  t.ok(Number(during.forward['sent']) > 30)
  t.equal(during.forward['expected'], undefined, 'nobody can say in which direction it was lost')
  t.equal(during.forward['loss_ratio'], undefined)
  t.equal(during.forward['round_trip_ms'], undefined)
  t.equal(during.forward['interval_ms'], 1000, 'what was not judged covers its own interval')
  t.equal(during.return['received'], undefined)
  cut = false
  await forwarded(relay, 120)
  const after = await measure(tester, 1000)
  t.equal(after.forward['answered'], true)
  t.equal(after.forward['lost_unique'], lost.length, 'the way there lost them')
  t.equal(after.return['lost_unique'], 0, 'the way back did not')
  t.equal(before.forward['interval_ms'], 1000)
  t.ok(Number(after.forward['interval_ms']) >= 2000, 'the counts cover the outage too')
})

test('a restarted reflector, or a NAT that moved, gets a new session and gives no absurd interval', async (t) => {
  const { tester, relay, stop, reflector } = await startPath({})
  t.teardown(stop)
  await forwarded(relay, 60)
  await measure(tester)
  await reflector.probe.close?.()
  const again = await startReflector({}, reflector.port)
  t.teardown(async () => again.probe.close?.())
  const sums = new Sums()
  for (const disturb of [async () => undefined, async () => relay.rebind()]) {
    await disturb()
    const answered = relay.answers.length
    await until(() => relay.answers.length > answered + 45)
    const { forward, return: back } = await measure(tester)
    sums.add(forward)
    t.equal(forward['answered'], true)
    for (const counts of [forward, back]) {
      t.ok(Number(counts['expected']) >= 30)
      t.ok(Number(counts['expected']) <= Number(forward['sent']))
      t.ok(Number(counts['lost_unique']) >= 0 && Number(counts['lost_unique']) <= 5)
    }
  }
})

test('whoever has another key gets nothing, and the reflector counts it', async (t) => {
  const reflector = await startReflector()
  const relay = await startRelay(reflector.port)
  const tester = await startTester(relay.port, { key: 'quite another key' })
  t.teardown(async () => {
    await tester.close?.()
    relay.close()
    await reflector.probe.close?.()
  })
  await until(async () => Number((await reflection(reflector.probe))['ignored']) > 0)
  const { forward, return: back } = await measure(tester)
  t.equal(relay.answers.length, 0)
  t.equal(forward['answered'], false)
  t.ok(Number(forward['sent']) > 0)
  t.equal(forward['expected'], undefined)
  t.equal(back['answered'], false)
})

test('recorded packets sent again are answered neither at their own address nor at another', async (t) => {
  const { relay, stop, tester, reflector } = await startPath({})
  t.teardown(stop)
  await forwarded(relay, 30)
  await tester.close?.()
  await until(() => relay.answers.length === relay.forward.length)
  const recorded = [...relay.forward]
  const answers = relay.answers.length
  await reflection(reflector.probe)

  const elsewhere = createSocket('udp4')
  const heard: Buffer[] = []
  elsewhere.on('message', (datagram) => heard.push(datagram))
  for (const datagram of recorded.filter(isProbe))
    elsewhere.send(datagram, reflector.port, '127.0.0.1')
  const again = createSocket('udp4')
  for (const datagram of recorded.filter(isProbe)) again.send(datagram, relay.port, '127.0.0.1')
  const counts = new Sums()
  await until(async () => {
    counts.add(await reflection(reflector.probe))
    return counts.of('received') + counts.of('ignored') >= 2 * recorded.filter(isProbe).length
  })
  elsewhere.close()
  again.close()
  t.equal(heard.length, 0)
  t.equal(relay.answers.length, answers)
  t.equal(counts.of('reflected'), 0)
  t.equal(counts.of('ignored'), recorded.filter(isProbe).length, 'no cookie for another address')
})

test('packets beyond the rate are counted but not answered: no reflected flood, and no false loss', async (t) => {
  const { tester, relay, stop, reflector } = await startPath({}, 0, { 'max-rate': 20 })
  t.teardown(stop)
  const startMs = performance.now()
  await forwarded(relay, 120)
  const { forward, return: back } = await measure(tester)
  const counts = await reflection(reflector.probe)
  // 20 a second, and a second's worth at once
  const most = 20 + 20 * (1 + (performance.now() - startMs) / 1000)
  t.ok(Number(counts['reflected']) <= most, `${String(counts['reflected'])} of 120 reflected`)
  t.ok(Number(counts['limited']) >= 120 - most)
  t.equal(forward['lost_unique'], 0)
  t.equal(back['lost_unique'], 0)
})

test('a sender too many is refused and counted', async (t) => {
  const reflector = await startReflector({ 'max-senders': 1 })
  const first = await startTester(reflector.port)
  const relay = await startRelay(reflector.port)
  await until(async () => (await measure(first)).forward['answered'] === true)
  const second = await startTester(relay.port)
  t.teardown(async () => {
    await first.close?.()
    await second.close?.()
    relay.close()
    await reflector.probe.close?.()
  })
  await until(async () => Number((await reflection(reflector.probe))['refused']) > 0)
  t.equal(relay.answers.filter(isEcho).length, 0)
  t.equal((await measure(first)).forward['answered'], true)
  const { forward } = await measure(second)
  t.equal(forward['answered'], false, 'a cookie is no packet of the stream')
  t.match(forward['reason'], /as many senders as it takes/)
})

test('a port where nobody listens and a name that does not exist are named', async (t) => {
  const nobody = createSocket('udp4')
  nobody.bind(0, '127.0.0.1')
  await once(nobody, 'listening')
  const { port } = nobody.address()
  nobody.close()
  const refused = await startTester(port)
  const unknown = await startTester(port, { address: `no-such-host.invalid:${port}` })
  t.teardown(async () => {
    await refused.close?.()
    await unknown.close?.()
  })
  await until(async () => /ECONNREFUSED/.test(String((await measure(refused)).forward['reason'])))
  await until(async () =>
    /ENOTFOUND|EAI_AGAIN/.test(String((await measure(unknown)).forward['reason'])),
  )
  const { forward } = await measure(unknown)
  t.equal(forward['sent'], 0)
  t.equal(forward['answered'], false)
  t.equal(forward['dst_ip'], undefined)
})

test('the options say what is wrong with them', (t) => {
  const complaints = (options: object): string =>
    rtpTest.schema.safeParse({ target: 'b', address: '127.0.0.1:5005', key: KEY, ...options }).error
      ?.issues[0]?.message ?? ''
  t.equal(complaints({}), '')
  t.match(complaints({ key: 'short' }), /at least 16 characters/)
  t.match(complaints({ rate: 1000 }), /100/)
  t.match(complaints({ address: 'nowhere' }), /host:port/)
  t.match(complaints({ bind: 'eth0' }), /IP address/)
  t.end()
})

test('truncated, altered and random datagrams are nothing, and nothing throws', (t) => {
  const { reflector, tester } = pair()
  const [hello] = tester.packetsDue(0)
  if (hello === undefined) throw new Error('no hello')
  const answers: (Uint8Array | undefined)[] = []
  for (let length = 0; length < hello.length; length++) {
    answers.push(reflector.answer(hello.subarray(0, length), 'a', () => 0))
  }
  for (let i = 0; i < hello.length; i++) {
    const altered = hello.slice()
    altered[i] = (altered[i] ?? 0) ^ 0x40
    answers.push(reflector.answer(altered, 'a', () => 0))
    decodePacket(altered)
    tester.receive(altered, 0)
  }
  t.ok(answers.length > 300 && answers.every((answer) => answer === undefined))
  t.equal(tester.takeInterval(1000).answered, false)
  t.not(
    reflector.answer(hello, 'a', () => 0),
    undefined,
  )
  t.end()
})

test('a forged answer moves no count', (t) => {
  const { reflector, tester } = pair()
  let nowUs = 0
  talk(tester, reflector, (nowUs += 20_000))
  const [probe] = tester.packetsDue((nowUs += 20_000))
  const echo = probe && reflector.answer(probe, 'a', () => nowUs)
  const honest = echo && decodePacket(echo)
  if (honest?.kind !== 'echo') throw new Error('no echo')
  const forged: Echo = { ...honest, received: 1, highest: 99_999 }
  const otherKey = new Seal(new TextEncoder().encode('not the key of the two'))
  tester.receive(otherKey.sign(encodePacket(forged, 172, nowUs)), nowUs)
  t.equal(tester.takeInterval(1000).forward, undefined)
  if (echo !== undefined) tester.receive(echo, nowUs)
  t.equal(tester.takeInterval(1000).forward?.expected, 1)
  t.end()
})

test('a cookie works for ten seconds and for one address', (t) => {
  const { reflector, tester } = pair()
  const [hello] = tester.packetsDue(0)
  const challenge = hello && reflector.answer(hello, 'a', () => 0)
  if (challenge === undefined) throw new Error('no challenge')
  tester.receive(challenge, 0)
  const [probe] = tester.packetsDue(20_000)
  if (probe === undefined) throw new Error('no probe')
  t.equal(
    reflector.answer(probe, 'b', () => 20_000),
    undefined,
    'another address',
  )
  t.equal(
    reflector.answer(probe, 'a', () => 10_002_000),
    undefined,
    'too late',
  )
  t.not(
    reflector.answer(probe, 'a', () => 9_000_000),
    undefined,
  )
  reflector.takeCounts(100_000_000)
  t.equal(reflector.takeCounts(100_000_000).senders, 0, 'forgotten after 90 s')
  t.equal(
    reflector.answer(probe, 'a', () => 100_000_000),
    undefined,
    'and not to be revived',
  )
  t.end()
})

test('a round trip longer than the patience of the tester does not begin the session again and again', (t) => {
  const { reflector, tester } = pair()
  const oneWayUs = 900_000
  const onTheWay: { readonly atUs: number; readonly packet: Uint8Array; readonly back: boolean }[] =
    []
  for (let nowUs = 0; nowUs < 20_000_000; nowUs += 20_000) {
    while (onTheWay[0] !== undefined && onTheWay[0].atUs <= nowUs) {
      const { packet, back } = onTheWay.shift() ?? { packet: new Uint8Array(), back: true }
      const answer = back ? undefined : reflector.answer(packet, 'a', () => nowUs)
      if (back) tester.receive(packet, nowUs)
      if (answer) onTheWay.push({ atUs: nowUs + oneWayUs, packet: answer, back: true })
    }
    for (const packet of tester.packetsDue(nowUs)) {
      onTheWay.push({ atUs: nowUs + oneWayUs, packet, back: false })
    }
  }
  const { forward, return: back, roundTripMs } = tester.takeInterval(20_000)
  // 20 s less one round trip for the cookie and one for the echo, at 50 packets/s
  t.ok((forward?.expected ?? 0) > 800, `${forward?.expected ?? 0} expected`)
  t.equal(forward?.lostUnique, 0)
  t.equal(back?.lostUnique, 0)
  t.equal(Math.round(roundTripMs ?? 0), 1800)
  t.end()
})

test('counting begins at number 0 and tells late from doubled', (t) => {
  const reception = new TestReception()
  const taken = [2, 3, 3, 1, 5, 6].map((sequence) =>
    reception.take(sequence, sequence * 20_000, sequence * 20_000),
  )
  t.same(taken, ['new', 'new', 'duplicate', 'new', 'new', 'new'])
  t.equal(reception.highest + 1 - reception.unique, 2, 'numbers 0 and 4')
  t.equal(reception.duplicates, 1)
  t.equal(reception.reordered, 1)
  t.equal(reception.received, 6)
  t.equal(reception.jitterMs, 0)
  t.equal(reception.take(10_000, 0, 0), 'new')
  t.equal(reception.take(5904, 0, 0), 'too-old')
  t.equal(reception.take(5905, 0, 0), 'new', 'the window is 4096 numbers')
  t.equal(reception.take(5905, 0, 0), 'duplicate')
  t.end()
})

test('alternating delays of 0 and 5 ms give the jitter of RFC 3550', (t) => {
  const reception = new TestReception()
  for (let n = 0; n < 40; n++) reception.take(n, n * 20_000, n * 20_000 + (n % 2) * 5000)
  // 5 ms x (1 - (15/16)^39)
  t.equal(reception.jitterMs.toFixed(4), '4.5965')
  t.end()
})

// ---------------------------------------------------------------------------------------------------------------------

async function startPath(
  links: { readonly forward?: Link; readonly back?: Link },
  delayMs = 0,
  reflectOptions: object = {},
): Promise<{
  readonly tester: Probe
  readonly relay: UdpRelay
  readonly reflector: { readonly probe: Probe; readonly port: number }
  readonly stop: () => Promise<void>
}> {
  const reflector = await startReflector(reflectOptions)
  const relay = await startRelay(reflector.port, links, delayMs)
  const tester = await startTester(relay.port)
  const stop = async (): Promise<void> => {
    await tester.close?.()
    relay.close()
    await reflector.probe.close?.()
  }
  return { tester, relay, reflector, stop }
}

async function startReflector(
  options: object = {},
  port?: number,
): Promise<{ readonly probe: Probe; readonly port: number }> {
  const free = port ?? (await freePort())
  const listen = `127.0.0.1:${free}`
  const probe = rtpReflect.schema.parse({ listen, key: KEY, ...options }).create(CONTEXT)
  await probe.open?.(SIGNAL)
  return { probe, port: free }
}

async function startTester(port: number, options: object = {}): Promise<Probe> {
  const address = `127.0.0.1:${port}`
  const all = { target: 'branch', address, key: KEY, rate: 100, ...options }
  const probe = rtpTest.schema.parse(all).create(CONTEXT)
  await probe.open?.(SIGNAL)
  return probe
}

async function measure(
  tester: Probe,
  durationMs = 1000,
): Promise<{ readonly forward: Fields; readonly return: Fields }> {
  const points = await tester.measure({ endUs: END_US, durationMs }, SIGNAL)
  const of = (direction: string): Fields =>
    points.find(({ tags }) => tags['direction'] === direction)?.fields ?? {}
  return { forward: of('forward'), return: of('return') }
}

async function reflection(reflector: Probe): Promise<Fields> {
  const [point] = await reflector.measure({ endUs: END_US, durationMs: 1000 }, SIGNAL)
  return point?.fields ?? {}
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  return port
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await delay(10)
}

async function forwarded(relay: UdpRelay, probes: number): Promise<void> {
  await until(() => relay.forward.filter(isProbe).length >= probes)
}

function isProbe(datagram: Buffer): boolean {
  return datagram[17] === PROBE
}

function isEcho(datagram: Buffer): boolean {
  return datagram[17] === ECHO
}

function sequenceOf(probe: Buffer): number {
  return probe.readUInt32BE(44)
}

function ownSequenceOf(echo: Buffer): number {
  return echo.readUInt32BE(32)
}

/** Sums of a field over intervals. */
class Sums {
  readonly #sums = new Map<string, number>()

  add(fields: Fields): void {
    for (const [field, value] of Object.entries(fields)) {
      if (typeof value === 'number') this.#sums.set(field, this.of(field) + value)
    }
  }

  of(field: string): number {
    return this.#sums.get(field) ?? 0
  }
}

/** A tester and a reflector without a network between them, and with a clock that is a number. */
function pair(): { readonly tester: Tester; readonly reflector: Reflector } {
  const seal = new Seal(new TextEncoder().encode(KEY))
  let sessions = 0
  const newSession = (): Uint8Array => new Uint8Array(8).fill(++sessions)
  const secret = new Uint8Array(32).fill(7)
  return {
    tester: new Tester({ seal, packetBytes: 172, newSession }, 0),
    reflector: new Reflector({ seal, secret, maxSenders: 2, maxRate: 200, maxTotalRate: 200 }, 0),
  }
}

function talk(tester: Tester, reflector: Reflector, nowUs: number): void {
  for (const packet of tester.packetsDue(nowUs)) {
    const answer = reflector.answer(packet, 'a', () => nowUs)
    if (answer) tester.receive(answer, nowUs)
  }
}
