import { test } from 'tap'
import { HISTORY_STEPS, type Overview } from '../../collector/http/overview.ts'
import { changeOf, withChange } from '../../collector/http/overview-change.ts'
import { buildOverview, type OverviewSources } from '../../collector/overview-builder.ts'
import { PathHistory } from '../../collector/path-history.ts'
import { Sender } from '../../collector/sender.ts'
import type { Query, Series } from '../../collector/store/store.ts'
import { measurement, type FieldValue, type Measurement } from '../../common/measurement.ts'
import {
  agentView,
  alertView,
  busyOverview,
  emptyOverview,
  history,
  pathView,
  worstOverview,
} from '../support/overviews.ts'

/** 2026-11-22 03:00 UTC */
const NIGHT_MS = 1_795_316_400_000
const H_MS = 3_600_000

function verdict(endMs: number, lost: number): Measurement {
  return measurement(
    'path',
    endMs * 1000,
    { from: 'hq', to: 'carrier-b', at: 'carrier-b', source: 'stream' },
    { interval_ms: 10_000, expected: 500, lost_unique: lost, loss_ratio: lost / 500 },
  )
}

/** A verdict of the ten seconds up to `endMs` on a path from hq; without loss if nothing else is given. */
function judged(
  endMs: number,
  to: string,
  fields: Readonly<Record<string, FieldValue>> = {},
  tags: Readonly<Record<string, string>> = {},
): Measurement {
  return measurement(
    'path',
    endMs * 1000,
    { from: 'hq', to, at: 'hq-edge', source: 'stream', owner: 'carrier', ...tags },
    {
      interval_ms: 10_000,
      expected: 500,
      lost_unique: 0,
      loss_ratio: 0,
      limit_ratio: 0.03,
      verdict: 'ok',
      ...fields,
    },
  )
}

/** What a console shows of these verdicts at NIGHT_MS. */
function overviewOf(
  points: readonly Measurement[],
  different: Partial<OverviewSources> = {},
): Overview {
  const paths = new PathHistory()
  paths.add(points)
  return buildOverview({
    nowMs: NIGHT_MS,
    startedMs: NIGHT_MS - H_MS,
    store: { kind: 'duckdb' },
    notices: [],
    paths,
    breaches: [],
    senders: [],
    power: null,
    link: () => '',
    limitsOf: () => ({ jitterMs: 30 }),
    nameOf: (party) => (party === 'carrier' ? 'Carrier & Sons' : party),
    explanationOf: () => undefined,
    ...different,
  })
}

test('verdicts from before our clock was set back do not hide those of now', async (t) => {
  const history = new PathHistory()
  history.add([verdict(NIGHT_MS + 2 * H_MS, 0)])
  t.same(history.views(NIGHT_MS), [], 'nothing old is shown as fresh')
  history.add([verdict(NIGHT_MS, 40)])
  const [path] = history.views(NIGHT_MS)
  t.equal(path?.lossRatio, 0.08)
  t.same(
    path?.history.loss.flatMap((loss) => loss ?? []),
    [0.08],
  )
})

test('what is read back from the store is never more than a store gives', async (t) => {
  let asked: Query | undefined
  const read = async (query: Query): Promise<readonly Series[]> => {
    asked = query
    return []
  }
  await new PathHistory().load({ read }, NIGHT_MS)
  t.equal(asked?.limit, 50_000)
})

