import { measurement, type FieldValue, type Measurement } from '../../common/measurement.ts'
import type { Judgement, PathLabels } from './path-judgement.ts'
import type { PathLimits } from './path-limits.ts'
import type { StreamInterval } from './round.ts'
import { ratioOf } from './verdict.ts'

const US_PER_MS = 1000
const UNKNOWN = 'unknown'
/** Far more than names, addresses and an SSRC take; longer ones would let the streams remembered take all memory. */
const MAX_KEY_LENGTH = 512

/** What the rule needs of a point; undefined where its figures or names cannot be. */
export function readInterval(
  { tags, fields, timeUs }: Measurement,
  { intervalUs }: PathLimits,
): StreamInterval | undefined {
  const agent = tags['agent'] ?? ''
  const expected = numberOr(fields['expected'], 0)
  const lost = numberOr(fields['lost_unique'], numberOr(fields['lost'], 0))
  if (expected < 0 || lost > expected) return undefined
  const intervalMs = numberOr(fields['interval_ms'], 0)
  const { ssrc, src_ip: srcIp = '', src_port: srcPort = '' } = fields
  const { dst_ip: dstIp = '', dst_port: dstPort = '' } = fields
  const isStream = ssrc !== undefined
  const testName = `${tags['target'] ?? UNKNOWN} ${tags['direction'] ?? ''}`.trim()
  const key = isStream
    ? `${agent} ${ssrc} ${srcIp} ${srcPort} ${dstIp} ${dstPort}`
    : `${agent} ${testName}`
  if (key.length > MAX_KEY_LENGTH) return undefined
  return {
    key,
    label: isStream ? `${ssrc} ${srcIp} -> ${dstIp}` : testName,
    agent,
    identity: isStream ? `${ssrc} ${fields['payload_type'] ?? ''}` : `${agent} ${testName}`,
    endUs: timeUs,
    intervalUs: intervalMs > 0 ? intervalMs * US_PER_MS : intervalUs,
    expected,
    lost,
    drops: numberOr(fields['sensor_drops'], 0),
    jitterMs: numberOr(fields['jitter_ms'], -1),
    roundTripMs: numberOr(fields['round_trip_ms'], -1),
    isEnded: fields['ended'] === true,
  }
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
      jitter_ms: round.jitterMs,
      round_trip_ms: round.roundTripMs,
      limit_ratio: limitRatio,
      verdict: verdict.word,
      breach: isFiring ? 1 : 0,
      sensor_drops: round.drops,
    },
  )
}

function numberOr(value: FieldValue | undefined, fallback: number): number {
  return typeof value === 'number' ? value : fallback
}
