import {
  measurement,
  type FieldValue,
  type Measurement,
  type MeasurementName,
} from '../../common/measurement.ts'
import type { Judgement, PathLabels } from './path-judgement.ts'
import type { PathLimits } from './path-limits.ts'
import { MOS_SCALES, type Stream, type StreamInterval } from './round.ts'
import { ratioOf } from './verdict.ts'

const US_PER_MS = 1000
const UNKNOWN = 'unknown'
/** Far more than names, addresses and an SSRC take; longer ones would let the streams remembered take all memory. */
const MAX_KEY_LENGTH = 512

/** The sources a path is judged from, each by itself. */
const SOURCES: Readonly<Partial<Record<MeasurementName, string>>> = {
  rtp_stream: 'stream',
  rtp_test: 'test',
  rtp_report: 'report',
}

/** What a point judges a path from; undefined for one that judges none, such as a report without counts. */
export function sourceOf({ name, fields }: Measurement): string | undefined {
  if (name === 'rtp_report' && typeof fields['expected'] !== 'number') return undefined
  return SOURCES[name]
}

/** What a rule needs of a point; undefined where its figures or names cannot be. */
export function readInterval(
  { tags, fields, timeUs }: Measurement,
  { intervalUs }: Pick<PathLimits, 'intervalUs'>,
  jitterMs = numberOr(fields['jitter_ms'], -1),
): StreamInterval | undefined {
  const agent = tags['agent'] ?? ''
  const observer = `${agent} ${fields['tap'] ?? ''}`.trimEnd()
  const expected = numberOr(fields['expected'], 0)
  const lost = numberOr(fields['lost_unique'], numberOr(fields['lost'], 0))
  if (expected < 0 || lost > expected) return undefined
  const intervalMs = numberOr(fields['interval_ms'], 0)
  const { ssrc, src_ip: srcIp = '', src_port: srcPort = '' } = fields
  const { dst_ip: dstIp = '', dst_port: dstPort = '' } = fields
  const isStream = ssrc !== undefined
  const testName = `${tags['target'] ?? UNKNOWN} ${tags['direction'] ?? ''}`.trim()
  const key = isStream
    ? `${observer} ${ssrc} ${srcIp} ${srcPort} ${dstIp} ${dstPort}`
    : `${observer} ${testName}`
  if (key.length > MAX_KEY_LENGTH) return undefined
  return {
    key,
    label: isStream ? `${ssrc} ${srcIp} -> ${dstIp}` : testName,
    agent,
    observer,
    identity: isStream ? `${ssrc} ${fields['payload_type'] ?? ''}`.trimEnd() : key,
    endUs: timeUs,
    intervalUs: intervalMs > 0 ? intervalMs * US_PER_MS : intervalUs,
    expected,
    lost,
    drops: numberOr(fields['sensor_drops'], 0),
    sequenceFirst: numberOr(fields['sequence_first'], -1),
    sequenceLast: numberOr(fields['sequence_last'], -1),
    jitterMs,
    roundTripMs: numberOr(fields['round_trip_ms'], -1),
    mosLq: numberOr(fields['mos_lq'], -1),
    mosScale: MOS_SCALES.find((scale) => scale === fields['mos_scale']) ?? '',
    isMosAssumed: fields['mos_assumed'] === true,
    effectiveLost: effectiveLoss(fields, expected, lost),
    isEnded: fields['ended'] === true,
  }
}

/** As a count, so that it can be added up: a ratio of whole packets gives them back. */
function effectiveLoss(
  { discard_ratio_adaptive: discarded }: Measurement['fields'],
  expected: number,
  lost: number,
): number | null {
  return typeof discarded === 'number' ? lost + Math.round(discarded * expected) : null
}

/** Sums are the round's own, so that points can be added up; the verdict may rest on earlier rounds too. */
export function verdictPoint(
  labels: PathLabels,
  limitRatio: number,
  { round, verdict }: Judgement,
  isFiring: boolean,
): Measurement {
  const { from, to, at, source, site, bearer, owner } = labels
  return measurement(
    'path',
    round.endUs,
    { from, to, at, source, site, bearer, owner },
    {
      interval_ms: round.intervalUs / US_PER_MS,
      streams: round.shares.length,
      streams_over: verdict.streamsOver,
      expected: round.expected,
      lost_unique: round.lost,
      loss_ratio: round.expected > 0 ? Math.max(0, ratioOf(round)) : undefined,
      ...effectiveSums(round.shares),
      jitter_ms: round.jitterMs,
      round_trip_ms: round.roundTripMs,
      ...lowestMos(round.shares),
      limit_ratio: limitRatio,
      verdict: verdict.word,
      breach: isFiring ? 1 : 0,
      sensor_drops: round.drops,
    },
  )
}

/** As sums, so that they can be added up like those of the loss. */
function effectiveSums(streams: readonly Stream[]): Readonly<Record<string, number>> {
  const sums = { effective_lost: 0, effective_expected: 0 }
  for (const { newest } of streams) {
    if (newest.effectiveLost === null) continue
    sums.effective_lost += newest.effectiveLost
    sums.effective_expected += newest.expected
  }
  return sums.effective_expected > 0 ? sums : {}
}

/** Of the scale most of the streams have; two scales do not compare, and what was assumed was not measured. */
function lowestMos(streams: readonly Stream[]): { mos_lq?: number; mos_scale?: string } {
  const rated = streams.flatMap(({ newest }) =>
    newest.mosLq < 0 || newest.isMosAssumed || newest.mosScale === '' ? [] : [newest],
  )
  if (rated.length === 0) return {}
  const [most] = MOS_SCALES.map((scale) => rated.filter(({ mosScale }) => mosScale === scale)).sort(
    (a, b) => b.length - a.length,
  )
  const worst = most?.reduce((one, other) => (other.mosLq < one.mosLq ? other : one))
  return worst === undefined ? {} : { mos_lq: worst.mosLq, mos_scale: worst.mosScale }
}

function numberOr(value: FieldValue | undefined, fallback: number): number {
  return typeof value === 'number' ? value : fallback
}
