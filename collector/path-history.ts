import type { FieldValue, Measurement } from '../common/measurement.ts'
import type { PathView } from './http/overview.ts'
import type { Store } from './store/store.ts'

const US_PER_MS = 1000
const STEP_MS = 10_000
const STEPS = 90
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
const PATH_TAGS = ['from', 'to', 'at', 'source', 'bearer', 'owner']
const PATH_FIELDS = [
  'interval_ms',
  'expected',
  'lost_unique',
  'loss_ratio',
  'jitter_ms',
  'round_trip_ms',
  'limit_ratio',
  'streams',
  'verdict',
]

/** One judged interval of a path. */
interface Verdict {
  readonly timeMs: number
  readonly stepMs: number
  readonly expected: number
  readonly lostUnique: number
}

interface Path {
  readonly tags: Readonly<Record<string, string>>
  newest: Measurement
  /** By time, ascending. */
  readonly verdicts: Verdict[]
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

  /** Every path heard of within 15 minutes; `firing` is left to the caller. */
  views(nowMs: number): readonly Omit<PathView, 'firing'>[] {
    const lastStepMs = Math.floor(nowMs / STEP_MS) * STEP_MS - STEP_MS
    const views: Omit<PathView, 'firing'>[] = []
    for (const [key, path] of this.#paths) {
      const newestMs = path.newest.timeUs / US_PER_MS
      // Nothing is judged from so far ahead: our clock has been set back since.
      const isAhead = newestMs > nowMs + MAX_AHEAD_MS
      if (newestMs < nowMs - SPAN_MS || isAhead) this.#paths.delete(key)
      else views.push(viewOf(path, nowMs, lastStepMs))
    }
    return views
  }

  #add(point: Measurement): void {
    const key = ['from', 'to', 'at', 'source'].map((tag) => point.tags[tag] ?? '').join('\n')
    let path = this.#paths.get(key)
    if (path === undefined) {
      path = { tags: point.tags, newest: point, verdicts: [] }
      this.#makeRoom()
      this.#paths.set(key, path)
    }
    if (point.timeUs >= path.newest.timeUs) path.newest = point
    insert(path.verdicts, verdictOf(point))
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

function verdictOf({ timeUs, fields }: Measurement): Verdict {
  const timeMs = timeUs / US_PER_MS
  const intervalMs = numberOf(fields['interval_ms']) ?? STEP_MS
  return {
    timeMs,
    // The stamp is the end of the interval; its middle says which step it fills.
    stepMs: Math.floor((timeMs - intervalMs / 2) / STEP_MS) * STEP_MS,
    expected: numberOf(fields['expected']) ?? 0,
    lostUnique: numberOf(fields['lost_unique']) ?? 0,
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

function viewOf(
  { newest, verdicts }: Path,
  nowMs: number,
  lastStepMs: number,
): Omit<PathView, 'firing'> {
  const { tags, fields } = newest
  const lastSeenMs = newest.timeUs / US_PER_MS
  const isSilent = nowMs - lastSeenMs > SILENT_MS
  return {
    from: tags['from'] ?? '',
    to: tags['to'] ?? '',
    at: tags['at'] ?? '',
    source: tags['source'] ?? '',
    bearer: tags['bearer'] ?? 'unknown',
    owner: tags['owner'] ?? 'unknown',
    verdict: isSilent ? 'silent' : String(fields['verdict'] ?? 'too-few'),
    lossRatio: isSilent ? null : (numberOf(fields['loss_ratio']) ?? null),
    limitRatio: numberOf(fields['limit_ratio']) ?? 0,
    expected: isSilent ? 0 : (numberOf(fields['expected']) ?? 0),
    lostUnique: isSilent ? 0 : (numberOf(fields['lost_unique']) ?? 0),
    jitterMs: isSilent ? null : (numberOf(fields['jitter_ms']) ?? null),
    roundTripMs: isSilent ? null : (numberOf(fields['round_trip_ms']) ?? null),
    mosLq: null,
    streams: isSilent ? 0 : (numberOf(fields['streams']) ?? 0),
    lastSeenMs,
    history: historyOf(verdicts, lastStepMs),
  }
}

/** Sums of a step divided by each other: ratios are never averaged. */
function historyOf(verdicts: readonly Verdict[], lastStepMs: number): PathView['history'] {
  const firstStepMs = lastStepMs - (STEPS - 1) * STEP_MS
  const expected = new Array<number>(STEPS).fill(0)
  const lost = new Array<number>(STEPS).fill(0)
  for (const verdict of verdicts) {
    const step = (verdict.stepMs - firstStepMs) / STEP_MS
    expected[step] = (expected[step] ?? 0) + verdict.expected
    lost[step] = (lost[step] ?? 0) + verdict.lostUnique
  }
  return Array.from({ length: STEPS }, (_, step) => {
    const sum = expected[step] ?? 0
    const ratio = sum > 0 ? Math.min(1, Math.max(0, (lost[step] ?? 0) / sum)) : null
    return [firstStepMs + step * STEP_MS, ratio] as const
  })
}

function numberOf(value: FieldValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined
}
