import { version } from '../common/version.ts'
import { SEVERITIES, type Breach } from './evaluate/breach.ts'
import type { ShownLimits } from './evaluate/rule.ts'
import type { PowerSummary } from './http/power-view.ts'
import type { AgentProblem, AgentView, AlertView, Overview, PathView } from './http/overview.ts'
import { adviceOn, messageOf } from './notify/message.ts'
import { historyFromMs, type PathHistory } from './path-history.ts'
import type { Sender } from './sender.ts'

const US_PER_MS = 1000
/** A path has a row for each place and source it is judged from. */
const MAX_ROWS = 200
const MAX_ALERTS = 100
/** Worst first: who is left out when there are too many. */
const VERDICTS = ['severe', 'over', 'unknown', 'tainted', 'notice', 'ok', 'too-few', 'silent']
const SOURCES = ['stream', 'report', 'test']
/** Rules whose alerts say that an agent does not see what it should. */
const ABOUT_AGENTS = ['tap-blind', 'sensor-suspected', 'agent-isolated']

export interface OverviewSources {
  readonly nowMs: number
  readonly startedMs: number
  readonly store: Overview['store']
  readonly notices: readonly string[]
  readonly paths: PathHistory
  readonly breaches: readonly Breach[]
  readonly senders: readonly Sender[]
  readonly power: PowerSummary | null
  readonly link: (breach: Breach) => string
  readonly limitsOf: (path: Pick<PathView, 'from' | 'to' | 'at'>) => ShownLimits
  /** What people call a party of the site file. */
  readonly nameOf: (party: string) => string
  /** The alert that people were told of instead of one, by its object. */
  readonly explanationOf: (breach: Breach) => string | undefined
}

type Named = Pick<OverviewSources, 'link' | 'nameOf' | 'explanationOf'>

/** What the console shows now. */
export function buildOverview(sources: OverviewSources): Overview {
  const { nowMs, startedMs, store, notices, breaches } = sources
  const firing = breaches.filter(({ state }) => state === 'firing')
  const silent = silentAgents(firing)
  return {
    atMs: nowMs,
    version,
    startedMs,
    store,
    notices,
    historyFromMs: historyFromMs(nowMs),
    ...pathsOf(sources, firing),
    alerts: breaches
      .filter(({ state }) => state !== 'pending')
      .sort(firingThenNewest)
      .slice(0, MAX_ALERTS)
      .map((breach) => alertView(breach, sources)),
    agents: sources.senders
      .map((sender) => agentView(sender, silent(sender), problemsOf(sender, firing, nowMs)))
      .sort((a, b) => a.agent.localeCompare(b.agent)),
    power: sources.power,
  }
}

