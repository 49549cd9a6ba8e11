import type { Datagram, Inner } from './datagram.ts'
import { decodeIp, decodeIpv4, decodeIpv6 } from './ip.ts'
import {
  LINK_C_HDLC,
  LINK_ETHERNET,
  LINK_IPV4,
  LINK_IPV6,
  LINK_LINUX_SLL,
  LINK_LINUX_SLL2,
  LINK_LOOP,
  LINK_NULL,
  LINK_PPP,
  LINK_PPP_DIRECTION,
  LINK_PPP_HDLC,
  LINK_RAW,
  LINK_RAW_12,
  LINK_RAW_14,
  LINK_WIFI,
  LINK_WIFI_RADIOTAP,
} from './link-types.ts'
import { NOT_IP, TRUNCATED, UNKNOWN_LINK_TYPE } from './verdicts.ts'
import {
  WIFI_NOT_DATA,
  WIFI_TRUNCATED,
  isRadiotapPadded,
  radiotapFrame,
  wifiPayload,
} from './wifi.ts'

/** From a link's header to the IP packet behind it, through VLAN tags, MPLS labels, PPPoE and LLC. */

const ETHERNET_OCTETS = 14
const ETHERNET_TYPE_AT = 12
const SLL_OCTETS = 16
const SLL_TYPE_AT = 14
const SLL2_OCTETS = 20
const SLL2_TYPE_AT = 0
const TYPE_OCTETS = 2

const TYPE_IPV4 = 0x0800
const TYPE_IPV6 = 0x86dd

/** Smaller numbers are the length of a frame of IEEE 802.3, with LLC and SNAP (RFC 1042) in front of the type. */
const LEAST_TYPE = 1536
const LLC_SNAP_OCTETS = 8
const LLC_SNAP = 0xaaaa0300
const SNAP_TYPE_AT = 6

const C_HDLC_OCTETS = 4
const C_HDLC_TYPE_AT = 2

/** IEEE 802.1Q, 802.1ad (QinQ) and the number QinQ had before it. */
const TYPE_VLAN = 0x8100
const TYPE_QINQ = 0x88a8
const TYPE_QINQ_OLD = 0x9100
const VLAN_OCTETS = 4
const MAX_VLAN_TAGS = 4

/** RFC 3032: 20 bits of label, 3 of class, 1 for the bottom of the stack, 8 of time to live. */
const TYPE_MPLS = 0x8847
const TYPE_MPLS_MULTICAST = 0x8848
const MPLS_OCTETS = 4
const MPLS_BOTTOM_AT = 2
const MAX_MPLS_LABELS = 8

/** RFC 2516: version and type, code, session, length; then PPP. */
const TYPE_PPPOE_SESSION = 0x8864
const PPPOE_OCTETS = 6
/** RFC 1662: all stations, unnumbered information. Either side may agree to leave them out, and the first octet of the protocol. */
const PPP_ADDRESS_CONTROL = 0xff03
const PPP_IPV4 = 0x21
const PPP_IPV6 = 0x57

/** AF_INET everywhere, and AF_INET6 on BSD/OS and NetBSD, FreeBSD, Darwin; Linux never writes such files. */
const FAMILY_OCTETS = 4
const FAMILY_IPV4 = 2
const FAMILIES_IPV6: readonly number[] = [24, 28, 30]

/** Reads the frame between `offset` and `end`. Returns a verdict, or IS_TUNNEL with `inner` filled. */
export function decodeLink(
  view: DataView,
  offset: number,
  end: number,
  linkType: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (linkType === LINK_ETHERNET) {
    const networkAt = offset + ETHERNET_OCTETS
    return decodeType(view, offset + ETHERNET_TYPE_AT, networkAt, end, datagram, inner)
  }
  return decodeOtherLink(view, offset, end, linkType, datagram, inner)
}

function decodeOtherLink(
  view: DataView,
  offset: number,
  end: number,
  linkType: number,
  datagram: Datagram,
  inner: Inner,
): number {
  switch (linkType) {
    case LINK_LINUX_SLL:
      return decodeType(view, offset + SLL_TYPE_AT, offset + SLL_OCTETS, end, datagram, inner)
    case LINK_LINUX_SLL2:
      return decodeType(view, offset + SLL2_TYPE_AT, offset + SLL2_OCTETS, end, datagram, inner)
    case LINK_RAW:
    case LINK_RAW_12:
    case LINK_RAW_14:
    case LINK_IPV4:
    case LINK_IPV6:
      return decodeIp(view, offset, end, datagram, inner)
    case LINK_NULL:
    case LINK_LOOP:
      return decodeFamily(view, offset, end, datagram, inner)
    case LINK_PPP:
    case LINK_PPP_HDLC:
      return decodePpp(view, offset, end, datagram, inner)
    case LINK_PPP_DIRECTION:
      return decodePpp(view, offset + 1, end, datagram, inner)
    case LINK_C_HDLC:
      return decodeType(view, offset + C_HDLC_TYPE_AT, offset + C_HDLC_OCTETS, end, datagram, inner)
    case LINK_WIFI:
      return decodeWifi(view, offset, end, false, datagram, inner)
    case LINK_WIFI_RADIOTAP:
      return decodeRadiotap(view, offset, end, datagram, inner)
    default:
      return UNKNOWN_LINK_TYPE
  }
}

