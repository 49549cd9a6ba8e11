/** More delays of one interval than these are sampled. */
const MAX_SAMPLES = 4096
const MEDIAN = 0.5
const HIGH = 0.95
const US_PER_MS = 1000

/** Delays of one kind within an interval. */
export interface DelaySummary {
  readonly count: number
  readonly sumMs: number
  /** By nearest rank: always one that was measured. */
  readonly p50Ms: number
  readonly p95Ms: number
}

/** Adds up delays and tells their percentiles: exact up to 4096, of a sample that all had the same chance to be in above. */
export class Delays {
  readonly #samplesUs: number[] = []
  #count = 0
  #sumUs = 0
  #state = 1

  add(delayUs: number): void {
    const us = Math.max(0, delayUs)
    this.#count++
    this.#sumUs += us
    if (this.#samplesUs.length < MAX_SAMPLES) {
      this.#samplesUs.push(us)
      return
    }
    const place = this.#random(this.#count)
    if (place < MAX_SAMPLES) this.#samplesUs[place] = us
  }

  addAll(other: Delays): void {
    for (const us of other.#samplesUs) this.add(us)
  }

  /** Of what was added since the last time; undefined when nothing was. */
  take(): DelaySummary | undefined {
    if (this.#count === 0) return undefined
    const sorted = Float64Array.from(this.#samplesUs).sort()
    const at = (share: number) => (sorted[Math.ceil(share * sorted.length) - 1] ?? 0) / US_PER_MS
    const summary = {
      count: this.#count,
      sumMs: this.#sumUs / US_PER_MS,
      p50Ms: at(MEDIAN),
      p95Ms: at(HIGH),
    }
    this.#samplesUs.length = 0
    this.#count = 0
    this.#sumUs = 0
    return summary
  }

  /** 0 .. limit - 1; xorshift (Marsaglia 2003), the same at every run. */
  #random(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }
}
