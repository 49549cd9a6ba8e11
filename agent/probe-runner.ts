import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { Clock, ScheduledProbe } from './scheduler.ts'

/** Of its interval, what a run may take: it must be over, cut off or not, when the next one is due. */
const TIMEOUT_SHARE = 0.8
const OPEN_TIMEOUT_MS = 30_000
const OPEN_RETRY_MIN_MS = 1000
const OPEN_RETRY_MAX_MS = 60_000
/** The same complaint is logged at most this often. */
const LOG_AGAIN_MS = 60_000
/** From the begin of one run to the begin of one in a hurry. */
const HURRY_MS = 2000

/** What happened to a probe in an interval of the agent's own health. */
export interface ProbeHealth {
  readonly label: string
  readonly runs: number
  /** Runs, and attempts to open, that failed. */
  readonly failures: number
  readonly timeouts: number
  readonly skipped: number
  readonly lateMs: number
  /** Why it failed last, where it did. */
  readonly reason: string | undefined
}

export interface ProbeRunnerOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly deliver: (points: readonly Measurement[]) => void
  readonly firstRunAfterMs: number
}

const NOTHING_HAPPENED = {
  runs: 0,
  failures: 0,
  timeouts: 0,
  skipped: 0,
  lateMs: 0,
  reason: undefined,
} satisfies Omit<ProbeHealth, 'label'>

/** Opens one probe, retrying, and runs it at its interval until stopped. */
export class ProbeRunner {
  readonly #scheduled: ScheduledProbe
  readonly #options: ProbeRunnerOptions
  /** Of the work going on, to end it. */
  readonly #limits = new Set<AbortController>()
  #health: Omit<ProbeHealth, 'label'> = NOTHING_HAPPENED
  #opening: Promise<void> = Promise.resolve()
  #running: Promise<void> | undefined
  #isOpen = false
  #isStopping = false
  #isExtra = false
  #cancelTimer: () => void = () => undefined
  #cancelHurry: (() => void) | undefined
  #cancelGlance: () => void = () => undefined
  #dueMs = 0
  #coveredToMs = 0
  #complaint = ''
  #complainedAtMs = -Infinity

  constructor(scheduled: ScheduledProbe, options: ProbeRunnerOptions) {
    this.#scheduled = scheduled
    this.#options = options
  }

  start(): void {
    this.#opening = this.#open()
  }

