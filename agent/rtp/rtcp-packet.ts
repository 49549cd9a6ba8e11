import { parseExtendedReport, type ExtendedReport } from './rtcp-xr.ts'

/**
 * The packets of RTCP after their common header (rtcp.ts): RFC 3550 sections 6.4 to 6.6. A report has a block for each source:
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |                        SSRC of sender                         |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |         SR only: NTP (2 words), RTP time, packets, octets     |
 *    +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 *    |                        SSRC of source                         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | fraction lost |       cumulative number of packets lost       |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |           extended highest sequence number received           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                      interarrival jitter                      |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |             last SR (LSR); delay since last SR (DLSR)         |
 *
 * SSRCs are 32 bits, signed, as in RtpPacket; all other numbers are unsigned unless they say otherwise.
 */

const WORD_OCTETS = 4
const HEADER_OCTETS = 4
const SSRC_AT = 4
const COUNT_MASK = 0x1f

/** Packet types (RFC 3550 section 12.1, RFC 4585, RFC 3611). */
const SENDER_REPORT = 200
const RECEIVER_REPORT = 201
const SOURCE_DESCRIPTION = 202
const GOODBYE = 203
const EXTENDED_REPORT = 207

/** Octets before the report blocks. */
const RECEIVER_REPORT_OCTETS = 8
const SENDER_REPORT_OCTETS = 28
const NTP_SECONDS_AT = 8
const NTP_FRACTION_AT = 12
const RTP_TIMESTAMP_AT = 16
const PACKET_COUNT_AT = 20
const OCTET_COUNT_AT = 24

const BLOCK_OCTETS = 24
const FRACTION_LOST_AT = 4
const EXTENDED_SEQUENCE_AT = 8
const JITTER_AT = 12
const LSR_AT = 16
const DLSR_AT = 20
/** Shifts the fraction lost out of its word, sign and all. */
const FRACTION_BITS = 8

const CNAME = 1
const ITEM_HEADER_OCTETS = 2
const END_OF_ITEMS = 0

const UTF_8 = new TextDecoder()

export interface ReportBlock {
  /** Of the stream reported on. */
  readonly ssrc: number
  /** Since the report before, of 256. */
  readonly fractionLost: number
  /** Signed: negative when duplicates outnumber losses. */
  readonly cumulativeLost: number
  readonly extendedHighestSequence: number
  /** Ticks of the clock of the stream reported on. */
  readonly jitterTicks: number
  /** Middle 32 bits of the NTP time of the last SR, 0 when there was none. */
  readonly lastSenderReport: number
  /** Units of 1/65536 s; 0 when there was no SR. */
  readonly delaySinceLastSenderReport: number
}

export interface SenderReport {
  readonly type: 'SR'
  readonly ssrc: number
  /** Seconds since 1900, and a fraction of 2^32; many devices send anything but the time of day. */
  readonly ntpSeconds: number
  readonly ntpFraction: number
  readonly rtpTimestamp: number
  readonly packetCount: number
  readonly octetCount: number
  readonly reports: readonly ReportBlock[]
}

export interface ReceiverReport {
  readonly type: 'RR'
  readonly ssrc: number
  readonly reports: readonly ReportBlock[]
}

export interface SourceDescription {
  readonly type: 'SDES'
  readonly chunks: readonly { readonly ssrc: number; readonly cname: string | undefined }[]
}

export interface Goodbye {
  readonly type: 'BYE'
  readonly sources: readonly number[]
}

export type RtcpPacket =
  SenderReport | ReceiverReport | SourceDescription | Goodbye | ExtendedReport

/** One packet: `end` is where its contents end, padding taken off; `seen` where what was captured of them does. */
export interface Extent {
  readonly at: number
  readonly end: number
  readonly seen: number
}

/** Whether somebody sends this type; others are reserved. */
export function isInUse(type: number): boolean {
  return type >= SENDER_REPORT && type <= EXTENDED_REPORT
}

