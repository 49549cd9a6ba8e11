import tap, { test } from 'tap'
import { Evaluator, type Change, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { RULES, rulesOptions } from '../../collector/evaluate/index.ts'
import { lowerBound } from '../../collector/evaluate/wilson.ts'
import { readConfig } from '../../common/config.ts'
import { complaintAbout, measurement, type Measurement } from '../../common/measurement.ts'

tap.setTimeout(60_000)

const S = 1_000_000
const MIN = 60 * S
const H = 60 * MIN
/** 2026-11-22 03:00 UTC */
const NIGHT = 1_795_316_400 * S

interface StreamPoint {
  ssrc?: string
  agent?: string
  from?: string
  to?: string
  at?: string
  intervalMs?: number
  expected?: number
  lost?: number
  duplicates?: number
  ended?: boolean
  drops?: number
}

function stream(endUs: number, point: StreamPoint = {}): Measurement {
  const { agent = 'gw-1', from = 'hq', to = 'carrier-b', at = 'carrier-b' } = point
  const { expected = 500, lost = 0, duplicates = 0 } = point
  return measurement(
    'rtp_stream',
    endUs,
    { site: 'hq', agent, from, to, at, bearer: 'internet', owner: 'carrier-b', codec: 'PCMA' },
    {
      ssrc: point.ssrc ?? '0x00000001',
      src_ip: '10.0.0.1',
      src_port: 4000,
      dst_ip: '203.0.113.1',
      dst_port: 5000,
      payload_type: 8,
      interval_ms: point.intervalMs ?? 10_000,
      expected,
      received: expected - lost + duplicates,
      lost: lost - duplicates,
      lost_unique: lost,
      duplicates,
      ended: point.ended,
      sensor_drops: point.drops,
    },
  )
}

function testStream(
  endUs: number,
  point: { lost?: number; at?: string; isAnswered?: boolean; coveredS?: number } = {},
): Measurement {
  const { lost = 0, at = 'carrier-b', isAnswered = true, coveredS = 10 } = point
  return measurement(
    'rtp_test',
    endUs,
    {
      site: 'hq',
      agent: 'gw-1',
      from: 'hq',
      to: 'carrier-b',
      at,
      target: 'far',
      direction: 'forward',
    },
    {
      interval_ms: coveredS * 1000,
      sent: 500,
      answered: isAnswered,
      ...(isAnswered ? { expected: 50 * coveredS, lost_unique: lost } : {}),
    },
  )
}

function make(options: unknown = {}, restored?: unknown): Evaluator {
  return new Evaluator(rulesOptions.parse(options), restored)
}

/** Intervals of one stream, one after the other, each pushed half a second after its end; the kinds of change after each. */
class Line {
  readonly evaluator: Evaluator
  readonly changes: Change[] = []
  readonly points: Measurement[] = []
  endUs = NIGHT

  constructor(evaluator: Evaluator = make()) {
    this.evaluator = evaluator
  }

  /** One interval; a number is the packets lost of 500. */
  interval(point: StreamPoint | number = {}): string {
    this.endUs += 10 * S
    return this.send(stream(this.endUs, typeof point === 'number' ? { lost: point } : point))
  }

  send(...points: Measurement[]): string {
    const observed = this.take(this.evaluator.observe(points, this.endUs + S / 2))
    const ticked = this.take(this.evaluator.tick(this.endUs + S))
    return [...observed, ...ticked].join(' ')
  }

  /** Time goes by and nothing comes, but for other agents' heartbeats. */
  wait(durationUs: number): string {
    const words: string[] = []
    for (const untilUs = this.endUs + durationUs; this.endUs < untilUs;) {
      this.endUs += 10 * S
      const beat = measurement(
        'agent',
        this.endUs,
        { agent: 'gw-1', site: 'hq' },
        { interval_ms: 10_000, runs: 1 },
      )
      words.push(...this.take(this.evaluator.observe([beat], this.endUs)))
      words.push(...this.take(this.evaluator.tick(this.endUs)))
    }
    return words.join(' ')
  }

  take({ changes, points }: Outcome): string[] {
    this.changes.push(...changes)
    this.points.push(...points)
    return changes.map(({ kind }) => kind)
  }

  verdicts(): unknown[] {
    return this.points.filter(({ name }) => name === 'path').map(({ fields }) => fields['verdict'])
  }

  state(): string {
    return this.evaluator
      .breaches()
      .map(({ state }) => state)
      .join(' ')
  }
}

function firing(): Line {
  const line = new Line()
  line.interval(40)
  line.interval(40)
  return line
}

test('loss over the limit fires at the end of the second interval, counted from the start of the first', async (t) => {
  const line = new Line()
  t.equal(line.interval(0), '')
  t.equal(line.interval(41), '')
  t.equal(line.state(), 'pending')
  t.equal(line.interval(40), 'firing')
  const breach = line.changes[0]?.breach
  t.match(breach, {
    rule: 'path-loss',
    object: 'hq -> carrier-b',
    state: 'firing',
    severity: 'warning',
    summary: '8.1 % of 1,000 packets lost, limit 3 %, newest interval 8 % of 500',
    sinceUs: NIGHT + 10 * S,
    firedUs: NIGHT + 30.5 * S,
    labels: {
      from: 'hq',
      to: 'carrier-b',
      at: 'carrier-b',
      segment: 'hq -> carrier-b',
      source: 'stream',
      site: 'hq',
      bearer: 'internet',
      owner: 'carrier-b',
    },
    evidence: {
      streams: 1,
      streams_over: 1,
      expected: 1000,
      lost_unique: 81,
      loss_ratio: 0.081,
      limit_ratio: 0.03,
      worst_stream: '0x00000001 10.0.0.1 -> 203.0.113.1 8 %',
    },
  })
  t.equal(breach?.id, `path-loss/hq/carrier-b/carrier-b/stream/${NIGHT + 10 * S}`)
  t.equal(line.interval(40), '', 'and only once')
  t.equal(line.state(), 'firing')
})

test('every verdict is stored as a path point, every change as an event point, and both fit the vocabulary', async (t) => {
  const line = firing()
  const [first, second, event] = [line.points[0], line.points[2], line.points[1]]
  t.match(first, {
    name: 'path',
    timeUs: NIGHT + 10 * S,
    tags: { from: 'hq', to: 'carrier-b', at: 'carrier-b', source: 'stream', owner: 'carrier-b' },
    fields: {
      interval_ms: 10_000,
      streams: 1,
      streams_over: 1,
      expected: 500,
      lost_unique: 40,
      loss_ratio: 0.08,
      limit_ratio: 0.03,
      verdict: 'over',
      breach: 0,
    },
  })
  t.match(second, { name: 'path', fields: { breach: 1 } })
  t.match(event, {
    name: 'event',
    tags: { rule: 'path-loss', state: 'firing', from: 'hq', to: 'carrier-b', at: 'carrier-b' },
    fields: { object: 'hq -> carrier-b', severity: 'warning', duration_s: 20.5 },
  })
  for (const point of line.points) t.equal(complaintAbout(point), undefined)
})

test('exactly 3 % is acceptable, for ever; one packet more is over', async (t) => {
  const line = new Line()
  for (let i = 0; i < 60; i++) line.interval(15)
  t.same(new Set(line.verdicts()), new Set(['ok']))
  t.same(line.changes, [])
  for (const [expected, lost, verdict] of [
    [100, 3, 'ok'],
    [700, 21, 'ok'],
    [1100, 33, 'ok'],
    [1100, 34, 'over'],
    [500, 50, 'over'],
    [500, 51, 'severe'],
    [100, 4, 'over'],
    [99, 99, 'too-few'],
  ] as const) {
    const one = new Line()
    one.interval({ expected, lost })
    t.same(one.verdicts(), [verdict], `${lost} of ${expected}`)
  }
})

test('a limit with any number of decimals is exact', async (t) => {
  for (const [limit, lost, expected] of [
    ['0.7%', 7, 1000],
    ['29%', 29, 100],
    ['7%', 35, 500],
    ['1.1%', 11, 1000],
  ] as const) {
    const options = { 'path-loss': { limit, severe: '50%', clear: '0.5%' } }
    const line = new Line(make(options))
    line.interval({ expected, lost })
    line.interval({ expected, lost: lost + 1 })
    t.same(line.verdicts(), ['ok', 'over'], limit)
  }
})

test('a duplicate does not heal a loss', async (t) => {
  const line = new Line()
  line.interval({ lost: 40, duplicates: 40 })
  t.equal(line.interval({ lost: 40, duplicates: 40 }), 'firing')
})

test('a packet that came in the next interval heals what it was counted as', async (t) => {
  const line = new Line()
  line.interval(30)
  t.equal(line.interval({ lost: -30 }), '', 'pooled since pending nothing is lost')
  t.equal(line.state(), '')
})

test('the loss of a path is the quotient of sums, each stream once', async (t) => {
  const line = new Line()
  line.endUs += 10 * S
  line.send(
    stream(line.endUs, { ssrc: '0x1', expected: 100, lost: 10 }),
    stream(line.endUs + 1, { ssrc: '0x2', expected: 900, lost: 10 }),
  )
  t.match(line.points, [{ fields: { streams: 2, expected: 1000, lost_unique: 20, verdict: 'ok' } }])
})

/** Ten seconds of many streams; `bad` of them lose 40 of 500. */
function crowd(endUs: number, size: number, bad: number, lost = 40): Measurement[] {
  return Array.from({ length: size }, (_, n) =>
    stream(endUs + n, { ssrc: `0x${n}`, lost: n < bad ? lost : 0 }),
  )
}

test('a path is over when at least 2 and at least 10 % of its streams are, whatever the pool says', async (t) => {
  const line = new Line()
  line.endUs += 10 * S
  line.send(...crowd(line.endUs, 20, 2))
  line.endUs += 10 * S
  t.equal(line.send(...crowd(line.endUs, 20, 2)), 'firing')
  t.match(line.changes[0]?.breach, {
    summary:
      '2 of 20 streams over 3 % by themselves; of all 0.8 % of 20,000 packets lost, newest interval 0.8 % of 10,000',
    evidence: { streams: 20, streams_over: 2 },
  })
  t.same(line.verdicts(), ['over', 'over'])

  const rare = new Line()
  rare.send(...crowd(rare.endUs, 21, 2))
  t.same(rare.verdicts(), ['notice'], '2 of 21 is less than 10 %')
  const two = new Line()
  two.send(...crowd(two.endUs, 3, 1, 16))
  t.same(two.verdicts(), ['ok'], '1 of 3 over by itself, the pool is not')
})

test('one bad stream among five or more is a notice, not a page', async (t) => {
  const line = new Line()
  line.endUs += 10 * S
  line.send(...crowd(line.endUs, 5, 1, 250))
  line.endUs += 10 * S
  t.equal(line.send(...crowd(line.endUs, 5, 1, 250)), 'firing')
  t.match(line.changes[0]?.breach, {
    rule: 'call-loss',
    severity: 'notice',
    object: 'hq -> carrier-b',
    evidence: { worst_stream: '0x0 10.0.0.1 -> 203.0.113.1', loss_ratio: 0.5 },
  })
  t.same(line.verdicts(), ['notice', 'notice'], 'although the pool is at 10 %')
  line.endUs += 10 * S
  const over = stream(line.endUs, { ssrc: '0x0', lost: 250, ended: true })
  t.equal(line.send(...crowd(line.endUs, 5, 0).slice(1), over), 'ended', 'it ends with the call')

  const four = new Line()
  four.send(...crowd(four.endUs, 4, 1, 250))
  t.same(four.verdicts(), ['severe'], 'one of four is the path')
})

test('the notice about one bad call goes with its recovery', async (t) => {
  const line = new Line()
  for (let i = 0; i < 2; i++) line.send(...crowd((line.endUs += 10 * S), 6, 1))
  const kinds = Array.from({ length: 6 }, () => line.send(...crowd((line.endUs += 10 * S), 6, 0)))
  t.same(kinds, ['', '', '', '', '', 'resolved'])
  t.same(
    line.evaluator.breaches().map(({ severity, state }) => `${severity} ${state}`),
    ['notice resolved'],
  )
})

test('fewer than 100 packets are pooled over up to 60 s; still fewer are too few to judge', async (t) => {
  const line = new Line()
  for (let i = 0; i < 5; i++) line.interval({ expected: 30, lost: 6 })
  t.same(line.verdicts(), ['too-few', 'too-few', 'too-few', 'severe', 'too-few'])
  const sums = line.points.filter(({ name }) => name === 'path').map((p) => p.fields['expected'])
  t.same(sums, [30, 30, 30, 30, 30], 'each packet is in one point')

  const fewer = new Line()
  for (let i = 0; i < 60; i++) fewer.interval({ expected: 14, lost: 14 })
  t.same(new Set(fewer.verdicts()), new Set(['too-few']), '6 intervals of 14 are 84')
  t.equal(fewer.state(), '')
})

test('the pool of few packets counts its covered time, and each packet once', async (t) => {
  const line = new Line()
  const kinds = Array.from({ length: 4 }, () => line.interval({ expected: 50, lost: 10 }))
  t.same(kinds, ['', 'firing', '', ''])
  t.match(line.changes[0]?.breach, { sinceUs: NIGHT, evidence: { expected: 100, lost_unique: 20 } })
})

test('firing needs the lower 99 % bound of the loss since pending to be over the limit', async (t) => {
  t.equal(lowerBound(0, 0), 0)
  // (0.05 + z2/2n - z sqrt(0.05*0.95/n + z2/4n2)) / (1 + z2/n) with z = 2.3263, n = 1000
  t.ok(Math.abs(lowerBound(50, 1000) - 0.0362) < 0.0001)
  t.ok(lowerBound(1000, 1000) > 0.99)
  const line = new Line()
  const kinds = Array.from({ length: 8 }, () => line.interval(20))
  t.same(kinds, ['', '', '', 'firing', '', '', '', ''], '4 % of 1,500 may be chance, of 2,000 not')
  const barely = new Line()
  for (let i = 0; i < 12; i++) barely.interval(16)
  t.same(barely.changes, [], '3.2 % of 6,000')
  t.equal(barely.state(), 'pending')
})

test('severe raises the same alert after one interval, once', async (t) => {
  const line = firing()
  t.equal(line.interval(60), 'escalated')
  t.equal(line.interval(60), '')
  t.match(line.changes, [
    { breach: { severity: 'warning' } },
    {
      kind: 'escalated',
      breach: {
        severity: 'critical',
        state: 'firing',
        summary: '12 % of 500 packets lost in the newest interval, severe above 10 %',
      },
    },
  ])
  t.equal(line.changes[0]?.breach.id, line.changes[1]?.breach.id)
  const atOnce = new Line()
  atOnce.interval(100)
  t.equal(atOnce.interval(100), 'firing')
  t.equal(atOnce.changes[0]?.breach.severity, 'critical')
})

test('below 2 % for 60 s resolves; between 2 % and 3 % a firing alert stays', async (t) => {
  const line = firing()
  const kinds = [9, 9, 9, 9, 9, 10, 0, 0, 0, 0, 0].map((lost) => line.interval(lost))
  t.same(kinds.join(''), '', 'exactly 2 % is not below it')
  t.equal(line.interval(0), 'resolved')
  t.match(line.changes.at(-1)?.breach, {
    state: 'resolved',
    summary:
      'below 2 % for 60 s, proven by calls; before that 6 % of 1,500 packets lost, worst interval 8 %',
    closedUs: line.endUs + S / 2,
  })
  t.equal(line.state(), 'resolved')
  t.equal(line.interval(40), '')
  t.equal(line.interval(40), 'firing', 'a new one begins anew')
  t.not(line.changes[0]?.breach.id, line.changes.at(-1)?.breach.id)
  t.equal(line.changes[0]?.breach.fingerprint, line.changes.at(-1)?.breach.fingerprint)
})

test('a pending alert is dropped when its pooled loss is no longer over the limit', async (t) => {
  const line = new Line()
  line.interval(16)
  line.interval(15)
  t.equal(line.state(), 'pending', '31 of 1,000')
  line.interval(14)
  t.equal(line.state(), '', '45 of 1,500 is exactly 3 %')
  const burst = new Line()
  burst.interval(250)
  for (let i = 0; i < 5; i++) burst.interval(0)
  t.equal(burst.state(), 'pending', 'pooled 8 %, but it only fires while it is over')
  burst.interval(0)
  t.equal(burst.state(), '', '60 s below 2 %')
  t.same(burst.changes, [])
})

test('intervals whose timers are a little short still make a hold, a whole interval less does not', async (t) => {
  const line = new Line()
  line.interval({ lost: 40, intervalMs: 9_998 })
  t.equal(line.interval({ lost: 40, intervalMs: 9_997 }), 'firing')
  const slow = new Line(make({ 'path-loss': { hold: '25s' } }))
  slow.interval(40)
  t.equal(slow.interval(40), '')
  t.equal(slow.interval(40), 'firing')
})

test('intervals without judgeable packets stop both clocks, they neither heal nor reset', async (t) => {
  const line = new Line()
  line.interval(40)
  for (let i = 0; i < 10; i++) line.interval({ expected: 0 })
  t.equal(line.state(), 'pending')
  t.equal(line.interval(40), 'firing')
  for (let i = 0; i < 3; i++) line.interval(0)
  for (let i = 0; i < 10; i++) t.equal(line.interval({ expected: 0 }), '')
  t.equal(line.interval(0) + line.interval(0), '')
  t.equal(line.interval(0), 'resolved', '3 + 3 intervals')
})

test('after 5 min without judgeable packets pending is dropped and firing is ended, not healed', async (t) => {
  const pending = new Line()
  pending.interval(40)
  t.equal(pending.wait(290 * S), '')
  t.equal(pending.state(), 'pending')
  pending.wait(20 * S)
  t.equal(pending.state(), '')

  const line = firing()
  t.equal(line.wait(290 * S), '')
  t.equal(line.wait(10 * S), 'ended')
  t.match(line.changes.at(-1)?.breach, {
    state: 'ended',
    summary: 'no calls since 2026-11-22 03:00 UTC, not proven healed',
  })
  const few = firing()
  for (let i = 0; i < 29; i++) t.equal(few.interval({ expected: 1, lost: 1 }), '')
  t.equal(few.interval({ expected: 1, lost: 1 }), 'ended', 'too few to judge are no word either')
})

test('when the last call ends in breach it says ended at once', async (t) => {
  const line = new Line()
  line.send(stream(line.endUs, { lost: 40 }), stream(line.endUs + 1, { ssrc: '0x2', lost: 40 }))
  line.endUs += 10 * S
  const second = [
    stream(line.endUs, { lost: 40 }),
    stream(line.endUs + 1, { ssrc: '0x2', lost: 40 }),
  ]
  t.equal(line.send(...second), 'firing')
  line.endUs += 10 * S
  const last = stream(line.endUs + 1, { ssrc: '0x2', expected: 0, ended: true })
  t.equal(line.send(stream(line.endUs, { lost: 40 }), last), '', 'the other call goes on')
  t.equal(line.interval({ expected: 0, ended: true }), 'ended')
  t.match(line.changes.at(-1)?.breach, {
    summary: 'the last call ended at 2026-11-22 03:00 UTC over the limit, not proven healed',
    labels: { owner: 'carrier-b' },
  })
})

test('an ended alert is taken up again when the next judged interval within 12 h is over', async (t) => {
  const line = firing()
  line.interval({ expected: 0, ended: true })
  line.wait(11 * H)
  t.equal(line.interval(40), 'firing')
  t.equal(line.changes[0]?.breach.id, line.changes[2]?.breach.id)
  t.equal(line.changes[2]?.breach.closedUs, undefined)
  t.equal(line.changes[2]?.breach.reopened, 1)
  t.equal(line.state(), 'firing', 'and it is listed once')

  const healed = firing()
  healed.interval({ expected: 0, ended: true })
  t.equal(healed.interval(0) + healed.interval(40), '', 'the next one was well')
  t.equal(healed.interval(40), 'firing')
  t.not(healed.changes[0]?.breach.id, healed.changes[2]?.breach.id)

  const later = firing()
  later.interval({ expected: 0, ended: true })
  later.wait(12.1 * H)
  t.equal(later.interval(40), '')
})

test('an ended alert that was well for 60 s of calls is resolved after all', async (t) => {
  const line = firing()
  line.interval({ expected: 0, ended: true })
  for (let i = 0; i < 5; i++) t.equal(line.interval(0), '')
  t.equal(line.interval(0), 'resolved')
  t.match(line.evaluator.breaches(), [{ state: 'resolved' }])
  t.equal(line.evaluator.breaches().length, 1)
})

test('a test stream on the segment can prove healing', async (t) => {
  for (const isEnded of [false, true]) {
    const line = firing()
    if (isEnded) t.equal(line.interval({ expected: 0, ended: true }), 'ended')
    const kinds = Array.from({ length: 6 }, () => line.send(testStream((line.endUs += 10 * S))))
    t.same(kinds, ['', '', '', '', '', 'resolved'])
    t.match(line.changes.at(-1)?.breach.summary, /^below 2 % for 60 s, proven by a test stream;/)
  }
  const elsewhere = firing()
  for (let i = 0; i < 10; i++)
    t.equal(elsewhere.send(testStream((elsewhere.endUs += 10 * S), { at: 'hq' })), '')
  const contradicted = firing()
  for (let i = 0; i < 10; i++) {
    contradicted.endUs += 10 * S
    const both = [stream(contradicted.endUs, { lost: 40 }), testStream(contradicted.endUs)]
    t.equal(contradicted.send(...both), '', 'calls that are bad weigh more')
  }
})

test('measured and test streams are judged each by itself and never added', async (t) => {
  const line = new Line()
  line.endUs += 10 * S
  line.send(stream(line.endUs, { lost: 16, expected: 500 }), testStream(line.endUs, { lost: 0 }))
  t.match(
    line.points.map(({ tags, fields }) => [tags['source'], fields['expected'], fields['verdict']]),
    [
      ['stream', 500, 'over'],
      ['test', 500, 'ok'],
    ],
  )
  line.send(testStream((line.endUs += 10 * S), { lost: 40 }))
  t.equal(line.send(testStream((line.endUs += 10 * S), { lost: 40 })), 'firing')
  t.equal(line.changes[0]?.breach.labels['source'], 'test')
})

test('a verdict is tainted when the drops of the taps could explain it: shown, never paged', async (t) => {
  const line = new Line()
  for (let i = 0; i < 10; i++) line.interval({ lost: 40, drops: 25 })
  t.same(new Set(line.verdicts()), new Set(['tainted']), '40 - 25 of 500 is exactly 3 %')
  t.same(line.changes, [])
  t.equal(line.state(), '')
  const over = new Line()
  over.interval({ lost: 60, drops: 24 })
  t.same(over.verdicts(), ['over'], '60 - 24 of 500 is 7.2 %')
  t.equal(over.interval({ lost: 60, drops: 24 }), 'firing')
  t.equal(over.changes[0]?.breach.evidence['lost_unique'], 72, 'and rests on the rest only')
  for (let i = 0; i < 10; i++) t.equal(over.interval({ lost: 40, drops: 40 }), '', 'clocks stand')
  t.equal(over.state(), 'firing')
})

test('drops of a tap count once, however many streams carry them', async (t) => {
  const line = new Line()
  const points = Array.from({ length: 10 }, (_, n) =>
    stream(line.endUs + n, { ssrc: `0x${n}`, lost: 40, drops: 200 }),
  )
  line.send(...points)
  t.match(line.points, [{ fields: { sensor_drops: 200, verdict: 'over' } }], '400 - 200 of 5000')
})

test('points more than 60 s old are history: they page only if the newest is current and still over', async (t) => {
  const line = new Line()
  const nowUs = NIGHT + 10 * MIN
  const old = Array.from({ length: 50 }, (_, n) => stream(NIGHT + n * 10 * S, { lost: 40 }))
  t.same(line.take(line.evaluator.observe(old, nowUs)), [])
  t.equal(line.verdicts().length, 50, 'each interval is judged and stored')
  t.same(line.take(line.evaluator.tick(nowUs)), [])
  const current = stream(NIGHT + 500 * S, { lost: 40 })
  t.same(line.take(line.evaluator.observe([current], NIGHT + 501 * S)), ['firing'])
  t.equal(line.changes[0]?.breach.sinceUs, NIGHT - 10 * S)

  const healed = new Line()
  healed.take(healed.evaluator.observe(old, nowUs))
  healed.endUs = NIGHT + 590 * S
  for (let i = 0; i < 6; i++) t.equal(healed.interval(0), '')
  t.same(healed.changes, [])
})

test('a point sent again is not counted again, not even with another correction of its clock', async (t) => {
  const line = new Line()
  for (let i = 0; i < 5; i++) {
    line.endUs = NIGHT + 10 * S
    line.send(stream(line.endUs + i * 3000, { lost: 40 }))
  }
  t.same(line.verdicts(), ['over'])
  t.equal(line.interval(40), 'firing')
  t.equal(line.changes[0]?.breach.evidence['expected'], 1000)
  line.send(stream(NIGHT + 10 * S, { lost: 500 }), stream(line.endUs - 10 * S, { lost: 500 }))
  t.equal(line.verdicts().length, 2)
  t.equal(line.evaluator.counters()['path_loss_late'], 6)
})

test('points from the future are not judged, and a clock that jumps does not stretch the hold', async (t) => {
  const line = new Line()
  line.take(line.evaluator.observe([stream(NIGHT + 61 * S, { lost: 40 })], NIGHT))
  t.same(line.points, [])
  t.equal(line.evaluator.counters()['path_loss_from_the_future'], 1)
  line.interval(40)
  line.endUs += H
  t.match(line.interval(40), /firing/, 'covered are two intervals, not an hour')
  t.equal(
    line.changes.find(({ breach }) => breach.rule === 'path-loss')?.breach.evidence['covered_s'],
    20,
  )
})

test('a clock of ours that is set back leaves no rule blind', async (t) => {
  const line = new Line()
  const unanswered = () => testStream(line.endUs, { isAnswered: false })
  line.endUs += 2 * H
  line.interval(0)
  line.send(unanswered())
  line.endUs = NIGHT
  t.equal(line.interval(40), '')
  t.equal(line.send(unanswered()), '')
  t.equal(line.interval(40), 'firing')
  t.equal(line.send(unanswered()), 'firing')
  t.same(line.state(), 'firing firing')
  t.match(line.take(line.evaluator.tick(line.endUs + MIN)), ['firing'], 'nor an agent that is gone')
})

test('800 streams in two batches are one interval, judged once', async (t) => {
  const { evaluator } = new Line()
  const changes: string[] = []
  const points: Measurement[] = []
  for (let n = 1; n <= 4; n++) {
    const endUs = NIGHT + n * 10 * S
    const all = Array.from({ length: 800 }, (_, i) =>
      stream(endUs + i, { ssrc: `0x${i}`, lost: n > 1 ? 40 : 0 }),
    )
    for (const batch of [all.slice(0, 500), all.slice(500)]) {
      const outcome = evaluator.observe(batch, endUs + S / 2)
      changes.push(...outcome.changes.map(({ kind }) => `${kind} at ${n}`))
      points.push(...outcome.points.filter(({ name }) => name === 'path'))
    }
    evaluator.tick(endUs + S)
  }
  t.same(changes, ['firing at 3'])
  const expected = points.map(({ fields }) => fields['expected'])
  t.same(expected, [250_000, 550_000, 400_000, 400_000], 'no packet twice, none left out')
})

test('agents whose intervals end at different moments are pooled', async (t) => {
  const line = new Line()
  const seen: unknown[] = []
  for (let n = 1; n <= 6; n++) {
    line.endUs = NIGHT + n * 10 * S
    line.take(
      line.evaluator.observe(
        [stream(line.endUs, { agent: 'a', ssrc: '0xa', lost: 40 })],
        line.endUs,
      ),
    )
    for (let s = 1; s < 6; s++) line.take(line.evaluator.tick(line.endUs + s * S))
    const other = stream(line.endUs + 6 * S, { agent: 'b', ssrc: '0xb', lost: 0 })
    line.take(line.evaluator.observe([other], line.endUs + 6 * S))
    for (let s = 7; s < 10; s++) line.take(line.evaluator.tick(line.endUs + s * S))
  }
  for (const { name, fields } of line.points) if (name === 'path') seen.push(fields['streams'])
  t.same(seen, [1, 2, 2, 2, 2, 2], 'b joins with its first interval')
})

test('an agent that falls silent holds nothing up for long', async (t) => {
  const line = new Line()
  line.send(stream(line.endUs, { agent: 'a' }), stream(line.endUs, { agent: 'b', ssrc: '0xb' }))
  line.endUs += 10 * S
  line.take(line.evaluator.observe([stream(line.endUs, { agent: 'a' })], line.endUs))
  t.equal(line.verdicts().length, 1)
  line.take(line.evaluator.tick(line.endUs + 3 * S))
  t.equal(line.verdicts().length, 2)
  line.endUs += 10 * S
  line.take(line.evaluator.observe([stream(line.endUs, { agent: 'a' })], line.endUs))
  t.equal(line.verdicts().length, 3, 'and is not waited for again')
})

test('one stream seen by two agents at the same place counts once, at two places for two segments', async (t) => {
  const line = new Line()
  const both = [
    stream(line.endUs, { agent: 'a', lost: 40 }),
    stream(line.endUs, { agent: 'b', lost: 20 }),
  ]
  line.send(...both)
  t.match(line.points, [{ fields: { streams: 1, expected: 500, lost_unique: 20 } }])
  const segments = new Line()
  segments.send(
    stream(line.endUs, { agent: 'a', at: 'hq-edge', lost: 0 }),
    stream(line.endUs, { agent: 'b', at: 'carrier-b', lost: 40 }),
  )
  t.match(segments.points, [
    { tags: { at: 'hq-edge' }, fields: { verdict: 'ok' } },
    { tags: { at: 'carrier-b' }, fields: { verdict: 'over' } },
  ])
})

test('what is accused is the segment up to the place of measuring', async (t) => {
  const line = new Line()
  line.interval({ lost: 40, at: 'hq-edge' })
  line.interval({ lost: 40, at: 'hq-edge' })
  t.equal(line.changes[0]?.breach.labels['segment'], 'hq -> hq-edge')
})

test('the limits of a path can be its own', async (t) => {
  const options = {
    'path-loss': { hold: '10s', paths: [{ to: 'carrier-b', limit: '10%', severe: '20%' }] },
  }
  const line = new Line(make(options))
  line.interval(50)
  t.equal(line.interval(90), 'firing', 'at 18 %, after the hold of all paths')
  t.match(line.points[0], { fields: { limit_ratio: 0.1, verdict: 'ok' } })
  t.equal(line.interval({ to: 'carrier-a', at: 'carrier-a', lost: 40 }), 'firing')
})

test('the options complain where they stand', async (t) => {
  t.same(
    RULES.map(({ name }) => name),
    [
      'path-loss',
      'path-quality',
      'media-stopped',
      'call-media',
      'clear-rtp',
      'test-unanswered',
      'emergency-call',
      'emergency-readiness',
      'registration-lapsing',
      'registrations-below-expected',
      'registrations-overdue',
      'setup-failures',
      'certificate-expiring',
      'toll-fraud',
      'account-takeover',
      'password-guessing',
      'spoofed-identity',
      'sip-flood',
      'sip-scan',
      'distributed-scan',
      'unknown-device',
      'device-changed',
      'clear-sip',
      'service-down',
      'power-event',
      'redundancy-lost',
      'trunk-down',
      'test-call',
      'registration-lost',
      'component-down',
      'ups-on-battery',
      'ups-transfers',
      'ups-low-battery',
      'ups-no-output',
      'ups-no-backup',
      'ups-overload',
      'ups-over-temperature',
      'battery-old',
      'power-blind',
      'ats-redundancy',
      'pdu-overload',
      'pdu-outlet-off',
      'poe-budget',
      'poe-port',
      'design-change',
      'design-drift',
      'paper-redundancy',
      'tap-blind',
      'site-cut-off',
      'agent-silent',
      'agent-isolated',
    ],
  )
  const read = (text: string) => () => readConfig(rulesOptions, text, 'c.yaml')
  t.throws(read('path-loss: {limit: 3}'), {
    message: /^c\.yaml:1:20: path-loss\.limit: expected a share/,
  })
  t.throws(read('path-los: {}'), { message: /path-los/ })
  t.throws(read('path-loss:\n  paths:\n    - {to: x, clear: 5%}'), {
    message: 'c.yaml:3:7: path-loss.paths.0: expected clear <= limit <= severe',
  })
  t.throws(read('path-loss: {Hold: 5s}'), { message: /Hold/ })
  t.doesNotThrow(read(''))
})

// ---- restarts

/** The life of an alert in intervals: packets lost, or a pause. */
const LIFE: readonly (number | 'silence' | 'end')[] = [
  0,
  40,
  40,
  40,
  60,
  60,
  0,
  0,
  12,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  20,
  20,
  20,
  20,
  40,
  'end',
  40,
  40,
  'silence',
  0,
  0,
  0,
  0,
  0,
  0,
  0,
]

function live(restartAt: number): string[] {
  let line = new Line()
  const log: string[] = []
  for (const [n, step] of LIFE.entries()) {
    if (n === restartAt) {
      const memory: unknown = JSON.parse(JSON.stringify(line.evaluator.snapshot()))
      const next = new Line(make({}, memory))
      next.endUs = line.endUs
      line = next
    }
    if (step === 'silence') log.push(`${n} ${line.wait(6 * MIN)}`)
    else if (step === 'end') log.push(`${n} ${line.interval({ expected: 0, ended: true })}`)
    else log.push(`${n} ${line.interval(step)}`)
  }
  return [
    ...log,
    ...line.evaluator.breaches().map(({ id, state, severity }) => `${id} ${state} ${severity}`),
  ]
}

test('a restart at any moment neither loses nor repeats an alert, and pending clocks go on', async (t) => {
  const whole = live(-1)
  t.same(whole.filter((line) => /[a-z]$/.test(line)).slice(0, 8), [
    '2 firing',
    '4 escalated',
    '14 resolved',
    '19 firing',
    '21 ended',
    '22 firing',
    '24 ended',
    '30 resolved',
  ])
  for (let n = 0; n < LIFE.length; n++) t.same(live(n), whole, `restart before step ${n}`)
})

test('a restart between two batches of an interval does not count the first again', async (t) => {
  const line = new Line()
  line.send(stream(line.endUs, { lost: 40 }), stream(line.endUs + 1, { ssrc: '0x2', lost: 40 }))
  line.endUs += 10 * S
  line.take(line.evaluator.observe([stream(line.endUs, { lost: 40 })], line.endUs + 1))
  const next = new Line(make({}, JSON.parse(JSON.stringify(line.evaluator.snapshot()))))
  next.endUs = line.endUs
  next.take(next.evaluator.observe([stream(line.endUs, { lost: 40 })], line.endUs + 2))
  next.endUs += 10 * S
  next.send(stream(next.endUs, { lost: 40 }), stream(next.endUs + 1, { ssrc: '0x2', lost: 40 }))
  const expected = next.points
    .filter(({ name }) => name === 'path')
    .map((p) => p.fields['expected'])
  t.same(expected, [500, 1000])
  t.match(next.changes, [{ kind: 'firing', breach: { evidence: { expected: 1500 } } }])
})

test('a malformed snapshot is ignored in the parts that are malformed', async (t) => {
  const good = firing().evaluator.snapshot()
  for (const bad of [
    null,
    7,
    'x',
    [],
    { rules: 5, closed: {} },
    {
      rules: { 'path-loss': { paths: [null, { labels: {} }, 3] }, 'agent-silent': { agents: 'x' } },
    },
    { closed: [{ id: 1 }] },
  ]) {
    const line = new Line(make({}, bad))
    line.interval(40)
    t.equal(line.interval(40), 'firing', JSON.stringify(bad))
  }
  const text = JSON.stringify(good)
  for (let cut = 0; cut < 40; cut++) {
    const broken = text.replace(/"(state|memory|sinceUs|labels|coveredUs)":/, `"x${cut}":`)
    t.doesNotThrow(() => make({}, JSON.parse(broken)).tick(NIGHT))
  }
})

// ---- statistics

/** mulberry32: small, seeded, good enough for counting losses. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Losses of 500 packets at random, by inversion of the binomial distribution. */
function losses(share: number, random: () => number): () => number {
  const cumulated: number[] = []
  let probability = (1 - share) ** 500
  let sum = 0
  for (let k = 0; k <= 500; k++) {
    sum += probability
    cumulated.push(sum)
    probability *= ((500 - k) / (k + 1)) * (share / (1 - share))
  }
  return () => {
    const at = random()
    const found = cumulated.findIndex((upTo) => at <= upTo)
    return found < 0 ? 500 : found
  }
}

test('8 % with 500 packets an interval fires within two intervals in all of 1000 runs', async (t) => {
  let late = 0
  for (let run = 0; run < 1000; run++) {
    const line = new Line()
    const next = losses(0.08, seeded(run))
    const kinds = Array.from({ length: 3 }, () => line.interval(next()))
    const first = line.verdicts().findIndex((verdict) => verdict !== 'ok')
    if (kinds.indexOf('firing') !== first + 1) late++
  }
  t.equal(late, 0)
})

test('twice the limit fires within three intervals, whatever its interval began with', async (t) => {
  for (let run = 0; run < 500; run++) {
    const line = new Line()
    const next = losses(0.06, seeded(run))
    const begun = Math.floor(next() * seeded(run)())
    const kinds = [begun, next(), next(), next()].map((lost) => line.interval(lost))
    if (!kinds.includes('firing')) t.fail(`run ${run}: ${line.verdicts().join(' ')}`)
  }
  t.pass('500 runs')
})

test('a steady 2 % line is over by chance about once an hour, and pages less than once in 200 hours', async (t) => {
  const evaluator = make()
  const next = losses(0.02, seeded(1))
  let wasOver = false
  let twice = 0
  let paged = 0
  for (let n = 0; n < 500 * 360; n++) {
    const lost = next()
    if (wasOver && lost > 15) twice++
    wasOver = lost > 15
    const endUs = NIGHT + n * 10 * S
    const { changes } = evaluator.observe([stream(endUs, { lost })], endUs)
    paged += changes.filter(({ kind }) => kind === 'firing').length
  }
  t.ok(twice > 250, `${twice} pages in 500 hours without the evidence bound`)
  t.ok(paged < 3, `${paged} with it`)
})

test('however points are batched, repeated and shifted, each is in exactly one verdict', async (t) => {
  for (let run = 0; run < 200; run++) {
    const random = seeded(run)
    const evaluator = make()
    const agents = 1 + Math.floor(random() * 3)
    const phases = Array.from({ length: agents }, () => Math.floor(random() * 10) * S)
    let sent = 0
    let judged = 0
    const take = ({ points }: Outcome): void => {
      for (const { name, fields } of points)
        if (name === 'path') judged += Number(fields['expected'])
    }
    const pushes: { atUs: number; points: Measurement[] }[] = []
    for (let n = 1; n <= 10; n++) {
      for (const [a, phase] of phases.entries()) {
        const endUs = NIGHT + n * 10 * S + phase
        const points: Measurement[] = []
        for (let i = 0; i < 4; i++) {
          if (random() < 0.1) continue
          const expected = Math.floor(random() * 300)
          sent += expected
          points.push(stream(endUs + i, { agent: `a${a}`, ssrc: `0x${a}${i}`, expected }))
        }
        const delayUs = random() < 0.1 ? 4 * S : 0
        const cut = Math.floor(random() * 4)
        pushes.push({ atUs: endUs + delayUs, points: points.slice(0, cut) })
        pushes.push({ atUs: endUs + delayUs + 1000, points: points.slice(cut) })
        if (random() < 0.3) pushes.push({ atUs: endUs + delayUs + S, points })
      }
    }
    pushes.sort((a, b) => a.atUs - b.atUs)
    let tickUs = NIGHT
    for (const { atUs, points } of pushes) {
      for (; tickUs < atUs; tickUs += S) take(evaluator.tick(tickUs))
      take(evaluator.observe(points, atUs))
    }
    for (let i = 0; i < 30; i++) take(evaluator.tick((tickUs += S)))
    if (judged !== sent) t.fail(`run ${run}: judged ${judged} of ${sent} packets`)
  }
  t.pass('200 runs')
})

// ---- other rules

function beat(timeUs: number, agent = 'gw-1', intervalMs: number | null = 10_000): Measurement {
  return measurement(
    'agent',
    timeUs,
    { agent, site: 'hq' },
    { interval_ms: intervalMs ?? undefined, runs: 1 },
  )
}

test('an agent silent for 30 s fires with its name, site and last word, and resolves at the next push', async (t) => {
  const line = new Line()
  line.take(line.evaluator.observe([beat(NIGHT)], NIGHT))
  line.take(line.evaluator.observe([beat(NIGHT, 'another')], NIGHT + 25 * S))
  t.same(line.take(line.evaluator.tick(NIGHT + 30 * S)), [])
  t.same(line.take(line.evaluator.tick(NIGHT + 31 * S)), ['firing'])
  t.same(line.take(line.evaluator.tick(NIGHT + 32 * S)), [])
  t.match(line.changes[0]?.breach, {
    rule: 'agent-silent',
    object: 'agent gw-1',
    severity: 'warning',
    summary: 'not heard from since 2026-11-22 03:00 UTC, limit 30 s',
    labels: { agent: 'gw-1', site: 'hq', owner: 'unknown' },
    sinceUs: NIGHT,
  })
  t.same(line.take(line.evaluator.observe([beat(NIGHT)], NIGHT + 90 * S)), ['resolved'])
  t.equal(line.changes[1]?.breach.summary, 'heard again after 90 s')
  for (const point of line.points) t.equal(complaintAbout(point), undefined)
})

test('silence is three of the agent’s own intervals where that is longer', async (t) => {
  const { evaluator } = new Line()
  evaluator.observe([beat(NIGHT, 'slow', 60_000)], NIGHT)
  t.same(evaluator.tick(NIGHT + 180 * S).changes, [])
  t.match(evaluator.tick(NIGHT + 181 * S).changes, [{ kind: 'firing' }])
})

test('a client that states no interval is known by its rhythm', async (t) => {
  const { evaluator } = new Line()
  const push = (s: number) => evaluator.observe([beat(NIGHT, 'curl', null)], NIGHT + s * S)
  push(0)
  t.same(evaluator.tick(NIGHT + 100 * S).changes, [], 'one push has no rhythm')
  push(120)
  push(240)
  t.same(evaluator.tick(NIGHT + 600 * S).changes, [])
  t.match(evaluator.tick(NIGHT + 601 * S).changes, [{ kind: 'firing' }])
})

test('agents known before a restart count after it, from the restart on', async (t) => {
  const { evaluator } = new Line()
  const c = (s: number) => [beat(NIGHT + s * S, 'c')]
  evaluator.observe([beat(NIGHT, 'a'), beat(NIGHT, 'b')], NIGHT)
  evaluator.observe([beat(NIGHT, 'b'), ...c(20)], NIGHT + 20 * S)
  evaluator.tick(NIGHT + 31 * S)
  t.match(evaluator.breaches(), [{ object: 'agent a' }])
  const next = make({}, JSON.parse(JSON.stringify(evaluator.snapshot())))
  t.match(next.breaches(), [{ object: 'agent a', state: 'firing' }])
  t.same(next.tick(NIGHT + H).changes, [])
  next.observe(c(3620), NIGHT + H + 20 * S)
  t.same(next.tick(NIGHT + H + 30 * S).changes, [])
  t.match(next.tick(NIGHT + H + 31 * S).changes, [
    { kind: 'firing', breach: { object: 'agent b' } },
  ])
  t.match(next.observe([beat(NIGHT, 'a')], NIGHT + H + 32 * S).changes, [{ kind: 'resolved' }])
})

test('a revoked agent is not missed', async (t) => {
  const { evaluator } = new Line()
  evaluator.observe([beat(NIGHT, 'a'), beat(NIGHT, 'b'), beat(NIGHT, 'c')], NIGHT)
  evaluator.forgetAgent('a')
  for (const s of [20, 40]) evaluator.observe([beat(NIGHT, 'c')], NIGHT + s * S)
  t.match(evaluator.tick(NIGHT + 45 * S).changes, [{ breach: { object: 'agent b' } }])
  evaluator.forgetAgent('b')
  t.match(evaluator.tick(NIGHT + MIN).changes, [{ kind: 'ended', breach: { object: 'agent b' } }])
  t.match(evaluator.breaches(), [{ state: 'ended' }])
})

test('a test stream that is sent and never answered fires after the hold and resolves with the first answer', async (t) => {
  const line = new Line()
  const none = () => testStream((line.endUs += 10 * S), { isAnswered: false })
  t.equal(line.send(none()), '')
  t.equal(line.send(none()), 'firing')
  t.match(line.changes[0]?.breach, {
    rule: 'test-unanswered',
    object: 'gw-1 -> far',
    summary: 'no answer to 1,000 test packets since 2026-11-22 03:00 UTC',
    labels: { from: 'hq', to: 'carrier-b', source: 'test', target: 'far' },
  })
  t.same(new Set(line.verdicts()), new Set(['too-few']), 'what was not measured is not a loss')
  t.equal(line.send(testStream((line.endUs += 10 * S))), 'resolved')
  line.send(none())
  t.equal(line.send(none()), 'firing')
  t.equal(line.wait(6 * MIN), 'ended')
})

test('what an outage cost is judged once, with the first interval that can tell', async (t) => {
  const line = new Line()
  line.send(testStream((line.endUs += 10 * S)))
  for (let n = 0; n < 11; n++) line.send(testStream((line.endUs += 10 * S), { isAnswered: false }))
  const told = testStream((line.endUs += 10 * S), { lost: 5800, coveredS: 120 })
  t.equal(line.send(told), 'resolved', 'it is answered again, and ten seconds are no hold')
  t.match(line.points.findLast(({ name }) => name === 'path')?.fields, {
    expected: 6000,
    lost_unique: 5800,
    verdict: 'severe',
  })
  line.send(told)
  line.send(testStream((line.endUs += 10 * S)))
  t.same(line.verdicts().slice(-2), ['severe', 'ok'])
  t.equal(line.evaluator.counters()['path_loss_late'], 1)
})

// ---- limits

test('paths are bounded, the one judged longest ago goes first, and what was lost is counted', async (t) => {
  const { evaluator } = new Line()
  for (let n = 0; n < 10_050; n++) evaluator.observe([stream(NIGHT, { to: `n${n}` })], NIGHT)
  t.match(evaluator.counters(), {
    path_loss_evicted_paths: 50,
    path_loss_paths: 10_000,
    path_loss_streams: 10_000,
  })
})

test('streams are bounded, and those that vanish without a word are forgotten', async (t) => {
  const { evaluator } = new Line()
  for (let batch = 0; batch < 402; batch++)
    evaluator.observe(
      Array.from({ length: 500 }, (_, n) => stream(NIGHT + n, { ssrc: `0x${batch}-${n}` })),
      NIGHT,
    )
  t.match(evaluator.counters(), { path_loss_streams: 200_000, path_loss_evicted_streams: 1000 })
  evaluator.tick(NIGHT + S)
  evaluator.tick(NIGHT + 2 * MIN)
  evaluator.tick(NIGHT + 3 * MIN)
  t.equal(evaluator.counters()['path_loss_streams'], 0)
})

test('figures that cannot be are counted, not judged', async (t) => {
  const line = new Line()
  line.send(stream(NIGHT, { expected: -5 }), stream(NIGHT, { expected: 5, lost: 6 }))
  t.equal(line.evaluator.counters()['path_loss_malformed'], 2)
  t.same(line.points, [])
})

test('the newest 200 closed breaches are kept', async (t) => {
  const { evaluator } = new Line()
  for (let n = 0; n < 250; n++) evaluator.observe([beat(NIGHT, `a${n}`)], NIGHT)
  evaluator.observe([beat(NIGHT, 'heard')], NIGHT + 50 * S)
  evaluator.tick(NIGHT + MIN)
  t.equal(evaluator.breaches().length, 250, 'open ones are all there')
  for (let n = 0; n < 250; n++) evaluator.observe([beat(NIGHT, `a${n}`)], NIGHT + 2 * MIN + n)
  t.equal(evaluator.breaches().length, 200)
  t.equal(evaluator.breaches()[0]?.object, 'agent a249', 'newest first')
})
