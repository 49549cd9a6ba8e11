import { version } from '../common/version.ts'
import type { Breach } from './evaluate/breach.ts'
import type { AgentView, AlertView, Overview, PathView } from './http/overview.ts'
import { messageOf } from './notify/message.ts'
import type { PathHistory } from './path-history.ts'
import type { Sender } from './sender.ts'

const US_PER_MS = 1000
const MAX_PATHS = 200
const MAX_ALERTS = 100
/** Worst first. */
const VERDICTS = ['severe', 'over', 'tainted', 'notice', 'ok', 'too-few', 'silent']

export interface OverviewSources {
  readonly nowMs: number
  readonly startedMs: number
  readonly store: Overview['store']
  readonly notices: readonly string[]
  readonly paths: PathHistory
  readonly breaches: readonly Breach[]
  readonly senders: readonly Sender[]
  readonly link: (breach: Breach) => string
}

/** What the console shows now. */
export function buildOverview(sources: OverviewSources): Overview {
  const { nowMs, startedMs, store, notices, breaches, link } = sources
  const firing = breaches.filter(({ state }) => state === 'firing')
  const firingPaths = new Set(firing.map(({ labels }) => pathKey(labels)))
  const paths = sources.paths
    .views(nowMs)
    .map((path): PathView => ({ ...path, firing: firingPaths.has(pathKey(path)) }))
    .sort(worstFirst)
  const silent = new Set(
    firing.filter(({ rule }) => rule === 'agent-silent').map(({ labels }) => labels['agent']),
  )
  return {
    atMs: nowMs,
    version,
    startedMs,
    store,
    notices,
    paths: paths.slice(0, MAX_PATHS),
    pathsLeftOut: Math.max(0, paths.length - MAX_PATHS),
    alerts: breaches
      .filter(({ state }) => state !== 'pending')
      .sort(firingThenNewest)
      .slice(0, MAX_ALERTS)
      .map((breach) => alertView(breach, link(breach))),
    agents: sources.senders
      .map((sender) => agentView(sender, silent.has(sender.agent)))
      .sort((a, b) => a.agent.localeCompare(b.agent)),
  }
}

function alertView(breach: Breach, link: string): AlertView {
  const { id, rule, object, state, severity, summary, labels } = breach
  return {
    id,
    rule,
    object,
    state,
    severity,
    summary,
    text: messageOf(state === 'pending' ? 'firing' : state, breach, link).text,
    segment: labels['segment'] ?? '',
    owner: labels['owner'] ?? 'unknown',
    sinceMs: breach.sinceUs / US_PER_MS,
    firedMs: breach.firedUs === undefined ? null : breach.firedUs / US_PER_MS,
    closedMs: breach.closedUs === undefined ? null : breach.closedUs / US_PER_MS,
  }
}

function agentView(sender: Sender, silent: boolean): AgentView {
  const { agent, site, version: itsVersion, lastSeenMs, spoolPoints, points, rejected } = sender
  const offsetMs = sender.clock.measuredMs
  return {
    agent,
    site,
    version: itsVersion,
    lastSeenMs,
    silent,
    clockOffsetMs: offsetMs === undefined ? null : Math.round(offsetMs),
    spoolPoints,
    points,
    rejected,
  }
}

function pathKey(of: {
  readonly from?: string
  readonly to?: string
  readonly at?: string
  readonly source?: string
}): string {
  return [of.from, of.to, of.at, of.source].join('\n')
}

function worstFirst(a: PathView, b: PathView): number {
  const rank = (path: PathView): number => VERDICTS.indexOf(path.verdict)
  return (
    Number(b.firing) - Number(a.firing) ||
    rank(a) - rank(b) ||
    (b.lossRatio ?? 0) - (a.lossRatio ?? 0) ||
    `${a.from} ${a.to} ${a.at}`.localeCompare(`${b.from} ${b.to} ${b.at}`)
  )
}

function firingThenNewest(a: Breach, b: Breach): number {
  const isFiring = ({ state }: Breach): number => Number(state === 'firing')
  const changedUs = ({ closedUs, firedUs, sinceUs }: Breach): number =>
    closedUs ?? firedUs ?? sinceUs
  return isFiring(b) - isFiring(a) || changedUs(b) - changedUs(a)
}
