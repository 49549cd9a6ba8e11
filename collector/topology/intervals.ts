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

/** What takes over when something else does not work. */
export interface StandIn {
  /** From the loss until it takes over. */
  readonly startMin: number
  /** From then on; Infinity where it does not run out. */
  readonly lastsMin: number
  /** The same for losses that come later. */
  readonly laterLastsMin: number
  /** How long ago it was lost, where it is lost now. */
  readonly lostForMin: number
}

/** When either works: what is stood in for, and in its gaps what stands in. */
export function backedBy(primary: Intervals, standIn: StandIn): Intervals {
  const { startMin, lastsMin, laterLastsMin, lostForMin } = standIn
  const parts = gapsOf(primary).map(({ from: lost, to: back }) => {
    const start = lost === 0 ? startMin - lostForMin : lost + startMin
    const from = Math.max(lost, start)
    const to = Math.min(back, start + (lost === 0 ? lastsMin : laterLastsMin))
    return { from, to }
  })
  return atLeastOf(1, [primary, parts.filter(({ from, to }) => to > from)])
}

function gapsOf(intervals: Intervals): Intervals {
  const gaps: Interval[] = []
  let from = 0
  for (const interval of intervals) {
    if (interval.from > from) gaps.push({ from, to: interval.from })
    from = interval.to
  }
  return Number.isFinite(from) ? [...gaps, { from, to: Infinity }] : gaps
}

/** Until it stops for the first time: 0 when it does not work now, undefined when it does not stop. */
export function minutesLeft([first]: Intervals): number | undefined {
  if (first === undefined || first.from > 0) return 0
  return Number.isFinite(first.to) ? first.to : undefined
}

export function isSame(one: Intervals, other: Intervals): boolean {
  return (
    one.length === other.length &&
    one.every(({ from, to }, at) => from === other[at]?.from && to === other[at].to)
  )
}
