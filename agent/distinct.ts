import type { Measurement } from '../common/measurement.ts'

/** Two points of one series closer than this may belong to the same interval: the later one is moved behind the earlier. */
const SAME_INSTANT_US = 1_000_000
/** Series remembered across batches; when there are more, the memory starts anew. */
const MAX_SERIES = 10_000

/**
 * Gives points their identity, in this one place before the spool: the tags `site` and `agent`, and a stamp of their own. A point is
 * its series (name and tags) and its stamp; a second one with the same would overwrite the first. So the n-th point of a series with
 * one stamp is moved by n µs, in the order given, and what a second batch stamps within a second of the first goes behind it.
 */
export class Distinct {
  readonly #own: Readonly<Record<string, string>>
  readonly #newestUs = new Map<string, number>()

  constructor(own: { readonly site: string; readonly agent: string }) {
    this.#own = { site: own.site, agent: own.agent }
  }

  complete(points: readonly Measurement[]): readonly Measurement[] {
    const batch = new Map<string, SeriesStamps>()
    const completed = points.map((point) => {
      const tags = { ...point.tags, ...this.#own }
      const series = seriesOf(point.name, tags)
      let stamps = batch.get(series)
      if (stamps === undefined) {
        stamps = {
          newestBeforeUs: this.#newestUs.get(series) ?? -Infinity,
          taken: new Set(),
          next: new Map(),
        }
        batch.set(series, stamps)
      }
      return { ...point, tags, timeUs: freeStamp(Math.round(point.timeUs), stamps) }
    })
    if (this.#newestUs.size + batch.size > MAX_SERIES) this.#newestUs.clear()
    for (const [series, { taken }] of batch) this.#newestUs.set(series, maximum(taken))
    return completed
  }
}

interface SeriesStamps {
  readonly newestBeforeUs: number
  readonly taken: Set<number>
  /** By a stamp asked for: the first that may still be free. */
  readonly next: Map<number, number>
}

function freeStamp(wantedUs: number, stamps: SeriesStamps): number {
  const { newestBeforeUs, taken, next } = stamps
  const isBehind = wantedUs <= newestBeforeUs && newestBeforeUs - wantedUs < SAME_INSTANT_US
  let stampUs = next.get(wantedUs) ?? (isBehind ? newestBeforeUs + 1 : wantedUs)
  while (taken.has(stampUs)) stampUs++
  taken.add(stampUs)
  next.set(wantedUs, stampUs + 1)
  return stampUs
}

function seriesOf(name: string, tags: Readonly<Record<string, string>>): string {
  return JSON.stringify([name, ...Object.entries(tags).sort(([a], [b]) => (a < b ? -1 : 1))])
}

function maximum(numbers: Iterable<number>): number {
  let highest = -Infinity
  for (const number of numbers) highest = Math.max(highest, number)
  return highest
}
