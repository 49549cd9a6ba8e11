import { test } from 'tap'
import { Evaluator, type Change, type Outcome } from '../../collector/evaluate/evaluator.ts'
import { rulesOptions } from '../../collector/evaluate/index.ts'
import { siteFile } from '../../collector/topology/site-file.ts'
import { Site } from '../../collector/topology/site.ts'
import { readConfig } from '../../common/config.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'

const S = 1_000_000
/** 2026-11-22 03:00 UTC */
const NIGHT = 1_795_316_400 * S
const RULES = new Set(['path-loss', 'sensor-suspected'])

const SITE = new Site(
  readConfig(
    siteFile,
    `
parties: { ict: {}, telco: {}, carrier-a: {}, carrier-b: {} }
networks:
  hq: { cidr: [10.1.0.0/16], site: hq, bearer: lan, owner: ict }
  hq-edge: { cidr: [10.255.1.0/24], site: hq, bearer: lan, owner: telco }
  carrier-a: { cidr: [203.0.113.0/24], bearer: internet, owner: carrier-a }
  carrier-b: { cidr: [198.51.100.0/24], bearer: wan, owner: carrier-b }
agents: { gw-1: { at: hq-edge }, gw-a: { at: carrier-a } }
`,
    'site.yaml',
  ),
)

interface Seen {
  agent?: string
  tap?: string
  ssrc?: string
  from?: string
  to?: string
  at?: string
  expected?: number
  lost?: number
  drops?: number
  first?: number
}

function tagsOf({ agent = 'gw-1', from = 'hq', to = 'carrier-a', at = 'hq-edge' }: Seen) {
  const { bearer, owner } = SITE.segment(from, to, at)
  return { site: agent === 'gw-1' ? 'hq' : 'far', agent, from, to, at, bearer, owner }
}

function stream(endUs: number, seen: Seen = {}): Measurement {
  const { expected = 500, lost = 0, first } = seen
  return measurement(
    'rtp_stream',
    endUs,
    { ...tagsOf(seen), codec: 'PCMA' },
    {
      ssrc: seen.ssrc ?? '0x00000001',
      src_ip: '10.1.0.1',
      dst_ip: '203.0.113.1',
      payload_type: 8,
      interval_ms: 10_000,
      expected,
      lost,
      lost_unique: lost,
      sensor_drops: seen.drops,
      tap: seen.tap,
      sequence_first: first,
      sequence_last: first === undefined ? undefined : first + expected - 1,
    },
  )
}

/** What the receiver says of a stream, overheard by an agent. */
function report(endUs: number, seen: Seen = {}): Measurement {
  const { expected = 500, lost = 0, to = 'carrier-a' } = seen
  return measurement(
    'rtp_report',
    endUs,
    { ...tagsOf({ ...seen, at: to }), codec: 'PCMA', source: 'rtcp' },
    {
      ssrc: seen.ssrc ?? '0x00000001',
      src_ip: '10.1.0.1',
      dst_ip: '203.0.113.1',
      interval_ms: 10_000,
      reports: 2,
      expected,
      lost,
    },
  )
}

