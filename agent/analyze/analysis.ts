import type { CallRow, SipCounts } from '../media/call-row.ts'
import type { CaptureInterval } from '../media/capture-interval.ts'
import type { RtcpCounts } from '../media/report-row.ts'
import { ReportTotals, type ReportTotal } from './report-total.ts'
import { SignallingTotals, type SignallingTotal } from './signalling-total.ts'
import { MAX_TOTALS, StreamTotals, type StreamTotal, type UnlistedStreams } from './stream-total.ts'

/** Everything a capture file has to say. */
export interface Analysis {
  readonly file: string
  readonly packets: number
  readonly bytes: number
  /** Of the first and the last packet, milliseconds since 1970; undefined when there is none. */
  readonly firstMs: number | undefined
  readonly lastMs: number | undefined
  readonly streams: readonly StreamTotal[]
  readonly reports: readonly ReportTotal[]
  readonly calls: readonly CallRow[]
  readonly rtcp: RtcpCounts
  readonly sip: SipCounts
  readonly signalling: SignallingTotal
  /** Packets that belong to no stream, by reason. */
  readonly ignored: Readonly<Record<string, number>>
  /** Streams dropped because there were too many at once. */
  readonly evicted: number
  /** Beyond those that are told one by one. */
  readonly unlisted: {
    readonly streams: UnlistedStreams
    readonly calls: number
    readonly reports: number
  }
  /** Why the file was read only so far; undefined when it was read to its end. */
  readonly fault: string | undefined
}

const US_PER_MS = 1000
const NO_RTCP: RtcpCounts = {
  evicted: 0,
  compounds: 0,
  senderReports: 0,
  receiverReports: 0,
  sourceDescriptions: 0,
  goodbyes: 0,
  extendedReports: 0,
  encrypted: 0,
  invalid: {},
}
const NO_SIP: SipCounts = { messages: 0, requests: {}, responses: {}, calls: 0, invalid: {} }

/** Adds up the intervals of one file: the numbers are those an agent would have sent. */
export class AnalysisBuilder {
  readonly #file: string
  readonly #streams = new StreamTotals()
  readonly #reports = new ReportTotals()
  readonly #signalling = new SignallingTotals()
  readonly #calls = new Map<string, CallRow>()
  readonly #ignored = new Map<string, number>()
  #newest: CaptureInterval | undefined
  #firstMs: number | undefined
  #evicted = 0
  #unlistedCalls = 0
  #fault: string | undefined

  constructor(file: string) {
    this.#file = file
  }

  add(interval: CaptureInterval): void {
    const { endUs, durationMs, streams, reports, calls, ignored, evicted, fault } = interval
    if (durationMs !== undefined && endUs > 0)
      this.#firstMs ??= (endUs - durationMs * US_PER_MS) / US_PER_MS
    this.#newest = interval
    for (const row of streams) this.#streams.add(row, endUs)
    this.#signalling.add(interval.signalling)
    for (const row of reports) this.#reports.add(row)
    for (const row of calls) this.#addCall(row)
    for (const [reason, count] of Object.entries(ignored))
      this.#ignored.set(reason, (this.#ignored.get(reason) ?? 0) + count)
    this.#evicted += evicted
    this.#fault ??= fault
  }

  get analysis(): Analysis {
    const newest = this.#newest
    const hasPackets = newest !== undefined && newest.frames > 0
    return {
      file: this.#file,
      packets: newest?.frames ?? 0,
      bytes: newest?.octets ?? 0,
      firstMs: hasPackets ? this.#firstMs : undefined,
      lastMs: hasPackets ? newest.endUs / US_PER_MS : undefined,
      streams: this.#streams.streams,
      reports: this.#reports.reports,
      calls: [...this.#calls.values()],
      rtcp: newest?.rtcp ?? NO_RTCP,
      sip: newest?.sip ?? NO_SIP,
      signalling: this.#signalling.total,
      ignored: Object.fromEntries([...this.#ignored].sort(([a], [b]) => (a < b ? -1 : 1))),
      evicted: this.#evicted,
      unlisted: {
        streams: this.#streams.unlisted,
        calls: this.#unlistedCalls,
        reports: this.#reports.unlisted,
      },
      fault: this.#fault,
    }
  }

  /** A call is as its newest row says, but a fault of its media stays known. */
  #addCall(row: CallRow): void {
    const before = this.#calls.get(row.callId)
    if (before === undefined && this.#calls.size >= MAX_TOTALS) {
      this.#unlistedCalls++
      return
    }
    this.#calls.set(row.callId, {
      ...row,
      isOneWay: row.isOneWay || before?.isOneWay === true,
      isSilent: row.isSilent || before?.isSilent === true,
    })
  }
}
