import type { FieldValue, Measurement } from '../common/measurement.ts'
import { columnOf } from './http/overview-change.ts'
import {
  HISTORY_STEP_MS as STEP_MS,
  HISTORY_STEPS as STEPS,
  type PathHistoryView,
  type PathView,
} from './http/overview.ts'
import type { Store } from './store/store.ts'

const US_PER_MS = 1000
const SPAN_MS = STEPS * STEP_MS
/** Nothing judged for so long: the path is silent, whatever its last verdict was. */
const SILENT_MS = 60_000
/** Verdicts are at most a minute ahead of our clock, and half a minute is for the clock itself. */
const MAX_AHEAD_MS = 90_000
/** When full, the path heard of least lately goes. */
const MAX_PATHS = 1000
/** A verdict a second for the whole span. */
const MAX_VERDICTS = 900
/** What a store gives at most in one answer. */
const MAX_ROWS = 50_000
const DRAWN_DIGITS = 4
const PATH_TAGS = ['from', 'to', 'at', 'source', 'bearer', 'owner']
const PATH_FIELDS = [
  'interval_ms',
  'expected',
  'lost_unique',
  'loss_ratio',
  'effective_lost',
  'effective_expected',
  'jitter_ms',
  'round_trip_ms',
  'mos_lq',
  'mos_scale',
  'limit_ratio',
  'streams',
  'streams_over',
  'sensor_drops',
  'verdict',
]

/** One judged interval of a path. */
interface Verdict {
  readonly timeMs: number
  readonly stepMs: number
  readonly expected: number
  readonly lostUnique: number
  readonly jitterMs: number | null
  readonly mosLq: number | null
  readonly mosScale: string | null
}

/** What the caller adds to a view: whether an alert is firing, and the limits of other rules than the one that judges loss. */
type OwnView = Omit<PathView, 'firing' | 'jitterLimitMs' | 'mosLimit'>

interface Path {
  newest: Measurement
  /** By time, ascending. */
  readonly verdicts: Verdict[]
  /** What was last made of them; undefined when something came since. */
  drawn: Drawn | undefined
}

interface Drawn {
  readonly fromMs: number
  readonly mosScale: string | null
  readonly history: PathHistoryView
}

/** The verdicts of the last 15 minutes by path: read from the store at the start, then as they are made. */
export class PathHistory {
  readonly #paths = new Map<string, Path>()

  /** What the store has of the last 15 minutes. @throws TransientError */
  async load(store: Pick<Store, 'read'>, nowMs: number): Promise<void> {
    const series = await store.read({
      measurement: 'path',
      columns: { raw: PATH_FIELDS },
      fromUs: (nowMs - SPAN_MS) * US_PER_MS,
      toUs: (nowMs + SPAN_MS) * US_PER_MS,
      groupBy: PATH_TAGS,
      limit: MAX_ROWS,
    })
    for (const { tags, timesUs, values } of series) {
      for (const [row, timeUs] of timesUs.entries()) {
        const fields: Record<string, FieldValue> = {}
        for (const field of PATH_FIELDS) {
          const value = values[field]?.[row]
          if (value !== undefined && value !== null) fields[field] = value
        }
        this.add([{ name: 'path', tags, fields, timeUs }])
      }
    }
  }

  add(points: readonly Measurement[]): void {
    for (const point of points) if (point.name === 'path') this.#add(point)
  }

  /** Every path heard of within 15 minutes; the history of each begins at `historyFromMs(nowMs)`. */
  views(nowMs: number): readonly OwnView[] {
    const fromMs = historyFromMs(nowMs)
    const views: OwnView[] = []
    for (const [key, path] of this.#paths) {
      const newestMs = path.newest.timeUs / US_PER_MS
      // Nothing is judged from so far ahead: our clock has been set back since.
      const isAhead = newestMs > nowMs + MAX_AHEAD_MS
      if (newestMs < nowMs - SPAN_MS || isAhead) this.#paths.delete(key)
      else views.push(viewOf(path, nowMs, fromMs))
    }
    return views
  }

  #add(point: Measurement): void {
    const key = ['from', 'to', 'at', 'source'].map((tag) => point.tags[tag] ?? '').join('\n')
    let path = this.#paths.get(key)
    if (path === undefined) {
      path = { newest: point, verdicts: [], drawn: undefined }
      this.#makeRoom()
      this.#paths.set(key, path)
    }
    if (point.timeUs >= path.newest.timeUs) path.newest = point
    insert(path.verdicts, verdictOf(point))
    path.drawn = undefined
  }

  #makeRoom(): void {
    if (this.#paths.size < MAX_PATHS) return
    let [oldestKey, oldestUs] = ['', Infinity]
    for (const [key, { newest }] of this.#paths) {
      if (newest.timeUs < oldestUs) [oldestKey, oldestUs] = [key, newest.timeUs]
    }
    this.#paths.delete(oldestKey)
  }
}

/** The 15 minutes end with the last step that is over. */
export function historyFromMs(nowMs: number): number {
  return (Math.floor(nowMs / STEP_MS) - STEPS) * STEP_MS
}

