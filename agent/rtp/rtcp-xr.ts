/**
 * Extended reports, RFC 3611: after the RTCP header and the SSRC of the sender, blocks of
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |      BT       | type-specific |     length in words, less 1   |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                     contents of the block                     |
 */

const WORD_OCTETS = 4
const SSRC_AT = 4
const BLOCKS_AT = 8
const BLOCK_HEADER_OCTETS = 4
const LENGTH_AT = 2

/** Block types (RFC 3611 section 8.1). */
const RECEIVER_REFERENCE_TIME = 4
const DLRR = 5
const VOIP_METRICS = 7

const REFERENCE_TIME_OCTETS = 12
const DLRR_ITEM_OCTETS = 12
/** Nine words by its length field and its picture; the text of section 4.7 says seven. */
const VOIP_METRICS_OCTETS = 36

/** Ratios come as an octet: of 256. */
const RATIO_UNITS = 256
const UNAVAILABLE = 127
const MAX_R_FACTOR = 100
const MIN_MOS_TENTHS = 10
const MAX_MOS_TENTHS = 50
const MOS_TENTHS = 10
const CONCEALMENT_SHIFT = 6
const JITTER_BUFFER_SHIFT = 4
const TWO_BITS = 0x03
const RATE_MASK = 0x0f
/** The receiver does not say what kind of jitter buffer it has. */
const JITTER_BUFFER_UNKNOWN = 0

/** Names of the two bits, from 0 on. */
const CONCEALMENTS = ['unspecified', 'disabled', 'enhanced', 'standard'] as const
const JITTER_BUFFERS = ['unknown', 'reserved', 'fixed', 'adaptive'] as const

export interface ExtendedReport {
  readonly type: 'XR'
  /** Of who reports; signed. */
  readonly ssrc: number
  /** Those we know, in their order. */
  readonly blocks: readonly XrBlock[]
}

export type XrBlock = ReceiverReferenceTime | DelaySinceLastReceiverReport | VoipMetrics

/** What lets a party that only receives measure its round trip: as the NTP time of an SR (section 4.4). */
export interface ReceiverReferenceTime {
  readonly type: 'RRT'
  readonly ntpSeconds: number
  readonly ntpFraction: number
}

/** The answer to it (section 4.5). */
export interface DelaySinceLastReceiverReport {
  readonly type: 'DLRR'
  readonly items: readonly {
    /** Of the party whose reference time this answers; signed. */
    readonly ssrc: number
    readonly lastReceiverReport: number
    /** Units of 1/65536 s. */
    readonly delaySinceLastReceiverReport: number
  }[]
}

/** What a telephone says of the voice it got (section 4.7). Undefined is what it could not or would not say. */
export interface VoipMetrics {
  readonly type: 'VoIP'
  /** Of the stream reported on; signed. */
  readonly ssrc: number
  /** Since the beginning of the call, like the discards. */
  readonly lossRatio: number
  readonly discardRatio: number
  readonly burstDensityRatio: number
  readonly gapDensityRatio: number
  readonly burstDurationMs: number
  readonly gapDurationMs: number
  readonly roundTripMs: number | undefined
  readonly endSystemDelayMs: number | undefined
  readonly signalLevelDbm: number | undefined
  readonly noiseLevelDbm: number | undefined
  readonly residualEchoReturnLossDb: number | undefined
  readonly gmin: number
  readonly rFactor: number | undefined
  readonly externalRFactor: number | undefined
  readonly mosLq: number | undefined
  readonly mosCq: number | undefined
  readonly concealment: (typeof CONCEALMENTS)[number] | undefined
  readonly jitterBuffer: (typeof JITTER_BUFFERS)[number] | undefined
  readonly jitterBufferRate: number
  readonly jitterBufferNominalMs: number | undefined
  readonly jitterBufferMaximumMs: number | undefined
  readonly jitterBufferAbsoluteMaximumMs: number | undefined
}

/** Reads the XR packet at `at`, with what lies before `end` of it: every block that is whole. Unknown ones are skipped by length. */
export function parseExtendedReport(view: DataView, at: number, end: number): ExtendedReport {
  const blocks: XrBlock[] = []
  let block = at + BLOCKS_AT
  while (block + BLOCK_HEADER_OCTETS <= end) {
    const octets = (view.getUint16(block + LENGTH_AT) + 1) * WORD_OCTETS
    if (block + octets > end) break
    const read = readBlock(view, block, octets)
    if (read !== undefined) blocks.push(read)
    block += octets
  }
  return { type: 'XR', ssrc: view.getInt32(at + SSRC_AT), blocks }
}

