import { measurement, type Measurement } from '../../common/measurement.ts'
import { DELTA_BOUNDS_MS } from '../rtp/measures.ts'
import { signallingPoints } from '../signalling/signalling-points.ts'
import type { CallRow } from './call-row.ts'
import type { CaptureInterval } from './capture-interval.ts'
import type { ReportRow } from './report-row.ts'
import type { StallRow } from './stall-row.ts'
import { burstRatios, discardRatio, effectiveLossRatio, lossRatio } from './stream-ratios.ts'
import type { StreamRow } from './stream-row.ts'

const US_PER_MS = 1000
const LONGEST_DELTA = `delta_gt_${DELTA_BOUNDS_MS.at(-1) ?? 0}`

/** Where an interval comes from. */
export interface PointSource {
  readonly kind: 'capture' | 'file'
  /** Interface of a tap. */
  readonly tap: string | undefined
}

/** The points of one interval. All carry its end; what tells those of one series apart is added with the tags of the agent. */
export function capturePoints(
  interval: CaptureInterval,
  source: PointSource,
): readonly Measurement[] {
  const { streams, reports, calls, signalling, durationMs } = interval
  const endUs = Math.round(interval.endUs)
  return [
    ...streams.map((row) => streamPoint(row, interval, endUs, source)),
    ...reports.map((row) => reportPoint(row, interval, endUs, source)),
    ...calls
      .filter(({ isOneWay, isSilent }) => isOneWay || isSilent)
      .map((row) => callPoint(row, interval, endUs, source)),
    ...signallingPoints(signalling, { endUs, durationMs, tap: source.tap }),
    agentPoint(interval, endUs, source),
  ]
}

export function stallPoint(row: StallRow, nowUs: number, tap: string | undefined): Measurement {
  return measurement(
    'rtp_stall',
    Math.round(nowUs),
    { codec: row.codec ?? 'unknown', source: 'capture' },
    {
      ...endpoints(row),
      ssrc: row.ssrc,
      call_id: row.callId,
      tap,
      silent_since_ms: row.silentSinceUs / US_PER_MS,
      stalled_ms: row.stalledMs,
      over: row.isOver,
    },
  )
}

function streamPoint(
  row: StreamRow,
  { durationMs, sensorDrops }: CaptureInterval,
  endUs: number,
  { kind, tap }: PointSource,
): Measurement {
  const { bursts, packetMs, quality } = row
  const ratios = burstRatios(bursts, packetMs)
  return measurement(
    'rtp_stream',
    endUs,
    { codec: row.codec ?? 'unknown', source: kind },
    {
      interval_ms: durationMs,
      active_ms: row.activeMs,
      first: row.first,
      ended: row.ended,
      ...endpoints(row),
      ssrc: row.ssrc,
      payload_type: row.payloadType,
      expected: row.expected,
      received: row.received,
      lost: row.lost,
      lost_unique: row.lostUnique,
      loss_ratio: lossRatio(row),
      duplicates: row.duplicates,
      reordered: row.reordered,
      late: row.late,
      // After a restart the numbers of the interval are two ranges.
      sequence_first:
        row.expected > 0 && row.restarts === 0 ? row.sequenceLast - row.expected + 1 : undefined,
      sequence_last: row.expected > 0 ? row.sequenceLast : undefined,
      restarts: row.restarts,
      rejected: row.rejected,
      octets: row.octets,
      packet_ms: packetMs,
      stalled_ms: row.stalledMs,
      gap_ms: row.gapMs,
      gap_lost: row.gapLost,
      jitter_ms: row.jitterMs,
      jitter_mean_ms: row.jitterMeanMs,
      jitter_p95_ms: row.jitterP95Ms,
      jitter_max_ms: row.jitterMaxMs,
      max_delta_ms: row.deltaMaxMs,
      ...deltaCounts(row),
      ...lossRuns(row),
      bursts: bursts.bursts,
      burst_density_ratio: ratios.burstDensityRatio,
      gap_density_ratio: ratios.gapDensityRatio,
      burst_duration_ms: ratios.burstDurationMs,
      gap_duration_ms: ratios.gapDurationMs,
      discard_ratio_50: discardRatio(row, 'fixed50'),
      discard_ratio_200: discardRatio(row, 'fixed200'),
      discard_ratio_adaptive: discardRatio(row, 'adaptive'),
      effective_loss_ratio: effectiveLossRatio(row),
      talkspurts: row.talkspurts,
      comfort_noise: row.comfortNoise,
      events: row.events,
      clock_skew_ppm: row.clockSkewPpm,
      clock_skew_error_ppm: row.clockSkewErrorPpm,
      r_factor: quality?.rFactor,
      mos_lq: quality?.mosLq,
      mos_cq: quality?.mosCq,
      mos_scale: quality?.scale,
      mos_assumed: quality?.isAssumed,
      round_trip_ms: row.roundTripMs,
      srtp: row.isEncrypted,
      call_id: row.callId,
      tap,
      dscp: row.dscp,
      sensor_drops: sensorDrops,
    },
  )
}