  /** Measures once more, besides the runs at the interval: now, or when the last has begun long enough ago. */
  hurry(): void {
    if (!this.#isOpen || this.#isStopping || this.#cancelHurry !== undefined) return
    const { clock } = this.#options
    // A run that is going on may have looked already, before what makes us hurry.
    this.#cancelHurry = clock.setTimer(
      () => {
        this.#cancelHurry = undefined
        if (this.#running !== undefined) return
        this.#isExtra = true
        this.#begin(clock.monotonicMs())
      },
      Math.max(0, this.#coveredToMs + HURRY_MS - clock.monotonicMs()),
    )
  }

  takeHealth(): ProbeHealth {
    const health = { label: this.#scheduled.label, ...this.#health }
    this.#health = NOTHING_HAPPENED
    return health
  }

  async stop(graceMs: number): Promise<void> {
    const { probe } = this.#scheduled
    this.#isStopping = true
    this.#cancelTimer()
    this.#cancelHurry?.()
    this.#cancelGlance()
    for (const limit of this.#limits) limit.abort(new Error('the agent is ending'))
    await this.#atMost(graceMs, Promise.all([this.#opening, this.#running]))
    if (!this.#isOpen || probe.close === undefined) return
    const closing = probe.close().catch((error: unknown) => {
      this.#complain(`cannot close: ${reasonOf(error)}`)
    })
    await this.#atMost(graceMs, closing)
  }

  async #open(): Promise<void> {
    const { probe } = this.#scheduled
    const { clock, firstRunAfterMs } = this.#options
    let retryMs = OPEN_RETRY_MIN_MS
    for (;;) {
      const limit = new AbortController()
      try {
        await this.#within(OPEN_TIMEOUT_MS, limit, async (signal) => probe.open?.(signal))
        this.#isOpen = true
        this.#coveredToMs = clock.monotonicMs()
        this.#dueMs = this.#coveredToMs + firstRunAfterMs
        this.#waitForTick()
        this.#waitToGlance()
        return
      } catch (error) {
        if (this.#hasEnded()) return
        if (!limit.signal.aborted) this.#count({ failures: 1, reason: reasonOf(error) })
        this.#complain(`cannot open: ${reasonOf(error)}`)
        await this.#pause(retryMs)
        if (this.#hasEnded()) return
        retryMs = Math.min(2 * retryMs, OPEN_RETRY_MAX_MS)
      }
    }
  }

  #waitForTick(): void {
    if (this.#hasEnded()) return
    const { clock } = this.#options
    this.#cancelTimer = clock.setTimer(
      () => {
        this.#tick()
      },
      Math.max(0, this.#dueMs - clock.monotonicMs()),
    )
  }

  /** The next tick counts from when this one was due, not from when it came: nothing drifts. Ticks missed altogether are skipped. */
  #tick(): void {
    const { intervalMs } = this.#scheduled
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#running === undefined) {
      this.#count({ lateMs: Math.max(0, nowMs - this.#dueMs) })
      this.#isExtra = false
      this.#begin(nowMs)
    } else if (!this.#isExtra) {
      this.#count({ skipped: 1 })
    }
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / intervalMs))
    this.#count({ skipped: missed })
    this.#dueMs += (missed + 1) * intervalMs
    this.#waitForTick()
  }

  #begin(nowMs: number): void {
    this.#cancelHurry?.()
    this.#cancelHurry = undefined
    this.#running = this.#run(nowMs).finally(() => {
      this.#running = undefined
    })
  }

  #waitToGlance(): void {
    const { glance } = this.#scheduled.probe
    if (glance === undefined || this.#hasEnded()) return
    const { clock, deliver } = this.#options
    this.#cancelGlance = clock.setTimer(() => {
      void glance
        .look(clock.nowUs())
        .then((points) => {
          if (points.length > 0) deliver(points)
        })
        .catch((error: unknown) => {
          this.#complain(reasonOf(error))
        })
        .finally(() => {
          this.#waitToGlance()
        })
    }, glance.everyMs)
  }

  async #run(nowMs: number): Promise<void> {
    const { probe, intervalMs } = this.#scheduled
    const { clock, deliver } = this.#options
    const interval = { endUs: clock.nowUs(), durationMs: nowMs - this.#coveredToMs }
    const limit = new AbortController()
    this.#coveredToMs = nowMs
    this.#count({ runs: 1 })
    try {
      const points = await this.#within(TIMEOUT_SHARE * intervalMs, limit, (signal) =>
        probe.measure(interval, signal),
      )
      // A run cut off may still give what it had: that was measured.
      if (points.length > 0) deliver(points)
      if (!limit.signal.aborted) this.#recovered()
    } catch (error) {
      if (limit.signal.aborted) return
      this.#count({ failures: 1, reason: reasonOf(error) })
      this.#complain(reasonOf(error))
    }
  }

  /** Hands the work a signal that fires after the limit or when the runner stops; the work itself decides how soon it ends. */
  async #within<T>(
    limitMs: number,
    limit: AbortController,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const cancel = this.#options.clock.setTimer(() => {
      const reason = `not done within ${Math.round(limitMs)} ms`
      this.#count({ timeouts: 1, reason })
      this.#complain(reason)
      limit.abort(new Error(reason))
    }, limitMs)
    this.#limits.add(limit)
    try {
      return await work(limit.signal)
    } finally {
      cancel()
      this.#limits.delete(limit)
    }
  }

  async #pause(durationMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimer(resolve, durationMs)
      this.#cancelTimer = () => {
        cancel()
        resolve()
      }
    })
  }

  async #atMost(limitMs: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimer(resolve, limitMs)
      void work.finally(() => {
        cancel()
        resolve()
      })
    })
  }

  #hasEnded(): boolean {
    return this.#isStopping
  }

  #count(happened: Partial<Omit<ProbeHealth, 'label'>>): void {
    const { runs = 0, failures = 0, timeouts = 0, skipped = 0, lateMs = 0, reason } = happened
    this.#health = {
      runs: this.#health.runs + runs,
      failures: this.#health.failures + failures,
      timeouts: this.#health.timeouts + timeouts,
      skipped: this.#health.skipped + skipped,
      lateMs: Math.max(this.#health.lateMs, lateMs),
      reason: reason ?? this.#health.reason,
    }
  }

  #complain(complaint: string): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (complaint === this.#complaint && nowMs - this.#complainedAtMs < LOG_AGAIN_MS) return
    this.#complaint = complaint
    this.#complainedAtMs = nowMs
    this.#options.log.warn({ reason: complaint }, 'probe failed')
  }

  #recovered(): void {
    if (this.#complaint === '') return
    this.#complaint = ''
    this.#options.log.info('probe works again')
  }
}
