import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { addressText, contains, parseNetwork } from '../../agent/capture/address.ts'
import { Datagram, FRAME_VERDICTS, decodeFrame } from '../../agent/capture/frame.ts'
import { PcapReader, type PcapFault } from '../../agent/capture/pcap.ts'
import { StreamMonitor, type StreamMonitorOptions } from '../../agent/capture/stream-monitor.ts'
import type { StreamRow } from '../../agent/capture/stream-row.ts'
import { filterExpression, tcpdumpArguments } from '../../agent/capture/tcpdump.ts'
import {
  ipPacket,
  pcapFile,
  rtp,
  udpDatagram,
  udpFrame,
  type CapturedFrame,
  type Path,
} from '../support/pcap-writer.ts'

const START_US = 1_750_000_000_000_000
const ETHERNET = 1
const FUZZED_FRAMES = 200_000
const FUZZED_FILES = 200
const ALL = { ports: { from: 0, to: 65_535 }, networks: [], from: [], to: [] }

const { scenarios } = z
  .object({
    scenarios: z.array(
      z.object({
        name: z.string(),
        packets: z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../fixtures/rtp/rtp.json', import.meta.url), 'utf8')))

test('a capture file reads alike in all four forms and in pieces of any size', async (t) => {
  const frames = call({ packets: 50, lost: [7, 8] })
  const expected = { expected: 50, received: 48, lost: 2, lostUnique: 2, jitterMaxMs: 0 }
  for (const options of [
    {},
    { nano: true },
    { bigEndian: true },
    { nano: true, bigEndian: true },
  ]) {
    for (const piece of [1, 7, 1000, 1 << 22]) {
      const { rows, fault } = readFile(pcapFile(frames, options), { piece })
      t.equal(fault, undefined)
      t.match(rows, [expected], `${JSON.stringify(options)} by ${piece}`)
      t.equal(rows.length, 1)
    }
  }
})

test('a stream is the same through every link type, tag and header in front of it', async (t) => {
  const wrapped: Readonly<Record<string, { linkType: number; wrap: (ip: Buffer) => Buffer }>> = {
    raw: { linkType: 101, wrap: (ip) => ip },
    ipv4: { linkType: 228, wrap: (ip) => ip },
    'linux cooked': {
      linkType: 113,
      wrap: (ip) => Buffer.concat([hex(`${'00'.repeat(14)}0800`), ip]),
    },
    'linux cooked 2': {
      linkType: 276,
      wrap: (ip) => Buffer.concat([hex(`0800${'00'.repeat(18)}`), ip]),
    },
    'ethernet with padding': {
      linkType: 1,
      wrap: (ip) => Buffer.concat([hex(`${'02'.repeat(12)}0800`), ip, Buffer.alloc(20)]),
    },
    qinq: {
      linkType: 1,
      wrap: (ip) => Buffer.concat([hex(`${'02'.repeat(12)}88a8000a810000140800`), ip]),
    },
    'ip options': { linkType: 101, wrap: (ip) => withIpv4Options(ip) },
  }
  for (const [name, { linkType, wrap }] of Object.entries(wrapped)) {
    const frames = packets(20).map((packet) => ({
      timeUs: packet.timeUs,
      frame: wrap(ipPacket(rtp(packet))),
    }))
    t.match(
      readFile(pcapFile(frames, { linkType })).rows,
      [{ received: 20, octets: 3200, dscp: 46 }],
      name,
    )
  }
  const tagged = call({ packets: 20, path: { vlans: [10] } })
  t.match(readFile(pcapFile(tagged)).rows, [{ received: 20, srcIp: '10.0.0.1', dstPort: 30_000 }])
})

test('IPv6 is read with its extension headers', async (t) => {
  const path = { from: '2001:db8::1', to: '2001:db8:0:1::2', dscp: 34 }
  const [row] = readFile(pcapFile(call({ packets: 10, path }))).rows
  t.match(row, { srcIp: '2001:db8::1', dstIp: '2001:db8:0:1::2', received: 10, dscp: 34 })
  const extended = packets(10).map((packet) => {
    const ip = ipPacket(rtp(packet), path)
    // hop-by-hop (8 octets), then destination options (16 octets), then UDP
    const options = hex(`3c00${'00'.repeat(6)}1101${'00'.repeat(14)}`)
    ip[6] = 0
    ip.writeUInt16BE(ip.readUInt16BE(4) + options.length, 4)
    return {
      timeUs: packet.timeUs,
      frame: Buffer.concat([ip.subarray(0, 40), options, ip.subarray(40)]),
    }
  })
  t.match(readFile(pcapFile(extended, { linkType: 101 })).rows, [{ received: 10, octets: 1600 }])
})

test('of a fragmented datagram the first piece counts as the packet, the others are counted apart', async (t) => {
  const frames = packets(10).flatMap((packet) => {
    const whole = ipPacket(rtp(packet))
    const first = Buffer.from(whole.subarray(0, 20 + 80))
    first.writeUInt16BE(first.length, 2)
    first.writeUInt16BE(0x2000, 6)
    const rest = Buffer.concat([whole.subarray(0, 20), whole.subarray(100)])
    rest.writeUInt16BE(rest.length, 2)
    rest.writeUInt16BE(80 / 8, 6)
    return [first, rest].map((frame) => ({ timeUs: packet.timeUs, frame }))
  })
  const { rows, counts } = readFile(pcapFile(frames, { linkType: 101 }))
  t.match(rows, [{ received: 10, octets: 1600 }])
  t.strictSame(counts.ignored, { fragment: 10 })
})

test('a snap length of 96 that leaves the audio out changes no number', async (t) => {
  const whole = call({
    packets: 100,
    lost: [3, 50],
    path: { from: 'fd00::1', to: 'fd00::2', vlans: [1, 2] },
  })
  const short = whole.map((captured) => ({ ...captured, snap: 96 }))
  t.strictSame(readFile(pcapFile(short)).rows, readFile(pcapFile(whole)).rows)
})

test('what is not RTP is no stream, and is counted by reason', async (t) => {
  const random = generator(7)
  const bodies: Readonly<Record<string, () => Buffer>> = {
    stun: () => hex(`000100002112a442${'00'.repeat(12)}`),
    dtls: () => hex(`16fefd${'00'.repeat(20)}`),
    rtcp: () => hex(`80c8000611223344${'00'.repeat(20)}`),
    'not-rtp': () => hex(`c3000000010863${'00'.repeat(30)}`),
    short: () => hex('00'),
    turn: () => hex(`40000010${'00'.repeat(16)}`),
  }
  const frames = Object.values(bodies).flatMap((body) =>
    Array.from({ length: 10 }, () => ({ timeUs: START_US, frame: udpFrame(body()) })),
  )
  // UDP that begins with the two bits of RTP: a game, say, with one identity and random numbers.
  for (let index = 0; index < 1000; index++) {
    const body = Buffer.from(Array.from({ length: 60 }, () => Math.floor(random() * 256)))
    body.set([0x80, 0x20], 0)
    body.writeUInt32BE(0x12345678, 8)
    frames.push({ timeUs: START_US + index * 20_000, frame: udpFrame(body) })
  }
  const arp = Buffer.concat([hex(`${'ff'.repeat(12)}0806`), Buffer.alloc(28)])
  frames.push({ timeUs: START_US, frame: arp })
  const { rows, counts } = readFile(pcapFile(frames))
  t.strictSame(rows, [])
  const { unconfirmed = 0, ...ignored } = counts.ignored
  t.strictSame(ignored, {
    ...Object.fromEntries(Object.keys(bodies).map((reason) => [reason, 10])),
    'not-ip': 1,
  })
  t.equal(unconfirmed + counts.pending, 1000)
})

test('a stream is counted from its first packet, even when the second is lost', async (t) => {
  t.match(readFile(pcapFile(call({ packets: 3 }))).rows, [
    { received: 3, expected: 3, first: true },
  ])
  t.match(readFile(pcapFile(call({ packets: 6, lost: [1] }))).rows, [{ received: 5, expected: 6 }])
  const everySecond = Array.from({ length: 50 }, (_, index) => 2 * index + 1)
  t.match(readFile(pcapFile(call({ packets: 100, lost: everySecond }))).rows, [
    { received: 50, expected: 99, lostUnique: 49 },
  ])
  const two = readFile(pcapFile(call({ packets: 2 })))
  t.strictSame(two.rows, [], 'two packets are not yet a stream')
  t.equal(two.counts.pending, 2)
})

test('a new SSRC, port or address is a new stream', async (t) => {
  const frames = [
    ...call({ packets: 10, ssrc: 1 }),
    ...call({ packets: 10, ssrc: 2, start: 500 }),
    ...call({ packets: 10, ssrc: 1, path: { fromPort: 4000 } }),
    ...call({ packets: 10, ssrc: 1, path: { to: '10.0.0.3' } }),
  ]
  const { rows } = readFile(pcapFile(frames))
  t.strictSame(
    rows.map(({ ssrc, srcPort, dstIp, received }) => [ssrc, srcPort, dstIp, received]),
    [
      ['0x00000001', 20_000, '10.0.0.2', 10],
      ['0x00000002', 20_000, '10.0.0.2', 10],
      ['0x00000001', 4000, '10.0.0.2', 10],
      ['0x00000001', 20_000, '10.0.0.3', 10],
    ],
  )
})

test('telephone events and comfort noise in an audio stream leave its jitter alone', async (t) => {
  for (const [name, peak] of [
    ['telephone-event', 0],
    // The noise packets come late by 4 ms; the speech around them is on time.
    ['comfort-noise', 0],
  ] as const) {
    const scenario = scenarios.find((one) => one.name === name)
    const frames = (scenario?.packets ?? []).map(
      ([sequenceNumber, timestamp, arrivalUs, payloadType]) => ({
        timeUs: START_US + arrivalUs,
        frame: udpFrame(
          rtp({
            timeUs: 0,
            sequenceNumber,
            timestamp,
            payloadType,
            payload: Buffer.alloc(payloadType === 0 ? 160 : 4),
          }),
        ),
      }),
    )
    const [row] = readFile(pcapFile(frames)).rows
    t.match(
      row,
      { codec: 'PCMU', payloadType: 0, lost: 0, jitterMaxMs: peak, received: frames.length },
      name,
    )
  }
})

test('a change of codec changes name and clock, without a step in the jitter', async (t) => {
  const frames = [
    ...call({ packets: 50 }),
    // L16 at 44.1 kHz: 882 ticks in 20 ms, from an unrelated timestamp
    ...packets(50, 50).map((packet, index) => ({
      timeUs: packet.timeUs,
      frame: udpFrame(rtp({ ...packet, payloadType: 11, timestamp: 9_000_000 + index * 882 })),
    })),
  ]
  const [row] = readFile(pcapFile(frames)).rows
  t.match(row, { codec: 'L16', payloadType: 11, expected: 100, lost: 0 })
  t.ok((row?.jitterMaxMs ?? 1) < 1e-6)
})

test('a payload type that only signalling explains gives no jitter, and no name', async (t) => {
  const [row] = readFile(pcapFile(call({ packets: 20, payloadType: 111 }))).rows
  t.match(row, { payloadType: 111, codec: undefined, jitterMs: undefined, received: 20 })
})

test('intervals are differences: what comes late heals the interval before, honestly signed', async (t) => {
  const monitor = newMonitor()
  const all = call({ packets: 100 })
  const late = all[49]
  feed(monitor, pcapFile(all.slice(0, 49)))
  feed(monitor, pcapFile(all.slice(50, 52)))
  t.match(monitor.takeInterval(START_US + 1_040_000), [
    {
      first: true,
      ended: false,
      expected: 52,
      received: 51,
      lost: 1,
      lostUnique: 1,
      activeMs: 1020,
    },
  ])
  if (late === undefined) throw new Error('no packet')
  feed(monitor, pcapFile([{ ...late, timeUs: START_US + 1_041_000 }, ...all.slice(52)]))
  t.match(monitor.takeInterval(START_US + 2_000_000), [
    {
      first: false,
      expected: 48,
      received: 49,
      lost: -1,
      lostUnique: -1,
      reordered: 1,
      activeMs: 939,
    },
  ])
  t.strictSame(monitor.takeInterval(START_US + 3_000_000), [], 'nothing came: no row')
  const over = START_US + 1_980_000 + 30_000_000
  t.strictSame(monitor.takeInterval(over - 1), [])
  t.match(monitor.takeInterval(over), [
    { ended: true, expected: 0, received: 0, lost: 0, activeMs: undefined, jitterMs: undefined },
  ])
  t.equal(monitor.counts.streams, 0)
  t.strictSame(monitor.takeInterval(over + 1), [])
})

test('65,535 SSRCs in a second cost no stream, and are forgotten beyond the limit', async (t) => {
  const monitor = newMonitor({ maxStreams: 1000 })
  const view = feeder(monitor)
  const path = (index: number): Path => ({ from: `10.1.0.${index}`, fromPort: 10_000 + index })
  const streams = Array.from({ length: 20 }, (_, index) =>
    packets(60).map((packet) => udpFrame(rtp(packet), path(index))),
  )
  let flooded = 0
  for (let tick = 0; tick < 60; tick++) {
    for (const frames of streams) view(frames[tick], START_US + tick * 20_000)
    for (let index = 0; index < 1093 && flooded < 65_535; index++) {
      const packet = { timeUs: 0, sequenceNumber: flooded * 77, timestamp: 0, ssrc: ++flooded }
      view(udpFrame(rtp(packet)), START_US + tick * 20_000 + index)
    }
  }
  t.equal(flooded, 65_535)
  const rows = monitor.takeInterval(START_US + 1_200_000)
  t.equal(rows.length, 20)
  t.ok(rows.every(({ received, expected }) => received === 60 && expected === 60))
  const { ignored, pending, evicted } = monitor.counts
  t.equal(evicted, 0)
  t.ok(pending <= 20_000)
  t.equal((ignored['unconfirmed'] ?? 0) + pending, 65_535)
})

test('when there are too many streams the least recently seen leave, and are counted', async (t) => {
  const monitor = newMonitor({ maxStreams: 160 })
  const view = feeder(monitor)
  for (let stream = 0; stream < 500; stream++) {
    for (const [index, packet] of packets(5).entries()) {
      view(udpFrame(rtp({ ...packet, ssrc: stream })), START_US + stream * 1000 + index)
      // Stream 0 goes on all the time.
      const next = { timeUs: 0, sequenceNumber: stream * 5 + index, timestamp: 0, ssrc: 0 }
      if (stream > 0) view(udpFrame(rtp(next)), START_US + stream * 1000 + index)
    }
  }
  const { streams, evicted } = monitor.counts
  t.equal(streams + evicted, 500)
  t.ok(streams <= 160 && streams >= 150, String(streams))
  const rows = monitor.takeInterval(START_US + 1_000_000)
  t.equal(rows.length, streams)
  t.match(
    rows[0],
    { ssrc: '0x00000000', received: 2500, lost: 0 },
    'the stream still seen has stayed',
  )
  t.equal(rows.at(-1)?.ssrc, '0x000001f3')
})

test('20,000 streams that are all there at once are all found', async (t) => {
  const monitor = newMonitor({ maxStreams: 20_000 })
  const view = feeder(monitor)
  for (let tick = 0; tick < 4; tick++) {
    const frame = udpFrame(rtp({ timeUs: 0, sequenceNumber: tick, timestamp: tick * 160 }))
    for (let stream = 0; stream < 20_000; stream++) {
      frame.writeUInt32BE(stream * 65_536, 14 + 20 + 8 + 8)
      view(frame, START_US + tick * 20_000 + stream)
    }
  }
  const rows = monitor.takeInterval(START_US + 100_000)
  t.equal(rows.length, 20_000)
  t.ok(rows.every(({ received }) => received === 4))
})

test('only what the filter names is looked at', async (t) => {
  const frames = [
    ...call({ packets: 10, ssrc: 1, path: { from: '10.1.0.5', to: '192.0.2.1' } }),
    ...call({ packets: 10, ssrc: 2, path: { from: '192.0.2.1', to: '10.1.0.5' } }),
    ...call({ packets: 10, ssrc: 3, path: { from: '172.16.0.1', to: '192.0.2.1', toPort: 500 } }),
    ...call({ packets: 10, ssrc: 4, path: { from: 'fd00::1', to: 'fd01::1' } }),
  ]
  const kept = (filter: Partial<StreamMonitorOptions['filter']>): string =>
    readFile(pcapFile(frames), { filter: { ...ALL, ...filter } })
      .rows.map(({ ssrc }) => ssrc.slice(-1))
      .join('')
  const net = (text: string) => [parseNetwork(text)].flatMap((one) => one ?? [])
  t.equal(kept({}), '1234')
  t.equal(kept({ networks: net('10.1.0.0/16') }), '12')
  t.equal(kept({ from: net('10.1.0.0/16') }), '1')
  t.equal(kept({ to: net('10.1.0.5') }), '2')
  t.equal(kept({ networks: net('fd01::/16') }), '4')
  t.equal(kept({ ports: { from: 400, to: 600 } }), '3')
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

test('tcpdump gets a fixed list of arguments made of checked values', async (t) => {
  const filter = {
    ports: { from: 10_000, to: 20_000 },
    networks: [parseNetwork('10.0.0.0/8'), parseNetwork('fd00::/8')].flatMap((one) => one ?? []),
    from: [],
    to: [parseNetwork('10.2.0.0/16')].flatMap((one) => one ?? []),
  }
  t.equal(
    filterExpression(filter),
    'udp and portrange 10000-20000 and (net 10.0.0.0/8 or net fd00::/8) and (dst net 10.2.0.0/16)',
  )
  t.strictSame(tcpdumpArguments({ interface: 'any', filter: ALL, bufferKib: 8192 }, false), [
    ...['-i', 'any', '-n', '-p', '-s', '96', '-B', '8192', '--time-stamp-precision=micro'],
    ...['-U', '-w', '-', 'udp'],
  ])
  const [last] = tcpdumpArguments({ interface: 'eth0', filter: ALL, bufferKib: 1024 }, true).slice(
    -1,
  )
  t.equal(last, '(udp) or (vlan and udp) or (vlan and udp)')
  for (const bad of ['-w/etc/passwd', 'eth0 -w x', '', 'a'.repeat(16), 'eth0;id', '../x'])
    t.throws(() => tcpdumpArguments({ interface: bad, filter: ALL, bufferKib: 1 }, false), bad)
})

test('a file that is no capture, lies or is cut says so, and gives what it had', async (t) => {
  const file = pcapFile(call({ packets: 20 }))
  const faultOf = (octets: Uint8Array): PcapFault | undefined => readFile(octets).fault
  t.equal(faultOf(Buffer.alloc(0)), 'empty')
  t.equal(faultOf(Buffer.alloc(100)), 'not-pcap')
  t.equal(faultOf(file.subarray(0, 10)), 'not-pcap')
  t.equal(faultOf(Buffer.concat([hex('0a0d0d0a'), Buffer.alloc(40)])), 'pcapng is not read yet')
  t.equal(faultOf(Buffer.concat([hex('1f8b08'), Buffer.alloc(40)])), 'gzip is not read yet')
  t.equal(faultOf(file.subarray(0, 24)), undefined, 'no packets is no fault')
  const lying = Buffer.from(file)
  lying.writeUInt32LE(0x7fffffff, 24 + 10 * (16 + 214) + 8)
  t.match(readFile(lying), { fault: 'record-length', rows: [{ received: 10 }] })
  for (let cut = 24 + 15 * (16 + 214) + 1; cut < 24 + 16 * (16 + 214); cut++)
    t.match(readFile(file.subarray(0, cut)), { fault: 'cut-off', rows: [{ received: 15 }] })
  t.match(readFile(pcapFile(call({ packets: 5 }), { linkType: 147 })).counts.ignored, {
    'unknown-link-type': 5,
  })
})

test('a frame cut at any octet, or with any length field lying, is refused with a reason', async (t) => {
  const frames = [
    udpFrame(rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 1 }), { vlans: [1, 2, 3] }),
    udpFrame(rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 1 }), {
      from: 'fd00::1',
      to: 'fd00::2',
    }),
  ]
  const reasons = new Set<string | undefined>()
  for (const frame of frames) {
    for (let end = 0; end <= frame.length; end++) {
      // A view that ends with the frame: a read beyond it would throw.
      const copy = new Uint8Array(frame.subarray(0, end))
      reasons.add(
        FRAME_VERDICTS[decodeFrame(new DataView(copy.buffer), 0, end, ETHERNET, new Datagram())],
      )
    }
    for (let at = 12; at < 70; at++) {
      for (const value of [0, 1, 0x45, 0x60, 0x7f, 0xff]) {
        const copy = new Uint8Array(frame)
        copy[at] = value
        const verdict = decodeFrame(
          new DataView(copy.buffer),
          0,
          copy.length,
          ETHERNET,
          new Datagram(),
        )
        reasons.add(FRAME_VERDICTS[verdict])
      }
    }
  }
  t.strictSame([...reasons].sort(), [
    'bad-ip-header',
    'bad-udp-length',
    'fragment',
    'not-ip',
    'not-udp',
    'truncated',
    'udp',
  ])
  const short = udpDatagram(Buffer.alloc(0), {})
  t.equal(short.readUInt16BE(4), 8)
})

test(`${FUZZED_FRAMES} random and mutated frames and ${FUZZED_FILES} mutated files: nothing throws, every frame is counted`, async (t) => {
  const random = generator(20_251_122)
  const below = (limit: number) => Math.floor(random() * limit)
  const linkTypes = [1, 1, 1, 101, 113, 276, 228, 229, 12_345]
  const seeds = [
    udpFrame(rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 1 })),
    udpFrame(hex(`b2080001000000a011223344aaaaaaaabbbbbbbbbede000110950000${'d5'.repeat(24)}04`), {
      vlans: [9],
    }),
    udpFrame(rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 1 }), {
      from: 'fd00::1',
      to: 'fd00::2',
    }),
    udpFrame(hex('80c9000155667788')),
  ]
  const monitor = newMonitor({ maxStreams: 500 })
  for (let index = 0; index < FUZZED_FRAMES; index++) {
    const seed = seeds[below(seeds.length)]
    const octets =
      seed !== undefined && random() < 0.9
        ? new Uint8Array(seed.subarray(0, random() < 0.3 ? below(seed.length + 1) : seed.length))
        : Uint8Array.from({ length: below(120) }, () => below(256))
    for (let change = below(4); change > 0 && octets.length > 0; change--)
      octets[below(octets.length)] = below(256)
    const view = new DataView(octets.buffer)
    monitor.handleFrame(view, 0, octets.length, START_US + index * 100, linkTypes[below(9)] ?? 1)
  }
  const sums = balance(monitor)
  t.equal(sums.frames, FUZZED_FRAMES)
  t.equal(sums.accounted, FUZZED_FRAMES)
  t.ok(
    Object.keys(monitor.counts.ignored).length >= 12,
    Object.keys(monitor.counts.ignored).join(' '),
  )
  const file = pcapFile(call({ packets: 200 }))
  for (let index = 0; index < FUZZED_FILES; index++) {
    const mutated = Buffer.from(file.subarray(0, 24 + below(file.length)))
    for (let change = below(40); change > 0; change--) mutated[below(mutated.length)] = below(256)
    const read = newMonitor()
    feed(read, mutated, 1 + below(5000))
    const { frames, accounted } = balance(read)
    if (frames !== accounted)
      t.fail(`file ${index}: ${accounted} of ${frames} frames accounted for`)
  }
})

