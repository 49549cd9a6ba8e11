import { edgeCode, ownerOf } from './edge.ts'
import { afterBoot, ALWAYS, atLeastOf, minutesLeft, type Intervals } from './intervals.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

const S_PER_MIN = 60

/** When sources of power work, by index, in minutes from now; what is not in it works until further notice. */
export type Sources = ReadonlyMap<number, Intervals>

/** When a need is met, in place of when what it names works: by edgeCode(). */
export type MetNeeds = ReadonlyMap<number, Intervals>

const NO_NEEDS: MetNeeds = new Map()

export interface ServiceForecast {
  readonly up: Intervals
  /** Until it falls: 0 when it is down, undefined when nothing that is known runs out. */
  readonly minutesLeft: number | undefined
}

/** When everything works, by interval algebra: all = intersection, any = union, k of n = a sweep. Only what the sources reach is looked at. */
export class Works {
  readonly #model: Model
  readonly #met: MetNeeds
  /** By index, of what is reached. */
  readonly #components = new Map<number, Intervals>()

  constructor(model: Model, sources: Sources, met: MetNeeds = NO_NEEDS) {
    this.#model = model
    this.#met = met
    const { components, bottomUp } = model
    const owners = [...met.keys()].map((edge) => ownerOf(model, edge))
    const reached = new Set([...sources.keys(), ...owners])
    for (const index of reached)
      for (const above of components[index]?.above ?? []) reached.add(above)
    if (reached.size === 0) return
    for (const index of bottomUp) {
      const entry = components[index]
      if (entry === undefined || !reached.has(index)) continue
      const own = sources.get(index)
      const fed = this.ofTree(entry.needs, index)
      const both = own === undefined ? fed : atLeastOf(2, [own, fed])
      const { bootS } = entry.component
      this.#components.set(index, bootS === undefined ? both : afterBoot(both, bootS / S_PER_MIN))
    }
  }

  of(index: number): Intervals {
    return this.#components.get(index) ?? ALWAYS
  }

  /** @param owner whose needs they are; undefined: a service's */
  ofTree(tree: Tree, owner?: number): Intervals {
    if (owner === undefined) return this.#ofSteadyTree(tree)
    return worksOf(
      tree,
      (index) => this.#met.get(edgeCode(this.#model, owner, index)) ?? this.of(index),
    )
  }

  /** Most of a choice among many is not reached. */
  #ofSteadyTree(tree: Tree): Intervals {
    if (!tree.names.some((index) => this.#components.has(index))) return ALWAYS
    return tree.kind === 'component'
      ? this.of(tree.index)
      : joined(
          tree,
          tree.children.map((child) => this.#ofSteadyTree(child)),
        )
  }

  services(): ReadonlyMap<string, ServiceForecast> {
    const { services, servicesOf } = this.#model
    const reached = new Set(
      [...this.#components.keys()].flatMap((index) => servicesOf[index] ?? []),
    )
    return new Map(
      services.map(({ id, needs }, at) => {
        const up = reached.has(at) ? this.ofTree(needs) : ALWAYS
        return [id, { up, minutesLeft: minutesLeft(up) }]
      }),
    )
  }

  /** Until each component falls that will; by id. */
  falling(): ReadonlyMap<string, number> {
    const falling = new Map<string, number>()
    for (const [index, up] of this.#components) {
      const left = minutesLeft(up)
      const id = this.#model.components[index]?.component.id
      if (left !== undefined && id !== undefined) falling.set(id, left)
    }
    return falling
  }
}

/** When a tree of needs is met. @param of when each component it names works */
export function worksOf(tree: Tree, of: (index: number) => Intervals): Intervals {
  if (tree.kind === 'component') return of(tree.index)
  return joined(
    tree,
    tree.children.map((child) => worksOf(child, of)),
  )
}

function joined(
  tree: Exclude<Tree, { kind: 'component' }>,
  children: readonly Intervals[],
): Intervals {
  const standing = children.filter((child) => child !== ALWAYS)
  const steady = children.length - standing.length
  const needed = tree.kind === 'any' ? 1 : tree.kind === 'all' ? children.length : tree.k
  return needed <= steady ? ALWAYS : atLeastOf(needed - steady, standing)
}