function verdictOf({ timeUs, fields }: Measurement): Verdict {
  const timeMs = timeUs / US_PER_MS
  const intervalMs = numberOf(fields['interval_ms']) ?? STEP_MS
  return {
    timeMs,
    // The stamp is the end of the interval; its middle says which step it fills.
    stepMs: Math.floor((timeMs - intervalMs / 2) / STEP_MS) * STEP_MS,
    expected: numberOf(fields['expected']) ?? 0,
    lostUnique: numberOf(fields['lost_unique']) ?? 0,
    jitterMs: numberOf(fields['jitter_ms']) ?? null,
    mosLq: numberOf(fields['mos_lq']) ?? null,
    mosScale: scaleOf(fields),
  }
}

/** Keeps the order by time; a verdict on the same interval replaces the earlier one. */
function insert(verdicts: Verdict[], verdict: Verdict): void {
  let place = verdicts.length
  while (place > 0 && (verdicts[place - 1]?.timeMs ?? 0) > verdict.timeMs) place--
  const same = verdicts[place - 1]?.timeMs === verdict.timeMs
  verdicts.splice(same ? place - 1 : place, same ? 1 : 0, verdict)
  const newestMs = verdicts.at(-1)?.timeMs ?? 0
  const fresh = verdicts.findIndex(({ timeMs }) => timeMs > newestMs - SPAN_MS - STEP_MS)
  verdicts.splice(0, Math.max(fresh, verdicts.length - MAX_VERDICTS))
}

function viewOf(path: Path, nowMs: number, fromMs: number): OwnView {
  const { tags, fields } = path.newest
  if (path.drawn?.fromMs !== fromMs) path.drawn = draw(path.verdicts, fromMs)
  const lastSeenMs = path.newest.timeUs / US_PER_MS
  const isSilent = nowMs - lastSeenMs > SILENT_MS
  const measured = (field: string): number | null =>
    isSilent ? null : (numberOf(fields[field]) ?? null)
  return {
    from: tags['from'] ?? '',
    to: tags['to'] ?? '',
    at: tags['at'] ?? '',
    source: tags['source'] ?? '',
    bearer: tags['bearer'] ?? 'unknown',
    owner: tags['owner'] ?? 'unknown',
    verdict: isSilent ? 'silent' : String(fields['verdict'] ?? 'too-few'),
    lossRatio: measured('loss_ratio'),
    limitRatio: numberOf(fields['limit_ratio']) ?? 0,
    expected: measured('expected') ?? 0,
    lostUnique: measured('lost_unique') ?? 0,
    effectiveLossRatio: shareOf(measured('effective_lost'), measured('effective_expected')),
    jitterMs: measured('jitter_ms'),
    roundTripMs: measured('round_trip_ms'),
    mosLq: measured('mos_lq'),
    mosScale: path.drawn.mosScale,
    streams: measured('streams') ?? 0,
    streamsOver: measured('streams_over') ?? 0,
    sensorDrops: measured('sensor_drops') ?? 0,
    lastSeenMs,
    history: path.drawn.history,
  }
}

/** Of a step: sums of packets divided by each other, for ratios are never averaged; the highest jitter; the lowest MOS of the scale. */
function draw(verdicts: readonly Verdict[], fromMs: number): Drawn {
  const mosScale = verdicts.findLast((verdict) => verdict.mosScale !== null)?.mosScale ?? null
  const expected = new Array<number>(STEPS).fill(0)
  const lost = new Array<number>(STEPS).fill(0)
  const jitterMs = new Array<number | null>(STEPS).fill(null)
  const mosLq = new Array<number | null>(STEPS).fill(null)
  for (const verdict of verdicts) {
    const step = (verdict.stepMs - fromMs) / STEP_MS
    if (step < 0 || step >= STEPS) continue
    expected[step] = (expected[step] ?? 0) + verdict.expected
    lost[step] = (lost[step] ?? 0) + verdict.lostUnique
    jitterMs[step] = worse(Math.max, jitterMs[step], verdict.jitterMs)
    if (verdict.mosScale === mosScale) mosLq[step] = worse(Math.min, mosLq[step], verdict.mosLq)
  }
  const history = {
    loss: columnOf(expected.map((sum, step) => rounded(shareOf(lost[step] ?? 0, sum)))),
    jitterMs: columnOf(jitterMs.map(rounded)),
    mosLq: columnOf(mosLq.map(rounded)),
  }
  return { fromMs, mosScale, history }
}

/** 0..1: a packet that came too late for its interval can make the next one's loss negative. */
function shareOf(part: number | null, whole: number | null): number | null {
  if (part === null || whole === null || whole <= 0) return null
  return Math.min(1, Math.max(0, part / whole))
}

function worse(
  of: (one: number, other: number) => number,
  one: number | null | undefined,
  other: number | null,
): number | null {
  if (one === null || one === undefined) return other
  return other === null ? one : of(one, other)
}

/** As exact as anybody can see in a chart, and short to send. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(DRAWN_DIGITS))
}

function scaleOf(fields: Measurement['fields']): string | null {
  const scale = fields['mos_scale']
  return typeof scale === 'string' ? scale : null
}

function numberOf(value: FieldValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}
