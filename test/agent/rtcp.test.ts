import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { z } from 'zod'
import { parseNetwork } from '../../agent/capture/address.ts'
import { Datagram } from '../../agent/capture/frame.ts'
import type { ReportRow } from '../../agent/media/report-row.ts'
import { RtcpMonitor, type FindStream } from '../../agent/media/rtcp-monitor.ts'
import { ssrcText } from '../../agent/media/stream-row.ts'
import { reportDifference } from '../../agent/rtp/report-difference.ts'
import { middleOfNtp, roundTripMs } from '../../agent/rtp/round-trip.ts'
import type { RtcpPacket } from '../../agent/rtp/rtcp-packet.ts'
import { parseRtcp, type RtcpResult } from '../../agent/rtp/rtcp.ts'
import { pcapFile, udpFrame, type Path } from '../support/pcap-writer.ts'
import {
  delaySinceLast,
  extendedReport,
  goodbye,
  receiverReport,
  referenceTime,
  rtcpPacket,
  senderReport,
  sourceDescription,
  voipMetrics,
} from '../support/rtcp-writer.ts'

const US_PER_S = 1_000_000
const STAMPS_PER_S = 65_536

const ALICE = 0x11223344
const BOB = 0x55667788
/** Where Alice and Bob send and receive: RTP on the even port below. */
const FROM_ALICE: Path = { from: '10.0.0.1', fromPort: 4001, to: '10.0.0.2', toPort: 6001 }
const FROM_BOB: Path = { from: '10.0.0.2', fromPort: 6001, to: '10.0.0.1', toPort: 4001 }
/** Everything a telephone can say of a call, as in the vectors. */
const VOIP = '08045502007802080055003cf0c82d10527f2928bc00002800500078'
/** The same by one that knows nothing: zeros, and 127 where that means unknown. */
const VOIP_UNKNOWN = '000000000000000000000000' + '7f7f7f107f7f7f7f' + '0000000000000000'

