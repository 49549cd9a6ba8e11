import { createHash } from 'node:crypto'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { Probe } from './probe.ts'
import { ProbeRunner, type ProbeHealth } from './probe-runner.ts'

const MIN_FIRST_SHARE = 0.1
const UINT32_RANGE = 2 ** 32

/** Time as the agent sees it; tests have one of their own. */
export interface Clock {
  /** Wall clock, microseconds since 1970. Points are stamped by it, and by nothing else: where it is stepped, stamps step with it. */
  nowUs(): number
  /** Milliseconds that pass evenly, from any beginning. Every duration is measured with it. */
  monotonicMs(): number
  /** Calls back once, after the delay; the function returned takes that back. */
  setTimer(callback: () => void, delayMs: number): () => void
}

export const systemClock: Clock = {
  nowUs: () => Date.now() * 1000,
  monotonicMs: () => performance.now(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}

export interface ScheduledProbe {
  readonly label: string
  readonly intervalMs: number
  /** Runs at once in a hurry. */
  readonly isPower?: boolean | undefined
  readonly probe: Probe
}

export interface SchedulerOptions {
  readonly agent: string
  readonly clock: Clock
  readonly log: Logger
  /** Takes what a probe measured. Must not throw and must not wait. */
  readonly deliver: (points: readonly Measurement[]) => void
  /** Every first run exactly one interval after opening, instead of spread. */
  readonly aligned?: boolean
}

/** Runs each probe at its interval, apart from each other: one that fails, hangs or is slow costs the others nothing. */
export class Scheduler {
  readonly #runners: readonly ProbeRunner[]
  readonly #power: readonly ProbeRunner[]

  constructor(probes: readonly ScheduledProbe[], options: SchedulerOptions) {
    const { agent, clock, log, deliver, aligned = false } = options
    this.#runners = probes.map(
      (scheduled) =>
        new ProbeRunner(scheduled, {
          clock,
          deliver,
          log: log.child({ probe: scheduled.label }),
          firstRunAfterMs: aligned
            ? scheduled.intervalMs
            : scheduled.intervalMs * firstShare(phaseOf(agent, scheduled.label)),
        }),
    )
    this.#power = this.#runners.filter((_, index) => probes[index]?.isPower === true)
  }

  /** Something failed: what feeds it is looked at now, so that cause and consequence are known together. */
  hurry(): void {
    for (const runner of this.#power) runner.hurry()
  }

  /** Opens the probes and begins; returns at once. */
  start(): void {
    for (const runner of this.#runners) runner.start()
  }

  /** What happened to each probe since the last call. */
  takeHealth(): readonly ProbeHealth[] {
    return this.#runners.map((runner) => runner.takeHealth())
  }

  /**
   * Ends all runs (what they still give is delivered) and closes the probes. Each of the two steps takes at most `graceMs`: a probe
   * that does not end is left behind.
   */
  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop(graceMs)))
  }
}

/**
 * Where in its interval a probe runs, 0..1. It comes from the names, so that a hundred agents that start together after a power cut
 * do not all measure and push in the same instant, and an agent always keeps its place.
 */
export function phaseOf(agent: string, label: string): number {
  const digest = createHash('sha256').update(`${agent}\0${label}`).digest()
  return digest.readUInt32BE(0) / UINT32_RANGE
}

/** The first interval is a part of one, but not so short that nothing happens in it. */
function firstShare(phase: number): number {
  return MIN_FIRST_SHARE + (1 - MIN_FIRST_SHARE) * phase
}
