import type { Judged } from './alarm.ts'
import { breachSchema, isOpen, type Breach } from './breach.ts'
import type { Counts } from './observers.ts'
import type { Round } from './round.ts'
import type { RuleContext } from './rule.ts'
import type { Pool, Verdict } from './verdict.ts'

export interface PathLabels {
  readonly from: string
  readonly to: string
  readonly at: string
  readonly source: string
  site: string
  bearer: string
  owner: string
}

/** What was judged: the round that just closed, or it together with earlier ones that had too few packets. */
export interface Judgement extends Judged {
  readonly pool: Pool
  readonly verdict: Verdict
  readonly round: Round
}

/** Where the loss of an alert happened, as far as others tell. */
export interface Findings {
  /** segment, bearer, owner: where they are others than the path's own. */
  readonly labels: Readonly<Record<string, string>>
  readonly evidence: Readonly<Record<string, number | string>>
  /** Half a sentence more for the summary; '' where there is nothing to say. */
  readonly note: string
  /** Somebody who must have seen the loss did not. */
  readonly isDoubtful: boolean
}

/** What else is known of a loss, asked when it is needed. */
export interface Surroundings {
  /** Whether this alert is the one that tells of it; asked when everything else says fire. */
  readonly mayFire: () => boolean
  readonly findings: (sums: Counts) => Findings
}

/** What all breaches of a path have in common. */
export function breachOn(
  labels: PathLabels,
  rule: string,
  fingerprint: string,
  sinceUs: number,
  updatedUs: number,
): Omit<Breach, 'state' | 'severity' | 'summary' | 'evidence'> {
  const { from, to, at } = labels
  return {
    id: `${fingerprint}/${sinceUs}`,
    fingerprint,
    rule,
    object: `${from} -> ${to}`,
    labels: { ...labels, segment: `${from} -> ${at}` },
    sinceUs,
    updatedUs,
  }
}

/** Without its breach an alarm begins anew: it could not say what it is about. */
export function restoredBreach(value: unknown, context: RuleContext): Breach | undefined {
  const read = breachSchema.safeParse(value)
  if (!read.success) return undefined
  if (isOpen(read.data)) context.update(read.data)
  return read.data
}
