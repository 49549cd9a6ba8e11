import type { PowerSummary } from './power-view.ts'

/** What the console shows, as the server sends it: the answer of GET /api/v1/overview and the first event of GET /api/v1/events. */
export interface Overview {
  readonly atMs: number
  readonly version: string
  readonly startedMs: number
  /** duckdb or influx; and why it cannot take writes now, when it cannot. */
  readonly store: { readonly kind: string; readonly problem?: string }
  /** Said at the top of the page: "this is a demonstration", "paths come from test streams" ... */
  readonly notices: readonly string[]
  /** Begin of the first step of every path's history. */
  readonly historyFromMs: number
  /**
   * Paths with an alert firing first, then by name: an order that no measurement changes. The rows of a path stand together. At most 200,
   * the worst where there are more.
   */
  readonly paths: readonly PathView[]
  /** Paths, not rows. */
  readonly pathsLeftOut: number
  /** Firing ones first, the most severe before the others; then newest first. At most 100. */
  readonly alerts: readonly AlertView[]
  readonly agents: readonly AgentView[]
  /** Null where nothing is drawn. What the page Power shows is fetched for itself: GET /api/v1/power. */
  readonly power: PowerSummary | null
}

/** What one source says of a path at one place: a row. What was not measured is null. */
export interface PathView extends PathFigures {
  readonly history: PathHistoryView
}

export interface PathFigures {
  readonly from: string
  readonly to: string
  readonly at: string
  /** stream (packets of calls, counted), test (active test stream) or report (what receivers say). */
  readonly source: string
  readonly bearer: string
  /** The party's name, as the site file has it. */
  readonly owner: string
  /** ok, over, severe, tainted, notice, too-few or unknown; or silent when nothing was judged for 60 s. */
  readonly verdict: string
  readonly firing: boolean
  readonly lossRatio: number | null
  readonly limitRatio: number
  readonly expected: number
  readonly lostUnique: number
  /** Lost or too late for the adaptive jitter buffer. */
  readonly effectiveLossRatio: number | null
  /** The highest among the streams. */
  readonly jitterMs: number | null
  /** Null where no limit is set, likewise mosLimit. */
  readonly jitterLimitMs: number | null
  readonly roundTripMs: number | null
  /** The lowest among the streams, on the scale that most of them have. */
  readonly mosLq: number | null
  /** narrowband, wideband or fullband: of mosLq and of its history. */
  readonly mosScale: string | null
  readonly mosLimit: number | null
  readonly streams: number
  readonly streamsOver: number
  /** Packets the taps themselves dropped in the newest interval. */
  readonly sensorDrops: number
  readonly lastSeenMs: number
}

/** The last 15 minutes in steps of 10 s, oldest first. Each list is as long as there are steps, or empty: nothing measured in any. */
export interface PathHistoryView {
  /** 0..1 */
  readonly loss: readonly (number | null)[]
  readonly jitterMs: readonly (number | null)[]
  /** On the path's mosScale only. */
  readonly mosLq: readonly (number | null)[]
}

export const HISTORY_STEPS = 90
export const HISTORY_STEP_MS = 10_000

export interface AlertView {
  readonly id: string
  readonly rule: string
  readonly object: string
  /** pending is not listed; firing, resolved or ended. */
  readonly state: string
  readonly severity: string
  readonly summary: string
  readonly text: string
  readonly segment: string
  /** The party's name, as the site file has it. */
  readonly owner: string
  /** What to do first; '' where there is nothing to do any more. */
  readonly advice: string
  /** Object of the alert that explains it, which people were told of instead; '' where they were told of this. */
  readonly explainedBy: string
  readonly sinceMs: number
  readonly firedMs: number | null
  readonly closedMs: number | null
}

export interface AgentView {
  readonly agent: string
  readonly site: string
  readonly version: string
  readonly lastSeenMs: number
  readonly silent: boolean
  /** What it cannot do now: a probe that fails, a tap that is blind, the agent itself cut off. */
  readonly problems: readonly AgentProblem[]
  readonly clockOffsetMs: number | null
  readonly spoolPoints: number | null
  readonly points: number
  readonly rejected: number
}

export interface AgentProblem {
  /** "rtp-capture eth1", or the rule whose alert says so. */
  readonly what: string
  readonly reason: string
}

/** Identity of a row: one path may be judged at several places and from several sources. */
export function pathKey({
  from,
  to,
  at,
  source,
}: Pick<PathFigures, 'from' | 'to' | 'at' | 'source'>): string {
  return [from, to, at, source].join('\n')
}

export function agentKey({ site, agent }: Pick<AgentView, 'site' | 'agent'>): string {
  return `${site}\n${agent}`
}
