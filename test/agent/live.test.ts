import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tap, { test, type Test } from 'tap'
import { parseNetwork } from '../../agent/capture/address.ts'
import { dropsOnPort, readSocketDrops } from '../../agent/capture/socket-drops.ts'
import { behindTags, mediaFilter, signallingFilter } from '../../agent/capture/tap-filter.ts'
import { tcpdumpArguments } from '../../agent/capture/tcpdump.ts'
import type { CaptureInterval } from '../../agent/media/capture-interval.ts'
import { Capture } from '../../agent/media/capture.ts'
import type { CaptureSource } from '../../agent/media/messages.ts'
import { MirrorCapture, type MirrorOptions } from '../../agent/media/mirror-capture.ts'
import { GRE, IPV4, IPV6, TCP, ethernet, ipv4, ipv6, vlan } from '../support/frames.ts'
import { pcapFile, rtp, udpDatagram, udpFrame, type CapturedFrame } from '../support/pcap-writer.ts'
import { senderReport, sourceDescription } from '../support/rtcp-writer.ts'
import { request, response, sdpText } from '../support/sip-messages.ts'
import { layCable } from '../support/veth.ts'

tap.setTimeout(150_000)

const START_US = 1_750_000_000_000_000
const PACKET_US = 20_000
const US_PER_S = 1_000_000
const ALL = { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] }
const SIP = [{ from: 5060, to: 5061 }]
const MONITOR = { filter: ALL, maxStreams: 1000, probation: 3, sipPorts: SIP }
const DYNAMIC = 97
const PATIENCE_MS = 20_000
/** A frame received, of Ethernet, no tags. */
const TZSP_HEAD = '0100000101'
/** Network 42. */
const VXLAN_HEAD = '0800000000002a00'

/** What a live tap and a file must agree about; times differ, as every clock does. */
const TOTALS = [
  'expected',
  'received',
  'lost',
  'lostUnique',
  'duplicates',
  'reordered',
  'late',
  'restarts',
  'rejected',
  'octets',
] as const

test('a capture replayed onto a wire gives the same totals as the file', async (t) => {
  const cable = layCable(t, ['tcpreplay'])
  if (cable === undefined) return
  const path = await write(t, pcapFile(eventfulCall()))
  const [fromFile] = await takeAll(t, { file: { path, intervalMs: undefined } })
  if (fromFile === undefined) throw new Error('nothing in the file')
  const wanted = totals([fromFile])
  t.match(wanted, {
    '0x00000001': { expected: 250, received: 240, lost: 10, lostUnique: 14, duplicates: 4 },
    '0x00000002': { expected: 250, received: 250, lost: 0 },
    '0x00000003': { expected: 250, lostUnique: 5 },
    '0x00000004': { expected: 250, lostUnique: 3 },
  })
  t.equal(wanted['0x00000001']?.['codec'], 'opus', 'named by a 200 OK in three pieces')
  const capture = await live(t, cable.near)
  await cable.play(path)
  const intervals = await takeUntil(capture, ({ frames }) => frames === fromFile.frames, 'frames')
  t.equal(sensorDrops(intervals), 0)
  t.strictSame(totals(intervals), wanted)
  const last = intervals.at(-1)
  t.equal(last?.sip.messages, fromFile.sip.messages)
  t.equal(last?.sip.messages, 4)
  t.equal(last?.sip.calls, 1)
  t.equal(last?.rtcp.senderReports, 5)
  t.equal(last?.rtcp.sourceDescriptions, 5, 'behind the 96th octet')
  t.equal(last?.octets, fromFile.octets)
})

test('the newest packets do not wait in tcpdump for others to come', async (t) => {
  const cable = layCable(t, ['tcpreplay'])
  if (cable === undefined) return
  const capture = await live(t, cable.near)
  const path = await write(t, pcapFile(stream(9, 5)))
  for (let times = 1; times <= 3; times++) {
    await cable.play(path, '--topspeed')
    await takeUntil(capture, ({ frames }) => frames === 5 * times, 'frames')
  }
  t.pass('three times five packets came, of the thirty-odd tcpdump gathers')
})

