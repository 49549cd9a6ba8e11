import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Rule, RuleContext } from '../rule.ts'
import { parts } from '../snapshot.ts'
import { Findings, type Finding } from '../findings.ts'
import { isCurrent, isFuture } from '../points.ts'
import { Windows, type Seen, type Watched } from './windows.ts'

export interface Watch {
  readonly rule: string
  readonly windowUs: number
  /** Without new evidence for so long, a finding is over. */
  readonly clearUs: number
  /** Whether a finding is over when nothing of the kind is seen any more; else it must be seen to be well. */
  readonly doesSilenceHeal?: boolean
  readonly measurements: ReadonlySet<MeasurementName>
  /** @returns undefined for what is of no interest: not even a place in the window */
  readonly read: (
    point: Measurement,
    find: (key: string) => Watched | undefined,
  ) => Seen | undefined
  /** Asked whenever something new of the object was counted. */
  readonly judge: (watched: Watched, timeUs: number, findings: Findings) => Finding | undefined
}

/** A rule on counts of objects over a window of event time: what is found is told at once, and over when nothing new is found. */
export class WatchingRule implements Rule {
  readonly measurements: Watch['measurements']
  readonly #watch: Watch
  readonly #windows: Windows
  readonly #findings: Findings
  readonly #counters = { too_late: 0, from_the_future: 0 }

  constructor(watch: Watch, context: RuleContext) {
    this.#watch = watch
    this.measurements = watch.measurements
    const memory = parts(context.restored)
    this.#windows = new Windows(watch.windowUs, memory['windows'])
    const { rule, doesSilenceHeal } = watch
    this.#findings = new Findings(rule, context, memory['findings'], doesSilenceHeal)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      if (!this.#watch.measurements.has(point.name)) continue
      if (isFuture(point, arrivalUs)) this.#counters.from_the_future++
      else if (point.timeUs <= arrivalUs - this.#watch.windowUs) this.#counters.too_late++
      else this.#count(point, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    this.#windows.trim(nowUs)
    this.#findings.settle(nowUs, this.#watch.clearUs)
  }

  forgetAgent(agent: string): void {
    this.#windows.forget(({ labels }) => labels['agent'] === agent)
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { windows: this.#windows.memory, findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    const { forgotten } = this.#windows
    return { ...this.#counters, forgotten, too_many: this.#findings.tooMany }
  }

  /** History counts too; but nobody is told of it while it is history. */
  #count(point: Measurement, nowUs: number): void {
    const seen = this.#watch.read(point, (key) => this.#windows.find(key))
    if (seen === undefined) return
    const watched = this.#windows.add(seen, point.timeUs)
    if (watched === undefined || !isCurrent(point, nowUs)) return
    watched.window.trim(point.timeUs)
    const finding = this.#watch.judge(watched, point.timeUs, this.#findings)
    if (finding !== undefined) this.#findings.raise(finding, point.timeUs, nowUs)
  }
}
