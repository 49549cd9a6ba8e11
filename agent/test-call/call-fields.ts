import { hostPortText } from '../sip/sip-uri.ts'
import { agentOf, mappedAddressOf } from '../sip-client/response-words.ts'
import type { EchoedMedia, MediaReport, ReceivedMedia, ReportedMedia } from './media-report.ts'
import type { CallReport } from './outgoing-call.ts'
import type { CallCheck } from './test-caller.ts'
import type { measurement } from '../../common/measurement.ts'

type Fields = Parameters<typeof measurement<'sip_call'>>[3]

/** What a check of a number becomes as a measurement. */
export function callFields({ pause, report, failuresInRow }: CallCheck, timeoutMs: number): Fields {
  const common = {
    paused: pause !== undefined,
    pause_left_s: pause?.leftS,
    failures_in_row: failuresInRow,
    reason: pause?.reason ?? report?.reason,
  }
  return report === undefined
    ? common
    : { ...common, ...setUpFields(report, timeoutMs), ...soundFields(report) }
}

function setUpFields(report: CallReport, timeoutMs: number): Fields {
  const { outcome, delivery, isRinging, hasEarlyMedia } = report
  const { response, target, flow } = delivery ?? {}
  const isTimeout = outcome === 'timeout'
  return {
    outcome,
    answered: outcome === 'interrupted' ? undefined : outcome === 'answered',
    status_code: response?.statusCode,
    session_request_delay_ms: report.sessionRequestDelayMs,
    failed_session_request_delay_ms: report.failedSessionRequestDelayMs,
    answer_delay_ms: report.answerDelayMs,
    session_disconnect_delay_ms: report.sessionDisconnectDelayMs,
    disconnect_timeout: outcome === 'answered' ? report.isDisconnectTimeout : undefined,
    talk_ms: report.talkedMs,
    ended_by: report.endedBy,
    ringing: isRinging,
    early_media: hasEarlyMedia,
    challenges: delivery?.challenges,
    stale: delivery?.stale,
    retransmissions: delivery?.retransmissions,
    redirects: delivery?.redirects,
    failovers: delivery?.failovers,
    transport: (flow?.target ?? target)?.transport,
    server: target === undefined ? undefined : hostPortText(target.address, target.port),
    user_agent: response === undefined ? undefined : agentOf(response),
    mapped_address: response === undefined ? undefined : mappedAddressOf(response),
    connect_ms: delivery?.connectMs,
    certificate_days: delivery?.certificate?.daysLeft,
    timeout: isTimeout,
    timeout_ms: isTimeout ? (delivery?.waitedMs ?? timeoutMs) : timeoutMs,
  }
}

function soundFields({ media, far, loopDelayMs, outcome, expectsSound }: CallReport): Fields {
  if (media === undefined) return {}
  const isUp = outcome === 'answered'
  return {
    codec: far?.law,
    media_address: media.remote,
    sent_packets: media.sentPackets,
    early_packets: media.early?.received,
    media_round_trip_ms: media.roundTripMs,
    peer_reports: media.peerReports,
    stray_packets: media.strangers,
    loop_delay_ms: loopDelayMs,
    ...(isUp ? hearing(media, expectsSound) : {}),
    ...(isUp && media.received !== undefined ? receivedFields(media.received) : {}),
    ...(isUp && media.reported !== undefined ? reportedFields(media.reported) : {}),
    ...(isUp && media.echoed !== undefined ? echoedFields(media.echoed) : {}),
  }
}

/** Who hears whom, as far as anybody said. */
function hearing({ received, echoed, isHeard }: MediaReport, expectsSound: boolean): Fields {
  const hears = received !== undefined || echoed !== undefined
  return {
    heard: expectsSound || hears ? hears : undefined,
    heard_by_peer: isHeard,
    no_audio: expectsSound ? !hears && isHeard !== true : undefined,
    one_way_audio: isHeard === undefined || !expectsSound ? undefined : hears !== isHeard,
    echoed: echoed !== undefined,
  }
}

function receivedFields(received: ReceivedMedia): Fields {
  return {
    received_expected: received.expected,
    received_packets: received.received,
    received_lost: received.lost,
    received_loss_ratio: shareOf(received.lost, received.expected),
    received_duplicates: received.duplicates,
    received_reordered: received.reordered,
    received_discard_ratio: shareOf(received.discarded, received.expected),
    received_burst_density_ratio: received.burstDensityRatio,
    received_jitter_ms: received.jitterMs,
    received_jitter_max_ms: received.jitterMaxMs,
    received_delta_max_ms: received.deltaMaxMs,
    received_r_factor: received.rFactor,
    received_mos_lq: received.mosLq,
    received_sources: received.sources,
  }
}

function reportedFields(reported: ReportedMedia): Fields {
  return {
    reported_expected: reported.expected,
    reported_lost: reported.lost,
    reported_loss_ratio: shareOf(reported.lost, reported.expected),
    reported_jitter_ms: reported.jitterMs,
    reported_r_factor: reported.rFactor,
    reported_mos_lq: reported.mosLq,
  }
}

function echoedFields(echoed: EchoedMedia): Fields {
  return {
    round_trip_expected: echoed.expected,
    round_trip_lost: echoed.lost,
    round_trip_loss_ratio: shareOf(echoed.lost, echoed.expected),
    round_trip_duplicates: echoed.duplicates,
    round_trip_reordered: echoed.reordered,
    round_trip_jitter_ms: echoed.jitterMs,
    round_trip_max_ms: echoed.roundTripMaxMs,
  }
}

function shareOf(part: number, whole: number): number | undefined {
  return whole > 0 ? Math.min(1, Math.max(0, part) / whole) : undefined
}