const vectors = z
  .object({
    rtcpPackets: z.array(z.object({ name: z.string(), hex: z.string() })),
    roundTrip: z.array(
      z.object({
        name: z.string(),
        a: z.number(),
        lsr: z.number(),
        dlsr: z.number(),
        rttSeconds: z.number().nullable(),
        discard: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../fixtures/rtp/rtp.json', import.meta.url), 'utf8')))

test('a sender report, a description and a goodbye are read to the field', async (t) => {
  t.strictSame(packetsOf(vector('sr-rr-sdes-bye-compound')), [
    {
      type: 'SR',
      ssrc: ALICE,
      ntpSeconds: 3919688387,
      ntpFraction: 1073741824,
      rtpTimestamp: 160000,
      packetCount: 1000,
      octetCount: 160000,
      reports: [
        {
          ssrc: BOB,
          fractionLost: 13,
          cumulativeLost: 30,
          extendedHighestSequence: 66536,
          jitterTicks: 37,
          lastSenderReport: 2999140352,
          delaySinceLastSenderReport: 98304,
        },
      ],
    },
    { type: 'SDES', chunks: [{ ssrc: ALICE, cname: 'alice@1.2.3.4:00' }] },
    { type: 'BYE', sources: [ALICE] },
  ])
})

test('the cumulative loss has 24 bits and a sign', async (t) => {
  const lost = (octets: Uint8Array) =>
    packetsOf(octets).flatMap((packet) =>
      packet.type === 'RR' ? packet.reports.map((report) => report.cumulativeLost) : [],
    )
  t.strictSame(lost(vector('rr-negative-cumulative-loss')), [-5])
  for (const cumulative of [0, 1, -1, 0x7fffff, -0x800000]) {
    const report = { ssrc: BOB, fractionLost: 255, lost: cumulative }
    t.strictSame(lost(receiverReport(ALICE, [report])), [cumulative])
  }
})

test('an extended report with reference time, its answer and VoIP metrics', async (t) => {
  t.strictSame(packetsOf(vector('empty-rr-plus-xr')), [
    { type: 'RR', ssrc: ALICE, reports: [] },
    {
      type: 'XR',
      ssrc: ALICE,
      blocks: [
        { type: 'RRT', ntpSeconds: 3919688387, ntpFraction: 2147483648 },
        {
          type: 'DLRR',
          items: [
            { ssrc: BOB, lastReceiverReport: 2999140352, delaySinceLastReceiverReport: 32768 },
          ],
        },
        {
          type: 'VoIP',
          ssrc: BOB,
          lossRatio: 0.03125,
          discardRatio: 0.015625,
          burstDensityRatio: 0.33203125,
          gapDensityRatio: 0.0078125,
          burstDurationMs: 120,
          gapDurationMs: 520,
          roundTripMs: 85,
          endSystemDelayMs: 60,
          signalLevelDbm: -16,
          noiseLevelDbm: -56,
          residualEchoReturnLossDb: 45,
          gmin: 16,
          rFactor: 82,
          externalRFactor: undefined,
          mosLq: 4.1,
          mosCq: 4,
          concealment: 'enhanced',
          jitterBuffer: 'adaptive',
          jitterBufferRate: 12,
          jitterBufferNominalMs: 40,
          jitterBufferMaximumMs: 80,
          jitterBufferAbsoluteMaximumMs: 120,
        },
      ],
    },
  ])
})

test('what a telephone does not know it does not say: 0 ms, 127, R over 100 and MOS beyond 1 to 5 are absent', async (t) => {
  const metrics = (octets: string) => {
    const [packet] = packetsOf(extendedReport(ALICE, voipMetrics({ ssrc: BOB, octets })))
    return packet?.type === 'XR' ? packet.blocks[0] : undefined
  }
  const nothing = {
    roundTripMs: undefined,
    endSystemDelayMs: undefined,
    signalLevelDbm: undefined,
    noiseLevelDbm: undefined,
    residualEchoReturnLossDb: undefined,
    rFactor: undefined,
    externalRFactor: undefined,
    mosLq: undefined,
    mosCq: undefined,
    jitterBufferNominalMs: undefined,
  }
  t.match(metrics(VOIP_UNKNOWN), { ...nothing, burstDensityRatio: 0, gmin: 16 })
  // R 101 and 100, MOS 0.9 and 5.1
  const odd = VOIP_UNKNOWN.replace('107f7f7f7f', '1065640933')
  t.match(metrics(odd), { rFactor: undefined, externalRFactor: 100 })
  t.match(metrics(odd), { mosLq: undefined, mosCq: undefined })
  // A fixed jitter buffer of 0 ms is one.
  t.match(metrics(VOIP_UNKNOWN.slice(0, 40) + '2000' + '000000000000'), {
    jitterBuffer: 'fixed',
    jitterBufferNominalMs: 0,
  })
})

test('unknown extended blocks are skipped by their length; one that lies ends the packet', async (t) => {
  const unknown = Buffer.from('2a0000020102030405060708', 'hex')
  const known = referenceTime(7, 8)
  const types = (octets: Uint8Array) =>
    packetsOf(octets).flatMap((packet) =>
      packet.type === 'XR' ? packet.blocks.map(({ type }) => type) : [],
    )
  t.strictSame(types(extendedReport(ALICE, unknown, known)), ['RRT'])
  const lying = Buffer.from('2a00ffff0102030405060708', 'hex')
  t.strictSame(types(extendedReport(ALICE, known, lying, known)), ['RRT'])
  const short = Buffer.from('070000010102030404000001aabbccdd', 'hex')
  t.strictSame(types(extendedReport(ALICE, short)), [], 'too short for what they claim to be')
})

test('packets of other types are skipped, reduced-size datagrams are read', async (t) => {
  const app = rtcpPacket(204, 3, words(ALICE), Buffer.from('PING1234'))
  const feedback = rtcpPacket(205, 1, words(ALICE, BOB, 0x00010002))
  const future = rtcpPacket(213, 0, words(ALICE))
  const compound = Buffer.concat([receiverReport(ALICE), app, feedback, future, goodbye(ALICE)])
  t.strictSame(
    packetsOf(compound).map(({ type }) => type),
    ['RR', 'BYE'],
  )
  t.strictSame(parse(feedback), { kind: 'rtcp', packets: [], isWhole: true })
  t.match(parse(rtcpPacket(206, 1, words(ALICE, BOB))), { kind: 'rtcp' })
  t.match(parse(extendedReport(ALICE, referenceTime(1, 2))), { kind: 'rtcp' })
  t.strictSame(parse(future), { kind: 'invalid', reason: 'bad-type' }, 'not as the first')
  t.strictSame(parse(rtcpPacket(199, 0, words(ALICE))), { kind: 'invalid', reason: 'bad-type' })
})

test('all lengths must add up', async (t) => {
  const compound = Buffer.concat([receiverReport(ALICE, [{ ssrc: BOB }]), goodbye(ALICE)])
  for (let octets = 0; octets < compound.length; octets++) {
    if (octets === 32) continue
    const { kind } = parse(compound.subarray(0, octets))
    t.equal(kind, 'invalid', `${octets} of ${compound.length} octets`)
  }
  t.match(parse(compound.subarray(0, 32)), { kind: 'rtcp', isWhole: true }, 'the first alone')
  t.match(parse(Buffer.concat([compound, Buffer.alloc(2)])), { kind: 'invalid' })
  t.match(parse(Buffer.concat([compound, Buffer.alloc(4)])), { reason: 'bad-version' })
  t.match(parse(Buffer.from('80', 'hex')), { reason: 'short' })
})

test('the report count is not trusted', async (t) => {
  const one = receiverReport(ALICE, [{ ssrc: BOB }])
  one[0] = 0x82
  t.strictSame(parse(one), { kind: 'invalid', reason: 'bad-report-count' })
  const sr = senderReport({ ssrc: ALICE })
  sr[0] = 0x9f
  t.strictSame(parse(sr), { kind: 'invalid', reason: 'bad-report-count' })
  t.strictSame(parse(rtcpPacket(200, 0, words(ALICE))), {
    kind: 'invalid',
    reason: 'bad-report-count',
  })
  const extended = rtcpPacket(201, 0, words(ALICE, 1, 2, 3))
  t.match(packetsOf(extended), [{ type: 'RR', reports: [] }], 'a profile may add words of its own')
  const manyGone = rtcpPacket(203, 31, words(ALICE, BOB))
  t.strictSame(packetsOf(manyGone), [{ type: 'BYE', sources: [ALICE, BOB] }])
  t.strictSame(packetsOf(rtcpPacket(203, 0)), [{ type: 'BYE', sources: [] }])
})

test('only the last packet may be padded, by whole words that are there', async (t) => {
  const padded = (count: number, ...body: Uint8Array[]): Buffer => {
    const packet = rtcpPacket(201, 0, words(ALICE), ...body, Buffer.from([0, 0, 0, count]))
    packet[0] = 0xa0
    return packet
  }
  t.match(packetsOf(padded(4)), [{ type: 'RR', ssrc: ALICE }])
  t.match(packetsOf(Buffer.concat([receiverReport(BOB), padded(8, words(0))])), [
    { ssrc: BOB },
    { ssrc: ALICE },
  ])
  for (const count of [0, 3, 5, 12, 255])
    t.strictSame(parse(padded(count)), { kind: 'invalid', reason: 'bad-padding' }, String(count))
  const first = Buffer.concat([padded(4), receiverReport(BOB)])
  t.strictSame(parse(first), { kind: 'invalid', reason: 'bad-padding' })
  // Padding is no room for a block.
  const claims = padded(24, Buffer.alloc(20))
  claims[0] = 0xa1
  t.strictSame(parse(claims), { kind: 'invalid', reason: 'bad-report-count' })
})

test('descriptions are read as far as they are whole', async (t) => {
  const chunks = (hex: string, count: number) => {
    const [packet] = packetsOf(rtcpPacket(202, count, Buffer.from(hex, 'hex')))
    return packet?.type === 'SDES' ? packet.chunks : undefined
  }
  const alice = { ssrc: ALICE, cname: 'ab' }
  t.strictSame(chunks('11223344' + '01026162' + '00000000', 1), [alice], 'zeros fill a word')
  t.strictSame(chunks('11223344' + '0603787978' + '01026162' + '000000', 1), [alice])
  t.strictSame(chunks('11223344' + '00000000' + '55667788' + '01016100', 2), [
    { ssrc: ALICE, cname: undefined },
    { ssrc: BOB, cname: 'a' },
  ])
  t.strictSame(chunks('11223344' + '01ff6162', 1), [], 'an item beyond the packet')
  t.strictSame(chunks('11223344' + '01026162', 1), [], 'no end')
  t.strictSame(chunks('', 5), [])
})

test('a datagram of a thousand packets is refused', async (t) => {
  const flood = Buffer.concat(Array.from({ length: 1000 }, () => receiverReport(ALICE)))
  t.match(parse(flood), { reason: 'too-many-packets' })
})

test('SRTCP is known by what follows its first packet; only who sent it is read', async (t) => {
  const reports = [{ ssrc: BOB, lost: 3, highest: 500 }]
  const plain = Buffer.concat([
    senderReport({ ssrc: ALICE, ntpSeconds: 1 }, reports),
    sourceDescription(ALICE),
  ])
  for (const trailer of [14, 18, 20, 24]) {
    const sealed = seal(plain, trailer)
    t.strictSame(parse(sealed), { kind: 'encrypted', ssrc: ALICE }, `${trailer} octets added`)
  }
  const alone = seal(receiverReport(ALICE, reports), 14)
  t.strictSame(parse(alone), { kind: 'encrypted', ssrc: ALICE }, 'one packet, reduced size')
  const negative = seal(receiverReport(-2), 14)
  t.strictSame(parse(negative), { kind: 'encrypted', ssrc: -2 })
  const broken = Buffer.concat([plain, receiverReport(ALICE, reports).subarray(0, 20)])
  t.match(parse(broken), { kind: 'invalid' }, 'a header that is cut off is no SRTCP')
})

test('of a datagram the snap length cut, what is whole is used', async (t) => {
  const compound = Buffer.concat([
    senderReport({ ssrc: ALICE }, [{ ssrc: BOB, highest: 7 }, { ssrc: 9 }]),
    sourceDescription(ALICE),
    goodbye(ALICE),
  ])
  const seen = (captured: number) => parse(compound, captured)
  t.strictSame(seen(3), { kind: 'invalid', reason: 'truncated' })
  t.strictSame(seen(27), { kind: 'invalid', reason: 'truncated' })
  t.match(seen(28), { isWhole: false, packets: [{ type: 'SR', reports: [] }] })
  t.match(seen(51), { isWhole: false, packets: [{ type: 'SR', reports: [] }] })
  t.match(seen(52), { isWhole: false, packets: [{ reports: [{ highest: undefined }] }] })
  t.equal(reportsIn(seen(75)), 1)
  t.equal(reportsIn(seen(76)), 2)
  t.match(seen(compound.length - 1), { packets: [{}, {}, { type: 'BYE', sources: [] }] })
  t.match(seen(compound.length), { isWhole: true, packets: [{}, {}, { sources: [ALICE] }] })
  const sealed = seal(compound, 14)
  t.match(parse(sealed, 60), { kind: 'encrypted' }, 'its length is no number of words')
})

test('round trips from report stamps, the published one among them', async (t) => {
  t.equal(vectors.roundTrip.length, 5)
  for (const { name, a, lsr, dlsr, rttSeconds, discard } of vectors.roundTrip) {
    const elapsedUs = (((a - lsr) | 0) * US_PER_S) / STAMPS_PER_S
    const ms = roundTripMs(elapsedUs, dlsr)
    if (rttSeconds === null || discard === true) t.equal(ms, undefined, name)
    else t.ok(Math.abs((ms ?? NaN) - rttSeconds * 1000) < 1e-6, `${name}: ${ms ?? 'none'}`)
  }
  t.equal(middleOfNtp(3919688387, 1073741824), 0xb2c34000)
  t.equal(roundTripMs(85_000, 0), undefined, 'a delay of 0 was not measured')
  t.equal(roundTripMs(15_000_000, 65_536), undefined, 'more than 10 s')
  t.equal(roundTripMs(999_700, 65_536), 0, 'beside the receiver two clocks differ a little')
})

test('what happened between two reports', async (t) => {
  const between = (highest: number, lost: number, nowHighest: number, nowLost: number) =>
    reportDifference(
      { extendedHighestSequence: highest, cumulativeLost: lost },
      { extendedHighestSequence: nowHighest, cumulativeLost: nowLost },
    )
  const difference = (expected: number, lost: number) => ({ kind: 'difference', expected, lost })
  t.strictSame(between(1000, 10, 1250, 18), difference(250, 8))
  t.strictSame(between(1000, 10, 1000, 10), difference(0, 0))
  t.strictSame(between(1000, 10, 1250, -2), difference(250, -12), 'duplicates')
  t.strictSame(between(1000, 10, 1000, 7), difference(0, -3), 'late ones')
  t.strictSame(between(0xffffff00, 5, 0x10, 6), difference(0x110, 1), 'the count of cycles wraps')
  t.strictSame(between(1000, 10, 1250, 261), { kind: 'impossible' }, 'more lost than sent')
  t.strictSame(between(1000, 400, 1250, 20), { kind: 'impossible' }, 'more came than twice')
  t.strictSame(between(70_000, 10, 500, 0), { kind: 'restart' })
  t.strictSame(between(1000, 10, 200_000, 20), { kind: 'restart' })
  t.strictSame(between(1000, 40, 9000, 0), { kind: 'restart' }, 'a jump, and counted anew')
  t.strictSame(between(9_000_000, 0x7fffff, 9_000_250, 0x7fffff), { kind: 'restart' })
})

test('interval loss is the difference of cumulative counters, summed over the reports of an interval', async (t) => {
  const tap = new Tap(known)
  const report = (timeS: number, highest: number, lost: number) => {
    tap.hear(timeS, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest, lost, jitter: 80 }]))
  }
  report(5, 70_000, 1000)
  t.match(
    tap.rows(),
    [{ kind: 'rr', reports: 1, expected: undefined, lost: undefined, jitterMs: 10 }],
    'one report says nothing of an interval',
  )
  report(10, 70_250, 1007)
  report(15, 70_500, 1010)
  t.strictSame(tap.rows(), [
    {
      ...NOTHING,
      kind: 'rr',
      srcIp: '10.0.0.1',
      srcPort: 4000,
      dstIp: '10.0.0.2',
      dstPort: 6000,
      ssrc: '0x11223344',
      codec: 'PCMA',
      reports: 2,
      expected: 500,
      lost: 10,
      jitterMs: 10,
    },
  ])
  t.strictSame(tap.rows(), [], 'nothing was said')
  report(20, 70_750, 1010)
  t.match(tap.rows(), [{ expected: 250, lost: 0 }])
})

test('a receiver that counts anew has no loss in between', async (t) => {
  const tap = new Tap(known)
  const report = (timeS: number, highest: number, lost: number) => {
    tap.hear(timeS, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest, lost }]))
  }
  report(5, 70_000, 1000)
  report(10, 300, 0)
  t.match(tap.rows(), [{ reports: 2, expected: undefined, lost: undefined }])
  report(15, 550, 5)
  t.match(tap.rows(), [{ reports: 1, expected: 250, lost: 5 }])
})

