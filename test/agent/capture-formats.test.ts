import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { addressText } from '../../agent/capture/address.ts'
import { CaptureFile } from '../../agent/capture/capture-file.ts'
import { CaptureReader } from '../../agent/capture/capture-reader.ts'
import {
  Datagram,
  FRAGMENT,
  FRAME_VERDICTS,
  IS_TCP,
  IS_UDP,
  Inner,
  decapsulateMirror,
  decodeFrame,
} from '../../agent/capture/frame.ts'
import { Reassembler } from '../../agent/capture/reassembler.ts'
import type { FrameHandler } from '../../agent/capture/record-reader.ts'
import {
  GRE,
  IPV4,
  IPV6,
  TCP,
  erspan,
  ethernet,
  fragments,
  gre,
  hex,
  ipv4,
  ipv6,
  ipv6Fragment,
  tcp,
  tzsp,
  u16,
  udp,
  vlan,
  vxlan,
} from '../support/frames.ts'
import { Random } from '../fuzz/fuzz.ts'
import { pcapFile, type CapturedFrame } from '../support/pcap-writer.ts'
import { PcapngWriter } from '../support/pcapng-writer.ts'

const START_US = 1_750_000_000_123_456
const ETHERNET = 1
const RAW = 101
const MAX_SNAP = 262_144

const PAYLOAD = Buffer.alloc(40, 0xd5)
const UDP_4 = ipv4(udp(PAYLOAD))
const UDP_6 = ipv6(udp(PAYLOAD))
const FRAME_4 = ethernet(IPV4, UDP_4)
/** What most of them are. */
const V4 = 'udp 10.0.0.1:20000 > 10.0.0.2:30000 40'
const V6 = 'udp [2001:db8::1]:20000 > [2001:db8::2]:30000 40'
/** An outer header, to be told from the inner one. */
const OUTER = { from: '192.0.2.1', to: '192.0.2.2', dscp: 0 }
const OUTER_6 = { from: 'fd00::1', to: 'fd00::2', dscp: 0 }
const TO_VXLAN = { fromPort: 50_000, toPort: 4789 }
const TO_TZSP = { fromPort: 50_000, toPort: 37_008 }

interface Case {
  readonly name: string
  readonly linkType?: number
  readonly frame: Buffer
  readonly expected: string
  /** What tshark says where it departs, and why. */
  readonly tshark?: string
}

