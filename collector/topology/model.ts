import type { Component, Drawing, Need } from './dependency.ts'
import { simplePaths, type Links } from './paths.ts'

/**
 * A drawing made ready for counting: components are numbers, needs are trees over them. Everything that follows from a drawing is worked
 * out on this.
 */

/** A tree of needs; what it says is when it works. */
export type Tree =
  | { readonly kind: 'component'; readonly index: number }
  | { readonly kind: 'all'; readonly children: readonly Tree[] }
  | { readonly kind: 'any'; readonly children: readonly Tree[] }
  | { readonly kind: 'atLeast'; readonly k: number; readonly children: readonly Tree[] }

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
  readonly services: readonly ModelService[]
  readonly indexOf: ReadonlyMap<string, number>
  /** Indices in an order in which everything comes after what it needs. */
  readonly bottomUp: readonly number[]
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
  const ids = [...drawing.components.keys()].sort()
  const indexOf = new Map(ids.map((id, index) => [id, index]))
  const complaints: Complaint[] = []
  const reader = new NeedsReader(drawing, indexOf, complaints)
  const trees = ids.map((id) => {
    const needs = drawing.components.get(id)?.needs ?? []
    return reader.read(needs, ['components', id, 'needs'])
  })
  const below = trees.map((tree) => componentsIn([tree]))
  const cycle = complaints.length === 0 ? findCycle(below) : undefined
  if (cycle !== undefined) complaints.push(cycleComplaint(cycle.map((index) => ids[index] ?? '')))
  const services = [...drawing.services.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, needs }) => {
      const tree = reader.read(needs, ['services', id, 'needs'])
      return { id, needs: tree, below: componentsIn([tree]) }
    })
  if (complaints.length > 0) return { complaints }
  const above: number[][] = ids.map(() => [])
  for (const [index, targets] of below.entries())
    for (const target of targets) above[target]?.push(index)
  const components = [...drawing.components.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((component, index) => ({
      component,
      needs: trees[index] ?? NOTHING,
      below: below[index] ?? [],
      above: above[index] ?? [],
    }))
  return { model: { drawing, components, services, indexOf, bottomUp: bottomUp(below) } }
}

const NOTHING: Tree = { kind: 'all', children: [] }

/** The components a tree names, each once, in order of their first appearance. */
export function componentsIn(trees: readonly Tree[]): readonly number[] {
  const found = new Set<number>()
  const todo = [...trees].reverse()
  for (let tree = todo.pop(); tree !== undefined; tree = todo.pop()) {
    if (tree.kind === 'component') found.add(tree.index)
    else todo.push(...[...tree.children].reverse())
  }
  return [...found]
}

class NeedsReader {
  readonly #drawing: Drawing
  readonly #indexOf: ReadonlyMap<string, number>
  readonly #complaints: Complaint[]
  #links: Links | undefined

  constructor(drawing: Drawing, indexOf: ReadonlyMap<string, number>, complaints: Complaint[]) {
    this.#drawing = drawing
    this.#indexOf = indexOf
    this.#complaints = complaints
  }

  read(needs: readonly Need[], path: readonly PropertyKey[]): Tree {
    const children = needs.map((need, at) => this.#readNeed(need, [...path, at]))
    const [only] = children
    return children.length === 1 && only !== undefined ? only : { kind: 'all', children }
  }

  #readNeed(need: Need, path: readonly PropertyKey[]): Tree {
    if (typeof need === 'string') {
      const index = this.#indexOf.get(need)
      if (index !== undefined) return { kind: 'component', index }
      this.#complaints.push({ path, message: `"${need}" is not declared under components` })
      return NOTHING
    }
    const list = (needs: readonly Need[], key: string): Tree[] =>
      needs.map((child, at) => this.#readNeed(child, [...path, key, at]))
    if ('any' in need) return { kind: 'any', children: list(need.any, 'any') }
    if ('all' in need) return { kind: 'all', children: list(need.all, 'all') }
    if ('path' in need) return this.#readPath(need.path, path)
    if (need.atLeast > need.of.length || need.atLeast < 1)
      this.#complaints.push({
        path: [...path, 'atLeast'],
        message: `expected a number from 1 to ${need.of.length}, as many as are listed`,
      })
    return { kind: 'atLeast', k: need.atLeast, children: list(need.of, 'of') }
  }

  #readPath({ from, to }: { from: string; to: string }, path: readonly PropertyKey[]): Tree {
    for (const end of [from, to]) {
      if (this.#indexOf.has(end)) continue
      const message = `"${end}" is not declared under components`
      this.#complaints.push({ path: [...path, 'path'], message })
      return NOTHING
    }
    this.#links ??= linksOf(this.#drawing)
    const { paths, problem } = simplePaths(this.#links, from, to)
    if (problem !== undefined) this.#complaints.push({ path: [...path, 'path'], message: problem })
    const children = paths.map((ids): Tree => ({
      kind: 'all',
      children: ids.flatMap((id): Tree[] => {
        const index = this.#indexOf.get(id)
        return index === undefined ? [] : [{ kind: 'component', index }]
      }),
    }))
    return { kind: 'any', children }
  }
}

function linksOf({ components }: Drawing): Links {
  const links = new Map<string, { link: string; to: string }[]>()
  for (const { id, links: ends } of components.values()) {
    if (ends === undefined) continue
    const [a, b] = ends
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = links.get(from)
      if (known === undefined) links.set(from, [{ link: id, to }])
      else known.push({ link: id, to })
    }
  }
  for (const list of links.values()) list.sort((x, y) => (x.link < y.link ? -1 : 1))
  return links
}

/** Of a long way round, so many are named at each end. */
const SHOWN_OF_CYCLE = 8

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

/** The first circle, as indices without the repeated end; undefined when there is none. Walks without recursion: chains may be long. */
function findCycle(below: readonly (readonly number[])[]): readonly number[] | undefined {
  const isDone = new Uint8Array(below.length)
  const placeInTrail = new Int32Array(below.length).fill(-1)
  for (let start = 0; start < below.length; start++) {
    const trail: { index: number; next: number }[] = []
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
        return trail.slice(placeInTrail[target]).map(({ index }) => index)
      } else if (isDone[target] === 0) enter(target)
    }
  }
  return undefined
}

/** Kahn's order, smallest index first among those that are ready: the same for the same drawing. */
function bottomUp(below: readonly (readonly number[])[]): readonly number[] {
  const above: number[][] = below.map(() => [])
  const waitsFor = below.map((targets) => targets.length)
  for (const [index, targets] of below.entries())
    for (const target of targets) above[target]?.push(index)
  const order = [...below.keys()].filter((index) => waitsFor[index] === 0)
  for (let at = 0; at < order.length; at++) {
    for (const index of above[order[at] ?? 0] ?? []) {
      const waiting = (waitsFor[index] ?? 0) - 1
      waitsFor[index] = waiting
      if (waiting === 0) order.push(index)
    }
  }
  return order
}
