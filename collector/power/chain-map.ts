import type { NeedView } from '../http/power-view.ts'
import type { Model, Tree } from '../topology/model.ts'

/** Alike in all that matters here, they are shown as one: nobody wants to see 56 phones of one switch. */
const ENDPOINTS: ReadonlySet<string> = new Set([
  ...['phone', 'softphone', 'handset', 'dect', 'dect-base', 'ata', 'fax', 'intercom'],
  ...['access-point', 'ap', 'camera', 'alarm', 'outlet', 'port'],
])

/** One component, or several alike, as they stand in the drawing. */
export interface ChainNode {
  /** That of the first member. */
  readonly id: string
  /** Indices in the model. */
  readonly members: readonly number[]
  /** Other nodes, by place in the map. */
  readonly needs: readonly Reach[]
  readonly neededBy: readonly number[]
  /** Services that name it, by place in the model. */
  readonly services: readonly number[]
}

interface Reach {
  readonly to: number
  readonly isChoice: boolean
}

/** What is shown of a map. */
export interface Scope {
  readonly of: string | null
  /** In the order of the map: each after what it needs. */
  readonly nodes: readonly number[]
  /** Services drawn, by place in the model. */
  readonly services: readonly number[]
}

/** A drawing as it is shown: endpoints that are alike taken together, and what reaches what. Made once for a model. */
export class ChainMap {
  readonly model: Model
  readonly nodes: readonly ChainNode[]
  readonly #nodeOf: readonly number[]
  readonly #serviceNeeds: readonly (readonly Reach[])[]

  constructor(model: Model) {
    this.model = model
    const servicesOf: number[][] = model.components.map(() => [])
    for (const [at, { below }] of model.services.entries())
      for (const index of below) servicesOf[index]?.push(at)
    const groups = new Map<string, number[]>()
    for (const index of model.bottomUp) {
      const key = groupKey(model, index, servicesOf[index] ?? [])
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [index])
      else group.push(index)
    }
    const nodeOf: number[] = []
    const all = [...groups.values()].map((members) => members.toSorted((a, b) => a - b))
    for (const [at, members] of all.entries()) for (const index of members) nodeOf[index] = at
    this.#nodeOf = nodeOf
    const neededBy: Set<number>[] = all.map(() => new Set())
    const needs = all.map(([first = 0], at) => {
      const reaches = this.#reachesOf(model.components[first]?.needs)
      for (const { to } of reaches) neededBy[to]?.add(at)
      return reaches
    })
    this.nodes = all.map((members, at) => ({
      id: model.components[members[0] ?? 0]?.component.id ?? '',
      members,
      needs: needs[at] ?? [],
      neededBy: [...(neededBy[at] ?? [])],
      services: servicesOf[members[0] ?? 0] ?? [],
    }))
    this.#serviceNeeds = model.services.map((service) => this.#reachesOf(service.needs))
  }

  /** Everything, where that is no more than `most`. */
  whole(most: number): Scope | undefined {
    if (this.nodes.length + this.model.services.length > most) return undefined
    const nodes = [...this.nodes.keys()]
    return { of: null, nodes, services: [...this.model.services.keys()] }
  }

  /** The chain of a service or a component: what it stands on and what stands on it, the nearest of it; undefined where there is no such. */
  around(id: string, most: number): Scope | undefined {
    const service = this.model.services.findIndex((one) => one.id === id)
    if (service >= 0) {
      const start = (this.#serviceNeeds[service] ?? []).map(({ to }) => to)
      const below = this.#walk(start, most, ({ needs }) => needs.map(({ to }) => to))
      return { of: id, nodes: sorted(below), services: [service] }
    }
    const index = this.model.indexOf.get(id)
    const at = index === undefined ? undefined : this.#nodeOf[index]
    if (at === undefined) return undefined
    const above = this.#walk([at], Math.ceil(most / 2), ({ neededBy }) => neededBy)
    const below = this.#walk([at], most - above.size, ({ needs }) => needs.map(({ to }) => to))
    const services = new Set([...above].flatMap((node) => this.nodes[node]?.services ?? []))
    const room = Math.max(1, most - above.size - below.size)
    const nodes = sorted(new Set([...above, ...below]))
    return { of: id, nodes, services: sorted(services).slice(0, room) }
  }

  needsOf(node: ChainNode): readonly NeedView[] {
    return this.#views(node.needs)
  }

  needsOfService(service: number): readonly NeedView[] {
    return this.#views(this.#serviceNeeds[service] ?? [])
  }

  /** Everything a service stands on, by index. */
  chainOf(service: number): ReadonlySet<number> {
    const found = new Set(this.model.services[service]?.below)
    for (const index of found)
      for (const below of this.model.components[index]?.below ?? []) found.add(below)
    return found
  }

  #views(reaches: readonly Reach[]): readonly NeedView[] {
    return reaches.map(({ to, isChoice }) => ({ id: this.nodes[to]?.id ?? '', isChoice }))
  }

  #walk(
    start: readonly number[],
    most: number,
    next: (node: ChainNode) => readonly number[],
  ): ReadonlySet<number> {
    const found = new Set(start.slice(0, most))
    for (const at of found) {
      const node = this.nodes[at]
      for (const to of node === undefined ? [] : next(node)) if (found.size < most) found.add(to)
    }
    return found
  }

  #reachesOf(tree: Tree | undefined): readonly Reach[] {
    const found = new Map<number, boolean>()
    const visit = (part: Tree, isChoice: boolean): void => {
      if (part.kind === 'component') {
        const to = this.#nodeOf[part.index] ?? 0
        found.set(to, isChoice && found.get(to) !== false)
        return
      }
      const isWide = part.kind !== 'all' && part.children.length > 1
      for (const child of part.children) visit(child, isChoice || isWide)
    }
    if (tree !== undefined) visit(tree, false)
    return [...found].map(([to, isChoice]) => ({ to, isChoice }))
  }
}

/** Those with the same key are alike: of one kind, on the same feeds, for the same services, with nothing standing on them. */
function groupKey(model: Model, index: number, services: readonly number[]): string {
  const { component, below, above } = model.components[index] ?? {}
  const isEndpoint = ENDPOINTS.has(component?.kind ?? '') && above?.length === 0
  if (!isEndpoint || below?.length === 0) return String(index)
  return [component?.kind, component?.site, below?.join(), services.join()].join(' ')
}

function sorted(numbers: ReadonlySet<number>): readonly number[] {
  return [...numbers].sort((a, b) => a - b)
}
