import { FamilyAlgebra } from './family-algebra.ts'
import { edgeCode, ownerOf } from './edge.ts'
import { DOWN, listed, NEVER, type Family, type Order } from './family.ts'
import type { Model } from './model.ts'
import { finish, type Steps } from './steps.ts'
import type { Tree } from './tree.ts'

/** Minimal cut sets: the smallest sets of components whose failure stops a service. Bottom-up, exact up to the order asked for. */
export interface CutSets {
  /** Ids, sorted within a set; the smallest sets first, then by text. One empty set: down now. */
  readonly sets: readonly (readonly string[])[]
  /** There were too many: sets of the highest orders are missing. */
  readonly isTruncated: boolean
}

export interface CutSetOptions {
  readonly order: Order
  /** Components that are failed already, by id. */
  readonly failed?: ReadonlySet<string>
  /** Only these services; all when left out. */
  readonly services?: readonly string[]
}

/** By the id of the service, in the order of the ids. */
export function minimalCutSets(
  model: Model,
  { order, failed, services }: CutSetOptions,
): ReadonlyMap<string, CutSets> {
  const failedIndices = new Set([...(failed ?? [])].flatMap((id) => model.indexOf.get(id) ?? []))
  const families = new Families(model, order, { failed: failedIndices })
  const wanted = services === undefined ? undefined : new Set(services)
  return new Map(
    model.services.flatMap(({ id }, at) =>
      wanted?.has(id) === false ? [] : [[id, families.inWords(families.ofService(at))] as const],
    ),
  )
}

/** What is different from the drawing now. Indices throughout. */
export interface Changes {
  /** Components that are down. */
  readonly failed?: ReadonlySet<number>
  /** Needs that are not met although what they name may work: edgeCode() of each. */
  readonly cut?: ReadonlySet<number>
  /** Needs that are met although what they name may not work. */
  readonly met?: ReadonlySet<number>
  /** To explain what is down, instead of `failed`: only these can fail, and the input of each whose needs are cut. */
  readonly suspects?: ReadonlySet<number>
  /** The same with all suspects failed: what works there all the same needs no explanation. */
  readonly failedAll?: Families
}

const NO_NUMBERS: ReadonlySet<number> = new Set()
/** Components that are worked out in one step. */
const STEP = 200

/** What a lost input is called in an explanation. */
export function inputWord(id: string): string {
  return `input of ${id}`
}

/** What can bring down each component and service of a model, under some changes; worked out when first asked for. */
export class Families {
  readonly #model: Model
  readonly #order: Order
  readonly #changes: Changes
  readonly #algebra: FamilyAlgebra
  readonly #components: (Family | undefined)[]
  readonly #services: (Family | undefined)[]
  /** Of trees without a change of their own: components that need the same share it. */
  readonly #trees: Map<Tree, Family>
  /** Components that may be otherwise than in the base. */
  readonly #reached: ReadonlySet<number>
  readonly #baseDown: readonly number[] | undefined
  #down: readonly number[] | undefined

  /** @param base of the same model and order, under any changes: what does not differ is taken from it */
  constructor(model: Model, order: Order, changes: Changes = {}, base?: Families) {
    this.#model = model
    this.#order = order
    this.#changes = changes
    // An element for each component, and one for each component's input.
    this.#algebra =
      base === undefined ? new FamilyAlgebra(2 * model.components.length, order) : base.#algebra
    this.#components = base === undefined ? [] : base.#components.slice()
    this.#services = base === undefined ? [] : base.#services.slice()
    this.#trees = new Map(base === undefined ? [] : base.#trees)
    this.#reached = base === undefined ? NO_NUMBERS : this.#forget(base.#changes)
    this.#baseDown = base === undefined ? undefined : base.#down
  }

  /** @param at place in model.services */
  ofService(at: number): Family {
    const known = this.#services[at]
    if (known !== undefined) return known
    const service = this.#model.services[at]
    const family = service === undefined ? NEVER : this.ofTree(service.needs)
    this.#services[at] = family
    return family
  }

  of(index: number): Family {
    if (this.#components[index] === undefined) this.#prepare([index])
    return this.#components[index] ?? NEVER
  }

  ofTree(tree: Tree): Family {
    this.#prepare(tree.names)
    return this.#ofTree(tree, undefined)
  }

  /** Everything at once, so that it can be the base of others. */
  workOut(): this {
    finish(this.workOutInSteps())
    return this
  }

  /** The same in steps. */
  *workOutInSteps(): Steps<void> {
    const { bottomUp, services } = this.#model
    for (let from = 0; from < bottomUp.length; from += STEP) {
      this.#prepare(bottomUp.slice(from, from + STEP))
      yield
    }
    for (const at of services.keys()) {
      this.ofService(at)
      yield
    }
  }

  /** Components that do not work, by themselves or for want of what they need. */
  down(): readonly number[] {
    this.#down ??= this.#baseDown === undefined ? this.#allDown() : this.#downFrom(this.#baseDown)
    return this.#down
  }

  #allDown(): readonly number[] {
    const { bottomUp } = this.#model
    return bottomUp.filter((index) => this.of(index).isDown).sort((a, b) => a - b)
  }