test('a step of ten seconds has the sums of its packets, the highest jitter and the lowest MOS of one scale', (t) => {
  const inStep = (agoMs: number, fields: Readonly<Record<string, FieldValue>>): Measurement =>
    judged(NIGHT_MS - agoMs, 'carrier-a', { interval_ms: 2000, ...fields })
  const [path] = overviewOf([
    // two steps ago: 6 of 600, of which no interval's own ratio is 1 %
    inStep(18_000, {
      expected: 500,
      lost_unique: 0,
      jitter_ms: 4,
      mos_lq: 4.2,
      mos_scale: 'narrowband',
    }),
    inStep(16_000, {
      expected: 100,
      lost_unique: 6,
      jitter_ms: 9,
      mos_lq: 3.9,
      mos_scale: 'narrowband',
    }),
    // 1.2 would be the lowest, but on another scale
    inStep(14_000, { expected: 0, jitter_ms: 5, mos_lq: 1.2, mos_scale: 'fullband' }),
    inStep(4000, {
      expected: 1000,
      lost_unique: 5,
      effective_lost: 27,
      effective_expected: 900,
      mos_lq: 4.4,
      mos_scale: 'narrowband',
    }),
  ]).paths
  t.equal(path?.history.loss.length, HISTORY_STEPS)
  t.same(path?.history.loss.slice(-3), [null, 0.01, 0.005])
  t.same(path?.history.jitterMs.slice(-3), [null, 9, null])
  t.same(path?.history.mosLq.slice(-3), [null, 3.9, 4.4])
  t.equal(path?.effectiveLossRatio, 0.03)
  t.equal(path?.mosScale, 'narrowband')
  t.equal(path?.jitterLimitMs, 30)
  t.equal(path?.mosLimit, null, 'a limit that is off is none')
  t.equal(path?.owner, 'Carrier & Sons', 'a party by its name')
  const [without] = overviewOf([judged(NIGHT_MS, 'carrier-a')]).paths
  t.match(without, { mosLq: null, jitterMs: null, effectiveLossRatio: null, mosScale: null })
  t.match(without?.history, { jitterMs: [], mosLq: [] }, 'what was never measured takes no room')
  t.end()
})

test('paths stand still: those with an alert first, then by name, the rows of a path together', (t) => {
  const names = (overview: Overview): readonly string[] =>
    overview.paths.map(({ to, source }) => `${to} ${source}`)
  const rows = (losses: readonly number[]): Measurement[] =>
    losses.map((lost, index) =>
      judged(NIGHT_MS, `site-${index}`, { lost_unique: lost, loss_ratio: lost / 500 }),
    )
  const test = judged(NIGHT_MS, 'site-1', {}, { source: 'test', at: 'site-1' })
  const report = judged(NIGHT_MS, 'site-1', {}, { source: 'report', at: 'site-1' })
  const calm = names(overviewOf([test, ...rows([1, 9, 4]), report]))
  t.same(calm, ['site-0 stream', 'site-1 stream', 'site-1 report', 'site-1 test', 'site-2 stream'])
  t.same(names(overviewOf([report, ...rows([8, 0, 14]), test])), calm, 'noise moves nothing')

  const labels = { from: 'hq', to: 'site-1', at: 'site-1', source: 'report', owner: 'carrier' }
  const breach = {
    id: 'path-loss/1',
    fingerprint: 'path-loss',
    rule: 'path-loss',
    object: 'hq -> site-1',
    state: 'firing' as const,
    severity: 'warning' as const,
    summary: '8 % lost',
    labels,
    evidence: {},
    sinceUs: NIGHT_MS * 1000,
    updatedUs: NIGHT_MS * 1000,
  }
  const notice = {
    ...breach,
    id: 'call-loss/1',
    severity: 'notice' as const,
    sinceUs: breach.sinceUs + 5_000_000,
    labels: {},
  }
  const alarmed = overviewOf([test, ...rows([0, 0, 0]), report], { breaches: [notice, breach] })
  t.same(names(alarmed).slice(0, 3), ['site-1 stream', 'site-1 report', 'site-1 test'])
  t.same(
    alarmed.paths.filter(({ firing }) => firing).map(({ source }) => source),
    ['report'],
  )
  t.match(
    alarmed.alerts,
    [{ owner: 'Carrier & Sons', advice: /call its owner/ }, { severity: 'notice' }],
    'the most severe first',
  )
  t.match(alarmed.alerts[0]?.text, /^Owner: Carrier & Sons$/m)

  const many = Array.from({ length: 250 }, (_, index) =>
    judged(NIGHT_MS, `site-${String(index).padStart(3, '0')}`, {
      verdict: index === 249 ? 'over' : 'ok',
    }),
  )
  const crowded = overviewOf(many)
  t.equal(crowded.paths.length, 200)
  t.equal(crowded.pathsLeftOut, 50)
  t.equal(crowded.paths.at(-1)?.to, 'site-249', 'the worst are kept, wherever they stand')
  t.end()
})