const CASES: readonly Case[] = [
  { name: 'Ethernet', frame: FRAME_4, expected: V4 },
  { name: 'Ethernet, IPv6', frame: ethernet(IPV6, UDP_6), expected: V6 },
  { name: 'padding', frame: Buffer.concat([FRAME_4, Buffer.alloc(30)]), expected: V4 },
  { name: '802.1Q', frame: ethernet(0x8100, vlan(10, IPV4, UDP_4)), expected: V4 },
  {
    name: 'QinQ',
    frame: ethernet(0x88a8, vlan(10, 0x8100, vlan(20, IPV6, UDP_6))),
    expected: V6,
  },
  {
    name: 'four tags',
    frame: ethernet(
      0x9100,
      vlan(1, 0x9100, vlan(2, 0x88a8, vlan(3, 0x8100, vlan(4, IPV4, UDP_4)))),
    ),
    expected: V4,
  },
  {
    name: 'MPLS, two labels',
    frame: ethernet(0x8847, Buffer.concat([hex('0006403f0006513f'), UDP_4])),
    expected: V4,
  },
  {
    name: 'PPPoE',
    frame: ethernet(
      0x8864,
      Buffer.concat([hex('11000007'), u16(UDP_6.length + 2), hex('0057'), UDP_6]),
    ),
    expected: V6,
  },
  { name: 'raw IP', linkType: RAW, frame: UDP_6, expected: V6 },
  { name: 'raw IPv4', linkType: 228, frame: UDP_4, expected: V4 },
  { name: 'raw IPv6', linkType: 229, frame: UDP_6, expected: V6 },
  {
    name: 'Linux cooked',
    linkType: 113,
    frame: Buffer.concat([hex('0000000100060200000000010000'), u16(IPV4), UDP_4]),
    expected: V4,
  },
  {
    name: 'Linux cooked, tagged',
    linkType: 113,
    frame: Buffer.concat([hex('0000000100060200000000010000'), u16(0x8100), vlan(5, IPV4, UDP_4)]),
    expected: V4,
  },
  {
    name: 'Linux cooked 2',
    linkType: 276,
    frame: Buffer.concat([u16(IPV6), hex('000000000002000104060200000000010000'), UDP_6]),
    expected: V6,
  },
  {
    name: 'BSD null, little endian',
    linkType: 0,
    frame: Buffer.concat([hex('02000000'), UDP_4]),
    expected: V4,
  },
  {
    name: 'BSD null, big endian, FreeBSD',
    linkType: 0,
    frame: Buffer.concat([hex('0000001c'), UDP_6]),
    expected: V6,
  },
  {
    name: 'BSD null, Darwin',
    linkType: 0,
    frame: Buffer.concat([hex('1e000000'), UDP_6]),
    expected: V6,
  },
  {
    name: 'OpenBSD loop',
    linkType: 108,
    frame: Buffer.concat([hex('00000018'), UDP_6]),
    expected: V6,
  },
  {
    name: 'PPP',
    linkType: 9,
    frame: Buffer.concat([hex('ff030021'), UDP_4]),
    expected: V4,
  },
  {
    name: 'IPv4 options',
    frame: ethernet(IPV4, ipv4(udp(PAYLOAD), { options: Buffer.alloc(40, 1) })),
    expected: V4,
  },
  {
    name: 'hop-by-hop, routing, destination options',
    frame: ethernet(
      IPV6,
      ipv6(
        Buffer.concat([
          hex('2b00010400000000'),
          hex('3c00000000000000'),
          hex(`1101010c${'00'.repeat(12)}`),
          udp(PAYLOAD),
        ]),
        { protocol: 0 },
      ),
    ),
    expected: V6,
  },
  {
    name: 'authentication header',
    frame: ethernet(
      IPV6,
      ipv6(Buffer.concat([hex(`11040000${'00'.repeat(20)}`), udp(PAYLOAD)]), { protocol: 51 }),
    ),
    expected: V6,
  },
  {
    name: 'atomic fragment',
    frame: ethernet(IPV6, ipv6(ipv6Fragment(udp(PAYLOAD), {}), { protocol: 44 })),
    expected: V6,
  },
  {
    name: 'TCP',
    frame: ethernet(
      IPV4,
      ipv4(tcp(PAYLOAD, { sequence: 0xfffffff0, options: hex('0101080a0000000100000002') }), {
        protocol: TCP,
      }),
    ),
    expected: 'tcp 10.0.0.1:5060 > 10.0.0.2:40000 40 seq 4294967280 flags 24',
  },
  {
    name: 'TCP with padding behind',
    frame: Buffer.concat([
      ethernet(IPV4, ipv4(tcp(Buffer.alloc(0), { flags: 2 }), { protocol: TCP })),
      Buffer.alloc(6),
    ]),
    expected: 'tcp 10.0.0.1:5060 > 10.0.0.2:40000 0 seq 1 flags 2',
  },
  {
    name: 'TCP over IPv6',
    frame: ethernet(IPV6, ipv6(tcp(PAYLOAD), { protocol: TCP })),
    expected: 'tcp [2001:db8::1]:5060 > [2001:db8::2]:40000 40 seq 1 flags 24',
  },
  {
    name: 'IPv4 in IPv4',
    frame: ethernet(IPV4, ipv4(UDP_4, { ...OUTER, protocol: 4 })),
    expected: V4,
  },
  {
    name: 'IPv6 in IPv4',
    frame: ethernet(IPV4, ipv4(UDP_6, { ...OUTER, protocol: 41 })),
    expected: V6,
  },
  {
    name: 'IPv4 in IPv6',
    frame: ethernet(IPV6, ipv6(UDP_4, { ...OUTER_6, protocol: 4 })),
    expected: V4,
  },
  {
    name: 'GRE, IPv4',
    frame: ethernet(IPV4, ipv4(gre(IPV4, UDP_4), { ...OUTER, protocol: GRE })),
    expected: V4,
  },
  {
    name: 'GRE with checksum, key and sequence number, IPv6',
    frame: ethernet(
      IPV6,
      ipv6(gre(IPV6, UDP_6, { checksum: true, key: 9, sequence: 1 }), {
        ...OUTER_6,
        protocol: GRE,
      }),
    ),
    expected: V6,
  },
  {
    name: 'GRE, Ethernet',
    frame: ethernet(IPV4, ipv4(gre(0x6558, FRAME_4, { key: 1 }), { ...OUTER, protocol: GRE })),
    expected: V4,
  },
  ...([1, 2, 3] as const).map((type) => ({
    name: `ERSPAN ${type}`,
    frame: ethernet(IPV4, ipv4(erspan(type, FRAME_4), { ...OUTER, protocol: GRE })),
    expected: V4,
  })),
  {
    name: 'ERSPAN 3 with sub-header',
    frame: ethernet(
      IPV4,
      ipv4(erspan(3, ethernet(0x8100, vlan(7, IPV4, UDP_4)), true), { ...OUTER, protocol: GRE }),
    ),
    expected: V4,
  },
  {
    name: 'VXLAN',
    frame: ethernet(IPV4, ipv4(udp(vxlan(FRAME_4), TO_VXLAN), OUTER)),
    expected: V4,
  },
  {
    name: 'VXLAN over IPv6, tagged inside',
    frame: ethernet(
      IPV6,
      ipv6(udp(vxlan(ethernet(0x8100, vlan(3, IPV6, UDP_6))), TO_VXLAN), OUTER_6),
    ),
    expected: V6,
  },
  {
    name: 'TZSP',
    frame: ethernet(IPV4, ipv4(udp(tzsp(FRAME_4), TO_TZSP), OUTER)),
    expected: V4,
  },
  {
    name: 'VXLAN in ERSPAN in TZSP: TCP',
    frame: ethernet(
      IPV4,
      ipv4(
        udp(
          tzsp(
            ethernet(
              IPV4,
              ipv4(
                erspan(
                  2,
                  ethernet(
                    IPV4,
                    ipv4(
                      udp(vxlan(ethernet(IPV4, ipv4(tcp(PAYLOAD), { protocol: TCP }))), TO_VXLAN),
                      OUTER,
                    ),
                  ),
                ),
                { ...OUTER, protocol: GRE },
              ),
            ),
          ),
          TO_TZSP,
        ),
        OUTER,
      ),
    ),
    expected: 'tcp 10.0.0.1:5060 > 10.0.0.2:40000 40 seq 1 flags 24',
  },
  {
    name: 'a telephone that chose the port of TZSP',
    frame: ethernet(
      IPV4,
      ipv4(udp(Buffer.concat([hex('8000000100000001aabbccdd'), PAYLOAD]), TO_TZSP)),
    ),
    expected: 'udp 10.0.0.1:50000 > 10.0.0.2:37008 52',
  },
  {
    name: 'a telephone that chose the port of VXLAN',
    frame: ethernet(
      IPV4,
      ipv4(udp(Buffer.concat([hex('8000000100000001aabbccdd'), PAYLOAD]), TO_VXLAN)),
    ),
    expected: 'udp 10.0.0.1:50000 > 10.0.0.2:4789 52',
  },
  ...fragments(udp(Buffer.alloc(3000)), 1480, { identification: 77 }).map((packet, index) => ({
    name: `IPv4 fragment ${index}`,
    frame: ethernet(IPV4, packet),
    expected: index === 0 ? 'udp 10.0.0.1:20000 > 10.0.0.2:30000 3000 more' : 'fragment',
  })),
  ...fragments(udp(Buffer.alloc(3000)), 1448, {
    from: '2001:db8::1',
    to: '2001:db8::2',
    identification: 0x89abcdef,
  }).map((packet, index) => ({
    name: `IPv6 fragment ${index}`,
    frame: ethernet(IPV6, packet),
    expected: index === 0 ? 'udp [2001:db8::1]:20000 > [2001:db8::2]:30000 3000 more' : 'fragment',
  })),
  { name: 'ARP', frame: ethernet(0x0806, Buffer.alloc(28)), expected: 'not-ip' },
  { name: 'ICMP', frame: ethernet(IPV4, ipv4(PAYLOAD, { protocol: 1 })), expected: 'not-udp' },
]

