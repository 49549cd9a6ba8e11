import type { Network } from './address.ts'
import type { PortRange, StreamFilter } from './stream-filter.ts'

/**
 * What tcpdump is to let through, in the language of pcap-filter(7). Everything in it is a number or a network that was parsed and
 * printed anew. Media is cut off behind its headers; signalling is wanted whole, so it goes through a tap of its own, and no packet
 * through both.
 */

const MAX_PORT = 65_535
/** RFC 5761 section 4: the second octet of RTCP; RTP keeps out of these numbers. */
const RTCP_FIRST = 192
const RTCP_LAST = 223
/** `udp` looks no further than the first header of IPv6: hop-by-hop, routing, authentication, destination options, mobility, HIP. */
const IPV6_EXTENSIONS = [0, 43, 51, 60, 135, 139]
const IPV6_FRAGMENT = 44
/** Where libpcap has no `udp[...]` for IPv6: behind its 40 octets, when UDP follows them. */
const UDP_OF_IPV6 = 'ip6[6] = 17'
/** GRE (47), VXLAN and TZSP: mirrors that pass by inside packets. */
const TUNNELS = 'ip proto 47 or udp port 4789 or udp port 37008'

export interface TapFilterOptions {
  readonly filter: StreamFilter
  readonly sipPorts?: readonly PortRange[] | undefined
  /** Look into GRE, VXLAN and TZSP as well. */
  readonly hasTunnels?: boolean | undefined
}

/** RTP, and whatever else comes by UDP to its ports. */
export function mediaFilter({ filter, sipPorts = [], hasTunnels }: TapFilterOptions): string {
  const { networks, from, to } = filter
  const isMedia = [
    'udp',
    ...onPorts([filter.ports]),
    ...(sipPorts.length > 0 ? [`not (${anyOf(sipPorts.map(portRange))})`] : []),
    `not (${isRtcp()})`,
    `not (${isLaterPiece()})`,
  ].join(' and ')
  const hasExtension = anyOf(IPV6_EXTENSIONS.map((header) => `ip6[6] = ${header}`))
  const wanted = [
    `((${isMedia}) or ${hasExtension})`,
    ...among('net', networks),
    ...among('src net', from),
    ...among('dst net', to),
  ].join(' and ')
  return hasTunnels === true ? `(${wanted}) or ${TUNNELS}` : wanted
}

/**
 * SIP, and RTCP, which is larger than the headers of RTP. The later pieces of a datagram name no port: they are let through, as a large
 * INVITE comes in pieces; telephony's audio never does.
 */
export function signallingFilter({ filter, sipPorts = [] }: TapFilterOptions): string {
  const { ports, networks } = filter
  const rtcpPorts = { from: ports.from, to: Math.min(MAX_PORT, ports.to + 1) }
  const rtcp = ['udp', ...onPorts([rtcpPorts]), `(${isRtcp()})`].join(' and ')
  const sip = `(udp or tcp) and (${anyOf(sipPorts.map(portRange))})`
  const isSignalling =
    sipPorts.length > 0 ? `(${sip}) or (${rtcp}) or (${isLaterPiece()})` : `(${rtcp})`
  return [`(${isSignalling})`, ...among('net', networks)].join(' and ')
}

/** `vlan` moves what follows it behind one more tag: untagged, tagged and QinQ. */
export function behindTags(filter: string): string {
  return `(${filter}) or (vlan and (${filter})) or (vlan and (${filter}))`
}

function isRtcp(): string {
  const inIpv4 = `udp[8] & 0xc0 = 0x80 and udp[9] >= ${RTCP_FIRST} and udp[9] <= ${RTCP_LAST}`
  const inIpv6 = `ip6[48] & 0xc0 = 0x80 and ip6[49] >= ${RTCP_FIRST} and ip6[49] <= ${RTCP_LAST}`
  return `(${inIpv4}) or (${UDP_OF_IPV6} and ${inIpv6})`
}

function isLaterPiece(): string {
  return `(ip proto 17 and ip[6:2] & 0x1fff != 0) or ip6[6] = ${IPV6_FRAGMENT}`
}

function onPorts(ranges: readonly PortRange[]): readonly string[] {
  const isAll = ranges.some(({ from, to }) => from === 0 && to === MAX_PORT)
  return isAll ? [] : [`(${anyOf(ranges.map(portRange))})`]
}

function portRange({ from, to }: PortRange): string {
  return `portrange ${from}-${to}`
}

function among(primitive: string, networks: readonly Network[]): readonly string[] {
  if (networks.length === 0) return []
  return [`(${anyOf(networks.map(({ cidr }) => `${primitive} ${cidr}`))})`]
}

function anyOf(conditions: readonly string[]): string {
  return conditions.join(' or ')
}
