import { readFileSync } from 'node:fs'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { tickUs } from '../../agent/rtp/jitter.ts'
import { BAD_PADDING, IS_RTP, RTP_VERDICTS, RtpPacket, parseRtp } from '../../agent/rtp/packet.ts'
import type { Measures } from '../../agent/rtp/measures.ts'
import {
  AUDIO,
  COMFORT_NOISE,
  TELEPHONE_EVENT,
  kindWithoutName,
  payloadKind,
  staticPayload,
} from '../../agent/rtp/payload.ts'
import { beginProbation, goesOn } from '../../agent/rtp/probation.ts'
import { Reception } from '../../agent/rtp/reception.ts'
import { MIN_SEQUENTIAL, probationAfter } from '../../agent/rtp/sequence.ts'

const END_US = 1e9

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

test('a duplicate does not heal a loss', async (t) => {
  // 10 packets of which 3 and 7 are lost and 4 and 8 come twice: RFC 3550 sees no loss.
  const measures = numbers(0, 1, 2, 4, 4, 5, 6, 8, 8, 9)
  t.match(measures, { expected: 10, received: 10, lost: 0, lostUnique: 2, duplicates: 2 })
})

test('99 behind is late, 100 behind is astray; 2999 ahead is a gap, 3000 ahead a restart', async (t) => {
  t.match(numbers(1000, 901), { received: 2, lost: -1, lostUnique: 0, reordered: 1, rejected: 0 })
  t.match(numbers(1000, 900), { received: 1, reordered: 0, rejected: 1, late: 1 })
  t.match(numbers(5000, 2000), { received: 1, rejected: 1, late: 1 })
  t.match(numbers(5000, 1999), { received: 1, rejected: 1, late: 0 })
  t.match(numbers(1000, 3999), { received: 2, expected: 3000, rejected: 0, late: 0 })
  t.match(numbers(1000, 4000), { received: 1, expected: 1, rejected: 1, late: 0 })
  t.match(numbers(1000, 4000, 4001), { received: 2, expected: 2, rejected: 1, restarts: 1 })
  t.match(numbers(1000, 4000, 1001, 1002), {
    received: 3,
    expected: 3,
    rejected: 1,
    restarts: 0,
  })
})

test('a late packet is told from a duplicate anywhere in the window, across the wrap', async (t) => {
  for (const start of [0, 65_400, 65_500, 65_535, 300]) {
    const sent = Array.from({ length: 200 }, (_, number) => (start + number) & 0xffff)
    const missing = (start + 120) & 0xffff
    const kept = sent.filter((number) => number !== missing)
    t.match(numbers(...kept), { expected: 200, lostUnique: 1, duplicates: 0 })
    t.match(numbers(...kept, missing), { lostUnique: 0, duplicates: 0, reordered: 1 })
    t.match(numbers(...kept, missing, missing), {
      lostUnique: 0,
      duplicates: 1,
      reordered: 1,
      received: 201,
    })
  }
})