test('figures no receiver can have are ignored and counted', async (t) => {
  const tap = new Tap(known)
  const report = (timeS: number, highest: number, lost: number, jitter = 0) => {
    tap.hear(timeS, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest, lost, jitter }]))
  }
  report(5, 100, 102)
  t.strictSame(tap.rows(), [])
  report(10, 1000, 10)
  report(15, 1250, 900)
  report(20, 1500, 905)
  t.match(tap.rows(), [{ reports: 2, expected: 250, lost: 5 }])
  t.strictSame(tap.monitor.counts.invalid, { 'impossible-loss': 2 })
  report(25, 1750, 905, 0xffffffff)
  t.match(tap.rows(), [{ reports: 1, expected: 250, jitterMs: undefined }])
  t.strictSame(tap.monitor.counts.invalid, { 'impossible-loss': 2, 'impossible-jitter': 1 })
})

test('jitter is ticks of the clock of the stream reported on; without a clock there is none', async (t) => {
  const report = receiverReport(BOB, [{ ssrc: ALICE, highest: 1000, jitter: 480 }])
  const jitterMs = (codec: string | undefined, clockRate: number | undefined) => {
    const tap = new Tap(() => ({ ...ALICE_TO_BOB, codec, clockRate }))
    tap.hear(5, FROM_BOB, report)
    return tap.rows()[0]?.jitterMs
  }
  t.equal(jitterMs('opus', 48_000), 10)
  t.equal(jitterMs('G722', 8000), 60)
  t.equal(jitterMs(undefined, undefined), undefined)
})