test('a tcpdump that hangs is found out and replaced, and nobody waits for it', async (t) => {
  const cable = layCable(t, ['tcpreplay'])
  if (cable === undefined) return
  const capture = await live(t, cable.near)
  const before = tcpdumps()
  for (const one of before) process.kill(one, 'SIGSTOP')
  const faults: (string | undefined)[] = []
  while (faults.at(-1) !== 'tcpdump ended with SIGKILL') {
    const asked = performance.now()
    const [interval] = await capture.take(START_US)
    t.ok(performance.now() - asked < 3000, 'an answer in time')
    faults.push(interval?.fault)
  }
  t.equal(faults[0], 'tcpdump does not answer')
  await until(() => tcpdumps().some((one) => !before.includes(one)))
  for (const one of before) if (tcpdumps().includes(one)) process.kill(one, 'SIGCONT')
  await takeUntil(capture, ({ fault }) => fault === undefined, 'fault')
  const path = await write(t, pcapFile(stream(9, 50)))
  await cable.play(path, '--topspeed')
  await takeUntil(capture, ({ frames }) => frames === 50, 'frames')
})

test('an interface that goes away is a fault that says so, and is listened to again when it is back', async (t) => {
  const cable = layCable(t, ['tcpreplay'])
  if (cable === undefined) return
  const capture = await live(t, cable.near)
  cable.remove()
  const [gone] = (await takeUntil(capture, ({ fault }) => fault !== undefined, 'fault')).slice(-1)
  t.match(gone?.fault, /disappeared|went down|No such device/)
  cable.lay()
  await takeUntil(capture, ({ fault }) => fault === undefined, 'fault')
  await cable.play(await write(t, pcapFile(stream(9, 50))), '--topspeed')
  await takeUntil(capture, ({ frames }) => frames === 50, 'frames')
})

test('on all interfaces at once a packet over loopback counts once', async (t) => {
  if (layCable(t) === undefined) return
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve)
  })
  const { port } = socket.address()
  const filter = { ...ALL, ports: { from: port, to: port } }
  const options = { interface: 'any', filter, sipPorts: [], bufferKib: 1024 }
  const capture = await open(t, { live: options }, { ...MONITOR, filter })
  for (let number = 0; number < 60; number++) {
    const packet = { timeUs: 0, sequenceNumber: number, timestamp: number * 160, ssrc: 5 }
    socket.send(rtp(packet), port, '127.0.0.1')
  }
  const intervals = await takeUntil(capture, ({ frames }) => frames >= 60, 'frames')
  t.match(totals(intervals)['0x00000005'], { expected: 60, received: 60, duplicates: 0 })
})