/** The type octets, then what they say. */
function decodeType(
  view: DataView,
  typeAt: number,
  networkAt: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (networkAt > end) return TRUNCATED
  const type = view.getUint16(typeAt)
  if (type === TYPE_IPV4) return decodeIpv4(view, networkAt, end, datagram, inner)
  if (type === TYPE_IPV6) return decodeIpv6(view, networkAt, end, datagram, inner)
  return decodeTagged(view, type, networkAt, end, datagram, inner)
}

/** Any VLAN tags, then IP, MPLS or PPPoE. */
function decodeTagged(
  view: DataView,
  outerType: number,
  networkAt: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  let type = outerType
  let at = networkAt
  for (let tags = 0; isVlan(type); tags++) {
    if (tags === MAX_VLAN_TAGS) return NOT_IP
    if (at + VLAN_OCTETS > end) return TRUNCATED
    type = view.getUint16(at + TYPE_OCTETS)
    at += VLAN_OCTETS
  }
  switch (type) {
    case TYPE_IPV4:
      return decodeIpv4(view, at, end, datagram, inner)
    case TYPE_IPV6:
      return decodeIpv6(view, at, end, datagram, inner)
    case TYPE_MPLS:
    case TYPE_MPLS_MULTICAST:
      return decodeMpls(view, at, end, datagram, inner)
    case TYPE_PPPOE_SESSION:
      return decodePpp(view, at + PPPOE_OCTETS, end, datagram, inner)
    default:
      return type < LEAST_TYPE ? decodeLlc(view, at, end, datagram, inner) : NOT_IP
  }
}

function decodeLlc(
  view: DataView,
  at: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  if (at + LLC_SNAP_OCTETS > end) return NOT_IP
  // The last octet is the first of the organisation, which must be none, as must the two behind it.
  if (view.getUint32(at) !== LLC_SNAP || view.getUint16(at + TYPE_OCTETS * 2) !== 0) return NOT_IP
  const type = view.getUint16(at + SNAP_TYPE_AT)
  if (type < LEAST_TYPE) return NOT_IP
  return decodeType(view, at + SNAP_TYPE_AT, at + LLC_SNAP_OCTETS, end, datagram, inner)
}

function decodeWifi(
  view: DataView,
  offset: number,
  end: number,
  isPadded: boolean,
  datagram: Datagram,
  inner: Inner,
): number {
  const at = wifiPayload(view, offset, end, isPadded)
  if (at === WIFI_TRUNCATED) return TRUNCATED
  return at === WIFI_NOT_DATA ? NOT_IP : decodeLlc(view, at, end, datagram, inner)
}

function decodeRadiotap(
  view: DataView,
  offset: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  const frame = radiotapFrame(view, offset, end)
  if (frame < 0) return TRUNCATED
  const isPadded = isRadiotapPadded(view, offset, frame)
  return decodeWifi(view, frame, end, isPadded, datagram, inner)
}

function isVlan(type: number): boolean {
  return type === TYPE_VLAN || type === TYPE_QINQ || type === TYPE_QINQ_OLD
}

/** Nothing says what is under the labels: it is IP when it begins like it. */
function decodeMpls(
  view: DataView,
  offset: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  let at = offset
  for (let labels = 0; labels < MAX_MPLS_LABELS; labels++) {
    if (at + MPLS_OCTETS > end) return TRUNCATED
    const isBottom = (view.getUint8(at + MPLS_BOTTOM_AT) & 1) === 1
    at += MPLS_OCTETS
    if (isBottom) return decodeIp(view, at, end, datagram, inner)
  }
  return NOT_IP
}

function decodePpp(
  view: DataView,
  offset: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  let at = offset
  if (at + TYPE_OCTETS > end) return TRUNCATED
  if (view.getUint16(at) === PPP_ADDRESS_CONTROL) at += TYPE_OCTETS
  // The low octet of a protocol is odd and the high one even: 0 here, where it was not left out (RFC 1661 section 2).
  if (at < end && view.getUint8(at) === 0) at++
  if (at >= end) return TRUNCATED
  const protocol = view.getUint8(at)
  if (protocol === PPP_IPV4) return decodeIpv4(view, at + 1, end, datagram, inner)
  return protocol === PPP_IPV6 ? decodeIpv6(view, at + 1, end, datagram, inner) : NOT_IP
}

/** Families are small numbers, so that the byte order shows. */
function decodeFamily(
  view: DataView,
  offset: number,
  end: number,
  datagram: Datagram,
  inner: Inner,
): number {
  const at = offset + FAMILY_OCTETS
  if (at > end) return TRUNCATED
  const family = Math.min(view.getUint32(offset), view.getUint32(offset, true))
  if (family === FAMILY_IPV4) return decodeIpv4(view, at, end, datagram, inner)
  return FAMILIES_IPV6.includes(family) ? decodeIpv6(view, at, end, datagram, inner) : NOT_IP
}
