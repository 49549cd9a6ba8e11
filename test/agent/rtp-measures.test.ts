import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { z } from 'zod'
import { closeBursts, readBursts } from '../../agent/rtp/burst.ts'
import { tickUs } from '../../agent/rtp/jitter.ts'
import { closeRuns, readRuns } from '../../agent/rtp/loss-runs.ts'
import { DELTA_BOUNDS_MS, type Measures } from '../../agent/rtp/measures.ts'
import { AUDIO, COMFORT_NOISE, TELEPHONE_EVENT, kindWithoutName } from '../../agent/rtp/payload.ts'
import { Reception } from '../../agent/rtp/reception.ts'
import { openWords, settle, wordOf } from '../../agent/rtp/settlement.ts'
import { DISCARDED, RUN_PACKETS, SEEN, StreamStates } from '../../agent/rtp/stream-state.ts'

const START_US = 1_750_000_000_000_000
const PACKET_US = 20_000
const PACKET_TICKS = 160
const TICK_US = 125
const OCTETS = 160

const rtpVectors = z
  .object({
    scenarios: z.array(
      z.object({
        name: z.string(),
        clockRate: z.number(),
        /** Sequence number, timestamp, arrival in microseconds, payload type, marker. */
        packets: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])),
      }),
    ),
    fixedJitterBuffer: z.object({
      vectors: z.array(
        z.object({
          scenario: z.string(),
          results: z.array(
            z.object({ depthMs: z.number(), discarded: z.number(), played: z.number() }),
          ),
        }),
      ),
    }),
  })
  .parse(fixture('rtp.json'))
const burstVectors = z
  .object({
    vectors: z.array(
      z.object({
        name: z.string(),
        packetMs: z.number(),
        pattern: z.string(),
        exact: z.object({
          packets: z.number(),
          lost: z.number(),
          discarded: z.number(),
          burstCount: z.number(),
          burstPackets: z.number(),
          burstLossOrDiscard: z.number(),
          gapCount: z.number(),
          gapPackets: z.number(),
          gapLossOrDiscard: z.number(),
          field: z.object({
            burstDensity: z.number(),
            gapDensity: z.number(),
            burstDurationMs: z.number(),
            gapDurationMs: z.number(),
          }),
          lossRuns: z.object({
            histogram: z.record(z.string(), z.number()),
            mean: z.number(),
            burstRunclamped: z.number().nullable(),
          }),
        }),
      }),
    ),
  })
  .parse(fixture('xr-burst.json')).vectors

test('bursts and gaps are those of the definition in RFC 3611', async (t) => {
  t.equal(burstVectors.length, 15)
  for (const { name, packetMs, pattern, exact } of burstVectors) {
    const { ints } = settled(pattern)
    const bursts = readBursts(ints, 0)
    t.strictSame(
      bursts,
      {
        bursts: exact.burstCount,
        burstPackets: exact.burstPackets,
        burstBad: exact.burstLossOrDiscard,
        gaps: exact.gapCount,
        gapPackets: exact.gapPackets,
        gapBad: exact.gapLossOrDiscard,
      },
      name,
    )
    const density = (bad: number, packets: number) =>
      packets === 0 ? 0 : Math.min(255, Math.floor((256 * bad) / packets))
    const duration = (packets: number, count: number) =>
      count === 0 ? 0 : Math.round((packets * packetMs) / count)
    t.strictSame(
      {
        burstDensity: density(bursts.burstBad, bursts.burstPackets),
        gapDensity: density(bursts.gapBad, bursts.gapPackets),
        burstDurationMs: duration(bursts.burstPackets, bursts.bursts),
        gapDurationMs: duration(bursts.gapPackets, bursts.gaps),
      },
      {
        burstDensity: exact.field.burstDensity,
        gapDensity: exact.field.gapDensity,
        burstDurationMs: exact.field.burstDurationMs,
        gapDurationMs: exact.field.gapDurationMs,
      },
      `${name}: the fields of the VoIP metrics block`,
    )
  }
})

test('runs of consecutive loss, and the burst ratio they make', async (t) => {
  for (const { name, pattern, exact } of burstVectors) {
    // The runs of the vectors are of loss and discard; ours are of loss.
    if (exact.discarded > 0) continue
    const { ints } = settled(pattern)
    const runs = readRuns(ints, 0)
    t.strictSame(
      runs,
      Array.from({ length: 10 }, (_, index) => exact.lossRuns.histogram[String(index + 1)] ?? 0),
      name,
    )
    if (exact.lost === 0) continue
    const count = runs.reduce((sum, one) => sum + one, 0)
    const mean = (ints[RUN_PACKETS] ?? 0) / count
    t.ok(Math.abs(mean - exact.lossRuns.mean) < 1e-6, `${name}: mean`)
    const ratio = mean * (1 - exact.lost / exact.packets)
    t.ok(Math.abs(ratio - (exact.lossRuns.burstRunclamped ?? NaN)) < 1e-6, `${name}: BurstR`)
  }
})

