import type { Counts } from '../signalling/counters.ts'
import type { DelaySummary } from '../signalling/delays.ts'
import type { BindingsRow } from '../signalling/bindings.ts'
import type { SignallingInterval } from '../signalling/signalling-row.ts'
import {
  DELAY_KINDS,
  type DelayKind,
  type TrafficCounter,
  type TrafficRow,
} from '../signalling/traffic.ts'

/** What stands for itself at the end of an interval rather than being added up. */
const GAUGES: readonly TrafficCounter[] = ['sessions_up', 'sessions_setting_up']
/** Sources and accounts of which a file tells. */
const MAX_SOURCES = 1000

/** Delays of one kind over the whole file; percentiles of intervals cannot be added up, the worst is a bound. */
export interface DelayTotal {
  readonly count: number
  readonly sumMs: number
  readonly worstP95Ms: number
}

export interface TrafficTotal {
  readonly target: string | undefined
  readonly direction: TrafficRow['direction']
  readonly counts: Counts<TrafficCounter>
  readonly delays: Readonly<Partial<Record<DelayKind, DelayTotal>>>
}

/** A source over the whole file, counted in the intervals in which it was worth a look. */
export interface SourceTotal {
  readonly srcIp: string
  readonly scanner: string | undefined
  readonly userAgent: string | undefined
  readonly requests: number
  readonly wrongCredentials: number
  /** Most in any interval, and in any of the last 30 to 60 minutes. */
  readonly accounts: number
}

export interface SignallingTotal {
  readonly traffic: readonly TrafficTotal[]
  /** At the end of the file. */
  readonly bindings: readonly BindingsRow[]
  readonly sources: readonly SourceTotal[]
}

/** Adds up what was made of signalling. */
export class SignallingTotals {
  readonly #traffic = new Map<string, TrafficTotal>()
  readonly #sources = new Map<string, SourceTotal>()
  #bindings: readonly BindingsRow[] = []

  add({ traffic, bindings, sources }: SignallingInterval): void {
    this.#clearGauges()
    for (const row of traffic) {
      const key = `${row.direction} ${row.target ?? ''}`
      this.#traffic.set(key, sumOf(this.#traffic.get(key), row))
    }
    for (const row of sources) {
      const before = this.#sources.get(row.srcIp)
      if (before === undefined && this.#sources.size === MAX_SOURCES) continue
      this.#sources.set(row.srcIp, {
        srcIp: row.srcIp,
        scanner: row.scanner ?? before?.scanner,
        userAgent: row.userAgent ?? before?.userAgent,
        requests: (before?.requests ?? 0) + (row.counts.requests ?? 0),
        wrongCredentials: (before?.wrongCredentials ?? 0) + (row.counts.wrong_credentials ?? 0),
        accounts: Math.max(before?.accounts ?? 0, row.accounts, row.accountsRecent),
      })
    }
    this.#bindings = bindings
  }

  get total(): SignallingTotal {
    return {
      traffic: [...this.#traffic.values()],
      bindings: this.#bindings,
      sources: [...this.#sources.values()],
    }
  }

  #clearGauges(): void {
    for (const [key, total] of this.#traffic) {
      const kept = Object.entries(total.counts).filter(([name]) => !isGauge(name))
      this.#traffic.set(key, { ...total, counts: Object.fromEntries(kept) })
    }
  }
}

function isGauge(name: string): boolean {
  return GAUGES.some((gauge) => gauge === name)
}

function sumOf(before: TrafficTotal | undefined, row: TrafficRow): TrafficTotal {
  const counts: Record<string, number> = { ...before?.counts }
  for (const [name, count] of Object.entries(row.counts)) counts[name] = (counts[name] ?? 0) + count
  const delays: Partial<Record<DelayKind, DelayTotal>> = {}
  for (const kind of DELAY_KINDS) {
    const sum = delaySum(before?.delays[kind], row.delays[kind])
    if (sum !== undefined) delays[kind] = sum
  }
  return { target: row.target, direction: row.direction, counts, delays }
}

function delaySum(
  before: DelayTotal | undefined,
  one: DelaySummary | undefined,
): DelayTotal | undefined {
  if (one === undefined) return before
  return {
    count: (before?.count ?? 0) + one.count,
    sumMs: (before?.sumMs ?? 0) + one.sumMs,
    worstP95Ms: Math.max(before?.worstP95Ms ?? 0, one.p95Ms),
  }
}
