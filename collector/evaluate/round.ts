import { z } from 'zod'
import type { Pool, Share } from './verdict.ts'

const intervalSchema = z.object({
  key: z.string(),
  label: z.string(),
  agent: z.string(),
  /** The same for observers of the same stream: SSRC and payload type. */
  identity: z.string(),
  endUs: z.number(),
  intervalUs: z.number(),
  expected: z.number(),
  lost: z.number(),
  /** What its tap dropped in the interval, over all streams. */
  drops: z.number(),
  /** Below 0 where not measured, likewise the round trip. */
  jitterMs: z.number(),
  roundTripMs: z.number(),
  isEnded: z.boolean(),
})

/** What a restart needs to go on without counting an interval twice. */
export const roundsSchema = z.object({
  coveredUs: z.number().exactOptional(),
  /** Agent and the end of what it had reported. */
  observers: z.array(z.tuple([z.string(), z.number()])),
  /** The round being gathered. */
  open: z.array(intervalSchema),
})

export type RoundsMemory = z.output<typeof roundsSchema>

/** One stream in one interval, as it comes in. */
export type StreamInterval = Readonly<z.output<typeof intervalSchema>>

export interface Stream extends Share {
  readonly agent: string
  readonly identity: string
  /** Of the round being gathered. */
  expected: number
  lost: number
  /** Newest end, the interval that ended there, and the rounds it was last counted for and poured into. */
  endUs: number
  intervalUs: number
  round: number
  pooledRound: number
  isEnded: boolean
  /** Since the alert of this number is pending: the evidence of streams by themselves. */
  pending: number
  sinceExpected: number
  sinceLost: number
}

export interface Round extends Pool {
  readonly startUs: number
  readonly endUs: number
  readonly intervalUs: number
  /** Interval time not covered by earlier rounds. */
  readonly coveredUs: number
  readonly shares: readonly Stream[]
  readonly jitterMs: number | undefined
  readonly roundTripMs: number | undefined
}
