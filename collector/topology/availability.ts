import { Families } from './cut-sets.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

const MINUTES_PER_YEAR = 525_600
/** All states of so many components are looked at one by one. */
const MAX_ENUMERATED = 12

/** How long a service is down, from how often its components are: figures of the user's, never ours. */
export type Availability =
  | {
      /** Share of time it is down. */
      readonly unavailability: number
      readonly minutesPerYear: number
      /** Else at most so much, of failures of up to three at a time. */
      readonly isExact: boolean
    }
  /** Not computed: nobody said how often these fail. */
  | { readonly missing: readonly string[] }

/** Undefined for a service that is not drawn. */
export function availability(model: Model, service: string): Availability | undefined {
  const drawn = model.services.find(({ id }) => id === service)
  if (drawn === undefined) return undefined
  const members = reachedFrom(model, drawn.needs)
  const missing = members.flatMap((index) => {
    const { id = '', failureProbability } = model.components[index]?.component ?? {}
    return failureProbability === undefined ? [id] : []
  })
  if (missing.length > 0) return { missing: missing.sort() }
  const isExact = members.length <= MAX_ENUMERATED
  const unavailability = isExact
    ? enumerated(model, drawn.needs, members)
    : upperBound(model, drawn.needs)
  return { unavailability, minutesPerYear: unavailability * MINUTES_PER_YEAR, isExact }
}

/** Components that can fail, of all it stands on. */
function reachedFrom(model: Model, tree: Tree): readonly number[] {
  const reached = new Set(tree.names)
  for (const index of reached)
    for (const below of model.components[index]?.below ?? []) reached.add(below)
  return [...reached].filter((index) => model.components[index]?.component.fails === true)
}

/** The sum over all states in which it is down. */
function enumerated(model: Model, tree: Tree, members: readonly number[]): number {
  let sum = 0
  for (let state = 0; state < 2 ** members.length; state++) {
    const failed = new Set(members.filter((_, at) => (state >>> at) % 2 === 1))
    const chance = members.reduce(
      (product, index) => product * (failed.has(index) ? q(model, index) : 1 - q(model, index)),
      1,
    )
    if (chance > 0 && new Families(model, 1, { failed }).ofTree(tree).isDown) sum += chance
  }
  return sum
}

/** 1 - the product of (1 - the product of q) over the minimal cut sets: never less than what is exact. */
function upperBound(model: Model, tree: Tree): number {
  const { sets } = new Families(model, 3).cutSets(tree)
  const survives = sets.reduce((product, set) => {
    const fails = set.reduce((share, id) => share * q(model, model.indexOf.get(id) ?? -1), 1)
    return product * (1 - fails)
  }, 1)
  return 1 - survives
}

function q(model: Model, index: number): number {
  return model.components[index]?.component.failureProbability ?? 0
}
