import type { ComponentView, PowerState } from '../http/power-view.ts'
import type { Component } from '../topology/dependency.ts'
import type { Failed } from '../topology/live.ts'
import type { ChainMap, ChainNode } from './chain-map.ts'
import type { ChainNow } from '../evaluate/power/chain.ts'
import { needWords } from './need-words.ts'
import { MAX_NAMES } from './service-views.ts'

const US_PER_MS = 1000
const MAX_MEMBERS = 100

/** What each component means to the services, worked out once for a state of the chain. */
export interface Weights {
  /** Services that its failure alone would stop, by component. */
  readonly stops: ReadonlyMap<string, readonly string[]>
  /** Services that would go on without it, and then without reserve. */
  readonly oneLeg: ReadonlyMap<string, readonly string[]>
  /** Components that are no single points as drawn. */
  readonly isNew: ReadonlySet<string>
  /** Those that do not work now, for whatever reason. */
  readonly down: ReadonlySet<string>
  readonly failed: ReadonlyMap<string, Failed>
  /** What may be the reason that a UPS lost its input, and which UPS that is. */
  readonly suspects: ReadonlyMap<string, string>
}

export function weigh({ overlay }: ChainNow): Weights {
  const stops = new Map<string, string[]>()
  const oneLeg = new Map<string, string[]>()
  for (const [service, { singles, residual }] of overlay.services) {
    for (const id of singles) push(stops, id, service)
    const inPairs = new Set(residual.filter(({ length }) => length === 2).flat())
    for (const id of inPairs) push(oneLeg, id, service)
  }
  return {
    stops,
    oneLeg,
    isNew: new Set([...overlay.services.values()].flatMap((it) => it.newSinglePoints)),
    down: new Set(overlay.down),
    failed: new Map(overlay.failed.map((it) => [it.id, it])),
    suspects: new Map(
      overlay.lostInputs.flatMap(({ ups, suspects }) => suspects.map((id) => [id, ups] as const)),
    ),
  }
}

/** A node of the drawing as it is now. */
export function componentView(
  map: ChainMap,
  node: ChainNode,
  now: ChainNow,
  weights: Weights,
  nameOf: (party: string) => string,
): ComponentView {
  const members = node.members.flatMap((index) => map.model.components[index]?.component ?? [])
  const [first] = members
  const ids = members.map(({ id }) => id)
  const { owner } = first ?? {}
  const count = members.reduce((sum, it) => sum + (it.count ?? 1), 0)
  const isOne = members.length === 1
  const stops = union(ids, weights.stops)
  const oneLeg = union(ids, weights.oneLeg).filter((service) => !stops.includes(service))
  const left = ids.flatMap((id) => now.forecast.components.get(id) ?? [])
  return {
    id: node.id,
    label: isOne ? (first?.label ?? '') : `${count} ${first?.kind ?? ''}s`,
    kind: first?.kind ?? '',
    site: first?.site ?? '',
    place: first?.place ?? '',
    circuit: first?.circuit ?? '',
    serial: isOne ? (first?.serial ?? '') : '',
    contract: first?.contract ?? '',
    owner: owner === undefined ? '' : nameOf(owner),
    batteryInstalled: first?.batteryInstalled ?? '',
    count,
    members: isOne ? [] : ids.slice(0, MAX_MEMBERS),
    needs: map.needsOf(node),
    needsWords: needWords(first?.needs ?? []),
    ...(isOne ? stateOf(first, now, weights) : stateOfMany(members, now, weights)),
    isWatched: members.some(({ watch }) => watch !== undefined),
    minutesLeft: left.length === 0 ? null : Math.round(Math.min(...left) * 10) / 10,
    stops: stops.slice(0, MAX_NAMES),
    stopsCount: stops.length,
    oneLeg: oneLeg.slice(0, MAX_NAMES),
    oneLegCount: oneLeg.length,
  }
}

type State = Pick<ComponentView, 'state' | 'stateText' | 'sinceMs'>

export function stateOf(
  component: Component | undefined,
  { observations }: ChainNow,
  { failed, down, suspects }: Weights,
): State {
  const id = component?.id ?? ''
  const seen = observations.get(id)
  if (seen !== undefined && seen.state !== 'unknown')
    return { state: seen.state, stateText: seen.reason, sinceMs: seen.sinceUs / US_PER_MS }
  const concluded = failed.get(id)
  if (concluded !== undefined) {
    const { reason, sinceUs } = concluded
    return { state: 'down', stateText: `taken for down: ${reason}`, sinceMs: sinceUs / US_PER_MS }
  }
  if (down.has(id))
    return { state: 'down', stateText: 'what it needs does not work', sinceMs: null }
  if (seen !== undefined)
    return { state: 'unknown', stateText: seen.reason, sinceMs: seen.sinceUs / US_PER_MS }
  const ups = suspects.get(id)
  if (ups !== undefined)
    return { state: 'unknown', stateText: `may be lost: ${ups} has lost its input`, sinceMs: null }
  if (component?.watch !== undefined)
    return { state: 'unknown', stateText: 'never heard of yet', sinceMs: null }
  return { state: 'assumed', stateText: 'nothing watches it', sinceMs: null }
}

/** Of several shown as one: that of all, or how many are in which. */
function stateOfMany(members: readonly Component[], now: ChainNow, weights: Weights): State {
  const states = members.map((member) => stateOf(member, now, weights))
  const [first] = states
  const counts = new Map<PowerState, number>()
  for (const { state } of states) counts.set(state, (counts.get(state) ?? 0) + 1)
  const times = states.flatMap(({ sinceMs }) => sinceMs ?? [])
  const sinceMs = times.length === 0 ? null : Math.max(...times)
  if (first !== undefined && counts.size === 1) {
    const texts = new Set(states.map(({ stateText }) => stateText))
    return { state: first.state, stateText: texts.size === 1 ? first.stateText : '', sinceMs }
  }
  const words = [...counts].map(([state, count]) => `${count} ${state}`).join(', ')
  const isHurt = counts.has('down') || counts.has('degraded')
  return { state: isHurt ? 'degraded' : 'unknown', stateText: words, sinceMs }
}

function union(
  ids: readonly string[],
  map: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const [only] = ids
  if (only !== undefined && ids.length === 1) return map.get(only) ?? []
  return [...new Set(ids.flatMap((id) => map.get(id) ?? []))]
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