test('a stream we never saw still has its row: it runs against its reports', async (t) => {
  const tap = new Tap(() => undefined)
  tap.hear(5, FROM_BOB, receiverReport(BOB, [{ ssrc: -2, highest: 1000, jitter: 80 }]))
  const stranger = { ...NOTHING, kind: 'rr', codec: undefined, ssrc: '0xfffffffe', reports: 1 }
  const ends = { srcIp: '10.0.0.1', srcPort: 4000, dstIp: '10.0.0.2', dstPort: 6000 }
  t.strictSame(tap.rows(), [{ ...stranger, ...ends }])
  // On an even port RTP and RTCP are mixed.
  const mixed = { from: 'fd00::2', fromPort: 6000, to: 'fd00::1', toPort: 4000 }
  tap.hear(6, mixed, receiverReport(BOB, [{ ssrc: -2 }]))
  t.match(tap.rows(), [{ srcIp: 'fd00::1', srcPort: 4000, dstIp: 'fd00::2', dstPort: 6000 }])
})

test('both SSRCs of one receiver report on a stream: counted once', async (t) => {
  const tap = new Tap(known)
  const reports = (timeS: number, highest: number, lost: number) => {
    for (const reporter of [BOB, BOB + 1])
      tap.hear(timeS, FROM_BOB, receiverReport(reporter, [{ ssrc: ALICE, highest, lost }]))
  }
  reports(5, 1000, 10)
  reports(10, 1250, 15)
  t.match(tap.rows(), [{ reports: 4, expected: 250, lost: 5 }])
})

test('calls that share an SSRC are kept apart', async (t) => {
  const tap = new Tap(() => undefined)
  const other: Path = { ...FROM_BOB, fromPort: 6003, toPort: 4003 }
  const report = (timeS: number, path: Path, highest: number, lost: number) => {
    tap.hear(timeS, path, receiverReport(BOB, [{ ssrc: ALICE, highest, lost }]))
  }
  report(5, FROM_BOB, 1000, 0)
  report(5, other, 40_000, 500)
  report(10, FROM_BOB, 1250, 0)
  report(10, other, 40_250, 520)
  t.match(tap.rows(), [
    { dstPort: 6000, expected: 250, lost: 0 },
    { dstPort: 6002, expected: 250, lost: 20 },
  ])
})

