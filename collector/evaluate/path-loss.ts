import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { PathAlerts } from './path-alerts.ts'
import type { Judgement, PathLabels } from './path-judgement.ts'
import { pathLimits, type PathLimits } from './path-limits.ts'
import { readInterval, verdictPoint } from './path-points.ts'
import { PathRounds } from './path-rounds.ts'
import { roundsSchema, type Round } from './round.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { judge, type Pool } from './verdict.ts'

/** Points older than this on arrival are history: judged and stored, and nobody is paged for them alone. */
const CURRENT_US = 60_000_000
/** Points further ahead than this, after the agent's clock was corrected, have no time to be judged by. */
const FUTURE_US = 60_000_000
/** Intervals with too few packets are pooled over this time. */
const POOLED_US = 60_000_000
const SWEEP_US = 30_000_000
/** A path nothing was heard of for this long, and without an alert, is forgotten. */
const FORGET_PATH_US = 3_600_000_000
const MAX_PATHS = 10_000
const MAX_STREAMS = 200_000
const UNKNOWN = 'unknown'

/** The 3 % rule on the loss of each path, each source by itself. */
export const pathLoss = defineRule({
  name: 'path-loss',
  summary: 'a path loses more packets than its limit (3 %)',
  options: pathLimits,
  create: (limitsOf, context) => new PathLoss(limitsOf, context),
})

interface Path {
  readonly key: string
  readonly labels: PathLabels
  readonly limits: PathLimits
  rounds: PathRounds
  readonly alerts: PathAlerts
  /** Rounds with too few packets, not judged yet. */
  held: readonly Held[]
}

const heldSchema = z.object({
  startUs: z.number(),
  endUs: z.number(),
  coveredUs: z.number(),
  expected: z.number(),
  lost: z.number(),
  drops: z.number(),
})

type Held = z.output<typeof heldSchema>

const pathSchema = z.object({
  labels: z.object({
    from: z.string(),
    to: z.string(),
    at: z.string(),
    source: z.string(),
    site: z.string(),
    bearer: z.string(),
    owner: z.string(),
  }),
  rounds: roundsSchema,
  alerts: z.unknown(),
  held: z.array(heldSchema),
})

