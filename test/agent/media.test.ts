import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { z } from 'zod'
import { parseNetwork } from '../../agent/capture/address.ts'
import { Datagram, decodeFrame } from '../../agent/capture/frame.ts'
import { PcapReader } from '../../agent/capture/pcap.ts'
import type { CaptureInterval } from '../../agent/media/capture-interval.ts'
import { FileCapture } from '../../agent/media/file-capture.ts'
import { MediaTable, type MediaDescription } from '../../agent/media/media-table.ts'
import { Monitor, type MonitorOptions } from '../../agent/media/monitor.ts'
import { StreamMonitor } from '../../agent/media/stream-monitor.ts'
import {
  burstRatios,
  discardRatio,
  effectiveLossRatio,
  lossRatio,
} from '../../agent/media/stream-ratios.ts'
import type { StreamRow } from '../../agent/media/stream-row.ts'
import { RtpPacket, parseRtp } from '../../agent/rtp/packet.ts'
import { pcapFile, rtp, udpFrame, type CapturedFrame, type Path } from '../support/pcap-writer.ts'

const START_US = 1_750_000_000_000_000
const ETHERNET = 1
const S = 1_000_000
const FUZZED_FRAMES = 200_000
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

test('what is not RTP is no stream, and is counted by reason', async (t) => {
  const random = generator(7)
  const noise = (octets: number) =>
    Buffer.from(Array.from({ length: octets }, () => Math.floor(random() * 256)))
  const bodies: Readonly<Record<string, () => Buffer>> = {
    stun: () => hex(`000100002112a442${'00'.repeat(12)}`),
    dtls: () => hex(`16fefd${'00'.repeat(20)}`),
    zrtp: () => hex(`1000${'00'.repeat(20)}`),
    short: () => hex('00'),
    turn: () => hex(`40000010${'00'.repeat(16)}`),
  }
  const frames = Object.values(bodies).flatMap((body) =>
    Array.from({ length: 10 }, () => ({ timeUs: START_US, frame: udpFrame(body()) })),
  )
  const others = [
    // STUN without its cookie, QUIC with a long header, and what asks a name server.
    () => hex(`000100002112a443${'00'.repeat(12)}`),
    () => hex(`c3000000010863${'00'.repeat(30)}`),
    () => hex(`0c410100000100000000000003777777076578616d706c6503636f6d0000010001`),
  ]
  for (const body of others) frames.push({ timeUs: START_US, frame: udpFrame(body()) })
  // Begins with the two bits of RTP: a game, say, with one identity and random numbers, and a resolver with random queries.
  for (let index = 0; index < 1000; index++) {
    const body = noise(60)
    body.set([0x80, 0x20], 0)
    body.writeUInt32BE(0x12345678, 8)
    frames.push({ timeUs: START_US + index * 20_000, frame: udpFrame(body) })
    const query = noise(40)
    query[0] = 0x80 | ((query[0] ?? 0) & 0x3f)
    query[1] = 0x01
    frames.push({ timeUs: START_US + index * 20_000, frame: udpFrame(query, { toPort: 53 }) })
    // A keyed protocol of this shape counts by itself: the payload types of RTCP are no RTP.
    const keyed = Buffer.concat([hex('805a'), Buffer.alloc(30)])
    keyed.writeUInt16BE(index, 2)
    frames.push({ timeUs: START_US + index * 20_000, frame: udpFrame(keyed, { toPort: 4500 }) })
  }
  const arp = Buffer.concat([hex(`${'ff'.repeat(12)}0806`), Buffer.alloc(28)])
  frames.push({ timeUs: START_US, frame: arp })
  const { rows, counts } = readFile(pcapFile(frames))
  t.strictSame(rows, [])
  const { unconfirmed = 0, 'csrc-overrun': overrun = 0, ...ignored } = counts.ignored
  const rest = 'extension-overrun'
  const extension = ignored[rest] ?? 0
  t.strictSame(
    { ...ignored, [rest]: 0 },
    {
      ...Object.fromEntries(Object.keys(bodies).map((reason) => [reason, 10])),
      'not-rtp': 3,
      'not-ip': 1,
      'rtcp-payload-type': 1000,
      [rest]: 0,
    },
  )
  t.equal(unconfirmed + counts.pending + overrun + extension, 2000)
})

