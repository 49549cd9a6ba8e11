import {
  BURSTS,
  BURST_BAD,
  BURST_PACKETS,
  CLASSIFIED_BEFORE,
  CLUSTER_BAD,
  CLUSTER_FIRST,
  CLUSTER_LAST,
  GAPS,
  GAP_BAD,
  GAP_COUNTED,
  GAP_FROM,
  SETTLED_COUNT,
  add,
} from './stream-state.ts'
import type { BurstCounts } from './measures.ts'

/**
 * Bursts and gaps by the definition of RFC 3611 section 4.7.2, not by the counters of its appendix A.2, which count a burst that never
 * was and forget the last one. Packets are taken in order of their sequence numbers. A burst begins and ends with a bad packet (lost or
 * discarded) and nowhere holds Gmin good ones in a row; a single bad packet is no burst but part of the gap, as everything else is.
 */

/** "The recommended value" of RFC 3611. */
const GMIN = 16

/** Takes `count` bad packets in a row, the first of them being number `at` since the stream began. */
export function takeBad(ints: Int32Array, row: number, at: number, count: number): void {
  const bad = ints[row + CLUSTER_BAD] ?? 0
  if (bad > 0 && ((at - (ints[row + CLUSTER_LAST] ?? 0)) | 0) <= GMIN) {
    ints[row + CLUSTER_BAD] = bad + count
  } else {
    closeCluster(ints, row)
    ints[row + CLUSTER_FIRST] = at
    ints[row + CLUSTER_BAD] = count
  }
  ints[row + CLUSTER_LAST] = at + count - 1
}

/** Brings the counts up to what has been settled. `ended`: no bad packet will join the last one. */
export function closeBursts(ints: Int32Array, row: number, ended: boolean): void {
  const good = ((ints[row + SETTLED_COUNT] ?? 0) - (ints[row + CLUSTER_LAST] ?? 0) - 1) | 0
  if (ended || good >= GMIN) closeCluster(ints, row)
  beginGap(ints, row, classified(ints, row))
}

/** The counts of the interval. */
export function readBursts(ints: Int32Array, row: number): BurstCounts {
  const burstPackets = ints[row + BURST_PACKETS] ?? 0
  const packets = (classified(ints, row) - (ints[row + CLASSIFIED_BEFORE] ?? 0)) | 0
  return {
    bursts: ints[row + BURSTS] ?? 0,
    burstPackets,
    burstBad: ints[row + BURST_BAD] ?? 0,
    gaps: ints[row + GAPS] ?? 0,
    gapPackets: packets - burstPackets,
    gapBad: ints[row + GAP_BAD] ?? 0,
  }
}

export function startBurstInterval(ints: Int32Array, row: number): void {
  ints[row + CLASSIFIED_BEFORE] = classified(ints, row)
}

/** How many packets are known to be in a burst or a gap: what may still become a burst is not. */
function classified(ints: Int32Array, row: number): number {
  return ints[row + ((ints[row + CLUSTER_BAD] ?? 0) > 0 ? CLUSTER_FIRST : SETTLED_COUNT)] ?? 0
}

function closeCluster(ints: Int32Array, row: number): void {
  const bad = ints[row + CLUSTER_BAD] ?? 0
  if (bad === 0) return
  ints[row + CLUSTER_BAD] = 0
  if (bad === 1) {
    add(ints, row + GAP_BAD, 1)
    return
  }
  const first = ints[row + CLUSTER_FIRST] ?? 0
  const end = ((ints[row + CLUSTER_LAST] ?? 0) + 1) | 0
  beginGap(ints, row, first)
  add(ints, row + BURSTS, 1)
  add(ints, row + BURST_PACKETS, (end - first) | 0)
  add(ints, row + BURST_BAD, bad)
  ints[row + GAP_FROM] = end
  ints[row + GAP_COUNTED] = 0
}

/** Counts the gap since the last burst, once, if there is a packet in it before `end`. */
function beginGap(ints: Int32Array, row: number, end: number): void {
  if (ints[row + GAP_COUNTED] === 1 || ((end - (ints[row + GAP_FROM] ?? 0)) | 0) <= 0) return
  ints[row + GAP_COUNTED] = 1
  add(ints, row + GAPS, 1)
}