function isolated(endUs: number, agent: string, isIsolated: boolean): Measurement {
  return measurement(
    'agent',
    endUs,
    { agent, site: 'hq' },
    { interval_ms: 10_000, isolated: isIsolated },
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

  /** One interval, every agent's points in a push of its own; "rule kind" of what path-loss told. */
  interval(...points: ((endUs: number) => Measurement)[]): string {
    this.endUs += 10 * S
    const made = points.map((make) => make(this.endUs))
    const words: string[] = []
    for (const agent of new Set(made.map(({ tags }) => tags['agent']))) {
      const push = made.filter(({ tags }) => tags['agent'] === agent)
      words.push(...this.#take(this.evaluator.observe(push, this.endUs + S / 2)))
    }
    for (const afterS of [1, 3])
      words.push(...this.#take(this.evaluator.tick(this.endUs + afterS * S)))
    return words.join(', ')
  }

  restart(): void {
    this.evaluator = this.#make(JSON.parse(JSON.stringify(this.evaluator.snapshot())))
  }

  last(): Change['breach'] | undefined {
    return this.changes.at(-1)?.breach
  }

  verdicts(): unknown[] {
    return this.points
      .filter(({ name }) => name === 'path')
      .map(({ tags, fields }) => `${tags['source']} ${tags['at']} ${fields['verdict']}`)
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

const seen = (of: Seen) => (endUs: number) => stream(endUs, of)
const reported = (of: Seen) => (endUs: number) => report(endUs, of)

// ---- two observers

test('of one stream seen at two places the loss between them is named, with whose it is', async (t) => {
  const line = new Line()
  const both = (near: number, far: number) => [
    seen({ lost: near }),
    seen({ agent: 'gw-a', at: 'carrier-a', lost: far }),
  ]
  t.equal(line.interval(...both(6, 206)), '')
  t.equal(line.interval(...both(6, 206)), 'path-loss firing')
  t.match(line.last(), {
    object: 'hq -> carrier-a',
    severity: 'critical',
    summary:
      '41.2 % of 1,000 packets lost, limit 3 %, newest interval 41.2 % of 500; of 412 lost, 400 between hq-edge and carrier-a',
    labels: { segment: 'hq-edge -> carrier-a', bearer: 'internet', owner: 'carrier-a' },
    evidence: { lost_unique: 412, lost_there: 400, lost_between: 'hq-edge -> carrier-a' },
  })
})

test('a loss before both observers pages once, by the one nearest the receiver, and accuses the first stretch', async (t) => {
  for (const order of ['near first', 'far first']) {
    const line = new Line()
    const near = seen({ lost: 40 })
    const far = seen({ agent: 'gw-a', at: 'carrier-a', lost: 41 })
    const both = order === 'near first' ? [near, far] : [far, near]
    const kinds = Array.from({ length: 4 }, () => line.interval(...both))
    t.same(kinds, ['', 'path-loss firing', '', ''], order)
    t.match(line.last(), {
      labels: { at: 'carrier-a', segment: 'hq -> hq-edge', owner: 'ict' },
      evidence: { lost_there: 80, lost_unique: 82 },
    })
    t.same(
      new Set(line.verdicts()),
      new Set(['stream hq-edge over', 'stream carrier-a over']),
      'each place keeps its own verdict',
    )
  }
})

test('calls the farther observer does not see are told of by the nearer one', async (t) => {
  const points = [
    seen({ ssrc: '0xa', lost: 40 }),
    seen({ ssrc: '0xb', lost: 40 }),
    seen({ ssrc: '0xc', lost: 40 }),
    seen({ agent: 'gw-a', at: 'carrier-a', ssrc: '0xa', lost: 40 }),
  ]
  for (const pushed of [points, points.toReversed()]) {
    const line = new Line()
    line.interval(...pushed)
    t.equal(line.interval(...pushed), 'path-loss firing')
    t.match(line.last()?.labels, { at: 'hq-edge', owner: 'ict' })
  }
})

test('the same SSRC with other sequence numbers is another stream', async (t) => {
  const apart = new Line()
  const far = { agent: 'gw-a', at: 'carrier-a', lost: 206 }
  for (let n = 0; n < 2; n++)
    apart.interval(seen({ lost: 6, first: 1000 }), seen({ ...far, first: 30_000 }))
  t.notMatch(apart.last()?.summary, /between/)
  t.equal(apart.last()?.labels['owner'], 'carrier-a', 'of the whole segment')
  const wrapped = new Line()
  for (let n = 0; n < 2; n++)
    wrapped.interval(
      seen({ lost: 6, first: 65_400 }),
      seen({ ...far, first: 65_400 - 65_536 * 3 + 65_536 * 4 }),
    )
  t.match(
    wrapped.last()?.summary,
    /400 between hq-edge and carrier-a/,
    'wraps are counted by each for itself',
  )
})

test('two taps of one agent are two observers: a stream counts once, their drops add up', async (t) => {
  const line = new Line()
  line.interval(
    seen({ tap: 'eth1', ssrc: '0xa', lost: 40, drops: 20 }),
    seen({ tap: 'eth2', ssrc: '0xa', lost: 10, drops: 30 }),
    seen({ tap: 'eth1', ssrc: '0xb', lost: 0, drops: 20 }),
  )
  t.match(line.points, [
    { fields: { streams: 2, expected: 1000, lost_unique: 10, sensor_drops: 50 } },
  ])
})

test('a restart does not forget what the other observer counted', async (t) => {
  const line = new Line()
  const both = [seen({ lost: 6 }), seen({ agent: 'gw-a', at: 'carrier-a', lost: 206 })]
  line.interval(...both)
  line.restart()
  t.equal(line.interval(...both), 'path-loss firing')
  t.match(line.last()?.evidence, { lost_there: 400, lost_unique: 412 })
})

// ---- reports

test('what the receiver reports and our tap did not see was lost behind us', async (t) => {
  const line = new Line()
  const both = [seen({ lost: 1 }), reported({ lost: 40 })]
  t.equal(line.interval(...both), '')
  t.equal(line.interval(...both), 'path-loss firing')
  t.match(line.last(), {
    object: 'hq -> carrier-a',
    labels: {
      source: 'report',
      segment: 'hq-edge -> carrier-a',
      bearer: 'internet',
      owner: 'carrier-a',
    },
    summary:
      '8 % of 1,000 packets lost, limit 3 %, newest interval 8 % of 500; of 80 lost, 78 between hq-edge and carrier-a',
    evidence: { expected: 1000, lost_unique: 80 },
  })
  t.same(line.verdicts().slice(0, 2), ['stream hq-edge ok', 'report carrier-a over'], 'never added')
})

test('a report of the loss our tap saw already pages nobody a second time', async (t) => {
  const line = new Line()
  const both = [seen({ lost: 40 }), reported({ lost: 42 })]
  const kinds = Array.from({ length: 5 }, () => line.interval(...both))
  t.same(kinds, ['', 'path-loss firing', '', '', ''])
  t.match(line.last()?.labels, { source: 'stream', segment: 'hq -> hq-edge', owner: 'ict' })
  const healed = [seen({}), reported({ lost: 20 })]
  t.equal(line.interval(...healed), '', 'the reports end a little later')

  const worse = new Line()
  const more = [seen({ lost: 40 }), reported({ lost: 120 })]
  worse.interval(...more)
  t.equal(worse.interval(...more), 'path-loss firing, path-loss firing', 'more was lost behind')
  t.match(worse.last()?.labels, { source: 'report', segment: 'hq-edge -> carrier-a' })
})

test('a report without any tap is judged over the whole way, by the same limits', async (t) => {
  const line = new Line()
  line.interval(reported({ lost: 15 }))
  line.interval(reported({ lost: 16 }))
  line.interval(reported({ expected: 60, lost: 60 }))
  line.interval((endUs) =>
    measurement('rtp_report', endUs, tagsOf({ at: 'carrier-a' }), { ssrc: '0x1', mos_lq: 2 }),
  )
  t.same(line.verdicts(), [
    'report carrier-a ok',
    'report carrier-a over',
    'report carrier-a too-few',
  ])
  const fired = new Line()
  fired.interval(reported({ lost: 40 }))
  t.equal(fired.interval(reported({ lost: 40 })), 'path-loss firing')
  t.match(fired.last()?.labels, { segment: 'hq -> carrier-a', owner: 'carrier-a' })
})

test('a tap whose loss the receivers do not know of is told to its owner, as a doubt', async (t) => {
  const line = new Line()
  const both = [seen({ lost: 100 }), reported({ lost: 1 })]
  line.interval(...both)
  t.equal(line.interval(...both), 'path-loss firing')
  t.match(line.last(), {
    severity: 'warning',
    labels: { owner: 'telco' },
    summary: /; sensor suspected: of the same streams their receivers report 0\.2 % lost$/,
  })
})

// ---- the sensor

const OUT = { from: 'hq', to: 'carrier-a' }
const IN = { from: 'carrier-a', to: 'hq' }
const OTHER = { from: 'carrier-b', to: 'hq' }

test('all paths of a tap over at once, both directions, is one warning about the tap', async (t) => {
  const line = new Line()
  const all = (lost: number) =>
    [OUT, IN, OTHER].map((path, n) => seen({ ...path, ssrc: `0x${n}`, lost }))
  t.equal(line.interval(...all(0)), '')
  t.equal(line.interval(...all(60)), '')
  t.equal(line.interval(...all(60)), 'sensor-suspected firing')
  t.match(line.last(), {
    rule: 'sensor-suspected',
    object: 'tap of gw-1',
    severity: 'warning',
    summary:
      /^sensor suspected: all 3 paths of this tap, both directions, lost 12 % of 2,\d00 packets/,
    labels: { agent: 'gw-1', at: 'hq-edge', owner: 'telco' },
    sinceUs: NIGHT + 10 * S,
  })
  t.equal(line.interval(...all(60)), '', 'and only once')
  line.restart()
  t.equal(line.interval(...all(60)), '', 'a restart does not repeat it')
  const kinds = Array.from({ length: 6 }, () => line.interval(...all(0)))
  t.same(kinds, ['', '', '', '', '', 'sensor-suspected resolved'])
})

test('whoever agrees makes it a loss like any other', async (t) => {
  const both = [seen({ ...OUT, lost: 60 }), seen({ ...IN, ssrc: '0x2', lost: 60 })]
  const testStream = (endUs: number): Measurement =>
    measurement(
      'rtp_test',
      endUs,
      { ...tagsOf({ ...OUT, at: 'carrier-a' }), target: 'far', direction: 'forward' },
      { interval_ms: 10_000, answered: true, expected: 500, lost_unique: 60 },
    )
  for (const [who, witness] of [
    ['a report', reported({ ...OUT, lost: 60 })],
    ['a test stream', testStream],
    ['another agent', seen({ ...OUT, agent: 'gw-2', at: 'carrier-a', ssrc: '0x9', lost: 60 })],
  ] as const) {
    const line = new Line()
    line.interval(...both, witness)
    line.interval(...both, witness)
    line.interval(...both, witness)
    t.notMatch(line.changes.map(({ breach }) => breach.rule).join(), /sensor/, who)
    const fired = new Set(line.changes.map(({ breach }) => breach.object))
    t.same(fired, new Set(['hq -> carrier-a', 'carrier-a -> hq']), who)
  }
})

test('one path that is well clears the tap of suspicion', async (t) => {
  const line = new Line()
  const all = [
    seen({ ...OUT, lost: 60 }),
    seen({ ...IN, ssrc: '0x2', lost: 60 }),
    seen({ ...OTHER, ssrc: '0x3', lost: 0 }),
  ]
  line.interval(...all)
  t.equal(line.interval(...all), 'path-loss firing, path-loss firing')
  const oneWay = new Line()
  const incoming = [seen({ ...IN, lost: 60 }), seen({ ...OTHER, ssrc: '0x3', lost: 60 })]
  oneWay.interval(...incoming)
  t.equal(oneWay.interval(...incoming), 'path-loss firing, path-loss firing', 'one direction only')
  const apart = new Line()
  for (let n = 0; n < 3; n++)
    apart.interval(seen({ ...OUT, lost: n > 0 ? 17 : 0 }), seen({ ...IN, ssrc: '0x2' }))
  apart.interval(seen({ ...OUT, lost: 60 }), seen({ ...IN, ssrc: '0x2', lost: 60 }))
  t.equal(
    apart.interval(seen({ ...OUT, lost: 60 }), seen({ ...IN, ssrc: '0x2', lost: 60 })),
    'path-loss firing',
    'not together',
  )
})

test('a suspicion somebody confirms later becomes the alerts of its paths', async (t) => {
  const line = new Line()
  const both = [seen({ ...OUT, lost: 60 }), seen({ ...IN, ssrc: '0x2', lost: 60 })]
  line.interval(...both)
  t.equal(line.interval(...both), 'sensor-suspected firing')
  const kinds = [1, 2].map(() => line.interval(...both, reported({ ...OUT, lost: 60 })))
  t.same(kinds.join(', ').split(', ').filter(Boolean).sort(), [
    'path-loss firing',
    'path-loss firing',
    'sensor-suspected ended',
  ])
})

test('a tainted round neither convicts nor clears, and an isolated agent knows nothing', async (t) => {
  const line = new Line()
  for (let n = 0; n < 4; n++)
    t.equal(
      line.interval(
        seen({ ...OUT, lost: 60, drops: 60 }),
        seen({ ...IN, ssrc: '0x2', lost: 60, drops: 60 }),
      ),
      '',
    )
  t.same(
    new Set(line.verdicts().map((text) => String(text).split(' ').at(-1))),
    new Set(['tainted']),
  )

  const cut = new Line()
  for (let n = 0; n < 4; n++)
    t.equal(
      cut.interval((endUs) => isolated(endUs, 'gw-1', true), seen({ lost: 400 })),
      '',
    )
  t.same(
    cut.verdicts(),
    Array.from({ length: 4 }, () => 'stream hq-edge unknown'),
  )
})

test('a site that is lost ends its alerts as not proven healed', async (t) => {
  const line = new Line()
  line.interval(seen({ lost: 40 }))
  line.interval(seen({ lost: 40 }))
  let kinds = ''
  for (let n = 0; n < 5; n++) kinds += line.interval()
  t.equal(kinds, 'path-loss ended')
})
