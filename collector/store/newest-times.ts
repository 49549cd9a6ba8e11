/** Clocks of agents may run ahead; a series further in the future than this says nothing about the others. */
const FUTURE_US = 3_600_000_000
/** Enough for every series of a large site; some 10 MB. */
const DEFAULT_CAPACITY = 100_000

/**
 * Knows of each series the newest time ever written, so that a point newer than it is certainly not in the store yet and need not
 * be looked for. Holds a bounded number of series: of those forgotten it remembers one time, the floor, which none of them exceeds.
 * Saying "perhaps there" of a new point costs a look into the store; it never says "new" of one that is there.
 */
export class NewestTimes {
  readonly #perGeneration: number
  #young = new Map<number, number>()
  #old = new Map<number, number>()
  #floorUs: number

  /** @param floorUs no series but those then given to `advance` has a point newer than this */
  constructor(floorUs: number, capacity = DEFAULT_CAPACITY) {
    this.#floorUs = floorUs
    this.#perGeneration = Math.ceil(capacity / 2)
  }

  /** True when the point is certainly new; remembers its time. Series that share a number are taken for one: slower, still right. */
  advance(series: number, timeUs: number, nowUs: number): boolean {
    const newestUs = this.#young.get(series) ?? this.#old.get(series) ?? this.#floorUs
    if (timeUs <= newestUs) return false
    this.#young.set(series, timeUs)
    if (this.#young.size >= this.#perGeneration) this.#forgetOld(nowUs + FUTURE_US)
    return true
  }

  /** Series not heard of for a whole generation go, and raise the floor, but for those whose clocks run ahead. */
  #forgetOld(horizonUs: number): void {
    const kept = new Map<number, number>()
    for (const [series, newestUs] of this.#old) {
      if (this.#young.has(series)) continue
      if (newestUs > horizonUs && kept.size < this.#perGeneration / 2) kept.set(series, newestUs)
      else this.#floorUs = Math.max(this.#floorUs, newestUs)
    }
    this.#old = this.#young
    this.#young = kept
  }
}

/** A number for the tags of a point, in the order of `names`: FNV-1a, 32 bits. */
export function seriesNumber(
  names: readonly string[],
  tags: Readonly<Record<string, string>>,
): number {
  const offsetBasis = 0x811c9dc5
  const prime = 0x01000193
  const endOfTag = 0x10000
  let hash = offsetBasis
  for (const name of names) {
    const value = tags[name] ?? ''
    for (let index = 0; index < value.length; index++) {
      hash = Math.imul(hash ^ value.charCodeAt(index), prime)
    }
    hash = Math.imul(hash ^ endOfTag, prime)
  }
  return hash
}