test('a fixed buffer that starts with the first packet discards what the vectors say', async (t) => {
  const scenarios = new Map(rtpVectors.scenarios.map((scenario) => [scenario.name, scenario]))
  let compared = 0
  for (const { scenario: name, results } of rtpVectors.fixedJitterBuffer.vectors) {
    const scenario = scenarios.get(name)
    if (scenario === undefined) continue
    for (const { depthMs, discarded, played } of results) {
      const depthUs = depthMs * 1000
      const reception = new Reception(1, { shallowUs: depthUs, deepUs: depthUs, anchor: 'first' })
      reception.open(0, scenario.packets[0]?.[0] ?? 0)
      const usPerTick = tickUs(scenario.clockRate)
      for (const [number, timestamp, us, , marker] of scenario.packets)
        reception.receive(0, number, timestamp | 0, us, 160, usPerTick, marker === 1, AUDIO)
      const measures = reception.measures(0, Infinity, true)
      t.equal(measures.discarded.fixed50, discarded, `${name} at ${depthMs} ms`)
      t.equal(measures.discarded.fixed200, discarded)
      t.equal(measures.expected - measures.lostUnique - discarded, played)
      compared++
    }
  }
  t.equal(compared, 64, 'the packets of two more scenarios are not in the fixture')
})

test('loss, copies and order are those of a list that was sorted', async (t) => {
  const random = seeded(1)
  for (let round = 0; round < 300; round++) {
    const first = Math.floor(random() * 65_536)
    const sent = arrivals(random, { packets: 40 + Math.floor(random() * 400), delayUs: 900_000 })
    const came = sent.map(({ number }) => number)
    const reception = new Reception(1)
    // The first of them all is known, as if it had been waited for.
    reception.open(0, first)
    for (const { number, us } of sent)
      reception.receive(0, (first + number) & 0xffff, 0, us, OCTETS, 0, false, AUDIO)
    const measures = reception.measures(0, Infinity, true)
    const highest = Math.max(0, ...came)
    const distinct = new Set(came)
    const pattern = Array.from({ length: highest + 1 }, (_, n) => (distinct.has(n) ? '1' : '0'))
    let newest = -1
    let reordered = 0
    const seen = new Set<number>()
    for (const number of came) {
      if (number < newest && !seen.has(number)) reordered++
      newest = Math.max(newest, number)
      seen.add(number)
    }
    const runs = (pattern.join('').match(/0+/g) ?? []).map((run) => run.length)
    const expected = {
      expected: highest + 1,
      received: came.length,
      lost: highest + 1 - came.length,
      lostUnique: highest + 1 - distinct.size,
      duplicates: came.length - distinct.size,
      reordered,
      rejected: 0,
      lossRunPackets: highest + 1 - distinct.size,
      lossRuns: Array.from(
        { length: 10 },
        (_, index) => runs.filter((run) => Math.min(run, 10) === index + 1).length,
      ),
      bursts: burstsOf(pattern.join('')),
    }
    if (!t.match(measures, expected, `round ${round}`)) return
  }
})

test('a buffer discards first copies that come too late after the fastest packet so far', async (t) => {
  const random = seeded(2)
  for (let round = 0; round < 100; round++) {
    const packets = arrivals(random, { packets: 300, delayUs: 400 * 1000 * random() })
    const reception = new Reception(1)
    reception.open(0, 0)
    let anchor = Infinity
    const seen = new Set<number>()
    const discarded = { fixed50: 0, fixed200: 0 }
    for (const { number, us } of packets) {
      reception.receive(0, number, number * 160, us, OCTETS, TICK_US, false, AUDIO)
      if (seen.has(number)) continue
      seen.add(number)
      // Older than the first: never expected, not played.
      if (number < (packets[0]?.number ?? 0)) continue
      const transit = us - number * PACKET_US
      anchor = Math.min(anchor, transit)
      if (transit - anchor > 50_000) discarded.fixed50++
      if (transit - anchor > 200_000) discarded.fixed200++
    }
    const first = new Reception(1)
    first.open(0, packets[0]?.number ?? 0)
    for (const { number, us } of packets)
      first.receive(0, number, number * 160, us, OCTETS, TICK_US, false, AUDIO)
    if (!t.match(first.measures(0, Infinity, true).discarded, discarded, `round ${round}`)) return
  }
})

