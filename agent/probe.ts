import type { z } from 'zod'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'

/** What feeds the calls is looked at so often where nobody says otherwise: an outage is told within 10 s and one look. */
export const POWER_INTERVAL_MS = 5000

/** The interval a measurement covers: since the probe's last measurement, or since it was opened. */
export interface Interval {
  /** Wall-clock end, microseconds since 1970. Points are stamped with it. */
  readonly endUs: number
  /** Length by the monotonic clock: a stepped wall clock does not stretch it. */
  readonly durationMs: number
}

export interface ProbeContext {
  readonly log: Logger
  /** Wall clock, microseconds since 1970. */
  readonly nowUs: () => number
  /** For what cannot wait for the interval's end: media stopped, on battery, last gasp. */
  readonly report: (urgent: readonly Measurement[]) => void
}

/** Listeners are polled too: they keep state, and measure() returns what happened in the interval since the last call. */
export interface Probe {
  open?(signal: AbortSignal): Promise<void>
  /** Never called while an earlier call is still running. Points need no site and agent tag; the agent adds them. */
  measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]>
  /** A cheap look between measurements, for what cannot wait for the next; what it gives is delivered at once. */
  readonly glance?: Glance | undefined
  close?(): Promise<void>
}

export interface Glance {
  readonly everyMs: number
  /** Never called while an earlier call is still running. */
  look(nowUs: number): Promise<readonly Measurement[]>
}

export interface ProbeDefinition<Options = unknown> {
  readonly name: string
  /** One line for --help and the docs. */
  readonly summary: string
  /** Tells what feeds others: looked at once when something else of the agent fails, for that may be why. */
  readonly isPower?: boolean
  /** How often at least, where its entry does not say. */
  readonly intervalMs?: number
  readonly options: z.ZodType<Options>
  readonly create: (options: Options, context: ProbeContext) => Probe
  /** Milliseconds a run may take: at a shorter interval it would be cut off again and again. */
  readonly longestRunMs?: (options: Options) => number
}

/** A probe that has read its options: what the scheduler runs. */
export interface ConfiguredProbe {
  readonly name: string
  readonly create: (context: ProbeContext) => Probe
  /** Undefined: whatever the interval, it keeps to it. */
  readonly longestRunMs: number | undefined
}

/** What the list in probes/index.ts holds: the type of the options stays inside. */
export interface ProbeKind {
  readonly name: string
  readonly summary: string
  readonly isPower: boolean
  readonly intervalMs: number | undefined
  /** Reads the options of one entry of the configuration into a probe ready to be made. */
  readonly schema: z.ZodType<ConfiguredProbe>
}

/** Ties options and constructor together, so that nobody outside needs to know the type of the options. */
export function defineProbe<Options>(definition: ProbeDefinition<Options>): ProbeKind {
  const { name, summary, isPower = false, intervalMs, options, create, longestRunMs } = definition
  return {
    name,
    summary,
    isPower,
    intervalMs,
    schema: options.transform((read) => ({
      name,
      create: (context) => create(read, context),
      longestRunMs: longestRunMs?.(read),
    })),
  }
}
