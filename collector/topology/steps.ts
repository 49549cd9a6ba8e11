/** Work that can be left after each step, a few milliseconds long, and gone on with. */
export type Steps<T> = Generator<void, T>

/** All steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