test('an agent says which of its probes fail and why, until they work again', (t) => {
  const sender = new Sender('gw-1', 'hq')
  const say = (
    target: string,
    agoMs: number,
    fields: Readonly<Record<string, FieldValue>>,
  ): void => {
    sender.learn(measurement('agent', (NIGHT_MS - agoMs) * 1000, { target }, fields))
  }
  const failing = () => overviewOf([], { senders: [sender] }).agents[0]?.problems
  say('ping', 30_000, { runs: 1, failures: 0, timeouts: 0 })
  say('ups-nut', 30_000, { runs: 1, failures: 1, timeouts: 0, reason: 'connection refused' })
  say('host', 30_000, { runs: 1, failures: 0, timeouts: 1 })
  say('rtp-capture', 30_000, { tap: 'eth1', sensor_drops: 0, reason: 'tcpdump: no permission' })
  t.same(failing(), [
    { what: 'host', reason: 'it was cut off at its time limit' },
    { what: 'rtp-capture eth1', reason: 'tcpdump: no permission' },
    { what: 'ups-nut', reason: 'connection refused' },
  ])
  say('ups-nut', 20_000, { runs: 0, failures: 0, timeouts: 0 })
  t.equal(failing()?.length, 3, 'a probe that was not due has not healed')
  say('ups-nut', 10_000, { runs: 1, failures: 0, timeouts: 0 })
  say('host', 10_000, { runs: 1, failures: 0, timeouts: 0 })
  say('rtp-capture', 10_000, { tap: 'eth1', sensor_drops: 0 })
  t.same(failing(), [])
  say('ups-nut', 400_000, { runs: 1, failures: 1, reason: 'connection refused' })
  t.same(failing(), [], 'a probe that is no longer there fails no more')
  t.end()
})

test('the changes of an overview give what it became', (t) => {
  const busy = busyOverview(NIGHT_MS)
  const later = worstOverview(NIGHT_MS + 25_000)
  const [first] = busy.paths
  const back: Overview = {
    ...busy,
    atMs: NIGHT_MS - H_MS,
    historyFromMs: busy.historyFromMs - H_MS,
  }
  const states: readonly Overview[] = [
    emptyOverview(NIGHT_MS),
    busy,
    { ...busy, atMs: NIGHT_MS + 1000 },
    { ...busy, paths: busy.paths.toReversed(), alerts: busy.alerts.slice(1) },
    {
      ...busy,
      paths: busy.paths.map((path) =>
        path === first ? { ...path, lossRatio: 0.5, history: history(() => 0.5) } : path,
      ),
    },
    { ...busy, agents: [agentView(NIGHT_MS, { points: 7 })] },
    later,
    { ...later, alerts: [alertView(NIGHT_MS)], paths: [pathView(NIGHT_MS, { to: 'new' })] },
    { ...later, store: { kind: 'duckdb', problem: 'disk full' }, notices: ['x'] },
    back,
    emptyOverview(NIGHT_MS + H_MS),
  ]
  for (const [i, before] of states.entries())
    for (const [j, after] of states.entries()) {
      const sent: unknown = JSON.parse(JSON.stringify(changeOf(before, after)))
      const again = withChange(before, changeOf(before, after))
      t.strictSame(again, after, `${i} to ${j}`)
      t.strictSame(sent, changeOf(before, after), 'and it can be sent')
    }
  const tick = changeOf(busy, { ...busy, atMs: NIGHT_MS + 1000 })
  t.match(tick, { paths: { changed: [] }, alerts: { changed: [] }, agents: { changed: [] } })
  t.equal(tick.steps.length, 0, 'what did not change is not sent')
  t.end()
})

test('ten seconds later one step of each path is sent, and not its history', (t) => {
  const paths = new PathHistory()
  const at = (nowMs: number): Overview => overviewOf([], { nowMs, paths })
  for (let agoMs = 900_000; agoMs > 0; agoMs -= 10_000)
    paths.add([judged(NIGHT_MS - agoMs, 'carrier-a', { jitter_ms: agoMs / 100_000 })])
  const before = at(NIGHT_MS)
  paths.add([judged(NIGHT_MS, 'carrier-a', { lost_unique: 40, loss_ratio: 0.08, jitter_ms: 3 })])
  const change = changeOf(before, at(NIGHT_MS + 10_000))
  t.match(change.paths.changed, [{ to: 'carrier-a', lossRatio: 0.08 }])
  t.same(
    change.steps.map(([path, ...step]) => [path.split('\n')[1], ...step]),
    [['carrier-a', 88, 0.08, 3, null]],
  )
  t.end()
})
