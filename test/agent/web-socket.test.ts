import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { Monitor } from '../../agent/media/monitor.ts'
import { DEFAULT_SIGNALLING } from '../../agent/signalling/default-options.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { StreamFramer } from '../../agent/sip/stream-framer.ts'
import { SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { Random } from '../fuzz/fuzz.ts'
import { ethernet, IPV4, ipv4, tcp } from '../support/frames.ts'
import { pcapFile, type CapturedFrame } from '../support/pcap-writer.ts'
import { callMessages } from '../support/sip-messages.ts'
import { hasTshark, tsharkSip } from '../support/tshark.ts'
import {
  CLIENT_HANDSHAKE,
  SERVER_HANDSHAKE,
  webSocketFrame,
  type FrameOptions,
} from '../support/web-socket.ts'

const MASK = [0x37, 0xfa, 0x21, 0x3d]
const PING = 9
const PONG = 10
const CLOSE = 8
const SYN = 2

/** What comes of a stream pushed in these pieces; undefined is a gap. */
function readPieces(pieces: readonly (Uint8Array | undefined)[]) {
  const framer = new StreamFramer(new SipMessage())
  const found: string[] = []
  let most = 0
  const sink = {
    message: (message: SipMessage) => void found.push(message.header('call-id') ?? ''),
    refused: (verdict: number) => void found.push(SIP_VERDICTS[verdict] ?? ''),
  }
  for (const piece of pieces) {
    if (piece === undefined) framer.lose(sink)
    else framer.push(piece, sink)
    most = Math.max(most, framer.held)
  }
  return { found, most, framer }
}

/** A message without Content-Length, which none needs here. */
function options(callId: string, filling = 0): Buffer {
  const lines = ['OPTIONS sip:a SIP/2.0', `Call-ID: ${callId}`]
  return Buffer.from([...lines, '', 'x'.repeat(filling)].join('\r\n'))
}

function client(payload: Uint8Array, more: FrameOptions = {}): Buffer {
  return webSocketFrame(payload, { mask: MASK, ...more })
}

test('the example frames of RFC 6455 section 5.7 are written as they stand there', async (t) => {
  const hello = Buffer.from('Hello')
  t.equal(webSocketFrame(hello).toString('hex'), '810548656c6c6f')
  t.equal(client(hello).toString('hex'), '818537fa213d7f9f4d5158')
  t.equal(webSocketFrame(hello, { opcode: PING }).toString('hex'), '890548656c6c6f')
  t.equal(webSocketFrame(Buffer.alloc(256), { opcode: 2 }).toString('hex', 0, 4), '827e0100')
  t.equal(
    webSocketFrame(Buffer.alloc(65_536), { opcode: 2 }).toString('hex', 0, 10),
    '827f0000000000010000',
  )
})

test('a WebSocket gives the same messages however it is cut, fragmented and pinged', async (t) => {
  const random = new Random(5)
  for (let round = 0; round < 60; round++) {
    const isClient = round % 2 === 0
    const mask = () => (isClient ? Array.from({ length: 4 }, () => random.below(256)) : undefined)
    const parts: Buffer[] = [Buffer.from(isClient ? CLIENT_HANDSHAKE : SERVER_HANDSHAKE)]
    const wanted: string[] = []
    for (let index = 0; index < 12; index++) {
      const text = options(`${index}`, [0, 20, 300, 70_000][random.below(4)] ?? 0)
      wanted.push(`${index}`)
      for (let at = 0, piece = 0; at < text.length; piece++) {
        const end = Math.min(text.length, at + 1 + random.below(text.length))
        const opcode = piece > 0 ? 0 : 1 + random.below(2)
        const isFinal = end === text.length
        parts.push(webSocketFrame(text.subarray(at, end), { opcode, isFinal, mask: mask() }))
        if (random.below(3) === 0)
          parts.push(
            webSocketFrame(Buffer.from('!'), { opcode: PING + random.below(2), mask: mask() }),
          )
        at = end
      }
      if (random.below(4) === 0)
        parts.push(webSocketFrame(Buffer.from('\r\n\r\n'), { mask: mask() }))
    }
    parts.push(webSocketFrame(Buffer.from([3, 232]), { opcode: CLOSE, mask: mask() }))
    parts.push(Buffer.from('whatever'))
    const stream = Buffer.concat(parts)
    const pieces: Buffer[] = []
    const size = round < 6 ? 1 : 1 + random.below(3000)
    for (let at = 0; at < stream.length;) {
      const end = at + (size === 1 ? 1 : 1 + random.below(size))
      pieces.push(stream.subarray(at, end))
      at = end
    }
    t.same(readPieces(pieces).found, wanted, `round ${round}`)
  }
})

test('a frame that is none is refused with a reason, and it goes on at the next message', async (t) => {
  const open = Buffer.from(CLIENT_HANDSHAKE)
  const read = (...pieces: (Uint8Array | undefined)[]) => readPieces([open, ...pieces]).found
  const good = client(options('good'))
  const bad = [
    webSocketFrame(options('a client must mask')),
    client(options('an opcode nobody knows'), { opcode: 3 }),
    client(options('continues nothing'), { opcode: 0 }),
    client(Buffer.alloc(126), { opcode: PING }),
    client(Buffer.from('x'), { opcode: PONG, isFinal: false }),
    client(options('longer than anything'), { payloadOctets: 2 ** 60, lengthOctets: 8 }),
    Buffer.concat([client(Buffer.from('begun'), { isFinal: false }), client(options('another'))]),
  ]
  for (const frame of bad) t.same(read(frame, good), ['bad-web-socket-frame', 'good'])
  const begun = client(options('x'), { isFinal: false, reserved: 0x40 })
  t.same(read(begun, client(Buffer.from('y'), { opcode: 0 }), good), [
    'web-socket-extension',
    'good',
  ])
  t.same(read(client(Buffer.from('no message\r\n\r\n')), good), ['not-sip', 'good'])
  t.same(read(client(Buffer.alloc(0)), good), ['good'])
  t.same(read(client(options('same length', 400), { lengthOctets: 8 }), good), [
    'same length',
    'good',
  ])
  const cut = client(options('cut'))
  t.same(read(cut.subarray(0, 20), undefined, cut.subarray(25), good), ['incomplete', 'good'])
  t.same(read(good, undefined, good.subarray(9), good), ['good', 'good'], 'a gap between two')
  t.same(read(client(Buffer.alloc(0), { opcode: CLOSE }), good), [], 'after the close nothing is')
})

test('a handshake for anything but SIP opens nothing', async (t) => {
  const after = client(options('after'))
  const read = (handshake: string) => readPieces([Buffer.from(handshake), after]).found
  t.same(read(CLIENT_HANDSHAKE), ['after'])
  for (const [from, to] of [
    ['xmpp, sip', 'xmpp'],
    ['xmpp, sip', 'sip.x, xsip'],
    ['Upgrade: WebSocket', 'Upgrade: h2c'],
    ['GET /ws HTTP/1.1', 'GET /ws HTTP/1.0'],
    ['GET /ws', 'GET /a b'],
  ] as const)
    t.same(read(CLIENT_HANDSHAKE.replace(from, to)), ['not-sip'], to)
  t.same(read(SERVER_HANDSHAKE.replace('101 Switching', '401 Not')), ['not-sip'])
  t.same(read(CLIENT_HANDSHAKE.replace('a=b', 'a'.repeat(20_000))), ['head-too-long'])
  t.same(readPieces([Buffer.from('GE'), Buffer.from(CLIENT_HANDSHAKE.slice(2)), after]).found, [
    'after',
  ])
  t.same(
    readPieces([Buffer.from('G'), Buffer.from('AME sip:a SIP/2.0\r\nCall-ID: g\r\nl: 0\r\n\r\n')])
      .found,
    ['g'],
  )
  t.same(readPieces([Buffer.from('GET /'), undefined, after]).found, ['incomplete'])
})

test('a WebSocket holds one message of bounded length', async (t) => {
  const piece = client(Buffer.alloc(50_000, 'x'), { opcode: 0, isFinal: false })
  const first = client(options('endless'), { isFinal: false })
  const end = client(Buffer.from('x'), { opcode: 0 })
  const pieces = [
    Buffer.from(CLIENT_HANDSHAKE),
    first,
    ...Array.from({ length: 40 }, () => piece),
    end,
  ]
  const { found, most, framer } = readPieces([...pieces, client(options('next'))])
  t.same(found, ['body-too-long', 'next'])
  t.ok(most <= 524_288, `${most} octets`)
  t.ok(framer.held <= 16_384)
  const huge = client(Buffer.alloc(1000), { payloadOctets: 2 ** 52, lengthOctets: 8 })
  t.same(readPieces([Buffer.from(CLIENT_HANDSHAKE), huge]).found, ['body-too-long'])
})

interface Side {
  readonly from: string
  readonly to: string
  readonly fromPort: number
  readonly toPort: number
}

/** A call over a WebSocket at this port, in segments of TCP, as frames of Ethernet. */
function callFrames(port: number): CapturedFrame[] {
  const browser: Side = { from: '10.0.0.1', to: '10.0.0.2', fromPort: 40_000, toPort: port }
  const server: Side = { from: '10.0.0.2', to: '10.0.0.1', fromPort: port, toPort: 40_000 }
  const sequences = new Map([
    [browser, 0xffff_ff00],
    [server, 7],
  ])
  const frames: CapturedFrame[] = []
  const show = (side: Side, payload: Uint8Array, flags = 0x18) => {
    const sequence = sequences.get(side) ?? 0
    const segment = tcp(payload, { ...side, sequence, flags })
    frames.push({
      timeUs: 1_700_000_000_000_000 + frames.length * 1000,
      frame: ethernet(IPV4, ipv4(segment, { protocol: 6, from: side.from, to: side.to })),
    })
    sequences.set(side, (sequence + payload.length + (flags & SYN ? 1 : 0)) >>> 0)
  }
  show(browser, new Uint8Array(0), SYN)
  show(server, new Uint8Array(0), SYN | 0x10)
  show(browser, Buffer.from(CLIENT_HANDSHAKE))
  show(server, Buffer.from(SERVER_HANDSHAKE))
  for (const [index, { isFromCaller, text }] of callMessages().entries()) {
    const side = isFromCaller ? browser : server
    const octets = Buffer.from(text.replaceAll('SIP/2.0/UDP', 'SIP/2.0/WS'))
    const mask = isFromCaller ? MASK : undefined
    const [head, rest] = [octets.subarray(0, 200), octets.subarray(200)]
    const fragments = Buffer.concat([
      webSocketFrame(head, { isFinal: false, mask }),
      webSocketFrame(Buffer.from('alive'), { opcode: PING, mask }),
      webSocketFrame(rest, { opcode: 0, mask }),
    ])
    const whole = webSocketFrame(octets, { mask })
    const wire = index % 2 === 0 ? fragments : whole
    const middle = wire.length >> 1
    show(side, wire.subarray(0, middle))
    show(side, wire.subarray(middle))
  }
  return frames
}

function monitored(frames: readonly CapturedFrame[]) {
  const monitor = new Monitor({
    filter: { ports: { from: 1024, to: 65_535 }, networks: [], from: [], to: [] },
    maxStreams: 100,
    probation: 3,
    seed: 1,
    signalling: DEFAULT_SIGNALLING,
  })
  for (const { frame, timeUs } of frames) {
    // As a reader of captures has it: every frame lies where the one before lay.
    const memory = new Uint8Array(4096)
    memory.set(frame)
    monitor.handleFrame(new DataView(memory.buffer), 0, frame.length, timeUs, 1)
    memory.fill(0)
  }
  return monitor.takeInterval(1_700_000_010_000_000)
}

test(
  'a call over a WebSocket is a call, at any port, and to tshark',
  { skip: !hasTshark() },
  async (t) => {
    for (const port of [80, 5060, 8088]) {
      const { calls, sip, signalling } = monitored(callFrames(port))
      t.match(calls, [{ state: 'ended', caller: '**********67@pbx.example' }])
      t.match(sip, { messages: 7, invalid: {}, calls: 1 })
      t.match(signalling.traffic, [{ counts: { session_completed: 1, tcp: 7 } }])
    }
    const folder = mkdtempSync(join(tmpdir(), 'web-socket-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true })
    })
    const file = join(folder, 'call.pcap')
    writeFileSync(file, pcapFile(callFrames(80)))
    const { counts } = tsharkSip(file)
    for (const [name, count] of [
      ['INVITE', 1],
      ['ACK', 1],
      ['BYE', 1],
      ['200', 2],
    ] as const)
      t.equal(counts.get(name), count, name)
  },
)

test('a WebSocket opened before the capture is followed from its next message', async (t) => {
  const frames = callFrames(8088).slice(4)
  const { sip } = monitored(frames)
  t.match(sip, { messages: 7, invalid: {} })
})

test('pages, and WebSockets for something else, cost no connection', async (t) => {
  const frames: CapturedFrame[] = []
  for (let index = 0; index < 3000; index++) {
    const page = `GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`
    const other = CLIENT_HANDSHAKE.replace('xmpp, sip', 'mqtt')
    const path = { fromPort: 1024 + index, toPort: 80, sequence: 1, flags: 0x18 }
    const segment = tcp(Buffer.from(index % 2 === 0 ? page : other), path)
    frames.push({ timeUs: index, frame: ethernet(IPV4, ipv4(segment, { protocol: 6 })) })
  }
  const { sip, signalling } = monitored(frames)
  t.same(sip.invalid, {}, 'what is not SIP is none of ours')
  t.equal(signalling.messages, 0)
})
