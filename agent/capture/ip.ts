import type { Datagram, Inner } from './datagram.ts'
import { GRE, decodeGre, tunnelPacket } from './tunnel.ts'
import { TCP, UDP, decodeFirstPiece, decodeTcp, decodeUdp } from './transport.ts'
import { BAD_IP_HEADER, FRAGMENT, IS_UDP, NOT_IP, NOT_UDP, TRUNCATED } from './verdicts.ts'

/** IPv4 (RFC 791) and IPv6 (RFC 8200). Each returns a verdict, or IS_TUNNEL with `inner` filled. */

const WORD_OCTETS = 4
const VERSION_SHIFT = 4
const LOW_NIBBLE = 0x0f
const DSCP_SHIFT = 2
/** Where a length is 0, as the network card cuts a large packet up after the tap saw it (or an IPv6 jumbogram, RFC 2675). */
const UNKNOWN_LENGTH = 0x3fffffff
const MAX_LENGTH = 0xffff

const IPV4_OCTETS = 20
const IPV4_TOS_AT = 1
const IPV4_LENGTH_AT = 2
const IPV4_IDENTIFICATION_AT = 4
const IPV4_FRAGMENT_AT = 6
const IPV4_PROTOCOL_AT = 9
const IPV4_SOURCE_AT = 12
const IPV4_DESTINATION_AT = 16
const FRAGMENT_OFFSET_MASK = 0x1fff
const FRAGMENT_UNIT = 8
const MORE_FRAGMENTS = 0x2000
const IS_PIECE = FRAGMENT_OFFSET_MASK | MORE_FRAGMENTS

const IPV6_OCTETS = 40
const IPV6_LENGTH_AT = 4
const IPV6_NEXT_AT = 6
const IPV6_SOURCE_AT = 8
const IPV6_DESTINATION_AT = 24
const IPV6_VERSION_SHIFT = 12
const IPV6_TRAFFIC_CLASS_SHIFT = 4
const OCTET_MASK = 0xff
/** Extension headers that begin with next header and length in units of 8 octets (RFC 8200 section 4, RFC 6275, RFC 7401, RFC 5533). */
const HOP_BY_HOP = 0
const ROUTING = 43
const DESTINATION_OPTIONS = 60
const MOBILITY = 135
const HOST_IDENTITY = 139
const SHIM6 = 140
const EXTENSION_UNIT = 8
/** Length in words, less two (RFC 4302). */
const AUTHENTICATION = 51
const FRAGMENT_HEADER = 44
const FRAGMENT_HEADER_OCTETS = 8
const FRAGMENT_HEADER_IDENTIFICATION_AT = 4
const IPV6_FRAGMENT_OFFSET_MASK = 0xfff8
const MAX_EXTENSION_HEADERS = 8

/** IP in IP (RFC 2003) and IPv6 in IP (RFC 4213). */
const IPV4_IN_IP = 4
const IPV6_IN_IP = 41

/** IP of whichever version it says. */
export function decodeIp(
  view: DataView,
  at: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at >= end) return TRUNCATED
  const version = view.getUint8(at) >> VERSION_SHIFT
  if (version === 4) return decodeIpv4(view, at, end, datagram, inner)
  return version === 6 ? decodeIpv6(view, at, end, datagram, inner) : NOT_IP
}

export function decodeIpv4(
  view: DataView,
  at: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at + IPV4_OCTETS > end) return TRUNCATED
  const first = view.getUint8(at)
  const headerOctets = (first & LOW_NIBBLE) * WORD_OCTETS
  const totalOctets = view.getUint16(at + IPV4_LENGTH_AT) || UNKNOWN_LENGTH
  if (first >> VERSION_SHIFT !== 4 || headerOctets < IPV4_OCTETS || totalOctets < headerOctets)
    return BAD_IP_HEADER
  datagram.ipVersion = 4
  datagram.dscp = view.getUint8(at + IPV4_TOS_AT) >> DSCP_SHIFT
  datagram.source[0] = view.getInt32(at + IPV4_SOURCE_AT)
  datagram.destination[0] = view.getInt32(at + IPV4_DESTINATION_AT)
  const protocol = view.getUint8(at + IPV4_PROTOCOL_AT)
  const payloadAt = at + headerOctets
  const room = totalOctets - headerOctets
  const fragment = view.getUint16(at + IPV4_FRAGMENT_AT)
  if ((fragment & IS_PIECE) === 0)
    return decodeWhole(view, payloadAt, end, room, protocol, datagram, inner)
  datagram.identification = view.getUint16(at + IPV4_IDENTIFICATION_AT)
  datagram.fragmentOffset = (fragment & FRAGMENT_OFFSET_MASK) * FRAGMENT_UNIT
  datagram.moreFragments = (fragment & MORE_FRAGMENTS) !== 0
  return decodePiece(view, payloadAt, end, room, protocol, datagram, inner)
}