test('however a stream is cut into intervals, their sums are the same', async (t) => {
  const random = seeded(3)
  for (let round = 0; round < 100; round++) {
    const packets = arrivals(random, { packets: 1500, delayUs: 300_000 * random() })
    const base = packets[0]?.number ?? 0
    const whole = new Reception(1)
    const cut = new Reception(1)
    whole.open(0, base)
    cut.open(0, base)
    const parts: Measures[] = []
    for (const { number, us, kind } of packets) {
      for (const reception of [whole, cut])
        reception.receive(0, number, number * 160, us, OCTETS, TICK_US, false, kind)
      if (random() > 0.01) continue
      parts.push(cut.measures(0, us + 15_000, false))
      cut.startInterval(0)
    }
    parts.push(cut.measures(0, Infinity, true))
    const sum = parts.map(additive).reduce((sums, one) => sums.map((v, i) => v + (one[i] ?? NaN)))
    const expected = additive(whole.measures(0, Infinity, true))
    if (!t.strictSame(sum, expected, `round ${round}, ${parts.length} intervals`)) return
  }
})

test('of whatever comes, every packet is counted once, and no cut changes the sums', async (t) => {
  const random = seeded(6)
  for (let round = 0; round < 200; round++) {
    const whole = opened()
    const cut = opened()
    const parts: Measures[] = []
    const packets = 500
    let number = 0
    let timestamp = 0
    let us = 0
    for (let packet = 0; packet < packets; packet++) {
      const kind = [AUDIO, AUDIO, AUDIO, COMFORT_NOISE, TELEPHONE_EVENT][Math.floor(random() * 5)]
      const jumps = random() < 0.1
      number = (number + (jumps ? Math.floor(random() * 65_536) : 1)) & 0xffff
      timestamp = (timestamp + (random() < 0.02 ? random() * 2 ** 32 : 160)) | 0
      us += random() < 0.02 ? (random() - 0.2) * 10e6 : random() * 40_000
      const marker = random() < 0.1
      for (const reception of [whole, cut])
        send(reception, number, { us, timestamp, marker, ...(kind !== undefined && { kind }) })
      if (random() > 0.05) continue
      parts.push(cut.measures(0, START_US + us, false))
      cut.startInterval(0)
    }
    parts.push(cut.measures(0, Infinity, true))
    const measures = whole.measures(0, Infinity, true)
    const expected = additive(measures)
    const sum = parts.map(additive).reduce((sums, one) => sums.map((v, i) => v + (one[i] ?? NaN)))
    if (!t.strictSame(sum, expected, `round ${round}`)) return
    const { bursts, lossRunPackets, lostUnique, discarded } = measures
    t.equal(measures.received + measures.rejected, packets)
    t.equal(bursts.burstPackets + bursts.gapPackets, measures.expected)
    const bad = bursts.burstBad + bursts.gapBad
    // What came after it was settled was counted as a loss in the runs.
    t.ok(lossRunPackets >= lostUnique && bad >= lossRunPackets, `${lostUnique} ${lossRunPackets}`)
    t.ok(discarded.fixed200 <= discarded.fixed50)
    t.ok(Object.values(measures).every((value) => !Number.isNaN(value)))
  }
})

test('mean and 95th percentile are those of the jitter of each packet', async (t) => {
  const random = seeded(4)
  for (const scale of [200, 3000, 40_000]) {
    const reception = opened()
    const jitters: number[] = []
    let jitter = 0
    let before: number | undefined
    for (let number = 0; number < 2000; number++) {
      const delay = Math.floor(random() * scale)
      send(reception, number, { us: number * PACKET_US + delay })
      if (before !== undefined) {
        jitter += (Math.abs(delay - before) - jitter) / 16
        jitters.push(jitter / 1000)
      }
      before = delay
    }
    const { jitterMs, jitterMeanMs, jitterP95Ms, jitterMaxMs, jitterSamples } = read(reception)
    const sorted = [...jitters].sort((a, b) => a - b)
    const near = (found: number | undefined, wanted: number, share: number) =>
      t.ok(Math.abs((found ?? NaN) - wanted) <= wanted * share, `${found} is nearly ${wanted}`)
    t.equal(jitterSamples, 1999)
    near(jitterMs, jitters.at(-1) ?? NaN, 1e-6)
    near(jitterMeanMs, jitters.reduce((sum, one) => sum + one, 0) / 1999, 1e-6)
    near(jitterMaxMs, sorted.at(-1) ?? NaN, 1e-6)
    near(jitterP95Ms, sorted[Math.ceil(0.95 * 1999) - 1] ?? NaN, 0.1)
  }
})

