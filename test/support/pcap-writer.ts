import { isIPv4 } from 'node:net'

/** Writes capture files and the frames in them, so that tests say in one line what is on the wire. */

const MICRO = 0xa1b2c3d4
const NANO = 0xa1b23c4d
const HEADER_OCTETS = 24
const RECORD_OCTETS = 16
const ETHERNET = 1
const SNAP_LENGTH = 262_144
const US_PER_S = 1_000_000
const NS_PER_US = 1000

export interface PcapOptions {
  readonly linkType?: number
  readonly nano?: boolean
  readonly bigEndian?: boolean
}

export interface CapturedFrame {
  readonly timeUs: number
  readonly frame: Uint8Array
  /** Octets kept of the frame. */
  readonly snap?: number
}

export interface Packet {
  readonly timeUs: number
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly payloadType?: number
  readonly marker?: boolean
  readonly ssrc?: number
  readonly payload?: Uint8Array
}

export interface Path {
  readonly from?: string
  readonly fromPort?: number
  readonly to?: string
  readonly toPort?: number
  readonly dscp?: number
  /** 802.1Q tags, outermost first. */
  readonly vlans?: readonly number[]
}

export function pcapFile(frames: readonly CapturedFrame[], options: PcapOptions = {}): Buffer {
  return Buffer.concat([
    pcapHeader(options),
    ...frames.map((captured) => pcapRecord(captured, options)),
  ])
}

export function pcapHeader({ linkType = ETHERNET, nano, bigEndian }: PcapOptions = {}): Buffer {
  const header = new DataView(new ArrayBuffer(HEADER_OCTETS))
  header.setUint32(0, nano === true ? NANO : MICRO, bigEndian !== true)
  header.setUint16(4, 2, bigEndian !== true)
  header.setUint16(6, 4, bigEndian !== true)
  header.setUint32(16, SNAP_LENGTH, bigEndian !== true)
  header.setUint32(20, linkType, bigEndian !== true)
  return Buffer.from(header.buffer)
}

export function pcapRecord(
  { timeUs, frame, snap = frame.length }: CapturedFrame,
  { nano, bigEndian }: PcapOptions = {},
): Buffer {
  const captured = Math.min(snap, frame.length)
  const record = new DataView(new ArrayBuffer(RECORD_OCTETS))
  const seconds = Math.floor(timeUs / US_PER_S)
  const us = timeUs - seconds * US_PER_S
  record.setUint32(0, seconds, bigEndian !== true)
  record.setUint32(4, Math.round(nano === true ? us * NS_PER_US : us), bigEndian !== true)
  record.setUint32(8, captured, bigEndian !== true)
  record.setUint32(12, frame.length, bigEndian !== true)
  return Buffer.concat([Buffer.from(record.buffer), frame.subarray(0, captured)])
}

export function rtp({
  sequenceNumber,
  timestamp,
  payloadType = 0,
  marker = false,
  ssrc = 0x11223344,
  payload = new Uint8Array(160),
}: Packet): Buffer {
  const header = Buffer.alloc(12)
  header[0] = 0x80
  header[1] = payloadType | (marker ? 0x80 : 0)
  header.writeUInt16BE(sequenceNumber & 0xffff, 2)
  header.writeUInt32BE(timestamp >>> 0, 4)
  header.writeUInt32BE(ssrc >>> 0, 8)
  return Buffer.concat([header, payload])
}

/** An Ethernet frame with one UDP datagram. */
export function udpFrame(payload: Uint8Array, path: Path = {}): Buffer {
  const { from = '10.0.0.1', vlans = [] } = path
  const isV4 = isIPv4(from)
  const types = [...vlans.map(() => 0x8100), isV4 ? 0x0800 : 0x86dd]
  const ethernet = Buffer.alloc(14 + 4 * vlans.length)
  ethernet.write('020000000002020000000001', 'hex')
  ethernet.writeUInt16BE(types[0] ?? 0, 12)
  vlans.forEach((vlan, index) => {
    ethernet.writeUInt16BE(vlan, 14 + 4 * index)
    ethernet.writeUInt16BE(types[index + 1] ?? 0, 16 + 4 * index)
  })
  return Buffer.concat([ethernet, ipPacket(payload, path)])
}

/** An IPv4 or IPv6 packet, by its addresses, with one UDP datagram. Checksums are left out. */
function ipPacket(payload: Uint8Array, path: Path = {}): Buffer {
  const { from = '10.0.0.1', to = '10.0.0.2', dscp = 46 } = path
  const udp = udpDatagram(payload, path)
  if (isIPv4(from)) {
    const header = Buffer.alloc(20)
    header[0] = 0x45
    header[1] = dscp << 2
    header.writeUInt16BE(header.length + udp.length, 2)
    header[8] = 64
    header[9] = 17
    header.set(from.split('.').map(Number), 12)
    header.set(to.split('.').map(Number), 16)
    return Buffer.concat([header, udp])
  }
  const header = Buffer.alloc(40)
  header.writeUInt32BE(0x60000000 | (dscp << 22), 0)
  header.writeUInt16BE(udp.length, 4)
  header[6] = 17
  header[7] = 64
  header.set(v6Octets(from), 8)
  header.set(v6Octets(to), 24)
  return Buffer.concat([header, udp])
}

export function udpDatagram(
  payload: Uint8Array,
  { fromPort = 20_000, toPort = 30_000 }: Path,
): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(fromPort, 0)
  header.writeUInt16BE(toPort, 2)
  header.writeUInt16BE(header.length + payload.length, 4)
  return Buffer.concat([header, payload])
}

function v6Octets(text: string): number[] {
  const [head = [], tail = []] = text
    .split('::')
    .map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
