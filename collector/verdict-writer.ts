import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { Store } from './store/store.ts'

/** When full, the oldest go. */
const MAX_WAITING = 20_000
const MAX_AT_ONCE = 5000

/** Brings what the collector itself finds out into the store, without anybody waiting for it. */
export class VerdictWriter {
  readonly #store: Pick<Store, 'write'>
  readonly #log: Logger
  #waiting: Measurement[] = []
  #writing: Promise<void> | undefined
  #isFailing = false
  #dropped = 0

  constructor(store: Pick<Store, 'write'>, log: Logger) {
    this.#store = store
    this.#log = log
  }

  /** Points lost because the store was away for too long. */
  get dropped(): number {
    return this.#dropped
  }

  add(points: readonly Measurement[]): void {
    this.#waiting.push(...points)
    const excess = this.#waiting.length - MAX_WAITING
    if (excess > 0) {
      this.#dropped += excess
      this.#waiting = this.#waiting.slice(excess)
    }
    if (!this.#isFailing) void this.flush()
  }

  /** Writes what waits; to be called now and then, so that a store that was away gets it when it is back. */
  async flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_AT_ONCE)
      try {
        await this.#store.write(batch)
        this.#isFailing = false
      } catch (error) {
        if (!this.#isFailing)
          this.#log.warn({ reason: reasonOf(error) }, 'verdicts cannot be stored: they wait')
        this.#isFailing = true
        this.#waiting = [...batch, ...this.#waiting]
        return
      }
    }
  }
}
