import type { Severity } from '../breach.ts'
import type { RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import { componentLabels, componentWords } from './component-words.ts'
import { byUrgency, causeWords, darkIn, oneOf, serviceName, type Fragile } from './fragility.ts'

/** How alerts on what the services stand on are worded and labelled. */

/** Names in one sentence; more cannot be read at night. */
const NAMED = 4
/** In what can be read by day. */
const EXPLAINED = 20
const EMERGENCY_CLASS = 'emergency'

/** "redundancy lost: one more failure of ups-2 or pdu-b stops Calls to 112, Calls to outside" */
export function fragileWords(now: ChainNow, fragile: readonly Fragile[]): string {
  const bySingles = new Map<string, Fragile[]>()
  for (const one of byUrgency(fragile)) {
    const key = one.singles.join(' ')
    const known = bySingles.get(key)
    if (known === undefined) bySingles.set(key, [one])
    else known.push(one)
  }
  const { components } = now.live.model.drawing
  const sentences = [...bySingles.values()].map((those) => {
    const singles = those[0]?.singles ?? []
    const words = singles.map((id) => componentWords(components.get(id), id))
    return `one more failure of ${oneOf(words, NAMED)} stops ${listOf(those.map(({ service }) => serviceName(service)))}`
  })
  return `redundancy lost: ${sentences.slice(0, NAMED).join('; ')}`
}

/** "UPS ups-1 (...): on battery, 62 % charge; pdu-a (...): ..." */
export function causesWords(now: ChainNow, causes: readonly string[]): string {
  const words = causes.slice(0, NAMED).map((id) => causeWords(now, id))
  const more = causes.length - words.length
  return `${words.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}

/** "a, b, c and 3 more" */
export function listOf(names: readonly string[], most = NAMED): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ')
}

/** Whom it concerns, and how the first of what caused it is found. */
export function labelsOfEvent(
  context: Pick<RuleContext, 'topology'>,
  site: string,
  causes: readonly string[],
  isEmergency: boolean,
): Readonly<Record<string, string>> {
  const components = causes.flatMap(
    (id) => context.topology().model?.drawing.components.get(id) ?? [],
  )
  const owner = components.find((component) => component.owner !== undefined)?.owner
  return {
    ...componentLabels(components[0]),
    ...{ site, owner: owner ?? 'unknown' },
    ...(isEmergency ? { class: EMERGENCY_CLASS } : {}),
  }
}

/** What hangs on these and is without what it needs now: nobody needs to look at it before the cause. Ids, the nearest first. */
export function consequencesOf(now: ChainNow, causes: readonly string[]): readonly string[] {
  const { model } = now.live
  const isDark = darkIn(now)
  const idOf = (index: number): string => model.components[index]?.component.id ?? ''
  const seen = new Set(causes.flatMap((id) => model.indexOf.get(id) ?? []))
  for (const index of seen)
    for (const above of model.components[index]?.above ?? [])
      if (isDark(idOf(above))) seen.add(above)
  return [...seen].map(idOf).filter((id) => !causes.includes(id))
}

/** In an alert, of many the first. */
export function explainsIn(ids: readonly string[]): Readonly<Record<string, string>> {
  return ids.length === 0 ? {} : { explains: listOf(ids, EXPLAINED) }
}

export function worst(severities: readonly Severity[]): Severity {
  if (severities.includes('critical')) return 'critical'
  return severities.includes('warning') ? 'warning' : 'notice'
}