test('every link type, tag, header and tunnel leads to the same datagram', async (t) => {
  for (const { name, linkType = ETHERNET, frame, expected } of CASES)
    t.equal(decoded(frame, linkType), expected, name)
})

test('tshark finds the same in a pcapng file with an interface for every link type', async (t) => {
  const writer = new PcapngWriter()
  const types = [...new Set(CASES.map(({ linkType = ETHERNET }) => linkType))]
  const file = Buffer.concat([
    writer.section(),
    ...types.map((type) => writer.interface(type)),
    ...CASES.map(({ frame, linkType = ETHERNET }, index) =>
      writer.packet({
        timeUs: START_US + index,
        frame,
        interface: types.indexOf(linkType),
      }),
    ),
  ])
  const found: string[] = []
  const reader = new CaptureReader((view, offset, end, _timeUs, linkType) => {
    found.push(decodedAt(view, offset, end, linkType))
  })
  reader.push(file)
  reader.end()
  t.equal(reader.fault, undefined)
  t.strictSame(
    found,
    CASES.map(({ expected }) => expected),
  )
  await inFolder(async (folder) => {
    const path = join(folder, 'cases.pcapng')
    await writeFile(path, file)
    const theirs = byTshark(path)
    if (theirs === undefined) {
      skip(t, 'tshark')
      return
    }
    for (const [index, { name, expected, tshark }] of CASES.entries())
      t.equal(theirs[index], tshark ?? (/^(udp|tcp)/.test(expected) ? expected : 'none'), name)
  })
})

test('cut off at any octet of its headers a frame is refused with a reason; behind them it is what it is', async (t) => {
  for (const { name, linkType = ETHERNET, frame, expected } of CASES) {
    for (let end = 0; end <= frame.length; end++) {
      // A view that ends with the frame: a read beyond it would throw.
      const cut = new Uint8Array(frame.subarray(0, end))
      const verdict = decodeFrame(new DataView(cut.buffer), 0, end, linkType, new Datagram())
      if (FRAME_VERDICTS[verdict] === undefined) t.fail(`${name} cut at ${end}: ${verdict}`)
    }
    const last = frame.length - 1
    if (expected.includes(' more') || !/^(udp|tcp)/.test(expected) || name.includes('padding'))
      continue
    const datagram = new Datagram()
    const view = new DataView(frame.buffer, frame.byteOffset, last)
    decodeFrame(view, 0, last, linkType, datagram)
    const { payloadOctets, capturedOctets } = datagram
    t.equal(capturedOctets, payloadOctets - 1, `${name} without its last octet`)
  }
  t.equal(decoded(FRAME_4.subarray(0, 14 + 20 + 7), ETHERNET), 'truncated')
  t.equal(decoded(FRAME_4.subarray(0, 14 + 20 + 8), ETHERNET), V4)
})

test('a frame with any octet of its headers lying is refused with a reason, or read within its bounds', async (t) => {
  const seen = new Set<string>()
  for (const { name, linkType = ETHERNET, frame } of CASES) {
    for (let at = 0; at < Math.min(frame.length, 160); at++) {
      for (const value of [0, 1, 0x45, 0x60, 0x7f, 0x80, 0xff]) {
        const copy = new Uint8Array(frame)
        copy[at] = value
        const datagram = new Datagram()
        const view = new DataView(copy.buffer)
        const verdict = decodeFrame(view, 0, copy.length, linkType, datagram)
        const { payloadAt, capturedOctets, payloadOctets } = datagram
        const isInside =
          capturedOctets >= 0 &&
          capturedOctets <= payloadOctets &&
          (capturedOctets === 0 || payloadAt + capturedOctets <= copy.length)
        if ((verdict === IS_UDP || verdict === IS_TCP) && !isInside)
          t.fail(`${name} with ${value} at ${at}: ${capturedOctets} of ${payloadOctets}`)
        seen.add(FRAME_VERDICTS[verdict] ?? `${name} with ${value} at ${at}: ${verdict}`)
      }
    }
  }
  t.strictSame(
    [...seen].sort(),
    FRAME_VERDICTS.filter((one) => !['unknown-link-type', 'tunnel-too-deep'].includes(one)).sort(),
  )
})

test('headers that contradict themselves are refused, and lengths of 0 are unknown ones', async (t) => {
  const withOctets = (packet: Buffer, at: number, octets: string) => {
    const copy = Buffer.from(packet)
    copy.set(hex(octets), at)
    return decoded(copy, RAW)
  }
  const segment = ipv4(tcp(PAYLOAD), { protocol: TCP })
  t.equal(withOctets(UDP_4, 0, '44'), 'bad-ip-header', 'a header of 16 octets')
  t.equal(withOctets(UDP_4, 2, '0013'), 'bad-ip-header', 'shorter than its header')
  t.equal(withOctets(UDP_4, 0, '55'), 'not-ip')
  t.equal(withOctets(UDP_4, 24, '0007'), 'bad-udp-length')
  t.equal(withOctets(UDP_4, 24, '0031'), 'bad-udp-length', 'longer than the packet')
  t.equal(withOctets(UDP_4, 24, '0010'), V4.replace('40', '8'), 'a trailer behind the datagram')
  t.equal(withOctets(UDP_4, 2, '0000'), V4, 'cut up by the network card')
  t.equal(withOctets(segment, 2, '0000'), decoded(segment, RAW))
  t.equal(withOctets(segment, 20 + 12, '40'), 'bad-tcp-header')
  t.equal(withOctets(segment, 20 + 12, 'f0'), 'tcp 10.0.0.1:5060 > 10.0.0.2:40000 0 seq 1 flags 24')
  const inGre = (header: string) =>
    decoded(ipv4(Buffer.concat([hex(header), FRAME_4]), { protocol: GRE }), RAW)
  t.equal(inGre('40006558'), 'bad-tunnel-header', 'source routes')
  t.equal(inGre('2001880b00000000'), 'bad-tunnel-header', 'PPTP')
  t.equal(inGre('0000000c'), 'not-ip')
  t.equal(inGre('100088be000000012064000100000002'), 'bad-tunnel-header', 'ERSPAN 2 of version 2')
  t.equal(inGre('100022eb00000001106400010000000100000000'), 'bad-tunnel-header')
  t.equal(inGre('100022eb00000001206400010000000100001800'), 'not-ip', 'ERSPAN 3 of 802.11')
  t.equal(decoded(FRAME_4, 147), 'unknown-link-type')
  let deep = UDP_4
  for (let tunnels = 0; tunnels < 4; tunnels++) deep = ipv4(deep, { ...OUTER, protocol: 4 })
  t.equal(decoded(deep, RAW), V4)
  t.equal(decoded(ipv4(deep, { ...OUTER, protocol: 4 }), RAW), 'tunnel-too-deep')
  const five = vlan(
    1,
    0x8100,
    vlan(2, 0x8100, vlan(3, 0x8100, vlan(4, 0x8100, vlan(5, IPV4, UDP_4)))),
  )
  t.equal(decoded(ethernet(0x8100, five), ETHERNET), 'not-ip')
  const chain = Buffer.concat([
    ...Array.from({ length: 9 }, () => hex('3c00000000000000')),
    udp(PAYLOAD),
  ])
  t.equal(decoded(ipv6(chain, { protocol: 60 }), RAW), 'bad-ip-header')
})

