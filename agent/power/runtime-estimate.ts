import type { UpsReading } from './ups-reading.ts'

/** Below these a slope says nothing: charge comes in whole percent, and drops in steps. */
const MIN_READINGS = 3
const MIN_SPAN_MS = 300_000
/** Older readings are of another load, or of the steep beginning of a discharge. */
const WINDOW_MS = 900_000
/** Kept of a window, evenly: enough for a slope, however often the unit is polled. */
const SPACING_MS = 5000
/** A load that moved by more than this is another load: relative to the one before, and at least so much of nominal. */
const LOAD_CHANGE_SHARE = 0.1
const LOAD_CHANGE_RATIO = 0.02
const MS_PER_S = 1000

interface Sample {
  readonly atMs: number
  readonly chargeRatio: number
}

/**
 * Time left on battery, by our own reckoning: a straight line through the charge as it falls. What is told as left is the smaller of
 * that and of what the unit says, and it never grows on battery unless the load fell: a unit that finds new minutes while it runs
 * down is not believed.
 */
export class RuntimeEstimate {
  #samples: Sample[] = []
  #loadRatio: number | undefined
  #leftS = Infinity

  /**
   * Takes the next reading of the unit.
   * @param atMs of the reading, by a clock that is never stepped
   */
  observe(
    reading: UpsReading,
    atMs: number,
  ): Pick<UpsReading, 'runtimeEstimateS' | 'runtimeLeftS'> {
    const { line, runtimeS, chargeRatio } = reading
    // A unit not heard of may still be on battery: what was learned stays.
    if (line === 'unknown') return {}
    if (line !== 'battery') {
      this.#forget()
      return { runtimeLeftS: runtimeS }
    }
    this.#followLoad(loadOf(reading))
    if (chargeRatio !== undefined) this.#keep({ atMs, chargeRatio })
    const runtimeEstimateS = this.#estimate(atMs)
    this.#leftS = Math.min(this.#leftS, runtimeS ?? Infinity, runtimeEstimateS ?? Infinity)
    return {
      runtimeEstimateS,
      runtimeLeftS: Number.isFinite(this.#leftS) ? this.#leftS : undefined,
    }
  }

  #forget(): void {
    this.#samples = []
    this.#loadRatio = undefined
    this.#leftS = Infinity
  }

  /** With another load the slope begins anew; only with a smaller one may there be more time left than before. */
  #followLoad(load: number | undefined): void {
    if (load === undefined) return
    const before = this.#loadRatio
    this.#loadRatio ??= load
    if (before === undefined) return
    const change = load - before
    if (Math.abs(change) <= Math.max(LOAD_CHANGE_RATIO, LOAD_CHANGE_SHARE * before)) return
    this.#loadRatio = load
    this.#samples = []
    if (change < 0) this.#leftS = Infinity
  }

  #keep(sample: Sample): void {
    const newest = this.#samples.at(-1)
    if (newest !== undefined && sample.atMs - newest.atMs < SPACING_MS) return
    this.#samples.push(sample)
    this.#samples = this.#samples.filter(({ atMs }) => atMs >= sample.atMs - WINDOW_MS)
  }

  /** Least squares; undefined where the charge does not fall, or nobody can tell yet. */
  #estimate(nowMs: number): number | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined) return undefined
    if (this.#samples.length < MIN_READINGS || last.atMs - first.atMs < MIN_SPAN_MS)
      return undefined
    const count = this.#samples.length
    const meanMs = this.#samples.reduce((sum, { atMs }) => sum + atMs, 0) / count
    const meanRatio = this.#samples.reduce((sum, { chargeRatio }) => sum + chargeRatio, 0) / count
    let covariance = 0
    let variance = 0
    for (const { atMs, chargeRatio } of this.#samples) {
      covariance += (atMs - meanMs) * (chargeRatio - meanRatio)
      variance += (atMs - meanMs) ** 2
    }
    const perMs = covariance / variance
    if (perMs >= 0) return undefined
    // The line, not the last reading: between two steps of a whole percent the line knows better.
    const now = meanRatio + perMs * (nowMs - meanMs)
    return Math.max(0, now / -perMs / MS_PER_S)
  }
}

function loadOf({ loadRatio, loadW, nominalW }: UpsReading): number | undefined {
  if (loadRatio !== undefined) return loadRatio
  return loadW !== undefined && nominalW !== undefined && nominalW > 0
    ? loadW / nominalW
    : undefined
}
