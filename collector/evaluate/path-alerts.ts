import { Alarm, type AlarmMemory, type AlarmStep, type Judged } from './alarm.ts'
import { fingerprintOf, type Breach } from './breach.ts'
import { CallNotice } from './call-notice.ts'
import {
  breachOn,
  restoredBreach,
  type Judgement,
  type PathLabels,
  type Surroundings,
} from './path-judgement.ts'
import type { PathLimits } from './path-limits.ts'
import type { RuleContext } from './rule.ts'
import { parts } from './snapshot.ts'
import { isAbove, ratioOf, type Verdict } from './verdict.ts'
import { lowerBound } from './wilson.ts'
import { count, lasting, percent, utcMinute } from './words.ts'

const RULE = 'path-loss'
const MIN_STREAMS_EVIDENT = 2
const STREAMS_EVIDENT_RATIO = 0.1
const US_PER_S = 1_000_000

/** The alert of a path, and the notice about one bad call among many on it. */
export class PathAlerts {
  readonly #labels: PathLabels
  readonly #limits: PathLimits
  readonly #context: RuleContext
  readonly #path: Alarm
  #pathBreach: Breach | undefined
  readonly #call: CallNotice
  /** Counts pending alerts, so that no stream carries evidence from one into the next. */
  #pending = 0

  constructor(labels: PathLabels, limits: PathLimits, context: RuleContext, restored?: unknown) {
    this.#labels = labels
    this.#limits = limits
    this.#context = context
    const memory = parts(restored)
    this.#pathBreach = restoredBreach(memory['pathBreach'], context)
    this.#path = new Alarm(this.#pathBreach && memory['path'])
    this.#call = new CallNotice(labels, limits, context, memory['call'])
  }

  get isFiring(): boolean {
    return this.#path.state === 'firing'
  }

  /** Pending or firing. */
  get isOpen(): boolean {
    return this.#path.state === 'firing' || this.#path.state === 'pending'
  }

  /** Since the open alert is pending. */
  get sums(): Readonly<Pick<AlarmMemory, 'sinceUs' | 'expected' | 'lost'>> {
    return this.#path.memory
  }

  get isIdle(): boolean {
    return this.#path.state === 'idle' && this.#call.isIdle
  }

  get memory(): unknown {
    return {
      path: this.#path.memory,
      pathBreach: this.#pathBreach,
      call: this.#call.memory,
    }
  }

