const MS_PER_S = 1000
const US_PER_MS = 1000
/** Below this a clock is taken as right: a push over a bad line may itself take that long. */
const WORTH_CORRECTING_MS = MS_PER_S
/** The smallest of so many pushes is taken: delay on the way only ever adds to what is measured (RFC 5905 section 10, clock filter). */
const KEPT_SAMPLES = 8
/** So many pushes in a row that all disagree with the best: the clock was set back, it is not delay. */
const SAMPLES_OF_A_STEP = 3
const REMEMBERED_BATCHES = 1000

/**
 * How far behind the collector's clock an agent's clock is, from when a push was sent (the agent's clock) and when it arrived (ours).
 * Points are corrected by it only from a second on, and the correction moves only when the clock does, so that a point sent twice
 * keeps its time.
 */
export class ClockOffset {
  readonly #samples: number[] = []
  readonly #batches = new Map<string, number>()
  #appliedMs: number

  constructor(appliedMs = 0) {
    this.#appliedMs = appliedMs
  }

  /** What is added to the times of the agent's points now; 0 while its clock is right. */
  get appliedMs(): number {
    return this.#appliedMs
  }

  /** The offset as measured, undefined before the first push. Positive: the agent's clock is behind. */
  get measuredMs(): number | undefined {
    return this.#samples.length === 0 ? undefined : Math.min(...this.#samples)
  }

  /**
   * A push; gives the correction for its points in microseconds. A batch that was seen before gets the correction it had.
   */
  push(sentAtMs: number, arrivedMs: number, batchId?: string): number {
    this.#learn(arrivedMs - sentAtMs)
    const known = batchId === undefined ? undefined : this.#batches.get(batchId)
    const correctionMs = known ?? this.#appliedMs
    if (batchId !== undefined && known === undefined) this.#remember(batchId, correctionMs)
    return correctionMs * US_PER_MS
  }

  #learn(sampleMs: number): void {
    this.#samples.push(sampleMs)
    if (this.#samples.length > KEPT_SAMPLES) this.#samples.shift()
    const newest = this.#samples.slice(-SAMPLES_OF_A_STEP)
    const best = Math.min(...this.#samples)
    if (newest.length === SAMPLES_OF_A_STEP && Math.min(...newest) - best > WORTH_CORRECTING_MS) {
      this.#samples.splice(0, this.#samples.length - SAMPLES_OF_A_STEP)
    }
    const measuredMs = Math.min(...this.#samples)
    if (Math.abs(measuredMs - this.#appliedMs) <= WORTH_CORRECTING_MS) return
    this.#appliedMs = Math.abs(measuredMs) >= WORTH_CORRECTING_MS ? Math.round(measuredMs) : 0
  }

  #remember(batchId: string, correctionMs: number): void {
    this.#batches.set(batchId, correctionMs)
    if (this.#batches.size <= REMEMBERED_BATCHES) return
    for (const oldest of this.#batches.keys()) {
      this.#batches.delete(oldest)
      return
    }
  }
}
