import type { AgentView, AlertView, Overview, PathView } from '../http/overview.ts'
import { typeset, counted, limitPercent } from './format.ts'

/** How something stands. Every tone has a shape of its own beside its colour. */
export type Tone = 'ok' | 'over' | 'caution' | 'unknown'

export interface Headline {
  readonly tone: Tone
  /** Answers "can calls sound right?" */
  readonly sentence: string
  /** What else must be known before going back to sleep. */
  readonly facts: readonly string[]
}

const MOST_NAMES = 3

export function isFiring(alert: AlertView): boolean {
  return alert.state === 'firing'
}

export function pathName(path: PathView): string {
  return `${path.from} → ${path.to}`
}

/** Identity of a row: one path may be judged at several places and from several sources. */
export function pathKey(path: PathView): string {
  return [path.from, path.to, path.at, path.source].join('\n')
}

/** The verdict on one path in words. */
export function pathVerdict(path: PathView): { readonly tone: Tone; readonly words: string } {
  const limit = limitPercent(path.limitRatio)
  switch (path.verdict) {
    case 'over':
      return { tone: 'over', words: `over ${limit}` }
    case 'severe':
      return { tone: 'over', words: `severe, far over ${limit}` }
    case 'tainted':
      return { tone: 'unknown', words: 'cannot be judged: the tap itself dropped packets' }
    case 'too-few':
      return { tone: 'unknown', words: 'too few packets to judge' }
    case 'silent':
      return { tone: 'unknown', words: 'nothing measured now' }
    case 'notice':
      return { tone: 'caution', words: `under ${limit} together, a single stream is over` }
    case 'ok':
      return path.firing
        ? { tone: 'caution', words: `under ${limit} again, alert not yet cleared` }
        : { tone: 'ok', words: `under ${limit}` }
    default:
      return { tone: 'unknown', words: path.verdict }
  }
}

/** The one sentence at the top of the page. */
export function headline(overview: Overview): Headline {
  const facts = [...alertFacts(overview.alerts), ...agentFacts(overview.agents)]
  const paths = [...byName(overview.paths)]
  const silent = paths.filter(([, rows]) => rows.every(isSilent))
  const judged = paths.filter(([, rows]) => rows.some(isJudged))
  const over = paths.filter(([, rows]) => rows.some(isOver))
  const unjudged = paths.length - judged.length - silent.length
  if (unjudged > 0) facts.push(`${counted(unjudged, 'path')} cannot be judged`)
  if (silent.length > 0 && silent.length < paths.length)
    facts.push(`${counted(silent.length, 'path')} with nothing measured now`)
  if (overview.pathsLeftOut > 0)
    facts.push(`${counted(overview.pathsLeftOut, 'further path')} not listed here`)

  if (paths.length === 0) return { tone: 'unknown', sentence: 'No path measured yet', facts }
  const limit = commonLimit(overview.paths)
  if (over.length > 0) return { tone: 'over', sentence: overSentence(), facts }
  if (silent.length === paths.length)
    return { tone: 'unknown', sentence: 'Nothing measured now: no calls, no test streams', facts }
  if (judged.length === 0) return { tone: 'unknown', sentence: 'No path can be judged now', facts }
  const calm = overview.alerts.every((alert) => !isFiring(alert))
  return { tone: calm ? 'ok' : 'caution', sentence: underSentence(), facts }

  function overSentence(): string {
    const which = names(over.map(([name]) => name))
    if (paths.length === 1) return `The one path, ${which}, is over ${limit}`
    if (judged.length === 1) return `The one path judged now is over ${limit}: ${which}`
    return `${over.length} of ${counted(judged.length, 'path')} over ${limit}: ${which}`
  }

  function underSentence(): string {
    if (paths.length === 1)
      return `The one path, ${names(paths.map(([name]) => name))}, is under ${limit}`
    if (judged.length === 1) return `The one path judged now is under ${limit}`
    const all = counted(judged.length, 'path')
    return judged.length === paths.length
      ? `All ${all} under ${limit}`
      : `All ${all} judged now are under ${limit}`
  }
}

function alertFacts(alerts: readonly AlertView[]): string[] {
  const firing = alerts.filter(isFiring).length
  return firing === 0 ? [] : [`${counted(firing, 'alert')} firing`]
}

function agentFacts(agents: readonly AgentView[]): string[] {
  const silent = agents.filter((agent) => agent.silent).length
  return silent === 0 ? [] : [`${silent} of ${counted(agents.length, 'agent')} silent`]
}

function byName(paths: readonly PathView[]): Map<string, PathView[]> {
  const groups = new Map<string, PathView[]>()
  for (const path of paths) {
    const name = pathName(path)
    const group = groups.get(name)
    if (group) group.push(path)
    else groups.set(name, [path])
  }
  return groups
}

function isSilent(path: PathView): boolean {
  return path.verdict === 'silent'
}

function isOver(path: PathView): boolean {
  return path.verdict === 'over' || path.verdict === 'severe'
}

function isJudged(path: PathView): boolean {
  return isOver(path) || path.verdict === 'ok' || path.verdict === 'notice'
}

function commonLimit(paths: readonly PathView[]): string {
  const limits = [...new Set(paths.map((path) => path.limitRatio))]
  const [only] = limits
  return limits.length === 1 && only !== undefined ? limitPercent(only) : 'their limit'
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, MOST_NAMES).map(typeset).join(', ')
  return all.length > MOST_NAMES ? `${shown} and ${all.length - MOST_NAMES} more` : shown
}
