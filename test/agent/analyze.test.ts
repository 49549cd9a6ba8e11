import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { z } from 'zod'
import { AnalysisBuilder, type Analysis } from '../../agent/analyze/analysis.ts'
import { analysisJson } from '../../agent/analyze/analysis-json.ts'
import { analysisText, type TextOptions } from '../../agent/analyze/analysis-text.ts'
import { analyzeFile } from '../../agent/analyze/analyze.ts'
import { lengthText, msText, octetsText } from '../../agent/analyze/figures.ts'
import { jsonPieces } from '../../agent/analyze/json-pieces.ts'
import { Progress } from '../../agent/analyze/progress.ts'
import { StreamTotals } from '../../agent/analyze/stream-total.ts'
import type { CaptureInterval } from '../../agent/media/capture-interval.ts'
import { FileCapture } from '../../agent/media/file-capture.ts'
import { CODEC_IMPAIRMENTS } from '../../agent/rtp/codec-impairments.ts'
import { ethernet, geneve, gtp, hex, ipv4, radiotap, snap, udp, wifi } from '../support/frames.ts'
import { pcapFile, rtp, udpFrame, type CapturedFrame, type Path } from '../support/pcap-writer.ts'
import { PcapngWriter } from '../support/pcapng-writer.ts'
import { START_US, inOrder, rtpFrames, seeded, type StreamOptions } from '../support/rtp-frames.ts'
import { request, response, sdpText } from '../support/sip-messages.ts'
import { hasTshark, tsharkStreams } from '../support/tshark.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FIXTURES = join(ROOT, 'test/fixtures/captures')
const S = 1_000_000
const THERE: Path = { from: '10.0.0.1', fromPort: 20_000, to: '10.0.0.2', toPort: 30_000 }
const BACK: Path = { from: '10.0.0.2', fromPort: 30_000, to: '10.0.0.1', toPort: 20_000 }
const SIP_PORTS = [{ from: 5060, to: 5061 }]
/** tshark prints three decimals. */
const JITTER_TOLERANCE_MS = 0.002
const RED = '\u001B[31m'

tap.setTimeout(150_000)

// The command.

test('--json prints one object for one file, with these keys and no others', async (t) => {
  const { code, stdout, stderr } = await agent('analyze', '--json', fixture('g711-loss'))
  t.same([code, stderr], [0, ''])
  const file = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout))
  t.same(
    Object.keys(file),
    'file packets bytes firstTimeMs lastTimeMs streams rtcp sip ignored'.split(' '),
  )
  const streams = z.array(z.record(z.string(), z.unknown())).parse(file['streams'])
  t.equal(streams.length, 2)
  for (const stream of streams) {
    const keys = Object.keys(stream).filter((key) => key !== 'mosCq')
    const expected =
      'src srcPort dst dstPort ssrc payloadType codec clockRate packets expected lost lostUnique lossRatio ' +
      'duplicates reordered restarts jitterMs deltaMs lossRuns burst discardRatio rFactor mosLq dscp ' +
      'firstTimeMs lastTimeMs callId'
    t.same(keys, expected.split(' '))
    t.same(keysOf(stream['jitterMs']), ['mean', 'max', 'last'])
    t.same(keysOf(stream['deltaMs']), ['mean', 'max'])
    t.same(keysOf(stream['discardRatio']), ['fixed50', 'fixed200', 'adaptive'])
    t.equal(z.array(z.number()).parse(stream['lossRuns']).length, 10)
    t.match(stream['ssrc'], /^0x[0-9a-f]{8}$/)
  }
  t.match(file, { file: fixture('g711-loss'), rtcp: { compounds: 6 }, sip: { messages: 6 } })
})

test('--json prints an array for several files, and what can be read of them when one cannot', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'calls.pcap')
  const frames = rtpFrames({ packets: 50 })
  await writeFile(file, pcapFile(frames).subarray(0, -20))
  const found = z.array(
    z.object({ file: z.string(), packets: z.number(), fault: z.string().optional() }),
  )
  const two = await agent('analyze', '--json', fixture('hold'), fixture('ipv6'))
  t.equal(two.code, 0)
  t.same(
    found.parse(JSON.parse(two.stdout)).map((one) => one.file),
    [fixture('hold'), fixture('ipv6')],
  )
  const broken = await agent('analyze', '--json', join(folder, 'missing'), file)
  t.equal(broken.code, 1)
  t.match(found.parse(JSON.parse(broken.stdout)), [{ file, packets: 49, fault: /cut off/ }])
  t.match(broken.stderr, /cannot open .*missing: ENOENT/)
  t.match(broken.stderr, /calls\.pcap: octet \d+: cut off: .* what came before it was analysed\n$/)
  const none = await agent('analyze', '--json', join(folder, 'missing'), join(folder, 'missing'))
  t.match(none, { code: 1, stdout: '[]\n' })
})

test('what is no capture is said, with code 1 and nothing else', async (t) => {
  const { code, stdout, stderr } = await agent('analyze', join(ROOT, 'package.json'))
  t.match({ code, stdout }, { code: 1, stdout: '' })
  t.match(stderr, /package\.json: octet 0: expected pcap or pcapng, got 7b0a[0-9a-f]+\n$/)
})

