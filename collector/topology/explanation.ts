import { Families, type Changes } from './cut-sets.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

/** Sets of more failures are not looked for one by one. */
const MAX_ORDER = 3
/** Beyond so many failures nobody reads which of them were enough. */
const MAX_SUSPECTS = 300

/** Why things are down: the minimal sets of what failed that are enough to stop them. */
export class Explanation {
  readonly #model: Model
  readonly #changes: Changes & { readonly failed: ReadonlySet<number> }
  readonly #families: Families

  /** @param down under the same changes */
  constructor(
    model: Model,
    changes: Changes & { readonly failed: ReadonlySet<number> },
    down: Families,
  ) {
    this.#model = model
    this.#changes = changes
    const { failed, ...inputs } = changes
    const suspected = { ...inputs, suspects: failed, failedAll: down }
    this.#families = new Families(model, MAX_ORDER, suspected)
  }

  /** In ids, and "input of ups-1"; where all sets are larger than three, one of them: that of the things nearest to the sources. */
  of(tree: Tree): readonly (readonly string[])[] {
    const { sets } = this.#families.cutSets(tree)
    return sets.length > 0 ? sets : this.#largeSet(tree)
  }

  #largeSet(tree: Tree): readonly (readonly string[])[] {
    const model = this.#model
    const { failed, ...inputs } = this.#changes
    const suspects = reachedFrom(model, tree).filter((index) => failed.has(index))
    if (suspects.length > MAX_SUSPECTS) return []
    // What is far from the sources is let off first: a dead switch explains its phones, not they the switch.
    const height = (index: number): number => model.heights[index] ?? 0
    const guilty = new Set(suspects)
    for (const suspect of suspects.sort((a, b) => height(b) - height(a) || b - a)) {
      guilty.delete(suspect)
      const rest = new Families(model, 1, { ...inputs, failed: new Set(guilty) })
      if (!rest.ofTree(tree).isDown) guilty.add(suspect)
    }
    const ids = [...guilty].map((index) => model.components[index]?.component.id ?? '')
    return ids.length === 0 ? [] : [ids.sort()]
  }
}

/** All it stands on. */
function reachedFrom(model: Model, tree: Tree): number[] {
  const reached = new Set(tree.names)
  for (const index of reached)
    for (const below of model.components[index]?.below ?? []) reached.add(below)
  return [...reached]
}