test('a frame is found in what a mirror sends by UDP, and nothing in what it does not', async (t) => {
  const inner = new Inner()
  const opened = (payload: Buffer, kind: 'tzsp' | 'vxlan') => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
    const verdict = decapsulateMirror(view, 0, payload.length, kind, inner)
    return verdict === 'frame' ? decodedAt(view, inner.offset, inner.end, inner.linkType) : verdict
  }
  t.equal(opened(tzsp(FRAME_4), 'tzsp'), V4)
  t.equal(opened(Buffer.concat([hex('0101000101'), FRAME_4]), 'tzsp'), V4, 'a packet to be sent')
  t.equal(opened(vxlan(FRAME_4), 'vxlan'), V4)
  t.equal(opened(Buffer.concat([hex('8800002a00002a00'), FRAME_4]), 'vxlan'), V4, 'group policy')
  t.equal(opened(hex('01040000'), 'tzsp'), 'bad-tunnel-header', 'a keepalive')
  t.equal(
    opened(Buffer.concat([hex('0100001201'), FRAME_4]), 'tzsp'),
    'bad-tunnel-header',
    '802.11',
  )
  t.equal(opened(hex('010000010aff00'), 'tzsp'), 'truncated', 'a tag longer than the datagram')
  t.equal(opened(hex('0100000100000a'), 'tzsp'), 'truncated', 'no end of tags')
  t.equal(opened(hex('01000001'), 'tzsp'), 'truncated')
  t.equal(opened(hex('0100000101'), 'tzsp'), 'truncated', 'no frame behind the tags')
  t.equal(opened(hex('0800000000002a'), 'vxlan'), 'truncated')
  t.equal(opened(Buffer.concat([hex('0000000000002a00'), FRAME_4]), 'vxlan'), 'bad-tunnel-header')
})

/** A frame in a file: time, link type, octets captured and on the wire. */
interface Read {
  readonly frames: string[]
  readonly fault: string | undefined
  readonly drops: number | undefined
  readonly interfaceNames: readonly string[]
  readonly skipped: Readonly<Record<string, number>>
}

function read(file: Uint8Array, piece = file.length): Read {
  const frames: string[] = []
  const reader = new CaptureReader(collector(frames))
  for (let at = 0; at < file.length; at += piece) reader.push(file.subarray(at, at + piece))
  reader.end()
  const skipped = Object.entries(reader.skipped).filter(([, count]) => count > 0)
  const { fault, drops, interfaceNames } = reader
  checkCount(reader.frames, frames.length)
  return { frames, fault, drops, interfaceNames, skipped: Object.fromEntries(skipped) }
}

function collector(frames: string[]): FrameHandler {
  return (view, offset, end, timeUs, linkType, wireOctets) => {
    const first = view.getUint8(offset)
    frames.push(`${timeUs - START_US} ${linkType} ${end - offset}/${wireOctets ?? 0} ${first}`)
  }
}

function checkCount(counted: number, seen: number): void {
  if (counted !== seen) throw new Error(`${counted} frames counted, ${seen} seen`)
}

/** Three frames, of lengths that need padding in pcapng; the second is cut. */
const THREE: readonly CapturedFrame[] = [
  { timeUs: START_US, frame: Buffer.alloc(61, 1) },
  { timeUs: START_US + 20_000, frame: Buffer.alloc(2000, 2), snap: 96 },
  { timeUs: START_US + 40_000.25, frame: Buffer.alloc(63, 3) },
]
const THREE_READ = ['0 1 61/61 1', '20000 1 96/2000 2', '40000 1 63/63 3']

test('pcap is read in every form and in pieces of any size', async (t) => {
  for (const bigEndian of [false, true]) {
    const micro = pcapFile(THREE, { bigEndian })
    const nano = pcapFile(THREE, { bigEndian, nano: true })
    const modified = pcapFile([], { bigEndian })
    modified.set(bigEndian ? hex('a1b2cd34') : hex('34cdb2a1'), 0)
    const records = THREE.flatMap((captured) => {
      const record = pcapFile([captured], { bigEndian }).subarray(24)
      return [record.subarray(0, 16), hex('0200000008000000'), record.subarray(16)]
    })
    for (const piece of [1, 7, 100, 1 << 20]) {
      t.match(read(micro, piece), { frames: THREE_READ, fault: undefined })
      t.match(read(nano, piece), {
        frames: [...THREE_READ.slice(0, 2), '40000.25 1 63/63 3'],
        fault: undefined,
      })
      t.match(read(Buffer.concat([modified, ...records]), piece), {
        frames: THREE_READ,
        fault: undefined,
      })
    }
  }
})