test('jitter that was not measured is absent, and a new interval begins without one', async (t) => {
  const reception = opened(1)
  send(reception, 1, { us: 0 })
  t.match(read(reception), { jitterMs: undefined, jitterP95Ms: undefined, jitterSamples: 0 })
  // 16 ms later than its timestamp: J = 16 / 16 = 1 ms
  send(reception, 2, { us: 36_000 })
  t.match(read(reception), { jitterMs: 1, jitterMeanMs: 1, jitterP95Ms: 1, jitterMaxMs: 1 })
  reception.startInterval(0)
  t.match(read(reception), {
    activeMs: undefined,
    jitterMs: undefined,
    deltaMeanMs: undefined,
    octets: 0,
    expected: 0,
    received: 0,
  })
  send(reception, 3, { us: 56_000 })
  t.match(read(reception), { jitterMs: 0.9375, deltaMaxMs: 20, activeMs: 0, expected: 1 })
})

test('a timestamp that wraps is no jitter', async (t) => {
  const reception = opened()
  send(reception, 0, { us: 0, timestamp: 0xffffffc0 | 0 })
  send(reception, 1, { us: PACKET_US, timestamp: 0x60 })
  t.equal(read(reception).jitterMaxMs, 0)
})

test('the time between arrivals falls into the bin whose bound it does not exceed', async (t) => {
  const deltasUs = [0, 1, 5000, 5001, 20_000, 20_001, 100_000, 500_000, 500_001, 9_000_000]
  const reception = opened()
  let us = 0
  send(reception, 0, { us })
  for (const [index, delta] of deltasUs.entries()) send(reception, index + 1, { us: (us += delta) })
  const { deltaCounts, deltaSamples, deltaMaxMs, deltaMeanMs } = read(reception)
  t.equal(deltaCounts.length, DELTA_BOUNDS_MS.length + 1)
  //                        5 10 15 20 25 30 40 60 80 100 150 200 500 more
  t.strictSame(deltaCounts, [3, 1, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0, 1, 2])
  t.match({ deltaSamples, deltaMaxMs, deltaMeanMs }, { deltaSamples: 10, deltaMaxMs: 9000 })
  t.equal(deltaMeanMs, us / 10 / 1000)
})

test('a clock that is set, back or forth, poisons neither jitter nor the times between arrivals', async (t) => {
  for (const step of [-3600, -5, 5, 3600]) {
    const reception = opened()
    for (let number = 0; number < 100; number++)
      send(reception, number, { us: number * PACKET_US + (number >= 50 ? step * 1e6 : 0) })
    const measures = read(reception)
    t.equal(measures.jitterMaxMs, 0, `${step} s`)
    t.match(measures.discarded, { fixed50: 0, fixed200: 0, adaptive: 0 })
    t.match(measures, { expected: 100, lostUnique: 0, clockSkewPpm: undefined })
    t.ok((measures.deltaMeanMs ?? NaN) >= 20)
    t.equal(measures.deltaSamples, step < 0 ? 98 : 99)
  }
})

test('packets captured a little out of order have no negative time between them', async (t) => {
  const reception = opened()
  for (const [number, us] of [0, 20_000, 19_990, 40_000].entries()) send(reception, number, { us })
  t.match(read(reception), { deltaSamples: 2, deltaMaxMs: 20, deltaMeanMs: 20, activeMs: 40 })
})

test('comfort noise is counted, keeps out of the jitter and ends in a talkspurt', async (t) => {
  const reception = played('comfort-noise')
  const measures = read(reception)
  t.match(measures, { expected: 22, lostUnique: 0, comfortNoise: 2, events: 0, talkspurts: 1 })
  // Plain RFC 3550 makes 0.25 ms of the 4 ms after the noise.
  t.match(measures, { jitterMaxMs: 0, jitterSamples: 18, packetMs: 20 })
})

test('telephone events are counted, keep out of the jitter and are no pause', async (t) => {
  const measures = read(played('telephone-event'))
  t.match(measures, { expected: 28, events: 8, comfortNoise: 0, talkspurts: 0, lostUnique: 0 })
  // Plain RFC 3550 makes 15.57 ms of the frozen timestamps, tshark 9.375.
  t.match(measures, { jitterMaxMs: 0, jitterSamples: 18 })
  t.match(measures.discarded, { fixed50: 0, fixed200: 0, adaptive: 0 })
})

