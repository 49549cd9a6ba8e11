import { Alarm, type AlarmStep, type Judged } from './alarm.ts'
import { fingerprintOf, type Breach } from './breach.ts'
import type { PathState } from './path-book.ts'
import { breachOn, restoredBreach, type PathLabels } from './path-judgement.ts'
import type { QualityLimits } from './quality-limits.ts'
import { QUALITY_MEASURES, type QualityMeasure, type QualityVerdict } from './quality-measures.ts'
import type { Round } from './round.ts'
import type { RuleContext } from './rule.ts'
import { parts } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'
import { lowerBound } from './wilson.ts'

/** Points older than this on arrival are history: nobody is told of them alone. */
const CURRENT_US = 60_000_000

/** A path as path-quality knows it: an alert for each measure. */
export class QualityPath implements PathState {
  readonly alerts: readonly QualityAlert[]

  constructor(labels: PathLabels, limits: QualityLimits, context: RuleContext, restored?: unknown) {
    const memory = parts(restored)
    this.alerts = QUALITY_MEASURES.map(
      (measure) => new QualityAlert(measure, labels, limits, context, memory[measure.name]),
    )
  }

  get isIdle(): boolean {
    return this.alerts.every(({ state }) => state === 'idle')
  }

  get memory(): unknown {
    const alive = this.alerts.filter(({ state }) => state !== 'idle')
    return Object.fromEntries(alive.map(({ measure, memory }) => [measure.name, memory]))
  }

  callsEnded(atUs: number, nowUs: number): void {
    for (const alert of this.alerts)
      alert.end(`the last call ended at ${utcMinute(atUs)}, not proven well again`, nowUs)
  }

  lapse(nowUs: number, listeningUs: number): void {
    for (const alert of this.alerts) alert.lapse(nowUs, listeningUs)
  }

  end(why: string, nowUs: number): void {
    for (const alert of this.alerts) alert.end(why, nowUs)
  }
}

/** The life of one measure's alert on one path. */
export class QualityAlert {
  readonly measure: QualityMeasure
  readonly #labels: PathLabels
  readonly #limits: QualityLimits
  readonly #context: RuleContext
  readonly #alarm: Alarm
  #breach: Breach | undefined

  constructor(
    measure: QualityMeasure,
    labels: PathLabels,
    limits: QualityLimits,
    context: RuleContext,
    restored: unknown,
  ) {
    this.measure = measure
    this.#labels = labels
    this.#limits = limits
    this.#context = context
    const memory = parts(restored)
    this.#breach = restoredBreach(memory['breach'], context)
    this.#alarm = new Alarm(this.#breach && memory['alarm'])
  }

  get state() {
    return this.#alarm.state
  }

  get memory(): unknown {
    return { alarm: this.#alarm.memory, breach: this.#breach }
  }

  /** @param mayFire whether no other path between the same ends tells of it already */
  judge(round: Round, nowUs: number, isUnknown: boolean, mayFire: () => boolean): void {
    const verdict = this.measure.judge(round, this.#labels.source, this.#limits)
    if (verdict === undefined) return
    const { startUs, endUs, coveredUs, intervalUs } = round
    const judged: Judged = {
      meaning: isUnknown ? 'unjudged' : verdict.meaning,
      startUs,
      endUs,
      coveredUs,
      intervalUs,
      expected: verdict.trials,
      lost: verdict.hits,
      isSevere: false,
      isCurrent: endUs >= nowUs - CURRENT_US,
    }
    const { holdUs, clearHoldUs } = this.#limits
    const limits = { limitRatio: this.#limitRatio, holdUs, clearHoldUs }
    const step = this.#alarm.step(judged, limits, () => this.#isEvident(verdict) && mayFire())
    this.#apply(step, judged, verdict, nowUs)
  }

  lapse(nowUs: number, listeningUs: number): void {
    const { judgedUs } = this.#alarm.memory
    const step = this.#alarm.lapse(nowUs, listeningUs)
    this.#finish(
      step,
      `nothing to judge since ${utcMinute(judgedUs)}, not proven well again`,
      nowUs,
    )
  }

  end(why: string, nowUs: number): void {
    this.#finish(this.#alarm.end(), why, nowUs)
  }

  /** Streams over their limit are held without a break: a pending alert is dropped as soon as they are not too many. */
  get #limitRatio(): number {
    return this.measure.rule === 'path-effective-loss' ? (this.#limits.effectiveLossRatio ?? 1) : 1
  }

  #isEvident({ isEvident }: QualityVerdict): boolean {
    const { lost, expected } = this.#alarm.memory
    return isEvident || lowerBound(lost, expected) > this.#limitRatio
  }

  #apply(step: AlarmStep, judged: Judged, verdict: QualityVerdict, nowUs: number): void {
    if (step === 'dropped' || step === 'resolved') {
      const clear = lasting(this.#limits.clearHoldUs)
      this.#finish(step, `well again for ${clear}; at the end ${verdict.summary}`, nowUs)
      return
    }
    const { state } = this.#alarm
    if (judged.meaning === 'unjudged' || (state !== 'pending' && state !== 'firing')) return
    this.#breach = this.#breachOf(step, state, judged, verdict, nowUs)
    if (step === 'firing' || step === 'reopened')
      this.#context.change('firing', this.#breach, nowUs)
    else this.#context.update(this.#breach)
  }

  #breachOf(
    step: AlarmStep,
    state: 'pending' | 'firing',
    { meaning }: Judged,
    { summary, evidence }: QualityVerdict,
    nowUs: number,
  ): Breach {
    const { sinceUs } = this.#alarm.memory
    const { from, to, at, source } = this.#labels
    const fingerprint = fingerprintOf(this.measure.rule, from, to, at, source, this.measure.name)
    const old = this.#breach?.sinceUs === sinceUs ? this.#breach : undefined
    const firedUs = old?.firedUs ?? (step === 'firing' ? nowUs : undefined)
    const reopened = (old?.reopened ?? 0) + (step === 'reopened' ? 1 : 0)
    // While it heals, the alert goes on saying how bad it was.
    const said = meaning === 'over' || old === undefined ? { summary, evidence } : old
    return {
      ...breachOn(this.#labels, this.measure.rule, fingerprint, sinceUs, nowUs),
      state,
      severity: 'warning',
      summary: said.summary,
      evidence: said.evidence,
      ...(firedUs === undefined ? {} : { firedUs }),
      ...(reopened === 0 ? {} : { reopened }),
    }
  }

  #finish(step: AlarmStep, summary: string, nowUs: number): void {
    const open = this.#breach
    if (open === undefined) return
    if (step === 'dropped') {
      this.#context.drop(open)
      this.#breach = undefined
    }
    if (step !== 'resolved' && step !== 'ended') return
    const closed: Breach = { ...open, state: step, summary, closedUs: nowUs, updatedUs: nowUs }
    // An ended one may be taken up again.
    this.#breach = step === 'ended' ? closed : undefined
    this.#context.change(step, closed, nowUs)
  }
}