test('round trip of both legs, and from end to end when both are known', async (t) => {
  const tap = new Tap(known)
  // The tap is 10 ms from Alice and 30 ms from Bob, there and back 20 and 60.
  tap.hear(5, FROM_ALICE, senderReport({ ssrc: ALICE, ntpSeconds: 77, ntpFraction: 1 << 30 }))
  const stamp = ((77 << 16) | 0x4000) >>> 0
  const bobs = senderReport({ ssrc: BOB, ntpSeconds: 500 }, [
    { ssrc: ALICE, highest: 250, lsr: stamp, dlsrS: 2.5 },
  ])
  tap.hear(7.56, FROM_BOB, bobs)
  t.equal(tap.monitor.roundTripMs(ALICE), undefined, 'one leg is not the whole way')
  near(t, tap.rows()[0]?.roundTripMs, 60, 'from the tap to Bob and back')
  tap.hear(
    10.02 + 7.56 - 5,
    FROM_ALICE,
    receiverReport(ALICE, [{ ssrc: BOB, highest: 250, lsr: (500 << 16) >>> 0, dlsrS: 5 }]),
  )
  near(t, tap.rows()[0]?.roundTripMs, 20, 'from the tap to Alice and back')
  near(t, tap.monitor.roundTripMs(ALICE), 80, 'from end to end')
  near(t, tap.monitor.roundTripMs(BOB), 80, 'the same for the other direction')
  const bob = { dstIp: '10.0.0.2', dstPort: 6000 }
  near(t, tap.monitor.roundTripMs(ALICE, bob), 80, 'asked for by its receiver')
  t.equal(tap.monitor.roundTripMs(ALICE, { ...bob, dstPort: 7000 }), undefined)
  t.equal(tap.monitor.roundTripMs(12345), undefined)
  tap.hear(90, FROM_ALICE, receiverReport(ALICE))
  t.equal(tap.monitor.roundTripMs(ALICE), undefined, 'a minute later it says nothing about now')
})

test('no round trip from an answer to nothing, an unknown delay, or a clock that stands still', async (t) => {
  const leg = (stamps: readonly number[], lsr: number, dlsrS: number) => {
    const tap = new Tap(known)
    stamps.forEach((seconds, index) => {
      tap.hear(index * 2, FROM_ALICE, senderReport({ ssrc: ALICE, ntpSeconds: seconds }))
    })
    const report = { ssrc: ALICE, highest: 250, lsr, dlsrS }
    tap.hear(2 * stamps.length, FROM_BOB, receiverReport(BOB, [report]))
    return tap.rows()[0]?.roundTripMs
  }
  const at = (seconds: number) => (seconds << 16) >>> 0
  near(t, leg([9], at(9), 1.9), 100, 'all is well')
  near(t, leg([9, 11, 13], at(9), 5.9), 100, 'an older one')
  t.equal(leg([9], 0, 0), undefined, 'LSR 0: there was none')
  t.equal(leg([0], 0, 1.9), undefined, 'an SR stamped 0 is as good as none')
  t.equal(leg([9], at(9), 0), undefined, 'DLSR 0: unknown, not a round trip of 2 s')
  t.equal(leg([9], at(10), 1.9), undefined, 'an SR that never passed')
  t.equal(leg([9], at(9), 2.5), undefined, 'held for longer than it was away')
  t.equal(leg([9, 9], at(9), 1.9), undefined, 'the same stamp twice')
  const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
  t.equal(leg(numbers, at(2), 20), undefined, 'ten are remembered')
})

test('a copy of a sender report the mirror made changes nothing', async (t) => {
  const tap = new Tap(known)
  const sent = senderReport({ ssrc: ALICE, ntpSeconds: 9 })
  tap.hear(1, FROM_ALICE, sent)
  tap.hear(1.0001, FROM_ALICE, sent)
  const report = { ssrc: ALICE, lsr: 9 << 16, dlsrS: 1.5 }
  tap.hear(2.54, FROM_BOB, receiverReport(BOB, [report]))
  near(t, tap.rows()[0]?.roundTripMs, 40, 'from the first')
})

test('a party that only receives measures by XR; so do we', async (t) => {
  const tap = new Tap(known)
  // Bob sends nothing but asks for the time; Alice answers, and Bob reports on her.
  tap.hear(1, FROM_BOB, extendedReport(BOB, referenceTime(300, 0)))
  tap.hear(1.53, FROM_ALICE, extendedReport(ALICE, delaySinceLast(BOB, (300 << 16) >>> 0, 0.5)))
  tap.hear(2, FROM_ALICE, senderReport({ ssrc: ALICE, ntpSeconds: 9 }))
  tap.hear(3.07, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, lsr: 9 << 16, dlsrS: 1 }]))
  near(t, tap.rows()[0]?.roundTripMs, 70, 'to Bob')
  near(t, tap.monitor.roundTripMs(ALICE), 100, '30 to Alice and 70 to Bob')
})

test('VoIP metrics are a row of their own, the newest of the interval', async (t) => {
  const tap = new Tap(known)
  const older = voipMetrics({ ssrc: ALICE, octets: VOIP_UNKNOWN })
  tap.hear(5, FROM_BOB, extendedReport(BOB, older))
  const newer = voipMetrics({ ssrc: ALICE, octets: VOIP })
  tap.hear(6, FROM_BOB, receiverReport(BOB), extendedReport(BOB, newer))
  t.strictSame(tap.rows(), [
    {
      kind: 'xr',
      srcIp: '10.0.0.1',
      srcPort: 4000,
      dstIp: '10.0.0.2',
      dstPort: 6000,
      ssrc: '0x11223344',
      codec: 'PCMA',
      reports: 2,
      expected: undefined,
      lost: undefined,
      jitterMs: undefined,
      roundTripMs: 85,
      discardRatio: 0.015625,
      burstDensityRatio: 0.33203125,
      gapDensityRatio: 0.0078125,
      burstDurationMs: 120,
      gapDurationMs: 520,
      endSystemDelayMs: 60,
      jitterBufferMs: 40,
      signalLevelDbm: -16,
      noiseLevelDbm: -56,
      rFactor: 82,
      mosLq: 4.1,
      mosCq: 4,
    },
  ])
  t.equal(
    tap.monitor.roundTripMs(ALICE),
    85,
    'what the telephone measured, while we know no better',
  )
  tap.hear(7, FROM_BOB, extendedReport(BOB, older))
  t.match(tap.rows(), [{ roundTripMs: undefined, mosLq: undefined, signalLevelDbm: undefined }])
})

