import type { ReportBlock } from './rtcp-packet.ts'

/** What happened between two reports of one receiver about one stream: differences of cumulative counters (RFC 3550 section 6.4.4). */

/** Two turns of the sequence number: 44 minutes at 50 packets/s. Who was silent for longer began anew. */
const MAX_EXPECTED = 131_072
/** A jump of so many makes a receiver count anew (RFC 3550 A.1, MAX_DROPOUT). */
const RESTART_JUMP = 3000
/** So many late packets may heal losses of before (RFC 3550 A.1, MAX_MISORDER). */
const MAX_LATE = 100
/** Where the 24 bits stop (RFC 3550 A.3). */
const MAX_LOST = 0x7fffff
const MIN_LOST = -0x800000

export type Cumulative = Pick<ReportBlock, 'cumulativeLost' | 'extendedHighestSequence'>

export type ReportDifference =
  | { readonly kind: 'difference'; readonly expected: number; readonly lost: number }
  /** The receiver began anew: nothing can be said but from the next report on. */
  | { readonly kind: 'restart' }
  /** No receiver can have these figures. */
  | { readonly kind: 'impossible' }

export function reportDifference(before: Cumulative, now: Cumulative): ReportDifference {
  const expected = (now.extendedHighestSequence - before.extendedHighestSequence) | 0
  if (expected < 0 || expected >= MAX_EXPECTED || isAtLimit(before) || isAtLimit(now))
    return { kind: 'restart' }
  const lost = now.cumulativeLost - before.cumulativeLost
  if (lost < 0 && expected >= RESTART_JUMP) return { kind: 'restart' }
  // Every packet may have come twice, and late ones on top.
  if (lost > expected || lost < -(expected + MAX_LATE)) return { kind: 'impossible' }
  return { kind: 'difference', expected, lost }
}

/** Whether a receiver can have lost so many by then; it cannot have begun before number 0. */
export function isPossible({ cumulativeLost, extendedHighestSequence }: Cumulative): boolean {
  return cumulativeLost <= extendedHighestSequence + 1
}

function isAtLimit({ cumulativeLost }: Cumulative): boolean {
  return cumulativeLost === MAX_LOST || cumulativeLost === MIN_LOST
}