test('pcapng is read with its sections, interfaces, clocks and blocks of no interest', async (t) => {
  for (const bigEndian of [false, true]) {
    const writer = new PcapngWriter({ bigEndian })
    const other = new PcapngWriter({ bigEndian: !bigEndian })
    const resolution = (octet: number) => ({ code: 9, value: Uint8Array.of(octet) })
    const at = (us: number) => ({ timeUs: START_US + us, frame: Buffer.alloc(61, 1) })
    const file = Buffer.concat([
      writer.section([{ code: 4, value: Buffer.from('somebody') }]),
      writer.interface(ETHERNET, [{ code: 2, value: Buffer.from('eth0') }, resolution(6)]),
      writer.interface(113, [resolution(9)]),
      writer.packet({ ...at(0), interface: 0 }),
      writer.packet({ ...at(1.25), interface: 1, unitsPerS: 1_000_000_000n }),
      // name resolution, a custom block, one nobody knows, and one larger than the buffer
      writer.block(4, Buffer.alloc(20)),
      writer.block(0xbad, Buffer.alloc(8)),
      writer.block(0x7ffffff0, Buffer.alloc(3)),
      writer.block(10, Buffer.alloc(3 << 20, 6)),
      // binary clock: 2^-20 s; whole seconds; an offset of -100 s
      writer.interface(101, [resolution(0x80 | 20)]),
      writer.interface(276, [resolution(0)]),
      writer.interface(1, [writer.counter(14, -100n)]),
      writer.packet({ ...at(500_000), interface: 2, unitsPerS: 1n << 20n }),
      writer.packet({ ...at(0), interface: 3, unitsPerS: 1n }),
      writer.packet({ ...at(0), interface: 4 }),
      writer.oldPacket({ ...at(3), interface: 1, unitsPerS: 1_000_000_000n }, 4),
      writer.oldPacket({ ...at(4), interface: 0 }, 0xffff),
      // what cannot be handed on
      writer.simplePacket(Buffer.alloc(60)),
      writer.packet({ ...at(0), interface: 9 }),
      writer.block(6, Buffer.alloc(20, 0xff)),
      // counters run from the beginning: the newest of an interface counts
      writer.statistics(0, [writer.counter(4, 1000n), writer.counter(5, 3n)]),
      writer.statistics(0, [writer.counter(5, 7n), writer.counter(7, 2n)]),
      writer.statistics(1, [writer.counter(5, 100n)]),
      other.section(),
      other.interface(9, [{ code: 2, value: Buffer.from('ppp0') }]),
      other.packet({ ...at(9), interface: 0 }),
      other.packet({ ...at(9), interface: 1 }),
    ])
    const seconds = -(START_US % 1_000_000)
    for (const piece of [1, 1000, 1 << 22]) {
      const got = read(file, piece)
      t.strictSame(got.frames, [
        '0 1 61/61 1',
        '1.25 113 61/61 1',
        // 623456 us are 653740.998... of 2^20 parts; 653740 are 623455.05 us
        '499999 101 61/61 1',
        `${seconds} 276 61/61 1`,
        '-100000000 1 61/61 1',
        '3 113 61/61 1',
        '4 1 61/61 1',
        '9 9 61/61 1',
      ])
      t.strictSame([got.fault, got.drops], [undefined, 4 + 9 + 100])
      t.strictSame(got.interfaceNames, ['ppp0'])
      t.strictSame(got.skipped, { 'no-time': 1, 'unknown-interface': 2, 'bad-block': 1 })
    }
  }
})

test('a packet block larger than the buffer is passed over, and counted', async (t) => {
  const writer = new PcapngWriter()
  const head = [writer.section(), writer.interface(ETHERNET)]
  const huge = writer.packet({ timeUs: START_US, frame: Buffer.alloc(2 << 20) })
  const small = writer.packet({ timeUs: START_US, frame: Buffer.alloc(61, 1) })
  t.match(read(Buffer.concat([...head, huge, small]), 1000), {
    frames: ['0 1 61/61 1'],
    fault: undefined,
    skipped: { 'too-large': 1 },
  })
  const cut = Buffer.concat([...head, small, huge]).subarray(0, -5)
  t.match(read(cut, 1000), { frames: ['0 1 61/61 1'], fault: /^octet \d+: cut off/ })
})

test('a file that is no capture, lies or is cut says what was expected, what came and where', async (t) => {
  const faultOf = (octets: Uint8Array) => read(octets).fault
  t.equal(faultOf(Buffer.alloc(0)), 'octet 0: nothing in it')
  t.equal(
    faultOf(Buffer.from('Hello, world, how are you?')),
    'octet 0: expected pcap or pcapng, got 48656c6c6f2c20776f726c642c20686f',
  )
  t.equal(
    faultOf(hex('d4c3b2a10200')),
    'octet 0: cut off: of what begins here only 6 octets are there',
  )
  const others: Readonly<Record<string, RegExp>> = {
    '28b52ffd04': /got zstd; unpack it by "zstd -d FILE"/,
    '04224d1864': /got LZ4; unpack it by "lz4 -d FILE"/,
    '504b03041400': /got zip; unpack it by "unzip FILE"/,
    '736e6f6f7000000000000002': /got snoop; convert it by "editcap -F pcapng FILE OUT"/,
    '474d425500020100': /got Network Monitor 2; convert it by "editcap/,
    '1f8b0800000000000003': /got gzip once more/,
  }
  for (const [magic, reason] of Object.entries(others))
    t.match(faultOf(Buffer.concat([hex(magic), Buffer.alloc(40)])), reason)
  const file = pcapFile(THREE)
  t.equal(faultOf(file.subarray(0, 24)), undefined, 'no packets is no fault')
  const second = 24 + 16 + 61
  const lying = Buffer.from(file)
  lying.writeUInt32LE(MAX_SNAP + 1, second + 8)
  t.match(read(lying), {
    frames: THREE_READ.slice(0, 1),
    fault: `octet ${second}: a record claims 262145 octets; at most 262144 can be`,
  })
  for (let cut = second + 1; cut < second + 16 + 96; cut++)
    t.match(read(file.subarray(0, cut), 64), {
      frames: THREE_READ.slice(0, 1),
      fault: `octet ${second}: cut off: of what begins here only ${cut - second} octets are there`,
    })
  const largest = pcapFile([{ timeUs: START_US, frame: Buffer.alloc(MAX_SNAP, 5) }])
  t.match(read(largest, 5000), { frames: [`0 1 ${MAX_SNAP}/${MAX_SNAP} 5`], fault: undefined })
  const writer = new PcapngWriter()
  const blocks = [
    writer.section(),
    writer.interface(ETHERNET),
    writer.packet({ timeUs: START_US, frame: Buffer.alloc(61, 1) }),
  ]
  const at = Buffer.concat(blocks).length
  const after = (block: Buffer) => read(Buffer.concat([...blocks, block]))
  const broken = (change: (block: Buffer) => void) => {
    const block = writer.block(4, Buffer.alloc(40))
    change(block)
    return after(block)
  }
  const only = { frames: ['0 1 61/61 1'] }
  t.match(
    broken((block) => block.writeUInt32LE(56, 48)),
    { ...only, fault: `octet ${at}: a block begins with length 52 and ends with 56` },
  )
  t.match(
    broken((block) => block.writeUInt32LE(8, 4)),
    { ...only, fault: `octet ${at}: a block claims 8 octets; 12 to 16777216 can be` },
  )
  t.match(
    broken((block) => block.writeUInt32LE(0xfffffffc, 4)),
    { ...only, fault: /^octet \d+: a block claims 4294967292 octets/ },
  )
  t.match(
    broken((block) => block.writeUInt32LE(0x0a0d0d0a, 0)),
    { ...only, fault: `octet ${at}: a section header has 0 for its byte order` },
  )
  t.match(after(Buffer.alloc(10)), { ...only, fault: /cut off/ })
})