function readBlock(view: DataView, at: number, octets: number): XrBlock | undefined {
  switch (view.getUint8(at)) {
    case RECEIVER_REFERENCE_TIME:
      return octets < REFERENCE_TIME_OCTETS ? undefined : readReferenceTime(view, at)
    case DLRR:
      return readDlrr(view, at, octets)
    case VOIP_METRICS:
      return octets < VOIP_METRICS_OCTETS ? undefined : readVoipMetrics(view, at)
    default:
      return undefined
  }
}

function readReferenceTime(view: DataView, at: number): ReceiverReferenceTime {
  return { type: 'RRT', ntpSeconds: view.getUint32(at + 4), ntpFraction: view.getUint32(at + 8) }
}

function readDlrr(view: DataView, at: number, octets: number): DelaySinceLastReceiverReport {
  const count = Math.floor((octets - BLOCK_HEADER_OCTETS) / DLRR_ITEM_OCTETS)
  return {
    type: 'DLRR',
    items: Array.from({ length: count }, (_, index) => {
      const item = at + BLOCK_HEADER_OCTETS + index * DLRR_ITEM_OCTETS
      return {
        ssrc: view.getInt32(item),
        lastReceiverReport: view.getUint32(item + 4),
        delaySinceLastReceiverReport: view.getUint32(item + 8),
      }
    }),
  }
}

/** Offsets as in the picture of section 4.7. */
function readVoipMetrics(view: DataView, at: number): VoipMetrics {
  const ratio = (offset: number) => view.getUint8(at + offset) / RATIO_UNITS
  const milliseconds = (offset: number) => view.getUint16(at + offset)
  const configuration = view.getUint8(at + 28)
  const jitterBuffer = (configuration >> JITTER_BUFFER_SHIFT) & TWO_BITS
  // Telephones that know nothing of their jitter buffer leave zeros.
  const depth = (offset: number) =>
    jitterBuffer === JITTER_BUFFER_UNKNOWN ? unlessZero(milliseconds(offset)) : milliseconds(offset)
  return {
    type: 'VoIP',
    ssrc: view.getInt32(at + 4),
    lossRatio: ratio(8),
    discardRatio: ratio(9),
    burstDensityRatio: ratio(10),
    gapDensityRatio: ratio(11),
    burstDurationMs: milliseconds(12),
    gapDurationMs: milliseconds(14),
    roundTripMs: unlessZero(milliseconds(16)),
    endSystemDelayMs: unlessZero(milliseconds(18)),
    signalLevelDbm: available(view.getInt8(at + 20)),
    noiseLevelDbm: available(view.getInt8(at + 21)),
    residualEchoReturnLossDb: available(view.getUint8(at + 22)),
    gmin: view.getUint8(at + 23),
    rFactor: rFactor(view.getUint8(at + 24)),
    externalRFactor: rFactor(view.getUint8(at + 25)),
    mosLq: mos(view.getUint8(at + 26)),
    mosCq: mos(view.getUint8(at + 27)),
    concealment: CONCEALMENTS[(configuration >> CONCEALMENT_SHIFT) & TWO_BITS],
    jitterBuffer: JITTER_BUFFERS[jitterBuffer],
    jitterBufferRate: configuration & RATE_MASK,
    jitterBufferNominalMs: depth(30),
    jitterBufferMaximumMs: depth(32),
    jitterBufferAbsoluteMaximumMs: depth(34),
  }
}

function unlessZero(value: number): number | undefined {
  return value === 0 ? undefined : value
}

function available(value: number): number | undefined {
  return value === UNAVAILABLE ? undefined : value
}

/** Values over 100 are to be ignored (section 4.7.5), 127 among them. */
function rFactor(value: number): number | undefined {
  return value > MAX_R_FACTOR ? undefined : value
}

function mos(tenths: number): number | undefined {
  return tenths < MIN_MOS_TENTHS || tenths > MAX_MOS_TENTHS ? undefined : tenths / MOS_TENTHS
}
