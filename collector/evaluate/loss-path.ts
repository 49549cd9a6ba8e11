import { z } from 'zod'
import type { Judged } from './alarm.ts'
import { PathAlerts } from './path-alerts.ts'
import type { PathState } from './path-book.ts'
import type { Judgement, PathLabels, Surroundings } from './path-judgement.ts'
import type { PathLimits } from './path-limits.ts'
import type { Shared } from './observers.ts'
import type { Round } from './round.ts'
import type { RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { judge, UNKNOWN_VERDICT, type Pool } from './verdict.ts'
import { Witnesses } from './witnesses.ts'

/** Points older than this on arrival are history: judged and stored, and nobody is paged for them alone. */
const CURRENT_US = 60_000_000
/** Intervals with too few packets are pooled over this time. */
const POOLED_US = 60_000_000
/** A path judged longer ago than so many intervals says nothing about now; intervals of others end at other moments. */
const RECENT_INTERVALS = 3

const heldSchema = z.object({
  startUs: z.number(),
  endUs: z.number(),
  coveredUs: z.number(),
  expected: z.number(),
  lost: z.number(),
  drops: z.number(),
})

type Held = z.output<typeof heldSchema>

const newestSchema = z.object({
  startUs: z.number(),
  endUs: z.number(),
  intervalUs: z.number(),
  meaning: z.enum(['over', 'between', 'under', 'unjudged']),
  taps: z.array(
    z.object({
      agent: z.string(),
      observer: z.string(),
      expected: z.number(),
      lost: z.number(),
      drops: z.number(),
    }),
  ),
})

/** What remains of the newest judgement. */
export type Newest = Readonly<z.output<typeof newestSchema>>

/** A path as path-loss knows it: its rounds put together where they have too few packets, its alerts, who else saw its streams. */
export class LossPath implements PathState {
  readonly limits: PathLimits
  readonly alerts: PathAlerts
  readonly witnesses: Witnesses
  /** Rounds with too few packets, not judged yet. */
  #held: readonly Held[]
  #newest: Newest | undefined

  constructor(labels: PathLabels, limits: PathLimits, context: RuleContext, restored?: unknown) {
    const memory = parts(restored)
    this.limits = limits
    this.alerts = new PathAlerts(labels, limits, context, memory['alerts'])
    this.witnesses = new Witnesses(labels, limits.limitRatio, memory['witnesses'])
    this.#held = items(heldSchema, memory['held'])
    this.#newest = newestSchema.safeParse(memory['newest']).data
  }

  get newest(): Newest | undefined {
    return this.#newest
  }

  /** Over the limit as far as is known: judged so, or with an alert that has not cleared. */
  get isLosing(): boolean {
    return this.alerts.isOpen || this.#newest?.meaning === 'over'
  }

  get isIdle(): boolean {
    return this.alerts.isIdle
  }

  get memory(): unknown {
    return {
      alerts: this.alerts.memory,
      witnesses: this.witnesses.memory,
      held: this.#held,
      newest: this.#newest,
    }
  }

  /** Whether it was judged at about this time. */
  isRecent(atUs: number): boolean {
    if (this.#newest === undefined) return false
    const { endUs, intervalUs } = this.#newest
    return Math.abs(atUs - endUs) <= RECENT_INTERVALS * intervalUs
  }

  /** A round with too few packets waits for the next ones; one with enough is judged by itself. */
  conclude(round: Round, nowUs: number, isObserverIsolated: boolean): Judgement {
    const { minExpected } = this.limits
    let pool: Pool = round
    let { startUs, coveredUs } = round
    const oldestUs = round.endUs - POOLED_US - round.intervalUs / 2
    const isNear = (held: Held): boolean => held.startUs > oldestUs && held.startUs < round.endUs
    this.#held =
      round.expected >= minExpected ? [] : [...this.#held.filter(isNear), figuresOf(round)]
    const held = sumOf(this.#held)
    if (held.expected >= minExpected) {
      ;({ startUs, coveredUs } = held)
      pool = { ...held, shares: [] }
      this.#held = []
    }
    const verdict = isObserverIsolated ? UNKNOWN_VERDICT : judge(pool, this.limits)
    const { endUs, intervalUs } = round
    this.#newest = {
      startUs,
      endUs,
      intervalUs,
      meaning: verdict.meaning,
      taps: round.taps.map((tap) => ({ ...tap })),
    }
    return {
      pool,
      verdict,
      round,
      meaning: verdict.meaning,
      startUs,
      endUs,
      coveredUs,
      intervalUs,
      expected: pool.expected,
      lost: pool.lost - pool.drops,
      isSevere: verdict.word === 'severe',
      isCurrent: endUs >= nowUs - CURRENT_US,
    }
  }

  /** @param others what other paths counted of the streams of this round */
  tell(
    judgement: Judgement,
    nowUs: number,
    surroundings: Surroundings,
    others: readonly { readonly labels: PathLabels; readonly shared: Shared }[],
  ): void {
    if (!this.alerts.isOpen) this.witnesses.clear()
    if (judgement.meaning === 'over')
      for (const { labels, shared } of others)
        this.witnesses.add(labels, shared, judgement.coveredUs)
    this.alerts.judge(judgement, nowUs, surroundings)
  }

  proveByTest(judged: Judged, nowUs: number): void {
    this.alerts.proveByTest(judged, nowUs)
  }

  callsEnded(atUs: number, nowUs: number): void {
    this.alerts.callsEnded(atUs, nowUs)
  }

  lapse(nowUs: number, listeningUs: number): void {
    this.alerts.lapse(nowUs, listeningUs)
  }

  end(why: string, nowUs: number): void {
    this.alerts.end(why, nowUs)
  }
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
