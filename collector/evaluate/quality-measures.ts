import type { QualityLimits } from './quality-limits.ts'
import { MOS_SCALES, type Round, type Stream } from './round.ts'
import { isAbove, judge, ratioOf, type Verdict } from './verdict.ts'
import { lowerBound } from './wilson.ts'
import { count, percent } from './words.ts'

/** A path is over when this many streams, */
const STREAMS_OVER = 2
/** and this share of those measured are over by themselves; the same as for loss. */
const STREAMS_OVER_RATIO = 0.1
/** Well again is below two thirds of a limit, as 2 % is of 3 %; */
const CLEAR_SHARE = 2 / 3
/** of MOS, so much above it. */
const CLEAR_MOS = 0.1
/** Drops of the tap beyond this share of what the bad streams should have had could be what made them bad. */
const TAINT_RATIO = 0.01
const MOS_DECIMALS = 2

/** What one measure says of a round. */
export interface QualityVerdict {
  readonly meaning: Verdict['meaning']
  /** What the share over rests on: streams, or packets of effective loss. */
  readonly trials: number
  readonly hits: number
  /** Whether chance is ruled out for this round. */
  readonly isEvident: boolean
  readonly summary: string
  readonly evidence: Readonly<Record<string, number | string>>
}

export interface QualityMeasure {
  /** As in the fingerprint; each has an alert of its own. */
  readonly name: string
  readonly rule: 'path-jitter' | 'path-mos' | 'path-effective-loss'
  /** Undefined while its limit is off. */
  readonly judge: (
    round: Round,
    source: string,
    limits: QualityLimits,
  ) => QualityVerdict | undefined
}

/** One alert for each: MOS of one scale is never pooled with that of another. */
export const QUALITY_MEASURES: readonly QualityMeasure[] = [
  {
    name: 'jitter',
    rule: 'path-jitter',
    judge: (round, source, limits) =>
      limits.jitterMs === undefined
        ? undefined
        : judgeStreams(round, source, limits, {
            limit: limits.jitterMs,
            clear: limits.jitterMs * CLEAR_SHARE,
            isHighBad: true,
            valueOf: ({ newest }) => (newest.jitterMs < 0 ? undefined : newest.jitterMs),
            words: (value) => `${Math.round(value)} ms jitter`,
            unit: 'jitter_ms',
          }),
  },
  ...MOS_SCALES.map((scale): QualityMeasure => ({
    name: `mos-${scale}`,
    rule: 'path-mos',
    judge: (round, source, limits) =>
      limits.mosLq === undefined
        ? undefined
        : judgeStreams(round, source, limits, {
            limit: limits.mosLq,
            clear: limits.mosLq + CLEAR_MOS,
            isHighBad: false,
            valueOf: ({ newest }) =>
              newest.mosScale === scale &&
              newest.mosLq > 0 &&
              (limits.isAssumedMosJudged || !newest.isMosAssumed)
                ? newest.mosLq
                : undefined,
            words: (value) => `MOS ${value.toFixed(MOS_DECIMALS)} (${scale})`,
            unit: 'mos_lq',
          }),
  })),
  {
    name: 'effective-loss',
    rule: 'path-effective-loss',
    judge: (round, _source, limits) => judgeEffectiveLoss(round, limits),
  },
]

interface StreamScale {
  readonly limit: number
  readonly clear: number
  readonly isHighBad: boolean
  readonly valueOf: (stream: Stream) => number | undefined
  readonly words: (value: number) => string
  readonly unit: 'jitter_ms' | 'mos_lq'
}

/** Streams are counted, their figures never averaged. */
function judgeStreams(
  round: Round,
  source: string,
  { minExpected }: QualityLimits,
  { limit, clear, isHighBad, valueOf, words, unit }: StreamScale,
): QualityVerdict | undefined {
  const measured = round.shares.flatMap((stream) => {
    const value = valueOf(stream)
    return value === undefined || stream.expected < minExpected ? [] : [{ stream, value }]
  })
  if (measured.length === 0) return undefined
  const isWorse = (value: number, than: number): boolean =>
    isHighBad ? value > than : value < than
  const over = measured.filter(({ value }) => isWorse(value, limit))
  const notWell = measured.filter(({ value }) => isWorse(value, clear))
  // Of a test there is one stream, and it stands for the path.
  const least = source === 'test' ? 1 : STREAMS_OVER
  const areMany = (streams: number): boolean =>
    streams >= least && streams >= STREAMS_OVER_RATIO * measured.length
  const worst = measured.reduce((one, other) => (isWorse(other.value, one.value) ? other : one))
  const expected = over.reduce((total, { stream }) => total + stream.expected, 0)
  const isTainted = round.drops > TAINT_RATIO * expected
  return {
    meaning: areMany(over.length)
      ? isTainted
        ? 'unjudged'
        : 'over'
      : areMany(notWell.length)
        ? 'between'
        : 'under',
    trials: measured.length,
    hits: over.length,
    isEvident: true,
    summary: `${over.length} of ${measured.length} streams ${isHighBad ? 'over' : 'below'} ${words(limit)}, worst ${words(worst.value)}`,
    evidence: {
      streams: measured.length,
      streams_over: over.length,
      worst_stream: `${worst.stream.label} ${words(worst.value)}`,
      [`worst_${unit}`]: worst.value,
      [`limit_${unit}`]: limit,
    },
  }
}

/** Counts of packets, like loss: judged by the same rule. */
function judgeEffectiveLoss(round: Round, limits: QualityLimits): QualityVerdict | undefined {
  const { effectiveLossRatio: limitRatio } = limits
  if (limitRatio === undefined) return undefined
  const shares = round.shares.flatMap(({ key, label, expected, newest: { effectiveLost } }) =>
    effectiveLost === null ? [] : [{ key, label, expected, lost: effectiveLost }],
  )
  if (shares.length === 0) return undefined
  const sum = { expected: 0, lost: 0 }
  for (const { expected, lost } of shares) {
    sum.expected += expected
    sum.lost += lost
  }
  const verdict = judge(
    { ...sum, drops: round.drops, shares },
    { ...limits, limitRatio, severeRatio: 1, clearRatio: limitRatio * CLEAR_SHARE },
  )
  const evident = shares.filter(({ lost, expected }) => lowerBound(lost, expected) > limitRatio)
  const { worst, streamsOver } = verdict
  return {
    meaning: verdict.meaning,
    trials: sum.expected,
    hits: sum.lost - round.drops,
    isEvident:
      evident.length >= STREAMS_OVER && evident.length >= STREAMS_OVER_RATIO * shares.length,
    summary: isAbove(sum, limitRatio)
      ? `${percent(ratioOf(sum))} of ${count(sum.expected)} packets lost or too late for a jitter buffer, limit ${percent(limitRatio)}`
      : `${streamsOver} of ${shares.length} streams over ${percent(limitRatio)} lost or too late for a jitter buffer`,
    evidence: {
      streams: shares.length,
      streams_over: streamsOver,
      expected: sum.expected,
      effective_lost: sum.lost,
      effective_loss_ratio: ratioOf(sum),
      limit_effective_loss_ratio: limitRatio,
      ...(worst === undefined ? {} : { worst_stream: `${worst.label} ${percent(ratioOf(worst))}` }),
    },
  }
}