test('every packet goes through one tap, and no audio through the one that takes packets whole', async (t) => {
  if (layCable(t) === undefined) return
  const audio = rtp({ timeUs: 0, sequenceNumber: 1, timestamp: 160 })
  const report = senderReport({ ssrc: 1 })
  const sip = Buffer.from(request('INVITE', {}, sdpText()))
  const onPort = (payload: Uint8Array, port: number) =>
    udpDatagram(payload, { fromPort: port, toPort: port })
  const extended = (next: number) =>
    Buffer.concat([Buffer.from([17, 0]), Buffer.alloc(6)]).fill(next, 0, 1)
  const kinds: Readonly<Record<string, readonly [frame: Buffer, tap: string]>> = {
    audio: [ethernet(IPV4, ipv4(onPort(audio, 20_000))), 'media'],
    'audio with IP options': [
      ethernet(IPV4, ipv4(onPort(audio, 20_000), { options: new Uint8Array(8) })),
      'media',
    ],
    'audio of IPv6': [ethernet(IPV6, ipv6(onPort(audio, 20_000))), 'media'],
    'audio behind a header of IPv6': [
      ethernet(IPV6, ipv6(Buffer.concat([extended(17), onPort(audio, 20_000)]), { protocol: 60 })),
      'media',
    ],
    'a report': [ethernet(IPV4, ipv4(onPort(report, 20_001))), 'signalling'],
    'a report of IPv6': [ethernet(IPV6, ipv6(onPort(report, 20_001))), 'signalling'],
    SIP: [ethernet(IPV4, ipv4(onPort(sip, 5060))), 'signalling'],
    'SIP of IPv6': [ethernet(IPV6, ipv6(onPort(sip, 5061))), 'signalling'],
    'SIP by TCP': [
      ethernet(IPV4, ipv4(Buffer.concat([onPort(sip, 5060), sip]), { protocol: TCP })),
      'signalling',
    ],
    'the first piece of SIP': [
      ethernet(IPV4, ipv4(onPort(sip, 5060).subarray(0, 80), { moreFragments: true })),
      'signalling',
    ],
    'a later piece': [
      ethernet(IPV4, ipv4(sip.subarray(0, 80), { fragmentOffset: 80 })),
      'signalling',
    ],
    'a piece of IPv6': [
      ethernet(IPV6, ipv6(Buffer.concat([extended(17), sip.subarray(0, 80)]), { protocol: 44 })),
      'signalling',
    ],
    'a web page': [ethernet(IPV4, ipv4(onPort(sip, 80), { protocol: TCP })), 'neither'],
    'a name': [ethernet(IPV4, ipv4(onPort(sip, 53))), 'neither'],
    'a tunnel': [ethernet(IPV4, ipv4(Buffer.alloc(60), { protocol: GRE })), 'neither'],
    'nothing in UDP': [ethernet(IPV4, ipv4(onPort(Buffer.alloc(0), 20_000))), 'neither'],
  }
  const options = { filter: ALL, sipPorts: SIP }
  const tapOf = (frame: Buffer, more = {}): string => {
    const file = pcapFile([{ timeUs: START_US, frame }])
    const passes = (filter: string) =>
      execFileSync('tcpdump', ['-r', '-', '-w', '-', behindTags(filter)], {
        input: file,
        stdio: ['pipe', 'pipe', 'ignore'],
      }).length === file.length
    const taps = [
      ...(passes(mediaFilter({ ...options, ...more })) ? ['media'] : []),
      ...(passes(signallingFilter({ ...options, ...more })) ? ['signalling'] : []),
    ]
    return taps.join(' and ') || 'neither'
  }
  for (const [name, [frame, wanted]] of Object.entries(kinds)) {
    t.equal(tapOf(frame), wanted, name)
    const type = frame.readUInt16BE(12)
    const tagged = ethernet(0x8100, vlan(10, type, frame.subarray(14)))
    t.equal(tapOf(tagged), wanted, `${name}, tagged`)
  }
  const [tunnel] = kinds['a tunnel'] ?? []
  t.equal(tunnel && tapOf(tunnel, { hasTunnels: true }), 'media', 'a tunnel, when asked for')
  const mirrored = ethernet(IPV4, ipv4(onPort(Buffer.alloc(60), 4789)))
  t.equal(tapOf(mirrored), 'media')
})

test('tcpdump is not promiscuous, sees no audio, and gets nothing that was not checked', (t) => {
  const plain = { interface: 'eth0', filter: ALL, sipPorts: SIP, bufferKib: 65_536 }
  const facts = { mayHaveVlans: false, canFlush: true }
  const common = ['-i', 'eth0', '-n', '-p']
  t.strictSame(tcpdumpArguments(plain, 'media', facts).slice(0, -1), [
    ...common,
    ...['-s', '96', '-B', '65536', '--time-stamp-precision=micro', '-w', '-'],
  ])
  t.strictSame(tcpdumpArguments(plain, 'signalling', facts).slice(0, -1), [
    ...common,
    ...['-s', '262144', '-B', '8192', '--time-stamp-precision=micro', '-U', '-w', '-'],
  ])
  const mirrored = { ...plain, isPromiscuous: true, hasTunnels: true }
  const old = { mayHaveVlans: true, canFlush: false }
  const list = tcpdumpArguments(mirrored, 'media', old)
  t.notOk(list.includes('-p'))
  t.ok(list.includes('-U'), 'an old tcpdump cannot be told to hand over what it has gathered')
  t.equal(list[list.indexOf('-s') + 1], '166')
  for (const bad of ['', '-w/etc/x', 'a b', 'x'.repeat(16), '../lo'])
    t.throws(() => tcpdumpArguments({ ...plain, interface: bad }, 'media', facts), bad)
  t.end()
})

