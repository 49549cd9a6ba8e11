import type { AgentView, AlertView, Overview, PathView } from '../http/overview.ts'
import { counted, limitPercent, typeset } from './format.ts'
import { groupPaths, isFiring, type PathGroup, type Tone } from './verdict.ts'

export interface Headline {
  readonly tone: Tone
  /** Answers "can calls sound right?" */
  readonly sentence: string
  /** What else must be known before going back to sleep. */
  readonly facts: readonly string[]
}

const MOST_NAMES = 3

/** The one sentence at the top of the page. */
export function headline(overview: Overview): Headline {
  const { sentence, tone, facts } = aboutPaths(overview)
  const firing = overview.alerts.filter(isFiring)
  const more = [...alertFacts(firing), ...agentFacts(overview.agents), ...facts]
  // No sound at all is worse than bad sound; where nothing is heard of a site, what its paths were judged last is old.
  for (const [rule, say] of [
    ['media-stopped', 'The sound of calls stopped'],
    ['site-cut-off', 'Nothing is heard any more'],
  ] as const) {
    const worst = firing.filter((alert) => alert.rule === rule)
    if (worst.length > 0)
      return {
        tone: 'over',
        sentence: `${say}: ${names(worst.map(({ object }) => object))}`,
        facts: tone === 'over' ? [sentence, ...more] : more,
      }
  }
  const isCalm = firing.length === 0
  return { tone: tone === 'ok' && !isCalm ? 'caution' : tone, sentence, facts: more }
}

function aboutPaths(overview: Overview): Headline {
  const paths = groupPaths(overview.paths)
  const silent = paths.filter(({ rows }) => rows.every(isSilent))
  const judged = paths.filter(({ rows }) => rows.some(isJudged))
  const over = paths.filter(({ rows }) => rows.some(isOver))
  const facts: string[] = []
  const unjudged = paths.length - judged.length - silent.length
  if (unjudged > 0) facts.push(`${counted(unjudged, 'path')} cannot be judged`)
  if (silent.length > 0 && silent.length < paths.length)
    facts.push(`${counted(silent.length, 'path')} with nothing measured now`)
  if (overview.pathsLeftOut > 0)
    facts.push(`${counted(overview.pathsLeftOut, 'further path')} not listed here`)

  const limit = commonLimit(overview.paths)
  const say = (tone: Tone, sentence: string): Headline => ({ tone, sentence, facts })
  if (paths.length === 0) return say('unknown', 'No path measured yet')
  if (over.length > 0) return say('over', overSentence(paths, judged, over, limit))
  if (silent.length === paths.length)
    return say('unknown', 'Nothing measured now: no calls, no test streams')
  if (judged.length === 0) return say('unknown', 'No path can be judged now')
  return say('ok', underSentence(paths, judged, limit))
}

function overSentence(
  paths: readonly PathGroup[],
  judged: readonly PathGroup[],
  over: readonly PathGroup[],
  limit: string,
): string {
  const which = names(over.map(({ name }) => name))
  if (paths.length === 1) return `The one path, ${which}, is over ${limit}`
  if (judged.length === 1) return `The one path judged now is over ${limit}: ${which}`
  return `${over.length} of ${counted(judged.length, 'path')} over ${limit}: ${which}`
}

function underSentence(
  paths: readonly PathGroup[],
  judged: readonly PathGroup[],
  limit: string,
): string {
  if (paths.length === 1)
    return `The one path, ${names(paths.map(({ name }) => name))}, is under ${limit}`
  if (judged.length === 1) return `The one path judged now is under ${limit}`
  const all = counted(judged.length, 'path')
  return judged.length === paths.length
    ? `All ${all} under ${limit}`
    : `All ${all} judged now are under ${limit}`
}

function alertFacts(firing: readonly AlertView[]): string[] {
  return firing.length === 0 ? [] : [`${counted(firing.length, 'alert')} firing`]
}

function agentFacts(agents: readonly AgentView[]): string[] {
  const all = counted(agents.length, 'agent')
  const silent = agents.filter((agent) => agent.silent).length
  const failing = agents.filter(({ silent, problems }) => !silent && problems.length > 0).length
  return [
    ...(silent === 0 ? [] : [`${silent} of ${all} silent`]),
    ...(failing === 0 ? [] : [`${failing} of ${all} not measuring everything`]),
  ]
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
