import { z } from 'zod'
import { isAbove } from './verdict.ts'

/** Without judgeable packets for this long, a pending alert is dropped and a firing one is ended. */
const FORGOTTEN_US = 5 * 60_000_000
/** An ended alert is taken up again when the next judged interval within this time is over. */
const REOPEN_US = 12 * 3_600_000_000
/** Intervals are as exact as the timers of the agents: this share of one may be missing from a hold. */
const TIMER_SLACK = 0.1

export type AlarmState = 'idle' | 'pending' | 'firing' | 'ended'

/** What became of the alert with this step. `reopened` is firing again. */
export type AlarmStep =
  'nothing' | 'pending' | 'dropped' | 'firing' | 'escalated' | 'reopened' | 'resolved' | 'ended'

/** One judged interval. */
export interface Judged {
  readonly meaning: 'over' | 'between' | 'under' | 'unjudged'
  readonly startUs: number
  readonly endUs: number
  /** Interval time not covered by an earlier judgement. */
  readonly coveredUs: number
  readonly intervalUs: number
  readonly expected: number
  /** Less what the taps dropped: an alert rests on what the network surely lost. */
  readonly lost: number
  readonly isSevere: boolean
  /** Not history: people are told of changes in current points only. */
  readonly isCurrent: boolean
}

export interface AlarmLimits {
  readonly limitRatio: number
  readonly holdUs: number
  readonly clearHoldUs: number
}

const memorySchema = z.object({
  state: z.enum(['idle', 'pending', 'firing', 'ended']),
  sinceUs: z.number(),
  coveredUs: z.number(),
  expected: z.number(),
  lost: z.number(),
  worstRatio: z.number(),
  clearUs: z.number(),
  testClearUs: z.number(),
  judgedUs: z.number(),
  endedUs: z.number(),
  isUntried: z.boolean(),
  isSevere: z.boolean(),
})

export type AlarmMemory = z.output<typeof memorySchema>

const NOTHING: AlarmMemory = {
  state: 'idle',
  sinceUs: 0,
  coveredUs: 0,
  expected: 0,
  lost: 0,
  worstRatio: 0,
  clearUs: 0,
  testClearUs: 0,
  judgedUs: 0,
  endedUs: 0,
  isUntried: false,
  isSevere: false,
}

/** The life of an alert: pending -> firing -> resolved or ended, counted in covered interval time, not in calls of step(). */
export class Alarm {
  #memory: AlarmMemory

  constructor(restored?: unknown) {
    const read = memorySchema.safeParse(restored)
    this.#memory = { ...(read.success ? read.data : NOTHING) }
  }

  get state(): AlarmState {
    return this.#memory.state
  }

  /** Figures since pending began, and all that a restart needs. */
  get memory(): Readonly<AlarmMemory> {
    return this.#memory
  }

  /** @param isEvident whether chance is ruled out; asked only when everything else says fire */
  step(judged: Judged, limits: AlarmLimits, isEvident: () => boolean): AlarmStep {
    if (judged.meaning === 'unjudged') return 'nothing'
    const memory = this.#memory
    memory.judgedUs = Math.max(memory.judgedUs, judged.endUs)
    memory.testClearUs = 0
    switch (memory.state) {
      case 'idle':
        return judged.meaning === 'over' ? this.#begin(judged, limits, isEvident) : 'nothing'
      case 'pending':
        return this.#stepPending(judged, limits, isEvident)
      case 'firing':
        return this.#stepFiring(judged, limits)
      case 'ended':
        return this.#stepEnded(judged, limits, isEvident)
    }
  }

  /** A test stream on the same segment was well for this long, and nothing else was judged meanwhile. */
  proveByTest(judged: Judged, limits: AlarmLimits): AlarmStep {
    const memory = this.#memory
    if (memory.state !== 'firing' && memory.state !== 'ended') return 'nothing'
    if (judged.meaning === 'unjudged' || judged.startUs < memory.judgedUs) return 'nothing'
    memory.testClearUs = judged.meaning === 'under' ? memory.testClearUs + judged.coveredUs : 0
    if (!isLongEnough(memory.testClearUs, limits.clearHoldUs, judged)) return 'nothing'
    return this.#forget('resolved')
  }

