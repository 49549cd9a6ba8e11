import type { CallRow } from '../media/call-row.ts'
import { burstRatios, discardRatio, lossRatio } from '../media/stream-ratios.ts'
import type { Analysis } from './analysis.ts'
import type { ReportTotal } from './report-total.ts'
import { signallingJson } from './signalling-json.ts'
import type { StreamTotal } from './stream-total.ts'
import { qualityOf } from './total-quality.ts'
import type { CodecTable } from '../rtp/codec-impairments.ts'

const US_PER_MS = 1000
const DECIMALS = 6

/** What `analyze --json` prints for one file, for jsonPieces(). Undefined keys are left out: what was not measured is absent. */
export function analysisJson(
  analysis: Analysis,
  table: CodecTable,
): Readonly<Record<string, unknown>> {
  const { file, packets, bytes, firstMs, lastMs, streams, rtcp, sip, ignored } = analysis
  return {
    file,
    packets,
    bytes,
    firstTimeMs: rounded(firstMs),
    lastTimeMs: rounded(lastMs),
    streams: each(streams, (stream) => streamJson(stream, table)),
    rtcp: { ...rtcp, reports: each(analysis.reports, reportJson) },
    sip: { ...sip, calls: each(analysis.calls, callJson), ...signallingJson(analysis.signalling) },
    ignored,
    ...(analysis.fault === undefined ? {} : { fault: analysis.fault }),
    ...(analysis.evicted === 0 ? {} : { streamsEvicted: analysis.evicted }),
    ...unlistedJson(analysis),
  }
}

function* each<Row>(rows: readonly Row[], json: (row: Row) => unknown): Generator {
  for (const row of rows) yield json(row)
}

function unlistedJson({ unlisted }: Analysis): Readonly<Record<string, unknown>> {
  const { streams, calls, reports } = unlisted
  return streams.expected + calls + reports === 0 ? {} : { unlisted }
}

function streamJson(stream: StreamTotal, table: CodecTable): Readonly<Record<string, unknown>> {
  const { bursts, worst } = stream
  const ratios = burstRatios(bursts, stream.packetMs)
  const quality = qualityOf(stream, table)
  return {
    src: stream.srcIp,
    srcPort: stream.srcPort,
    dst: stream.dstIp,
    dstPort: stream.dstPort,
    ssrc: stream.ssrc,
    payloadType: stream.payloadType,
    codec: stream.codec,
    clockRate: stream.clockRate,
    packets: stream.received + stream.rejected,
    expected: stream.expected,
    lost: stream.lost,
    lostUnique: stream.lostUnique,
    lossRatio: rounded(lossRatio(stream)),
    duplicates: stream.duplicates,
    reordered: stream.reordered,
    restarts: stream.restarts,
    jitterMs: {
      mean: rounded(stream.jitterMeanMs),
      max: rounded(stream.jitterMaxMs),
      last: rounded(stream.jitterMs),
    },
    deltaMs: { mean: rounded(stream.deltaMeanMs), max: rounded(stream.deltaMaxMs) },
    lossRuns: stream.lossRuns,
    burst: {
      bursts: bursts.bursts,
      densityRatio: rounded(ratios.burstDensityRatio),
      durationMs: rounded(ratios.burstDurationMs),
      gapDensityRatio: rounded(ratios.gapDensityRatio),
      gapDurationMs: rounded(ratios.gapDurationMs),
      worst10s:
        worst === undefined
          ? undefined
          : {
              endTimeMs: rounded(worst.endUs / US_PER_MS),
              lossRatio: rounded(worst.lossRatio),
              mosLq: rounded(worst.mosLq),
            },
    },
    discardRatio: {
      fixed50: rounded(discardRatio(stream, 'fixed50')),
      fixed200: rounded(discardRatio(stream, 'fixed200')),
      adaptive: rounded(discardRatio(stream, 'adaptive')),
    },
    rFactor: rounded(quality?.rFactor),
    mosLq: rounded(quality?.mosLq),
    mosCq: rounded(quality?.mosCq),
    dscp: stream.dscp,
    firstTimeMs: inMs(stream.firstUs),
    lastTimeMs: inMs(stream.lastUs),
    callId: stream.callId,
  }
}

function reportJson(report: ReportTotal): Readonly<Record<string, unknown>> {
  return {
    kind: report.kind,
    src: report.srcIp,
    srcPort: report.srcPort,
    dst: report.dstIp,
    dstPort: report.dstPort,
    ssrc: report.ssrc,
    reports: report.reports,
    expected: report.expected,
    lost: report.lost,
    jitterMs: { max: rounded(report.jitterMaxMs), last: rounded(report.jitterMs) },
    roundTripMs: rounded(report.roundTripMs),
    discardRatio: rounded(report.discardRatio),
    burstDensityRatio: rounded(report.burstDensityRatio),
    gapDensityRatio: rounded(report.gapDensityRatio),
    rFactor: report.rFactor,
    mosLq: report.mosLq,
    mosCq: report.mosCq,
  }
}

function callJson(call: CallRow): Readonly<Record<string, unknown>> {
  return {
    callId: call.callId,
    caller: call.caller,
    callee: call.callee,
    state: call.state,
    statusCode: call.statusCode,
    startTimeMs: rounded(call.startMs),
    answerTimeMs: rounded(call.answerMs),
    endTimeMs: rounded(call.endMs),
    oneWay: call.isOneWay,
    silent: call.isSilent,
    media: call.media.map(({ ip, port, codecs, isHeard }) => ({
      ip,
      port,
      codecs,
      heard: isHeard,
    })),
  }
}

function inMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : rounded(us / US_PER_MS)
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toFixed(DECIMALS))
}
