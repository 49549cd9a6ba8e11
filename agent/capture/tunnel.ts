import type { Inner } from './datagram.ts'
import { LINK_ETHERNET, LINK_RAW } from './link-types.ts'
import { BAD_TUNNEL_HEADER, IS_TUNNEL, NOT_IP, TRUNCATED } from './verdicts.ts'

/** Frames inside packets, as switches, routers and mobile networks send them: GRE, ERSPAN, VXLAN, TZSP, Geneve, GTP, IP in IP. */

/** Where mirrored frames are sent by UDP: VXLAN (RFC 7348), and TZSP as assigned by IANA. */
export const MIRROR_PORTS = { vxlan: 4789, tzsp: 37_008 } as const

/** Where other tunnels end: the user plane of mobile networks (3GPP TS 29.281) and Geneve (RFC 8926). */
export const TUNNEL_PORTS = { gtp: 2152, geneve: 6081 } as const

/** What a mirror sends in its datagrams. */
export type MirrorKind = keyof typeof MIRROR_PORTS

/** The IP protocol (RFC 2784). */
export const GRE = 47
/**
 *      0      1      2              4
 *     | C K S flags | ver | protocol | checksum (4, C) | key (4, K) | sequence (4, S) | ...
 */
const GRE_OCTETS = 4
const GRE_OPTION_OCTETS = 4
const GRE_CHECKSUM = 0x8000
const GRE_ROUTING = 0x4000
const GRE_KEY = 0x2000
const GRE_SEQUENCE = 0x1000
const GRE_VERSION_MASK = 7
const GRE_IPV4 = 0x0800
const GRE_IPV6 = 0x86dd
const GRE_ETHERNET = 0x6558
/** Types I and II alike: type I has neither sequence number nor header of its own (draft-foschiano-erspan). */
const GRE_ERSPAN = 0x88be
const GRE_ERSPAN_3 = 0x22eb

const ERSPAN_2_OCTETS = 8
const ERSPAN_2_VERSION = 1
const ERSPAN_3_OCTETS = 12
const ERSPAN_3_VERSION = 2
const ERSPAN_VERSION_SHIFT = 4
/** The last two octets: P, frame type (5 bits), hardware (6), D, granularity (2), O for 8 octets more. */
const ERSPAN_3_TYPE_AT = 10
const ERSPAN_3_TYPE_SHIFT = 10
const ERSPAN_3_TYPE_MASK = 0x1f
const ERSPAN_3_ETHERNET = 0
const ERSPAN_3_IP = 2
const ERSPAN_3_OPTION_OCTETS = 8

/** Flags (that the network is named; group policy besides), then the network, with octets that are zero. */
const VXLAN_OCTETS = 8
const VXLAN_NETWORK = 0x08
const VXLAN_GROUP_POLICY = 0x88

/** Version and length of the options in words, flags, type as in Ethernet, network and an octet; then the options. */
const GENEVE_OCTETS = 8
const GENEVE_TYPE_AT = 2
const GENEVE_VERSION_SHIFT = 6
const GENEVE_OPTIONS_MASK = 0x3f
const WORD_OCTETS = 4

/**
 * Version 1 (3 bits), protocol 1, a spare bit, E, S, PN; type; length (2); tunnel (4). With any of the three: number (2), another (1),
 * type of the first extension. Extensions: length in words, contents, type of the next one.
 */
const GTP_OCTETS = 8
const GTP_VERSION_MASK = 0xf0
const GTP_VERSION = 0x30
const GTP_OPTIONS = 0x07
const GTP_OPTION_OCTETS = 4
const GTP_EXTENSION = 0x04
const GTP_USER_PACKET = 255
const GTP_MAX_EXTENSIONS = 8

/** Version, type, encapsulated protocol; then tags of type, length and value, but 0 and 1 (the last), which are only a type. */
const TZSP_OCTETS = 4
const TZSP_VERSION = 1
const TZSP_RECEIVED = 0
const TZSP_TO_SEND = 1
const TZSP_ETHERNET = 1
const TZSP_TAG_PADDING = 0
const TZSP_TAG_END = 1
const TZSP_TAG_OCTETS = 2

/**
 * The frame in the payload, between `offset` and `end`, of a datagram that a mirror sent. Returns 'frame' with `inner` filled, or the
 * reason why there is none.
 */
export function decapsulateMirror(
  view: DataView,
  offset: number,
  end: number,
  kind: MirrorKind,
  inner: Inner,
): 'frame' | 'truncated' | 'bad-tunnel-header' {
  const verdict = decapsulateUdp(view, offset, end, MIRROR_PORTS[kind], inner)
  if (verdict === IS_TUNNEL) return 'frame'
  return verdict === TRUNCATED ? 'truncated' : 'bad-tunnel-header'
}

/** The same by port, with the verdicts of decodeFrame(). */
export function decapsulateUdp(
  view: DataView,
  offset: number,
  end: number,
  port: number,
  inner: Inner,
): number {
  switch (port) {
    case MIRROR_PORTS.tzsp:
      return decodeTzsp(view, offset, end, inner)
    case TUNNEL_PORTS.gtp:
      return decodeGtp(view, offset, end, inner)
    case TUNNEL_PORTS.geneve:
      return decodeGeneve(view, offset, end, inner)
    default:
      return decodeVxlan(view, offset, end, inner)
  }
}

/** An IP packet as it stands. */
export function tunnelPacket(offset: number, end: number, inner: Inner): number {
  return tunnel(LINK_RAW, offset, end, inner)
}