test('RTCP and SIP are handed on, wherever they are', async (t) => {
  const invite = Buffer.from('OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n')
  const report = hex(`80c8000611223344${'00'.repeat(20)}`)
  const frames = [
    { timeUs: START_US, frame: udpFrame(invite, { toPort: 5060 }) },
    { timeUs: START_US, frame: udpFrame(invite, { toPort: 15_060 }) },
    { timeUs: START_US, frame: udpFrame(report) },
    { timeUs: START_US, frame: udpFrame(hex('80c9000155667788'), { toPort: 30_001 }) },
    { timeUs: START_US, frame: udpFrame(Buffer.from('HELO example'), { toPort: 15_060 }) },
    { timeUs: START_US, frame: udpFrame(Buffer.from('\r\n\r\n'), { toPort: 5060 }) },
  ]
  const { counts } = readFile(pcapFile(frames))
  t.match(counts, { sipFrames: 2, rtcpFrames: 2, ignored: { turn: 1, short: 1 } })
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
  t.match(monitor.takeInterval(START_US + 1_040_000).streams, [
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
  t.match(monitor.takeInterval(START_US + 2_000_000).streams, [
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
  t.strictSame(monitor.takeInterval(START_US + 2_900_000).streams, [], 'nothing came: no row')
  const over = START_US + 1_980_000 + 30_000_000
  const nothing = { expected: 0, received: 0, lost: 0, activeMs: undefined, jitterMs: undefined }
  t.match(monitor.takeInterval(over - 1).streams, [{ ended: false, stalledMs: 29_999.999 }])
  t.match(monitor.takeInterval(over).streams, [{ ...nothing, ended: true }])
  t.equal(monitor.counts.streams, 0)
  t.strictSame(monitor.takeInterval(over + 1).streams, [])
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
  const rows = monitor.takeInterval(START_US + 1_200_000).streams
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
  const rows = monitor.takeInterval(START_US + 1_000_000).streams
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
  const rows = monitor.takeInterval(START_US + 100_000).streams
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
  const kept = (filter: Partial<MonitorOptions['filter']>): string =>
    readFile(pcapFile(frames), { ...ALL, ...filter })
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

test(`${FUZZED_FRAMES} random and mutated frames: nothing throws, every frame is counted`, async (t) => {
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
    udpFrame(Buffer.from('OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n'), { toPort: 5060 }),
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
  const { frames, accounted } = balance(monitor)
  t.equal(frames, FUZZED_FRAMES)
  t.equal(accounted, FUZZED_FRAMES)
  t.ok(
    Object.keys(monitor.counts.ignored).length >= 12,
    Object.keys(monitor.counts.ignored).join(' '),
  )
})

test('an announced stream is counted from its first packet, and explained by what was announced', async (t) => {
  const { media, monitor, feed } = announced()
  announce(media, '10.0.0.2', 30_000, { payloads: payloads({ 111: ['opus', 48_000] }) })
  feed(call({ packets: 1, payloadType: 111 }))
  t.match(monitor.takeInterval(START_US, none), [
    { received: 1, first: true, codec: 'opus', clockRate: 48_000, callId: 'call-1' },
  ])
  feed(call({ packets: 1, ssrc: 2 }))
  t.strictSame(monitor.takeInterval(START_US, none), [], 'an announcement is trusted once')
  feed(call({ packets: 3, ssrc: 2 }).slice(1))
  t.match(monitor.takeInterval(START_US, none), [{ received: 3, ssrc: '0x00000002' }])
})

test('a call that has ended, or another payload type, is no announcement', async (t) => {
  const { media, monitor, feed } = announced()
  announce(media, '10.0.0.2', 30_000, { isEnded: true })
  announce(media, '10.0.0.3', 30_000, { payloads: payloads({ 111: ['opus', 48_000] }) })
  feed(call({ packets: 1 }))
  feed(call({ packets: 1, ssrc: 2, payloadType: 97, path: { to: '10.0.0.3' } }))
  t.strictSame(monitor.takeInterval(START_US, none), [])
  t.equal(monitor.counts.pending, 2)
})

test('signalling that comes after the first packets still explains the stream', async (t) => {
  const { media, monitor, feed } = announced()
  const all = call({ packets: 400, payloadType: 111, ticks: 960 })
  feed(all.slice(0, 10))
  monitor.beforeSignalling(START_US + 200_000)
  announce(media, '10.0.0.2', 30_000, { payloads: payloads({ 111: ['opus', 48_000] }) })
  monitor.afterSignalling(START_US + 200_000)
  feed(all.slice(10))
  const [row] = monitor.takeInterval(START_US + 8 * S, none)
  t.match(row, { codec: 'opus', received: 400, jitterMaxMs: 0, callId: 'call-1' })
  t.ok((row?.jitterSamples ?? 0) > 300, 'jitter is measured from then on')
  t.equal(row?.packetMs, 20)
})

test('where only the sender announced, call and encryption are its own', async (t) => {
  const { media, monitor, feed } = announced()
  announce(media, '10.0.0.1', 20_000, { isEncrypted: true })
  feed(call({ packets: 5 }))
  t.match(monitor.takeInterval(START_US, none), [{ callId: 'call-1', isEncrypted: true }])
})

test('a stream keeps its call when another call takes its address, and is then no stall', async (t) => {
  const { media, monitor, feed } = announced()
  announce(media, '10.0.0.2', 30_000, { callId: 'one' })
  feed(call({ packets: 200 }))
  announce(media, '10.0.0.2', 30_000, { callId: 'two' })
  feed(call({ packets: 200, ssrc: 2, delayUs: 4 * S }))
  const rows = monitor.takeInterval(START_US + 12 * S, none)
  t.match(rows, [
    { callId: 'one', stalledMs: undefined },
    { callId: 'two', stalledMs: 4020 },
  ])
  // After the end of both the port serves a third one.
  announce(media, '10.0.0.2', 30_000, { callId: 'two', isEnded: true })
  feed(call({ packets: 3, ssrc: 3, delayUs: 13 * S }))
  monitor.beforeSignalling(START_US + 13 * S + 100_000)
  announce(media, '10.0.0.2', 30_000, { callId: 'three' })
  t.match(monitor.takeInterval(START_US + 14 * S, none), [
    { callId: 'two', ended: true },
    { ssrc: '0x00000003', callId: 'three' },
  ])
})

test('numbers of RTCP are RTP where they were announced', async (t) => {
  const { media, monitor, feed } = announced()
  feed(call({ packets: 5, payloadType: 77 }))
  t.equal(monitor.counts.refused, 5)
  announce(media, '10.0.0.2', 30_000, { payloads: payloads({ 77: ['L16', 16_000] }) })
  feed(call({ packets: 5, payloadType: 77 }))
  t.match(monitor.takeInterval(START_US, none), [{ received: 5, codec: 'L16' }])
})

test('an announced number may be an event or comfort noise, and a static one may be rebound', async (t) => {
  const { media, monitor, feed } = announced()
  const named = { 0: ['opus', 48_000], 101: ['telephone-event', 8000], 96: ['CN', 16_000] } as const
  announce(media, '10.0.0.2', 30_000, { payloads: payloads(named) })
  const audio = call({ packets: 100, ticks: 960 })
  const others = call({ packets: 100, payloadType: 101 }).slice(40, 46)
  const noise = call({ packets: 100, payloadType: 96 }).slice(70, 72)
  feed([...audio.slice(0, 40), ...others, ...audio.slice(46, 70), ...noise, ...audio.slice(72)])
  t.match(monitor.takeInterval(START_US + 2 * S, none), [
    { codec: 'opus', received: 100, lost: 0, events: 6, comfortNoise: 2, jitterMaxMs: 0 },
  ])
})

test('an empty packet of a type nobody announced keeps the port open and changes nothing', async (t) => {
  const frames = call({ packets: 60 }).map(({ timeUs, frame }, index) => {
    if (index % 20 !== 10) return { timeUs, frame }
    const packet = { sequenceNumber: index, timestamp: index * 160, payloadType: 120 }
    return { timeUs, frame: udpFrame(rtp({ timeUs, ...packet, payload: new Uint8Array() })) }
  })
  t.match(readFile(pcapFile(frames)).rows, [{ codec: 'PCMU', received: 60, jitterMaxMs: 0 }])
})

test('what a call negotiates explains its streams, however its signalling comes', async (t) => {
  const [caller, callee, proxy] = ['10.0.0.1', '10.0.0.2', '10.0.0.9']
  const message = (first: string, cseq: string, ip?: string, port?: number): Buffer => {
    const sdp =
      ip === undefined
        ? ''
        : [
            ...['v=0', `o=- 1 1 IN IP4 ${ip}`, 's=-', `c=IN IP4 ${ip}`, 't=0 0'],
            `m=audio ${port ?? 0} RTP/AVP 111 101`,
            ...['a=rtpmap:111 opus/48000/2', 'a=rtpmap:101 telephone-event/48000', ''],
          ].join('\r\n')
    const head = [
      ...[first, `Via: SIP/2.0/UDP ${caller};branch=z9hG4bK${cseq.replace(' ', '')}`],
      ...['From: <sip:a@x>;tag=1', 'To: <sip:b@x>;tag=2', 'Call-ID: call@x', `CSeq: ${cseq}`],
      ...(sdp === '' ? [] : ['Content-Type: application/sdp']),
      ...[`Content-Length: ${sdp.length}`, '', sdp],
    ]
    return Buffer.from(head.join('\r\n'))
  }
  const said: readonly (readonly [number, Buffer, boolean])[] = [
    [0, message('INVITE sip:b@x SIP/2.0', '1 INVITE', caller, 20_000), true],
    [0.2, message('SIP/2.0 200 OK', '1 INVITE', callee, 30_000), false],
    [0.3, message('ACK sip:b@x SIP/2.0', '1 ACK'), true],
    [9, message('BYE sip:b@x SIP/2.0', '2 BYE'), true],
    [9.05, message('SIP/2.0 200 OK', '2 BYE'), false],
  ]
  const media = [
    ...call({ packets: 440, payloadType: 111, ticks: 960, delayUs: 300_000 }),
    ...call({
      ...{ packets: 440, payloadType: 111, ticks: 960, ssrc: 2, delayUs: 300_000 },
      path: { from: callee, fromPort: 30_000, to: caller, toPort: 20_000 },
    }),
    // Something else goes on.
    ...call({ packets: 800, ssrc: 3, path: { from: '10.0.0.7', fromPort: 9000, to: '10.0.0.8' } }),
  ]
  const wrapped: Readonly<Record<string, (body: Buffer, path: Path, at: number) => Buffer[]>> = {
    udp: (body, path) => [udpFrame(body, path)],
    'udp on another port': (body, path) => [
      udpFrame(body, { ...path, toPort: 6000, fromPort: 6000 }),
    ],
    'udp in pieces': (body, path) => pieces(udpFrame(body, path)),
    tcp: (body, path, at) => [tcpFrame(body, path, at)],
    'tcp in segments': (body, path, at) => [
      tcpFrame(body.subarray(0, 70), path, at),
      tcpFrame(body.subarray(70), path, at + 70),
    ],
  }
  for (const [name, wrap] of Object.entries(wrapped)) {
    const sent = [1, 1]
    const signalling = said.flatMap(([second, body, isForward]) => {
      const [from, to] = isForward ? [caller, proxy] : [proxy, caller]
      const way = isForward ? 0 : 1
      const at = sent[way] ?? 0
      sent[way] = at + body.length
      const path = { from, to, fromPort: 5060, toPort: 5060 }
      return wrap(body, path, at).map((frame) => ({ timeUs: START_US + second * S, frame }))
    })
    const frames = [...signalling, ...media].sort((a, b) => a.timeUs - b.timeUs)
    const monitor = newMonitor()
    feed(monitor, pcapFile(frames))
    const { streams, calls } = monitor.takeInterval(START_US + 16 * S)
    t.match(
      streams,
      [
        { ssrc: '0x00000003', callId: undefined, ended: false },
        { ssrc: '0x11223344', codec: 'opus', callId: 'call@x', jitterMaxMs: 0, ended: true },
        { ssrc: '0x00000002', codec: 'opus', callId: 'call@x', jitterMaxMs: 0, ended: true },
      ],
      name,
    )
    t.strictSame(
      streams.map(({ stalledMs }) => stalledMs),
      [undefined, undefined, undefined],
      name,
    )
    t.match(calls, [{ callId: 'call@x', state: 'ended' }], name)
  }
})

test('a stream that goes on from another address is the same stream, nothing is lost, and each address has its row', async (t) => {
  const all = packets(100)
  const rebound = (from: number, path: Path) =>
    all.map((packet, index) => ({
      timeUs: packet.timeUs,
      frame: udpFrame(rtp(packet), index < from ? {} : path),
    }))
  t.match(readFile(pcapFile(rebound(50, { fromPort: 40_000 }))).rows, [
    { received: 50, expected: 50, lost: 0, srcPort: 20_000, jitterMaxMs: 0, first: true },
    { received: 50, expected: 50, lost: 0, srcPort: 40_000, jitterMaxMs: 0, first: false },
  ])
  const lossy = rebound(50, { from: '10.9.9.9' }).filter((_, index) => index < 48 || index > 52)
  t.match(readFile(pcapFile(lossy)).rows, [
    { received: 48, expected: 48, lost: 0, srcIp: '10.0.0.1' },
    { received: 47, expected: 52, lost: 5, srcIp: '10.9.9.9' },
  ])
})

test('a line cut for longer than a stream is up shows what it lost when the stream comes back', async (t) => {
  const all = call({ packets: 8000 })
  const comeback = async (first: number, second: number, from = all): Promise<StreamRow[]> => {
    const cut = [...from.slice(0, first), ...from.slice(second)]
    return (await intervalsOf(t, pcapFile(cut), 10_000)).flatMap(({ streams }) => streams)
  }
  const sums = (rows: readonly StreamRow[]) => ({
    lost: rows.reduce((sum, { lost }) => sum + lost, 0),
    gapLost: rows.reduce((sum, { gapLost }) => sum + gapLost, 0),
    gapMs: rows.reduce((sum, { gapMs = 0 }) => sum + gapMs, 0),
    first: rows.filter(({ first }) => first).length,
    ended: rows.filter(({ ended }) => ended).length,
  })
  const forty = { lost: 2000, gapLost: 0, gapMs: 40_020, first: 1, ended: 1 }
  t.strictSame(sums(await comeback(500, 2500)), forty, '40 s')
  const hundred = { lost: 0, gapLost: 5000, gapMs: 100_020, first: 1, ended: 1 }
  t.strictSame(sums(await comeback(500, 5500)), hundred, '100 s: a restart as RFC 3550 has it')
  // A clock set back while the stream rests.
  const back = all.map((one, at) => (at < 3000 ? one : { ...one, timeUs: one.timeUs - 3600 * S }))
  const later = [...back.slice(0, 500), ...call({ packets: 2000, ssrc: 5, delayUs: 15 * S })]
  const rows = (await intervalsOf(t, pcapFile([...later, ...back.slice(3000)]), 10_000)).flatMap(
    ({ streams }) => streams,
  )
  t.equal(
    rows.reduce((sum, { received, ssrc }) => sum + (ssrc === '0x11223344' ? received : 0), 0),
    5500,
    'every packet is somewhere',
  )
  // Forgotten after five minutes: a stream of its own then.
  const seldom = [
    ...call({ packets: 100 }),
    ...call({ packets: 100, start: 700, delayUs: 400 * S }),
  ]
  t.match(
    sums((await intervalsOf(t, pcapFile(seldom), 10_000)).flatMap(({ streams }) => streams)),
    {
      lost: 0,
      first: 2,
    },
  )
})

test('what shares an SSRC but does not take its place is a stream of its own', async (t) => {
  const both = (frames: CapturedFrame[], others: CapturedFrame[]) =>
    [...frames, ...others].sort((a, b) => a.timeUs - b.timeUs)
  // On both sides of a NAT: the same packets, from two addresses to one.
  const inside = call({ packets: 50 })
  const outside = call({ packets: 50, path: { from: '192.0.2.9' }, delayUs: 100 })
  t.match(readFile(pcapFile(both(inside, outside))).rows, [
    { srcIp: '10.0.0.1', received: 50, lost: 0 },
    { srcIp: '192.0.2.9', received: 50, lost: 0 },
  ])
  // On both sides of a proxy that leaves the SSRC alone.
  const behind = call({ packets: 50, path: { from: '10.0.0.2', to: '10.0.0.3' }, delayUs: 100 })
  t.match(readFile(pcapFile(both(inside, behind))).rows, [
    { dstIp: '10.0.0.2', received: 50, lost: 0 },
    { dstIp: '10.0.0.3', received: 50, lost: 0 },
  ])
  // A collision: two senders with one SSRC.
  const other = call({ packets: 50, path: { from: '10.0.0.7' }, start: 30_000, delayUs: 100 })
  t.match(readFile(pcapFile(both(inside, other))).rows, [
    { srcIp: '10.0.0.1', received: 50, lost: 0 },
    { srcIp: '10.0.0.7', received: 50, lost: 0 },
  ])
})

test('without signalling the size of the packets of a known codec tells whether they are encrypted', async (t) => {
  const encrypted = (payloadOctets: number, payloadType = 0) =>
    readFile(pcapFile(call({ packets: 100, payloadOctets, payloadType }))).rows[0]?.isEncrypted
  t.equal(encrypted(160), false)
  t.equal(encrypted(160, 9), false)
  t.equal(encrypted(164), true, 'tag of 32 bits')
  t.equal(encrypted(170), true, 'tag of 80 bits')
  t.equal(encrypted(176), true, 'GCM')
  t.equal(encrypted(163), undefined)
  t.equal(encrypted(160, 111), undefined)
  const mixed = call({ packets: 100 }).map((captured, index) =>
    index === 50 ? (call({ packets: 51, payloadOctets: 170 })[50] ?? captured) : captured,
  )
  t.equal(readFile(pcapFile(mixed)).rows[0]?.isEncrypted, undefined)
})

test('a stream is over 2 s after its good-bye or the end of its call, and 30 s after its last packet', async (t) => {
  const overAfter = (prepare: (of: ReturnType<typeof announced>) => void): number => {
    const of = announced()
    announce(of.media, '10.0.0.2', 30_000, {})
    of.feed(call({ packets: 200 }))
    prepare(of)
    for (let ms = 100; ms < 40_000; ms += 100) {
      const rows = of.monitor.takeInterval(START_US + 3_980_000 + ms * 1000, none)
      if (rows.some(({ ended }) => ended)) return ms
    }
    return NaN
  }
  t.equal(
    overAfter(() => undefined),
    30_000,
  )
  t.equal(
    overAfter(({ media }) => {
      announce(media, '10.0.0.2', 30_000, { isEnded: true })
    }),
    2000,
  )
  const goodbye = (path: Path) =>
    overAfter(({ monitor }) => {
      const datagram = new Datagram()
      decodeUdp(udpFrame(hex('80c9000111223344'), path), datagram)
      monitor.goodbye(0x11223344, datagram, START_US + 3_990_000)
    })
  t.equal(goodbye({ fromPort: 20_001, toPort: 30_001 }), 2000)
  t.equal(goodbye({}), 2000, 'on the port of the RTP')
  t.equal(goodbye({ from: '10.0.0.2', to: '10.0.0.1' }), 30_000, 'the other party does not end it')
})

test('a report finds the stream its sender receives', async (t) => {
  const { monitor, feed } = announced()
  feed(call({ packets: 5 }))
  feed(call({ packets: 5, path: { from: '10.0.0.2', to: '10.0.0.3' } }))
  const found = (path: Path) => {
    const datagram = new Datagram()
    decodeUdp(udpFrame(hex('80c9000111223344'), path), datagram)
    return monitor.reported(0x11223344, datagram)
  }
  t.match(found({ from: '10.0.0.2', fromPort: 30_001, to: '10.0.0.1', toPort: 20_001 }), {
    srcIp: '10.0.0.1',
    srcPort: 20_000,
    dstIp: '10.0.0.2',
    dstPort: 30_000,
    codec: 'PCMU',
    clockRate: 8000,
  })
  t.match(found({ from: '10.0.0.3', fromPort: 5, to: '10.0.0.2', toPort: 6 }), {
    dstIp: '10.0.0.3',
  })
  t.equal(found({ from: '10.0.0.1', to: '10.0.0.2' }), undefined)
})

test('a stream that falls silent is said to after 3 s and 5 s, and once when it comes back', async (t) => {
  const { monitor, feed } = announced()
  const all = call({ packets: 2000 })
  feed(all.slice(0, 500))
  const lastUs = START_US + 9_980_000
  t.strictSame(monitor.takeStalls(lastUs + 2_900_000), [])
  t.match(monitor.takeStalls(lastUs + 3_000_000), [
    {
      ssrc: '0x11223344',
      srcIp: '10.0.0.1',
      dstPort: 30_000,
      codec: 'PCMU',
      callId: undefined,
      silentSinceUs: lastUs,
      stalledMs: 3000,
      isOver: false,
    },
  ])
  t.strictSame(monitor.takeStalls(lastUs + 3_500_000), [])
  t.match(monitor.takeStalls(lastUs + 5_200_000), [{ stalledMs: 5200, isOver: false }])
  t.strictSame(monitor.takeStalls(lastUs + 9_000_000), [])
  t.match(monitor.takeInterval(lastUs + 10_000_000, none), [
    { expected: 500, lost: 0, stalledMs: 10_000, ended: false },
  ])
  t.match(monitor.takeInterval(lastUs + 15_000_000, none), [
    { expected: 0, received: 0, stalledMs: 15_000, jitterMs: undefined, ended: false },
  ])
  // The sender went on; 800 packets did not come through.
  feed(all.slice(1300))
  t.match(monitor.takeStalls(lastUs + 16_500_000), [
    { silentSinceUs: lastUs, stalledMs: 16_020, isOver: true },
  ])
  t.match(monitor.takeInterval(lastUs + 35_000_000, none), [
    { expected: 1500, lost: 800, gapMs: 16_020, gapLost: 0, ended: false },
  ])
})

test('a silence that goes on is given up after 30 s, when the stream is over', async (t) => {
  const { monitor, feed } = announced()
  feed(call({ packets: 200 }))
  const lastUs = START_US + 3_980_000
  const said = []
  for (let ms = 500; ms <= 40_000; ms += 500)
    for (const { stalledMs, isOver } of monitor.takeStalls(lastUs + ms * 1000))
      said.push([ms, stalledMs, isOver])
  t.strictSame(said, [
    [3000, 3000, false],
    [5000, 5000, false],
    [30_000, 30_000, true],
  ])
  const late = announced()
  late.feed(call({ packets: 200 }))
  late.monitor.takeStalls(lastUs + 4 * S)
  late.monitor.takeInterval(lastUs + 30 * S, none)
  t.match(late.monitor.takeStalls(lastUs + 30 * S), [{ stalledMs: 30_000, isOver: true }])
  t.strictSame(late.monitor.takeStalls(lastUs + 31 * S), [])
})

test('a silence with a reason is none', async (t) => {
  const lastUs = START_US + 9_980_000
  const whole = () => call({ packets: 500 })
  const silent = (of: ReturnType<typeof announced>): number => {
    const stalls = of.monitor.takeStalls(lastUs + 4 * S).length
    const rows = of.monitor.takeInterval(lastUs + 5 * S, none)
    return stalls + rows.filter(({ stalledMs = 0 }) => stalledMs > 0).length
  }
  const after = (
    frames: CapturedFrame[],
    prepare: (of: ReturnType<typeof announced>) => void = () => undefined,
    first: Partial<MediaDescription> = {},
  ): number => {
    const of = announced()
    announce(of.media, '10.0.0.2', 30_000, first)
    of.feed(frames)
    prepare(of)
    return silent(of)
  }
  const describe =
    (description: Partial<MediaDescription>) => (of: ReturnType<typeof announced>) => {
      of.monitor.beforeSignalling(lastUs)
      announce(of.media, '10.0.0.2', 30_000, description)
      of.monitor.afterSignalling(lastUs)
    }
  t.equal(after(whole()), 2, 'none: it has stalled')
  t.equal(after(whole(), describe({ isOnHold: true })), 0, 'hold')
  t.equal(after(whole(), describe({ isEnded: true })), 0, 'BYE')
  t.equal(after(whole(), undefined, { mayPause: true }), 0, 'a codec that pauses')
  t.equal(
    after(whole(), ({ monitor }) => {
      const datagram = new Datagram()
      decodeUdp(udpFrame(hex('80c9000111223344')), datagram)
      monitor.goodbye(0x11223344, datagram, lastUs)
    }),
    0,
    'good-bye in RTCP',
  )
  t.equal(after(call({ packets: 40 }).map(later(lastUs - START_US - 780_000))), 0, 'too short')
  const pausing = call({ packets: 500 }).filter((_, index) => index < 200 || index > 260)
  const renumbered = pausing.map(({ timeUs, frame }, index) => {
    const copy = Buffer.from(frame)
    copy.writeUInt16BE(index, 14 + 20 + 8 + 2)
    return { timeUs, frame: copy }
  })
  t.equal(after(renumbered), 0, 'it has paused before')
  const noise = call({ packets: 501, payloadType: 13, payloadOctets: 1 }).slice(500)
  t.equal(after([...call({ packets: 500 }), ...noise]), 0, 'comfort noise came last')
})

test('hold excuses the whole silence, though it ends before the packets come back', async (t) => {
  const { media, monitor, feed } = announced()
  const all = call({ packets: 2000 })
  const say = (atUs: number, isOnHold: boolean) => {
    monitor.beforeSignalling(atUs)
    announce(media, '10.0.0.2', 30_000, { isOnHold })
    monitor.afterSignalling(atUs)
  }
  feed(all.slice(0, 500))
  say(START_US + 10 * S, true)
  say(START_US + 25 * S, false)
  // Of numbers and timestamps nothing is missing: nothing was sent.
  const resumed = all.slice(500, 1200).map(later(16 * S))
  feed(resumed)
  t.match(monitor.takeInterval(START_US + 40 * S, none), [
    { expected: 1200, lost: 0, gapMs: undefined, stalledMs: undefined },
  ])
  t.match(monitor.takeStalls(START_US + 45 * S), [{ stalledMs: 5020, isOver: false }])
})

test('an end that nobody saw coming closes the stall', async (t) => {
  const { media, monitor, feed } = announced()
  announce(media, '10.0.0.2', 30_000, {})
  feed(call({ packets: 500 }))
  const lastUs = START_US + 9_980_000
  t.match(monitor.takeStalls(lastUs + 3 * S), [{ callId: 'call-1', isOver: false }])
  announce(media, '10.0.0.2', 30_000, { isEnded: true })
  t.match(monitor.takeStalls(lastUs + 4 * S), [{ stalledMs: 4000, isOver: true }])
  t.strictSame(monitor.takeStalls(lastUs + 6 * S), [])
})

test('when thousands of streams stall at once all are told, a bounded number at a time', async (t) => {
  const { monitor, feedAt } = announced({ maxStreams: 10_000 })
  for (let tick = 0; tick < 120; tick++) {
    const frame = udpFrame(rtp({ timeUs: 0, sequenceNumber: tick, timestamp: tick * 160 }))
    for (let stream = 0; stream < 5000; stream++) {
      frame.writeUInt32BE(stream * 65_536, 14 + 20 + 8 + 8)
      feedAt(frame, START_US + tick * 20_000)
    }
  }
  const nowUs = START_US + 6 * S
  const first = monitor.takeStalls(nowUs)
  const second = monitor.takeStalls(nowUs)
  t.equal(first.length, 4000)
  t.equal(second.length, 1000)
  t.equal(new Set([...first, ...second].map(({ ssrc }) => ssrc)).size, 5000)
  t.equal(monitor.takeStalls(nowUs).length, 0)
})

test('however a file is cut into intervals, their sum is the same', async (t) => {
  const random = generator(11)
  const frames = [
    ...call({
      packets: 3000,
      lost: [100, 101, 102, 1500, 2400],
      jitterUs: () => Math.floor(random() * 8000),
    }),
    ...call({ packets: 1000, ssrc: 2, path: { fromPort: 7000 } }).filter(
      (_, at) => at < 400 || at > 700,
    ),
  ].sort((a, b) => a.timeUs - b.timeUs)
  const octets = pcapFile(frames)
  const whole = sums(await intervalsOf(t, octets, undefined))
  t.match(whole.get('0x11223344'), { expected: 3000, received: 2995, lostUnique: 5 })
  t.match(whole.get('0x00000002'), { expected: 1000, lostUnique: 301, gapMs: 6040 })
  for (const intervalMs of [500, 1000, 7000, 10_000])
    t.strictSame(sums(await intervalsOf(t, octets, intervalMs)), whole, `${intervalMs} ms`)
})

test('a file gives the intervals of a live tap, and passes over a time in which nothing was up', async (t) => {
  const frames = [...call({ packets: 1000 }), ...call({ packets: 10, ssrc: 2, delayUs: 3600 * S })]
  const intervals = await intervalsOf(t, pcapFile(frames), 10_000)
  t.strictSame(
    intervals.map(({ endUs, durationMs, streams }) => [
      (endUs - START_US) / S,
      durationMs,
      ...streams.map(({ stalledMs, ended }) => (ended ? 'ended' : stalledMs)),
    ]),
    [
      [10, 10_000, undefined],
      [20, 10_000, undefined],
      [30, 10_000, 10_020],
      [40, 10_000, 20_020],
      [50, 10_000, 'ended'],
      [3600.18, 180, undefined],
    ],
  )
})

test('ratios are made of sums, and absent where there is nothing to divide by', async (t) => {
  const discarded = { fixed50: 30, fixed200: 0, adaptive: 5 }
  const counts = { expected: 200, lostUnique: 6, discarded }
  t.equal(lossRatio(counts), 0.03)
  t.equal(discardRatio(counts, 'fixed50'), 0.15)
  t.equal(effectiveLossRatio(counts), 0.055)
  t.equal(lossRatio({ ...counts, lostUnique: -1 }), 0)
  t.equal(effectiveLossRatio({ ...counts, lostUnique: -1 }), 0.025)
  t.equal(lossRatio({ ...counts, expected: 0 }), undefined)
  const bursts = { bursts: 2, burstPackets: 24, burstBad: 8, gaps: 3, gapPackets: 176, gapBad: 2 }
  t.strictSame(burstRatios(bursts, 20), {
    burstDensityRatio: 1 / 3,
    gapDensityRatio: 1 / 88,
    burstDurationMs: 240,
    gapDurationMs: (176 * 20) / 3,
  })
  const noBursts = { bursts: 0, burstPackets: 0, burstBad: 0, gaps: 1, gapPackets: 50, gapBad: 0 }
  t.strictSame(burstRatios(noBursts, undefined), {
    burstDensityRatio: undefined,
    gapDensityRatio: 0,
    burstDurationMs: undefined,
    gapDurationMs: undefined,
  })
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
  readonly payloadOctets?: number
  /** Of 20 ms. */
  readonly ticks?: number
  readonly delayUs?: number
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
  payloadOctets = 160,
  ticks = 160,
  delayUs = 0,
  path = {},
  jitterUs = () => 0,
}: CallOptions): CapturedFrame[] {
  const gone = new Set(lost)
  const payload = new Uint8Array(payloadOctets)
  return packets(count)
    .map(({ timeUs, sequenceNumber }) => ({
      timeUs: timeUs + delayUs + jitterUs(),
      sequenceNumber: sequenceNumber + start,
      timestamp: sequenceNumber * ticks,
      ssrc,
      payloadType,
      payload,
    }))
    .filter((_, index) => !gone.has(index))
    .map((packet) => ({ timeUs: packet.timeUs, frame: udpFrame(rtp(packet), path) }))
}

function later(us: number): (captured: CapturedFrame) => CapturedFrame {
  return ({ timeUs, frame }) => ({ timeUs: timeUs + us, frame })
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

function readFile(octets: Uint8Array, filter: MonitorOptions['filter'] = ALL) {
  const monitor = newMonitor({ filter })
  feed(monitor, octets)
  const rows: readonly StreamRow[] = monitor.takeInterval(START_US).streams
  return { rows, counts: monitor.counts }
}

function newMonitor(options: Partial<MonitorOptions> = {}): Monitor {
  return new Monitor({ filter: ALL, maxStreams: 1000, probation: 3, seed: 1, ...options })
}

function feed(monitor: Monitor, octets: Uint8Array): void {
  const reader = new PcapReader(monitor.handleFrame)
  reader.push(octets)
  reader.end()
}

/** Hands single Ethernet frames to the monitor. */
function feeder(monitor: Monitor): (frame: Buffer | undefined, timeUs: number) => void {
  return (frame, timeUs) => {
    if (frame === undefined) throw new Error('no frame')
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
    monitor.handleFrame(view, 0, frame.length, timeUs, ETHERNET)
  }
}

/** Streams beside what signalling announced, without the signalling. */
function announced({ maxStreams = 1000 } = {}) {
  const media = new MediaTable(1000)
  const monitor = new StreamMonitor({ maxStreams, probation: 3, seed: 1 }, media)
  const datagram = new Datagram()
  const packet = new RtpPacket()
  const feedAt = (frame: Uint8Array, timeUs: number) => {
    const view = decodeUdp(frame, datagram)
    const { payloadAt, payloadOctets, capturedOctets } = datagram
    if (parseRtp(view, payloadAt, payloadOctets, capturedOctets, packet) !== 0)
      throw new Error('no RTP')
    monitor.receive(datagram, packet, timeUs)
  }
  const feedAll = (frames: readonly CapturedFrame[]) => {
    for (const { frame, timeUs } of frames) feedAt(frame, timeUs)
  }
  return { media, monitor, feedAt, feed: feedAll }
}

function decodeUdp(frame: Uint8Array, datagram: Datagram): DataView {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  if (decodeFrame(view, 0, frame.length, ETHERNET, datagram) !== 0) throw new Error('no UDP')
  return view
}

function announce(
  media: MediaTable,
  ip: string,
  port: number,
  description: Partial<MediaDescription>,
): void {
  const network = parseNetwork(ip)
  if (network === undefined) throw new Error(ip)
  const plain = {
    callId: 'call-1',
    payloads: new Map(),
    packetMs: undefined,
    isEncrypted: false,
    mayPause: undefined,
    isOnHold: false,
    isEnded: false,
  }
  media.announce(network.version, network.words, port, { ...plain, ...description }, true)
}

function payloads(
  named: Readonly<Record<number, readonly [string, number]>>,
): MediaDescription['payloads'] {
  return new Map(
    Object.entries(named).map(([type, [name, clockRate]]) => [Number(type), { name, clockRate }]),
  )
}

/** Nobody knows a round trip. */
function none(): undefined {
  return undefined
}

async function intervalsOf(
  t: Test,
  octets: Uint8Array,
  intervalMs: number | undefined,
): Promise<readonly CaptureInterval[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-file-'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'file.pcap')
  await writeFile(path, octets)
  const options = { filter: ALL, maxStreams: 100, probation: 3, seed: 1 }
  const capture = new FileCapture({ path, intervalMs }, options)
  const intervals: CaptureInterval[] = []
  for (;;) {
    const more = await capture.take()
    if (more.length === 0) return intervals
    intervals.push(...more)
  }
}

/** What is additive, over all intervals of each stream. */
function sums(intervals: readonly CaptureInterval[]) {
  const totals = new Map<string, Readonly<Record<string, number>>>()
  for (const row of intervals.flatMap(({ streams }) => streams)) {
    const before = totals.get(row.ssrc) ?? {}
    const { bursts, discarded, lossRuns, deltaCounts, gapMs = 0, ...rest } = row
    const now: Readonly<Record<string, number>> = {
      expected: rest.expected,
      received: rest.received,
      lost: rest.lost,
      lostUnique: rest.lostUnique,
      duplicates: rest.duplicates,
      reordered: rest.reordered,
      restarts: rest.restarts,
      octets: rest.octets,
      gapMs,
      gapLost: rest.gapLost,
      jitterSamples: rest.jitterSamples,
      deltaSamples: rest.deltaSamples,
      talkspurts: rest.talkspurts,
      ...bursts,
      ...discarded,
      ...Object.fromEntries(lossRuns.map((count, index) => [`run ${index}`, count])),
      ...Object.fromEntries(deltaCounts.map((count, index) => [`delta ${index}`, count])),
    }
    totals.set(
      row.ssrc,
      Object.fromEntries(
        Object.entries(now).map(([key, value]) => [key, (before[key] ?? 0) + value]),
      ),
    )
  }
  return totals
}

/** The Ethernet frames of an IPv4 packet that comes in two pieces. */
function pieces(frame: Buffer): Buffer[] {
  const ip = frame.subarray(14)
  const cut = 20 + 80
  const piece = (octets: Buffer, fragment: number) => {
    const header = Buffer.from(ip.subarray(0, 20))
    header.writeUInt16BE(20 + octets.length, 2)
    header.writeUInt16BE(0x4242, 4)
    header.writeUInt16BE(fragment, 6)
    return Buffer.concat([frame.subarray(0, 14), header, octets])
  }
  return [piece(ip.subarray(20, cut), 0x2000), piece(ip.subarray(cut), 80 / 8)]
}

/** An Ethernet frame with one TCP segment over IPv4. */
function tcpFrame(payload: Uint8Array, path: Path, sequence: number): Buffer {
  const frame = udpFrame(Buffer.concat([Buffer.alloc(12), payload]), path)
  frame[14 + 9] = 6
  const tcp = frame.subarray(14 + 20)
  tcp.writeUInt32BE(sequence, 4)
  tcp.writeUInt32BE(0, 8)
  tcp.writeUInt16BE(0x5018, 12)
  return frame
}

/** Every frame is in a stream, pending, handed on, or ignored for a reason. */
function balance(monitor: Monitor): { frames: number; accounted: number } {
  const counted = monitor
    .takeInterval(-Infinity)
    .streams.reduce((sum, { received, rejected }) => sum + received + rejected, 0)
  const { frames, pending, rtcpFrames, sipFrames, ignored } = monitor.counts
  const refused = Object.values(ignored).reduce((sum, count) => sum + count, 0)
  return { frames, accounted: counted + pending + rtcpFrames + sipFrames + refused }
}

/** A linear congruential generator (Numerical Recipes): the same numbers in every run. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function ssrcText(ssrc: number): string {
  return `0x${ssrc.toString(16).padStart(8, '0')}`
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}