  /** Only what differs from the base can be otherwise there. */
  #downFrom(base: readonly number[]): readonly number[] {
    const reached = [...this.#reached].filter((index) => this.of(index).isDown)
    return [...base.filter((index) => !this.#reached.has(index)), ...reached].sort((a, b) => a - b)
  }

  cutSets(tree: Tree): CutSets {
    return this.inWords(this.ofTree(tree))
  }

  /** Indices are in the order of the ids, so sets sorted by index are sorted by text. */
  inWords(family: Family): CutSets {
    const { components } = this.#model
    const word = (element: number): string => {
      const id = components[element % components.length]?.component.id ?? ''
      return element < components.length ? id : inputWord(id)
    }
    return {
      sets: listed(family, 2 * components.length).map((set) => set.map(word)),
      isTruncated: family.exactTo < this.#order,
    }
  }

  /** Everything below is worked out first, the lowest before the others: chains may be longer than the stack is deep. */
  #prepare(indices: readonly number[]): void {
    const known = this.#components
    const todo = [...indices]
    for (let index = todo.pop(); index !== undefined; index = todo.pop()) {
      if (known[index] !== undefined) continue
      const before = todo.length
      todo.push(index)
      for (const below of this.#model.components[index]?.below ?? [])
        if (known[below] === undefined) todo.push(below)
      if (todo.length > before + 1) continue
      todo.pop()
      known[index] = this.#ofComponent(index)
    }
  }

  #ofComponent(index: number): Family {
    const { failed, suspects, failedAll } = this.#changes
    const entry = this.#model.components[index]
    if (entry === undefined || failedAll?.of(index).isDown === false) return NEVER
    if (failed?.has(index) === true) return DOWN
    const needs = this.#ofTree(entry.needs, index)
    const fails = suspects === undefined ? entry.component.fails : suspects.has(index)
    return fails ? this.#algebra.withOwn(index, needs) : needs
  }

  #ofTree(tree: Tree, owner: number | undefined): Family {
    if (owner !== undefined && this.#isChanged(owner)) return this.#join(tree, owner)
    const known = this.#trees.get(tree)
    if (known !== undefined) return known
    const family = this.#join(tree, undefined)
    if (tree.kind !== 'component') this.#trees.set(tree, family)
    return family
  }

  #isChanged(owner: number): boolean {
    const { cut = NO_NUMBERS, met = NO_NUMBERS } = this.#changes
    if (cut.size + met.size === 0) return false
    const { below = [] } = this.#model.components[owner] ?? {}
    return below.some((what) => {
      const edge = edgeCode(this.#model, owner, what)
      return cut.has(edge) || met.has(edge)
    })
  }

  #join(tree: Tree, owner: number | undefined): Family {
    if (tree.kind === 'component') return this.#ofNeed(owner, tree.index)
    const children = tree.children.map((child) => this.#ofTree(child, owner))
    if (tree.kind === 'all') return this.#algebra.anyDown(children)
    if (tree.kind === 'any') return this.#algebra.allDown(children)
    return this.#algebra.atLeastDown(children.length - tree.k + 1, children)
  }

  #ofNeed(owner: number | undefined, index: number): Family {
    const family = this.#components[index] ?? NEVER
    if (owner === undefined) return family
    const { cut, met = NO_NUMBERS, suspects } = this.#changes
    const edge = edgeCode(this.#model, owner, index)
    if (met.has(edge)) return NEVER
    if (cut?.has(edge) !== true) return family
    return suspects === undefined
      ? DOWN
      : this.#algebra.withOwn(this.#model.components.length + owner, family)
  }

  /** What a difference between two sets of changes reaches. */
  #forget(before: Changes): ReadonlySet<number> {
    const { components, services, servicesOf } = this.#model
    const now = this.#changes
    const edges = [...differing(before.cut, now.cut), ...differing(before.met, now.met)]
    const reached = new Set([
      ...differing(before.failed, now.failed),
      ...edges.map((edge) => ownerOf(this.#model, edge)),
    ])
    for (const index of reached) {
      this.#components[index] = undefined
      for (const above of components[index]?.above ?? []) reached.add(above)
    }
    const isReached = (index: number): boolean => reached.has(index)
    for (const index of reached) this.#forgetTree(components[index]?.needs, isReached)
    for (const at of new Set([...reached].flatMap((index) => servicesOf[index] ?? []))) {
      this.#services[at] = undefined
      this.#forgetTree(services[at]?.needs, isReached)
    }
    return reached
  }

  #forgetTree(tree: Tree | undefined, isReached: (index: number) => boolean): void {
    if (tree === undefined || tree.kind === 'component' || !tree.names.some(isReached)) return
    this.#trees.delete(tree)
    for (const child of tree.children) this.#forgetTree(child, isReached)
  }
}

/** What is in one of the two only. */
function differing(
  one: ReadonlySet<number> = NO_NUMBERS,
  other: ReadonlySet<number> = NO_NUMBERS,
): readonly number[] {
  return [
    ...[...one].filter((value) => !other.has(value)),
    ...[...other].filter((value) => !one.has(value)),
  ]
}