test('a pause in speech is no loss, no jitter, no silence, and shows that the sender pauses', async (t) => {
  const reception = opened()
  let number = 0
  for (let talkspurt = 0; talkspurt < 3; talkspurt++)
    for (let packet = 0; packet < 60; packet++, number++) {
      const ms = talkspurt * 4000 + packet * 20
      send(reception, number, { us: ms * 1000, timestamp: ms * 8, marker: packet === 0 })
    }
  const measures = read(reception)
  t.match(measures, { expected: 180, lostUnique: 0, talkspurts: 2, jitterMaxMs: 0 })
  t.match(measures, { gapMs: undefined, packetMs: 20 })
  t.match(measures.discarded, { fixed50: 0, fixed200: 0, adaptive: 0 })
  t.notOk(reception.isConstantRate(0))
  t.equal(reception.stalledUs(0, START_US + 60e6), 0)
})

test('the single packets of Opus in a pause are neither talkspurts nor its packet time', async (t) => {
  const reception = opened()
  let number = 0
  const go = (fromMs: number, packets: number, packetMs: number) => {
    for (let packet = 0; packet < packets; packet++) {
      const ms = fromMs + packet * packetMs
      send(reception, number++, { us: ms * 1000, timestamp: ms * 8 })
    }
  }
  go(0, 100, 20)
  go(2400, 10, 400)
  go(6500, 100, 20)
  t.match(read(reception), { talkspurts: 1, packetMs: 20, jitterMaxMs: 0, lostUnique: 0 })
})

test('loss is no pause, whatever is lost', async (t) => {
  const reception = opened()
  for (let number = 0; number < 400; number++)
    if (number % 7 < 4) send(reception, number, { us: number * PACKET_US })
  t.match(read(reception), { talkspurts: 0, packetMs: 20 })
})

test('the packet time is learnt from timestamps, and learnt again when it changes', async (t) => {
  const reception = opened()
  let ms = 0
  const go = (from: number, to: number, packetMs: number) => {
    for (let number = from; number < to; number++, ms += packetMs)
      send(reception, number, { us: ms * 1000, timestamp: ms * 8 })
    return read(reception).packetMs
  }
  t.equal(go(0, 3, 20), undefined, 'two steps are not enough')
  t.equal(go(3, 10, 20), 20)
  t.equal(go(10, 12, 30), 20)
  t.equal(go(12, 20, 30), 30)
  reception.changeCodec(0, false)
  t.equal(read(reception).packetMs, undefined, 'another codec')
})

test('a stream that runs fast or slow is told from jitter, with the error of it', async (t) => {
  for (const ppm of [-80, 0, 50]) {
    const random = seeded(5)
    const reception = opened()
    for (let number = 0; number < 3000; number++) {
      const us = number * PACKET_US * (1 - ppm / 1e6) + random() ** 2 * 4000
      send(reception, number, { us: Math.round(us) })
      if (number === 400) t.equal(read(reception).clockSkewPpm, undefined, '8 s are too short')
    }
    const { clockSkewPpm = NaN, clockSkewErrorPpm = NaN } = read(reception)
    t.ok(Math.abs(clockSkewPpm - ppm) <= clockSkewErrorPpm, `${clockSkewPpm} is ${ppm}`)
    t.ok(clockSkewErrorPpm > 0 && clockSkewErrorPpm < 5, `+- ${clockSkewErrorPpm}`)
  }
})

test('a delay that changes its way is not taken for a clock', async (t) => {
  const reception = opened()
  for (let number = 0; number < 1500; number++)
    send(reception, number, { us: number * PACKET_US + (number > 700 ? 30_000 : 0) })
  t.equal(read(reception).clockSkewPpm, undefined)
})

test('a late first packet and a slow clock deceive a buffer that starts with the first packet, not ours', async (t) => {
  const late = (anchor: 'fastest' | 'first') => {
    const reception = new Reception(1, { shallowUs: 50_000, deepUs: 200_000, anchor })
    reception.open(0, 0)
    for (let number = 0; number < 300; number++) {
      const delay = number === 0 ? 90_000 : number % 3 === 2 ? 70_000 : 0
      send(reception, number, { us: number * PACKET_US + delay })
    }
    return read(reception).discarded.fixed50
  }
  t.equal(late('first'), 0)
  t.equal(late('fastest'), 100)
  const slow = (anchor: 'fastest' | 'first') => {
    const reception = new Reception(1, { shallowUs: 50_000, deepUs: 200_000, anchor })
    reception.open(0, 0)
    // 100 ppm for ten minutes: 60 ms
    for (let number = 0; number < 30_000; number++)
      send(reception, number, { us: Math.round(number * PACKET_US * 1.0001) })
    return read(reception).discarded
  }
  t.match(slow('first'), { fixed50: 4999 })
  t.match(slow('fastest'), { fixed50: 0, fixed200: 0, adaptive: 0 })
})