/** Adds the packet, as far as it was captured, to `packets`. False when it cannot hold the reports it claims. */
export function readPacket(view: DataView, extent: Extent, packets: RtcpPacket[]): boolean {
  const { at, end, seen } = extent
  switch (view.getUint8(at + 1)) {
    case SENDER_REPORT:
      return readReport(view, extent, SENDER_REPORT_OCTETS, packets)
    case RECEIVER_REPORT:
      return readReport(view, extent, RECEIVER_REPORT_OCTETS, packets)
    case SOURCE_DESCRIPTION:
      packets.push({ type: 'SDES', chunks: readChunks(view, extent) })
      return true
    case GOODBYE:
      packets.push({ type: 'BYE', sources: readSources(view, extent) })
      return true
    case EXTENDED_REPORT:
      if (at + RECEIVER_REPORT_OCTETS > end) return true
      if (at + RECEIVER_REPORT_OCTETS <= seen) packets.push(parseExtendedReport(view, at, seen))
      return true
    default:
      return true
  }
}

/** What follows the blocks is an extension of some profile. */
function readReport(
  view: DataView,
  { at, end, seen }: Extent,
  headOctets: number,
  packets: RtcpPacket[],
): boolean {
  const count = view.getUint8(at) & COUNT_MASK
  if (at + headOctets + count * BLOCK_OCTETS > end) return false
  if (at + headOctets > seen) return true
  const reports: ReportBlock[] = []
  for (let block = at + headOctets; reports.length < count; block += BLOCK_OCTETS) {
    if (block + BLOCK_OCTETS > seen) break
    reports.push(readBlock(view, block))
  }
  const ssrc = view.getInt32(at + SSRC_AT)
  if (headOctets === RECEIVER_REPORT_OCTETS) packets.push({ type: 'RR', ssrc, reports })
  else
    packets.push({
      type: 'SR',
      ssrc,
      ntpSeconds: view.getUint32(at + NTP_SECONDS_AT),
      ntpFraction: view.getUint32(at + NTP_FRACTION_AT),
      rtpTimestamp: view.getUint32(at + RTP_TIMESTAMP_AT),
      packetCount: view.getUint32(at + PACKET_COUNT_AT),
      octetCount: view.getUint32(at + OCTET_COUNT_AT),
      reports,
    })
  return true
}

function readBlock(view: DataView, at: number): ReportBlock {
  return {
    ssrc: view.getInt32(at),
    fractionLost: view.getUint8(at + FRACTION_LOST_AT),
    cumulativeLost: (view.getInt32(at + FRACTION_LOST_AT) << FRACTION_BITS) >> FRACTION_BITS,
    extendedHighestSequence: view.getUint32(at + EXTENDED_SEQUENCE_AT),
    jitterTicks: view.getUint32(at + JITTER_AT),
    lastSenderReport: view.getUint32(at + LSR_AT),
    delaySinceLastSenderReport: view.getUint32(at + DLSR_AT),
  }
}

/** As many chunks as are whole: SSRC, items, and zeros up to the next word (RFC 3550 section 6.5). */
function readChunks(view: DataView, { at, seen }: Extent): SourceDescription['chunks'] {
  const count = view.getUint8(at) & COUNT_MASK
  const chunks: { ssrc: number; cname: string | undefined }[] = []
  let chunk = at + HEADER_OCTETS
  while (chunks.length < count && chunk + WORD_OCTETS < seen) {
    const ssrc = view.getInt32(chunk)
    let cname: string | undefined
    let item = chunk + WORD_OCTETS
    while (item + 1 < seen && view.getUint8(item) !== END_OF_ITEMS) {
      const octets = view.getUint8(item + 1)
      const text = item + ITEM_HEADER_OCTETS
      if (text + octets > seen) return chunks
      if (view.getUint8(item) === CNAME) cname = readText(view, text, octets)
      item = text + octets
    }
    if (item >= seen) return chunks
    chunks.push({ ssrc, cname })
    chunk += WORD_OCTETS * (Math.floor((item - chunk) / WORD_OCTETS) + 1)
  }
  return chunks
}

function readSources(view: DataView, { at, seen }: Extent): readonly number[] {
  const count = view.getUint8(at) & COUNT_MASK
  const whole = Math.floor((seen - at - HEADER_OCTETS) / WORD_OCTETS)
  return Array.from({ length: Math.min(count, whole) }, (_, source) =>
    view.getInt32(at + HEADER_OCTETS + source * WORD_OCTETS),
  )
}

/** UTF-8, as RFC 3550 section 6.5 says; what is not becomes replacement characters. */
function readText(view: DataView, at: number, octets: number): string {
  return UTF_8.decode(new Uint8Array(view.buffer, view.byteOffset + at, octets))
}
