import { drawnInSteps } from './drawn.ts'
import { drawnPointsInSteps } from './drawn-points.ts'
import type { Order } from './family.ts'
import type { Model } from './model.ts'
import type { Steps } from './steps.ts'

/** What is asked of every drawing while it is lived with. */
const ORDERS: readonly Order[] = [1, 2]

/** Works out in steps of some milliseconds what is kept of a drawing, so that nobody has to wait for it when it is asked. */
export function* prepareInSteps(model: Model): Steps<void> {
  for (const order of ORDERS) yield* drawnInSteps(model, order)
  yield* drawnPointsInSteps(model)
}
