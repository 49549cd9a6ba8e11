import { addressText } from '../capture/address.ts'
import type { Datagram } from '../capture/frame.ts'
import { isPossible, reportDifference, type Cumulative } from '../rtp/report-difference.ts'
import type { VoipMetrics } from '../rtp/rtcp-xr.ts'
import type { ReportBlock } from '../rtp/rtcp-packet.ts'
import type { DatagramPath } from './datagram-path.ts'
import type { ReportRow } from './report-row.ts'
import { ssrcText } from './stream-row.ts'

const MS_PER_S = 1000
/** Nobody talks over more; it is a receiver whose arithmetic went wrong. */
const MAX_JITTER_MS = 10_000

/** What is known of a stream somebody reports on. */
export interface StreamIdentity {
  readonly codec: string | undefined
  readonly clockRate: number | undefined
  readonly srcIp: string
  readonly srcPort: number
  readonly dstIp: string
  readonly dstPort: number
}

type Endpoints = Pick<StreamIdentity, 'srcIp' | 'srcPort' | 'dstIp' | 'dstPort'>

/** Why a report, or a figure of it, was not believed. */
export type ReportFault = 'impossible-loss' | 'impossible-jitter'

/** One stream by the reports of one receiver: what it said in the interval. */
export class ReportedStream {
  readonly ssrc: number
  /** Of the reports. */
  readonly path: DatagramPath
  /** Arrival of the newest report. */
  lastUs = 0
  /** From end to end, by the receiver's own XR block. */
  ownRoundTrip: { readonly ms: number; readonly atUs: number } | undefined
  #identity: StreamIdentity
  #before: Cumulative | undefined
  #reports = 0
  #expected: number | undefined
  #lost: number | undefined
  #jitterMs: number | undefined
  #roundTripMs: number | undefined
  #extendedReports = 0
  #metrics: VoipMetrics | undefined

  constructor(ssrc: number, path: DatagramPath, datagram: Datagram) {
    this.ssrc = ssrc
    this.path = path
    this.#identity = { codec: undefined, clockRate: undefined, ...endpointsFrom(datagram) }
  }

  get identity(): StreamIdentity {
    return this.#identity
  }

  /** What we know by ourselves of the stream; it stays known when the stream is gone. */
  identify(identity: StreamIdentity | undefined): void {
    if (identity !== undefined) this.#identity = identity
  }

  /** Takes a report block. Returns what of it was not believed. */
  report(block: ReportBlock, roundTripMs: number | undefined): ReportFault | undefined {
    if (!isPossible(block)) return 'impossible-loss'
    const before = this.#before
    this.#before = block
    const difference = before && reportDifference(before, block)
    if (difference?.kind === 'impossible') return 'impossible-loss'
    this.#reports++
    this.#roundTripMs = roundTripMs ?? this.#roundTripMs
    if (difference?.kind === 'difference') {
      this.#expected = (this.#expected ?? 0) + difference.expected
      this.#lost = (this.#lost ?? 0) + difference.lost
    }
    const { clockRate } = this.#identity
    if (clockRate === undefined) return undefined
    const jitterMs = (block.jitterTicks * MS_PER_S) / clockRate
    if (jitterMs > MAX_JITTER_MS) return 'impossible-jitter'
    this.#jitterMs = jitterMs
    return undefined
  }

  extendedReport(metrics: VoipMetrics, timeUs: number): void {
    this.#extendedReports++
    this.#metrics = metrics
    const ms = metrics.roundTripMs
    if (ms !== undefined) this.ownRoundTrip = { ms, atUs: timeUs }
  }

  /** What was said since the last call: a row for each kind of report there was. */
  takeRows(): readonly ReportRow[] {
    const rows: ReportRow[] = []
    if (this.#reports > 0)
      rows.push({
        ...this.#emptyRow('rr', this.#reports),
        expected: this.#expected,
        lost: this.#lost,
        jitterMs: this.#jitterMs,
        roundTripMs: this.#roundTripMs,
      })
    if (this.#metrics !== undefined)
      rows.push({
        ...this.#emptyRow('xr', this.#extendedReports),
        roundTripMs: this.#metrics.roundTripMs,
        discardRatio: this.#metrics.discardRatio,
        burstDensityRatio: this.#metrics.burstDensityRatio,
        gapDensityRatio: this.#metrics.gapDensityRatio,
        burstDurationMs: this.#metrics.burstDurationMs,
        gapDurationMs: this.#metrics.gapDurationMs,
        endSystemDelayMs: this.#metrics.endSystemDelayMs,
        jitterBufferMs: this.#metrics.jitterBufferNominalMs,
        signalLevelDbm: this.#metrics.signalLevelDbm,
        noiseLevelDbm: this.#metrics.noiseLevelDbm,
        rFactor: this.#metrics.rFactor,
        mosLq: this.#metrics.mosLq,
        mosCq: this.#metrics.mosCq,
      })
    this.#startInterval()
    return rows
  }

  #startInterval(): void {
    this.#reports = 0
    this.#expected = undefined
    this.#lost = undefined
    this.#jitterMs = undefined
    this.#roundTripMs = undefined
    this.#extendedReports = 0
    this.#metrics = undefined
  }

  #emptyRow(kind: ReportRow['kind'], reports: number): ReportRow {
    const { srcIp, srcPort, dstIp, dstPort, codec } = this.#identity
    return {
      kind,
      srcIp,
      srcPort,
      dstIp,
      dstPort,
      ssrc: ssrcText(this.ssrc),
      codec,
      reports,
      expected: undefined,
      lost: undefined,
      jitterMs: undefined,
      roundTripMs: undefined,
      discardRatio: undefined,
      burstDensityRatio: undefined,
      gapDensityRatio: undefined,
      burstDurationMs: undefined,
      gapDurationMs: undefined,
      endSystemDelayMs: undefined,
      jitterBufferMs: undefined,
      signalLevelDbm: undefined,
      noiseLevelDbm: undefined,
      rFactor: undefined,
      mosLq: undefined,
      mosCq: undefined,
    }
  }
}

/** Of a stream we never saw: it runs against its reports, a port below when that is RTCP's own (RFC 3550 section 11). */
function endpointsFrom(datagram: Datagram): Endpoints {
  const { ipVersion, source, sourcePort, destination, destinationPort } = datagram
  const text = (address: Int32Array) =>
    addressText(ipVersion === 4 ? [address[0] ?? 0] : [...address])
  return {
    srcIp: text(destination),
    srcPort: rtpPort(destinationPort),
    dstIp: text(source),
    dstPort: rtpPort(sourcePort),
  }
}

/** RTCP has the odd port after the even one of RTP; on an even one both are mixed (RFC 5761). */
function rtpPort(port: number): number {
  return port % 2 === 0 ? port : port - 1
}
