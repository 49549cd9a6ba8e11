import { Alarm, type AlarmStep, type Judged } from './alarm.ts'
import { fingerprintOf, type Breach } from './breach.ts'
import { breachOn, restoredBreach, type Judgement, type PathLabels } from './path-judgement.ts'
import type { PathLimits } from './path-limits.ts'
import type { Stream } from './round.ts'
import type { RuleContext } from './rule.ts'
import { parts } from './snapshot.ts'
import { isAbove, isBelow, ratioOf } from './verdict.ts'
import { lowerBound } from './wilson.ts'
import { count, percent } from './words.ts'

const RULE = 'call-loss'

/** One bad call among many on a path: a notice, nobody is paged for it. Follows one call at a time, the worst, to its end. */
export class CallNotice {
  readonly #labels: PathLabels
  readonly #limits: PathLimits
  readonly #context: RuleContext
  #alarm: Alarm
  #breach: Breach | undefined
  /** Key of the stream it is about. */
  #key: string | undefined

  constructor(labels: PathLabels, limits: PathLimits, context: RuleContext, restored: unknown) {
    this.#labels = labels
    this.#limits = limits
    this.#context = context
    const memory = parts(restored)
    this.#breach = restoredBreach(memory['breach'], context)
    this.#alarm = new Alarm(this.#breach && memory['alarm'])
    const key = memory['key']
    if (typeof key === 'string' && this.#alarm.state !== 'idle') this.#key = key
  }

  get isIdle(): boolean {
    return this.#alarm.state === 'idle'
  }

  get memory(): unknown {
    return { alarm: this.#alarm.memory, breach: this.#breach, key: this.#key }
  }

  lapse(nowUs: number, listeningUs: number): void {
    if (this.#alarm.lapse(nowUs, listeningUs) !== 'nothing') this.end(nowUs)
  }

  judge(judgement: Judgement, nowUs: number): void {
    const { verdict, round } = judgement
    if (this.#alarm.state === 'idle')
      this.#key = verdict.word === 'notice' ? verdict.worst?.key : undefined
    if (this.#key === undefined) return
    const stream = round.shares.find(({ key }) => key === this.#key)
    if (stream === undefined) return
    const judged = { ...judgement, ...this.#figures(stream, judgement), isSevere: false }
    const step = this.#alarm.step(
      judged,
      this.#limits,
      () =>
        lowerBound(this.#alarm.memory.lost, this.#alarm.memory.expected) > this.#limits.limitRatio,
    )
    this.#apply(step, stream, nowUs)
    if (stream.newest.isEnded) this.end(nowUs)
  }

  #figures(
    { lost, expected }: Stream,
    { verdict, pool }: Judgement,
  ): Pick<Judged, 'meaning' | 'lost' | 'expected'> {
    const { limitRatio, clearRatio, minExpected } = this.#limits
    const figures = { lost: lost - pool.drops, expected }
    if (expected < minExpected || verdict.meaning === 'unjudged')
      return { meaning: 'unjudged', ...figures }
    // With the whole path over, this call is one of many.
    if (isAbove({ lost, expected }, limitRatio))
      return { meaning: verdict.word === 'notice' ? 'over' : 'between', ...figures }
    return { meaning: isBelow({ lost, expected }, clearRatio) ? 'under' : 'between', ...figures }
  }

  #apply(step: AlarmStep, { key, label }: Stream, nowUs: number): void {
    if (step === 'dropped' || step === 'resolved') {
      const summary = `the call is below ${percent(this.#limits.clearRatio)} again`
      this.#close('resolved', summary, nowUs)
      return
    }
    if (this.#alarm.state !== 'pending' && this.#alarm.state !== 'firing') return
    const { from, to, at, source } = this.#labels
    const fingerprint = fingerprintOf(RULE, from, to, at, source, key)
    const { sinceUs, lost, expected } = this.#alarm.memory
    const { limitRatio } = this.#limits
    const loss = percent(ratioOf({ lost, expected }))
    const firedUs = this.#breach?.firedUs ?? (step === 'firing' ? nowUs : undefined)
    this.#breach = {
      ...breachOn(this.#labels, RULE, fingerprint, sinceUs, nowUs),
      state: this.#alarm.state,
      severity: 'notice',
      summary: `one call (${label}) lost ${loss} of ${count(expected)} packets, limit ${percent(limitRatio)}; the other calls of the path are well`,
      evidence: {
        worst_stream: label,
        expected,
        lost_unique: lost,
        loss_ratio: ratioOf({ lost, expected }),
        limit_ratio: limitRatio,
      },
      ...(firedUs === undefined ? {} : { firedUs }),
    }
    if (step === 'firing') this.#context.change('firing', this.#breach, nowUs)
    else this.#context.update(this.#breach)
  }

  end(nowUs: number): void {
    this.#close('ended', 'the call ended over the limit', nowUs)
    this.#alarm = new Alarm()
    this.#key = undefined
  }

  #close(state: 'resolved' | 'ended', summary: string, nowUs: number): void {
    const open = this.#breach
    this.#breach = undefined
    if (open === undefined) return
    if (open.state === 'pending') this.#context.drop(open)
    else {
      const closed: Breach = { ...open, state, summary, closedUs: nowUs, updatedUs: nowUs }
      this.#context.change(state, closed, nowUs)
    }
  }
}