test('where the way becomes longer for good, buffers of fixed depth discard until the window has moved on', async (t) => {
  const reception = opened()
  for (let number = 0; number < 2000; number++)
    send(reception, number, { us: number * PACKET_US + (number >= 1000 ? 100_000 : 0) })
  const { fixed50, fixed200 } = read(reception).discarded
  t.ok(fixed50 >= 8 * 50 && fixed50 <= 10 * 50, String(fixed50))
  t.equal(fixed200, 0)
})

test('the adaptive buffer discards a first spike, then grows with the jitter, to 500 ms at most', async (t) => {
  const reception = opened()
  let number = 0
  const go = (seconds: number, delayMs: (number: number) => number) => {
    for (const end = number + seconds * 50; number < end; number++)
      send(reception, number, { us: number * PACKET_US + delayMs(number) * 1000 })
    const { discarded } = read(reception)
    reception.startInterval(0)
    return discarded
  }
  t.match(
    go(10, () => 0),
    { adaptive: 0 },
  )
  t.match(
    go(2, (n) => (n % 50 === 0 ? 39 : 0)),
    { adaptive: 0 },
    'it holds 40 ms at least',
  )
  t.match(
    go(2, (n) => (n % 50 === 0 ? 90 : 0)),
    { fixed50: 2, adaptive: 2 },
  )
  const growing = go(20, (n) => (n % 2) * 90).adaptive
  t.ok(growing > 0 && growing < 100, `${growing} discarded before it had grown`)
  t.match(
    go(10, (n) => (n % 2) * 90),
    { fixed50: 250, fixed200: 0, adaptive: 0 },
  )
  go(60, (n) => (n % 2) * 600)
  t.match(
    go(10, (n) => (n % 2) * 600),
    { fixed200: 250, adaptive: 250 },
  )
})

test('neither loss nor a copy is a discard', async (t) => {
  const reception = opened()
  for (let number = 0; number < 200; number++) {
    if (number % 5 === 0 && number > 0) continue
    send(reception, number, { us: number * PACKET_US })
    if (number > 50) send(reception, number - 50, { us: number * PACKET_US + 100 })
  }
  const { discarded, duplicates, lostUnique } = read(reception)
  t.match({ duplicates, lostUnique }, { duplicates: 120, lostUnique: 39 })
  t.strictSame(discarded, { fixed50: 0, fixed200: 0, adaptive: 0 })
})

test('a packet that came too late to be played is bad in bursts, but in no run of loss', async (t) => {
  const reception = opened()
  const late = new Set([40, 43])
  for (let number = 0; number < 200; number++) {
    if (number === 45) continue
    if (!late.has(number)) send(reception, number, { us: number * PACKET_US })
    if (late.has(number - 35)) send(reception, number - 35, { us: number * PACKET_US + 1 })
  }
  const measures = read(reception, true)
  t.match(measures, { lostUnique: 1, reordered: 2, lossRunPackets: 1 })
  t.match(measures.lossRuns.slice(0, 2), [1, 0])
  t.match(measures.discarded, { fixed50: 2, fixed200: 2, adaptive: 2 })
  t.match(measures.bursts, { bursts: 1, burstPackets: 6, burstBad: 3, gaps: 2, gapPackets: 194 })
})

test('a loss joins the runs when it is settled: 100 newer packets, two seconds, or the end', async (t) => {
  const until = (last: number, measuredAt: number, ended = false) => {
    const reception = opened()
    for (let number = 0; number <= last; number++)
      if (number !== 10) send(reception, number, { us: number * 1000 })
    const { lossRuns, lostUnique } = reception.measures(0, START_US + measuredAt, ended)
    t.equal(lostUnique, 1)
    return lossRuns[0]
  }
  t.equal(until(110, 111_000), 0, 'it may still come')
  t.equal(until(11, 1_900_000), 0)
  t.equal(until(170, 171_000), 1, 'too old to be taken')
  t.equal(until(11, 2_020_000), 1, 'nothing for two seconds')
  t.equal(until(11, 12_000, true), 1, 'the end')
})

test('a stream at a constant rate that falls silent has stalled, and the silence is a gap when it is over', async (t) => {
  const reception = steady(100)
  t.ok(reception.isConstantRate(0))
  const last = 99 * PACKET_US
  t.equal(reception.stalledUs(0, START_US + last + 999_000), 0)
  t.equal(reception.stalledUs(0, START_US + last + 3_000_000), 3_000_000)
  t.equal(reception.measures(0, START_US + last + 3e6, false).stalledMs, 3000)
  send(reception, 350, { us: last + 5_020_000 })
  t.equal(reception.stalledUs(0, START_US + last + 5_020_000), 0)
  t.equal(reception.endedStallUs(0), 5_020_000)
  t.match(read(reception), { gapMs: 5020, gapLost: 0, stalledMs: undefined, lostUnique: 250 })
  reception.startInterval(0)
  t.equal(read(reception).gapMs, undefined)
})

