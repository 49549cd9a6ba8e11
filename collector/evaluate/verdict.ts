import type { PathLimits } from './path-limits.ts'
import { lowerBound } from './wilson.ts'

/** One stream's share of a pool. */
export interface Share {
  readonly key: string
  /** As people find it again: the SSRC, or the target of a test. */
  readonly label: string
  readonly expected: number
  readonly lost: number
}

/** What is judged: the streams of one interval, or of several where one has too few packets. */
export interface Pool {
  readonly expected: number
  readonly lost: number
  /** Packets the taps themselves dropped: perhaps some of `lost`. */
  readonly drops: number
  /** Each stream once; empty where several intervals are pooled and no stream can be judged by itself. */
  readonly shares: readonly Share[]
}

export type VerdictWord = 'ok' | 'over' | 'severe' | 'tainted' | 'notice' | 'too-few' | 'unknown'

export interface Verdict {
  readonly word: VerdictWord
  /** What the verdict means for the clocks of an alert. */
  readonly meaning: 'over' | 'between' | 'under' | 'unjudged'
  /** Streams over the limit by themselves. */
  readonly streamsOver: number
  /** The stream with the highest loss of those with enough packets. */
  readonly worst: Share | undefined
}

/** A path is over when this many, */
const STREAMS_OVER = 2
/** and this share of its streams are over by themselves. */
const STREAMS_OVER_RATIO = 0.1
/** Among this many streams a single bad one is that call's trouble, not the path's. */
const ONE_OF = 5

export function ratioOf({ lost, expected }: { lost: number; expected: number }): number {
  return expected > 0 ? lost / expected : 0
}

/** Shares are quotients of counts, and "0.7%" read as a number is a hair beside 7/1000: equal is equal within this. */
const SAME = 1e-12

export function isAbove(figures: { lost: number; expected: number }, limitRatio: number): boolean {
  return ratioOf(figures) > limitRatio + SAME
}

export function isBelow(figures: { lost: number; expected: number }, limitRatio: number): boolean {
  return ratioOf(figures) < limitRatio - SAME
}

/** The 3 % rule on one pool; time, evidence and alerts come after it. */
export function judge(pool: Pool, limits: PathLimits): Verdict {
  const { limitRatio, minExpected } = limits
  const judgeable = pool.shares.filter(({ expected }) => expected >= minExpected)
  const over = judgeable.filter((share) => isAbove(share, limitRatio))
  const worst = worstOf(judgeable)
  const say = (word: VerdictWord, meaning: Verdict['meaning']): Verdict => ({
    word,
    meaning,
    streamsOver: over.length,
    worst,
  })
  if (pool.expected < minExpected) return say('too-few', 'unjudged')

  const isPoolOver = isAbove(pool, limitRatio)
  const isManyOver =
    over.length >= STREAMS_OVER && over.length >= STREAMS_OVER_RATIO * pool.shares.length
  const isOver = isManyOver || (isPoolOver && !isOneStreamsDoing(pool, over.length, limits))
  if (isOver) {
    const net = { expected: pool.expected, lost: pool.lost - pool.drops }
    const netOver = { expected: sum(over, 'expected'), lost: sum(over, 'lost') - pool.drops }
    const isSurelyOver =
      (isPoolOver && isAbove(net, limitRatio)) || (isManyOver && isAbove(netOver, limitRatio))
    if (!isSurelyOver) return say('tainted', 'unjudged')
    return say(isAbove(net, limits.severeRatio) ? 'severe' : 'over', 'over')
  }
  const isNotice =
    pool.shares.length >= ONE_OF && (isPoolOver || isBadByItself(worst, pool.drops, limitRatio))
  // The one bad stream neither keeps the path's alert alive nor hides that the rest is well.
  const rest = isNotice ? withoutMostLost(pool) : pool
  return say(isNotice ? 'notice' : 'ok', isBelow(rest, limits.clearRatio) ? 'under' : 'between')
}

/** Of a round in which the observer itself was cut off: what it did not hear says nothing. */
export const UNKNOWN_VERDICT: Verdict = {
  word: 'unknown',
  meaning: 'unjudged',
  streamsOver: 0,
  worst: undefined,
}

/** Whether the pool is over only because of one stream among many. */
function isOneStreamsDoing(pool: Pool, streamsOver: number, { limitRatio }: PathLimits): boolean {
  if (pool.shares.length < ONE_OF || streamsOver > 1) return false
  return !isAbove(withoutMostLost(pool), limitRatio)
}

/** Evidence is asked of a single stream: among hundreds at a harmless 2 % some are always above 3 % by chance. */
function isBadByItself(worst: Share | undefined, drops: number, limitRatio: number): boolean {
  return worst !== undefined && lowerBound(worst.lost - drops, worst.expected) > limitRatio
}

function worstOf(shares: readonly Share[]): Share | undefined {
  let worst: Share | undefined
  for (const share of shares)
    if (worst === undefined || ratioOf(share) > ratioOf(worst)) worst = share
  return worst
}

function withoutMostLost({ shares, expected, lost }: Pool): { expected: number; lost: number } {
  const most = shares.reduce((one, share) => (share.lost > one.lost ? share : one))
  return { expected: expected - most.expected, lost: lost - most.lost }
}

function sum(shares: readonly Share[], figure: 'expected' | 'lost'): number {
  return shares.reduce((total, share) => total + share[figure], 0)
}
