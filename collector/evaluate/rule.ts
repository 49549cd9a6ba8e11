import type { z } from 'zod'
import type { Measurement, MeasurementName } from '../../common/measurement.ts'
import type { Topology } from '../topology/site.ts'
import type { Breach } from './breach.ts'
import type { Farewells } from './farewells.ts'
import type { IsolatedAgents } from './isolated-agents.ts'
import type { PathName } from './path-limits.ts'
import type { Chain } from './power/chain.ts'
import type { Presence } from './presence.ts'

export type ChangeKind = 'firing' | 'escalated' | 'resolved' | 'ended'

/** Where a rule's findings go: the book of breaches and the points to be stored. */
export interface RuleContext {
  /** An earlier snapshot() of the rule; whatever is malformed in it is to be ignored. */
  readonly restored: unknown
  /** Keeps the newest state of an open breach. */
  readonly update: (breach: Breach) => void
  /** Takes back a pending breach that came to nothing. */
  readonly drop: (breach: Breach) => void
  /** A change people are told of. */
  readonly change: (kind: ChangeKind, breach: Breach, atUs: number) => void
  /** A point for the store. */
  readonly point: (point: Measurement) => void
  /** The site file as it is now. */
  readonly topology: () => Topology
  /** Who is heard from; the points a rule observes are in it already. */
  readonly presence: Pick<Presence, Query>
  /** What agents said before they fell silent. */
  readonly farewells: Pick<Farewells, 'lastOf'>
  /** Whose findings say something about the agent only. */
  readonly isolation: Pick<IsolatedAgents, 'isIsolated'>
  /** What depends on what, as drawn in the site file, under what is measured; the points a rule observes are in it already. */
  readonly chain: Pick<Chain, ChainQuery>
  /** Nothing is known of the site any more: tells all rules. */
  readonly siteLost: (site: string, atUs: number) => void
}

type Query = 'find' | 'agents' | 'sites' | 'limitUs' | 'isSilent' | 'isOverdue'

type ChainQuery =
  'now' | 'takeovers' | 'version' | 'watchedBy' | 'serviceState' | 'heardUntilUs' | 'siteOf'

/** Pure: measurements and times in, breaches and points out through the context. Time never comes from anywhere else. */
export interface Rule {
  /** What it looks at: it is not told of batches without any of these. Everything where not said. */
  readonly measurements?: ReadonlySet<MeasurementName>
  /** Points as they arrive, enriched and with the agent's clock corrected. */
  observe(points: readonly Measurement[], arrivalUs: number): void
  /** About once a second: what is due because nothing arrived. */
  tick(nowUs: number): void
  /** The agent was revoked: its silence is no longer news. */
  forgetAgent?(agent: string): void
  /** All agents of the site fell silent: what is open there is unknown from now on, neither up nor down. */
  siteLost?(site: string, atUs: number): void
  /** For people to see beside what was measured on a path. */
  shownLimits?(path: PathName): ShownLimits
  /** JSON-able; a rule made with it goes on where this one stood. */
  snapshot(): unknown
  /** What was not judged, and why. */
  counters(): Readonly<Record<string, number>>
}

/** Of a path; absent where none is set. */
export interface ShownLimits {
  readonly jitterMs?: number | undefined
  readonly mosLq?: number | undefined
}

/** A rule that has read its options. */
export interface ConfiguredRule {
  readonly name: string
  readonly create: (context: RuleContext) => Rule
}

/** What the list in index.ts holds: the type of the options stays inside. */
export interface RuleKind {
  readonly name: string
  readonly summary: string
  readonly schema: z.ZodType<ConfiguredRule>
}

/** Ties options and constructor together. Every option has a default: an empty entry is a working rule. */
export function defineRule<Options>(definition: {
  readonly name: string
  readonly summary: string
  readonly options: z.ZodType<Options>
  readonly create: (options: Options, context: RuleContext) => Rule
}): RuleKind {
  const { name, summary, options, create } = definition
  return {
    name,
    summary,
    schema: options.transform((read) => ({ name, create: (context) => create(read, context) })),
  }
}