test('counting survives many wraps of the sequence number', async (t) => {
  const reception = new Reception(1)
  reception.open(0, 65_000)
  let lost = 0
  for (let number = 0; number < 300_000; number++) {
    if (number % 50 === 7) lost++
    else
      reception.receive(
        0,
        (65_000 + number) & 0xffff,
        number * 160,
        number * 20_000,
        160,
        125,
        false,
        AUDIO,
      )
  }
  t.equal(lost, 6000)
  t.match(measured(reception), {
    expected: 300_000,
    received: 294_000,
    lost: 6000,
    lostUnique: 6000,
    duplicates: 0,
    restarts: 0,
    jitterMaxMs: 0,
    lossRuns: [6000, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  })
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

test('comfort noise and telephone events are interludes, by name or by what they look like', async (t) => {
  t.equal(payloadKind('telephone-event'), TELEPHONE_EVENT)
  t.equal(payloadKind('cn'), COMFORT_NOISE)
  t.equal(payloadKind('opus'), AUDIO)
  t.equal(kindWithoutName(13, 1), COMFORT_NOISE)
  t.equal(kindWithoutName(19, 1), COMFORT_NOISE)
  t.equal(kindWithoutName(101, 4), TELEPHONE_EVENT)
  t.equal(kindWithoutName(101, 14), TELEPHONE_EVENT, 'under SRTP')
  t.equal(kindWithoutName(0, 160), AUDIO)
  t.equal(kindWithoutName(111, 60), AUDIO)
})

test('a source is valid after three packets in sequence, or enough steps forward through heavy loss', async (t) => {
  const tried = (
    numbers: readonly number[],
    types: readonly number[] = [0],
    timestampOf: (number: number) => number = (number) => ((number + 1) & 0xffff) * 160,
  ): string => {
    const fields = { remaining: 3, steps: 0, packets: 0, highest: 0, seen: 0 }
    const probation = { ...fields, timestamp: 0, ticks: 0, triedType: 0, oddities: 0 }
    let begun = 0
    for (const [index, number] of numbers.entries()) {
      const payloadType = types[index % types.length] ?? 0
      const packet = { sequenceNumber: number, timestamp: timestampOf(number) | 0, payloadType }
      if (index === 0 || !goesOn(probation, packet, 3)) {
        beginProbation(probation, packet, 3)
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
  const clock = Array.from({ length: 1000 }, (_, index) => 20 * index)
  t.match(
    tried(clock, [0], () => 7),
    /^not valid/,
    'milliseconds',
  )
  const far = (number: number) => number * 0x12345678
  t.equal(
    tried([1, 2, 3, 4, 5, 6, 7], [0], far),
    'not valid, begun 1',
    'timestamps that mean nothing',
  )
  t.equal(tried([1, 20_000, 2, 30_000]), 'not valid, begun 4')
  t.equal(tried(Array.from({ length: 40 }, () => 5)), 'not valid, begun 3', 'a constant')
  t.equal(
    tried([1, 2, 1, 3]),
    'valid after 4, begun 1',
    'every packet twice, the second time later',
  )
  t.equal(tried([1, 3, 2, 4, 5, 6]), 'valid after 6, begun 1', 'a late one asks for one more')
  t.equal(
    tried([1, 2, 3, 4, 5], [0, 101]),
    'not valid, begun 1',
    'and so does another payload type',
  )
  t.equal(tried([1, 2, 3, 4, 5, 6, 7, 8], [0, 101]), 'valid after 8, begun 1', 'but never beyond 8')
  const flags = [0x8180, 0x8183, 0x8180, 0x8182, 0x8181]
  const answers = Array.from({ length: 1000 }, (_, index) => flags[(index * 7) % flags.length] ?? 0)
  t.match(tried(answers), /^not valid/, 'what a name server has in this place')
  const odd = [1, 20_000, 40_000, 60_000, 10, 11, 12]
  t.equal(tried(odd), 'not valid, begun 5', 'who began anew four times needs seven')
  t.equal(tried([...odd, 13, 14, 15, 16]), 'valid after 11, begun 5')
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
  for (const [sequenceNumber, timestamp, arrivalUs, , marker] of scenario.packets) {
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
    // The RFC knows no interludes: all is audio.
    const isMarked = marker === 1
    reception.receive(0, sequenceNumber, timestamp | 0, arrivalUs, 160, usPerTick, isMarked, AUDIO)
  }
  return { reception, probationRejected }
}

function compare(
  t: Test,
  { reception, probationRejected }: ReturnType<typeof receive>,
  expected: Outcome,
): void {
  const measures = measured(reception)
  const sum = (of: 'expected' | 'received') =>
    expected.epochs.reduce((total, epoch) => total + epoch[of], 0)
  t.strictSame(
    {
      received: measures.received,
      rejected: measures.rejected + probationRejected,
      restarts: measures.restarts,
      base: reception.base(0),
      highest: reception.highest(0),
      expected: measures.expected,
      lost: measures.lost,
      duplicates: measures.duplicates,
      reordered: measures.reordered,
      beforeBase: measures.lostUnique - measures.lost - measures.duplicates,
      lostUnique: measures.lostUnique,
    },
    {
      received: expected.accepted,
      rejected: expected.rejected,
      restarts: expected.resyncs,
      base: expected.baseSeq,
      highest: expected.extMax,
      expected: sum('expected'),
      lost: sum('expected') - sum('received'),
      duplicates: expected.duplicates,
      reordered: expected.reordered,
      beforeBase: expected.beforeBase,
      lostUnique: expected.lostUnique,
    },
  )
  t.equal(measures.received, sum('received'), 'over all epochs')
  const { jitterMs = NaN, jitterMaxMs = NaN } = measures
  t.ok(Math.abs(jitterMs - expected.jitterMs) < 1e-6, 'jitter')
  t.ok(Math.abs(jitterMaxMs - expected.jitterMaxMs) < 1e-6, 'peak jitter')
}

function measured(reception: Reception): Measures {
  return reception.measures(0, END_US, true)
}

/** A stream of these numbers, all at once and without a clock. */
function numbers(...sequenceNumbers: readonly number[]): Measures {
  const reception = new Reception(1)
  reception.open(0, sequenceNumbers[0] ?? 0)
  for (const number of sequenceNumbers) reception.receive(0, number, 0, 0, 160, 0, false, AUDIO)
  return measured(reception)
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