test('goodbyes are passed on, everything is counted', async (t) => {
  const tap = new Tap(known)
  const gone: { ssrc: number; port: number }[] = []
  tap.monitor.onGoodbye = (ssrc, { sourcePort }) => {
    gone.push({ ssrc, port: sourcePort })
  }
  const first = [senderReport({ ssrc: ALICE }), sourceDescription(ALICE), goodbye(ALICE, -1)]
  tap.hear(1, FROM_ALICE, ...first)
  tap.hear(2, FROM_BOB, receiverReport(BOB), extendedReport(BOB))
  tap.hear(3, FROM_BOB, Buffer.from('80c9ffff00000000', 'hex'))
  tap.hear(4, FROM_BOB, seal(receiverReport(BOB, [{ ssrc: ALICE }]), 14))
  t.strictSame(gone, [
    { ssrc: ALICE, port: 4001 },
    { ssrc: -1, port: 4001 },
  ])
  t.strictSame(tap.monitor.counts, {
    compounds: 2,
    senderReports: 1,
    receiverReports: 1,
    sourceDescriptions: 1,
    goodbyes: 1,
    extendedReports: 1,
    encrypted: 1,
    invalid: { 'bad-length': 1 },
    evicted: 0,
  })
  t.strictSame(tap.rows(), [])
})

test('a cut datagram may be SRTCP: it is believed about streams we saw, not about strangers', async (t) => {
  const tap = new Tap(known)
  const octets = Buffer.concat([
    receiverReport(BOB, [
      { ssrc: ALICE, highest: 250 },
      { ssrc: 99, highest: 250 },
    ]),
    sourceDescription(BOB),
  ])
  tap.hearCut(5, FROM_BOB, octets, 58)
  t.match(tap.rows(), [{ ssrc: '0x11223344', reports: 1 }])
  t.strictSame(tap.monitor.counts.invalid, { truncated: 1 })
})

test('a flood of reports about made-up streams keeps its bounds, and is counted', async (t) => {
  const tap = new Tap(() => undefined, 100)
  for (let ssrc = 0; ssrc < 5000; ssrc++) {
    tap.hear(1, FROM_ALICE, senderReport({ ssrc, ntpSeconds: 9 }))
    tap.hear(2, FROM_BOB, receiverReport(BOB, [{ ssrc, lsr: 9 << 16, dlsrS: 0.5 }]))
  }
  const rows = tap.rows()
  t.equal(rows.length, 100)
  t.equal(rows[99]?.ssrc, '0x00001387', 'the newest stay')
  t.equal(tap.monitor.counts.evicted, 2 * 4900)
  t.equal(tap.monitor.roundTripMs(0), undefined)
})

test('who reported nothing for five minutes is forgotten', async (t) => {
  const tap = new Tap(known)
  tap.hear(0, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest: 1000 }]))
  tap.rows(299)
  tap.hear(299, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest: 2000, lost: 4 }]))
  t.match(tap.rows(600), [{ expected: 1000, lost: 4 }])
  tap.hear(601, FROM_BOB, receiverReport(BOB, [{ ssrc: ALICE, highest: 3000, lost: 4 }]))
  t.match(tap.rows(), [{ reports: 1, expected: undefined }])
})

/** What stands in a field of a dissection, in the order of the packets. */
type Fields = Record<string, string>

test('tshark reads the same from every field, and measures the same legs', async (t) => {
  const datagrams: { timeUs: number; path: Path; octets: Buffer }[] = []
  const add = (timeUs: number, path: Path, ...packets: Uint8Array[]): void => {
    datagrams.push({ timeUs, path, octets: Buffer.concat(packets) })
  }
  const random = generator(3611)
  let seconds = 0xe9a1b2c3
  let timeUs = 1_700_000_000_000_000
  for (let round = 0; round < 60; round++) {
    const sentUs = timeUs
    const fraction = random() * 2 ** 32
    const sent = {
      ssrc: ALICE,
      ntpSeconds: seconds,
      ntpFraction: fraction,
      rtpTimestamp: random() * 2 ** 32,
      packets: round * 250,
      octets: round * 40_000,
    }
    const other = {
      ssrc: random() * 2 ** 32,
      fractionLost: Math.floor(random() * 256),
      lost: Math.floor((random() - 0.5) * 2 ** 24),
      highest: random() * 2 ** 32,
      jitter: random() * 2 ** 32,
    }
    const cname = 'x'.repeat(1 + (round % 9))
    add(timeUs, FROM_ALICE, senderReport(sent, [other]), sourceDescription(ALICE, cname))
    const wayUs = Math.floor(random() * 200_000)
    const heldS = 1 + Math.floor(random() * 1000) / 1000
    timeUs = sentUs + wayUs + heldS * US_PER_S
    const report = {
      ssrc: ALICE,
      lost: round - 5,
      highest: 250 * round,
      jitter: 37,
      lsr: middleOfNtp(seconds, Math.floor(fraction)),
      dlsrS: heldS,
    }
    const metrics = Buffer.from(VOIP, 'hex').map((octet, index) =>
      // RX configuration and MOS stay within what tshark prints as numbers
      index < 12 || index > 22 ? Math.floor(random() * 256) : octet,
    )
    add(
      timeUs,
      FROM_BOB,
      receiverReport(BOB, [report, other]),
      extendedReport(
        BOB,
        referenceTime(seconds, fraction),
        delaySinceLast(ALICE, random() * 2 ** 32, random() * 9),
        voipMetrics({ ssrc: ALICE, octets: Buffer.from(metrics).toString('hex') }),
      ),
      goodbye(BOB, other.ssrc),
    )
    timeUs += 3 * US_PER_S
    seconds += 5
  }
  const oracle = await dissect(datagrams)
  if (oracle === undefined) {
    t.pass('tshark', { skip: 'tshark is missing: apt-get install tshark' })
    return
  }
  t.equal(oracle.length, datagrams.length)
  const tap = new Tap(known)
  datagrams.forEach(({ timeUs: atUs, path, octets }, index) => {
    const { 'rtcp.roundtrip-delay': delay, ...theirs } = oracle[index] ?? {}
    t.strictSame(fieldsOf(packetsOf(octets)), theirs, `datagram ${index}`)
    tap.hear(atUs / US_PER_S, path, octets)
    const rows = tap.rows()
    if (path !== FROM_BOB) return
    const ms = rows.find(({ ssrc, kind }) => ssrc === '0x11223344' && kind === 'rr')?.roundTripMs
    // It prints the leg at every block of the report, cut to milliseconds like the delay it takes off, and none of less than one.
    const theirMs = Number(delay?.split(',')[0])
    const isSame = theirMs === 0 ? (ms ?? NaN) < 2 : Math.abs((ms ?? NaN) - theirMs) < 2
    t.ok(isSame, `leg of datagram ${index}: ${ms ?? 'none'} ms, tshark ${theirMs}`)
  })
})