test('--summary, --streams and --calls print one part each; without them all are there', async (t) => {
  const parts = [/^file {5}/m, /^from +to +ssrc/m, /^start +caller/m]
  const shown = async (...options: readonly string[]) => {
    const { stdout } = await agent('analyze', ...options, fixture('relay'))
    return parts.map((part) => part.test(stdout))
  }
  t.same(await shown('--summary'), [true, false, false])
  t.same(await shown('--streams'), [false, true, false])
  t.same(await shown('--calls'), [false, false, true])
  t.same(await shown(), [true, true, true])
})

test('a command line that cannot be meant is answered with code 2', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /missing required argument 'file'/],
    [['--jsn', 'x'], /unknown option '--jsn'/],
    [['--sip-ports', '99999', 'x'], /--sip-ports 99999: expected ports such as/],
    [['--codecs', '/nowhere/codecs.yaml', 'x'], /cannot read \/nowhere\/codecs\.yaml/],
  ]
  const results = await Promise.all(cases.map(([args]) => agent('analyze', ...args)))
  for (const [index, { code, stdout, stderr }] of results.entries()) {
    const [args, complaint] = cases[index] ?? [[], /never/]
    t.same([code, stdout], [2, ''], args.join(' '))
    t.match(stderr, complaint)
  }
})

test('--codecs changes the quality, --sip-ports where SIP is looked for, and - is stdin', async (t) => {
  const folder = await temporaryFolder(t)
  const codecs = join(folder, 'codecs.yaml')
  await writeFile(codecs, 'codecs: {PCMU: {ie: 20, bpl: 4.3}}\n')
  const file = join(folder, 'odd.pcap')
  const frame = udpFrame(Buffer.from('HELLO, is this SIP?\r\n\r\n'), { toPort: 7000 })
  await writeFile(file, pcapFile([...rtpFrames(), { timeUs: START_US + 5 * S, frame }]))
  const schema = z.object({
    file: z.string(),
    streams: z.tuple([z.object({ rFactor: z.number() })]),
    sip: z.object({ invalid: z.record(z.string(), z.number()) }),
  })
  const run = async (child: ReturnType<typeof spawnAgent>) => {
    const { file: name, streams, sip } = schema.parse(JSON.parse((await ended(child)).stdout))
    return [name, Math.round(streams[0].rFactor), Object.keys(sip.invalid).length]
  }
  t.same(await run(spawnAgent(['analyze', '--json', file])), [file, 93, 0])
  const options = ['--codecs', codecs, '--sip-ports', '5060,6999-7001']
  t.same(await run(spawnAgent(['analyze', '--json', ...options, file])), [file, 73, 1])
  // A pipe as a shell makes it: Node's own are sockets, which cannot be opened by name.
  const piped = spawn('sh', [
    '-c',
    'f=$1; shift; cat "$f" | "$@"',
    'sh',
    file,
    ...command(['analyze', '--json', '-']),
  ])
  t.same(await run(piped), ['-', 93, 0])
})

// What it prints.

test('JSON comes in pieces, the same as in one', (t) => {
  const value = {
    empty: {},
    none: [],
    absent: undefined,
    nested: { list: [1, { a: [{ b: 'ü\n"' }] }, [], [[2]]], null: null },
  }
  for (const one of [value, [value, value], 1, 'text', null])
    t.equal([...jsonPieces(one)].join(''), JSON.stringify(one, undefined, 2))
  const long = Array.from({ length: 20_000 }, (_, index) => ({ index }))
  const pieces = [...jsonPieces({ long: long.values() })]
  t.ok(pieces.length > 5 && pieces.every(({ length }) => length < 70_000))
  t.same(JSON.parse(pieces.join('')), { long }, 'whatever can be iterated is an array')
  t.end()
})

test('figures are as people read them', (t) => {
  t.same([999, 1500, 540_000_000].map(octetsText), ['999 bytes', '1.5 kB', '540.0 MB'])
  const lengths = [8100, 59_999, 200_000, 3_600_000, 93_900_000]
  t.same(lengths.map(lengthText), ['8.1 s', '60.0 s', '3 min 20 s', '1 h 0 min', '26 h 5 min'])
  t.same([undefined, 0.04, 9999, 50_020].map(msText), ['-', '0.0 ms', '9999.0 ms', '50.0 s'])
  t.end()
})