test('tshark counts the same packets, losses and peak jitter', async (t) => {
  const random = generator(3550)
  const impaired: Record<string, CapturedFrame[]> = {}
  const add = (ssrc: number, frames: CapturedFrame[]) => {
    impaired[ssrcText(ssrc)] = frames
  }
  const some = (share: number, count: number) =>
    Array.from({ length: count }, (_, index) => index).filter(
      (index) => index > 3 && index < count - 3 && random() < share,
    )
  const on = (ssrc: number): { ssrc: number; path: Path } => ({
    ssrc,
    path: { fromPort: 20_000 + 2 * ssrc },
  })
  add(1, call({ packets: 500, ...on(1) }))
  add(2, call({ packets: 500, lost: some(0.08, 500), ...on(2) }))
  add(3, call({ packets: 3000, lost: some(0.03, 3000), start: 65_000, ...on(3) }))
  add(4, call({ packets: 500, jitterUs: () => Math.floor(random() * 15) * 1000, ...on(4) }))
  add(5, duplicated(call({ packets: 500, ...on(5) }), some(0.05, 500)))
  add(6, call({ packets: 500, lost: [1, 5, 9], ...on(6) }))
  add(
    7,
    call({ packets: 400, lost: some(0.5, 400), ssrc: 7, path: { from: 'fd00::1', to: 'fd00::2' } }),
  )
  add(8, swapped(call({ packets: 300, ...on(8) }), some(0.04, 300)))
  add(9, call({ packets: 300, payloadType: 9, lost: [100, 101, 102], ...on(9) }))
  await compareWithTshark(t, impaired, () => ({}))
})