test('a mirror by UDP gives the same totals as the file, without any rights', async (t) => {
  const frames = eventfulCall()
  const path = await write(t, pcapFile(frames))
  const [fromFile] = await takeAll(t, { file: { path, intervalMs: undefined } })
  if (fromFile === undefined) throw new Error('nothing in the file')
  for (const [kind, head] of [
    // with a tag of its own (sensor address, 6 octets) and padding in front of the end
    ['tzsp', '010000013c0601020304050600' + '01'],
    ['vxlan', VXLAN_HEAD],
  ] as const) {
    const { mirror, send, arrived } = await listen(t, { kind })
    for (const { frame, timeUs } of frames)
      await send(Buffer.concat([Buffer.from(head, 'hex'), frame]), timeUs)
    await arrived()
    const interval = await mirror.take(START_US)
    t.strictSame(totals([interval]), totals([fromFile]), kind)
    t.equal(interval.sip.messages, 4)
    t.equal(interval.rtcp.sourceDescriptions, 5)
    t.strictSame(interval.ignored, fromFile.ignored)
    t.equal(interval.sensorDrops, 0)
  }
})

test('what is no mirrored frame, or comes from elsewhere, is counted and no more', async (t) => {
  const { mirror, send } = await listen(t, { kind: 'tzsp' })
  await send(Buffer.from('01'))
  await send(Buffer.from('ff000001', 'hex'))
  await send(Buffer.alloc(0))
  t.strictSame(await refused(mirror, 3), { truncated: 2, 'bad-tunnel-header': 1 })
  t.equal((await mirror.take(START_US)).frames, 0)
  const senders = ['192.0.2.0/24', '2001:db8::/32'].flatMap((text) => parseNetwork(text) ?? [])
  const strict = await listen(t, { kind: 'tzsp', senders })
  await strict.send(Buffer.concat([Buffer.from(TZSP_HEAD, 'hex'), udpFrame(Buffer.alloc(60))]))
  t.strictSame(await refused(strict.mirror, 1), { 'unknown-sender': 1 })
})

test('a port that is taken is said, and a mirror is listened to through the thread too', async (t) => {
  const { mirror } = await listen(t, { kind: 'vxlan' })
  const { port } = mirror
  const options = { host: '127.0.0.1', port, kind: 'vxlan', senders: [] } as const
  await t.rejects(open(t, { mirror: options }), {
    name: 'TransientError',
    message: /cannot listen for a mirror on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  })
  await mirror.stop()
  const capture = await open(t, { mirror: options })
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (const { frame } of stream(3, 20))
    socket.send(Buffer.concat([Buffer.from(VXLAN_HEAD, 'hex'), frame]), port, '127.0.0.1')
  const intervals = await takeUntil(capture, ({ frames }) => frames === 20, 'frames')
  t.match(totals(intervals)['0x00000003'], { expected: 20, lost: 0 })
})

test("what the kernel drops of a mirror's socket is known without rights", async (t) => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    '  101: 0100007F:9090 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 12',
    '  102: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 78 2 0000000000000000 345',
    '  103: 0100007F:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 79 2 0000000000000000 5',
    '',
  ].join('\n')
  t.equal(dropsOnPort(table, 37_008), 12)
  t.equal(dropsOnPort(table, 4789), 350)
  t.equal(dropsOnPort(table, 5000), undefined)
  t.equal(dropsOnPort('', 5000), undefined)
  t.equal(await readSocketDrops(4789, 'udp4', '/nonexistent'), undefined)
})

