import { edgeCode } from './cut-sets.ts'
import type { Component } from './dependency.ts'
import { afterBoot, ALWAYS, atLeastOf, NOT_AT_ALL, type Intervals } from './intervals.ts'
import type { Observations } from './live-state.ts'
import type { LiveModel, Overlay } from './live.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

const S_PER_MIN = 60
const US_PER_S = 1_000_000

/** When sources of power work, in minutes from now; what is not in it works until further notice. */
export type Sources = ReadonlyMap<string, Intervals>

export interface ServiceForecast {
  readonly up: Intervals
  /** Until it falls: 0 when it is down, undefined when nothing that is known runs out. */
  readonly minutesLeft: number | undefined
}

export interface Forecast {
  readonly services: ReadonlyMap<string, ServiceForecast>
  /** Until each component falls that will; by id. */
  readonly components: ReadonlyMap<string, number>
  /** Batteries that carry a load now, of which nobody knows for how long. */
  readonly unknownRuntimes: readonly string[]
}

/** What becomes of the services if nothing changes: batteries run down, generators start and run dry, devices boot. */
export function forecast(
  live: LiveModel,
  observations: Observations,
  overlay: Overlay,
  nowUs: number,
): Forecast {
  const { sources, unknownRuntimes } = sourcesOf(live, observations, overlay, nowUs)
  return { ...forecastFrom(live.model, sources, overlay.cut), unknownRuntimes }
}

/**
 * Of given sources, by interval algebra: all = intersection, any = union, k of n = a sweep.
 * @param cut needs that are not met: edgeCode() of each
 */
export function forecastFrom(
  model: Model,
  sources: Sources,
  cut: ReadonlySet<number> = NO_CUT,
): Omit<Forecast, 'unknownRuntimes'> {
  const works: Intervals[] = []
  const ofTree = (tree: Tree, owner: number): Intervals => {
    if (tree.kind === 'component')
      return owner >= 0 && cut.has(edgeCode(model, owner, tree.index))
        ? NOT_AT_ALL
        : (works[tree.index] ?? ALWAYS)
    const children = tree.children.map((child) => ofTree(child, owner))
    if (tree.kind === 'any') return children.length === 0 ? ALWAYS : atLeastOf(1, children)
    return atLeastOf(tree.kind === 'all' ? children.length : tree.k, children)
  }
  const components = new Map<string, number>()
  for (const index of model.bottomUp) {
    const entry = model.components[index]
    if (entry === undefined) continue
    const { id, bootS } = entry.component
    const own = sources.get(id)
    const fed = ofTree(entry.needs, index)
    const both = own === undefined ? fed : atLeastOf(2, [own, fed])
    const up = bootS === undefined ? both : afterBoot(both, bootS / S_PER_MIN)
    works[index] = up
    const left = minutesLeft(up)
    if (left !== undefined) components.set(id, left)
  }
  const services = new Map(
    model.services.map(({ id, needs }) => {
      const up = ofTree(needs, -1)
      return [id, { up, minutesLeft: minutesLeft(up) }]
    }),
  )
  return { services, components }
}

const NO_CUT: ReadonlySet<number> = new Set()

function minutesLeft(up: Intervals): number | undefined {
  const [first] = up
  if (first === undefined || first.from > 0) return 0
  return Number.isFinite(first.to) ? first.to : undefined
}

interface Gathered {
  readonly sources: Sources
  readonly unknownRuntimes: readonly string[]
}

function sourcesOf(
  live: LiveModel,
  observations: Observations,
  { failed, lostInputs, cut }: Overlay,
  nowUs: number,
): Gathered {
  const { components } = live.model
  const downSince = new Map(failed.map(({ id, sinceUs }) => [id, sinceUs]))
  const sources = new Map<string, Intervals>(failed.map(({ id }) => [id, NOT_AT_ALL]))
  const lostSince = new Map(lostInputs.map(({ ups, sinceUs }) => [ups, sinceUs]))
  const newestLossUs = Math.max(...downSince.values(), ...lostSince.values())
  for (const { component } of components)
    if (
      component.kind === 'generator' &&
      Number.isFinite(newestLossUs) &&
      !sources.has(component.id)
    )
      sources.set(component.id, generatorFrom(component, (nowUs - newestLossUs) / US_PER_S))
  const fed = forecastFrom(live.model, sources, cut).components
  const unknownRuntimes: string[] = []
  for (const { component } of components) {
    const input = live.inputOf(component.id)
    if (input === undefined) continue
    const feeds = input.feeds.map((feed) => components[feed]?.component.id ?? '')
    const isDark = feeds.length > 0 && feeds.every((feed) => fed.get(feed) === 0)
    const sinceUs = lostSince.get(component.id) ?? (isDark ? newestLossUs : undefined)
    if (sinceUs === undefined) continue
    const batteries = input.batteries.flatMap((index) => components[index]?.component ?? [])
    const designedS = [component, ...batteries].find(({ runtimeS }) => runtimeS !== undefined)
    const leftS =
      observations.get(component.id)?.runtimeLeftS ??
      (designedS?.runtimeS ?? NaN) - Math.max(0, (nowUs - sinceUs) / US_PER_S)
    // Where no battery is drawn, the UPS stands for it.
    for (const { id } of batteries.length > 0 ? batteries : [component]) {
      if (sources.has(id)) continue
      if (Number.isNaN(leftS)) unknownRuntimes.push(id)
      else sources.set(id, [{ from: 0, to: Math.max(0, leftS) / S_PER_MIN }])
    }
  }
  return { sources, unknownRuntimes }
}

/** @param sinceS how long ago what it stands in for was lost */
function generatorFrom({ startS = 0, fuelS = Infinity }: Component, sinceS: number): Intervals {
  const from = Math.max(0, startS - sinceS)
  const to = startS + fuelS - sinceS
  return to > from ? [{ from: from / S_PER_MIN, to: to / S_PER_MIN }] : NOT_AT_ALL
}
