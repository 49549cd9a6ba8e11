/** A stretch of time from now, in minutes. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** When something works: sorted, apart from each other. */
export type Intervals = readonly Interval[]

export const ALWAYS: Intervals = [{ from: 0, to: Infinity }]
export const NOT_AT_ALL: Intervals = []

/** When at least k of them work. */
export function atLeastOf(k: number, all: readonly Intervals[]): Intervals {
  if (k <= 0) return ALWAYS
  const steps = all
    .flat()
    .flatMap(({ from, to }) => [
      { at: from, by: 1 },
      { at: to, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || b.by - a.by)
  const intervals: Interval[] = []
  let working = 0
  let from = 0
  for (const { at, by } of steps) {
    const before = working
    working += by
    if (before < k && working >= k) from = at
    if (before >= k && working < k && at > from) intervals.push({ from, to: at })
  }
  return intervals
}

/** A device that loses its power needs so long until it works again: taken from the start of every interval that begins after now. */
export function afterBoot(intervals: Intervals, bootMin: number): Intervals {
  return intervals
    .map(({ from, to }) => ({ from: from > 0 ? from + bootMin : from, to }))
    .filter(({ from, to }) => to > from)
}