  judge(judgement: Judgement, nowUs: number, surroundings: Surroundings): void {
    this.#countStreams(judgement)
    const step = this.#path.step(
      judgement,
      this.#limits,
      () => this.#isEvident(judgement) && surroundings.mayFire(),
    )
    this.#applyPath(step, nowUs, { ...judgement, ...surroundings })
    this.#call.judge(judgement, nowUs)
  }

  /** A test stream on the same segment was judged. */
  proveByTest(judged: Judged, nowUs: number): void {
    if (!judged.isCurrent) return
    const step = this.#path.proveByTest(judged, this.#limits)
    if (step === 'resolved') this.#closePath('resolved', this.#healed('a test stream'), nowUs)
  }

  /** Every stream of the path has ended. */
  callsEnded(atUs: number, nowUs: number): void {
    if (this.#path.state !== 'firing' || this.#path.end() !== 'ended') return
    const summary = `the last call ended at ${utcMinute(atUs)} over the limit, not proven healed`
    this.#closePath('ended', summary, nowUs)
  }

  /** What is due because nothing judgeable came. */
  lapse(nowUs: number, listeningUs: number): void {
    const step = this.#path.lapse(nowUs, listeningUs)
    const since = utcMinute(this.#path.memory.judgedUs)
    if (step === 'ended') {
      const what = this.#labels.source === 'test' ? 'test packets' : 'calls'
      this.#closePath('ended', `no ${what} since ${since}, not proven healed`, nowUs)
    } else this.#applyPath(step, nowUs)
    this.#call.lapse(nowUs, listeningUs)
  }

  /** Nothing more will be judged. */
  end(why: string, nowUs: number): void {
    this.#applyPath(this.#path.state === 'pending' ? this.#path.end() : 'nothing', nowUs)
    if (this.#path.end() === 'ended') this.#closePath('ended', why, nowUs)
    this.#call.end(nowUs)
  }

  /** Single streams gather evidence from the interval in which the alert became pending. */
  #countStreams({ meaning, round }: Judgement): void {
    const { state } = this.#path
    if (state === 'firing' || meaning === 'unjudged') return
    if (state !== 'pending') {
      if (meaning !== 'over') return
      this.#pending++
    }
    for (const stream of round.shares) {
      if (stream.pending !== this.#pending) {
        stream.pending = this.#pending
        stream.sinceExpected = 0
        stream.sinceLost = 0
      }
      stream.sinceExpected += stream.expected
      stream.sinceLost += stream.lost
    }
  }

  /** Whether the loss since pending is over the limit beyond chance: of the pool, or of enough streams each by itself. */
  #isEvident({ pool, verdict, round: { shares } }: Judgement): boolean {
    const { limitRatio } = this.#limits
    const { lost, expected } = this.#path.memory
    if (lowerBound(lost, expected) > limitRatio) return true
    if (verdict.streamsOver < MIN_STREAMS_EVIDENT || pool.shares.length === 0) return false
    const evident = shares.filter(
      ({ sinceLost, sinceExpected }) => lowerBound(sinceLost, sinceExpected) > limitRatio,
    )
    return (
      evident.length >= MIN_STREAMS_EVIDENT &&
      evident.length >= STREAMS_EVIDENT_RATIO * shares.length
    )
  }

  #applyPath(step: AlarmStep, nowUs: number, judgement?: Judgement & Surroundings): void {
    switch (step) {
      case 'dropped':
        if (this.#pathBreach !== undefined) this.#context.drop(this.#pathBreach)
        this.#pathBreach = undefined
        return
      case 'resolved':
        this.#closePath(
          'resolved',
          this.#healed(this.#labels.source === 'test' ? 'a test stream' : 'calls'),
          nowUs,
        )
        return
      case 'ended':
        return
      case 'nothing':
      case 'pending':
      case 'firing':
      case 'escalated':
      case 'reopened':
        if (judgement === undefined || judgement.meaning === 'unjudged') return
        if (this.#path.state !== 'pending' && this.#path.state !== 'firing') return
        this.#pathBreach = this.#openPathBreach(step, nowUs, judgement)
        if (step === 'nothing' || step === 'pending') this.#context.update(this.#pathBreach)
        else {
          const kind = step === 'escalated' ? 'escalated' : 'firing'
          this.#context.change(kind, this.#pathBreach, nowUs)
        }
    }
  }

  #openPathBreach(step: AlarmStep, nowUs: number, judgement: Judgement & Surroundings): Breach {
    const { from, to, at, source } = this.#labels
    const fingerprint = fingerprintOf(RULE, from, to, at, source)
    const { sinceUs, isSevere, lost, expected, coveredUs } = this.#path.memory
    const { limitRatio, severeRatio } = this.#limits
    const { pool, verdict, round } = judgement
    const old = this.#pathBreach?.sinceUs === sinceUs ? this.#pathBreach : undefined
    const firedUs = old?.firedUs ?? (step === 'firing' ? nowUs : undefined)
    const reopened = (old?.reopened ?? 0) + (step === 'reopened' ? 1 : 0)
    const findings = judgement.findings({ lost, expected })
    const breach = breachOn(this.#labels, RULE, fingerprint, sinceUs, nowUs)
    return {
      ...breach,
      labels: { ...breach.labels, ...findings.labels },
      state: this.#path.state === 'firing' ? 'firing' : 'pending',
      severity: isSevere && !findings.isDoubtful ? 'critical' : 'warning',
      summary: `${this.#lossSummary(judgement, step === 'escalated')}${findings.note}`,
      evidence: {
        streams: round.shares.length,
        streams_over: verdict.streamsOver,
        ...worstOf(verdict),
        expected,
        lost_unique: lost,
        loss_ratio: ratioOf({ lost, expected }),
        limit_ratio: limitRatio,
        severe_ratio: severeRatio,
        newest_expected: pool.expected,
        newest_loss_ratio: ratioOf(pool),
        sensor_drops: pool.drops,
        covered_s: Math.round(coveredUs / US_PER_S),
        ...findings.evidence,
      },
      ...(firedUs === undefined ? {} : { firedUs }),
      ...(reopened === 0 ? {} : { reopened }),
    }
  }

  #lossSummary({ pool, verdict, round }: Judgement, isWorse: boolean): string {
    const { lost, expected } = this.#path.memory
    const { limitRatio, severeRatio } = this.#limits
    if (isWorse) {
      const newest = `${percent(ratioOf(pool))} of ${count(pool.expected)} packets lost`
      return `${newest} in the newest interval, severe above ${percent(severeRatio)}`
    }
    const loss = `${percent(ratioOf({ lost, expected }))} of ${count(expected)} packets lost`
    const newest =
      pool.expected === expected
        ? ''
        : `, newest interval ${percent(ratioOf(pool))} of ${count(pool.expected)}`
    if (isAbove({ lost, expected }, limitRatio))
      return `${loss}, limit ${percent(limitRatio)}${newest}`
    const streams = `${verdict.streamsOver} of ${round.shares.length} streams`
    return `${streams} over ${percent(limitRatio)} by themselves; of all ${loss}${newest}`
  }

  #healed(by: string): string {
    const { clearRatio, clearHoldUs } = this.#limits
    const { lost, expected, worstRatio } = this.#path.memory
    const before = `before that ${percent(ratioOf({ lost, expected }))} of ${count(expected)} packets lost`
    return `below ${percent(clearRatio)} for ${lasting(clearHoldUs)}, proven by ${by}; ${before}, worst interval ${percent(worstRatio)}`
  }

  #closePath(state: 'resolved' | 'ended', summary: string, nowUs: number): void {
    const open = this.#pathBreach
    if (open === undefined) return
    const closed: Breach = { ...open, state, summary, closedUs: nowUs, updatedUs: nowUs }
    // An ended one may be taken up again.
    this.#pathBreach = state === 'ended' ? closed : undefined
    this.#context.change(state, closed, nowUs)
  }
}

function worstOf({ worst }: Verdict): Record<string, number | string> {
  if (worst === undefined) return {}
  const ratio = ratioOf(worst)
  return { worst_stream: `${worst.label} ${percent(ratio)}`, worst_loss_ratio: ratio }
}
