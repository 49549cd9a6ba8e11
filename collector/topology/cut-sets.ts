import { DOWN, FamilyAlgebra, NEVER, type Family, type Order } from './family.ts'
import type { Model, Tree } from './model.ts'

/** Minimal cut sets: the smallest sets of components whose failure stops a service. Bottom-up, exact up to the order asked for. */
export interface CutSets {
  /** Ids, sorted within a set; the smallest sets first, then by text. One empty set: down now. */
  readonly sets: readonly (readonly string[])[]
  /** There were too many: sets of the highest orders may be missing. */
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
  const wanted = model.services.filter(({ id }) => services?.includes(id) ?? true)
  return new Map(wanted.map(({ id, needs }) => [id, families.cutSets(needs)]))
}

/** What is different from the drawing now. */
export interface Changes {
  /** Indices of components that are down. */
  readonly failed?: ReadonlySet<number>
  /** Needs that are not met, whether or not what they name works: edgeCode(model, who, what). */
  readonly cut?: ReadonlySet<number>
  /**
   * To explain what is down: only these can fail, and so can each cut need, as the element inputOf(model, who). What is in `failed` and
   * `cut` is then left out of the count.
   */
  readonly suspects?: ReadonlySet<number>
}

/** The element that stands for what a component is fed by, where that is cut: beyond the components. */
export function inputOf(model: Model, who: number): number {
  return model.components.length + who
}

/** Who needs what, as one number. */
export function edgeCode(model: Model, who: number, what: number): number {
  return who * model.components.length + what
}

/** The families of all components of a model, made when first asked for; with a base, only those that a change can reach. */
export class Families {
  readonly #model: Model
  readonly #changes: Changes
  readonly #algebra: FamilyAlgebra
  readonly #known: (Family | undefined)[]

  /** @param base of the same model and order, without changes: what the changes do not reach is taken from it */
  constructor(model: Model, order: Order, changes: Changes = {}, base?: Families) {
    this.#model = model
    this.#changes = changes
    // An element for each component, and one for each component's input.
    this.#algebra = new FamilyAlgebra(2 * model.components.length, order)
    this.#known = new Array<Family | undefined>(model.components.length)
    if (base !== undefined) this.#takeOver(base)
  }

  cutSets(needs: Tree): CutSets {
    const family = this.ofTree(needs)
    return { sets: this.#words(family), isTruncated: family.isTruncated }
  }

  ofTree(tree: Tree): Family {
    this.#prepare(tree)
    return this.#ofTree(tree, -1)
  }

  of(index: number): Family {
    this.#prepare({ kind: 'component', index })
    return this.#known[index] ?? NEVER
  }

  /** Everything below is worked out first, the lowest before the others: chains may be longer than the stack is deep. */
  #prepare(tree: Tree): void {
    const { components } = this.#model
    const todo: { index: number; isExpanded: boolean }[] = []
    for (const index of namesIn(tree)) todo.push({ index, isExpanded: false })
    for (let top = todo.at(-1); top !== undefined; top = todo.at(-1)) {
      const { index } = top
      if (this.#known[index] !== undefined) {
        todo.pop()
        continue
      }
      if (top.isExpanded) {
        this.#known[index] = this.#ofComponent(index)
        todo.pop()
        continue
      }
      top.isExpanded = true
      for (const below of components[index]?.below ?? [])
        if (this.#known[below] === undefined) todo.push({ index: below, isExpanded: false })
    }
  }

  #ofComponent(index: number): Family {
    const { failed, suspects } = this.#changes
    const entry = this.#model.components[index]
    if (entry === undefined) return NEVER
    if (suspects === undefined && failed?.has(index) === true) return DOWN
    const needs = this.#ofTree(entry.needs, index)
    const fails = suspects === undefined ? entry.component.fails : suspects.has(index)
    if (!fails) return needs
    return this.#algebra.anyDown([this.#algebra.single(index), needs])
  }

  #ofTree(tree: Tree, owner: number): Family {
    switch (tree.kind) {
      case 'component':
        return this.#ofNeed(owner, tree.index)
      case 'all':
        return this.#algebra.anyDown(tree.children.map((child) => this.#ofTree(child, owner)))
      case 'any':
        return this.#algebra.allDown(tree.children.map((child) => this.#ofTree(child, owner)))
      case 'atLeast': {
        const children = tree.children.map((child) => this.#ofTree(child, owner))
        return this.#algebra.atLeastDown(children.length - tree.k + 1, children)
      }
    }
  }

  #ofNeed(owner: number, index: number): Family {
    const { cut, suspects } = this.#changes
    const family = this.#known[index] ?? NEVER
    if (owner < 0 || cut?.has(edgeCode(this.#model, owner, index)) !== true) return family
    if (suspects === undefined) return DOWN
    return this.#algebra.anyDown([this.#algebra.single(inputOf(this.#model, owner)), family])
  }

  #takeOver(base: Families): void {
    const { components } = this.#model
    const { failed, cut } = this.#changes
    const reached = new Set<number>(failed)
    for (const code of cut ?? []) reached.add(Math.floor(code / components.length))
    for (const index of reached)
      for (const above of components[index]?.above ?? []) reached.add(above)
    for (const [index, family] of base.#known.entries())
      if (!reached.has(index)) this.#known[index] = family
  }

  /** Indices are in the order of the ids, so sets sorted by index are sorted by text. */
  #words(family: Family): readonly (readonly string[])[] {
    const { components } = this.#model
    const word = (element: number): string => {
      const id = components[element % components.length]?.component.id ?? ''
      return element < components.length ? id : inputWord(id)
    }
    return this.#algebra.list(family).map((set) => set.map(word))
  }
}

/** What a lost input is called in an explanation. */
export function inputWord(id: string): string {
  return `input of ${id}`
}

function namesIn(tree: Tree): readonly number[] {
  return tree.kind === 'component' ? [tree.index] : tree.children.flatMap(namesIn)
}
