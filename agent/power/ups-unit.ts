import { FrozenReading } from './frozen-reading.ts'
import { RuntimeEstimate } from './runtime-estimate.ts'
import type { UpsReading } from './ups-reading.ts'

/** What must not wait for the rest of a poll to be told. */
const URGENT = ['line', 'commsLost', 'lowBattery', 'forcedShutdown', 'shutdownPending'] as const

export interface JudgedReading {
  readonly reading: UpsReading
  /** The line, the low battery or the contact is another than before: to be reported at once. */
  readonly isUrgent: boolean
}

/** What is remembered of one unit from poll to poll, whatever it is read by: whether it stands still, how fast it runs down. */
export class UpsUnit {
  readonly #frozen = new FrozenReading()
  readonly #runtime = new RuntimeEstimate()
  #told: UpsReading = { line: 'online', commsLost: false }

  /** @param atMs of the reading, by a clock that is never stepped */
  judge(read: UpsReading, atMs: number): JudgedReading {
    const believed = this.#frozen.check(read, atMs)
    const reading = { ...believed, ...this.#runtime.observe(believed, atMs) }
    const before = this.#told
    this.#told = reading
    const isUrgent = URGENT.some((key) => (reading[key] ?? false) !== (before[key] ?? false))
    return { reading, isUrgent }
  }
}
