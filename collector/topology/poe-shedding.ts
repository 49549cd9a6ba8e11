import { drawnWatts } from './load.ts'
import type { Model } from './model.ts'

/** What a switch does with a port that does not fit: goes on to smaller ones, or feeds nothing after it. Vendors differ. */
export type SheddingPolicy = 'skip' | 'stop'

export interface PoePort {
  readonly id: string
  readonly priority: 'critical' | 'high' | 'low'
  /** Among equals the lower number goes first. */
  readonly port: number
  readonly watts: number
}

export interface Shedding {
  readonly fed: readonly string[]
  readonly shed: readonly string[]
  readonly usedW: number
}

/** What hangs on a switch that cannot feed all of it, with all its supplies or without one. */
export interface PoeShortage {
  readonly switch: string
  /** Supply that is lost; undefined: none, the budget is too small by itself. */
  readonly lost: string | undefined
  readonly budgetW: number
  readonly neededW: number
  readonly shed: readonly string[]
}

const RANK = { critical: 0, high: 1, low: 2 } as const

/** Who is fed and who is not: by priority, then by port, each that fits in what is left. */
export function shed(
  ports: readonly PoePort[],
  budgetW: number,
  policy: SheddingPolicy = 'skip',
): Shedding {
  const fed: string[] = []
  const left: string[] = []
  let usedW = 0
  for (const { id, watts } of ports.toSorted(inOrder)) {
    const isStopped = policy === 'stop' && left.length > 0
    if (isStopped || usedW + watts > budgetW) left.push(id)
    else {
      fed.push(id)
      usedW += watts
    }
  }
  return { fed, shed: left, usedW }
}

/**
 * Of every switch with a budget: what it sheds with all its supplies, and without each of them where all say what they can give (what the
 * switch draws itself goes off that). What hangs on it are components with a PoE port that need it.
 */
export function poeShortages(model: Model, policy?: SheddingPolicy): readonly PoeShortage[] {
  return model.components.flatMap(({ component, above, below }) => {
    const { id, poe, watts = 0 } = component
    if (poe?.budgetW === undefined) return []
    const ports = above.flatMap((index) => portOf(model, index) ?? [])
    const neededW = ports.reduce((sum, port) => sum + port.watts, 0)
    const budgets = [{ lost: undefined, budgetW: poe.budgetW }, ...withoutOne(model, below, watts)]
    return budgets.flatMap(({ lost, budgetW: given }) => {
      const budgetW = Math.max(0, Math.min(given, poe.budgetW ?? given))
      const { shed: left } = shed(ports, budgetW, policy)
      return left.length === 0 ? [] : [{ switch: id, lost, budgetW, neededW, shed: left }]
    })
  })
}

function withoutOne(
  model: Model,
  below: readonly number[],
  ownW: number,
): readonly { readonly lost: string; readonly budgetW: number }[] {
  const supplies = below.flatMap((index) => {
    const supply = model.components[index]?.component
    return supply?.kind === 'psu' ? [supply] : []
  })
  const capacities = supplies.flatMap(({ capacityW }) => capacityW ?? [])
  if (supplies.length < 2 || capacities.length < supplies.length) return []
  const wholeW = capacities.reduce((sum, one) => sum + one, 0)
  return supplies.map(({ id, capacityW = 0 }) => ({
    lost: id,
    budgetW: wholeW - capacityW - ownW,
  }))
}

function portOf(model: Model, index: number): PoePort | undefined {
  const component = model.components[index]?.component
  const watts = component === undefined ? 0 : drawnWatts(component)
  if (component?.poe === undefined || watts === 0) return undefined
  const { port = Infinity, priority = 'low' } = component.poe
  return { id: component.id, priority, port, watts }
}

function inOrder(a: PoePort, b: PoePort): number {
  if (a.priority !== b.priority) return RANK[a.priority] - RANK[b.priority]
  if (a.port !== b.port) return a.port - b.port
  return a.id < b.id ? -1 : 1
}
