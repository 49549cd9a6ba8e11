import { z } from 'zod'
import { duration, ratio } from '../../common/settings.ts'
import { fits, us, type PathName } from './path-limits.ts'

/** A limit that is off is absent. */
export interface QualityLimits {
  /** Interarrival jitter above this is over. */
  readonly jitterMs: number | undefined
  /** Listening quality below this is over. */
  readonly mosLq: number | undefined
  /** Lost and discarded packets above this share are over. */
  readonly effectiveLossRatio: number | undefined
  /** Whether a MOS whose codec's impairments are an assumption counts. */
  readonly isAssumedMosJudged: boolean
  readonly holdUs: number
  readonly clearHoldUs: number
  /** For points that do not say how long their interval is. */
  readonly intervalUs: number
  /** A stream with fewer packets in an interval is not judged. */
  readonly minExpected: number
}

const MIN_MOS = 1
const MAX_MOS = 4.5

const off = z.literal(['off', false])
const LIMITS = {
  jitter: z.union([off, duration], 'expected off, or a duration such as 30ms').optional(),
  mos: z
    .union([off, z.number().min(MIN_MOS).max(MAX_MOS)], 'expected off, or a MOS from 1 to 4.5')
    .optional(),
  'effective-loss': z.union([off, ratio], 'expected off, or a share such as 5%').optional(),
  'assumed-mos': z.boolean().optional(),
  hold: duration.optional(),
  'clear-hold': duration.optional(),
  interval: duration.optional(),
  'min-expected': z.int().min(1).max(1_000_000).optional(),
} as const

const override = z.strictObject({
  from: z.string().optional(),
  to: z.string().optional(),
  at: z.string().optional(),
  ...LIMITS,
})

type Written = Omit<z.output<typeof override>, keyof PathName>

/** 30 ms is half of what a fixed jitter buffer of 60 ms takes; below MOS 3.6 many users are dissatisfied (ITU-T G.109 table 1). */
const DEFAULTS: QualityLimits = {
  jitterMs: 30,
  mosLq: 3.6,
  effectiveLossRatio: undefined,
  isAssumedMosJudged: false,
  holdUs: 20_000_000,
  clearHoldUs: 60_000_000,
  intervalUs: 10_000_000,
  minExpected: 100,
}

/** The limits of every path, as for path-loss: the defaults, what the file says of all paths, what it says of this one. */
export const qualityLimits = z
  .strictObject({ ...LIMITS, paths: z.array(override).max(10_000).default([]) })
  .transform(({ paths, ...general }) => {
    const base = merge(DEFAULTS, general)
    const special = paths.map((entry) => ({ entry, limits: merge(base, entry) }))
    return (path: PathName): QualityLimits =>
      special.find(({ entry }) => fits(entry, path))?.limits ?? base
  })

function merge(base: QualityLimits, written: Written): QualityLimits {
  return {
    jitterMs: limitOf(written.jitter, base.jitterMs),
    mosLq: limitOf(written.mos, base.mosLq),
    effectiveLossRatio: limitOf(written['effective-loss'], base.effectiveLossRatio),
    isAssumedMosJudged: written['assumed-mos'] ?? base.isAssumedMosJudged,
    holdUs: us(written.hold) ?? base.holdUs,
    clearHoldUs: us(written['clear-hold']) ?? base.clearHoldUs,
    intervalUs: us(written.interval) ?? base.intervalUs,
    minExpected: written['min-expected'] ?? base.minExpected,
  }
}

function limitOf(
  written: number | 'off' | false | undefined,
  base: number | undefined,
): number | undefined {
  if (written === undefined) return base
  return typeof written === 'number' ? written : undefined
}
