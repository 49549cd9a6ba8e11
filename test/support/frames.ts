import { isIPv4 } from 'node:net'
import { parseNetwork } from '../../agent/capture/address.ts'

/** Headers one by one, to be put around a payload: what udpFrame() of pcap-writer.ts does not make. Checksums are left out. */

export const IPV4 = 0x0800
export const IPV6 = 0x86dd
const UDP = 17
export const TCP = 6
export const GRE = 47

export interface IpFields {
  readonly from?: string
  readonly to?: string
  readonly protocol?: number
  readonly dscp?: number
  readonly identification?: number
  /** In octets. */
  readonly fragmentOffset?: number
  readonly moreFragments?: boolean
  /** Options of IPv4: a multiple of 4 octets. */
  readonly options?: Uint8Array
}

export function ethernet(type: number, payload: Uint8Array): Buffer {
  return Buffer.concat([hex('020000000002020000000001'), u16(type), payload])
}

/** A tag of 802.1Q or its relatives, with what follows. */
export function vlan(id: number, type: number, payload: Uint8Array): Buffer {
  return Buffer.concat([u16(id), u16(type), payload])
}

export function ipv4(payload: Uint8Array, fields: IpFields = {}): Buffer {
  const { from = '10.0.0.1', to = '10.0.0.2', protocol = UDP, dscp = 46 } = fields
  const { identification = 0, fragmentOffset = 0, moreFragments = false } = fields
  const { options = new Uint8Array() } = fields
  const length = 20 + options.length
  return Buffer.concat([
    Buffer.from([0x40 | (length / 4), dscp << 2]),
    u16(length + payload.length),
    u16(identification),
    u16((moreFragments ? 0x2000 : 0) | (fragmentOffset / 8)),
    Buffer.from([64, protocol, 0, 0]),
    address(from),
    address(to),
    options,
    payload,
  ])
}

export function ipv6(payload: Uint8Array, fields: IpFields = {}): Buffer {
  const { from = '2001:db8::1', to = '2001:db8::2', protocol = UDP, dscp = 46 } = fields
  return Buffer.concat([
    u32(0x60000000 | (dscp << 22)),
    u16(payload.length),
    Buffer.from([protocol, 64]),
    address(from),
    address(to),
    payload,
  ])
}

/** The fragment header of IPv6, with what follows. */
export function ipv6Fragment(payload: Uint8Array, fields: IpFields): Buffer {
  const { protocol = UDP, identification = 0, fragmentOffset = 0, moreFragments = false } = fields
  return Buffer.concat([
    Buffer.from([protocol, 0]),
    u16(fragmentOffset | (moreFragments ? 1 : 0)),
    u32(identification),
    payload,
  ])
}

/** The packets that IP payload goes in when no piece may be longer than `octets`, a multiple of 8. */
export function fragments(payload: Uint8Array, octets: number, fields: IpFields = {}): Buffer[] {
  const pieces = Math.ceil(payload.length / octets)
  return Array.from({ length: pieces }, (_, index) => {
    const piece = payload.subarray(index * octets, (index + 1) * octets)
    const all = { ...fields, fragmentOffset: index * octets, moreFragments: index < pieces - 1 }
    return isIPv4(fields.from ?? '10.0.0.1')
      ? ipv4(piece, all)
      : ipv6(ipv6Fragment(piece, all), { ...fields, protocol: 44 })
  })
}

export interface Ports {
  readonly fromPort?: number
  readonly toPort?: number
}

export function udp(
  payload: Uint8Array,
  { fromPort = 20_000, toPort = 30_000 }: Ports = {},
): Buffer {
  return Buffer.concat([u16(fromPort), u16(toPort), u16(8 + payload.length), u16(0), payload])
}

export function tcp(
  payload: Uint8Array,
  fields: Ports & { sequence?: number; flags?: number; options?: Uint8Array } = {},
): Buffer {
  const { fromPort = 5060, toPort = 40_000, sequence = 1, flags = 0x18 } = fields
  const { options = new Uint8Array() } = fields
  return Buffer.concat([
    ...[u16(fromPort), u16(toPort), u32(sequence), u32(0)],
    Buffer.from([((20 + options.length) / 4) << 4, flags, 0x20, 0, 0, 0, 0, 0]),
    options,
    payload,
  ])
}

