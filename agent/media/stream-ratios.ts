import type { BurstCounts, DiscardCounts, Measures } from '../rtp/measures.ts'

/** What is derived from additive counts, of one interval or of the sum of many: ratios are made of sums, never averaged. */

type Losses = Pick<Measures, 'expected' | 'lostUnique'>
type LossesAndDiscards = Losses & Pick<Measures, 'discarded'>

/** Undefined when nothing was expected. */
export function lossRatio({ expected, lostUnique }: Losses): number | undefined {
  return shareOf(lostUnique, expected)
}

/** Packets that came too late for a jitter buffer, of those expected. */
export function discardRatio(
  { expected, discarded }: Pick<Measures, 'expected' | 'discarded'>,
  buffer: keyof DiscardCounts,
): number | undefined {
  return shareOf(discarded[buffer], expected)
}

/** Lost, or too late for the adaptive buffer: what a listener misses. */
export function effectiveLossRatio({
  expected,
  lostUnique,
  discarded,
}: LossesAndDiscards): number | undefined {
  return shareOf(Math.max(0, lostUnique) + discarded.adaptive, expected)
}

export interface BurstRatios {
  readonly burstDensityRatio: number | undefined
  readonly gapDensityRatio: number | undefined
  readonly burstDurationMs: number | undefined
  readonly gapDurationMs: number | undefined
}

/** RFC 3611 section 4.7.2, by its definition. Durations need the packet time. */
export function burstRatios(counts: BurstCounts, packetMs: number | undefined): BurstRatios {
  const { bursts, burstPackets, burstBad, gaps, gapPackets, gapBad } = counts
  return {
    burstDensityRatio: shareOf(burstBad, burstPackets),
    gapDensityRatio: shareOf(gapBad, gapPackets),
    burstDurationMs: meanMs(burstPackets, bursts, packetMs),
    gapDurationMs: meanMs(gapPackets, gaps, packetMs),
  }
}

/** Within 0..1: a late packet heals a loss of the interval before, and its own interval then counts less than nothing. */
function shareOf(part: number, whole: number): number | undefined {
  return whole > 0 ? Math.min(1, Math.max(0, part) / whole) : undefined
}

function meanMs(
  packets: number,
  periods: number,
  packetMs: number | undefined,
): number | undefined {
  return packetMs !== undefined && periods > 0 ? (packets * packetMs) / periods : undefined
}
