import type { IpVersion } from './address.ts'

/**
 * From a captured frame to the UDP datagram in it: Ethernet with VLAN tags, Linux cooked or raw IP, then IPv4 or IPv6, then UDP.
 * Everything is read from one view at an offset; nothing is copied but addresses and ports.
 */

/** What decodeFrame() returns: 0 for UDP, else the index of a reason here. */
export const FRAME_VERDICTS = [
  'udp',
  'truncated',
  'unknown-link-type',
  'not-ip',
  'bad-ip-header',
  'not-udp',
  'fragment',
  'bad-udp-length',
] as const
export const IS_UDP = 0
const TRUNCATED = 1
const UNKNOWN_LINK_TYPE = 2
const NOT_IP = 3
const BAD_IP_HEADER = 4
const NOT_UDP = 5
const FRAGMENT = 6
const BAD_UDP_LENGTH = 7

/** Link types, as numbered in capture files. */
const LINK_ETHERNET = 1
const LINK_RAW = 101
const LINK_LINUX_SLL = 113
const LINK_IPV4 = 228
const LINK_IPV6 = 229
const LINK_LINUX_SLL2 = 276

const ETHERNET_OCTETS = 14
const ETHERNET_TYPE_AT = 12
const VLAN_OCTETS = 4
const MAX_VLAN_TAGS = 4
const SLL_OCTETS = 16
const SLL_TYPE_AT = 14
const SLL2_OCTETS = 20
const SLL2_TYPE_AT = 0

const TYPE_IPV4 = 0x0800
const TYPE_IPV6 = 0x86dd
/** IEEE 802.1Q, 802.1ad (QinQ) and the number QinQ had before it. */
const TYPE_VLAN = 0x8100
const TYPE_QINQ = 0x88a8
const TYPE_QINQ_OLD = 0x9100

const WORD_OCTETS = 4
const VERSION_SHIFT = 4
const LOW_NIBBLE = 0x0f
const DSCP_SHIFT = 2

const IPV4_OCTETS = 20
const IPV4_TOS_AT = 1
const IPV4_LENGTH_AT = 2
const IPV4_FRAGMENT_AT = 6
const IPV4_PROTOCOL_AT = 9
const IPV4_SOURCE_AT = 12
const IPV4_DESTINATION_AT = 16
const FRAGMENT_OFFSET_MASK = 0x1fff
const MORE_FRAGMENTS = 0x2000

const IPV6_OCTETS = 40
const IPV6_LENGTH_AT = 4
const IPV6_NEXT_AT = 6
const IPV6_SOURCE_AT = 8
const IPV6_DESTINATION_AT = 24
const IPV6_VERSION_SHIFT = 12
const IPV6_TRAFFIC_CLASS_SHIFT = 4
const OCTET_MASK = 0xff
/** Extension headers that begin with next header and length in units of 8 octets (RFC 8200 section 4, RFC 6275, RFC 7401). */
const HOP_BY_HOP = 0
const ROUTING = 43
const DESTINATION_OPTIONS = 60
const MOBILITY = 135
const HOST_IDENTITY = 139
/** Length in words, less two (RFC 4302). */
const AUTHENTICATION = 51
const FRAGMENT_HEADER = 44
const FRAGMENT_HEADER_OCTETS = 8
const IPV6_FRAGMENT_OFFSET_MASK = 0xfff8
const EXTENSION_UNIT = 8
const MAX_EXTENSION_HEADERS = 8

const UDP = 17
const UDP_OCTETS = 8
const UDP_DESTINATION_AT = 2
const UDP_LENGTH_AT = 4

/** One datagram, to be filled again and again. Addresses are 32-bit words, signed; see address.ts. */
export class Datagram {
  ipVersion: IpVersion = 4
  dscp = 0
  sourcePort = 0
  destinationPort = 0
  /** IPv4 uses the first word of each and leaves the others as they are. */
  readonly source = new Int32Array(WORD_OCTETS)
  readonly destination = new Int32Array(WORD_OCTETS)
  /** Where the payload begins, its length by the UDP header, and how much of it was captured. */
  payloadAt = 0
  payloadOctets = 0
  capturedOctets = 0
}

/**
 * Reads the frame of link type `linkType` between `offset` and `end` (what was captured of it). Returns 0 and fills `datagram`, or
 * the reason why there is no UDP datagram in it, an index into FRAME_VERDICTS.
 */
export function decodeFrame(
  view: DataView,
  offset: number,
  end: number,
  linkType: number,
  datagram: Datagram,
): number {
  switch (linkType) {
    case LINK_ETHERNET:
      return decodeLink(view, offset + ETHERNET_TYPE_AT, offset + ETHERNET_OCTETS, end, datagram)
    case LINK_LINUX_SLL:
      return decodeLink(view, offset + SLL_TYPE_AT, offset + SLL_OCTETS, end, datagram)
    case LINK_LINUX_SLL2:
      return decodeLink(view, offset + SLL2_TYPE_AT, offset + SLL2_OCTETS, end, datagram)
    case LINK_RAW:
    case LINK_IPV4:
    case LINK_IPV6:
      return decodeIp(view, offset, end, datagram)
    default:
      return UNKNOWN_LINK_TYPE
  }
}

/** The type octets, then any VLAN tags, then IP. */
function decodeLink(
  view: DataView,
  typeAt: number,
  networkAt: number,
  end: number,
  datagram: Datagram,
): number {
  if (networkAt > end) return TRUNCATED
  let type = view.getUint16(typeAt)
  let at = networkAt
  for (let tags = 0; isVlan(type); tags++) {
    if (tags === MAX_VLAN_TAGS) return NOT_IP
    if (at + VLAN_OCTETS > end) return TRUNCATED
    type = view.getUint16(at + 2)
    at += VLAN_OCTETS
  }
  if (type === TYPE_IPV4) return decodeIpv4(view, at, end, datagram)
  return type === TYPE_IPV6 ? decodeIpv6(view, at, end, datagram) : NOT_IP
}