test('tshark departs from RFC 3550 where the last arrival is late, and where a late packet crosses the wrap', async (t) => {
  const named = (name: string, ssrc: number): CapturedFrame[] =>
    (scenarios.find((one) => one.name === name)?.packets ?? []).map(
      ([sequenceNumber, timestamp, arrivalUs, payloadType]) => ({
        timeUs: START_US + arrivalUs,
        frame: udpFrame(rtp({ timeUs: 0, sequenceNumber, timestamp, payloadType, ssrc }), {
          fromPort: 20_000 + 2 * ssrc,
        }),
      }),
    )
  const departures: Readonly<Record<string, { lost: number; jitterMaxMs?: undefined }>> = {
    // It takes the sequence number that arrived last for the highest.
    '0x00000001': { lost: -9 },
    // Its count of cycles goes up once too often.
    '0x00000002': { lost: 65_536 },
  }
  await compareWithTshark(
    t,
    {
      '0x00000001': named('late-packet-arrives-last', 1),
      '0x00000002': named('wrap-with-reorder', 2),
      '0x00000003': named('wrap-with-loss', 3),
      '0x00000004': named('duplicates-3', 4),
      '0x00000005': named('spike-100ms', 5),
      '0x00000006': named('dropout-2999', 6),
    },
    (ssrc) => departures[ssrc] ?? {},
  )
})