/** A call of five seconds: one way loses, doubles and swaps, the codec is named by SIP, reports come every second; two more streams. */
function eventfulCall(): readonly CapturedFrame[] {
  const there = { from: '10.1.0.1', to: '10.1.0.2', fromPort: 20_000, toPort: 30_000 }
  const back = { from: '10.1.0.2', to: '10.1.0.1', fromPort: 30_000, toPort: 20_000 }
  const signalling = { fromPort: 5060, toPort: 5060 }
  const caller = { callerIp: there.from, calleeIp: there.to }
  const answered = { ...caller, toTag: 'callee-tag' }
  const offer = (ip: string, port: number) =>
    sdpText({ ip, port, formats: String(DYNAMIC), lines: [`a=rtpmap:${DYNAMIC} opus/48000/2`] })
  const filler = Array.from({ length: 60 }, (_, index) => `a=x-filler:${index} ${'x'.repeat(40)}`)
  const answer = sdpText({
    ...{ ip: there.to, port: there.toPort, formats: String(DYNAMIC) },
    lines: [`a=rtpmap:${DYNAMIC} opus/48000/2`, ...filler],
  })
  const messages = [
    {
      atUs: -400_000,
      path: there,
      text: request('INVITE', caller, offer(there.from, there.fromPort)),
    },
    { atUs: -300_000, path: back, text: response('200 OK', answered, answer) },
    { atUs: -200_000, path: there, text: request('ACK', answered) },
    { atUs: 5_200_000, path: there, text: request('BYE', answered, '', 2) },
  ]
  const sip = messages.flatMap(({ atUs, path, text }, index) =>
    pieces(udpDatagram(Buffer.from(text), signalling), index + 1).map((piece) => ({
      timeUs: START_US + atUs,
      frame: ethernet(IPV4, ipv4(piece.octets, { ...path, ...piece.fields })),
    })),
  )
  const reports = [1, 2, 3, 4, 5].map((second) => ({
    timeUs: START_US + second * US_PER_S,
    frame: udpFrame(
      Buffer.concat([
        senderReport({ ssrc: 1, packets: second * 50 }),
        sourceDescription(1, 'someone@host.example'),
      ]),
      { ...there, fromPort: 20_001, toPort: 30_001 },
    ),
  }))
  const opus = { payloadType: DYNAMIC, ticks: 960, path: there }
  const way = stream(1, 250, {
    ...opus,
    lost: [20, 60, 61, 62, 100, 101, 102, 103, 104, 150, 151, 200, 201, 202],
  })
  const twice = [30, 31, 180, 230].flatMap((at) => way[at] ?? [])
  const swapped = [40, 90, 140, 190, 210].flatMap((at) => way[at] ?? [])
  const frames = [
    ...sip,
    ...reports,
    ...way.map((one) => (swapped.includes(one) ? later(one, 30_000) : one)),
    ...twice.map((one) => later(one, 5000)),
    ...stream(2, 250, { ...opus, path: back }),
    ...stream(3, 250, { lost: [7, 8, 9, 77, 177] }).map(({ timeUs, frame }) => ({
      timeUs,
      frame: ethernet(0x8100, vlan(10, IPV4, frame.subarray(14))),
    })),
    ...stream(4, 250, { lost: [11, 33, 55] }).map(({ timeUs, frame }) => ({
      timeUs,
      // behind hop-by-hop options
      frame: ethernet(
        IPV6,
        ipv6(Buffer.concat([Buffer.from('1100010400000000', 'hex'), frame.subarray(34)]), {
          protocol: 0,
        }),
      ),
    })),
  ]
  return frames.sort((a, b) => a.timeUs - b.timeUs)
}

/** At most 1480 octets each, the rest of a packet of 1500. */
function pieces(datagram: Buffer, identification: number) {
  const most = 1480
  return Array.from({ length: Math.ceil(datagram.length / most) }, (_, index) => ({
    octets: datagram.subarray(index * most, (index + 1) * most),
    fields: {
      identification,
      fragmentOffset: index * most,
      moreFragments: (index + 1) * most < datagram.length,
    },
  }))
}

interface StreamOptions {
  readonly payloadType?: number
  readonly ticks?: number
  readonly lost?: readonly number[]
  readonly path?: { from: string; to: string; fromPort: number; toPort: number }
}

function stream(
  ssrc: number,
  count: number,
  { payloadType = 8, ticks = 160, lost = [], path }: StreamOptions = {},
): CapturedFrame[] {
  return Array.from({ length: count }, (_, number) => number)
    .filter((number) => !lost.includes(number))
    .map((number) => {
      const timeUs = START_US + number * PACKET_US + ssrc
      const packet = {
        timeUs,
        sequenceNumber: number,
        timestamp: number * ticks,
        payloadType,
        ssrc,
      }
      return { timeUs, frame: udpFrame(rtp(packet), path) }
    })
}

function later(captured: CapturedFrame, us: number): CapturedFrame {
  return { ...captured, timeUs: captured.timeUs + us }
}

async function live(t: Test, name: string): Promise<Capture> {
  return await open(t, { live: { interface: name, filter: ALL, sipPorts: SIP, bufferKib: 4096 } })
}

async function open(t: Test, source: Partial<CaptureSource>, monitor = MONITOR): Promise<Capture> {
  const capture = await Capture.start(
    { source: whole(source), monitor },
    AbortSignal.timeout(15_000),
  )
  t.teardown(async () => {
    await capture.close()
  })
  return capture
}

