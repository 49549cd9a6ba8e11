import { z } from 'zod'
import { duration, ratio } from '../../common/settings.ts'

const US_PER_MS = 1000

/** What a path is judged by. Times are microseconds, shares 0..1. */
export interface PathLimits {
  /** Exactly this is still acceptable. */
  readonly limitRatio: number
  /** Above this the alert is critical. */
  readonly severeRatio: number
  /** Below this the path is well again. */
  readonly clearRatio: number
  readonly holdUs: number
  readonly clearHoldUs: number
  /** For points that do not say how long their interval is. */
  readonly intervalUs: number
  /** Fewer packets are too few to judge. */
  readonly minExpected: number
}

/** How a path is named where it has limits of its own; what is left out fits any. */
export interface PathName {
  readonly from: string
  readonly to: string
  readonly at: string
}

const LIMITS = {
  limit: ratio.optional(),
  severe: ratio.optional(),
  clear: ratio.optional(),
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

/** From the source document of the 3 % rule: 3 % is acceptable, 10 % conceivable on the Internet. */
const DEFAULTS: PathLimits = {
  limitRatio: 0.03,
  severeRatio: 0.1,
  clearRatio: 0.02,
  holdUs: 20_000_000,
  clearHoldUs: 60_000_000,
  intervalUs: 10_000_000,
  minExpected: 100,
}

/** The limits of every path: the defaults, what the file says of all paths, what it says of this one; the first entry that fits. */
export const pathLimits = z
  .strictObject({ ...LIMITS, paths: z.array(override).max(10_000).default([]) })
  .transform(({ paths, ...general }, context) => {
    const base = merge(DEFAULTS, general)
    const special = paths.map((entry) => ({ entry, limits: merge(base, entry) }))
    if (!isOrdered(base))
      context.issues.push({ code: 'custom', message: OUT_OF_ORDER, input: general })
    for (const [index, { limits }] of special.entries())
      if (!isOrdered(limits))
        context.issues.push({
          code: 'custom',
          path: ['paths', index],
          message: OUT_OF_ORDER,
          input: paths,
        })
    return (path: PathName): PathLimits =>
      special.find(({ entry }) => fits(entry, path))?.limits ?? base
  })

const OUT_OF_ORDER = 'expected clear <= limit <= severe'

function isOrdered({ clearRatio, limitRatio, severeRatio }: PathLimits): boolean {
  return clearRatio <= limitRatio && limitRatio <= severeRatio
}

export function fits(
  entry: { readonly [Tag in keyof PathName]?: string | undefined },
  path: PathName,
): boolean {
  return (
    (entry.from ?? path.from) === path.from &&
    (entry.to ?? path.to) === path.to &&
    (entry.at ?? path.at) === path.at
  )
}

function merge(base: PathLimits, written: Written): PathLimits {
  return {
    limitRatio: written.limit ?? base.limitRatio,
    severeRatio: written.severe ?? base.severeRatio,
    clearRatio: written.clear ?? base.clearRatio,
    holdUs: us(written.hold) ?? base.holdUs,
    clearHoldUs: us(written['clear-hold']) ?? base.clearHoldUs,
    intervalUs: us(written.interval) ?? base.intervalUs,
    minExpected: written['min-expected'] ?? base.minExpected,
  }
}

export function us(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms * US_PER_MS
}
