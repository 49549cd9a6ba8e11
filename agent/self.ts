import { measurement, type Measurement } from '../common/measurement.ts'
import { version } from '../common/version.ts'
import type { ProbeHealth } from './probe-runner.ts'
import type { Interval, Probe } from './probe.ts'

const US_PER_MS = 1000

/** What the agent's own health is called in the log. */
export const SELF = 'agent'

/** What the agent knows of itself at one moment; counters count from its start. */
export interface Vitals {
  readonly uptimeS: number
  readonly machineUptimeS: number
  readonly rssBytes: number
  readonly cpuMs: number
  /** 99th percentile of the event-loop delay since the last reading. */
  readonly loopDelayMs: number
  readonly subnets: readonly string[]
  /** Of the moment, by the clock that cannot be stepped. */
  readonly monotonicMs: number
  readonly spoolPoints: number
  readonly spoolBytes: number
  readonly droppedPoints: number
  readonly rejectedPoints: number
  readonly pushFailures: number
  /** Everything it watches fell silent at once; undefined while it watches too little to tell. */
  readonly isIsolated: boolean | undefined
}

/** The agent's own health: a probe like the others, and at the same interval. */
export class SelfProbe implements Probe {
  readonly #read: () => Vitals
  readonly #takeHealth: () => readonly ProbeHealth[]
  #before: Vitals
  /** Up to where losses have been told. */
  #told: Vitals
  #toldBefore: Vitals
  #wallMinusMonotonicMs: number

  constructor(read: () => Vitals, takeHealth: () => readonly ProbeHealth[], nowUs: number) {
    this.#read = read
    this.#takeHealth = takeHealth
    this.#before = read()
    this.#told = this.#before
    this.#toldBefore = this.#before
    this.#wallMinusMonotonicMs = nowUs / US_PER_MS - this.#before.monotonicMs
  }

  async measure(interval: Interval): Promise<readonly Measurement[]> {
    const before = this.#before
    const now = this.#read()
    this.#before = now
    const wallMinusMonotonicMs = interval.endUs / US_PER_MS - now.monotonicMs
    const clockStepMs = wallMinusMonotonicMs - this.#wallMinusMonotonicMs
    this.#wallMinusMonotonicMs = wallMinusMonotonicMs
    const self = measurement(
      'agent',
      interval.endUs,
      {},
      {
        interval_ms: interval.durationMs,
        version,
        subnets: now.subnets.join(' '),
        uptime_s: now.uptimeS,
        machine_uptime_s: now.machineUptimeS,
        rss_bytes: now.rssBytes,
        cpu_ratio: (now.cpuMs - before.cpuMs) / (now.monotonicMs - before.monotonicMs),
        loop_delay_ms: now.loopDelayMs,
        clock_step_ms: clockStepMs,
        spool_points: now.spoolPoints,
        spool_bytes: now.spoolBytes,
        spool_dropped: now.droppedPoints - this.#told.droppedPoints,
        push_rejected: now.rejectedPoints - this.#told.rejectedPoints,
        push_failures: now.pushFailures - this.#told.pushFailures,
        isolated: now.isIsolated,
      },
    )
    this.#toldBefore = this.#told
    this.#told = now
    return [self, ...this.#takeHealth().map((health) => toPoint(health, interval))]
  }

  /** What was last measured got lost itself, as on a full disk: the losses it told are told again with the next. */
  sayAgain(): void {
    this.#told = this.#toldBefore
  }
}

function toPoint(health: ProbeHealth, interval: Interval): Measurement {
  const { label, runs, failures, timeouts, skipped, lateMs, reason } = health
  return measurement(
    'agent',
    interval.endUs,
    { target: label },
    {
      interval_ms: interval.durationMs,
      runs,
      failures,
      timeouts,
      skipped,
      late_ms: runs > 0 ? lateMs : undefined,
      reason,
    },
  )
}