function reportPoint(
  row: ReportRow,
  { durationMs }: CaptureInterval,
  endUs: number,
  { tap }: PointSource,
): Measurement {
  const { expected, lost } = row
  const isKnown = expected !== undefined && expected > 0 && lost !== undefined
  return measurement(
    'rtp_report',
    endUs,
    { codec: row.codec ?? 'unknown', source: row.kind === 'rr' ? 'rtcp' : 'rtcp-xr' },
    {
      interval_ms: durationMs,
      ...endpoints(row),
      ssrc: row.ssrc,
      tap,
      reports: row.reports,
      expected,
      lost,
      loss_ratio: isKnown ? Math.min(1, Math.max(0, lost) / expected) : undefined,
      jitter_ms: row.jitterMs,
      round_trip_ms: row.roundTripMs,
      discard_ratio: row.discardRatio,
      burst_density_ratio: row.burstDensityRatio,
      gap_density_ratio: row.gapDensityRatio,
      burst_duration_ms: row.burstDurationMs,
      gap_duration_ms: row.gapDurationMs,
      end_system_delay_ms: row.endSystemDelayMs,
      jitter_buffer_ms: row.jitterBufferMs,
      signal_level_dbm: row.signalLevelDbm,
      noise_level_dbm: row.noiseLevelDbm,
      r_factor: row.rFactor,
      mos_lq: row.mosLq,
      mos_cq: row.mosCq,
    },
  )
}

/** From whom nothing comes to whom: of a silent call, from the callee to the caller. */
function callPoint(
  row: CallRow,
  { durationMs }: CaptureInterval,
  endUs: number,
  { tap }: PointSource,
): Measurement {
  const to = row.media.find(({ isExpected, isHeard }) => isExpected && !isHeard)
  const from = row.media.find(({ party, kind }) => party !== to?.party && kind === to?.kind)
  const { answerMs } = row
  return measurement(
    'rtp_call',
    endUs,
    {},
    {
      interval_ms: durationMs,
      src_ip: from?.ip,
      src_port: from?.port,
      dst_ip: to?.ip,
      dst_port: to?.port,
      call_id: row.callId,
      tap,
      caller: row.caller,
      callee: row.callee,
      one_way: row.isOneWay,
      silent: row.isSilent,
      established_ms: answerMs === undefined ? undefined : endUs / US_PER_MS - answerMs,
    },
  )
}

/** Without a word of SIP nobody knows how many calls there are. */
function agentPoint(
  { durationMs, sensorDrops, ignored, evicted, fault, calls, sip, signalling }: CaptureInterval,
  endUs: number,
  { tap }: PointSource,
): Measurement {
  const up = sip.messages > 0 ? calls.filter(({ state }) => state === 'established') : undefined
  return measurement(
    'agent',
    endUs,
    { target: 'rtp-capture' },
    {
      interval_ms: durationMs,
      tap,
      sensor_drops: sensorDrops,
      ignored: Object.values(ignored).reduce((sum, count) => sum + count, 0),
      streams_evicted: evicted,
      calls: up?.length,
      calls_one_way: up?.filter(({ isOneWay }) => isOneWay).length,
      calls_silent: up?.filter(({ isSilent }) => isSilent).length,
      ...(sip.messages > 0 && {
        sip_messages: signalling.messages,
        sip_invalid: signalling.invalid,
        sip_sources: signalling.seenSources,
        sip_evicted: signalling.evicted,
        sip_accounts_untold: signalling.untold,
      }),
      reason: fault,
    },
  )
}

function endpoints(row: Pick<StreamRow, 'srcIp' | 'srcPort' | 'dstIp' | 'dstPort'>) {
  return { src_ip: row.srcIp, src_port: row.srcPort, dst_ip: row.dstIp, dst_port: row.dstPort }
}

/** Only what happened: absent = 0. */
function deltaCounts(row: StreamRow): Readonly<Record<string, number>> {
  return counted(row.deltaCounts, (index) => {
    const bound = DELTA_BOUNDS_MS[index]
    return bound === undefined ? LONGEST_DELTA : `delta_le_${bound}`
  })
}

function lossRuns(row: StreamRow): Readonly<Record<string, number>> {
  return counted(row.lossRuns, (index) => `loss_run_${index + 1}`)
}

function counted(
  counts: readonly number[],
  name: (index: number) => string,
): Readonly<Record<string, number>> {
  const fields: Record<string, number> = {}
  counts.forEach((count, index) => {
    if (count > 0) fields[name(index)] = count
  })
  return fields
}