const FIELDS = [
  'rtcp.pt',
  'rtcp.senderssrc',
  'rtcp.timestamp.ntp.msw',
  'rtcp.timestamp.ntp.lsw',
  'rtcp.timestamp.rtp',
  'rtcp.sender.packetcount',
  'rtcp.sender.octetcount',
  'rtcp.ssrc.identifier',
  'rtcp.ssrc.fraction',
  'rtcp.ssrc.cum_nr',
  'rtcp.ssrc.ext_high',
  'rtcp.ssrc.jitter',
  'rtcp.ssrc.lsr',
  'rtcp.ssrc.dlsr',
  'rtcp.sdes.text',
  'rtcp.xr.bt',
  'rtcp.xr.lrr',
  'rtcp.xr.dlrr',
  'rtcp.ssrc.discarded',
  'rtcp.xr.voipmetrics.burstdensity',
  'rtcp.xr.voipmetrics.gapdensity',
  'rtcp.xr.voipmetrics.burstduration',
  'rtcp.xr.voipmetrics.gapduration',
  'rtcp.xr.voipmetrics.signallevel',
  'rtcp.xr.voipmetrics.noiselevel',
  'rtcp.xr.voipmetrics.gmin',
  'rtcp.xr.voipmetrics.jbrate',
  'rtcp.length_check',
  'rtcp.roundtrip-delay',
] as const

async function dissect(
  datagrams: readonly { timeUs: number; path: Path; octets: Buffer }[],
): Promise<readonly Fields[] | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-tshark-'))
  try {
    const file = join(folder, 'rtcp.pcap')
    const frames = datagrams.map(({ timeUs, path, octets }) => ({
      timeUs,
      frame: udpFrame(octets, path),
    }))
    await writeFile(file, pcapFile(frames))
    const run = spawnSync(
      'tshark',
      [
        ...['-r', file, '-d', 'udp.port==4001,rtcp', '-o', 'rtcp.show_roundtrip_calculation:TRUE'],
        ...['-o', 'rtcp.roundtrip_min_threshhold:1'],
        ...['-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=a', '-E', 'aggregator=,'],
        ...FIELDS.flatMap((field) => ['-e', field]),
      ],
      { encoding: 'utf8' },
    )
    if (run.error !== undefined) return undefined
    return run.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const values = line.split('\t')
        return Object.fromEntries(FIELDS.map((field, index) => [field, values[index] ?? '']))
      })
  } finally {
    await rm(folder, { recursive: true })
  }
}

function fieldsOf(packets: readonly RtcpPacket[]): Fields {
  const found = new Map<string, (number | string)[]>(
    FIELDS.filter((field) => field !== 'rtcp.roundtrip-delay').map((field) => [field, []]),
  )
  const add = (field: (typeof FIELDS)[number], ...values: readonly (number | string)[]): void => {
    found.get(field)?.push(...values)
  }
  for (const packet of packets) {
    switch (packet.type) {
      case 'SR':
        add('rtcp.pt', 200)
        add('rtcp.senderssrc', ssrcText(packet.ssrc))
        add('rtcp.timestamp.ntp.msw', packet.ntpSeconds)
        add('rtcp.timestamp.ntp.lsw', packet.ntpFraction)
        add('rtcp.timestamp.rtp', packet.rtpTimestamp)
        add('rtcp.sender.packetcount', packet.packetCount)
        add('rtcp.sender.octetcount', packet.octetCount)
        break
      case 'RR':
        add('rtcp.pt', 201)
        add('rtcp.senderssrc', ssrcText(packet.ssrc))
        break
      case 'SDES':
        add('rtcp.pt', 202)
        for (const { ssrc, cname = '' } of packet.chunks) {
          add('rtcp.ssrc.identifier', ssrcText(ssrc))
          add('rtcp.sdes.text', cname)
        }
        break
      case 'BYE':
        add('rtcp.pt', 203)
        add('rtcp.ssrc.identifier', ...packet.sources.map(ssrcText))
        break
      case 'XR':
        add('rtcp.pt', 207)
        add('rtcp.senderssrc', ssrcText(packet.ssrc))
        for (const block of packet.blocks) {
          switch (block.type) {
            case 'RRT':
              add('rtcp.xr.bt', 4)
              // It prints this time as a date only.
              break
            case 'DLRR':
              add('rtcp.xr.bt', 5)
              for (const item of block.items) {
                add('rtcp.ssrc.identifier', ssrcText(item.ssrc))
                add('rtcp.xr.lrr', item.lastReceiverReport)
                add('rtcp.xr.dlrr', item.delaySinceLastReceiverReport)
              }
              break
            case 'VoIP':
              add('rtcp.xr.bt', 7)
              add('rtcp.ssrc.identifier', ssrcText(block.ssrc))
              add('rtcp.ssrc.fraction', block.lossRatio * 256)
              add('rtcp.ssrc.discarded', block.discardRatio * 256)
              add('rtcp.xr.voipmetrics.burstdensity', block.burstDensityRatio * 256)
              add('rtcp.xr.voipmetrics.gapdensity', block.gapDensityRatio * 256)
              add('rtcp.xr.voipmetrics.burstduration', block.burstDurationMs)
              add('rtcp.xr.voipmetrics.gapduration', block.gapDurationMs)
              add('rtcp.xr.voipmetrics.signallevel', block.signalLevelDbm ?? 127)
              add('rtcp.xr.voipmetrics.noiselevel', block.noiseLevelDbm ?? 127)
              add('rtcp.xr.voipmetrics.gmin', block.gmin)
              add('rtcp.xr.voipmetrics.jbrate', block.jitterBufferRate)
          }
        }
    }
    if (packet.type === 'SR' || packet.type === 'RR')
      for (const report of packet.reports) {
        add('rtcp.ssrc.identifier', ssrcText(report.ssrc))
        add('rtcp.ssrc.fraction', report.fractionLost)
        add('rtcp.ssrc.cum_nr', report.cumulativeLost)
        add('rtcp.ssrc.ext_high', report.extendedHighestSequence)
        add('rtcp.ssrc.jitter', report.jitterTicks)
        add('rtcp.ssrc.lsr', report.lastSenderReport)
        add('rtcp.ssrc.dlsr', report.delaySinceLastSenderReport)
      }
  }
  add('rtcp.length_check', 1)
  return Object.fromEntries([...found].map(([field, values]) => [field, values.join(',')]))
}

