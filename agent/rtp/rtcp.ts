import { readPacket, isInUse, type RtcpPacket } from './rtcp-packet.ts'

/**
 * RTCP datagrams: RFC 3550 section 6.1 and A.2, reduced-size (RFC 5506) included. Packets follow one another, each of
 *
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |V=2|P|  count  |      PT       |      length in words, less 1  |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                             ...                               |
 */

const WORD_OCTETS = 4
const HEADER_OCTETS = 4
const LENGTH_AT = 2
const SSRC_AT = 4
const VERSION_SHIFT = 6
const VERSION = 2
const PADDING_BIT = 0x20

/** All numbers that may be RTCP (RFC 5761 section 4); those not in use are skipped, and none comes first. */
const FIRST_TYPE = 192
const LAST_TYPE = 223
/** Many more than anybody sends; a datagram of empty ones is an attack. */
const MAX_PACKETS = 64

/** What SRTCP adds at least: the word of the E bit and the index, and a tag of 80 bits (RFC 3711 section 3.4). */
const SRTCP_TRAILER_OCTETS = 14

/** Why a datagram is not RTCP. */
export type RtcpFault =
  | 'short'
  | 'bad-version'
  | 'bad-type'
  | 'bad-length'
  | 'bad-padding'
  | 'bad-report-count'
  | 'too-many-packets'
  | 'truncated'

export type RtcpResult =
  | {
      readonly kind: 'rtcp'
      readonly packets: readonly RtcpPacket[]
      /**
       * All lengths were seen and add up. If not, the snap length cut the datagram: these are the packets and report blocks before the
       * cut, and that it is no SRTCP is not certain.
       */
      readonly isWhole: boolean
    }
  /** Of SRTCP only who sent it can be read. */
  | { readonly kind: 'encrypted'; readonly ssrc: number }
  | { readonly kind: 'invalid'; readonly reason: RtcpFault }

/**
 * Reads a datagram of `octets` at `at`, of which only `captured` may be in `view`. Packets of unknown or unneeded types (APP, feedback)
 * are skipped by their length.
 */
export function parseRtcp(
  view: DataView,
  at: number,
  octets: number,
  captured: number,
): RtcpResult {
  const seen = Math.min(octets, captured)
  if (octets < HEADER_OCTETS) return { kind: 'invalid', reason: 'short' }
  const fault = (reason: RtcpFault): RtcpResult =>
    isEncrypted(view, at, octets, seen)
      ? { kind: 'encrypted', ssrc: view.getInt32(at + SSRC_AT) }
      : { kind: 'invalid', reason }
  const packets: RtcpPacket[] = []
  let offset = 0
  for (let count = 0; offset < octets && offset + HEADER_OCTETS <= seen; count++) {
    if (count === MAX_PACKETS) return fault('too-many-packets')
    const start = at + offset
    const length = packetOctets(view, start)
    const reason = headerFault(view, start, length, octets - offset, offset === 0)
    if (reason !== undefined) return fault(reason)
    const isSeen = offset + length <= seen
    const padding = isSeen ? paddingOctets(view, start, length) : 0
    if (padding < 0) return fault('bad-padding')
    const end = start + length - padding
    const isFine = readPacket(view, { at: start, end, seen: Math.min(end, at + seen) }, packets)
    if (!isFine) return fault('bad-report-count')
    offset += length
  }
  const isWhole = offset === octets && seen === octets
  // Fewer octets than a header after the last packet, or a tag of SRTCP that the snap length cut off.
  if (!isWhole && (seen === octets || octets % WORD_OCTETS !== 0)) return fault('bad-length')
  if (!isWhole && packets.length === 0) return { kind: 'invalid', reason: 'truncated' }
  return { kind: 'rtcp', packets, isWhole }
}

/** Octets of the packet that begins at `at`, by its header. */
function packetOctets(view: DataView, at: number): number {
  return (view.getUint16(at + LENGTH_AT) + 1) * WORD_OCTETS
}

function headerFault(
  view: DataView,
  at: number,
  length: number,
  left: number,
  isFirst: boolean,
): RtcpFault | undefined {
  const first = view.getUint8(at)
  const type = view.getUint8(at + 1)
  if (first >> VERSION_SHIFT !== VERSION) return 'bad-version'
  if (isFirst ? !isInUse(type) : type < FIRST_TYPE || type > LAST_TYPE) return 'bad-type'
  if (length > left) return 'bad-length'
  // Only the last packet may be padded (RFC 3550 section 6.4.1).
  return (first & PADDING_BIT) !== 0 && length < left ? 'bad-padding' : undefined
}

/** Octets to leave out at the end; -1 when there cannot be so many. */
function paddingOctets(view: DataView, at: number, length: number): number {
  if ((view.getUint8(at) & PADDING_BIT) === 0) return 0
  const padding = view.getUint8(at + length - 1)
  const isFine = padding > 0 && padding % WORD_OCTETS === 0 && padding <= length - HEADER_OCTETS
  return isFine ? padding : -1
}

/**
 * Whether what is no chain of RTCP packets is SRTCP: one packet, then what is no header, and room for the trailer. Its header and the
 * SSRC after it are clear (RFC 3711 section 3.4). One in a hundred looks like a broken chain; that is how it is counted then.
 */
function isEncrypted(view: DataView, at: number, octets: number, seen: number): boolean {
  if (seen < SSRC_AT + WORD_OCTETS) return false
  const length = packetOctets(view, at)
  if (headerFault(view, at, length, length, true) !== undefined) return false
  if (length < SSRC_AT + WORD_OCTETS || octets - length < SRTCP_TRAILER_OCTETS) return false
  if (length + HEADER_OCTETS > seen) return true
  const isHeader = view.getUint8(at + length) >> VERSION_SHIFT === VERSION
  return !(isHeader && isInUse(view.getUint8(at + length + 1)))
}