test('loss over 3 % is red, the worst stream comes first, and one is not written as many', async (t) => {
  const frames = [
    ...rtpFrames({ ssrc: 1 }),
    ...rtpFrames({ ssrc: 2, path: BACK, lost: 0.3 }),
    ...rtpFrames({ ssrc: 3, lost: 0.02, packets: 1000 }, seeded(3)),
  ]
  const analysis = await analysed(t, frames)
  const plain = textOf(analysis)
  t.match(plain, /^loss .*; 1 of 3 streams over 3 %$/m)
  const ssrcs = plain.split('\n').flatMap((line) => /0x[0-9a-f]{8}/.exec(line)?.[0] ?? [])
  t.same(ssrcs, ['0x00000002', '0x00000003', '0x00000001'])
  t.notMatch(plain, '\u001B')
  const coloured = textOf(analysis, { hasColour: true })
  const red = coloured.split('\n').filter((line) => line.includes(RED))
  t.equal(red.length, 2, 'the summary and the stream')
  t.equal(coloured.replaceAll(/\u001B\[\d+m/g, ''), plain, 'colour has no width')
  t.match(textOf(await analysed(t, rtpFrames())), /; 0 of 1 stream over 3 %$/m)
})

test('a table fits the screen: what matters least leaves first, and IPv6 addresses stay whole', async (t) => {
  const path = { from: '2001:db8:1234:5678:9abc:def0:1234:5678', to: '2001:db8::2' }
  const frames = [...rtpFrames({ path, lost: 0.1, copied: 0.1, late: 0.1 }), ...rtpFrames()]
  const analysis = await analysed(t, inOrder(frames))
  const header = (width: number | undefined) =>
    textOf(analysis, { width, sections: new Set(['streams']) }).split('\n')[0] ?? ''
  t.match(header(undefined), /^from .* to .* ssrc .* dup .* reord .* dscp .* R .* MOS-LQ$/)
  t.notMatch(header(160), / R /)
  const narrow = textOf(analysis, { width: 100, sections: new Set(['streams']) })
  t.ok(narrow.split('\n').every((line) => line.length <= 100))
  t.match(
    narrow,
    /^from +to +packets +lost +loss +MOS-LQ\n\[2001:db8:1234:5678:9abc:def0:1234:5678\]:20000/,
  )
  t.match(header(20), /^from +to +loss$/, 'these always stay')
})

test('of many streams and calls the worst are shown, and how many more there are', async (t) => {
  const streams = Array.from({ length: 60 }, (_, ssrc) => rtpFrames({ ssrc, packets: 5 })).flat()
  const calls = Array.from({ length: 60 }, (_, index) => {
    const callId = `call-${index}`
    const answered = { callId, toTag: 'b' }
    const failed = index === 7 ? '486 Busy Here' : '200 OK'
    return [
      sip(request('INVITE', { callId }, sdpText({ port: 40_000 + 2 * index })), index),
      sip(response(failed, answered), index + 0.5, false),
    ]
  }).flat()
  const analysis = await analysed(t, inOrder([...streams, ...calls]))
  const shown = textOf(analysis)
  t.match(shown, '\n... and 10 streams with less loss: --streams shows all\n')
  t.match(shown, '\n... and 10 calls: --calls shows all\n')
  t.match(shown, /failed 486 .*call-7\n/)
  const all = textOf(analysis, { isAll: true })
  t.notMatch(all, 'shows all')
  t.equal(all.match(/call-\d+$/gm)?.length, 60)
})

test('what strangers wrote cannot command the terminal', async (t) => {
  const callId = 'evil\u001B[2Jid'
  const invite = request('INVITE', { callId }, sdpText())
  const { calls } = await analysed(t, [sip(invite, 0)])
  t.equal(calls[0]?.callId, callId)
  t.match(textOf(await analysed(t, [sip(invite, 0)])), 'evil?[2Jid')
})

test('a long file has a line that tells how far it is read, and is wiped out', (t) => {
  const written: string[] = []
  const write = (line: string) => written.push(line) > 0
  const progress = new Progress({ isTTY: true, columns: 200, write }, 'calls.pcap', 1000)
  progress.show(10 << 20, 100 << 20, 1400)
  t.same(written, [], 'short work needs none')
  progress.show(30 << 20, 100 << 20, 2000)
  t.equal(
    written[0],
    '\r\u001B[Kcalls.pcap [#########.....................]  30 %   30 MiB/s   3 s left',
  )
  progress.clear()
  progress.clear()
  t.same(written.slice(1), ['\r\u001B[K'])
  new Progress({ isTTY: true, columns: 20, write }, 'calls.pcap', 0).show(1, 2, 1000)
  t.equal(
    written.at(-1)?.length,
    '\r\u001B[K'.length + 19,
    'a line that wraps could not be cleared',
  )
  const before = written.length
  new Progress({ write }, 'calls.pcap', 0).show(1, 2, 1000)
  t.equal(written.length, before, 'nothing where nobody watches')
  t.end()
})

// What it finds.

test('packets, lost and jitter are those of tshark in whatever a network does', async (t) => {
  if (!hasTshark()) {
    t.pass('tshark', { skip: 'tshark is missing: apt-get install tshark' })
    return
  }
  const video = (packet: Buffer, index: number) => {
    packet.writeUInt32BE(3600 * Math.floor(index / 4), 4)
    return packet
  }
  const headers: Readonly<Record<string, StreamOptions['edit']>> = {
    padding: (packet) => Buffer.concat([hex('a0'), packet.subarray(1, -1), hex('04')]),
    contributors: (packet) => Buffer.concat([hex('83'), packet.subarray(1)]),
    extension: (packet) =>
      Buffer.concat([
        hex('90'),
        packet.subarray(1, 12),
        hex('bede000110ff0000'),
        packet.subarray(12),
      ]),
  }
  const cases: Record<string, StreamOptions> = {
    loss: { lost: 0.05 },
    'every second packet lost': { packets: 500, lost: 0.5 },
    'most packets lost': { packets: 800, lost: 0.8 },
    'out of order': { packets: 300, late: 0.1 },
    'some twice, some lost': { packets: 300, lost: 0.03, copied: 0.1 },
    'each twice, as two taps see them': { copied: 2 },
    'numbers wrap': { packets: 300, number: 65_450, lost: 0.03, timestamp: 4_294_960_000 },
    'SSRC 0': { ssrc: 0 },
    'three packets': { packets: 3 },
    '10 ms': { packetMs: 10, payloadOctets: 80 },
    '60 ms': { packetMs: 60, payloadOctets: 480, lost: 0.03 },
    'old gateways: 1016': { payloadType: 1, payloadOctets: 14 },
    'old gateways: G.721': { payloadType: 2, payloadOctets: 80 },
    '44.1 kHz': { payloadType: 10, clockRate: 44_100 },
    '16 kHz': { payloadType: 6, clockRate: 16_000 },
    H263: { payloadType: 34, packetMs: 10, edit: video, payloadOctets: 900 },
    MP2T: { payloadType: 33, clockRate: 90_000, packetMs: 10, payloadOctets: 1316 },
    'two codecs by turns': {
      edit: (packet, index) =>
        Buffer.concat([
          packet.subarray(0, 1),
          Buffer.from([index % 2 ? 8 : 0]),
          packet.subarray(2),
        ]),
    },
    'a number nobody announced': { payloadType: 111, clockRate: 48_000, payloadOctets: 60 },
    ...Object.fromEntries(Object.entries(headers).map(([name, edit]) => [name, { edit }])),
  }
  const ports = Object.keys(cases).map((name, index) => [name, 20_000 + 2 * index] as const)
  const frames = ports.flatMap(([name, fromPort], index) =>
    rtpFrames({ ssrc: index + 1, ...cases[name], path: { fromPort } }, seeded(index)),
  )
  const file = await written(t, pcapFile(inOrder(frames)))
  const { streams } = await analyzed(file)
  const theirs = tsharkStreams(file, true)
  t.equal(theirs.length, ports.length)
  t.equal(streams.length, ports.length)
  for (const [name, port] of ports) {
    const our = streams.find(({ srcPort }) => srcPort === port)
    const their = theirs.find(({ srcPort }) => srcPort === port)
    t.equal((our?.received ?? 0) + (our?.rejected ?? 0), their?.packets, `${name}: packets`)
    t.equal(our?.lost, their?.lost, `${name}: lost`)
    const difference = Math.abs((our?.jitterMaxMs ?? 0) - (their?.maxJitterMs ?? NaN))
    // tshark leaves packets with the marker out, which is the first one here.
    t.ok(difference <= JITTER_TOLERANCE_MS, `${name}: max jitter ${our?.jitterMaxMs}`)
  }
})

test('a stream is found in whatever it is wrapped in', async (t) => {
  const packet = (frame: Uint8Array) => frame.subarray(14)
  const through = (payload: Uint8Array, toPort: number) =>
    ethernet(0x800, ipv4(udp(payload, { toPort }), { from: '192.0.2.1', to: '192.0.2.2' }))
  const wraps: Readonly<Record<string, readonly [(frame: Uint8Array) => Uint8Array, number?]>> = {
    'GTP-U': [(frame) => through(gtp(packet(frame)), 2152)],
    'GTP-U with an extension': [(frame) => through(gtp(packet(frame), true), 2152)],
    Geneve: [(frame) => through(geneve(frame), 6081)],
    'IEEE 802.3 with SNAP': [(frame) => ethernet(frame.length - 6, snap(packet(frame)))],
    'Wi-Fi': [(frame) => wifi(snap(packet(frame))), 105],
    'Wi-Fi between access points': [
      (frame) => wifi(snap(packet(frame)), { isBetweenPoints: true }),
      105,
    ],
    radiotap: [(frame) => radiotap(wifi(snap(packet(frame)))), 127],
    'radiotap, padded': [
      (frame) => radiotap(wifi(snap(packet(frame)), { isPadded: true }), true),
      127,
    ],
    'PPP in HDLC': [(frame) => Buffer.concat([hex('ff030021'), packet(frame)]), 50],
    'PPP with its direction': [(frame) => Buffer.concat([hex('00ff030021'), packet(frame)]), 204],
    'Cisco HDLC': [(frame) => Buffer.concat([hex('0f000800'), packet(frame)]), 104],
    'a TURN channel': [
      (frame) => {
        const body = frame.subarray(42)
        return udpFrame(Buffer.concat([hex('400100ac'), body]), THERE)
      },
    ],
  }
  for (const [name, [wrap, linkType = 1]] of Object.entries(wraps)) {
    const frames = rtpFrames({ packets: 50, path: THERE })
    const wrapped = frames.map(({ timeUs, frame }) => ({ timeUs, frame: wrap(frame) }))
    const { streams, ignored } = await analyzed(await written(t, pcapFile(wrapped, { linkType })))
    t.match(streams, [{ srcIp: '10.0.0.1', srcPort: 20_000, received: 50, lost: 0 }], name)
    t.same(ignored, {}, name)
  }
  const secret = rtpFrames({ packets: 5 }).map(({ timeUs, frame }) => ({
    timeUs,
    frame: wifi(snap(packet(frame)), { isEncrypted: true }),
  }))
  const { ignored } = await analyzed(await written(t, pcapFile(secret, { linkType: 105 })))
  t.same(ignored, { 'not-ip': 5 }, 'what Wi-Fi encrypts nobody reads')
})

test('a snap length of 54 to 96 octets leaves the numbers as they are; a shorter one is said', async (t) => {
  const whole = await analysed(t, rtpFrames({ lost: 0.05 }))
  for (const snapLength of [54, 64, 68, 96]) {
    const frames = rtpFrames({ lost: 0.05 }).map((one) => ({ ...one, snap: snapLength }))
    const { streams } = await analysed(t, frames)
    const [cut, full] = [streams[0], whole.streams[0]]
    t.same(
      [cut?.expected, cut?.lost, cut?.jitterMaxMs, cut?.octets],
      [full?.expected, full?.lost, full?.jitterMaxMs, full?.octets],
      String(snapLength),
    )
  }
  const path = { from: 'fd00::1', to: 'fd00::2' }
  const frames = rtpFrames({ packets: 20, path }).map((one) => ({ ...one, snap: 68 }))
  t.match(await analysed(t, frames), { streams: [], ignored: { truncated: 20 } })
})

test('other protocols are no streams, for however long they are watched', async (t) => {
  const random = seeded(7)
  const below = (limit: number) => Math.floor(random() * limit)
  const noise = (octets: number) => Buffer.from(Array.from({ length: octets }, () => below(256)))
  const word = (value: number) => Buffer.from([(value >> 8) & 255, value & 255])
  const pick = (values: readonly number[]) => word(values[below(values.length)] ?? 0)
  const dns = (flags: readonly number[]) => () =>
    Buffer.concat([noise(2), pick(flags), hex('0001000000000000'), noise(20)])
  const protocols: Readonly<Record<string, (index: number) => Buffer>> = {
    'DNS, questions from one port': dns([0x100, 0x110, 0x120, 0x130]),
    'DNS, answers': dns([0x8180, 0x8181, 0x8182, 0x8183, 0x8580]),
    'names by NetBIOS': (index) =>
      Buffer.concat([
        word(0x8000 + (index % 4000)),
        hex('0110'),
        hex('0001000000000000'),
        noise(38),
      ]),
    'BACnet, whose length is where RTP has its number': () => {
      const body = noise(below(12))
      return Buffer.concat([hex('810a'), word(12 + body.length), hex('012000ff00ff1002'), body])
    },
    'a message type there': () =>
      Buffer.concat([hex('8005'), pick([1, 2, 3, 4, 5]), noise(4), hex('deadbeef'), noise(20)]),
    'types 1, 2, 3 by turns': (index) =>
      Buffer.concat([hex('8005'), word((index % 3) + 1), noise(4), hex('deadbeef'), noise(20)]),
    milliseconds: (index) =>
      Buffer.concat([hex('8005'), word(index * 20), hex('00000001'), hex('00000007'), noise(20)]),
    'ESP in UDP': (index) =>
      Buffer.concat([hex('8012abcd'), hex('0000'), word(index), hex('00112233'), noise(40)]),
    'QUIC without its fixed bit': () =>
      Buffer.concat([
        Buffer.from([128 + below(64)]),
        hex('00000001'),
        hex('08aabbccddeeff0011'),
        noise(40),
      ]),
    RakNet: (index) =>
      Buffer.concat([
        Buffer.from([0x84, index & 255, index >> 8, 0]),
        hex('4000900000000000'),
        noise(30),
      ]),
    'random octets': () => noise(50),
    'random numbers of one source': () =>
      Buffer.concat([hex('8000'), noise(6), hex('12345678'), noise(20)]),
  }
  for (const [name, body] of Object.entries(protocols)) {
    const frames = Array.from({ length: 5000 }, (_, index) => ({
      timeUs: START_US + index * 5000,
      frame: udpFrame(body(index), { fromPort: 40_000, toPort: 50_000 }),
    }))
    t.same((await analysed(t, frames)).streams, [], name)
  }
})

test('what signalling announced is found from its first packet, and where it lied all the same', async (t) => {
  const call = (offer: string, answer: string) => [
    sip(request('INVITE', {}, offer), -300),
    sip(response('200 OK', { toTag: 'b' }, answer), -100, false),
    sip(request('ACK', { toTag: 'b' }), -50),
  ]
  const sdp = (ip: string, port: number, formats = '0', ...lines: string[]) =>
    sdpText({ ip, port, formats, lines })
  const plain = call(sdp('10.0.0.1', 20_000), sdp('10.0.0.2', 30_000))
  const one = await analysed(t, [...plain, ...rtpFrames({ packets: 1, path: THERE })])
  t.match(one.streams, [{ received: 1, lost: 0, codec: 'PCMU', callId: /call-1/ }])
  const next = rtpFrames({ packets: 2, ssrc: 2, path: THERE, atMs: 100 })
  const two = await analysed(t, [...plain, ...rtpFrames({ packets: 1, path: THERE }), ...next])
  t.match(two.streams, [{ received: 1 }, { received: 2, ssrc: '0x00000002' }])

  const hidden = call(sdp('192.168.1.5', 20_000), sdp('10.0.0.2', 30_000))
  const nat = await analysed(t, inOrder([...hidden, ...rtpFrames({ path: BACK, ssrc: 9 })]))
  t.match(
    nat.streams,
    [{ received: 200, callId: /call-1/ }],
    'the sender is known, its receiver is not',
  )

  const opus = (number: number) => `a=rtpmap:${number} opus/48000/2`
  const numbers = call(
    sdp('10.0.0.1', 20_000, '97 98', opus(97), 'a=rtpmap:98 speex/16000'),
    sdp('10.0.0.2', 30_000, '97', 'a=rtpmap:97 speex/16000'),
  )
  const media = [
    ...rtpFrames({ path: THERE, payloadType: 97, clockRate: 16_000 }),
    ...rtpFrames({ path: BACK, ssrc: 9, payloadType: 97, clockRate: 48_000 }),
  ]
  t.match(
    (await analysed(t, inOrder([...numbers, ...media]))).streams.map(
      ({ srcPort, codec, jitterMaxMs = NaN }) => [srcPort, codec, jitterMaxMs < 2],
    ),
    [
      [20_000, 'speex', true],
      [30_000, 'opus', true],
    ],
    'a number means what its receiver says',
  )
  const g722 = call(
    sdp('10.0.0.1', 20_000, '9', 'a=rtpmap:9 G722/16000'),
    sdp('10.0.0.2', 30_000, '9', 'a=rtpmap:9 G722/16000'),
  )
  const wideband = await analysed(
    t,
    inOrder([...g722, ...rtpFrames({ path: THERE, payloadType: 9 })]),
  )
  t.match(wideband.streams, [{ codec: 'G722', clockRate: 8000, dscp: 46 }])
})

test('the next call on the same ports with the same SSRC and numbers loses nothing, however soon it comes', async (t) => {
  for (const apartMs of [6000, 4300]) {
    const calls = [0, 1, 2].flatMap((index) => {
      const atMs = index * apartMs
      const options = { callId: `c${index}` }
      const answered = { ...options, toTag: 'b' }
      const offer = sdpText({ ip: '10.0.0.1', port: 20_000 })
      const answer = sdpText({ ip: '10.0.0.2', port: 30_000 })
      return [
        sip(request('INVITE', options, offer), atMs - 200),
        sip(response('200 OK', answered, answer), atMs - 100, false),
        ...rtpFrames({ path: THERE, atMs }),
        sip(request('BYE', answered, '', 2), atMs + 4050),
      ]
    })
    const { streams, calls: found } = await analysed(t, inOrder(calls))
    t.equal(found.length, 3)
    t.match(streams, [{ received: 600, expected: 600, lost: 0, duplicates: 0, restarts: 0 }])
    t.match(streams, [{ rejected: 0, callId: 'c2' }])
    t.ok((streams[0]?.jitterMaxMs ?? NaN) < 2)
  }
})

test('an alternating codec with one clock has jitter, and video has no MOS', async (t) => {
  const mixed = rtpFrames({
    edit: (packet, index) =>
      Buffer.concat([packet.subarray(0, 1), Buffer.from([index % 2 ? 8 : 0]), packet.subarray(2)]),
  })
  t.equal((await analysed(t, mixed)).streams[0]?.jitterSamples, 199)
  const video = rtpFrames({ payloadType: 34, clockRate: 90_000, lost: 0.1 })
  const text = textOf(await analysed(t, video))
  t.match(text, 'H263')
  t.notMatch(text, 'MOS-LQ')
})

// That it adds up.

test('however a capture is cut into intervals, its sums are the same, and each packet is somewhere', async (t) => {
  for (let seed = 1; seed <= 12; seed++) {
    const file = await written(t, pcapFile(wildFrames(seeded(seed))))
    const analyses = []
    for (const intervalMs of [10_000, 1000, 37_777, undefined])
      analyses.push(analysisOf(await intervalsOf(file, intervalMs)))
    const [first, ...others] = analyses.map(sumsOf)
    for (const other of others) t.same(other, first, `seed ${seed}`)
    const [analysis] = analyses
    const counted = (analysis?.streams ?? []).reduce(
      (sum, one) => sum + one.received + one.rejected,
      0,
    )
    const ignored = Object.values(analysis?.ignored ?? {}).reduce((sum, count) => sum + count, 0)
    t.equal(counted + ignored, analysis?.packets, `seed ${seed}: packets`)
    for (const { bursts, expected, lostUnique, lossRunPackets, reordered } of analysis?.streams ??
      []) {
      t.equal(bursts.burstPackets + bursts.gapPackets, expected, `seed ${seed}: bursts and gaps`)
      t.ok(lossRunPackets >= lostUnique && lossRunPackets <= lostUnique + reordered, 'runs')
    }
  }
})

test('a file of which nothing is known for sure gives only numbers that are', async (t) => {
  for (const frames of [
    wildFrames(seeded(99)),
    rtpFrames({ packets: 3 }),
    rtpFrames({ packets: 50, payloadType: 13, payloadOctets: 1, packetMs: 500 }),
    rtpFrames().map((one) => ({ ...one, timeUs: one.timeUs - START_US + 1000 })),
    rtpFrames().map((one) => ({ ...one, timeUs: one.timeUs - START_US + 4_294_967_200 * S })),
    rtpFrames().map((one, at) => ({ ...one, timeUs: one.timeUs - (at > 100 ? 3600 * S : 0) })),
    rtpFrames().map((one, at) => ({ ...one, timeUs: one.timeUs + (at > 100 ? 36_000 * S : 0) })),
    [],
  ]) {
    const analysis = await analyzed(await written(t, pcapFile(frames)))
    const json = [...jsonPieces(analysisJson(analysis, CODEC_IMPAIRMENTS))].join('')
    walk(JSON.parse(json), '', (path, value) => {
      if (value === null) t.fail(`${path} is null`)
      if (/Ratio$/.test(path) && typeof value === 'number' && (value < 0 || value > 1))
        t.fail(`${path} is ${value}`)
    })
  }
  t.pass('no NaN, no null, ratios within 0 and 1')
})

test('times that cannot be are passed over, and counted', async (t) => {
  const writer = new PcapngWriter()
  const [frame = Buffer.alloc(0)] = rtpFrames({ packets: 1 }).map((one) => one.frame)
  const second = [{ code: 9, value: Buffer.from([0]) }]
  const blocks = [writer.section(), writer.interface(1, second), writer.interface(1)]
  const packets = rtpFrames({ packets: 20 }).map((one) => writer.packet({ ...one, interface: 1 }))
  const never = writer.packet({ timeUs: 2 ** 53, frame, unitsPerS: 1_000_000n })
  const file = await written(t, Buffer.concat([...blocks, never, ...packets]))
  const { streams, ignored, packets: count, firstMs } = await analyzed(file)
  t.match({ count, ignored }, { count: 20, ignored: { 'no-time': 1 } })
  t.match(streams, [{ received: 20 }])
  t.ok(Math.abs((firstMs ?? NaN) - START_US / 1000) < 10)
  const good = await analyzed(await written(t, Buffer.concat([...blocks, ...packets])))
  t.same(good.ignored, {}, 'no reason where nothing was passed over')
})

test('of a million streams the sums are kept, and of as many as are told one by one all', async (t) => {
  const { streams } = await analysed(t, rtpFrames({ lost: 0.1 }))
  const totals = new StreamTotals(100)
  const intervals = await intervalsOf(await written(t, pcapFile(rtpFrames({ lost: 0.1 }))), 10_000)
  const [row] = intervals.flatMap((one) => one.streams)
  if (row === undefined) throw new Error('no row')
  for (let index = 0; index < 1000; index++) totals.add({ ...row, srcPort: index }, START_US)
  t.equal(totals.streams.length, 100)
  const lostUnique = 900 * (streams[0]?.lostUnique ?? NaN)
  t.same(totals.unlisted, { streams: 900, expected: 900 * row.expected, lostUnique })
})

test('one SSRC on ten thousand flows takes no longer than many', async (t) => {
  const frames: CapturedFrame[] = []
  for (let flow = 0; flow < 10_000; flow++)
    for (let index = 0; index < 3; index++)
      frames.push({
        timeUs: START_US + flow * 1000 + index,
        frame: udpFrame(
          rtp({ timeUs: 0, sequenceNumber: index, timestamp: index * 160, payload: hex('00') }),
          { from: `10.1.${flow >> 8}.${flow & 255}`, toPort: 10_000 + flow },
        ),
      })
  const { streams } = await analysed(t, frames)
  t.equal(streams.length, 10_000)
  t.ok(streams.every(({ received }) => received === 3))
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function agent(...args: readonly string[]): Promise<Ended> {
  return await ended(spawnAgent(args))
}

function spawnAgent(args: readonly string[]): ReturnType<typeof spawn> {
  const [program = '', ...rest] = command(args)
  return spawn(program, rest, { env: { ...process.env, NO_COLOR: '1' } })
}

function command(args: readonly string[]): readonly string[] {
  const typescript = join(ROOT, 'test/support/typescript.js')
  return [process.execPath, '--import', typescript, join(ROOT, 'agent/main.ts'), ...args]
}

async function ended(child: ReturnType<typeof spawnAgent>): Promise<Ended> {
  const { stdout, stderr } = child
  if (stdout === null || stderr === null) throw new Error('no pipes')
  const [out, err] = await Promise.all([text(stdout), text(stderr), once(child, 'close')])
  return { code: child.exitCode, stdout: out, stderr: err }
}

function keysOf(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : []
}

async function temporaryFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-'))
  t.teardown(async () => {
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

async function written(t: Test, octets: Uint8Array): Promise<string> {
  const file = join(await temporaryFolder(t), 'capture')
  await writeFile(file, octets)
  return file
}

function fixture(name: string): string {
  return join(FIXTURES, `${name}.pcap.gz`)
}

async function analysed(t: Test, frames: readonly CapturedFrame[]): Promise<Analysis> {
  return await analyzed(await written(t, pcapFile(frames)))
}

async function analyzed(file: string): Promise<Analysis> {
  return await analyzeFile(
    file,
    { table: undefined, sipPorts: SIP_PORTS },
    { terminal: { write: () => true }, monotonicMs: () => 0 },
  )
}

async function intervalsOf(
  path: string,
  intervalMs: number | undefined,
): Promise<readonly CaptureInterval[]> {
  const filter = { ports: { from: 1, to: 65_535 }, networks: [], from: [], to: [] }
  const options = { filter, maxStreams: 1000, probation: 3, seed: 1 }
  const capture = new FileCapture({ path, intervalMs }, options)
  const all: CaptureInterval[] = []
  for (;;) {
    const intervals = await capture.take()
    if (intervals.length === 0) break
    all.push(...intervals)
  }
  capture.close()
  return all
}

function analysisOf(intervals: readonly CaptureInterval[]): Analysis {
  const builder = new AnalysisBuilder('capture')
  for (const interval of intervals) builder.add(interval)
  return builder.analysis
}

function textOf(analysis: Analysis, options: Partial<TextOptions> = {}): string {
  return analysisText(analysis, {
    sections: new Set(['summary', 'streams', 'calls']),
    isAll: false,
    hasColour: false,
    width: undefined,
    table: CODEC_IMPAIRMENTS,
    ...options,
  })
}

/** A message of the caller's, or of the callee's. */
function sip(message: string, atMs: number, isFromCaller = true): CapturedFrame {
  const ends = ['10.0.0.1', '10.0.0.2'] as const
  const [from, to] = isFromCaller ? ends : ([ends[1], ends[0]] as const)
  const path = { from, to, fromPort: 5060, toPort: 5060 }
  return { timeUs: START_US + atMs * 1000, frame: udpFrame(Buffer.from(message), path) }
}

/** Streams that lose, double, restart, pause and are late, captured by a clock that is set now and then. */
function wildFrames(random: () => number): CapturedFrame[] {
  const frames: CapturedFrame[] = []
  const oneOf = (values: readonly number[]) => values[Math.floor(random() * values.length)] ?? 0
  const share = (most: number) => (random() < 0.5 ? random() * most : 0)
  for (let ssrc = 1; ssrc <= 3; ssrc++) {
    const packetMs = oneOf([10, 20, 30, 60])
    const payloadType = oneOf([0, 9, 18, 111, 34])
    const [loss, copies, late] = [share(0.2), share(0.1), share(0.1)]
    const packets = 500 + random() * 3000
    let number = random() * 65_536
    let timestamp = random() * 2 ** 32
    let ms = random() * 5000
    for (let index = 0; index < packets; index++) {
      const happening = random() * 2000
      if (happening < 1) number += random() * 10_000
      else if (happening < 2) ms += random() * 20_000
      else if (happening < 3) timestamp += random() * 1_000_000
      else if (happening < 4) ms -= random() * 1000
      number++
      timestamp += packetMs * 8
      ms += packetMs
      if (random() < loss) continue
      const isEvent = random() < 0.01
      const frame = udpFrame(
        rtp({
          timeUs: 0,
          sequenceNumber: Math.floor(number),
          timestamp: Math.floor(timestamp),
          payloadType: isEvent ? 101 : payloadType,
          ssrc,
          payload: Buffer.alloc(isEvent ? 4 : 20),
          marker: random() < 0.02,
        }),
        { fromPort: 20_000 + 2 * ssrc },
      )
      const delayMs = random() * 30 + (random() < late ? random() * 3 * packetMs : 0)
      const timeUs = START_US + Math.round((ms + delayMs) * 1000)
      frames.push({ timeUs, frame })
      if (random() < copies) frames.push({ timeUs: timeUs + 20_000, frame })
    }
  }
  return random() < 0.7 ? inOrder(frames) : frames
}

/** Of each stream all that does not depend on where intervals end. */
function sumsOf({ streams }: Analysis): unknown {
  return [...streams]
    .sort((a, b) => (a.ssrc < b.ssrc ? -1 : 1))
    .map(({ jitterMeanMs = 0, deltaMeanMs = 0, gapMs = 0, ...stream }) => ({
      ...stream,
      jitterMeanMs: jitterMeanMs.toFixed(6),
      deltaMeanMs: deltaMeanMs.toFixed(6),
      gapMs: gapMs.toFixed(3),
      ...{
        worst: 0,
        clockSkewPpm: 0,
        clockSkewErrorPpm: 0,
        jitterP95Ms: 0,
        activeMs: 0,
        stalledMs: 0,
        isEncrypted: 0,
        ended: 0,
      },
    }))
}

function walk(value: unknown, path: string, see: (path: string, value: unknown) => void): void {
  see(path, value)
  if (typeof value !== 'object' || value === null) return
  for (const [key, one] of Object.entries(value)) walk(one, `${path}.${key}`, see)
}
