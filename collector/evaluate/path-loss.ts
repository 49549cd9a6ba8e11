import type { Measurement } from '../../common/measurement.ts'
import { LossPath } from './loss-path.ts'
import { isBehind, sharedBy, stepOf, type Shared } from './observers.ts'
import { PathBook, type Closed, type Path } from './path-book.ts'
import type { Judgement, PathLabels } from './path-judgement.ts'
import { pathLimits, type PathLimits } from './path-limits.ts'
import { readInterval, verdictPoint } from './path-points.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { SensorAlerts } from './sensor-alerts.ts'
import { parts } from './snapshot.ts'

/** Intervals are as exact as the timers of the agents. */
const MOST_OF_A_HOLD = 0.9
/** Another observer who saw at least this share of the packets speaks of the same calls. */
const SAME_CALLS = 0.5

/** The 3 % rule on the loss of each path, each source by itself. */
export const pathLoss = defineRule({
  name: 'path-loss',
  summary: 'a path loses more packets than its limit (3 %)',
  options: pathLimits,
  create: (limitsOf, context) => new PathLoss(limitsOf, context),
})

/** Another path between the same ends, and what both counted of the streams they share. */
interface Other {
  readonly labels: PathLabels
  readonly state: LossPath
  readonly shared: Shared
}

class PathLoss implements Rule {
  readonly #context: RuleContext
  readonly #book: PathBook<LossPath>
  readonly #sensors: SensorAlerts

  constructor(limitsOf: (path: PathLabels) => PathLimits, context: RuleContext) {
    this.#context = context
    this.#book = new PathBook({
      restored: context.restored,
      read: (point, labels) => readInterval(point, limitsOf(labels)),
      open: (labels, memory) => new LossPath(labels, limitsOf(labels), context, memory),
      judge: (closed, nowUs) => {
        this.#judge(closed, nowUs)
      },
    })
    const sensors = parts(context.restored)['sensors']
    this.#sensors = new SensorAlerts(() => this.#book.paths, context, sensors)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#book.observe(points, arrivalUs)
  }

  tick(nowUs: number): void {
    this.#book.tick(nowUs)
    this.#sensors.review(nowUs)
  }

  siteLost(site: string, atUs: number): void {
    this.#book.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { ...parts(this.#book.memory), sensors: this.#sensors.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#book.losses, ...this.#book.sizes }
  }

  /** All are judged before any of them is told of: who tells depends on the others. */
  #judge(closed: readonly Closed<LossPath>[], nowUs: number): void {
    const judged = closed.map(({ path, round }) => {
      const { isolation } = this.#context
      const isIsolated = round.taps.some(({ agent }) => isolation.isIsolated(agent, round.endUs))
      return { path, judgement: path.state.conclude(round, nowUs, isIsolated) }
    })
    for (const { path, judgement } of judged) this.#tell(path, judgement, nowUs)
  }

  #tell(path: Path<LossPath>, judgement: Judgement, nowUs: number): void {
    const { labels, state } = path
    const others = judgement.meaning === 'over' ? this.#othersOn(path, judgement) : []
    const surroundings = {
      mayFire: () =>
        !this.#isToldElsewhere(path, others) &&
        !this.#sensors.takesOver(path, judgement.endUs, nowUs),
      findings: (sums: { expected: number; lost: number }) =>
        state.witnesses.findings(sums, this.#context.topology()),
    }
    state.tell(judgement, nowUs, surroundings, others)
    if (labels.source === 'test') this.#proveOthers(labels, judgement, nowUs)
    this.#context.point(
      verdictPoint(labels, state.limits.limitRatio, judgement, state.alerts.isFiring),
    )
  }

  /** Who else counted these calls, at another place or from what their receivers report. */
  #othersOn(path: Path<LossPath>, { round }: Judgement): readonly Other[] {
    const { from, to, source } = path.labels
    const others: Other[] = []
    if (source === 'test') return others
    for (const { key, labels, state, rounds } of this.#book.paths) {
      if (labels.from !== from || labels.to !== to || key === path.key) continue
      if (labels.source === 'test' || !state.isRecent(round.endUs)) continue
      const shared = sharedBy(round.shares, rounds.streams.values())
      if (shared.mine.expected > 0 && shared.mine.expected >= SAME_CALLS * round.expected)
        others.push({ labels, state, shared })
    }
    return others
  }

  /**
   * A loss pages once: by the tap nearest the receiver, or by one before it that sees more calls; by a report only where no tap tells of
   * it. Who lost more than the limit behind the one that tells has something of its own to tell.
   */
  #isToldElsewhere({ labels, state }: Path<LossPath>, others: readonly Other[]): boolean {
    const topology = this.#context.topology()
    const own = stepOf(labels, topology)
    return others.some((other) => {
      if (other.labels.source !== 'stream' || !other.state.isLosing) return false
      const isTap = labels.source === 'stream'
      if (isTap && isBehind(own, stepOf(other.labels, topology), other.shared)) return true
      const { holdUs } = state.limits
      if (state.witnesses.behindUs(other.labels) >= holdUs * MOST_OF_A_HOLD) return false
      return !isTap || other.state.alerts.isFiring || seesMore(other)
    })
  }

  /** Proof of healing for the paths of other sources whose segment this test went over. */
  #proveOthers({ from, at }: PathLabels, judgement: Judgement, nowUs: number): void {
    for (const { labels, state } of this.#book.paths)
      if (labels.source !== 'test' && labels.from === from && labels.at === at && !state.isIdle)
        state.proveByTest(judgement, nowUs)
  }
}

function seesMore({ state, shared }: Other): boolean {
  const all = (state.newest?.taps ?? []).reduce((total, { expected }) => total + expected, 0)
  return shared.theirs.expected < SAME_CALLS * all
}
