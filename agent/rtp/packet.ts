/**
 * The RTP header, RFC 3550 section 5.1.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                           timestamp                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                             SSRC                              |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |          CSRC (CC times) ; if X: profile, words, data         |
 */

export const FIXED_OCTETS = 12
const WORD_OCTETS = 4
const SEQUENCE_AT = 2
const TIMESTAMP_AT = 4
const SSRC_AT = 8
const EXTENSION_WORDS_AT = 2
const EXTENSION_HEADER_OCTETS = 4

const PADDING_BIT = 0x20
const EXTENSION_BIT = 0x10
const CSRC_COUNT_MASK = 0x0f
const MARKER_BIT = 0x80
const PAYLOAD_TYPE_MASK = 0x7f

/** Ranges of the first octet, each by its first and the first beyond it (RFC 7983 section 7). */
const STUN_END = 4
const ZRTP = 16
const ZRTP_END = 20
const DTLS_END = 64
const TURN_END = 80
const RTP = 128
const RTP_END = 192
/** Second octets of RTCP on the same port (RFC 5761 section 4). */
const RTCP = 192
const RTCP_END = 224
const RTCP_HEADER_OCTETS = 4

/** What parseRtp() returns: 0 for RTP, else the index of a reason here. */
export const RTP_VERDICTS = [
  'rtp',
  'short',
  'stun',
  'zrtp',
  'dtls',
  'turn',
  'not-rtp',
  'rtcp',
  'csrc-overrun',
  'extension-overrun',
  'bad-padding',
] as const
export const IS_RTP = 0
export const SHORT = 1
export const STUN = 2
const ZRTP_PACKET = 3
const DTLS = 4
export const TURN = 5
export const NOT_RTP = 6
export const IS_RTCP = 7
const CSRC_OVERRUN = 8
const EXTENSION_OVERRUN = 9
/** The header can be trusted, the padding count cannot. Under SRTP it is encrypted (RFC 3711 section 3.1), so this may be good RTP. */
export const BAD_PADDING = 10

/** One header, to be filled again and again. */
export class RtpPacket {
  marker = false
  payloadType = 0
  sequenceNumber = 0
  /** 32 bits, signed: compare by difference only. */
  timestamp = 0
  /** 32 bits, signed. */
  ssrc = 0
  csrcCount = 0
  /** Octets before the payload: fixed header, CSRC list, extension. */
  headerOctets = 0
  /** After the header, padding included: neither a short snap length nor SRTP lets its count be read. */
  payloadOctets = 0
  /** Octets of padding; 0 where there is none or its count was not captured. */
  paddingOctets = 0
}

/**
 * Reads the header of a datagram of `length` octets at `offset`, of which only `captured` may be in `view`. Returns 0 and fills
 * `packet`, or returns the reason why this is not RTP, an index into RTP_VERDICTS. With BAD_PADDING the packet is filled as well.
 */
export function parseRtp(
  view: DataView,
  offset: number,
  length: number,
  captured: number,
  packet: RtpPacket,
): number {
  if (length < FIXED_OCTETS || captured < FIXED_OCTETS)
    return isShortRtcp(view, offset, Math.min(length, captured)) ? IS_RTCP : SHORT
  const first = view.getUint8(offset)
  if (first < RTP || first >= RTP_END) return otherProtocol(first)
  const second = view.getUint8(offset + 1)
  if (second >= RTCP && second < RTCP_END) return IS_RTCP
  const csrcCount = first & CSRC_COUNT_MASK
  let header = FIXED_OCTETS + WORD_OCTETS * csrcCount
  if (header > length) return CSRC_OVERRUN
  if ((first & EXTENSION_BIT) !== 0) {
    if (header + EXTENSION_HEADER_OCTETS > length) return EXTENSION_OVERRUN
    if (header + EXTENSION_HEADER_OCTETS <= captured)
      header += WORD_OCTETS * view.getUint16(offset + header + EXTENSION_WORDS_AT)
    header += EXTENSION_HEADER_OCTETS
    if (header > length) return EXTENSION_OVERRUN
  }
  packet.marker = (second & MARKER_BIT) !== 0
  packet.payloadType = second & PAYLOAD_TYPE_MASK
  packet.sequenceNumber = view.getUint16(offset + SEQUENCE_AT)
  packet.timestamp = view.getInt32(offset + TIMESTAMP_AT)
  packet.ssrc = view.getInt32(offset + SSRC_AT)
  packet.csrcCount = csrcCount
  packet.headerOctets = header
  packet.payloadOctets = length - header
  packet.paddingOctets = 0
  if ((first & PADDING_BIT) === 0 || captured < length) return IS_RTP
  const padding = view.getUint8(offset + length - 1)
  if (padding === 0 || padding > length - header) return BAD_PADDING
  packet.paddingOctets = padding
  return IS_RTP
}

/** A receiver report without report blocks has 8 octets. */
function isShortRtcp(view: DataView, offset: number, octets: number): boolean {
  if (octets < RTCP_HEADER_OCTETS) return false
  const first = view.getUint8(offset)
  const second = view.getUint8(offset + 1)
  return first >= RTP && first < RTP_END && second >= RTCP && second < RTCP_END
}

function otherProtocol(first: number): number {
  if (first < STUN_END) return STUN
  if (first < ZRTP) return NOT_RTP
  if (first < ZRTP_END) return ZRTP_PACKET
  if (first < DTLS_END) return DTLS
  return first < TURN_END ? TURN : NOT_RTP
}