test('gzip is inflated as it is read: several members, and what was there before a fault', async (t) => {
  const small = pcapFile(THREE)
  const writer = new PcapngWriter()
  const large = Buffer.concat([
    writer.section(),
    writer.interface(ETHERNET),
    ...Array.from({ length: 20_000 }, (_, index) =>
      writer.packet({ timeUs: START_US + index, frame: Buffer.alloc(61 + (index % 7), index) }),
    ),
  ])
  await inFolder(async (folder) => {
    const from = async (octets: Uint8Array) => {
      const path = join(folder, 'capture.gz')
      await writeFile(path, octets)
      return await readPath(path)
    }
    t.match(await from(small), { frames: THREE_READ, fault: undefined })
    t.match(await from(gzipSync(small)), { frames: THREE_READ, fault: undefined })
    const whole = (await from(large)).frames
    t.equal(whole.length, 20_000)
    t.strictSame(await from(gzipSync(large)), { frames: whole, fault: undefined })
    const members = [0, 1000, 70_000, 70_001, 500_000].map((at, index, all) =>
      gzipSync(large.subarray(at, all[index + 1])),
    )
    t.strictSame(await from(Buffer.concat(members)), { frames: whole, fault: undefined })
    const padded = await from(Buffer.concat([gzipSync(large), Buffer.alloc(100_000)]))
    t.strictSame(padded, { frames: whole, fault: undefined }, 'zeros behind it')
    const packed = gzipSync(large)
    const cut = await from(packed.subarray(0, packed.length / 2))
    t.match(cut.fault, /^octet \d+: gzip: unexpected end of file$/)
    t.ok(cut.frames.length > 5000 && cut.frames.length < 15_000, String(cut.frames.length))
    t.strictSame(cut.frames, whole.slice(0, cut.frames.length), 'everything before it counts')
    const almost = await from(packed.subarray(0, -1))
    t.equal(almost.frames.length, 20_000)
    t.match(almost.fault, /gzip: unexpected end of file/, 'only the checksum is cut')
    const damaged = Buffer.from(packed)
    damaged.set(Buffer.alloc(30, 0xff), packed.length >> 1)
    t.match((await from(damaged)).fault, /^octet \d+: (gzip: |a block )/)
    t.match((await from(gzipSync(packed))).fault, /got gzip once more/)
    t.match((await from(gzipSync(large.subarray(0, -5)))).fault, /cut off/)
    t.match((await from(gzipSync(Buffer.alloc(0)))).fault, /nothing in it/)
    t.match(await from(hex('1f')), { fault: /expected pcap or pcapng, got 1f$/ })
    t.match(await from(Buffer.alloc(0)), { fault: /nothing in it/ })
  })
})

test('200 MB that gzip makes 200 KB of take no more memory than a few buffers', async (t) => {
  const record = pcapFile([{ timeUs: START_US, frame: Buffer.alloc(MAX_SNAP) }])
  const body = Buffer.concat(Array.from({ length: 16 }, () => record.subarray(24)))
  const packed = gzipSync(body)
  await inFolder(async (folder) => {
    const path = join(folder, 'large.gz')
    await writeFile(
      path,
      Buffer.concat([
        gzipSync(record.subarray(0, 24)),
        ...Array.from({ length: 50 }, () => packed),
      ]),
    )
    const before = process.memoryUsage()
    let most = 0
    let frames = 0
    const file = new CaptureFile(path, () => {
      if (++frames % 100 !== 0) return
      const { heapUsed, external } = process.memoryUsage()
      most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
    })
    while (await file.read());
    t.equal(file.fault, undefined)
    t.equal(file.frames, 800)
    t.equal(file.octetsRead, file.octets)
    t.ok(most < 50e6, `${most} octets`)
  })
  t.throws(() => new CaptureFile('/nonexistent/capture.pcap', () => undefined), {
    code: 'capture-file',
  })
  const folder = new CaptureFile(tmpdir(), () => undefined)
  t.equal(await folder.read(), false)
  t.match(folder.fault, /cannot be read: EISDIR/)
})