/** GRE (RFC 2784, RFC 2890) with the optional fields named. */
export function gre(
  type: number,
  payload: Uint8Array,
  fields: { checksum?: boolean; key?: number; sequence?: number } = {},
): Buffer {
  const { checksum = false, key, sequence } = fields
  const flags =
    (checksum ? 0x8000 : 0) |
    (key === undefined ? 0 : 0x2000) |
    (sequence === undefined ? 0 : 0x1000)
  return Buffer.concat([
    u16(flags),
    u16(type),
    checksum ? u32(0) : Buffer.alloc(0),
    key === undefined ? Buffer.alloc(0) : u32(key),
    sequence === undefined ? Buffer.alloc(0) : u32(sequence),
    payload,
  ])
}

/** A mirrored frame in ERSPAN I, II or III, with its GRE header. */
export function erspan(type: 1 | 2 | 3, frame: Uint8Array, subHeader = false): Buffer {
  if (type === 1) return gre(0x88be, frame)
  if (type === 2)
    return gre(0x88be, Buffer.concat([hex('1064000100000002'), frame]), { sequence: 7 })
  const head = hex(`20640001000000010000000${subHeader ? '1' : '0'}`)
  const extra = subHeader ? hex('0400000000000000') : Buffer.alloc(0)
  return gre(0x22eb, Buffer.concat([head, extra, frame]), { sequence: 7 })
}

export function vxlan(frame: Uint8Array, network = 42): Buffer {
  return Buffer.concat([hex('08000000'), u32(network << 8), frame])
}

/** TZSP with tags as RouterOS and access points send them: padding, signal strength, a time, the end. */
export function tzsp(frame: Uint8Array): Buffer {
  return Buffer.concat([
    hex('01000001'),
    hex('00 0a01c8 0d04 00000001 01'.replaceAll(' ', '')),
    frame,
  ])
}

/** An Ethernet frame in Geneve (RFC 8926), with a word of options. */
export function geneve(frame: Uint8Array): Buffer {
  return Buffer.concat([hex('0100655800002a0000000000'), frame])
}

/** A packet of a mobile phone on its way through the network (3GPP TS 29.281), with a number and an extension where `extended`. */
export function gtp(packet: Uint8Array, extended = false): Buffer {
  const extension = extended ? hex('0001008501000900') : Buffer.alloc(0)
  const first = Buffer.from([extended ? 0x36 : 0x30, 0xff])
  return Buffer.concat([
    first,
    u16(packet.length + extension.length),
    u32(0xabcd),
    extension,
    packet,
  ])
}

/** What stands in front of IP where Ethernet does not say the type: LLC and SNAP (RFC 1042). */
export function snap(packet: Uint8Array, type = IPV4): Buffer {
  return Buffer.concat([hex('aaaa03000000'), u16(type), packet])
}

/** A data frame of Wi-Fi as captured in monitor mode, with QoS; between two access points it has a fourth address. */
export function wifi(
  payload: Uint8Array,
  { isBetweenPoints = false, isEncrypted = false, isPadded = false } = {},
): Buffer {
  const flags = (isBetweenPoints ? 3 : 1) | (isEncrypted ? 0x40 : 0)
  return Buffer.concat([
    Buffer.from([0x88, flags, 0, 0]),
    hex('020000000001020000000002020000000003'),
    u16(0x1000),
    isBetweenPoints ? hex('020000000004') : Buffer.alloc(0),
    u16(0x0600),
    Buffer.alloc(isPadded && !isBetweenPoints ? 2 : 0),
    payload,
  ])
}

/** The header radiotap.org puts in front: a time, flags, a rate; a second word of what is there. */
export function radiotap(frame: Uint8Array, isPadded = false): Buffer {
  const flags = isPadded ? 0x20 : 0
  return Buffer.concat([
    hex('00001a00'),
    hex('0700008000000000'),
    Buffer.alloc(4),
    hex('0102030405060708'),
    Buffer.from([flags, 2]),
    frame,
  ])
}

export function u16(value: number): Buffer {
  const octets = Buffer.alloc(2)
  octets.writeUInt16BE(value & 0xffff)
  return octets
}

function u32(value: number): Buffer {
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(value >>> 0)
  return octets
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

function address(text: string): Buffer {
  return Buffer.concat((parseNetwork(text)?.words ?? []).map(u32))
}
