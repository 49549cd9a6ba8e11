import { z } from 'zod'

export const SEVERITIES = ['notice', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]
export type BreachState = 'pending' | 'firing' | 'resolved' | 'ended'

/** Something over its limit, from first sign to healed. */
export interface Breach {
  /** This occurrence: the fingerprint and when it began. */
  readonly id: string
  /** The same for every occurrence of one rule on one object. */
  readonly fingerprint: string
  readonly rule: string
  /** What it is about, as people name it: "hq -> carrier-b", or an agent. */
  readonly object: string
  readonly state: BreachState
  readonly severity: Severity
  /** One sentence with figures: what, how bad against which limit. */
  readonly summary: string
  /** site, from, to, at, segment, source, bearer, owner, agent: whatever is known. "unknown" is said, not left out. */
  readonly labels: Readonly<Record<string, string>>
  /** Figures behind the summary: streams, streams_over, expected, lost_unique, loss_ratio, limit_ratio, worst_ssrc ... */
  readonly evidence: Readonly<Record<string, number | string>>
  /** Start of the first interval over the limit. */
  readonly sinceUs: number
  readonly firedUs?: number
  readonly closedUs?: number
  /** How often it came back after it had ended. */
  readonly reopened?: number
  readonly updatedUs: number
}

/** For reading back what an earlier process wrote. */
export const breachSchema: z.ZodType<Breach> = z.object({
  id: z.string(),
  fingerprint: z.string(),
  rule: z.string(),
  object: z.string(),
  state: z.enum(['pending', 'firing', 'resolved', 'ended']),
  severity: z.enum(SEVERITIES),
  summary: z.string(),
  labels: z.record(z.string(), z.string()),
  evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  sinceUs: z.number(),
  firedUs: z.number().exactOptional(),
  closedUs: z.number().exactOptional(),
  reopened: z.number().exactOptional(),
  updatedUs: z.number(),
})

/** "rule/part/part": readable, and no two objects share one. */
export function fingerprintOf(rule: string, ...object: readonly string[]): string {
  return [rule, ...object.map(escapePart)].join('/')
}

export function isOpen(breach: Breach): boolean {
  return breach.state === 'pending' || breach.state === 'firing'
}

function escapePart(part: string): string {
  return part.replaceAll('%', '%25').replaceAll('/', '%2F')
}
