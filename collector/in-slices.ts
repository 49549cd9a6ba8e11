import { setImmediate } from 'node:timers/promises'
import type { Steps } from './topology/steps.ts'

/** Long work a step at a time: what came in meanwhile is served between two steps. */
export async function inSlices<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await setImmediate()
  }
}