/** In an order that stands still while nothing fires; of too many the worst, a path with all its rows or not at all. */
function pathsOf(
  { nowMs, paths, limitsOf, nameOf }: OverviewSources,
  firing: readonly Breach[],
): Pick<Overview, 'paths' | 'pathsLeftOut'> {
  const firingRows = new Set(firing.map(({ labels }) => rowKey(labels)))
  const groups = new Map<string, PathView[]>()
  for (const view of paths.views(nowMs)) {
    const { jitterMs: jitterLimitMs = null, mosLq: mosLimit = null } = limitsOf(view)
    const row: PathView = {
      ...view,
      owner: nameOf(view.owner),
      firing: firingRows.has(rowKey(view)),
      jitterLimitMs,
      mosLimit,
    }
    const name = `${row.from}\n${row.to}`
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  const all = [...groups].map(([name, rows]) => ({ name, rows, isFiring: rows.some(isFiring) }))
  const listed: typeof all = []
  let rows = 0
  for (const group of all.toSorted((a, b) => rankOf(a.rows) - rankOf(b.rows) || byName(a, b))) {
    rows += group.rows.length
    if (rows > MAX_ROWS && listed.length > 0) break
    listed.push(group)
  }
  listed.sort((a, b) => Number(b.isFiring) - Number(a.isFiring) || byName(a, b))
  return {
    paths: listed.flatMap((group) => group.rows.sort(bySource)).slice(0, MAX_ROWS),
    pathsLeftOut: all.length - listed.length,
  }
}

/** Missed by itself, or with all of its site. */
function silentAgents(firing: readonly Breach[]): (sender: Sender) => boolean {
  const agents = firing.filter(({ rule }) => rule === 'agent-silent')
  const sites = firing.filter(({ rule }) => rule === 'site-cut-off')
  return ({ agent, site, lastSeenMs }) =>
    agents.some(({ labels }) => labels['agent'] === agent) ||
    sites.some(
      ({ labels, sinceUs }) =>
        labels['site'] === site || (labels['site'] === 'all' && lastSeenMs * US_PER_MS <= sinceUs),
    )
}

function alertView(breach: Breach, { link, nameOf, explanationOf }: Named): AlertView {
  const { id, rule, object, state, severity, summary, labels } = breach
  const said = state === 'pending' ? 'firing' : state
  return {
    id,
    rule,
    object,
    state,
    severity,
    summary,
    text: messageOf(said, breach, link(breach), nameOf).text,
    segment: labels['segment'] ?? '',
    owner: nameOf(labels['owner'] ?? 'unknown'),
    advice: (state === 'resolved' ? undefined : adviceOn(breach)) ?? '',
    explainedBy: explanationOf(breach) ?? '',
    sinceMs: breach.sinceUs / US_PER_MS,
    firedMs: breach.firedUs === undefined ? null : breach.firedUs / US_PER_MS,
    closedMs: breach.closedUs === undefined ? null : breach.closedUs / US_PER_MS,
  }
}

function agentView(sender: Sender, silent: boolean, problems: readonly AgentProblem[]): AgentView {
  const { agent, site, version: itsVersion, lastSeenMs, spoolPoints, points, rejected } = sender
  const offsetMs = sender.clock.measuredMs
  return {
    agent,
    site,
    version: itsVersion,
    lastSeenMs,
    silent,
    problems,
    clockOffsetMs: offsetMs === undefined ? null : Math.round(offsetMs),
    spoolPoints,
    points,
    rejected,
  }
}

/** What its probes complain of, and what the alerts on its taps say. */
function problemsOf(
  sender: Sender,
  firing: readonly Breach[],
  nowMs: number,
): readonly AgentProblem[] {
  const probes = sender
    .failingProbes(nowMs * US_PER_MS)
    .map(({ probe, reason }) => ({ what: probe, reason }))
  const alerts = firing
    .filter(({ rule, labels }) => ABOUT_AGENTS.includes(rule) && labels['agent'] === sender.agent)
    .map(({ rule, summary }) => ({ what: rule, reason: summary }))
  return [...alerts, ...probes]
}

function rowKey(of: {
  readonly from?: string
  readonly to?: string
  readonly at?: string
  readonly source?: string
}): string {
  return [of.from, of.to, of.at, of.source].join('\n')
}

function isFiring({ firing }: PathView): boolean {
  return firing
}

/** Firing before all others, then by the worst verdict. */
function rankOf(rows: readonly PathView[]): number {
  return Math.min(...rows.map(({ firing, verdict }) => (firing ? -1 : VERDICTS.indexOf(verdict))))
}

/** By code unit: the same wherever the collector runs. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : Number(a.name > b.name)
}

function bySource(a: PathView, b: PathView): number {
  return (
    SOURCES.indexOf(a.source) - SOURCES.indexOf(b.source) || byName({ name: a.at }, { name: b.at })
  )
}

function firingThenNewest(a: Breach, b: Breach): number {
  const fires = ({ state }: Breach): number => Number(state === 'firing')
  const changedUs = ({ closedUs, firedUs, sinceUs }: Breach): number =>
    closedUs ?? firedUs ?? sinceUs
  const bySeverity = SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity)
  return fires(b) - fires(a) || (fires(a) === 1 ? bySeverity : 0) || changedUs(b) - changedUs(a)
}