/** Reads the streams, merged by time, in tshark and by us. `departure` holds what tshark counts instead. */
async function compareWithTshark(
  t: Test,
  streams: Readonly<Record<string, CapturedFrame[]>>,
  departure: (ssrc: string) => { lost?: number },
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-tshark-'))
  try {
    const file = join(folder, 'streams.pcap')
    const frames = Object.values(streams)
      .flat()
      .sort((a, b) => a.timeUs - b.timeUs)
    const octets = pcapFile(frames)
    await writeFile(file, octets)
    const run = spawnSync(
      'tshark',
      ['-q', '--enable-heuristic', 'rtp_udp', '-z', 'rtp,streams', '-r', file],
      { encoding: 'utf8' },
    )
    if (run.error !== undefined) {
      t.pass('tshark', { skip: 'tshark is missing: apt-get install tshark' })
      return
    }
    const oracle = readTshark(run.stdout)
    t.strictSame(Object.keys(oracle).sort(), Object.keys(streams).sort(), 'the same streams')
    const { rows } = readFile(octets)
    t.equal(rows.length, Object.keys(streams).length)
    for (const { ssrc, received, rejected, lost, jitterMaxMs = NaN } of rows) {
      const theirs = oracle[ssrc]
      const expected = { packets: received + rejected, lost: departure(ssrc).lost ?? lost }
      t.match(theirs, expected, `${ssrc}: packets and lost`)
      t.ok(
        Math.abs((theirs?.jitterMaxMs ?? 0) - jitterMaxMs) < 0.0015,
        `${ssrc}: peak jitter ${jitterMaxMs} ms, tshark ${theirs?.jitterMaxMs ?? 'none'}`,
      )
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function readTshark(
  table: string,
): Readonly<Record<string, { packets: number; lost: number; jitterMaxMs: number }>> {
  const rows = table.split('\n').flatMap((line) => {
    const match =
      /(0x[0-9A-F]{8})\s+\S+\s+(\d+)\s+(-?\d+) \([^)]*\)\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+[\d.]+\s+([\d.]+)/i.exec(
        line,
      )
    return match?.[1] === undefined
      ? []
      : [
          [
            match[1].toLowerCase(),
            { packets: Number(match[2]), lost: Number(match[3]), jitterMaxMs: Number(match[4]) },
          ] as const,
        ]
  })
  return Object.fromEntries(rows)
}

interface CallOptions {
  readonly packets: number
  /** Packets, counted from 0, that are not captured. */
  readonly lost?: readonly number[]
  readonly start?: number
  readonly ssrc?: number
  readonly payloadType?: number
  readonly path?: Path
  readonly jitterUs?: () => number
}

/** Packets of 20 ms, from number `from` on. */
function packets(
  count: number,
  from = 0,
): { timeUs: number; sequenceNumber: number; timestamp: number }[] {
  return Array.from({ length: count }, (_, index) => ({
    timeUs: START_US + (from + index) * 20_000,
    sequenceNumber: from + index,
    timestamp: (from + index) * 160,
  }))
}

function call({
  packets: count,
  lost = [],
  start = 0,
  ssrc = 0x11223344,
  payloadType = 0,
  path = {},
  jitterUs = () => 0,
}: CallOptions): CapturedFrame[] {
  const gone = new Set(lost)
  return packets(count)
    .map((packet) => ({ ...packet, timeUs: packet.timeUs + jitterUs(), ssrc, payloadType }))
    .filter((_, index) => !gone.has(index))
    .map((packet) => ({
      timeUs: packet.timeUs,
      frame: udpFrame(rtp({ ...packet, sequenceNumber: packet.sequenceNumber + start }), path),
    }))
}

function duplicated(frames: CapturedFrame[], which: readonly number[]): CapturedFrame[] {
  return frames.flatMap((captured, index) =>
    which.includes(index)
      ? [captured, { ...captured, timeUs: captured.timeUs + 1000 }]
      : [captured],
  )
}

/** Those named come 1 ms after the packet behind them. */
function swapped(frames: CapturedFrame[], which: readonly number[]): CapturedFrame[] {
  return frames.map((captured, index) =>
    which.includes(index) ? { ...captured, timeUs: captured.timeUs + 21_000 } : captured,
  )
}

interface ReadOptions {
  readonly piece?: number
  readonly filter?: StreamMonitorOptions['filter']
}

function readFile(octets: Uint8Array, { piece = octets.length, filter = ALL }: ReadOptions = {}) {
  const monitor = newMonitor({ filter })
  const fault = feed(monitor, octets, piece)
  const rows: readonly StreamRow[] = monitor.takeInterval(START_US)
  return { rows, fault, counts: monitor.counts }
}

function newMonitor(options: Partial<StreamMonitorOptions> = {}): StreamMonitor {
  return new StreamMonitor({ filter: ALL, maxStreams: 1000, probation: 3, seed: 1, ...options })
}

function feed(
  monitor: StreamMonitor,
  octets: Uint8Array,
  piece = octets.length,
): PcapFault | undefined {
  const reader = new PcapReader(monitor.handleFrame)
  for (let at = 0; at < octets.length; at += piece) reader.push(octets.subarray(at, at + piece))
  reader.end()
  return reader.fault
}

/** Hands single Ethernet frames to the monitor. */
function feeder(monitor: StreamMonitor): (frame: Buffer | undefined, timeUs: number) => void {
  return (frame, timeUs) => {
    if (frame === undefined) throw new Error('no frame')
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
    monitor.handleFrame(view, 0, frame.length, timeUs, ETHERNET)
  }
}

/** Every frame is in a stream, pending, or ignored for a reason. */
function balance(monitor: StreamMonitor): { frames: number; accounted: number } {
  const counted = monitor
    .takeInterval(-Infinity)
    .reduce((sum, { received, rejected }) => sum + received + rejected, 0)
  const { frames, pending, ignored } = monitor.counts
  const refused = Object.values(ignored).reduce((sum, count) => sum + count, 0)
  return { frames, accounted: counted + pending + refused }
}

/** A linear congruential generator (Numerical Recipes): the same numbers in every run. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function withIpv4Options(ip: Buffer): Buffer {
  const header = Buffer.concat([ip.subarray(0, 20), Buffer.alloc(40, 1)])
  header[0] = 0x4f
  header.writeUInt16BE(ip.length + 40, 2)
  return Buffer.concat([header, ip.subarray(20)])
}

function ssrcText(ssrc: number): string {
  return `0x${ssrc.toString(16).padStart(8, '0')}`
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
