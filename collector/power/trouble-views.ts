import type { ChainNow } from '../evaluate/power/chain.ts'
import type { PersonView, TroubleView } from '../http/power-view.ts'
import type { Component, Drawing, Need } from '../topology/dependency.ts'
import { stateOf, type Weights } from './component-views.ts'

const RANKS: Readonly<Record<string, number>> = { down: 0, degraded: 1, unknown: 2 }

/**
 * What is itself not as it should be: seen down, degraded or no longer heard, or concluded to have failed. What only lacks what it
 * needs is its consequence, and is left out.
 */
export function troubleViews(
  now: ChainNow,
  weights: Weights,
  nameOf: (party: string) => string,
): readonly TroubleView[] {
  const { components } = now.live.model.drawing
  const ids = new Set([...now.observations.keys(), ...weights.failed.keys()])
  return [...ids]
    .flatMap((id) => components.get(id) ?? [])
    .filter((component) => component.needs.every((need) => isThere(need, weights.down)))
    .map((component) => viewOf(component, now, weights, nameOf))
    .filter(({ state }) => Object.hasOwn(RANKS, state))
    .sort((a, b) => rankOf(a) - rankOf(b) || leftOf(a) - leftOf(b) || (a.id < b.id ? -1 : 1))
}

/** Who answers for what is drawn, and how to reach them; those who answer for most first. */
export function peopleViews(
  { components, services }: Drawing,
  people: {
    readonly nameOf: (party: string) => string
    readonly contactOf: (party: string) => string
  },
): readonly PersonView[] {
  const counts = new Map<string, number>()
  for (const { owner } of [...components.values(), ...services.values()])
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([party]) => ({ name: people.nameOf(party), contact: people.contactOf(party) }))
}

function viewOf(
  component: Component,
  now: ChainNow,
  weights: Weights,
  nameOf: (party: string) => string,
): TroubleView {
  const { id, kind, label = '', place = '', circuit = '', contract = '', owner } = component
  const left = now.forecast.components.get(id)
  return {
    ...{ id, kind, label, place, circuit, contract },
    owner: owner === undefined ? '' : nameOf(owner),
    ...stateOf(component, now, weights),
    minutesLeft: left === undefined ? null : Math.round(left * 10) / 10,
  }
}

function rankOf({ state }: TroubleView): number {
  return RANKS[state] ?? Infinity
}

function leftOf({ minutesLeft }: TroubleView): number {
  return minutesLeft ?? Infinity
}

function isThere(need: Need, down: ReadonlySet<string>): boolean {
  if (typeof need === 'string') return !down.has(need)
  if ('any' in need) return need.any.some((one) => isThere(one, down))
  if ('all' in need) return need.all.every((one) => isThere(one, down))
  if ('path' in need) return !down.has(need.path.from) && !down.has(need.path.to)
  return need.of.filter((one) => isThere(one, down)).length >= need.atLeast
}
