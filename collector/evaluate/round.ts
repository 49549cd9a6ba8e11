import { z } from 'zod'
import type { Pool, Share } from './verdict.ts'

/** A MOS compares within its scale only; '' where it was not told. */
export const MOS_SCALES = ['narrowband', 'wideband', 'fullband'] as const

const sampleSchema = z.object({
  endUs: z.number(),
  intervalUs: z.number(),
  expected: z.number(),
  lost: z.number(),
  /** What its tap dropped in the interval, over all streams. */
  drops: z.number(),
  /** Extended sequence numbers; below 0 where not told. */
  sequenceFirst: z.number(),
  sequenceLast: z.number(),
  /** Below 0 where not measured, likewise the following. */
  jitterMs: z.number(),
  roundTripMs: z.number(),
  mosLq: z.number(),
  mosScale: z.enum([...MOS_SCALES, '']),
  isMosAssumed: z.boolean(),
  /** Lost on the way or too late for the jitter buffer, packets; below 0 like `lost` at times, null where not measured. */
  effectiveLost: z.number().nullable(),
  isEnded: z.boolean(),
})

const intervalSchema = sampleSchema.extend({
  key: z.string(),
  label: z.string(),
  agent: z.string(),
  /** The agent, and which of its taps: each has its own drops. */
  observer: z.string(),
  /** The same for observers of the same stream: SSRC and, where it is known, payload type. */
  identity: z.string(),
})

/** What an interval of a stream says, without its names. */
export type Sample = Readonly<z.output<typeof sampleSchema>>

/** What a restart needs to go on without counting an interval twice. */
export const roundsSchema = z.object({
  coveredUs: z.number().exactOptional(),
  /** Observer and the end of what it had reported. */
  observers: z.array(z.tuple([z.string(), z.number()])),
  /** The round being gathered. */
  open: z.array(intervalSchema),
})

export type RoundsMemory = z.output<typeof roundsSchema>

/** One stream in one interval, as it comes in. */
export type StreamInterval = Readonly<z.output<typeof intervalSchema>>

export interface Stream extends Share {
  readonly agent: string
  readonly observer: string
  readonly identity: string
  /** Of the round being gathered. */
  expected: number
  lost: number
  /** The newest interval, and the rounds it was last counted for and poured into. */
  newest: Sample
  round: number
  pooledRound: number
  /** Since the alert of this number is pending: the evidence of streams by themselves. */
  pending: number
  sinceExpected: number
  sinceLost: number
}

/** What one tap contributed to a round. */
export interface TapShare {
  readonly agent: string
  readonly observer: string
  readonly expected: number
  readonly lost: number
  readonly drops: number
}

export interface Round extends Pool {
  readonly startUs: number
  readonly endUs: number
  readonly intervalUs: number
  /** Interval time not covered by earlier rounds. */
  readonly coveredUs: number
  readonly shares: readonly Stream[]
  readonly taps: readonly TapShare[]
  readonly jitterMs: number | undefined
  readonly roundTripMs: number | undefined
}

/** Of a stream nothing was counted of yet. */
export const NO_SAMPLE: Sample = {
  endUs: -Infinity,
  intervalUs: 0,
  expected: 0,
  lost: 0,
  drops: 0,
  sequenceFirst: -1,
  sequenceLast: -1,
  jitterMs: -1,
  roundTripMs: -1,
  mosLq: -1,
  mosScale: '',
  isMosAssumed: false,
  effectiveLost: null,
  isEnded: false,
}

/**
 * Without the names: strings of a batch, kept, would keep the whole batch in memory for as long as the stream lives. Member by member, for
 * there are thousands of these per second.
 */
export function sampleOf(point: StreamInterval): Sample {
  return {
    endUs: point.endUs,
    intervalUs: point.intervalUs,
    expected: point.expected,
    lost: point.lost,
    drops: point.drops,
    sequenceFirst: point.sequenceFirst,
    sequenceLast: point.sequenceLast,
    jitterMs: point.jitterMs,
    roundTripMs: point.roundTripMs,
    mosLq: point.mosLq,
    mosScale: point.mosScale,
    isMosAssumed: point.isMosAssumed,
    effectiveLost: point.effectiveLost,
    isEnded: point.isEnded,
  }
}
