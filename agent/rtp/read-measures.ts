import { closeBursts, readBursts, startBurstInterval } from './burst.ts'
import { readDeltas, startDeltaInterval } from './delta.ts'
import { percentileOf } from './log-histogram.ts'
import { closeRuns, readRuns } from './loss-runs.ts'
import type { Measures } from './measures.ts'
import { stalledUs } from './silence.ts'
import { readSkew } from './skew.ts'
import {
  BASE,
  BEFORE_BASE,
  DELTA_MAX,
  DELTA_SUM,
  DISCARDED_ADAPTIVE,
  DISCARDED_DEEP,
  DISCARDED_SHALLOW,
  DUPLICATES,
  EVENT_PACKETS,
  EXPECTED_OFFSET,
  GAP_LOST,
  GAP_TIME,
  HIGHEST,
  INTERVAL_FIRST,
  JITTER,
  JITTER_COUNTS,
  JITTER_COUNTS_END,
  JITTER_MAX,
  JITTER_SUM,
  LAST_ARRIVAL,
  LATE,
  NOISE_PACKETS,
  OCTETS,
  PACKET_TICKS,
  PACKET_TIME,
  RECEIVED,
  REJECTED,
  REORDERED,
  RESTARTS,
  RUN_PACKETS,
  TALKSPURTS,
  WITHOUT_JITTER,
  floatsOf,
  type StreamStates,
} from './stream-state.ts'

const US_PER_MS = 1000
const HIGH_SHARE = 0.95

/** Reads the interval of a stream. `ended`: no packet will join the last burst and the last run of loss. */
export function readMeasures(
  { ints, floats }: StreamStates,
  row: number,
  endUs: number,
  ended: boolean,
): Measures {
  closeBursts(ints, row, ended)
  closeRuns(ints, row, ended)
  const count = (word: number) => ints[row + word] ?? 0
  const us = (word: number) => floats[floatsOf(row) + word] ?? NaN
  const expected = expectedOf(ints, floats, row)
  const received = count(RECEIVED)
  const unique = received - count(DUPLICATES) - count(BEFORE_BASE)
  const jitterSamples = received - count(WITHOUT_JITTER)
  const deltaCounts = readDeltas(ints, row)
  const deltaSamples = deltaCounts.reduce((sum, one) => sum + one, 0)
  const jitters = ints.subarray(row + JITTER_COUNTS, row + JITTER_COUNTS_END)
  const skew = readSkew(ints, floats, row)
  return {
    expected,
    sequenceLast: count(HIGHEST),
    received,
    lost: expected - received,
    lostUnique: expected - unique,
    duplicates: count(DUPLICATES),
    reordered: count(REORDERED),
    late: count(LATE),
    restarts: count(RESTARTS),
    rejected: count(REJECTED),
    octets: us(OCTETS),
    activeMs: inMs(Math.max(0, us(LAST_ARRIVAL) - us(INTERVAL_FIRST)), true),
    stalledMs: inMs(stalledUs(ints, floats, row, endUs), stalledUs(ints, floats, row, endUs) > 0),
    gapMs: inMs(us(GAP_TIME), us(GAP_TIME) > 0),
    gapLost: count(GAP_LOST),
    packetMs: inMs(us(PACKET_TIME), count(PACKET_TICKS) > 0),
    jitterMs: inMs(us(JITTER), jitterSamples > 0),
    jitterMeanMs: inMs(us(JITTER_SUM) / jitterSamples, jitterSamples > 0),
    jitterP95Ms: inMs(percentileOf(jitters, HIGH_SHARE, us(JITTER_MAX)), jitterSamples > 0),
    jitterMaxMs: inMs(us(JITTER_MAX), jitterSamples > 0),
    jitterSamples,
    deltaMeanMs: inMs(us(DELTA_SUM) / deltaSamples, deltaSamples > 0),
    deltaMaxMs: inMs(us(DELTA_MAX), deltaSamples > 0),
    deltaSamples,
    deltaCounts,
    lossRuns: readRuns(ints, row),
    lossRunPackets: count(RUN_PACKETS),
    bursts: readBursts(ints, row),
    discarded: {
      fixed50: count(DISCARDED_SHALLOW),
      fixed200: count(DISCARDED_DEEP),
      adaptive: count(DISCARDED_ADAPTIVE),
    },
    talkspurts: count(TALKSPURTS),
    comfortNoise: count(NOISE_PACKETS),
    events: count(EVENT_PACKETS),
    clockSkewPpm: skew?.ppm,
    clockSkewErrorPpm: skew?.errorPpm,
  }
}

/** The next interval begins. */
export function startMeasures(states: StreamStates, row: number): void {
  const { ints, floats } = states
  ints[row + EXPECTED_OFFSET] = (ints[row + EXPECTED_OFFSET] ?? 0) - expectedOf(ints, floats, row)
  startBurstInterval(ints, row)
  states.clearInterval(row)
  ints[row + RECEIVED] = 0
  ints[row + WITHOUT_JITTER] = 0
  const at = floatsOf(row)
  floats[at + INTERVAL_FIRST] = NaN
  floats[at + OCTETS] = 0
  floats[at + JITTER_SUM] = 0
  floats[at + JITTER_MAX] = -1
  floats[at + GAP_TIME] = 0
  startDeltaInterval(floats, row)
}

function expectedOf(ints: Int32Array, floats: Float64Array, row: number): number {
  // Opened, but its first packet has not been received.
  if (Number.isNaN(floats[floatsOf(row) + LAST_ARRIVAL] ?? NaN)) return 0
  const offset = ints[row + EXPECTED_OFFSET] ?? 0
  return ((ints[row + HIGHEST] ?? 0) - (ints[row + BASE] ?? 0) + 1 + offset) | 0
}

function inMs(us: number | undefined, isMeasured: boolean): number | undefined {
  return us === undefined || Number.isNaN(us) || !isMeasured ? undefined : us / US_PER_MS
}