class PathLoss implements Rule {
  readonly #limitsOf: (path: PathLabels) => PathLimits
  readonly #context: RuleContext
  /** Least recently judged first. */
  readonly #paths = new Map<string, Path>()
  readonly #touched = new Set<Path>()
  readonly #counters = {
    late: 0,
    from_the_future: 0,
    malformed: 0,
    evicted_paths: 0,
    evicted_streams: 0,
  }
  #streams = 0
  #listeningUs: number | undefined
  #sweptUs = 0

  constructor(limitsOf: (path: PathLabels) => PathLimits, context: RuleContext) {
    this.#limitsOf = limitsOf
    this.#context = context
    for (const { labels, rounds, alerts, held } of items(
      pathSchema,
      parts(context.restored)['paths'],
    )) {
      const path = this.#addPath(keyOf(labels), labels, new PathRounds(rounds), 0, alerts)
      path.held = held
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#listeningUs ??= arrivalUs
    for (const point of points) {
      if (point.name !== 'rtp_stream' && point.name !== 'rtp_test') continue
      if (point.timeUs > arrivalUs + FUTURE_US) this.#counters.from_the_future++
      else this.#gather(point, arrivalUs)
    }
    for (const path of this.#touched) if (path.rounds.isComplete()) this.#close(path, arrivalUs)
    this.#touched.clear()
  }

  tick(nowUs: number): void {
    this.#listeningUs ??= nowUs
    const isSweep = nowUs - this.#sweptUs >= SWEEP_US
    for (const path of this.#paths.values()) {
      if (path.rounds.isDue(nowUs)) this.#close(path, nowUs)
      if (isSweep) this.#sweep(path, nowUs)
      if (path.alerts.isIdle) continue
      if (path.rounds.isOver) path.alerts.callsEnded(path.rounds.endUs, nowUs)
      path.alerts.lapse(nowUs, this.#listeningUs)
    }
    if (isSweep) this.#sweptUs = nowUs
  }

  snapshot(): unknown {
    return {
      paths: [...this.#paths.values()].map(({ labels, rounds, alerts, held }) => ({
        labels,
        rounds: rounds.memory,
        alerts: alerts.memory,
        held,
      })),
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, paths: this.#paths.size, streams: this.#streams }
  }

  #gather(point: Measurement, arrivalUs: number): void {
    const path = this.#pathOf(point, arrivalUs)
    // No point is taken from so far ahead: our clock has been set back since, and everything would be older than that for as long.
    if (path.rounds.endUs > arrivalUs + FUTURE_US) this.#beginAnew(path)
    const interval = readInterval(point, path.limits)
    if (interval === undefined) {
      this.#counters.malformed++
      return
    }
    if (!path.rounds.isNew(interval)) {
      this.#counters.late++
      return
    }
    if (path.rounds.isTaken(interval.key)) this.#close(path, arrivalUs)
    const before = path.rounds.streams.size
    path.rounds.add(interval, arrivalUs)
    this.#streams += path.rounds.streams.size - before
    if (this.#streams > MAX_STREAMS) this.#evictStream()
    this.#touched.add(path)
  }

  #beginAnew(path: Path): void {
    this.#streams -= path.rounds.streams.size
    path.rounds = new PathRounds()
    path.held = []
  }

  #close(path: Path, nowUs: number): void {
    const before = path.rounds.streams.size
    const round = path.rounds.close()
    this.#streams += path.rounds.streams.size - before
    if (round === undefined) return
    const judgement = this.#judge(path, round, nowUs)
    path.alerts.judge(judgement, nowUs)
    if (path.labels.source === 'test') this.#proveOthers(path.labels, judgement, nowUs)
    this.#context.point(
      verdictPoint(path.labels, path.limits.limitRatio, judgement, path.alerts.isFiring),
    )
    this.#paths.delete(path.key)
    this.#paths.set(path.key, path)
  }

  /** A round with too few packets waits for the next ones; one with enough is judged by itself. */
  #judge(path: Path, round: Round, nowUs: number): Judgement {
    const { minExpected } = path.limits
    let pool: Pool = round
    let { startUs, coveredUs } = round
    const oldestUs = round.endUs - POOLED_US - round.intervalUs / 2
    path.held =
      round.expected >= minExpected
        ? []
        : [...path.held.filter((held) => held.startUs > oldestUs), figuresOf(round)]
    const held = sumOf(path.held)
    if (held.expected >= minExpected) {
      ;({ startUs, coveredUs } = held)
      pool = { ...held, shares: [] }
      path.held = []
    }
    const verdict = judge(pool, path.limits)
    return {
      pool,
      verdict,
      round,
      meaning: verdict.meaning,
      startUs,
      endUs: round.endUs,
      coveredUs,
      intervalUs: round.intervalUs,
      expected: pool.expected,
      lost: pool.lost - pool.drops,
      isSevere: verdict.word === 'severe',
      isCurrent: round.endUs >= nowUs - CURRENT_US,
    }
  }

  /** Proof of healing for the paths of other sources whose segment this test went over. */
  #proveOthers({ from, at }: PathLabels, judgement: Judgement, nowUs: number): void {
    for (const { labels, alerts } of this.#paths.values())
      if (labels.source !== 'test' && labels.from === from && labels.at === at && !alerts.isIdle)
        alerts.proveByTest(judgement, nowUs)
  }

  #pathOf({ name, tags }: Measurement, nowUs: number): Path {
    const { from = UNKNOWN, to = UNKNOWN, at = UNKNOWN } = tags
    const { site = UNKNOWN, bearer = UNKNOWN, owner = UNKNOWN } = tags
    const source = name === 'rtp_test' ? 'test' : 'stream'
    const key = keyOf({ from, to, at, source })
    const known = this.#paths.get(key)
    if (known === undefined)
      return this.#addPath(
        key,
        { from, to, at, source, site, bearer, owner },
        new PathRounds(),
        nowUs,
      )
    known.labels.bearer = bearer
    known.labels.owner = owner
    return known
  }

  #addPath(
    key: string,
    labels: PathLabels,
    rounds: PathRounds,
    nowUs: number,
    alerts?: unknown,
  ): Path {
    if (this.#paths.size >= MAX_PATHS) this.#evictPath(nowUs)
    const limits = this.#limitsOf(labels)
    const path = {
      key,
      labels,
      limits,
      rounds,
      alerts: new PathAlerts(labels, limits, this.#context, alerts),
      held: [],
    }
    this.#paths.set(key, path)
    this.#streams += rounds.streams.size
    return path
  }

  #sweep(path: Path, nowUs: number): void {
    const before = path.rounds.streams.size
    path.rounds.sweep(nowUs)
    this.#streams += path.rounds.streams.size - before
    const isForgotten = path.rounds.isEmpty && path.rounds.endUs < nowUs - FORGET_PATH_US
    if (isForgotten && path.alerts.isIdle) this.#paths.delete(path.key)
  }

  /** The path not judged for longest goes, one without an alert if there is one. */
  #evictPath(nowUs: number): void {
    const all = [...this.#paths.values()]
    const victim = all.find(({ alerts }) => alerts.isIdle) ?? all[0]
    if (victim === undefined) return
    this.#counters.evicted_paths++
    victim.alerts.giveUp(nowUs)
    this.#streams -= victim.rounds.streams.size
    this.#paths.delete(victim.key)
    this.#touched.delete(victim)
  }

  #evictStream(): void {
    for (const { rounds } of this.#paths.values()) {
      if (!rounds.evictOldest()) continue
      this.#counters.evicted_streams++
      this.#streams--
      return
    }
  }
}

function keyOf({ from, to, at, source }: Omit<PathLabels, 'site' | 'bearer' | 'owner'>): string {
  return `${from}\n${to}\n${at}\n${source}`
}

function figuresOf({ startUs, endUs, coveredUs, expected, lost, drops }: Round): Held {
  return { startUs, endUs, coveredUs, expected, lost, drops }
}

function sumOf(held: readonly Held[]): Held {
  return held.reduce(
    (sum, one) => ({
      startUs: Math.min(sum.startUs, one.startUs),
      endUs: Math.max(sum.endUs, one.endUs),
      coveredUs: sum.coveredUs + one.coveredUs,
      expected: sum.expected + one.expected,
      lost: sum.lost + one.lost,
      drops: sum.drops + one.drops,
    }),
    { startUs: Infinity, endUs: -Infinity, coveredUs: 0, expected: 0, lost: 0, drops: 0 },
  )
}
