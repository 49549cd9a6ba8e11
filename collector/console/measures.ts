import type { PathHistoryView, PathView } from '../http/overview.ts'
import { limitPercent, milliseconds, mos, percent } from './format.ts'

/** What is drawn of a path over the last 15 minutes. */
export interface Measure {
  readonly title: string
  /** Said where no source measured it. */
  readonly missing: string
  readonly valuesOf: (history: PathHistoryView) => readonly (number | null)[]
  readonly limitOf: (row: PathView) => number | null
  readonly isBeyond: (value: number, limit: number) => boolean
  /** "over" or "below", said beside a value beyond its limit. */
  readonly beyond: string
  readonly words: (value: number, limit: number | null) => string
  /** "3 %" */
  readonly limitWords: (limit: number) => string
  /** Beside the axis. */
  readonly axisWords: (value: number) => string
  /** Where the axis is marked; by itself where not said. */
  readonly marks?: readonly number[]
  /** Ends of the scale, from the highest value and limit in it. */
  readonly scale: (highest: number, limit: number | null) => readonly [least: number, most: number]
}

/** The scale reaches at least twice the limit, so that the limit stands in the middle of a calm chart. */
const LEAST_SCALE = 2
const LEAST_JITTER_MS = 10
/** ITU-T P.800: opinion scores go from 1 (bad) to 5 (excellent). */
const MOS_SCALE = [1, 5] as const

export const MEASURES: readonly Measure[] = [
  {
    title: 'Loss',
    missing: 'No loss measured.',
    valuesOf: ({ loss }) => loss,
    limitOf: ({ limitRatio }) => limitRatio,
    isBeyond: (value, limit) => value > limit,
    beyond: 'over',
    words: (value, limit) => percent(value, limit ?? undefined),
    limitWords: limitPercent,
    axisWords: limitPercent,
    scale: (highest, limit) => [0, Math.max((limit ?? 0) * LEAST_SCALE, highest)],
  },
  {
    title: 'Jitter',
    missing: 'No jitter measured.',
    valuesOf: ({ jitterMs }) => jitterMs,
    limitOf: ({ jitterLimitMs }) => jitterLimitMs,
    isBeyond: (value, limit) => value > limit,
    beyond: 'over',
    words: milliseconds,
    limitWords: (limit) => `${limit}\u00a0ms`,
    axisWords: (value) => `${value}\u00a0ms`,
    scale: (highest, limit) => [0, Math.max(LEAST_JITTER_MS, (limit ?? 0) * 1.2, highest)],
  },
  {
    title: 'MOS',
    missing:
      'No MOS: it is rated where the packets of calls are counted, for codecs that have a rating.',
    valuesOf: ({ mosLq }) => mosLq,
    limitOf: ({ mosLimit }) => mosLimit,
    isBeyond: (value, limit) => value < limit,
    beyond: 'below',
    words: mos,
    limitWords: String,
    axisWords: String,
    marks: [1, 2, 3, 4, 5],
    scale: () => MOS_SCALE,
  },
]

/** "8.1 %, over": what a reader, a screen reader and the table of figures are told of one step. */
export function stepWords(measure: Measure, row: PathView, step: number): string {
  const value = measure.valuesOf(row.history)[step] ?? null
  if (value === null) return 'nothing measured'
  const limit = measure.limitOf(row)
  const isBeyond = limit !== null && measure.isBeyond(value, limit)
  return `${measure.words(value, limit)}${isBeyond ? `, ${measure.beyond}` : ''}`
}
