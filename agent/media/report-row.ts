/**
 * What a receiver says about a stream, over one interval: the differences of its cumulative counters (RFC 3550 section 6.4, A.3), and
 * of an XR block the newest figures. Kept apart from what we counted ourselves. What it did not say is undefined.
 */
export interface ReportRow {
  readonly kind: 'rr' | 'xr'
  /** Sender and receiver of the stream reported on; the receiver is who reports. */
  readonly srcIp: string
  readonly srcPort: number
  readonly dstIp: string
  readonly dstPort: number
  /** Of the stream reported on. */
  readonly ssrc: string
  readonly codec: string | undefined
  readonly reports: number
  readonly expected: number | undefined
  readonly lost: number | undefined
  readonly jitterMs: number | undefined
  /** Between the tap and the receiver, or of an XR block between both ends. */
  readonly roundTripMs: number | undefined
  readonly discardRatio: number | undefined
  readonly burstDensityRatio: number | undefined
  readonly gapDensityRatio: number | undefined
  readonly burstDurationMs: number | undefined
  readonly gapDurationMs: number | undefined
  readonly endSystemDelayMs: number | undefined
  readonly jitterBufferMs: number | undefined
  readonly signalLevelDbm: number | undefined
  readonly noiseLevelDbm: number | undefined
  readonly rFactor: number | undefined
  readonly mosLq: number | undefined
  readonly mosCq: number | undefined
}

/** RTCP seen, since the beginning. */
export interface RtcpCounts {
  readonly compounds: number
  readonly senderReports: number
  readonly receiverReports: number
  readonly sourceDescriptions: number
  readonly goodbyes: number
  readonly extendedReports: number
  readonly encrypted: number
  /** Datagrams that are no RTCP after all, and reports and figures of reports that were not believed, by reason. */
  readonly invalid: Readonly<Record<string, number>>
  /** Streams reported on, and what their round trips are made of, forgotten because there were too many. */
  readonly evicted: number
}
