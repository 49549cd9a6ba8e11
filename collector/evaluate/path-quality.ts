import type { Measurement } from '../../common/measurement.ts'
import { stepOf } from './observers.ts'
import { PathBook, type Closed, type Path } from './path-book.ts'
import type { PathLabels } from './path-judgement.ts'
import { readInterval } from './path-points.ts'
import type { PathName } from './path-limits.ts'
import { qualityLimits, type QualityLimits } from './quality-limits.ts'
import { QualityPath, type QualityAlert } from './quality-path.ts'
import type { StreamInterval } from './round.ts'
import { defineRule, type Rule, type RuleContext, type ShownLimits } from './rule.ts'

/** Jitter, MOS and effective loss of each path: three limits, each an alert of its own. */
export const pathQuality = defineRule({
  name: 'path-quality',
  summary:
    'streams of a path have too much jitter, too low a MOS or (off by default) effective loss',
  options: qualityLimits,
  create: (limitsOf, context) => new PathQuality(limitsOf, context),
})

class PathQuality implements Rule {
  readonly #context: RuleContext
  readonly #limitsOf: (path: PathName) => QualityLimits
  readonly #book: PathBook<QualityPath>

  constructor(limitsOf: (path: PathName) => QualityLimits, context: RuleContext) {
    this.#context = context
    this.#limitsOf = limitsOf
    this.#book = new PathBook({
      restored: context.restored,
      read: (point, labels) => readQuality(point, limitsOf(labels)),
      open: (labels, memory) => new QualityPath(labels, limitsOf(labels), context, memory),
      judge: (closed, nowUs) => {
        for (const one of closed) this.#judge(one, nowUs)
      },
    })
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#book.observe(points, arrivalUs)
  }

  tick(nowUs: number): void {
    this.#book.tick(nowUs)
  }

  siteLost(site: string, atUs: number): void {
    this.#book.siteLost(site, atUs)
  }

  shownLimits(path: PathName): ShownLimits {
    const { jitterMs, mosLq } = this.#limitsOf(path)
    return { jitterMs, mosLq }
  }

  snapshot(): unknown {
    return this.#book.memory
  }

  counters(): Readonly<Record<string, number>> {
    return this.#book.losses
  }

  #judge({ path, round }: Closed<QualityPath>, nowUs: number): void {
    const { isolation } = this.#context
    const isUnknown = round.taps.some(({ agent }) => isolation.isIsolated(agent, round.endUs))
    for (const [index, alert] of path.state.alerts.entries())
      alert.judge(round, nowUs, isUnknown, () => !this.#isToldElsewhere(path, index))
  }

  /** One alert between two ends: of the taps that see it the one nearest the sender says most about where; a report only where no tap does. */
  #isToldElsewhere({ key, labels }: Path<QualityPath>, index: number): boolean {
    const own = this.#stepOf(labels)
    for (const other of this.#book.paths) {
      const { from, to } = other.labels
      if (from !== labels.from || to !== labels.to || other.key === key) continue
      const state = alertAt(other.state, index)?.state
      if (state === 'firing') return true
      if (state === 'pending' && this.#stepOf(other.labels) < own) return true
    }
    return false
  }

  #stepOf(labels: PathLabels): number {
    const step = stepOf(labels, this.#context.topology())
    return labels.source === 'stream' ? step : step + AFTER_TAPS
  }
}

/** Reports and tests go over the whole path. */
const AFTER_TAPS = 10

function alertAt(state: QualityPath, index: number): QualityAlert | undefined {
  return state.alerts[index]
}

/** The mean over an interval's packets, where it was measured, tells more of it than how it ended. */
function readQuality(point: Measurement, limits: QualityLimits): StreamInterval | undefined {
  const { jitter_mean_ms: mean, jitter_ms: last, loop_delay_ms: ownDelay } = point.fields
  const jitterMs = typeof mean === 'number' ? mean : typeof last === 'number' ? last : -1
  // A tester whose own event loop stood still measured itself.
  const isOurs = typeof ownDelay === 'number' && ownDelay >= jitterMs
  return readInterval(point, limits, isOurs ? -1 : jitterMs)
}