test('over a restart at which number, timestamp and clock went on alike, packets are lost in the gap', async (t) => {
  const last = 99
  for (const [numbers, gapLost] of [
    [5000, 4999],
    [70_000, 69_999],
    [140_000, 139_999],
  ] as const) {
    const reception = steady(last + 1)
    for (const extra of [0, 1, 2])
      send(reception, last + numbers + extra, { us: (last + numbers + extra) * PACKET_US })
    // The first packet after the jump is rejected, but came.
    t.match(read(reception), { restarts: 1, rejected: 1, gapLost, expected: 102, lostUnique: 0 })
  }
  const other = (options: (number: number) => Partial<Sent>) => {
    const reception = steady(last + 1)
    for (const number of [5099, 5100, 5101])
      send(reception, number, { us: number * PACKET_US, ...options(number) })
    return read(reception)
  }
  t.match(
    other((number) => ({ timestamp: number * 160 + 8_000_000 })),
    { restarts: 1, gapLost: 0 },
    'another timestamp',
  )
  t.match(
    other((number) => ({ us: (number - 4998) * PACKET_US })),
    { restarts: 1, gapLost: 0 },
    'another time',
  )
})

test('a silence with a reason at any time during it is excused', async (t) => {
  const at = (ms: number) => START_US + 99 * PACKET_US + ms * 1000
  const resumed = (reception: Reception, ms: number) => {
    send(reception, 99 + ms / 20, { us: 99 * PACKET_US + ms * 1000 })
    return read(reception).gapMs
  }
  const held = steady(100)
  held.excuse(0, true, at(10))
  t.equal(held.stalledUs(0, at(4000)), 0)
  held.excuse(0, false, at(4900))
  t.equal(held.stalledUs(0, at(4950)), 0, 'it has not had time to resume')
  t.equal(resumed(held, 5000), undefined)
  t.equal(held.stalledUs(0, at(8000)), 3_000_000, 'not for the next one')

  const brief = steady(100)
  brief.excuse(0, true, at(10))
  brief.excuse(0, false, at(20))
  t.equal(brief.stalledUs(0, at(4000)), 4_000_000, 'the hold was over before the silence')
  t.equal(resumed(brief, 4000), 4000)
})

test('a stream too young, or that pauses by itself, does not stall', async (t) => {
  const young = steady(40)
  t.equal(young.stalledUs(0, START_US + 20e6), 0)
  const pausing = steady(200)
  send(pausing, 200, { us: 200 * PACKET_US, kind: COMFORT_NOISE })
  t.equal(pausing.stalledUs(0, START_US + 60e6), 0)
  const paused = steady(200)
  // The next number, and a timestamp that has kept up: the sender paused, though nobody had said so.
  send(paused, 200, { us: 10e6, timestamp: 80_000 })
  t.match(read(paused), { gapMs: undefined, talkspurts: 1, lostUnique: 0, jitterMaxMs: 0 })
})

test('a stream keeps its counts when the table grows, and its neighbours keep theirs', async (t) => {
  const reception = new Reception(2)
  for (const stream of [0, 1]) {
    reception.open(stream, 10)
    send(reception, 10, { us: 0, stream })
  }
  reception.grow(8)
  send(reception, 12, { us: 5000, stream: 1 })
  t.match(reception.measures(0, START_US, false), { expected: 1, received: 1, activeMs: 0 })
  t.match(reception.measures(1, START_US, false), {
    expected: 3,
    received: 2,
    activeMs: 5,
    deltaMaxMs: 5,
    octets: 320,
  })
  t.equal(reception.firstArrivalUs(1), START_US)
  t.equal(reception.lastArrivalUs(1), START_US + 5000)
  reception.open(7, 1)
  t.ok(Number.isNaN(reception.lastArrivalUs(7)))
  t.match(reception.measures(7, START_US, false), { expected: 0, received: 0, jitterMs: undefined })
})

interface Sent {
  readonly us: number
  readonly timestamp: number
  readonly marker: boolean
  readonly kind: number
  readonly stream: number
}

interface Arriving {
  readonly number: number
  readonly us: number
  readonly kind: number
}

