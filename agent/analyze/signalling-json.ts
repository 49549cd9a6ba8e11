import type { BindingsRow } from '../signalling/bindings.ts'
import { DELAY_KINDS } from '../signalling/traffic.ts'
import type { SignallingTotal, SourceTotal, TrafficTotal } from './signalling-total.ts'

const OTHER = 'other'
const DECIMALS = 6

/** What `analyze --json` prints of signalling, beside the calls. */
export function signallingJson(total: SignallingTotal): Readonly<Record<string, unknown>> {
  return {
    traffic: total.traffic.map(trafficJson),
    bindings: total.bindings.map(bindingsJson),
    sources: total.sources.map(sourceJson),
  }
}

function trafficJson({ target, direction, counts, delays }: TrafficTotal) {
  const delayMs = DELAY_KINDS.flatMap((kind) => {
    const delay = delays[kind]
    if (delay === undefined) return []
    const { count, sumMs, worstP95Ms } = delay
    return [[kind, { count, mean: rounded(sumMs / count), worstP95: rounded(worstP95Ms) }] as const]
  })
  return {
    target: target ?? OTHER,
    direction,
    ...Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [camelCase(name), rounded(count)]),
    ),
    ...(delayMs.length === 0 ? {} : { delayMs: Object.fromEntries(delayMs) }),
  }
}

function bindingsJson(row: BindingsRow) {
  return {
    target: row.target ?? OTHER,
    active: row.active,
    accounts: row.accounts,
    overdue: row.overdue,
    nextLapseS: row.nextLapseS === undefined ? undefined : rounded(row.nextLapseS),
  }
}

function sourceJson(row: SourceTotal) {
  return {
    src: row.srcIp,
    scanner: row.scanner,
    userAgent: row.userAgent,
    requests: row.requests,
    wrongCredentials: row.wrongCredentials,
    accounts: row.accounts,
  }
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function rounded(value: number): number {
  return Number(value.toFixed(DECIMALS))
}
