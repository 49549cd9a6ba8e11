import type { Datagram, Inner } from './datagram.ts'
import { MIRROR_PORTS, TUNNEL_PORTS, decapsulateUdp } from './tunnel.ts'
import { BAD_TCP_HEADER, BAD_UDP_LENGTH, IS_TCP, IS_TUNNEL, IS_UDP, TRUNCATED } from './verdicts.ts'

/** UDP (RFC 768) and TCP (RFC 9293). */

export const UDP = 17
export const TCP = 6

const UDP_OCTETS = 8
const UDP_DESTINATION_AT = 2
const UDP_LENGTH_AT = 4

const TCP_OCTETS = 20
const TCP_SEQUENCE_AT = 4
const TCP_OFFSET_AT = 12
const TCP_OFFSET_SHIFT = 4
const TCP_FLAGS_AT = 13
const WORD_OCTETS = 4

/** A whole datagram of `room` octets by its IP header. IS_TUNNEL when it carries a mirrored frame. */
export function decodeUdp(
  view: DataView,
  at: number,
  end: number,
  room: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at + UDP_OCTETS > end) return TRUNCATED
  const octets = view.getUint16(at + UDP_LENGTH_AT)
  if (octets < UDP_OCTETS || octets > room) return BAD_UDP_LENGTH
  fillUdp(view, at, end, octets, datagram)
  return verdictOfUdp(view, datagram, inner)
}

/** The first piece of a datagram, which is longer than the piece. */
export function decodeFirstPiece(
  view: DataView,
  at: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at + UDP_OCTETS > end) return TRUNCATED
  const octets = view.getUint16(at + UDP_LENGTH_AT)
  if (octets < UDP_OCTETS) return BAD_UDP_LENGTH
  fillUdp(view, at, end, octets, datagram)
  return verdictOfUdp(view, datagram, inner)
}

/** A segment of `room` octets by its IP header, -1 where that does not say. */
export function decodeTcp(
  view: DataView,
  at: number,
  end: number,
  room: number,
  datagram: Datagram,
): number {
  if (at + TCP_OCTETS > end) return TRUNCATED
  const headerOctets = (view.getUint8(at + TCP_OFFSET_AT) >> TCP_OFFSET_SHIFT) * WORD_OCTETS
  if (headerOctets < TCP_OCTETS || (room >= 0 && headerOctets > room)) return BAD_TCP_HEADER
  const captured = Math.max(0, end - at - headerOctets)
  datagram.sourcePort = view.getUint16(at)
  datagram.destinationPort = view.getUint16(at + UDP_DESTINATION_AT)
  datagram.tcpSequence = view.getUint32(at + TCP_SEQUENCE_AT)
  datagram.tcpFlags = view.getUint8(at + TCP_FLAGS_AT)
  datagram.payloadAt = at + headerOctets
  datagram.payloadOctets = room < 0 ? captured : room - headerOctets
  datagram.capturedOctets = captured
  return IS_TCP
}

function fillUdp(
  view: DataView,
  at: number,
  end: number,
  octets: number,
  datagram: Datagram,
): void {
  datagram.sourcePort = view.getUint16(at)
  datagram.destinationPort = view.getUint16(at + UDP_DESTINATION_AT)
  datagram.payloadAt = at + UDP_OCTETS
  datagram.payloadOctets = octets - UDP_OCTETS
  datagram.capturedOctets = Math.min(octets, end - at) - UDP_OCTETS
}

/** These ports are in the ranges that telephones choose from: what is not a tunnelled frame is left alone. */
function verdictOfUdp(view: DataView, datagram: Datagram, inner: Inner): number {
  const { destinationPort, payloadAt, capturedOctets } = datagram
  if (
    destinationPort !== MIRROR_PORTS.vxlan &&
    destinationPort !== MIRROR_PORTS.tzsp &&
    destinationPort !== TUNNEL_PORTS.gtp &&
    destinationPort !== TUNNEL_PORTS.geneve
  )
    return IS_UDP
  const end = payloadAt + capturedOctets
  const isTunnel = decapsulateUdp(view, payloadAt, end, destinationPort, inner) === IS_TUNNEL
  return isTunnel ? IS_TUNNEL : IS_UDP
}