  /** What is due because nothing judgeable came. `listeningUs`: when this process began to listen. */
  lapse(nowUs: number, listeningUs: number): AlarmStep {
    const { state, judgedUs, endedUs } = this.#memory
    if (state === 'ended') {
      if (nowUs - endedUs > REOPEN_US) this.#forget('nothing')
      return 'nothing'
    }
    if (state === 'idle' || nowUs - Math.max(judgedUs, listeningUs) < FORGOTTEN_US) return 'nothing'
    return this.end()
  }

  /** The calls are over, or nothing is known any more: not proven healed. */
  end(): AlarmStep {
    const memory = this.#memory
    if (memory.state === 'pending') return this.#forget('dropped')
    if (memory.state !== 'firing') return 'nothing'
    memory.state = 'ended'
    memory.endedUs = memory.judgedUs
    memory.isUntried = true
    memory.clearUs = 0
    memory.testClearUs = 0
    return 'ended'
  }

  #begin(judged: Judged, limits: AlarmLimits, isEvident: () => boolean): AlarmStep {
    this.#memory = {
      ...NOTHING,
      state: 'pending',
      sinceUs: judged.startUs,
      judgedUs: judged.endUs,
    }
    const step = this.#stepPending(judged, limits, isEvident)
    return step === 'nothing' ? 'pending' : step
  }

  #stepPending(judged: Judged, limits: AlarmLimits, isEvident: () => boolean): AlarmStep {
    const memory = this.#memory
    this.#count(judged)
    const isOver = judged.meaning === 'over'
    if (isOver) {
      const isHeld = isLongEnough(memory.coveredUs, limits.holdUs, judged)
      if (!isHeld || !judged.isCurrent || !isEvident()) return 'nothing'
      memory.state = 'firing'
      memory.isSevere = judged.isSevere
      return 'firing'
    }
    const isPoolOver = isAbove(memory, limits.limitRatio)
    if (!isPoolOver || isLongEnough(memory.clearUs, limits.clearHoldUs, judged))
      return this.#forget('dropped')
    return 'nothing'
  }

  #stepFiring(judged: Judged, limits: AlarmLimits): AlarmStep {
    const memory = this.#memory
    this.#count(judged)
    if (!judged.isCurrent) return 'nothing'
    if (judged.isSevere && !memory.isSevere) {
      memory.isSevere = true
      return 'escalated'
    }
    const isClear = isLongEnough(memory.clearUs, limits.clearHoldUs, judged)
    return isClear ? this.#forget('resolved') : 'nothing'
  }

  #stepEnded(judged: Judged, limits: AlarmLimits, isEvident: () => boolean): AlarmStep {
    const memory = this.#memory
    if (judged.meaning === 'over') {
      if (!memory.isUntried || judged.endUs - memory.endedUs > REOPEN_US)
        return this.#begin(judged, limits, isEvident)
      if (!judged.isCurrent) return 'nothing'
      this.#count(judged)
      memory.state = 'firing'
      memory.isSevere ||= judged.isSevere
      return 'reopened'
    }
    memory.isUntried = false
    memory.clearUs = judged.meaning === 'under' ? memory.clearUs + judged.coveredUs : 0
    const isClear = isLongEnough(memory.clearUs, limits.clearHoldUs, judged)
    return isClear && judged.isCurrent ? this.#forget('resolved') : 'nothing'
  }

  #count({ meaning, coveredUs, expected, lost }: Judged): void {
    const memory = this.#memory
    memory.coveredUs += coveredUs
    // Once it fires, the minutes in which it heals do not dilute how bad it was.
    if (memory.state !== 'firing' || meaning !== 'under') {
      memory.expected += expected
      memory.lost += lost
    }
    if (expected > 0) memory.worstRatio = Math.max(memory.worstRatio, lost / expected)
    memory.clearUs = meaning === 'under' ? memory.clearUs + coveredUs : 0
  }

  #forget(step: AlarmStep): AlarmStep {
    // The figures stay readable for the last message; the next beginning clears them.
    this.#memory.state = 'idle'
    return step
  }
}

function isLongEnough(coveredUs: number, wantedUs: number, judged: Judged): boolean {
  return coveredUs + Math.min(judged.intervalUs, judged.coveredUs) * TIMER_SLACK >= wantedUs
}