const ALICE_TO_BOB = {
  codec: 'PCMA',
  clockRate: 8000,
  srcIp: '10.0.0.1',
  srcPort: 4000,
  dstIp: '10.0.0.2',
  dstPort: 6000,
}
const BOB_TO_ALICE = {
  ...ALICE_TO_BOB,
  srcIp: '10.0.0.2',
  srcPort: 6000,
  dstIp: '10.0.0.1',
  dstPort: 4000,
}
/** The figures of a report of which nothing is known. */
const NOTHING = {
  expected: undefined,
  lost: undefined,
  jitterMs: undefined,
  roundTripMs: undefined,
  discardRatio: undefined,
  burstDensityRatio: undefined,
  gapDensityRatio: undefined,
  burstDurationMs: undefined,
  gapDurationMs: undefined,
  endSystemDelayMs: undefined,
  jitterBufferMs: undefined,
  signalLevelDbm: undefined,
  noiseLevelDbm: undefined,
  rFactor: undefined,
  mosLq: undefined,
  mosCq: undefined,
}

function known(ssrc: number): ReturnType<FindStream> {
  if (ssrc === ALICE) return ALICE_TO_BOB
  return ssrc === BOB ? BOB_TO_ALICE : undefined
}

/** A monitor that hears datagrams at seconds of its own. */
class Tap {
  readonly monitor: RtcpMonitor
  #nowS = 0

  constructor(findStream: FindStream, maxSources = 1000) {
    this.monitor = new RtcpMonitor({ maxSources, findStream })
  }

  hear(timeS: number, path: Path, ...packets: readonly Uint8Array[]): void {
    this.hearCut(timeS, path, Buffer.concat(packets), Infinity)
  }

  hearCut(timeS: number, path: Path, octets: Buffer, captured: number): void {
    this.#nowS = timeS
    const padded = Buffer.concat([Buffer.alloc(3), octets])
    const view = new DataView(padded.buffer, padded.byteOffset, padded.length)
    const seen = Math.min(captured, octets.length)
    this.monitor.handle(view, 3, octets.length, seen, datagramOn(path), timeS * US_PER_S)
  }

  rows(timeS = this.#nowS): readonly ReportRow[] {
    return this.monitor.takeInterval(timeS * US_PER_S)
  }
}

function datagramOn({ from = '', fromPort = 0, to = '', toPort = 0 }: Path): Datagram {
  const datagram = new Datagram()
  const [source, destination] = [parseNetwork(from), parseNetwork(to)]
  datagram.ipVersion = source?.version ?? 4
  datagram.source.set(source?.words ?? [])
  datagram.destination.set(destination?.words ?? [])
  datagram.sourcePort = fromPort
  datagram.destinationPort = toPort
  return datagram
}

function parse(octets: Uint8Array, captured = octets.length): RtcpResult {
  const view = new DataView(octets.buffer, octets.byteOffset, Math.min(captured, octets.length))
  return parseRtcp(view, 0, octets.length, captured)
}

function packetsOf(octets: Uint8Array): readonly RtcpPacket[] {
  const result = parse(octets)
  return result.kind === 'rtcp' ? result.packets : []
}

function reportsIn(result: RtcpResult): number {
  const [packet] = result.kind === 'rtcp' ? result.packets : []
  return packet?.type === 'SR' || packet?.type === 'RR' ? packet.reports.length : -1
}

function vector(name: string): Uint8Array {
  const found = vectors.rtcpPackets.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no vector ${name}`)
  return Buffer.from(found.hex, 'hex')
}

/** As SRTCP leaves it: header and first SSRC clear, the rest random, and so many octets more. */
function seal(plain: Uint8Array, trailer: number): Buffer {
  const random = generator(plain.length + trailer)
  const sealed = Buffer.alloc(plain.length + trailer)
  for (let at = 0; at < sealed.length; at++) sealed[at] = Math.floor(random() * 256)
  sealed.set(plain.subarray(0, 8))
  return sealed
}

function words(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => octets.writeUInt32BE(value >>> 0, index * 4))
  return octets
}

/** Xorshift (Marsaglia 2003), 0 to 1: the same in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

function near(
  t: { ok(value: boolean, message: string): void },
  actual: number | undefined,
  expected: number,
  message: string,
): void {
  const isNear = Math.abs((actual ?? NaN) - expected) < 0.02
  t.ok(isNear, `${message}: ${actual ?? 'none'} ms, expected ${expected}`)
}