test('what editcap, mergecap, text2pcap and gzip make of a capture reads as the capture does', async (t) => {
  const frames = CASES.filter(({ linkType }) => linkType === undefined).map(({ frame }, index) => ({
    timeUs: START_US + index * 20_000,
    frame,
  }))
  await inFolder(async (folder) => {
    const path = (name: string) => join(folder, name)
    const original = path('original.pcap')
    await writeFile(original, pcapFile(frames))
    const whole = await readPath(original)
    t.equal(whole.frames.length, frames.length)
    const byTool: Readonly<Record<string, readonly string[]>> = {
      'all.pcapng': ['editcap', '-F', 'pcapng', original],
      'all.nano.pcap': ['editcap', '-F', 'nsecpcap', original],
      'all.modified.pcap': ['editcap', '-F', 'modpcap', original],
      'all.merged.pcapng': ['mergecap', '-F', 'pcapng', original, '-w'],
    }
    for (const [name, [program = '', ...list]] of Object.entries(byTool)) {
      const { error } = spawnSync(program, [...list, path(name)])
      if (error !== undefined) {
        skip(t, program)
        continue
      }
      t.strictSame(await readPath(path(name)), whole, name)
      if (spawnSync('gzip', ['-kn', path(name)]).status === 0)
        t.strictSame(await readPath(path(`${name}.gz`)), whole, `${name}.gz`)
    }
    const snapped = spawnSync('editcap', [
      '-s',
      '96',
      '-T',
      'ether',
      '-F',
      'pcapng',
      original,
      path('short'),
    ])
    if (snapped.error === undefined) {
      const short = (await readPath(path('short'))).frames
      t.strictSame(
        short,
        whole.frames.map((one) =>
          one.replace(/ (\d+)\//, (_, octets) => ` ${Math.min(96, Number(octets))}/`),
        ),
      )
    }
    const dump = path('dump.txt')
    await writeFile(dump, `0000 ${PAYLOAD.toString('hex').replaceAll(/../g, '$& ')}\n`)
    for (const [linkType, options] of Object.entries({
      1: ['-u', '20000,30000', '-4', '10.0.0.1,10.0.0.2'],
      101: ['-E', 'rawip', '-u', '20000,30000', '-6', '2001:db8::1,2001:db8::2'],
    })) {
      const run = spawnSync('text2pcap', ['-q', ...options, dump, path('text')])
      if (run.error !== undefined) {
        skip(t, 'text2pcap')
        continue
      }
      const found: string[] = []
      const file = new CaptureFile(path('text'), (view, offset, end, _timeUs, type) => {
        found.push(`${type} ${decodedAt(view, offset, end, type)}`)
      })
      while (await file.read());
      t.strictSame(found, [`${linkType} ${linkType === '1' ? V4 : V6}`], 'text2pcap')
    }
  })
})

test('fragments in any order make the datagram they came from', async (t) => {
  const random = generator(815)
  const body = Buffer.from(Array.from({ length: 5000 }, () => random(256)))
  const v6 = { from: '2001:db8::1', to: '2001:db8::2' }
  for (const fields of [{ identification: 9 }, { ...v6, identification: 0xfffffff1 }]) {
    for (const [protocol, payload] of [
      [17, udp(body)],
      [TCP, tcp(body)],
    ] as const) {
      const pieces = fragments(payload, 1024, { ...fields, protocol, dscp: 46 })
      for (let round = 0; round < 20; round++) {
        const order = [...pieces].sort(() => random(3) - 1)
        const reassembler = new Reassembler()
        const whole = order.flatMap((packet) => added(reassembler, packet) ?? [])
        const address = 'from' in fields ? '[2001:db8::1]' : '10.0.0.1'
        t.equal(whole.length, 1)
        t.match(
          decoded(whole[0] ?? hex(''), RAW),
          protocol === TCP ? `tcp ${address}:5060` : `udp ${address}:20000`,
        )
        t.ok(whole[0]?.subarray(-5000).equals(body))
        t.match(reassembler.counts, { fragments: 5, whole: 1, overlaps: 0 })
        t.equal(reassembler.octets, 0)
      }
    }
  }
  // A tunnel: only the whole packet shows what is inside.
  const tunnel = fragments(
    udp(vxlan(ethernet(IPV4, ipv4(udp(Buffer.alloc(900))))), TO_VXLAN),
    512,
    OUTER,
  )
  t.strictSame(
    tunnel.map((packet) => decoded(packet, RAW)),
    ['fragment', 'fragment'],
  )
  const reassembler = new Reassembler()
  const [whole] = tunnel.flatMap((packet) => added(reassembler, packet) ?? [])
  t.equal(decoded(whole ?? hex(''), RAW), V4.replace('40', '900'))
})

test('fragments that overlap, lie or never become whole cost little and are counted', async (t) => {
  const payload = udp(Buffer.alloc(2400))
  const [first = hex(''), second = hex(''), third = hex('')] = fragments(payload, 1000, {
    identification: 1,
  })
  const fed = (packets: readonly Buffer[]) => {
    const reassembler = new Reassembler()
    const whole = packets.flatMap((packet) => added(reassembler, packet) ?? [])
    const counts = Object.entries(reassembler.counts).filter(([, count]) => count > 0)
    return { whole: whole.length, counts: Object.fromEntries(counts) }
  }
  const piece = (fragmentOffset: number, octets: number, moreFragments = true) =>
    ipv4(Buffer.alloc(octets, 1), { identification: 1, fragmentOffset, moreFragments })
  t.match(fed([first, first, second, first, third]), { whole: 1, counts: { duplicates: 2 } })
  for (const [name, bad] of Object.entries({
    'the same place, other octets': piece(0, 1000),
    'in the midst of one': piece(504, 8),
    'across two': piece(992, 16),
    'from before the end to beyond it': piece(2000, 2000),
    'another end': piece(1000, 100, false),
  }))
    t.match(
      fed([first, third, bad, second]),
      { whole: 0, counts: { overlaps: 1, fragments: 4 } },
      name,
    )
  t.match(fed([piece(0, 1001)]), { counts: { malformed: 1 } }, 'no multiple of 8 octets')
  t.match(
    fed([piece(65_000, 600, false)]),
    { counts: { malformed: 1 } },
    'beyond the largest datagram',
  )
  const cut = new Reassembler()
  t.equal(added(cut, first.subarray(0, 200)), undefined)
  t.match(cut.counts, { truncated: 1 })
  t.equal(cut.octets, 0)
  const slow = new Reassembler()
  added(slow, first, 0)
  added(slow, second, 30_000_001)
  added(slow, third, 30_000_002)
  t.match(slow.counts, { expired: 1, whole: 0 })
  const flooded = new Reassembler()
  for (let index = 0; index < 20_000; index++) {
    const packet = ipv4(Buffer.alloc(1400), {
      identification: index,
      moreFragments: true,
      from: `10.0.${index >> 8}.${index & 255}`,
    })
    added(flooded, packet, index)
  }
  t.match(flooded.counts, { evicted: 20_000 - 1024, whole: 0 })
  t.ok(flooded.octets < 8 << 20, String(flooded.octets))
  const fat = new Reassembler()
  for (let index = 0; index < 1000; index++)
    for (let offset = 0; offset < 60_000; offset += 1400)
      added(
        fat,
        ipv4(Buffer.alloc(1400), {
          identification: index,
          moreFragments: true,
          fragmentOffset: offset,
        }),
        index,
      )
  t.ok(fat.octets <= 8 << 20, String(fat.octets))
  t.ok(fat.counts.evicted > 800)
})

test('tshark puts the same datagrams together', async (t) => {
  const random = generator(791)
  const v6 = { from: '2001:db8::1', to: '2001:db8::2' }
  const packets = Array.from({ length: 40 }, (_, index) => {
    const payload = udp(Buffer.alloc(1500 + random(4000)), { fromPort: 1000 + index })
    const fields = { identification: index, ...(index % 2 === 0 ? {} : v6) }
    const pieces = fragments(payload, 512, fields).sort(() => random(3) - 1)
    // Of some a piece is lost.
    return index % 5 === 0 ? pieces.slice(1) : pieces
  }).flat()
  const frames = packets.map((frame, index) => ({ timeUs: START_US + index, frame }))
  const reassembler = new Reassembler()
  const ours = packets.flatMap((packet) => {
    const whole = added(reassembler, packet)
    return whole === undefined ? [] : [decoded(whole, RAW)]
  })
  t.equal(ours.length, 32)
  await inFolder(async (folder) => {
    const path = join(folder, 'fragments.pcap')
    await writeFile(path, pcapFile(frames, { linkType: RAW }))
    const theirs = byTshark(path, ['-o', 'ip.defragment:TRUE', '-o', 'ipv6.defragment:TRUE'])
    if (theirs === undefined) skip(t, 'tshark')
    else
      t.strictSame(
        theirs.filter((row) => row.startsWith('udp')).map((row) => row.replace(' more', '')),
        ours,
      )
  })
})

/** Gives a raw IP packet that is a fragment to the reassembler; returns a copy of the packet that it completes. */
function added(reassembler: Reassembler, packet: Buffer, timeUs = START_US): Buffer | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const datagram = new Datagram()
  const verdict = decodeFrame(view, 0, packet.length, RAW, datagram)
  if (verdict !== FRAGMENT && !(verdict === IS_UDP && datagram.moreFragments))
    throw new Error(`no fragment but ${FRAME_VERDICTS[verdict] ?? String(verdict)}`)
  const octets = reassembler.add(view, datagram, timeUs)
  return octets === 0 ? undefined : Buffer.from(new Uint8Array(reassembler.view.buffer, 0, octets))
}

