import { measurement, type Measurement } from '../../common/measurement.ts'
import type { AccountRow } from './account-row.ts'
import type { BindingsRow } from './bindings.ts'
import type { SignallingEvent } from './call-book.ts'
import type { SignallingInterval } from './signalling-row.ts'
import type { SourceRow } from './sources.ts'
import type { TrafficRow } from './traffic.ts'

/** What the target is called that stands for all peers not told apart. */
const OTHER_TARGET = 'other'

/** What all points of an interval have in common. */
export interface SignallingFrame {
  readonly endUs: number
  readonly durationMs: number | undefined
  readonly tap: string | undefined
}

/** The points of one interval of signalling. */
export function signallingPoints(
  interval: SignallingInterval,
  frame: SignallingFrame,
): readonly Measurement[] {
  const { traffic, bindings, sources, accounts, watchedS } = interval
  return [
    ...traffic.map((row) => trafficPoint(row, frame)),
    ...bindings.map((row) => bindingsPoint(row, traffic, watchedS, frame)),
    ...sources.map((row) => sourcePoint(row, watchedS, frame)),
    ...accounts.map((row) => accountPoint(row, watchedS, frame)),
  ]
}

export function eventPoint(
  event: SignallingEvent,
  nowUs: number,
  tap: string | undefined,
): Measurement {
  return measurement(
    'sip_event',
    Math.round(nowUs),
    { kind: event.kind },
    {
      tap,
      state: event.state,
      number: event.number,
      caller: event.caller,
      key: event.key,
      src_ip: event.srcIp,
      dst_ip: event.dstIp,
      call_id: event.callId,
      status_code: event.statusCode,
    },
  )
}

function trafficPoint(
  { target = OTHER_TARGET, direction, counts, delays, server }: TrafficRow,
  { endUs, durationMs, tap }: SignallingFrame,
): Measurement {
  const { registration, session, sessionFailed, disconnect } = delays
  return measurement(
    'sip_traffic',
    endUs,
    { target, direction },
    {
      interval_ms: durationMs,
      tap,
      server,
      ...counts,
      registration_delay_count: registration?.count,
      registration_delay_sum_ms: registration?.sumMs,
      registration_delay_p50_ms: registration?.p50Ms,
      registration_delay_p95_ms: registration?.p95Ms,
      session_delay_count: session?.count,
      session_delay_sum_ms: session?.sumMs,
      session_delay_p50_ms: session?.p50Ms,
      session_delay_p95_ms: session?.p95Ms,
      session_failed_delay_count: sessionFailed?.count,
      session_failed_delay_sum_ms: sessionFailed?.sumMs,
      session_failed_delay_p50_ms: sessionFailed?.p50Ms,
      session_failed_delay_p95_ms: sessionFailed?.p95Ms,
      disconnect_delay_sum_ms: disconnect?.sumMs,
      disconnect_delay_p50_ms: disconnect?.p50Ms,
      disconnect_delay_p95_ms: disconnect?.p95Ms,
    },
  )
}

function bindingsPoint(
  row: BindingsRow,
  traffic: readonly TrafficRow[],
  watchedS: number,
  { endUs, durationMs, tap }: SignallingFrame,
): Measurement {
  const failed = traffic
    .filter(({ target }) => target === row.target)
    .reduce((sum, { counts }) => sum + (counts.registration_failed ?? 0), 0)
  return measurement(
    'sip_bindings',
    endUs,
    { target: row.target ?? OTHER_TARGET },
    {
      interval_ms: durationMs,
      tap,
      watched_s: watchedS,
      complete: row.isComplete,
      active: row.active,
      accounts: row.accounts,
      overdue: row.overdue,
      next_lapse_s: row.nextLapseS,
      expired: row.expired,
      removed: row.removed,
      added: row.added,
      refreshed: row.refreshed,
      refreshed_early: row.refreshedEarly,
      refreshed_late: row.refreshedLate,
      failed,
      expires_min_s: row.expiresMinS,
      expires_max_s: row.expiresMaxS,
      evicted: row.evicted,
    },
  )
}

function sourcePoint(
  row: SourceRow,
  watchedS: number,
  { endUs, durationMs, tap }: SignallingFrame,
): Measurement {
  return measurement(
    'sip_source',
    endUs,
    {},
    {
      interval_ms: durationMs,
      tap,
      watched_s: watchedS,
      src_ip: row.srcIp,
      outside: row.isOutside,
      known_s: row.knownS,
      registered: row.isRegistered,
      user_agent: row.userAgent,
      scanner: row.scanner,
      ...row.counts,
      peak_per_s: row.peakPerS,
      targets: row.targets,
      accounts: row.accounts,
      accounts_recent: row.accountsRecent,
    },
  )
}

function accountPoint(
  row: AccountRow,
  watchedS: number,
  { endUs, durationMs, tap }: SignallingFrame,
): Measurement {
  return measurement(
    'sip_account',
    endUs,
    {},
    {
      interval_ms: durationMs,
      tap,
      watched_s: watchedS,
      account: row.account,
      key: row.key,
      src_ip: row.srcIp,
      user_agent: row.userAgent,
      first_seen: row.isFirst,
      known_s: row.knownS,
      new_network: row.isNewNetwork,
      new_user_agent: row.isNewUserAgent,
      registration: row.registration,
      registration_overdue: row.isOverdue,
      status_code: row.statusCode,
      bindings: row.bindings,
      guessing_sources: row.guessingSources,
      ...row.counts,
      destinations: row.destinations,
      up: row.up,
      up_max: row.upMax,
      up_costly: row.upCostly,
    },
  )
}
