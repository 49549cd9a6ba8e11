import type { ReportBlock, SenderReport } from './rtcp-packet.ts'

/** Puts RTCP into octets (RFC 3550 sections 6.4 to 6.6): what rtcp-packet.ts reads. */

const VERSION_BITS = 0x80
const SENDER_REPORT = 200
const RECEIVER_REPORT = 201
const SOURCE_DESCRIPTION = 202
const GOODBYE = 203
const WORD_OCTETS = 4
const COUNT_SHIFT = 24
const TYPE_SHIFT = 16
const CNAME = 1
const MAX_BLOCKS = 31
const MAX_LOST = 0x7fffff
const MIN_LOST = -0x800000
const LOST_MASK = 0xffffff
const FRACTION_SHIFT = 24

export interface CompoundReport {
  readonly ssrc: number
  /** Undefined for who has sent nothing: a receiver report goes out then. */
  readonly sent: Omit<SenderReport, 'type' | 'ssrc' | 'reports'> | undefined
  readonly reports: readonly ReportBlock[]
  /** ASCII, the same for all sources of one call, and nobody's name (RFC 7022). */
  readonly cname: string
  /** The source ends. */
  readonly isLeaving: boolean
}

/** A compound packet: report, SDES with CNAME, and BYE where the source ends (RFC 3550 section 6.1). */
export function writeReport(compound: CompoundReport): Uint8Array {
  const { ssrc, sent, cname, isLeaving } = compound
  const reports = compound.reports.slice(0, MAX_BLOCKS)
  const type = sent === undefined ? RECEIVER_REPORT : SENDER_REPORT
  const body = [...(sent === undefined ? [] : senderWords(sent)), ...reports.flatMap(blockWords)]
  return octetsOf([
    ...packet(type, reports.length, [ssrc, ...body]),
    ...packet(SOURCE_DESCRIPTION, 1, [ssrc, ...nameWords(cname)]),
    ...(isLeaving ? packet(GOODBYE, 1, [ssrc]) : []),
  ])
}

/** The item, and one octet of zero at least to end the items, filled up to a word. */
function nameWords(cname: string): number[] {
  const octets = [CNAME, cname.length, ...new TextEncoder().encode(cname), 0]
  while (octets.length % WORD_OCTETS !== 0) octets.push(0)
  const view = new DataView(Uint8Array.from(octets).buffer)
  return Array.from({ length: octets.length / WORD_OCTETS }, (_, index) =>
    view.getUint32(index * WORD_OCTETS),
  )
}

function senderWords(sent: NonNullable<CompoundReport['sent']>): number[] {
  const { ntpSeconds, ntpFraction, rtpTimestamp, packetCount, octetCount } = sent
  return [ntpSeconds, ntpFraction, rtpTimestamp, packetCount, octetCount]
}

function blockWords(block: ReportBlock): number[] {
  const lost = Math.min(MAX_LOST, Math.max(MIN_LOST, block.cumulativeLost))
  const losses = (block.fractionLost << FRACTION_SHIFT) | (lost & LOST_MASK)
  const { ssrc, extendedHighestSequence, jitterTicks } = block
  const { lastSenderReport, delaySinceLastSenderReport } = block
  const head = [ssrc, losses, extendedHighestSequence, jitterTicks]
  return [...head, lastSenderReport, delaySinceLastSenderReport]
}

function packet(type: number, count: number, body: readonly number[]): number[] {
  const header = ((VERSION_BITS | count) << COUNT_SHIFT) | (type << TYPE_SHIFT) | body.length
  return [header, ...body]
}

function octetsOf(words: readonly number[]): Uint8Array {
  const octets = new Uint8Array(words.length * WORD_OCTETS)
  const view = new DataView(octets.buffer)
  for (const [index, word] of words.entries()) view.setUint32(index * WORD_OCTETS, word)
  return octets
}
