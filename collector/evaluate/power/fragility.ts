import { Families, inputWord } from '../../topology/cut-sets.ts'
import type { Component, Service } from '../../topology/dependency.ts'
import { ownerOf } from '../../topology/edge.ts'
import type { Overlay } from '../../topology/live.ts'
import type { Model } from '../../topology/model.ts'
import type { RuleContext } from '../rule.ts'
import type { ChainNow } from './chain.ts'
import { componentWords } from './component-words.ts'

/** What the services stand on now, and what made it so. */

/** Sets of more components than this explain nothing to anybody. */
const ORDER = 3
const US_PER_S = 1_000_000

/** A service that one more failure would stop, which as drawn would not. */
export interface Fragile {
  readonly service: Service
  /** Which failure: ids. */
  readonly singles: readonly string[]
  /** What failed, or lost its input: ids. */
  readonly causes: readonly string[]
  /** A UPS lost its input: power is failing, and with it time. */
  readonly isPower: boolean
}

/** Of large drawings, so many are kept at hand. */
const MAX_CONES = 500

const KEPT = new WeakMap<Overlay, readonly Fragile[]>()
const DARK = new WeakMap<Overlay, Families>()
const CONES = new WeakMap<Model, Map<string, ReadonlySet<string>>>()
const BOOTS = new WeakMap<Model, Map<string, number>>()

/** Worked out once for an overlay. */
export function fragileIn(now: ChainNow): readonly Fragile[] {
  const known = KEPT.get(now.overlay)
  if (known !== undefined) return known
  const made = findFragile(now)
  KEPT.set(now.overlay, made)
  return made
}

function findFragile({ live: { model }, overlay }: ChainNow): readonly Fragile[] {
  const weak = [...overlay.services].filter(
    ([, { up, newSinglePoints }]) => up && newSinglePoints.length > 0,
  )
  if (weak.length === 0) return []
  const fresh = new Set(weak.flatMap(([, { newSinglePoints }]) => newSinglePoints))
  const suspects = indices(model, [...overlay.failed.map(({ id }) => id), ...fresh])
  const families = new Families(model, ORDER, { cut: overlay.cut, suspects })
  const owners = [...overlay.cut].map((edge) => ownerOf(model, edge))
  const upsOf = new Map(
    owners.map((index) => {
      const id = model.components[index]?.component.id ?? ''
      return [inputWord(id), id] as const
    }),
  )
  const needsOf = new Map(model.services.map(({ id, needs }) => [id, needs]))
  return weak.flatMap(([id, { newSinglePoints }]) => {
    const service = model.drawing.services.get(id)
    const needs = needsOf.get(id)
    if (service === undefined || needs === undefined) return []
    // What stops it together with one more failure is what made that failure enough.
    const words = families
      .cutSets(needs)
      .sets.filter((set) => set.some((member) => newSinglePoints.includes(member)))
      .flatMap((set) => set.filter((member) => !newSinglePoints.includes(member)))
    const causes = [...new Set(words.map((word) => upsOf.get(word) ?? word))]
    const isPower =
      words.some((word) => upsOf.has(word)) ||
      causes.some((cause) => isSource(model.drawing.components.get(cause)))
    return [{ service, singles: newSinglePoints, causes, isPower }]
  })
}

function isSource(component: Component | undefined): boolean {
  return component?.kind === 'mains' || component?.kind === 'generator'
}

/** Everything a service depends on, by id. */
export function coneOf(model: Model, service: string): ReadonlySet<string> {
  const { below = [] } = model.services.find(({ id }) => id === service) ?? {}
  return cone(model, `service ${service}`, below)
}

/** A component and everything it depends on, by id. */
export function coneOfComponent(model: Model, id: string): ReadonlySet<string> {
  const index = model.indexOf.get(id)
  return cone(model, `component ${id}`, index === undefined ? [] : [index])
}

function cone(model: Model, key: string, tops: readonly number[]): ReadonlySet<string> {
  let cones = CONES.get(model)
  if (cones === undefined) CONES.set(model, (cones = new Map<string, ReadonlySet<string>>()))
  const known = cones.get(key)
  if (known !== undefined) return known
  const seen = new Set(tops)
  for (const index of seen) for (const next of model.components[index]?.below ?? []) seen.add(next)
  const found = new Set([...seen].map((index) => model.components[index]?.component.id ?? ''))
  const [oldest] = cones.keys()
  if (cones.size >= MAX_CONES && oldest !== undefined) cones.delete(oldest)
  cones.set(key, found)
  return found
}

