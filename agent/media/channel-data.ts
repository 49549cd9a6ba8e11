import type { Datagram } from '../capture/frame.ts'

/**
 * What a relay (TURN) passes on in a channel: number and length (2 octets each), then the datagram as its sender sent it (RFC 8656
 * section 12.4). Its numbers are 0x4000 to 0x4fff.
 */

const HEADER_OCTETS = 4
const LENGTH_AT = 2
const CHANNEL_SHIFT = 4
const CHANNEL = 4
/** Of RTP and RTCP. */
const VERSION_SHIFT = 6
const VERSION = 2

/** Lets `datagram` be what is in the channel when that begins as RTP and RTCP do; false when it does not, or is no channel. */
export function openChannel(view: DataView, datagram: Datagram): boolean {
  const { payloadAt, payloadOctets, capturedOctets } = datagram
  if (capturedOctets <= HEADER_OCTETS || view.getUint8(payloadAt) >> CHANNEL_SHIFT !== CHANNEL)
    return false
  const octets = view.getUint16(payloadAt + LENGTH_AT)
  if (octets === 0 || octets > payloadOctets - HEADER_OCTETS) return false
  if (view.getUint8(payloadAt + HEADER_OCTETS) >> VERSION_SHIFT !== VERSION) return false
  datagram.payloadAt = payloadAt + HEADER_OCTETS
  datagram.payloadOctets = octets
  datagram.capturedOctets = Math.min(octets, capturedOctets - HEADER_OCTETS)
  return true
}
