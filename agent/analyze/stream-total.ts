import type { StreamRow } from '../media/stream-row.ts'
import type { Measures } from '../rtp/measures.ts'
import { least, mean, most, plus } from './combine.ts'

/** Told one by one; of more streams only the sums are kept, or memory would grow with the file. */
export const MAX_TOTALS = 100_000
/** Not kept of each stream. */
const LEFT_OUT = { deltaCounts: undefined, quality: undefined }
/** Fewer expected packets say too little of how a moment sounded: 2 s of 20 ms packets. */
const MIN_WORST_EXPECTED = 100

/** The worst interval of a stream: what a listener remembers of a call. */
export interface WorstInterval {
  readonly endUs: number
  readonly lossRatio: number
  readonly mosLq: number | undefined
}

/** A whole stream: the sum of its intervals, and what it was last. Of the times between its packets only mean and maximum. */
export interface StreamTotal extends Omit<StreamRow, 'deltaCounts' | 'quality'> {
  readonly worst: WorstInterval | undefined
}

/** Streams that are not told one by one. */
export interface UnlistedStreams {
  readonly streams: number
  readonly expected: number
  readonly lostUnique: number
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }
type Sum = Omit<Writable<StreamTotal>, 'lossRuns' | 'bursts' | 'discarded'> & {
  readonly lossRuns: number[]
  readonly bursts: Writable<Measures['bursts']>
  readonly discarded: Writable<Measures['discarded']>
}

/** Adds up the rows of each stream, in order of first packet. */
export class StreamTotals {
  readonly #limit: number
  readonly #sums = new Map<string, Sum>()
  readonly #unlisted = { streams: 0, expected: 0, lostUnique: 0 }

  constructor(limit = MAX_TOTALS) {
    this.#limit = limit
  }

  add(row: StreamRow, intervalEndUs: number): void {
    const key = `${row.ssrc} ${row.srcIp} ${row.srcPort} ${row.dstIp} ${row.dstPort}`
    const sum = this.#sums.get(key)
    const worst = worstOf(row, intervalEndUs)
    if (sum !== undefined) addRow(sum, row, worst)
    else if (this.#sums.size < this.#limit) this.#sums.set(key, startOf(row, worst))
    else this.#addUnlisted(row)
  }

  get unlisted(): UnlistedStreams {
    return this.#unlisted
  }

  get streams(): readonly StreamTotal[] {
    return [...this.#sums.values()]
  }

  #addUnlisted({ first, expected, lostUnique }: StreamRow): void {
    const sum = this.#unlisted
    if (first) sum.streams++
    sum.expected += expected
    sum.lostUnique += lostUnique
  }
}

function startOf(row: StreamRow, worst: WorstInterval | undefined): Sum {
  return {
    ...row,
    ...LEFT_OUT,
    lossRuns: [...row.lossRuns],
    bursts: { ...row.bursts },
    discarded: { ...row.discarded },
    worst,
  }
}

function addRow(sum: Sum, row: StreamRow, worst: WorstInterval | undefined): void {
  addNewest(sum, row)
  addTimes(sum, row)
  sum.expected += row.expected
  sum.received += row.received
  sum.lost += row.lost
  sum.lostUnique += row.lostUnique
  sum.duplicates += row.duplicates
  sum.reordered += row.reordered
  sum.late += row.late
  sum.restarts += row.restarts
  sum.rejected += row.rejected
  sum.octets += row.octets
  sum.gapLost += row.gapLost
  sum.lossRunPackets += row.lossRunPackets
  sum.talkspurts += row.talkspurts
  sum.comfortNoise += row.comfortNoise
  sum.events += row.events
  addCounts(sum.lossRuns, row.lossRuns)
  sum.bursts.bursts += row.bursts.bursts
  sum.bursts.burstPackets += row.bursts.burstPackets
  sum.bursts.burstBad += row.bursts.burstBad
  sum.bursts.gaps += row.bursts.gaps
  sum.bursts.gapPackets += row.bursts.gapPackets
  sum.bursts.gapBad += row.bursts.gapBad
  sum.discarded.fixed50 += row.discarded.fixed50
  sum.discarded.fixed200 += row.discarded.fixed200
  sum.discarded.adaptive += row.discarded.adaptive
  sum.worst = worseOf(sum.worst, worst)
}

/** An interval in which nothing came knows less than the one before. */
function addNewest(sum: Sum, row: StreamRow): void {
  if (row.received > 0) {
    sum.payloadType = row.payloadType
    sum.dscp = row.dscp
  }
  sum.codec = row.codec ?? sum.codec
  sum.clockRate = row.clockRate ?? sum.clockRate
  sum.callId = row.callId ?? sum.callId
  sum.isEncrypted = row.isEncrypted ?? sum.isEncrypted
  sum.roundTripMs = row.roundTripMs ?? sum.roundTripMs
  sum.packetMs = row.packetMs ?? sum.packetMs
  sum.clockSkewPpm = row.clockSkewPpm ?? sum.clockSkewPpm
  sum.clockSkewErrorPpm = row.clockSkewErrorPpm ?? sum.clockSkewErrorPpm
  sum.jitterMs = row.jitterMs ?? sum.jitterMs
  sum.sequenceLast = row.sequenceLast
  sum.ended = row.ended
}

function addTimes(sum: Sum, row: StreamRow): void {
  sum.firstUs = least(sum.firstUs, row.firstUs)
  sum.lastUs = most(sum.lastUs, row.lastUs)
  sum.gapMs = plus(sum.gapMs, row.gapMs)
  sum.stalledMs = most(sum.stalledMs, row.stalledMs)
  sum.activeMs = plus(sum.activeMs, row.activeMs)
  sum.jitterMeanMs = mean(sum.jitterMeanMs, sum.jitterSamples, row.jitterMeanMs, row.jitterSamples)
  sum.jitterSamples += row.jitterSamples
  sum.jitterP95Ms = most(sum.jitterP95Ms, row.jitterP95Ms)
  sum.jitterMaxMs = most(sum.jitterMaxMs, row.jitterMaxMs)
  sum.deltaMeanMs = mean(sum.deltaMeanMs, sum.deltaSamples, row.deltaMeanMs, row.deltaSamples)
  sum.deltaSamples += row.deltaSamples
  sum.deltaMaxMs = most(sum.deltaMaxMs, row.deltaMaxMs)
}

function addCounts(sums: number[], counts: readonly number[]): void {
  for (let at = 0; at < sums.length; at++) sums[at] = (sums[at] ?? 0) + (counts[at] ?? 0)
}

function worstOf(row: StreamRow, endUs: number): WorstInterval | undefined {
  if (row.expected < MIN_WORST_EXPECTED) return undefined
  const lossRatio = Math.max(0, row.lostUnique) / row.expected
  return { endUs, lossRatio, mosLq: row.quality?.mosLq }
}

/** By MOS where there is one, as it knows of bursts and discards too. */
function worseOf(
  a: WorstInterval | undefined,
  b: WorstInterval | undefined,
): WorstInterval | undefined {
  if (a === undefined || b === undefined) return a ?? b
  if (a.mosLq !== undefined && b.mosLq !== undefined && a.mosLq !== b.mosLq)
    return b.mosLq < a.mosLq ? b : a
  return b.lossRatio > a.lossRatio ? b : a
}