export function decodeGre(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + GRE_OCTETS > end) return TRUNCATED
  const flags = view.getUint16(offset)
  // Source routes were taken out again; version 1 carries PPP between two ends of a dial-in (RFC 2637).
  if ((flags & (GRE_ROUTING | GRE_VERSION_MASK)) !== 0) return BAD_TUNNEL_HEADER
  let at = offset + GRE_OCTETS
  if ((flags & GRE_CHECKSUM) !== 0) at += GRE_OPTION_OCTETS
  if ((flags & GRE_KEY) !== 0) at += GRE_OPTION_OCTETS
  const isSequenced = (flags & GRE_SEQUENCE) !== 0
  if (isSequenced) at += GRE_OPTION_OCTETS
  switch (view.getUint16(offset + 2)) {
    case GRE_IPV4:
    case GRE_IPV6:
      return tunnel(LINK_RAW, at, end, inner)
    case GRE_ETHERNET:
      return tunnel(LINK_ETHERNET, at, end, inner)
    case GRE_ERSPAN:
      return isSequenced
        ? decodeErspan2(view, at, end, inner)
        : tunnel(LINK_ETHERNET, at, end, inner)
    case GRE_ERSPAN_3:
      return decodeErspan3(view, at, end, inner)
    default:
      return NOT_IP
  }
}

function decodeErspan2(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + ERSPAN_2_OCTETS > end) return TRUNCATED
  if (view.getUint8(offset) >> ERSPAN_VERSION_SHIFT !== ERSPAN_2_VERSION) return BAD_TUNNEL_HEADER
  return tunnel(LINK_ETHERNET, offset + ERSPAN_2_OCTETS, end, inner)
}

function decodeErspan3(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + ERSPAN_3_OCTETS > end) return TRUNCATED
  if (view.getUint8(offset) >> ERSPAN_VERSION_SHIFT !== ERSPAN_3_VERSION) return BAD_TUNNEL_HEADER
  const word = view.getUint16(offset + ERSPAN_3_TYPE_AT)
  const type = (word >> ERSPAN_3_TYPE_SHIFT) & ERSPAN_3_TYPE_MASK
  const at = offset + ERSPAN_3_OCTETS + ((word & 1) === 1 ? ERSPAN_3_OPTION_OCTETS : 0)
  if (type === ERSPAN_3_ETHERNET) return tunnel(LINK_ETHERNET, at, end, inner)
  return type === ERSPAN_3_IP ? tunnel(LINK_RAW, at, end, inner) : NOT_IP
}

function decodeVxlan(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + VXLAN_OCTETS > end) return TRUNCATED
  const flags = view.getUint8(offset)
  if (flags !== VXLAN_NETWORK && flags !== VXLAN_GROUP_POLICY) return BAD_TUNNEL_HEADER
  return tunnel(LINK_ETHERNET, offset + VXLAN_OCTETS, end, inner)
}

function decodeGeneve(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + GENEVE_OCTETS > end) return TRUNCATED
  const first = view.getUint8(offset)
  if (first >> GENEVE_VERSION_SHIFT !== 0) return BAD_TUNNEL_HEADER
  const at = offset + GENEVE_OCTETS + (first & GENEVE_OPTIONS_MASK) * WORD_OCTETS
  switch (view.getUint16(offset + GENEVE_TYPE_AT)) {
    case GRE_ETHERNET:
      return tunnel(LINK_ETHERNET, at, end, inner)
    case GRE_IPV4:
    case GRE_IPV6:
      return tunnel(LINK_RAW, at, end, inner)
    default:
      return BAD_TUNNEL_HEADER
  }
}

function decodeGtp(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + GTP_OCTETS > end) return TRUNCATED
  const first = view.getUint8(offset)
  const isUserPacket = view.getUint8(offset + 1) === GTP_USER_PACKET
  if ((first & GTP_VERSION_MASK) !== GTP_VERSION || !isUserPacket) return BAD_TUNNEL_HEADER
  let at = offset + GTP_OCTETS
  if ((first & GTP_OPTIONS) !== 0) {
    at += GTP_OPTION_OCTETS
    let next = (first & GTP_EXTENSION) !== 0 && at <= end ? view.getUint8(at - 1) : 0
    for (let extensions = 0; next !== 0; extensions++) {
      if (at >= end) return TRUNCATED
      const octets = view.getUint8(at) * WORD_OCTETS
      if (octets === 0 || extensions === GTP_MAX_EXTENSIONS) return BAD_TUNNEL_HEADER
      at += octets
      if (at > end) return TRUNCATED
      next = view.getUint8(at - 1)
    }
  }
  return tunnel(LINK_RAW, at, end, inner)
}

function decodeTzsp(view: DataView, offset: number, end: number, inner: Inner): number {
  if (offset + TZSP_OCTETS > end) return TRUNCATED
  const type = view.getUint8(offset + 1)
  if (
    view.getUint8(offset) !== TZSP_VERSION ||
    (type !== TZSP_RECEIVED && type !== TZSP_TO_SEND) ||
    view.getUint16(offset + 2) !== TZSP_ETHERNET
  )
    return BAD_TUNNEL_HEADER
  for (let at = offset + TZSP_OCTETS; at < end;) {
    const tag = view.getUint8(at)
    if (tag === TZSP_TAG_END) return tunnel(LINK_ETHERNET, at + 1, end, inner)
    if (tag === TZSP_TAG_PADDING) at++
    else if (at + 1 < end) at += TZSP_TAG_OCTETS + view.getUint8(at + 1)
    else break
  }
  return TRUNCATED
}

function tunnel(linkType: number, offset: number, end: number, inner: Inner): number {
  if (offset >= end) return TRUNCATED
  inner.linkType = linkType
  inner.offset = offset
  inner.end = end
  return IS_TUNNEL
}
