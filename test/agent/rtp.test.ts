import { readFileSync } from 'node:fs'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { tickUs } from '../../agent/rtp/jitter.ts'
import { BAD_PADDING, IS_RTP, RTP_VERDICTS, RtpPacket, parseRtp } from '../../agent/rtp/packet.ts'
import { isInterlude, staticPayload } from '../../agent/rtp/payload.ts'
import { beginProbation, goesOn } from '../../agent/rtp/probation.ts'
import { NOTHING, Reception, type Totals } from '../../agent/rtp/reception.ts'
import { MIN_SEQUENTIAL, probationAfter } from '../../agent/rtp/sequence.ts'

const US_PER_MS = 1000

const outcome = z.object({
  accepted: z.number(),
  rejected: z.number(),
  resyncs: z.number(),
  baseSeq: z.number(),
  extMax: z.number(),
  lostUnique: z.number(),
  duplicates: z.number(),
  reordered: z.number(),
  beforeBase: z.number(),
  epochs: z.array(z.object({ expected: z.number(), received: z.number() })),
  jitterMs: z.number(),
  jitterMaxMs: z.number(),
})
const vectors = z
  .object({
    scenarios: z.array(
      z.object({
        name: z.string(),
        clockRate: z.number(),
        /** Sequence number, timestamp, arrival in microseconds, payload type, marker. */
        packets: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])),
        expect: z.object({ monitor: outcome, rfc3550Probation: outcome }),
      }),
    ),
    rtpHeaders: z.array(
      z.object({
        name: z.string(),
        hex: z.string(),
        expect: z.record(z.string(), z.unknown()).and(z.object({ valid: z.boolean() })),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../fixtures/rtp/rtp.json', import.meta.url), 'utf8')))
type Scenario = (typeof vectors.scenarios)[number]
type Outcome = z.infer<typeof outcome>

test('all 24 sequences count as the compiled RFC 3550 A.1, A.3 and A.8 do', async (t) => {
  t.equal(vectors.scenarios.length, 24)
  for (const scenario of vectors.scenarios) {
    await t.test(`${scenario.name}, first packet believed`, async (t) => {
      compare(t, receive(scenario, 0), scenario.expect.monitor)
    })
    await t.test(`${scenario.name}, with probation`, async (t) => {
      compare(t, receive(scenario, MIN_SEQUENTIAL), scenario.expect.rfc3550Probation)
    })
  }
})

test('what the worked examples of the sequences say', async (t) => {
  const hidden = new Reception(1)
  // 10 packets of which 3 and 7 are lost and 4 and 8 come twice: RFC 3550 sees no loss.
  hidden.open(0, 0)
  for (const number of [0, 1, 2, 4, 4, 5, 6, 8, 8, 9]) hidden.receive(0, number, 0, 0, 160, 0)
  const totals = read(hidden)
  t.match(totals, { expected: 10, received: 10, unique: 8, duplicates: 2 })
  t.equal(totals.expected - totals.unique, 2, 'a duplicate does not heal a loss')
})

test('99 behind is late, 100 behind is astray; 2999 ahead is a gap, 3000 ahead a restart', async (t) => {
  const at = (...numbers: number[]): Totals => {
    const reception = new Reception(1)
    reception.open(0, numbers[0] ?? 0)
    for (const number of numbers) reception.receive(0, number, 0, 0, 0, 0)
    return read(reception)
  }
  t.match(at(1000, 901), { received: 2, reordered: 1, beforeBase: 1, rejected: 0 })
  t.match(at(1000, 900), { received: 1, reordered: 0, rejected: 1 })
  t.match(at(1000, 3999), { received: 2, expected: 3000, rejected: 0 })
  t.match(at(1000, 4000), { received: 1, expected: 1, rejected: 1 })
  t.match(at(1000, 4000, 4001), { received: 2, expected: 2, rejected: 1, restarts: 1 })
  t.match(at(1000, 4000, 1001, 1002), { received: 3, expected: 3, rejected: 1, restarts: 0 })
})

test('a late packet is told from a duplicate anywhere in the window, across the wrap', async (t) => {
  for (const start of [0, 65_400, 65_500, 65_535, 300]) {
    const reception = new Reception(1)
    reception.open(0, start)
    for (let number = 0; number < 200; number++)
      if (number !== 120) reception.receive(0, (start + number) & 0xffff, 0, number, 0, 0)
    t.match(read(reception), { expected: 200, unique: 199, duplicates: 0 })
    reception.receive(0, (start + 120) & 0xffff, 0, 201, 0, 0)
    t.match(read(reception), { expected: 200, unique: 200, duplicates: 0, reordered: 1 })
    reception.receive(0, (start + 120) & 0xffff, 0, 202, 0, 0)
    t.match(read(reception), { unique: 200, duplicates: 1, reordered: 1, received: 201 })
  }
})

test('counting survives many wraps of the sequence number', async (t) => {
  const reception = new Reception(1)
  reception.open(0, 65_000)
  let lost = 0
  for (let number = 0; number < 300_000; number++) {
    if (number % 50 === 7) lost++
    else reception.receive(0, (65_000 + number) & 0xffff, number * 160, number * 20_000, 160, 125)
  }
  t.match(read(reception), {
    expected: 300_000,
    received: 300_000 - lost,
    duplicates: 0,
    restarts: 0,
  })
  t.equal(lost, 6000)
  t.equal(reception.interval(0).jitterMaxUs, 0)
})

test('a stream keeps its counts when the table grows, and its neighbours keep theirs', async (t) => {
  const reception = new Reception(2)
  for (const stream of [0, 1]) {
    reception.open(stream, 10)
    reception.receive(stream, 10, 0, 0, 100, 0)
  }
  reception.grow(8)
  reception.receive(1, 12, 0, 5000, 100, 0)
  t.match(read(reception, 0), { expected: 1, received: 1 })
  t.match(read(reception, 1), { expected: 3, received: 2 })
  t.match(reception.interval(1), { activeUs: 5000, deltaMaxUs: 5000, octets: 200 })
  t.match(reception.interval(0), { activeUs: 0, deltaMaxUs: undefined, jitterUs: undefined })
})

test('jitter that was not measured is absent, and a new interval begins without one', async (t) => {
  const reception = new Reception(1)
  reception.open(0, 1)
  reception.receive(0, 1, 160, 0, 160, 125)
  t.equal(reception.interval(0).jitterUs, undefined, 'one packet has no difference')
  reception.receive(0, 2, 320, 36_000, 160, 125)
  // 16 ms later than its timestamp: J = 16 / 16 = 1 ms
  t.match(reception.interval(0), { jitterUs: 1000, jitterMaxUs: 1000 })
  reception.startInterval(0)
  t.match(reception.interval(0), { activeUs: undefined, jitterUs: undefined, octets: 0 })
  reception.receive(0, 3, 480, 56_000, 160, 125)
  t.match(reception.interval(0), { jitterUs: 937.5, deltaMaxUs: 20_000, activeUs: 0 })
})

test('a timestamp that wraps is no jitter', async (t) => {
  const reception = new Reception(1)
  reception.open(0, 1)
  reception.receive(0, 1, 0xffffffc0 | 0, 1_000_000, 160, 125)
  reception.receive(0, 2, 0x60, 1_020_000, 160, 125)
  t.equal(reception.interval(0).jitterMaxUs, 0)
})

test('the 13 headers read as tshark dissects them, or are refused with a reason', async (t) => {
  t.equal(vectors.rtpHeaders.length, 13)
  const reasons: Readonly<Record<string, string>> = {
    'bad-padding-too-large': 'bad-padding',
    'bad-padding-zero': 'bad-padding',
    'bad-ext-overruns': 'extension-overrun',
    'bad-short': 'short',
    'bad-cc-overruns': 'csrc-overrun',
    'rtcp-on-rtp-port': 'rtcp',
  }
  for (const { name, hex, expect } of vectors.rtpHeaders) {
    const { verdict, packet } = parse(Buffer.from(hex, 'hex'))
    t.equal(RTP_VERDICTS[verdict], expect.valid ? 'rtp' : reasons[name], name)
    if (!expect.valid) continue
    const read: Record<string, unknown> = {
      csrcCount: packet.csrcCount,
      marker: packet.marker ? 1 : 0,
      payloadType: packet.payloadType,
      seq: packet.sequenceNumber,
      timestamp: packet.timestamp >>> 0,
      ssrc: packet.ssrc >>> 0,
      payloadOffset: packet.headerOctets,
      payloadLength: packet.payloadOctets - packet.paddingOctets,
      paddingLength: packet.paddingOctets,
    }
    for (const [field, value] of Object.entries(read))
      if (field in expect) t.equal(value, expect[field], `${name}: ${field}`)
  }
})

test('every first octet is told apart as RFC 7983 has it', async (t) => {
  const expected = Array.from({ length: 256 }, (_, first) => {
    if (first <= 3) return 'stun'
    if (first >= 16 && first <= 19) return 'zrtp'
    if (first >= 20 && first <= 63) return 'dtls'
    if (first >= 64 && first <= 79) return 'turn'
    return first >= 128 && first <= 191 ? 'rtp' : 'not-rtp'
  })
  const found = expected.map((_, first) => {
    // Long enough for whatever the other bits of an RTP octet promise: CSRCs, an extension of no words, one octet of padding.
    const datagram = Buffer.alloc(172)
    datagram[0] = first
    datagram[171] = 1
    return RTP_VERDICTS[parse(datagram).verdict]
  })
  t.strictSame(found, expected)
})

test('RTCP is known by its second octet: 192 to 223', async (t) => {
  for (const [second, verdict] of [
    [191, 'rtp'],
    [192, 'rtcp'],
    [200, 'rtcp'],
    [223, 'rtcp'],
    [224, 'rtp'],
  ] as const) {
    const datagram = Buffer.alloc(28)
    datagram[0] = 0x80
    datagram[1] = second
    t.equal(RTP_VERDICTS[parse(datagram).verdict], verdict, String(second))
  }
})

test('a header is read from as much as the snap length left, and padding is then not judged', async (t) => {
  const datagram = Buffer.concat([
    Buffer.from('b2080001000000a011223344aaaaaaaabbbbbbbbbede0001', 'hex'),
    Buffer.alloc(148),
  ])
  const cut = parse(datagram.subarray(0, 24), datagram.length)
  t.equal(cut.verdict, IS_RTP)
  t.match(cut.packet, { headerOctets: 28, payloadOctets: 144, paddingOctets: 0 })
  const shorter = parse(datagram.subarray(0, 12), datagram.length)
  t.equal(shorter.verdict, IS_RTP)
  t.match(shorter.packet, { sequenceNumber: 1, headerOctets: 24 }, 'an extension of unknown length')
  t.equal(RTP_VERDICTS[parse(datagram.subarray(0, 11), datagram.length).verdict], 'short')
})

test('with a padding count that cannot be, the header is read all the same', async (t) => {
  const { verdict, packet } = parse(Buffer.from('a00000080000014011223344d5d5d5ff', 'hex'))
  t.equal(verdict, BAD_PADDING)
  t.match(packet, { sequenceNumber: 8, timestamp: 320, payloadOctets: 4, paddingOctets: 0 })
})

test('clock rates are those of RFC 3551, with the 8000 of G722', async (t) => {
  t.strictSame(staticPayload(8), { name: 'PCMA', clockRate: 8000 })
  t.strictSame(staticPayload(9), { name: 'G722', clockRate: 8000 })
  t.equal(staticPayload(111), undefined)
  t.equal(tickUs(8000), 125)
})

test('comfort noise and telephone events are interludes, another codec is not', async (t) => {
  t.ok(isInterlude(13, 1))
  t.ok(isInterlude(19, 1))
  t.ok(isInterlude(101, 4))
  t.ok(isInterlude(101, 14), 'an event under SRTP')
  t.notOk(isInterlude(0, 160))
  t.notOk(isInterlude(111, 60))
})

test('a source is valid after three packets in sequence, or enough steps forward through heavy loss', async (t) => {
  const tried = (numbers: readonly number[]): string => {
    const probation = { remaining: 3, steps: 0, packets: 0, previous: 0 }
    let begun = 0
    for (const [index, number] of numbers.entries()) {
      if (index === 0 || !goesOn(probation, number, 3)) {
        beginProbation(probation, number, 3)
        begun++
      }
      if (probation.remaining === 0) return `valid after ${index + 1}, begun ${begun}`
    }
    return `not valid, begun ${begun}`
  }
  t.equal(tried([7, 8, 9]), 'valid after 3, begun 1')
  t.equal(tried([65_535, 0, 1]), 'valid after 3, begun 1')
  t.equal(tried([1, 3, 4, 5]), 'valid after 4, begun 1', 'the lost one is part of the stream')
  t.equal(tried([1, 2, 2, 3]), 'valid after 4, begun 1', 'a copy says nothing')
  t.equal(tried([0, 2, 4, 6, 8, 10, 12, 14, 16]), 'valid after 9, begun 1', 'every second one lost')
  t.equal(tried([1, 20_000, 2, 30_000]), 'not valid, begun 4')
  t.equal(tried(Array.from({ length: 40 }, () => 5)), 'not valid, begun 3', 'a constant')
})

function receive(
  scenario: Scenario,
  minSequential: number,
): { reception: Reception; probationRejected: number } {
  const reception = new Reception(1)
  const usPerTick = tickUs(scenario.clockRate)
  let remaining = minSequential
  let previous = ((scenario.packets[0]?.[0] ?? 0) - 1) & 0xffff
  let probationRejected = 0
  let isOpen = false
  for (const [sequenceNumber, timestamp, arrivalUs] of scenario.packets) {
    if (remaining > 0) {
      remaining = probationAfter(sequenceNumber, previous, remaining)
      previous = sequenceNumber
      if (remaining > 0) {
        probationRejected++
        continue
      }
    }
    if (!isOpen) reception.open(0, sequenceNumber)
    isOpen = true
    reception.receive(0, sequenceNumber, timestamp | 0, arrivalUs, 160, usPerTick)
  }
  return { reception, probationRejected }
}

function compare(
  t: Test,
  { reception, probationRejected }: ReturnType<typeof receive>,
  expected: Outcome,
): void {
  const totals = read(reception)
  const sum = (of: 'expected' | 'received') =>
    expected.epochs.reduce((total, epoch) => total + epoch[of], 0)
  t.strictSame(
    {
      received: totals.received,
      rejected: totals.rejected + probationRejected,
      restarts: totals.restarts,
      base: reception.base(0),
      highest: reception.highest(0),
      expected: totals.expected,
      duplicates: totals.duplicates,
      reordered: totals.reordered,
      beforeBase: totals.beforeBase,
      lostUnique: totals.expected - totals.unique,
    },
    {
      received: expected.accepted,
      rejected: expected.rejected,
      restarts: expected.resyncs,
      base: expected.baseSeq,
      highest: expected.extMax,
      expected: sum('expected'),
      duplicates: expected.duplicates,
      reordered: expected.reordered,
      beforeBase: expected.beforeBase,
      lostUnique: expected.lostUnique,
    },
  )
  t.equal(totals.received, sum('received'), 'over all epochs')
  const { jitterUs = NaN, jitterMaxUs = NaN } = reception.interval(0)
  t.ok(Math.abs(jitterUs / US_PER_MS - expected.jitterMs) < 1e-6, 'jitter')
  t.ok(Math.abs(jitterMaxUs / US_PER_MS - expected.jitterMaxMs) < 1e-6, 'peak jitter')
}

function read(reception: Reception, stream = 0): Totals {
  const totals = { ...NOTHING }
  reception.read(stream, totals)
  return totals
}

function parse(
  captured: Buffer,
  length = captured.length,
): { readonly verdict: number; readonly packet: RtpPacket } {
  const packet = new RtpPacket()
  // At an odd place in a larger buffer, as in a capture.
  const octets = Buffer.concat([Buffer.alloc(3, 0xff), captured])
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length)
  return { verdict: parseRtp(view, 3, length, captured.length, packet), packet }
}
