import { Families } from './cut-sets.ts'
import type { Order } from './family.ts'
import type { Model } from './model.ts'
import type { Steps } from './steps.ts'

/** Worked out once for a drawing, and shared by all who ask. */
const DRAWN = new WeakMap<Model, Map<Order, Families>>()

/** What can bring down each component and service as drawn, with nothing failed. */
export function drawnFamilies(model: Model, order: Order): Families {
  const known = DRAWN.get(model)?.get(order)
  if (known !== undefined) return known
  const families = new Families(model, order).workOut()
  keep(model, order, families)
  return families
}

/** The same in steps of some milliseconds, for whoever has other things to do meanwhile. */
export function* drawnInSteps(model: Model, order: Order): Steps<void> {
  if (DRAWN.get(model)?.has(order) === true) return
  const families = new Families(model, order)
  yield* families.workOutInSteps()
  keep(model, order, families)
}

function keep(model: Model, order: Order, families: Families): void {
  const orders = DRAWN.get(model) ?? new Map<Order, Families>()
  orders.set(order, families)
  DRAWN.set(model, orders)
}
