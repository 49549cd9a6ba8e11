import { z } from 'zod'

const SLICES = 20
/** No point is taken from further ahead. */
const FUTURE_US = 60_000_000

export type Counts = Readonly<Record<string, number>>

export const windowSchema = z.object({
  heardUs: z.number(),
  slices: z.array(z.tuple([z.number(), z.record(z.string(), z.number())])),
})
export type WindowMemory = z.output<typeof windowSchema>

/**
 * Sums of one object's counts over the newest part of event time. It is cut into slices, and a slice goes as a whole: what is kept does
 * not grow with what is counted.
 */
export class Window {
  readonly #sliceUs: number
  readonly #slices: Map<number, Record<string, number>>
  /** End of what was told: a point sent twice counts once. */
  #heardUs: number

  constructor(lengthUs: number, restored?: WindowMemory) {
    this.#sliceUs = lengthUs / SLICES
    this.#slices = new Map(restored?.slices)
    this.#heardUs = restored?.heardUs ?? -Infinity
  }

  get heardUs(): number {
    return this.#heardUs
  }

  get isEmpty(): boolean {
    return this.#slices.size === 0
  }

  /** @returns false for what was told before */
  add(timeUs: number, counts: Counts): boolean {
    if (timeUs <= this.#heardUs) return false
    this.#heardUs = timeUs
    const at = Math.floor(timeUs / this.#sliceUs)
    const slice = this.#slices.get(at) ?? {}
    for (const [name, count] of Object.entries(counts)) slice[name] = (slice[name] ?? 0) + count
    this.#slices.set(at, slice)
    return true
  }

  /** Leaves out what is older than the window; and what lies ahead of it, for then our clock was set back. */
  trim(nowUs: number): void {
    const oldest = Math.floor(nowUs / this.#sliceUs) - SLICES
    const newest = Math.floor((nowUs + FUTURE_US) / this.#sliceUs)
    for (const at of this.#slices.keys()) if (at <= oldest || at > newest) this.#slices.delete(at)
    if (this.#heardUs > nowUs + FUTURE_US) this.#heardUs = nowUs
  }

  /** `fromUs`: slices that end before do not count. */
  sum(name: string, fromUs = -Infinity): number {
    let sum = 0
    for (const [at, counts] of this.#slices)
      if ((at + 1) * this.#sliceUs > fromUs) sum += counts[name] ?? 0
    return sum
  }

  /** Start of the oldest slice that has any of it. */
  sinceUs(name: string, fromUs = -Infinity): number | undefined {
    let oldest: number | undefined
    for (const [at, counts] of this.#slices)
      if ((counts[name] ?? 0) > 0 && (at + 1) * this.#sliceUs > fromUs)
        oldest = Math.min(oldest ?? at, at)
    return oldest === undefined ? undefined : oldest * this.#sliceUs
  }

  get memory(): WindowMemory {
    return { heardUs: this.#heardUs, slices: [...this.#slices] }
  }
}