/** Of what failed, what did not fail because of something else that did. */
export function rootsOf(now: ChainNow, ids: readonly string[]): readonly string[] {
  const isDark = darkIn(now)
  const roots = ids.filter((id) => !isDark(id))
  return roots.length === 0 ? ids : roots
}

/** Whether a component has not what it needs, whatever it says of itself. */
export function darkIn({ live: { model }, overlay }: ChainNow): (id: string) => boolean {
  let families = DARK.get(overlay)
  if (families === undefined) {
    const ids = overlay.failed.map(({ id }) => id)
    families = new Families(model, 1, { failed: indices(model, ids), cut: overlay.cut })
    DARK.set(overlay, families)
  }
  const known = families
  return (id) => {
    const index = model.indexOf.get(id)
    const entry = index === undefined ? undefined : model.components[index]
    return entry !== undefined && known.ofTree(entry.needs).isDown
  }
}

/** "UPS ups-1 (Exchange room north, B1/2.14/rack 3, circuit L3-7): on battery, 62 % charge, 11 min left" */
export function causeWords({ live, observations, overlay }: ChainNow, id: string): string {
  const component = live.model.drawing.components.get(id)
  const name = componentWords(component, id)
  const failed = overlay.failed.find((it) => it.id === id)
  const reason = observations.get(id)?.reason ?? failed?.reason
  return reason === undefined ? name : `${name}: ${reason}`
}

/** When it began: the first of what is known of the causes. */
export function sinceUsOf(
  { observations, overlay, atUs }: ChainNow,
  ids: readonly string[],
): number {
  const times = ids.flatMap(
    (id) =>
      observations.get(id)?.sinceUs ?? overlay.failed.find((it) => it.id === id)?.sinceUs ?? [],
  )
  return times.length === 0 ? atUs : Math.min(...times)
}

/** The site an event is at: of what caused it, else of who suffers. */
export function siteOf(
  { chain }: Pick<RuleContext, 'chain'>,
  causes: readonly string[],
  serves: string | undefined,
): string {
  for (const id of causes) {
    const site = chain.siteOf(id)
    if (site !== undefined) return site
  }
  return serves ?? 'unknown'
}

/**
 * Whether a watched thing behind what failed has not been heard of since: its reading, under way, may be the cause.
 * @param sinceUs when it failed
 */
export function isNewsDue(
  { live: { model }, observations }: ChainNow,
  ids: readonly string[],
  sinceUs: number,
): boolean {
  for (const behind of new Set(ids.flatMap((id) => [...coneOfComponent(model, id)]))) {
    const reading = ids.includes(behind) ? undefined : observations.get(behind)
    if (reading !== undefined && reading.state !== 'unknown' && reading.atUs < sinceUs) return true
  }
  return false
}

/** The longest of their times from power to service. */
export function bootUs(model: Model, ids: readonly string[]): number {
  const boots = ids.map((id) => model.drawing.components.get(id)?.bootS ?? 0)
  return Math.max(0, ...boots) * US_PER_S
}

/** Of all that a service depends on. */
export function bootUsUnder(model: Model, service: string): number {
  let boots = BOOTS.get(model)
  if (boots === undefined) BOOTS.set(model, (boots = new Map<string, number>()))
  const known = boots.get(service) ?? bootUs(model, [...coneOf(model, service)])
  boots.set(service, known)
  return known
}

/** "a", "a or b", "a, b or 3 more" */
export function oneOf(names: readonly string[], most: number): string {
  const shown = names.slice(0, most)
  const more = names.length - shown.length
  const last = more > 0 ? `${more} more` : shown.pop()
  return shown.length === 0 ? (last ?? '') : `${shown.join(', ')} or ${last}`
}

/** Emergency services first, then as the file has them. */
export function byUrgency<T extends { readonly service: Service }>(
  all: readonly T[],
): readonly T[] {
  return all.toSorted((a, b) => Number(b.service.isEmergency) - Number(a.service.isEmergency))
}

export function serviceName({ id, label }: Service): string {
  return label ?? id
}

function indices(model: Model, ids: Iterable<string>): Set<number> {
  return new Set([...ids].flatMap((id) => model.indexOf.get(id) ?? []))
}