function whole({ live: wire, mirror, file }: Partial<CaptureSource>): CaptureSource {
  if (wire !== undefined) return { live: wire }
  if (mirror !== undefined) return { mirror }
  if (file !== undefined) return { file }
  throw new Error('no source')
}

async function takeAll(t: Test, source: Partial<CaptureSource>): Promise<CaptureInterval[]> {
  const capture = await open(t, source)
  const intervals: CaptureInterval[] = []
  for (;;) {
    const taken = await capture.take(0)
    if (taken.length === 0) return intervals
    intervals.push(...taken)
  }
}

/** Takes intervals until the newest is as wanted. */
async function takeUntil(
  capture: Capture,
  isEnough: (newest: CaptureInterval) => boolean,
  what: string,
): Promise<readonly CaptureInterval[]> {
  const intervals: CaptureInterval[] = []
  const start = performance.now()
  while (performance.now() - start < PATIENCE_MS) {
    const [interval] = await capture.take(Date.now() * 1000)
    if (interval === undefined) throw new Error('no interval')
    intervals.push(interval)
    if (isEnough(interval)) return intervals
    await delay(50)
  }
  throw new Error(
    `no such ${what} in time: ${JSON.stringify({ ...intervals.at(-1), streams: [] })}`,
  )
}

async function until(isSo: () => boolean): Promise<void> {
  const start = performance.now()
  while (!isSo()) {
    if (performance.now() - start > PATIENCE_MS) throw new Error('not in time')
    await delay(50)
  }
}

type Total = Readonly<Record<string, number | string | undefined>>

/** Sums over all intervals, by SSRC. */
function totals(intervals: readonly CaptureInterval[]): Readonly<Record<string, Total>> {
  const sums: Record<string, Total> = {}
  for (const row of intervals.flatMap(({ streams }) => streams)) {
    const before = sums[row.ssrc] ?? {}
    const counts = TOTALS.map((name) => [name, row[name] + Number(before[name] ?? 0)] as const)
    sums[row.ssrc] = { ...Object.fromEntries(counts), codec: row.codec ?? before['codec'] }
  }
  return sums
}

function sensorDrops(intervals: readonly CaptureInterval[]): number {
  return intervals.reduce((sum, one) => sum + (one.sensorDrops ?? 0), 0)
}

/** A mirror at a free port that times frames as they say, and someone who sends to it. */
async function listen(t: Test, options: Pick<MirrorOptions, 'kind'> & Partial<MirrorOptions>) {
  const times: number[] = []
  const mirror = new MirrorCapture(
    { host: '127.0.0.1', port: 0, senders: [], ...options },
    { ...MONITOR, seed: 1 },
    () => times.shift() ?? START_US,
  )
  await mirror.start()
  const socket = createSocket('udp4')
  t.teardown(async () => {
    socket.close()
    await mirror.stop()
  })
  return {
    mirror,
    send: async (datagram: Buffer, timeUs?: number) => {
      if (timeUs !== undefined) times.push(timeUs)
      await new Promise((resolve) => {
        socket.send(datagram, mirror.port, '127.0.0.1', resolve)
      })
    },
    arrived: async () => {
      await until(() => times.length === 0)
    },
  }
}

/** What was refused so far, asked again and again until there is so much of it. */
async function refused(mirror: MirrorCapture, count: number): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (let sum = 0; sum < count;) {
    await delay(5)
    const { ignored } = await mirror.take(START_US)
    for (const [reason, more] of Object.entries(ignored)) sums[reason] = (sums[reason] ?? 0) + more
    sum = Object.values(sums).reduce((all, one) => all + one, 0)
  }
  return sums
}

/** The tcpdumps this process has started. */
function tcpdumps(): number[] {
  try {
    const list = execFileSync('pgrep', ['-P', String(process.pid), '-x', 'tcpdump'], {
      encoding: 'utf8',
    })
    return list.trim().split('\n').map(Number)
  } catch {
    return []
  }
}

async function write(t: Test, octets: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-live-'))
  t.teardown(async () => {
    await rm(folder, { recursive: true })
  })
  const path = join(folder, 'capture.pcap')
  await writeFile(path, octets)
  return path
}