export function decodeIpv6(
  view: DataView,
  at: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at + IPV6_OCTETS > end) return TRUNCATED
  const first = view.getUint16(at)
  if (first >> IPV6_VERSION_SHIFT !== 6) return BAD_IP_HEADER
  datagram.ipVersion = 6
  datagram.dscp = ((first >> IPV6_TRAFFIC_CLASS_SHIFT) & OCTET_MASK) >> DSCP_SHIFT
  for (let word = 0; word < WORD_OCTETS; word++) {
    datagram.source[word] = view.getInt32(at + IPV6_SOURCE_AT + word * WORD_OCTETS)
    datagram.destination[word] = view.getInt32(at + IPV6_DESTINATION_AT + word * WORD_OCTETS)
  }
  const room = view.getUint16(at + IPV6_LENGTH_AT) || UNKNOWN_LENGTH
  const next = view.getUint8(at + IPV6_NEXT_AT)
  return decodeExtensions(view, at + IPV6_OCTETS, end, room, next, datagram, inner)
}

/** The extension headers from `offset` on, the first of type `first`, and what they carry. */
function decodeExtensions(
  view: DataView,
  offset: number,
  end: number,
  octets: number,
  first: number,
  datagram: Datagram,
  inner: Inner,
): number {
  let at = offset
  let room = octets
  let next = first
  for (let headers = 0; ; headers++) {
    const length = extensionOctets(view, at, end, next)
    if (length === 0) return decodeWhole(view, at, end, room, next, datagram, inner)
    if (length < 0) return TRUNCATED
    if (headers === MAX_EXTENSION_HEADERS || length > room) return BAD_IP_HEADER
    const isFragment = next === FRAGMENT_HEADER
    const fragment = isFragment ? view.getUint16(at + 2) : 0
    const identificationAt = at + FRAGMENT_HEADER_IDENTIFICATION_AT
    next = view.getUint8(at)
    at += length
    room -= length
    datagram.fragmentOffset = fragment & IPV6_FRAGMENT_OFFSET_MASK
    datagram.moreFragments = (fragment & 1) !== 0
    // Else an atomic fragment: whole (RFC 6946).
    if (datagram.fragmentOffset > 0 || datagram.moreFragments) {
      datagram.identification = view.getUint32(identificationAt)
      return decodePiece(view, at, end, room, next, datagram, inner)
    }
  }
}

/** Length of the extension header of type `type`; 0 when it is no extension header, -1 when it was not captured. */
function extensionOctets(view: DataView, at: number, end: number, type: number): number {
  switch (type) {
    case FRAGMENT_HEADER:
      return at + FRAGMENT_HEADER_OCTETS > end ? -1 : FRAGMENT_HEADER_OCTETS
    case HOP_BY_HOP:
    case ROUTING:
    case DESTINATION_OPTIONS:
    case MOBILITY:
    case HOST_IDENTITY:
    case SHIM6:
      return at + 2 > end ? -1 : (view.getUint8(at + 1) + 1) * EXTENSION_UNIT
    case AUTHENTICATION:
      return at + 2 > end ? -1 : (view.getUint8(at + 1) + 2) * WORD_OCTETS
    default:
      return 0
  }
}

/** What an unfragmented packet carries. `room` is its length by the IP header; behind it there may be padding. */
function decodeWhole(
  view: DataView,
  at: number,
  end: number,
  room: number,
  protocol: number,
  datagram: Datagram,
  inner: Inner,
): number {
  const packetEnd = Math.min(end, at + room)
  datagram.moreFragments = false
  if (protocol === UDP) return decodeUdp(view, at, packetEnd, room, datagram, inner)
  switch (protocol) {
    case TCP:
      return decodeTcp(view, at, packetEnd, room <= MAX_LENGTH ? room : -1, datagram)
    case GRE:
      return decodeGre(view, at, packetEnd, inner)
    case IPV4_IN_IP:
    case IPV6_IN_IP:
      return tunnelPacket(at, packetEnd, inner)
    default:
      return NOT_UDP
  }
}

/** The first piece of a UDP datagram counts as the datagram; the others, and those of a tunnel, must be put together. */
function decodePiece(
  view: DataView,
  at: number,
  end: number,
  room: number,
  protocol: number,
  datagram: Datagram,
  inner: Inner,
): number {
  const captured = Math.max(0, Math.min(end - at, room))
  datagram.protocol = protocol
  datagram.fragmentAt = at
  datagram.fragmentOctets = room <= MAX_LENGTH ? room : captured
  datagram.fragmentCaptured = captured
  if (protocol !== UDP || datagram.fragmentOffset > 0) return FRAGMENT
  const verdict = decodeFirstPiece(view, at, at + captured, datagram, inner)
  return verdict === IS_UDP ? IS_UDP : FRAGMENT
}
