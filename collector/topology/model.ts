import type { Component, Drawing } from './dependency.ts'
import { NeedsReader } from './needs-reader.ts'
import type { Tree, TreeMaker } from './tree.ts'

/**
 * A drawing made ready for counting: components are numbers, needs are trees over them. Everything that follows from a drawing is worked
 * out on this.
 */

/** Sets of three failures are counted as numbers, which are exact up to so many. */
const MAX_COMPONENTS = 100_000
/** Of a long way round, so many are named at each end. */
const SHOWN_OF_CYCLE = 8
const MAX_CYCLES = 10

export type { Tree } from './tree.ts'

export interface ModelComponent {
  readonly component: Component
  /** All it needs; an `all` without children where it needs nothing. */
  readonly needs: Tree
  /** Indices of what it names in its needs, each once. */
  readonly below: readonly number[]
  /** Indices of the components that name it. */
  readonly above: readonly number[]
}

export interface ModelService {
  readonly id: string
  readonly needs: Tree
  readonly below: readonly number[]
}

export interface Model {
  readonly drawing: Drawing
  /** By index: the order of the ids, so that the order of the file makes no difference. */
  readonly components: readonly ModelComponent[]
  /** In the order of the ids. */
  readonly services: readonly ModelService[]
  /** By index of a component: the places of the services that name it. */
  readonly servicesOf: readonly (readonly number[])[]
  readonly indexOf: ReadonlyMap<string, number>
  /** Indices in an order in which everything comes after what it needs. */
  readonly bottomUp: readonly number[]
  /** By index: how many stand below each other under it, at most. */
  readonly heights: readonly number[]
  /** For trees that are not drawn: to ask about them. */
  readonly trees: TreeMaker
}

/** What is wrong with a drawing. `path`: where in the site file, as services, call-out, needs. */
export interface Complaint {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

export type Compiled =
  | { readonly model: Model; readonly complaints?: undefined }
  | { readonly model?: undefined; readonly complaints: readonly Complaint[] }

/** Never throws: a drawing that makes no sense gives complaints, all of them. */
export function compile(drawing: Drawing): Compiled {
  if (drawing.components.size > MAX_COMPONENTS) {
    const message = `expected at most ${MAX_COMPONENTS} components`
    return { complaints: [{ path: ['components'], message }] }
  }
  const drawn = [...drawing.components.values()].sort(byId)
  const indexOf = new Map(drawn.map(({ id }, index) => [id, index]))
  const reader = new NeedsReader(drawing.components, indexOf)
  const trees = drawn.map(({ id, needs }) => reader.read(needs, ['components', id, 'needs']))
  const below = trees.map(({ names }) => names)
  const cycles = findCycles(below).map((cycle) => cycle.map((index) => drawn[index]?.id ?? ''))
  const services = [...drawing.services.values()].sort(byId).map(({ id, needs }) => {
    const tree = reader.read(needs, ['services', id, 'needs'])
    return { id, needs: tree, below: tree.names }
  })
  const complaints = [...reader.complaints, ...cycles.map(cycleComplaint)]
  if (complaints.length > 0) return { complaints }
  const above = turned(below)
  const components = drawn.map((component, index) => ({
    component,
    needs: trees[index] ?? reader.nothing,
    below: below[index] ?? [],
    above: above[index] ?? [],
  }))
  const order = bottomUp(below, above)
  return {
    model: {
      ...{ drawing, components, services, indexOf },
      servicesOf: turned(
        services.map((service) => service.below),
        drawn.length,
      ),
      bottomUp: order,
      heights: heightsOf(below, order),
      trees: reader.trees,
    },
  }
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}

function cycleComplaint(ids: readonly string[]): Complaint {
  const [first = ''] = ids
  const left = ids.length - 2 * SHOWN_OF_CYCLE
  const shown =
    left > 0
      ? [...ids.slice(0, SHOWN_OF_CYCLE), `(${left} more)`, ...ids.slice(-SHOWN_OF_CYCLE)]
      : ids
  const round = [...shown, first].join(' -> ')
  const message = `what it needs leads back to itself: ${round}: take one of these needs out, or draw a ring of links with path`
  return { path: ['components', first, 'needs'], message }
}

/** Circles that have no component in common, as indices without the repeated end. Walks without recursion: chains may be long. */
function findCycles(below: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const cycles: (readonly number[])[] = []
  const isInCycle = new Uint8Array(below.length)
  const isDone = new Uint8Array(below.length)
  const placeInTrail = new Int32Array(below.length).fill(-1)
  for (const start of below.keys()) {
    const trail: { readonly index: number; next: number }[] = []
    const enter = (index: number): void => {
      placeInTrail[index] = trail.length
      trail.push({ index, next: 0 })
    }
    if (isDone[start] === 0) enter(start)
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const target = below[top.index]?.[top.next++]
      if (target === undefined) {
        isDone[top.index] = 1
        placeInTrail[top.index] = -1
        trail.pop()
      } else if ((placeInTrail[target] ?? -1) >= 0) {
        const cycle = trail.slice(placeInTrail[target]).map(({ index }) => index)
        if (cycle.some((index) => isInCycle[index] === 1)) continue
        for (const index of cycle) isInCycle[index] = 1
        if (cycles.push(cycle) === MAX_CYCLES) return cycles
      } else if (isDone[target] === 0) enter(target)
    }
  }
  return cycles
}

/** Who names each, of what each names. */
function turned(
  below: readonly (readonly number[])[],
  targets = below.length,
): readonly (readonly number[])[] {
  const above: number[][] = Array.from({ length: targets }, () => [])
  for (const [index, named] of below.entries())
    for (const target of named) above[target]?.push(index)
  return above
}

/** Kahn's order, smallest index first among those that are ready: the same for the same drawing. */
function bottomUp(
  below: readonly (readonly number[])[],
  above: readonly (readonly number[])[],
): readonly number[] {
  const waitsFor = below.map((targets) => targets.length)
  const order = [...below.keys()].filter((index) => waitsFor[index] === 0)
  for (const index of order) {
    for (const next of above[index] ?? []) {
      const waiting = (waitsFor[next] ?? 0) - 1
      waitsFor[next] = waiting
      if (waiting === 0) order.push(next)
    }
  }
  return order
}

function heightsOf(
  below: readonly (readonly number[])[],
  order: readonly number[],
): readonly number[] {
  const heights = below.map(() => 0)
  for (const index of order)
    for (const what of below[index] ?? [])
      heights[index] = Math.max(heights[index] ?? 0, 1 + (heights[what] ?? 0))
  return heights
}