function isVlan(type: number): boolean {
  return type === TYPE_VLAN || type === TYPE_QINQ || type === TYPE_QINQ_OLD
}

function decodeIp(view: DataView, at: number, end: number, datagram: Datagram): number {
  if (at >= end) return TRUNCATED
  const version = view.getUint8(at) >> VERSION_SHIFT
  if (version === 4) return decodeIpv4(view, at, end, datagram)
  return version === 6 ? decodeIpv6(view, at, end, datagram) : NOT_IP
}

/** RFC 791. */
function decodeIpv4(view: DataView, at: number, end: number, datagram: Datagram): number {
  if (at + IPV4_OCTETS > end) return TRUNCATED
  const first = view.getUint8(at)
  const headerOctets = (first & LOW_NIBBLE) * WORD_OCTETS
  // 0 where the network card cuts a large packet up after the tap saw it.
  const totalOctets = view.getUint16(at + IPV4_LENGTH_AT) || Infinity
  if (first >> VERSION_SHIFT !== 4 || headerOctets < IPV4_OCTETS || totalOctets < headerOctets)
    return BAD_IP_HEADER
  if (view.getUint8(at + IPV4_PROTOCOL_AT) !== UDP) return NOT_UDP
  const fragment = view.getUint16(at + IPV4_FRAGMENT_AT)
  if ((fragment & FRAGMENT_OFFSET_MASK) !== 0) return FRAGMENT
  datagram.ipVersion = 4
  datagram.dscp = view.getUint8(at + IPV4_TOS_AT) >> DSCP_SHIFT
  datagram.source[0] = view.getInt32(at + IPV4_SOURCE_AT)
  datagram.destination[0] = view.getInt32(at + IPV4_DESTINATION_AT)
  const room = (fragment & MORE_FRAGMENTS) === 0 ? totalOctets - headerOctets : Infinity
  return decodeUdp(view, at + headerOctets, end, room, datagram)
}

/** RFC 8200. */
function decodeIpv6(view: DataView, at: number, end: number, datagram: Datagram): number {
  if (at + IPV6_OCTETS > end) return TRUNCATED
  const first = view.getUint16(at)
  if (first >> IPV6_VERSION_SHIFT !== 6) return BAD_IP_HEADER
  let room = view.getUint16(at + IPV6_LENGTH_AT) || Infinity
  let next = view.getUint8(at + IPV6_NEXT_AT)
  let udpAt = at + IPV6_OCTETS
  for (let headers = 0; next !== UDP; headers++) {
    const octets = extensionOctets(view, udpAt, end, next)
    if (octets <= 0) return octets < 0 ? TRUNCATED : NOT_UDP
    if (headers === MAX_EXTENSION_HEADERS || octets > room) return BAD_IP_HEADER
    if (next === FRAGMENT_HEADER) {
      const fragment = view.getUint16(udpAt + 2)
      if ((fragment & IPV6_FRAGMENT_OFFSET_MASK) !== 0) return FRAGMENT
      if ((fragment & 1) !== 0) room = Infinity
    }
    next = view.getUint8(udpAt)
    udpAt += octets
    room -= octets
  }
  datagram.ipVersion = 6
  datagram.dscp = ((first >> IPV6_TRAFFIC_CLASS_SHIFT) & OCTET_MASK) >> DSCP_SHIFT
  for (let word = 0; word < WORD_OCTETS; word++) {
    datagram.source[word] = view.getInt32(at + IPV6_SOURCE_AT + word * WORD_OCTETS)
    datagram.destination[word] = view.getInt32(at + IPV6_DESTINATION_AT + word * WORD_OCTETS)
  }
  return decodeUdp(view, udpAt, end, room, datagram)
}

/** Length of the extension header of type `type`; 0 when it is no extension header, -1 when it was not captured. */
function extensionOctets(view: DataView, at: number, end: number, type: number): number {
  if (type === FRAGMENT_HEADER) return at + FRAGMENT_HEADER_OCTETS > end ? -1 : EXTENSION_UNIT
  const isKnown =
    type === HOP_BY_HOP ||
    type === ROUTING ||
    type === DESTINATION_OPTIONS ||
    type === AUTHENTICATION ||
    type === MOBILITY ||
    type === HOST_IDENTITY
  if (!isKnown) return 0
  if (at + 2 > end) return -1
  const length = view.getUint8(at + 1)
  return type === AUTHENTICATION ? (length + 2) * WORD_OCTETS : (length + 1) * EXTENSION_UNIT
}

/** RFC 768. `room` is what IP left for it. */
function decodeUdp(
  view: DataView,
  at: number,
  end: number,
  room: number,
  datagram: Datagram,
): number {
  if (at + UDP_OCTETS > end) return TRUNCATED
  const octets = view.getUint16(at + UDP_LENGTH_AT)
  if (octets < UDP_OCTETS || octets > room) return BAD_UDP_LENGTH
  datagram.sourcePort = view.getUint16(at)
  datagram.destinationPort = view.getUint16(at + UDP_DESTINATION_AT)
  datagram.payloadAt = at + UDP_OCTETS
  datagram.payloadOctets = octets - UDP_OCTETS
  datagram.capturedOctets = Math.min(octets, end - at) - UDP_OCTETS
  return IS_UDP
}
