import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

/** What a generator starts for: what is drawn beside it as another choice. */
export interface StoodInFor {
  /** Whose choice it is. */
  readonly owner: number
  readonly tree: Tree
}

/** By the index of each generator; one beside which nothing is drawn runs all the time and is not in it. */
export function generatorStandIns(model: Model): ReadonlyMap<number, readonly StoodInFor[]> {
  const found = new Map<number, readonly StoodInFor[]>()
  for (const [index, { component }] of model.components.entries()) {
    if (component.kind !== 'generator') continue
    const choices = stoodInFor(model, index)
    if (choices.length > 0) found.set(index, choices)
  }
  return found
}

function stoodInFor(model: Model, generator: number): readonly StoodInFor[] {
  const choices: StoodInFor[] = []
  const led = new Set([generator])
  for (const index of led) {
    for (const owner of model.components[index]?.above ?? []) {
      const tree = model.components[owner]?.needs
      const beside = tree === undefined ? [] : othersIn(model, tree, led)
      for (const other of beside) choices.push({ owner, tree: other })
      if (beside.length === 0) led.add(owner)
    }
  }
  return choices
}

/** In a choice between what is led to and others: the others, without batteries. */
function othersIn(model: Model, tree: Tree, led: ReadonlySet<number>): readonly Tree[] {
  if (tree.kind === 'component') return []
  const isLed = ({ names }: Tree): boolean => names.some((index) => led.has(index))
  if (tree.kind === 'any') {
    const others = tree.children.filter((child) => !isLed(child) && !isBattery(model, child))
    if (others.length > 0) return others
  }
  return tree.children.filter(isLed).flatMap((child) => othersIn(model, child, led))
}

function isBattery(model: Model, tree: Tree): boolean {
  return tree.kind === 'component' && model.components[tree.index]?.component.kind === 'battery'
}
