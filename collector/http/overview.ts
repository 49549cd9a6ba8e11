/** What the console shows, as the server sends it: the answer of GET /api/v1/overview and every event of GET /api/v1/events. */
export interface Overview {
  readonly atMs: number
  readonly version: string
  readonly startedMs: number
  /** duckdb or influx; and why it cannot take writes now, when it cannot. */
  readonly store: { readonly kind: string; readonly problem?: string }
  /** Said at the top of the page: "this is a demonstration", "paths come from test streams" ... */
  readonly notices: readonly string[]
  /** Worst first, then by name; at most 200. */
  readonly paths: readonly PathView[]
  readonly pathsLeftOut: number
  /** Firing first, newest first; at most 100. */
  readonly alerts: readonly AlertView[]
  readonly agents: readonly AgentView[]
}

export interface PathView {
  readonly from: string
  readonly to: string
  readonly at: string
  /** stream (packets seen), test (active test stream) or report. */
  readonly source: string
  readonly bearer: string
  readonly owner: string
  /** ok, over, severe, tainted, notice, too-few; or silent when nothing was judged for 60 s. */
  readonly verdict: string
  readonly firing: boolean
  readonly lossRatio: number | null
  readonly limitRatio: number
  readonly expected: number
  readonly lostUnique: number
  readonly jitterMs: number | null
  readonly roundTripMs: number | null
  /** Not measured yet: null until the E-model lands. */
  readonly mosLq: number | null
  readonly streams: number
  readonly lastSeenMs: number
  /** The last 15 minutes in steps of 10 s: begin of the step and loss 0..1, null where nothing was measured. */
  readonly history: readonly (readonly [atMs: number, lossRatio: number | null])[]
}

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
  readonly owner: string
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
  readonly clockOffsetMs: number | null
  readonly spoolPoints: number | null
  readonly points: number
  readonly rejected: number
}
