import { test } from 'tap'
import { addressText, contains, parseNetwork } from '../../agent/capture/address.ts'
import { PcapReader } from '../../agent/capture/pcap.ts'
import { Monitor } from '../../agent/media/monitor.ts'
import type { StreamRow } from '../../agent/media/stream-row.ts'
import {
  GRE,
  IPV4,
  IPV6,
  erspan,
  ethernet,
  fragments,
  gre,
  hex,
  ipv4,
  ipv6,
  tzsp,
  udp,
  vlan,
  vxlan,
} from '../support/frames.ts'
import { pcapFile, rtp } from '../support/pcap-writer.ts'

/** How packets arrive, seen from what is made of them; see capture-formats.test.ts for what is found in a frame or file. */

const START_US = 1_750_000_000_000_000
const ALL = { ports: { from: 0, to: 65_535 }, networks: [], from: [], to: [] }
const OUTER = { from: '192.0.2.1', to: '192.0.2.2', dscp: 0 }

test('a stream is the same through every form of file, link, tag, header and tunnel', async (t) => {
  const v4 = (payload: Buffer) => ipv4(udp(payload))
  const frame = (payload: Buffer) => ethernet(IPV4, v4(payload))
  const ways: Readonly<Record<string, { linkType?: number; wrap: (payload: Buffer) => Buffer }>> = {
    ethernet: { wrap: frame },
    'ethernet with padding': { wrap: (rtp) => Buffer.concat([frame(rtp), Buffer.alloc(20)]) },
    qinq: { wrap: (rtp) => ethernet(0x88a8, vlan(10, 0x8100, vlan(20, IPV4, v4(rtp)))) },
    raw: { linkType: 101, wrap: v4 },
    'linux cooked': {
      linkType: 113,
      wrap: (rtp) => Buffer.concat([hex(`${'00'.repeat(14)}0800`), v4(rtp)]),
    },
    'ip options': {
      linkType: 101,
      wrap: (rtp) => ipv4(udp(rtp), { options: Buffer.alloc(40, 1) }),
    },
    gre: {
      linkType: 101,
      wrap: (rtp) => ipv4(gre(IPV4, v4(rtp), { key: 1 }), { ...OUTER, protocol: GRE }),
    },
    'erspan 3': {
      linkType: 101,
      wrap: (rtp) => ipv4(erspan(3, frame(rtp)), { ...OUTER, protocol: GRE }),
    },
    vxlan: {
      linkType: 101,
      wrap: (rtp) => ipv4(udp(vxlan(frame(rtp)), { toPort: 4789 }), OUTER),
    },
    'tzsp, tagged inside': {
      wrap: (rtp) =>
        ethernet(
          IPV4,
          ipv4(udp(tzsp(ethernet(0x8100, vlan(5, IPV4, v4(rtp)))), { toPort: 37_008 }), OUTER),
        ),
    },
  }
  const [plain] = streams(
    pcapFile(packets(50).map(({ timeUs, payload }) => ({ timeUs, frame: frame(payload) }))),
  )
  t.match(plain, {
    ...{ srcIp: '10.0.0.1', srcPort: 20_000, dstIp: '10.0.0.2', dstPort: 30_000 },
    ...{ received: 50, lost: 0, octets: 8000, dscp: 46, jitterMaxMs: 0 },
  })
  for (const [name, { linkType = 1, wrap }] of Object.entries(ways)) {
    const frames = packets(50).map(({ timeUs, payload }) => ({ timeUs, frame: wrap(payload) }))
    for (const options of [{}, { nano: true }, { bigEndian: true }])
      t.strictSame(streams(pcapFile(frames, { linkType, ...options })), [plain], name)
  }
})

test('of a fragmented datagram the first piece counts as the packet, the others are counted apart', async (t) => {
  for (const path of [{}, { from: '2001:db8::1', to: '2001:db8::2' }]) {
    const frames = packets(10).flatMap(({ timeUs, payload }, identification) =>
      fragments(udp(payload), 80, { ...path, identification, dscp: 46 }).map((frame) => ({
        timeUs,
        frame,
      })),
    )
    t.equal(frames.length, 30)
    const monitor = fed(pcapFile(frames, { linkType: 101 }))
    t.match(monitor.takeInterval(START_US).streams, [{ received: 10, lost: 0, octets: 1600 }])
    t.strictSame(monitor.counts.ignored, { fragment: 20 })
  }
})

test('a snap length of 96 that leaves the audio out changes no number', async (t) => {
  const whole = packets(100)
    .filter((_, index) => index !== 3 && index !== 50)
    .map(({ timeUs, payload }) => ({
      timeUs,
      frame: ethernet(0x8100, vlan(1, 0x8100, vlan(2, IPV6, ipv6(udp(payload))))),
    }))
  const short = whole.map((captured) => ({ ...captured, snap: 96 }))
  t.match(streams(pcapFile(short)), [{ received: 98, lost: 2, octets: 98 * 160 }])
  t.strictSame(streams(pcapFile(short)), streams(pcapFile(whole)))
})

test('networks read, print and match', async (t) => {
  const printed = (text: string) => parseNetwork(text)?.cidr
  t.equal(printed('10.1.2.3/8'), '10.0.0.0/8')
  t.equal(printed('255.255.255.255'), '255.255.255.255/32')
  t.equal(printed('0.0.0.0/0'), '0.0.0.0/0')
  t.equal(printed('2001:DB8:0:0:1::1/64'), '2001:db8::/64')
  t.equal(printed('::ffff:192.0.2.1'), '::ffff:c000:201/128')
  t.equal(printed('::/0'), '::/0')
  for (const bad of [
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    'fe80::1%eth0',
    '::/129',
    '1.2.3.4/',
    '1.2.3.4/8/8',
    'x; rm',
  ])
    t.equal(parseNetwork(bad), undefined, bad)
  const network = parseNetwork('192.168.128.0/17')
  t.ok(network && contains(network, [0xc0a8ff01 | 0]))
  t.notOk(network && contains(network, [0xc0a87f01 | 0]))
  t.equal(addressText([0x20010db8, 0, 1, 0]), '2001:db8::1:0:0')
})

/** Packets of 20 ms of G.711. */
function packets(count: number): { timeUs: number; payload: Buffer }[] {
  return Array.from({ length: count }, (_, index) => {
    const timeUs = START_US + index * 20_000
    return { timeUs, payload: rtp({ timeUs, sequenceNumber: index, timestamp: index * 160 }) }
  })
}

function streams(file: Uint8Array): readonly StreamRow[] {
  return fed(file).takeInterval(START_US).streams
}

function fed(file: Uint8Array): Monitor {
  const monitor = new Monitor({ filter: ALL, maxStreams: 1000, probation: 3, seed: 1 })
  const reader = new PcapReader(monitor.handleFrame)
  reader.push(file)
  reader.end()
  return monitor
}
