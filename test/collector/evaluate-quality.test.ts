import { test } from 'tap'
import { Evaluator, type Change, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import { complaintAbout, measurement, type Measurement } from '../../common/measurement.ts'

const S = 1_000_000
const MIN = 60 * S
const H = 60 * MIN
/** 2026-11-22 03:00 UTC */
const NIGHT = 1_795_316_400 * S
const RULES = new Set([
  'path-jitter',
  'path-mos',
  'path-effective-loss',
  'path-loss',
  'clear-rtp',
  'call-media',
])

const SITE = new Site(
  readConfig(
    siteFile,
    `
parties: { ict: {}, carrier-b: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, bearer: lan, owner: ict }
  carrier-b: { cidr: [198.51.100.0/24], bearer: wan, owner: carrier-b, media: encrypted }
`,
    'site.yaml',
  ),
)

interface Heard {
  ssrc?: number
  at?: string
  to?: string
  agent?: string
  expected?: number
  lost?: number
  jitterMs?: number
  meanMs?: number
  mosLq?: number
  scale?: string
  isAssumed?: boolean
  discarded?: number
  drops?: number
  encrypted?: boolean
}

function stream(endUs: number, heard: Heard = {}): Measurement {
  const { expected = 500, lost = 0, at = 'carrier-b', to = 'carrier-b', ssrc = 1 } = heard
  return measurement(
    'rtp_stream',
    endUs,
    {
      ...{ site: 'hq', agent: heard.agent ?? 'gw-1', from: 'hq', to, at },
      ...{ bearer: 'wan', owner: 'carrier-b', codec: 'PCMA' },
    },
    {
      ssrc: `0x${ssrc}`,
      src_ip: '10.1.0.1',
      dst_ip: '198.51.100.1',
      payload_type: 8,
      interval_ms: 10_000,
      expected,
      lost,
      lost_unique: lost,
      jitter_ms: heard.jitterMs,
      jitter_mean_ms: heard.meanMs,
      mos_lq: heard.mosLq,
      mos_scale: heard.mosLq === undefined ? undefined : (heard.scale ?? 'narrowband'),
      mos_assumed: heard.isAssumed,
      discard_ratio_adaptive:
        heard.discarded === undefined ? undefined : heard.discarded / expected,
      sensor_drops: heard.drops,
      srtp: heard.encrypted,
    },
  )
}

/** One interval of so many streams, `bad` of them as described, the others well. */
function crowd(size: number, bad: number, how: Heard, well: Heard = { jitterMs: 2, mosLq: 4.3 }) {
  return (endUs: number) =>
    Array.from({ length: size }, (_, n) =>
      stream(endUs, { ...(n < bad ? how : well), ssrc: n + 1 }),
    )
}

class Line {
  evaluator: Evaluator
  readonly changes: Change[] = []
  readonly points: Measurement[] = []
  endUs = NIGHT
  readonly #options: unknown

  constructor(options: unknown = {}) {
    this.#options = options
    this.evaluator = this.#make()
  }

  interval(make: (endUs: number) => readonly Measurement[]): string {
    this.endUs += 10 * S
    return [
      ...this.#take(this.evaluator.observe(make(this.endUs), this.endUs + S / 2)),
      ...this.#take(this.evaluator.tick(this.endUs + 3 * S)),
    ].join(', ')
  }

  intervals(times: number, make: (endUs: number) => readonly Measurement[]): string[] {
    return Array.from({ length: times }, () => this.interval(make))
  }

  wait(durationUs: number): string {
    this.endUs += durationUs
    return this.#take(this.evaluator.tick(this.endUs)).join(', ')
  }

  restart(): void {
    this.evaluator = this.#make(JSON.parse(JSON.stringify(this.evaluator.snapshot())))
  }

  last(): Change['breach'] | undefined {
    return this.changes.at(-1)?.breach
  }

  #make(restored?: unknown): Evaluator {
    return new Evaluator(rulesOptions.parse(this.#options), restored, () => SITE)
  }

  #take({ changes, points }: Outcome): string[] {
    const told = changes.filter(({ breach }) => RULES.has(breach.rule))
    this.changes.push(...told)
    this.points.push(...points)
    return told.map(({ kind, breach }) => `${breach.rule} ${kind}`)
  }
}

// ---- jitter

test('jitter of at least 2 and at least 10 % of the streams, held 20 s, is a warning; well for 60 s resolves', async (t) => {
  const line = new Line()
  const bad = crowd(20, 2, { jitterMs: 41 })
  t.same(line.intervals(3, bad), ['', 'path-jitter firing', ''])
  t.match(line.last(), {
    rule: 'path-jitter',
    object: 'hq -> carrier-b',
    severity: 'warning',
    summary: '2 of 20 streams over 30 ms jitter, worst 41 ms jitter',
    labels: { segment: 'hq -> carrier-b', owner: 'carrier-b', source: 'stream' },
    evidence: { streams: 20, streams_over: 2, worst_jitter_ms: 41, limit_jitter_ms: 30 },
    sinceUs: NIGHT,
  })
  const near = crowd(20, 2, { jitterMs: 25 })
  t.same(line.intervals(10, near).join(''), '', 'under the limit is not yet well')
  t.same(line.intervals(6, crowd(20, 1, { jitterMs: 90 })), [
    '',
    '',
    '',
    '',
    '',
    'path-jitter resolved',
  ])
  for (const point of line.points) t.equal(complaintAbout(point), undefined)
})

test('ratios and jitter are never averaged: streams are counted', async (t) => {
  const one = new Line()
  t.same(one.intervals(4, crowd(3, 1, { jitterMs: 5000 })).join(''), '', 'one of three is one call')
  const few = new Line()
  t.same(
    few.intervals(4, crowd(21, 2, { jitterMs: 5000 })).join(''),
    '',
    '2 of 21 are less than 10 %',
  )
  const all = new Line()
  t.same(
    all.intervals(4, crowd(20, 20, { jitterMs: 30 })).join(''),
    '',
    'exactly the limit is fine',
  )
})

test('the mean over the packets of an interval is judged where it was measured', async (t) => {
  const line = new Line()
  t.same(line.intervals(3, crowd(2, 2, { jitterMs: 80, meanMs: 12 })).join(''), '')
  t.equal(
    line.intervals(2, crowd(2, 2, { jitterMs: 3, meanMs: 50 })).join(''),
    'path-jitter firing',
  )
})

test('a break in the hold drops a pending alert; too few packets stop the clock', async (t) => {
  const bad = crowd(2, 2, { jitterMs: 60 })
  const broken = new Line()
  broken.interval(bad)
  broken.interval(crowd(2, 0, {}))
  t.equal(broken.interval(bad), '')
  t.equal(broken.interval(bad), 'path-jitter firing')
  const few = new Line()
  few.interval(bad)
  few.intervals(5, crowd(2, 2, { jitterMs: 60, expected: 99 }))
  t.equal(few.interval(bad), 'path-jitter firing')
  t.equal(few.wait(6 * MIN), 'path-jitter ended')
  t.match(few.last()?.summary, /^nothing to judge since 2026-11-22 03:01 UTC/)
})

test('what the tap dropped taints a bad round, and an isolated agent knows nothing', async (t) => {
  const line = new Line()
  t.same(line.intervals(5, crowd(2, 2, { jitterMs: 60, drops: 11 })).join(''), '', '11 of 1,000')
  t.equal(
    line.intervals(2, crowd(2, 2, { jitterMs: 60, drops: 10 })).join(''),
    'path-jitter firing',
  )
  const cut = new Line()
  const isolated = (endUs: number) => [
    measurement(
      'agent',
      endUs,
      { agent: 'gw-1', site: 'hq' },
      { interval_ms: 10_000, isolated: true },
    ),
    ...crowd(2, 2, { jitterMs: 60 })(endUs),
  ]
  t.same(cut.intervals(4, isolated).join(''), '')
})

test('the jitter of a test stream stands for its path, and not where it is the tester’s own', async (t) => {
  const tested = (loopMs: number) => (endUs: number) => [
    measurement(
      'rtp_test',
      endUs,
      { site: 'hq', agent: 'gw-1', from: 'hq', to: 'carrier-b', at: 'carrier-b', target: 'far' },
      { interval_ms: 10_000, expected: 500, lost_unique: 0, jitter_ms: 45, loop_delay_ms: loopMs },
    ),
  ]
  t.equal(new Line().intervals(2, tested(1)).join(''), 'path-jitter firing')
  t.equal(new Line().intervals(5, tested(60)).join(''), '')
})

test('seen at two places it is told once, by the tap nearest the sender', async (t) => {
  const line = new Line()
  const both = (endUs: number) => [
    ...crowd(2, 2, { jitterMs: 60, agent: 'gw-b', at: 'carrier-b' })(endUs),
    ...crowd(2, 2, { jitterMs: 60, agent: 'gw-1', at: 'hq' })(endUs),
  ]
  t.same(line.intervals(4, both), ['', 'path-jitter firing', '', ''])
  t.equal(line.last()?.labels['at'], 'hq')
})

// ---- MOS

test('a MOS below 3.6 of several streams is a warning; scales are never pooled, assumptions not judged', async (t) => {
  const line = new Line()
  t.same(line.intervals(2, crowd(4, 2, { mosLq: 3.1 })), ['', 'path-mos firing'])
  t.equal(
    line.last()?.summary,
    '2 of 4 streams below MOS 3.60 (narrowband), worst MOS 3.10 (narrowband)',
  )
  const mixed = (endUs: number) => [
    stream(endUs, { ssrc: 1, mosLq: 3 }),
    stream(endUs, { ssrc: 2, mosLq: 3, scale: 'wideband' }),
    stream(endUs, { ssrc: 3, mosLq: 3, scale: 'fullband' }),
  ]
  t.equal(new Line().intervals(4, mixed).join(''), '', 'one of each scale')
  const assumed = crowd(4, 4, { mosLq: 2, isAssumed: true })
  t.equal(new Line().intervals(4, assumed).join(''), '')
  const told = new Line({ 'path-quality': { 'assumed-mos': true } })
  t.equal(told.intervals(2, assumed).join(''), 'path-mos firing')
})

test('the path point carries the lowest MOS of the scale most streams have, and none where none was measured', async (t) => {
  const line = new Line()
  line.interval((endUs) => [
    stream(endUs, { ssrc: 1, mosLq: 4.1 }),
    stream(endUs, { ssrc: 2, mosLq: 3.9 }),
    stream(endUs, { ssrc: 3, mosLq: 2, scale: 'wideband' }),
    stream(endUs, { ssrc: 4, mosLq: 1.5, isAssumed: true }),
  ])
  t.match(line.points.at(-1)?.fields, { mos_lq: 3.9, mos_scale: 'narrowband' })
  line.interval((endUs) => [stream(endUs)])
  t.equal(line.points.at(-1)?.fields['mos_lq'], undefined)
})

// ---- effective loss

test('effective loss is off until it has a limit, and then pools packets as loss does', async (t) => {
  const late = crowd(2, 2, { lost: 5, discarded: 35 }, {})
  t.equal(new Line().intervals(4, late).join(''), '')
  const line = new Line({ 'path-quality': { 'effective-loss': '5%' } })
  t.equal(line.intervals(2, late).join(''), 'path-effective-loss firing')
  t.match(line.last(), {
    summary: '8 % of 1,000 packets lost or too late for a jitter buffer, limit 5 %',
    evidence: { expected: 1000, effective_lost: 80, limit_effective_loss_ratio: 0.05 },
  })
  const uneven = new Line({ 'path-quality': { 'effective-loss': '5%' } })
  const sums = (endUs: number) => [
    stream(endUs, { ssrc: 1, expected: 100, discarded: 10 }),
    stream(endUs, { ssrc: 2, expected: 1900, discarded: 10 }),
  ]
  t.equal(
    uneven.intervals(6, sums).join(''),
    '',
    '20 of 2,000 is 1 %; the mean of 10 % and 0.5 % is not asked',
  )
  t.equal(
    new Line({ 'path-quality': { 'effective-loss': '5%' } })
      .intervals(6, crowd(2, 2, { lost: 20 }, {}))
      .join(''),
    'path-loss firing',
    'not measured is not judged',
  )
})

test('each limit can be off or a path’s own, and the options complain where they stand', async (t) => {
  const off = new Line({ 'path-quality': { jitter: 'off', mos: false } })
  t.equal(off.intervals(4, crowd(2, 2, { jitterMs: 500, mosLq: 1.2 })).join(''), '')
  const own = new Line({ 'path-quality': { paths: [{ to: 'carrier-b', jitter: '80ms' }] } })
  t.equal(own.intervals(4, crowd(2, 2, { jitterMs: 70 })).join(''), '')
  t.equal(
    own.intervals(2, crowd(2, 2, { jitterMs: 70, to: 'carrier-a', at: 'carrier-a' })).join(''),
    'path-jitter firing',
  )
  const read = (text: string) => () => readConfig(rulesOptions, text, 'c.yaml')
  t.doesNotThrow(read('path-quality: { jitter: off, mos: 3.8, effective-loss: 4% }'))
  t.throws(read('path-quality: { mos: 7 }'), { message: /c\.yaml:1:\d+: path-quality\.mos/ })
  t.throws(read('path-quality: { jitter: 30 }'), { message: /path-quality\.jitter/ })
})

test('a restart at any moment neither loses nor repeats a quality alert', async (t) => {
  const life = (restartAt: number): string[] => {
    const line = new Line()
    const steps = [2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 2, 2]
    return steps.map((bad, n) => {
      if (n === restartAt) line.restart()
      return line.interval(crowd(4, bad, { jitterMs: 60 }))
    })
  }
  const whole = life(-1)
  t.same(
    whole.filter((words) => words !== ''),
    ['path-jitter firing', 'path-jitter resolved', 'path-jitter firing'],
  )
  for (let n = 0; n < 12; n++) t.same(life(n), whole, `before step ${n}`)
})

// ---- clear RTP

test('clear RTP where the site file says encrypted is a notice with its streams, and clears after an hour without', async (t) => {
  const line = new Line()
  const clear = (endUs: number) => [
    stream(endUs, { ssrc: 1, encrypted: false }),
    stream(endUs, { ssrc: 2, encrypted: true }),
    stream(endUs, { ssrc: 3 }),
  ]
  t.same(line.intervals(2, clear), ['clear-rtp firing', ''])
  t.match(line.last(), {
    severity: 'notice',
    object: 'hq -> carrier-b',
    summary:
      'clear RTP where the policy of carrier-b says encrypted: one stream, such as 0x1 10.1.0.1 -> 198.51.100.1',
    labels: { network: 'carrier-b', owner: 'carrier-b' },
    sinceUs: NIGHT + 10 * S,
  })
  line.interval((endUs) => [stream(endUs, { ssrc: 4, encrypted: false })])
  const open = line.evaluator.breaches().find(({ rule }) => rule === 'clear-rtp')
  t.equal(open?.evidence['streams'], 2)
  line.restart()
  t.equal(line.wait(59 * MIN), '')
  t.equal(line.wait(2 * MIN), 'clear-rtp resolved')
  t.equal(line.last()?.summary, 'no clear RTP for 60 min')
  const elsewhere = (endUs: number) => [
    stream(endUs, { to: 'internet', at: 'hq', encrypted: false }),
  ]
  t.equal(line.interval(elsewhere), '', 'no policy, no finding')
  const old = stream(NIGHT - 2 * H, { encrypted: false })
  t.equal(
    new Line().interval(() => [old]),
    '',
    'history',
  )
})

// ---- calls without speech

function call(endUs: number, id: string, isSilent = false): Measurement {
  return measurement(
    'rtp_call',
    endUs,
    {
      site: 'hq',
      agent: 'gw-1',
      from: 'hq',
      to: 'carrier-b',
      at: 'hq',
      owner: 'ict',
      bearer: 'lan',
    },
    { interval_ms: 10_000, call_id: id, one_way: !isSilent, silent: isSilent, src_ip: '10.1.0.1' },
  )
}

function callsUp(endUs: number, calls: number): Measurement {
  return measurement(
    'agent',
    endUs,
    { site: 'hq', agent: 'gw-1', target: 'rtp-capture' },
    { interval_ms: 10_000, calls },
  )
}

test('a call without speech is a notice; three, and a tenth of all, a warning; a minute without resolves', async (t) => {
  const line = new Line()
  t.equal(
    line.interval((endUs) => [callsUp(endUs, 30), call(endUs, 'a')]),
    'call-media firing',
  )
  t.match(line.last(), {
    severity: 'notice',
    object: 'hq -> carrier-b',
    summary: 'a call is up without speech (1 one-way), 3.33 % of the 30 calls up',
    labels: { segment: 'hq -> hq', owner: 'ict' },
    evidence: { calls: 30, calls_one_way: 1, calls_silent: 0, call_ids: 'a' },
  })
  t.equal(
    line.interval((endUs) => [callsUp(endUs, 30), call(endUs, 'a'), call(endUs, 'b', true)]),
    '',
  )
  line.restart()
  t.equal(
    line.interval((endUs) => [callsUp(endUs, 30), call(endUs, 'c', true)]),
    'call-media escalated',
    'those of the last minute count',
  )
  t.match(line.last(), {
    severity: 'warning',
    summary: '3 calls are up without speech (1 one-way, 2 silent), 10 % of the 30 calls up',
  })
  const calm = line.intervals(7, (endUs) => [callsUp(endUs, 30)])
  t.equal(calm.filter(Boolean).join(), 'call-media resolved')

  const many = new Line()
  const three = (endUs: number) => [
    callsUp(endUs, 31),
    ...['a', 'b', 'c'].map((id) => call(endUs, id)),
  ]
  many.interval(three)
  t.equal(many.last()?.severity, 'notice', '3 of 31')
  const untold = new Line()
  untold.interval((endUs) => ['a', 'b', 'c'].map((id) => call(endUs, id)))
  t.equal(untold.last()?.severity, 'notice', 'a share of what is not known is none')
})

test('calls of an agent that is gone are not called healed, those of an isolated one not found', async (t) => {
  const line = new Line()
  line.interval((endUs) => [callsUp(endUs, 5), call(endUs, 'a')])
  t.equal(line.wait(2 * MIN), 'call-media ended')
  t.match(line.last()?.summary, /gw-1 any more, not proven healed/)
  const cut = new Line()
  const isolated = (endUs: number) => [
    measurement(
      'agent',
      endUs,
      { agent: 'gw-1', site: 'hq' },
      { interval_ms: 10_000, isolated: true },
    ),
    call(endUs, 'a', true),
  ]
  t.equal(cut.interval(isolated), '')
})
