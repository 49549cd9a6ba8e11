import { SEVERITIES, type Breach, type Severity } from '../evaluate/breach.ts'

/** What a channel is for. */
export interface Route {
  readonly name: string
  /** What is less severe is not sent through it; warning where not said. */
  readonly severity?: Severity
  /** Rules, or classes of rules (fraud, emergency), it is for; all where not said, none of its own accord with an empty list. */
  readonly rules?: readonly string[] | undefined
}

/**
 * Whether the channel is told of the breach. A breach may name channels itself (label `notify`): these are told whatever else they are
 * for. When no channel has such a name, everybody is told: a slip of the pen must not silence an alert.
 * @param ofOwner channels of the party that answers for it (site file, parties): told of whatever is severe enough for them
 */
export function isToldOf(
  route: Route,
  breach: Breach,
  channels: ReadonlySet<string>,
  ofOwner: readonly string[] = [],
): boolean {
  const { rule, severity, labels } = breach
  const named = (labels['notify'] ?? '').split(' ').filter((name) => name !== '')
  if (named.includes(route.name)) return true
  if (ofOwner.includes(route.name) && isAtLeast(severity, route.severity ?? 'warning')) return true
  if (named.length > 0 && !named.some((name) => channels.has(name))) return true
  const { rules } = route
  const isItsSubject =
    rules === undefined || rules.includes(rule) || rules.includes(labels['class'] ?? '')
  return isItsSubject && isAtLeast(severity, route.severity ?? 'warning')
}

function isAtLeast(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least)
}