async function readPath(path: string): Promise<{ frames: string[]; fault: string | undefined }> {
  const frames: string[] = []
  const file = new CaptureFile(path, collector(frames))
  while (await file.read());
  file.close()
  return { frames, fault: file.fault }
}

/** Xorshift: the same numbers in every run. */
function generator(seed: number): (limit: number) => number {
  const random = new Random(seed)
  return (limit) => random.below(limit)
}

/** What decodeFrame() made of a frame, in one line. */
function decoded(frame: Uint8Array, linkType: number): string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  return decodedAt(view, 0, frame.length, linkType)
}

function decodedAt(view: DataView, offset: number, end: number, linkType: number): string {
  const datagram = new Datagram()
  const verdict = decodeFrame(view, offset, end, linkType, datagram)
  if (verdict !== IS_UDP && verdict !== IS_TCP) return FRAME_VERDICTS[verdict] ?? String(verdict)
  const { ipVersion, source, destination, sourcePort, destinationPort } = datagram
  const { payloadOctets, tcpSequence, tcpFlags, moreFragments } = datagram
  const text = (words: Int32Array) => {
    const address = addressText([...words.subarray(0, ipVersion === 4 ? 1 : 4)])
    return ipVersion === 4 ? address : `[${address}]`
  }
  return line(
    verdict === IS_UDP ? 'udp' : 'tcp',
    `${text(source)}:${sourcePort} > ${text(destination)}:${destinationPort} ${payloadOctets}`,
    verdict === IS_UDP ? '' : ` seq ${tcpSequence} flags ${tcpFlags}`,
    moreFragments ? ' more' : '',
  )
}

function line(protocol: string, ...parts: readonly string[]): string {
  return `${protocol} ${parts.join('')}`
}

const FIELDS = [
  ...['frame.protocols', 'ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst'],
  ...['udp.srcport', 'udp.dstport', 'udp.length', 'tcp.srcport', 'tcp.dstport', 'tcp.len'],
  ...['tcp.seq_raw', 'tcp.flags', 'ip.flags.mf', 'ipv6.fraghdr.more'],
]

/** The same lines as tshark has them, of the innermost headers; undefined where it is not installed. */
function byTshark(path: string, options: readonly string[] = []): string[] | undefined {
  const run = spawnSync(
    'tshark',
    [
      ...['-r', path, '-n', '-T', 'fields', '-E', 'occurrence=l', '-E', 'separator=|'],
      ...['-o', 'ip.defragment:FALSE', '-o', 'ipv6.defragment:FALSE', ...options],
      ...FIELDS.flatMap((field) => ['-e', field]),
    ],
    { encoding: 'utf8' },
  )
  if (run.error !== undefined) return undefined
  return run.stdout
    .trimEnd()
    .split('\n')
    .map((row) => tsharkLine(row.split('|')))
}

function tsharkLine(values: readonly string[]): string {
  const field = (name: string) => values[FIELDS.indexOf(name)] ?? ''
  const protocols = field('frame.protocols').split(':')
  const udpAt = protocols.lastIndexOf('udp')
  const tcpAt = protocols.lastIndexOf('tcp')
  if (udpAt < 0 && tcpAt < 0) return 'none'
  const isV4 = protocols.lastIndexOf('ip') > protocols.lastIndexOf('ipv6')
  const [from, to] = isV4
    ? [field('ip.src'), field('ip.dst')]
    : [`[${field('ipv6.src')}]`, `[${field('ipv6.dst')}]`]
  const more = isV4 ? field('ip.flags.mf') : field('ipv6.fraghdr.more')
  const suffix = more === '1' || more === 'True' ? ' more' : ''
  if (udpAt > tcpAt) {
    const octets = Number(field('udp.length')) - 8
    return line(
      'udp',
      `${from}:${field('udp.srcport')} > ${to}:${field('udp.dstport')} ${octets}`,
      suffix,
    )
  }
  return line(
    'tcp',
    `${from}:${field('tcp.srcport')} > ${to}:${field('tcp.dstport')} ${field('tcp.len')}`,
    ` seq ${field('tcp.seq_raw')} flags ${Number(field('tcp.flags'))}`,
  )
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-formats-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

function skip(t: Test, program: string): void {
  t.pass(program, { skip: `${program} is missing: apt-get install tshark` })
}
