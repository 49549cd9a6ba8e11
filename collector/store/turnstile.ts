import { TransientError } from '../../common/errors.ts'

/** Lets so many tasks run at a time and keeps so many waiting, in order of arrival; the rest is refused. */
export class Turnstile {
  readonly #width: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(width: number, maxWaiting: number) {
    this.#width = width
    this.#maxWaiting = maxWaiting
  }

  /** @throws TransientError `store-busy` when too many wait already */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.#width) this.#running++
    else {
      if (this.#waiting.length >= this.#maxWaiting) {
        throw new TransientError('store-busy', `${this.#maxWaiting} requests already wait`)
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