function opened(sequenceNumber = 0): Reception {
  const reception = new Reception(1)
  reception.open(0, sequenceNumber)
  return reception
}

/** Packets on time, from number 0 on. */
function steady(packets: number): Reception {
  const reception = opened()
  for (let number = 0; number < packets; number++)
    send(reception, number, { us: number * PACKET_US })
  return reception
}

/** A scenario of the vectors, its interludes known by payload type. */
function played(name: string): Reception {
  const scenario = rtpVectors.scenarios.find((one) => one.name === name)
  const reception = opened(scenario?.packets[0]?.[0])
  for (const [number, timestamp, us, payloadType, marker] of scenario?.packets ?? []) {
    const kind = kindWithoutName(payloadType, payloadType === 101 ? 4 : 160)
    send(reception, number, { us, timestamp, marker: marker === 1, kind })
  }
  return reception
}

function send(reception: Reception, number: number, sent: Partial<Sent> & { us: number }): void {
  const { stream = 0, us, timestamp = number * PACKET_TICKS, marker = false, kind = AUDIO } = sent
  const at = START_US + us
  reception.receive(stream, number & 0xffff, timestamp | 0, at, OCTETS, TICK_US, marker, kind)
}

function read(reception: Reception, ended = false): Measures {
  return reception.measures(0, reception.lastArrivalUs(0), ended)
}

/** One character a packet: 1 came, X came too late to be played, 0 was lost. */
function settled(pattern: string): StreamStates {
  const states = new StreamStates(1)
  const { ints } = states
  for (const [number, character] of Array.from(pattern).entries()) {
    if (number > 0) openWords(ints, 0, number - 1, number)
    const mark = (kind: number) => {
      const word = wordOf(0, kind, number)
      ints[word] = (ints[word] ?? 0) | (1 << number)
    }
    if (character !== '0') mark(SEEN)
    if (character === 'X') mark(DISCARDED)
  }
  settle(ints, 0, pattern.length)
  closeBursts(ints, 0, true)
  closeRuns(ints, 0, true)
  return states
}

/** Bursts by another way than ours: cut the call at every 16 or more good packets. */
function burstsOf(pattern: string): Measures['bursts'] {
  const bad = (part: string) => part.length - part.replaceAll('0', '').length
  const pieces = pattern.split(/1{16,}/).map((piece) => piece.replace(/^1+|1+$/g, ''))
  const found = pieces.filter((piece) => bad(piece) > 1)
  const burstPackets = found.join('').length
  const burstBad = bad(found.join(''))
  // Bursts as X, all else is gap.
  const marked = found.reduce((rest, piece) => rest.replace(piece, 'X'), pattern)
  return {
    bursts: found.length,
    burstPackets,
    burstBad,
    gaps: marked.split('X').filter((gap) => gap !== '').length,
    gapPackets: pattern.length - burstPackets,
    gapBad: bad(pattern) - burstBad,
  }
}

/** Packets of a stream with single losses, bursts of them, copies, and delays that change their order, as they come. */
function arrivals(
  random: () => number,
  { packets, delayUs }: { readonly packets: number; readonly delayUs: number },
): Arriving[] {
  const come: Arriving[] = []
  const loss = random() * 0.2
  let isBad = false
  for (let number = 0; number < packets; number++) {
    isBad = random() < (isBad ? 0.7 : loss / 8)
    if (isBad || random() < loss) continue
    const sentUs = START_US + number * PACKET_US
    const kind = random() < 0.01 ? TELEPHONE_EVENT : AUDIO
    const copies = random() < 0.03 ? 2 : 1
    for (let copy = 0; copy < copies; copy++)
      come.push({ number, us: sentUs + Math.floor(random() ** 3 * delayUs), kind })
  }
  return come.sort((a, b) => a.us - b.us)
}

/** What adds up over intervals. */
function additive(measures: Measures): number[] {
  const { bursts, discarded } = measures
  return [
    measures.expected,
    measures.received,
    measures.lost,
    measures.lostUnique,
    measures.duplicates,
    measures.reordered,
    measures.rejected,
    measures.octets,
    measures.jitterSamples,
    measures.deltaSamples,
    ...measures.deltaCounts,
    ...measures.lossRuns,
    measures.lossRunPackets,
    bursts.bursts,
    bursts.burstPackets,
    bursts.burstBad,
    bursts.gaps,
    bursts.gapPackets,
    bursts.gapBad,
    discarded.fixed50,
    discarded.fixed200,
    discarded.adaptive,
    measures.talkspurts,
    measures.events,
  ]
}

/** mulberry32: the same numbers every time, 0..1. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../fixtures/rtp/${name}`, import.meta.url), 'utf8'))
}
