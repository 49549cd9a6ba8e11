/**
 * The packets of a test stream: RTP to everything on the way (RFC 3550 section 5.1, payload type 0 = PCMU), our own inside.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   0 |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *   4 |                           timestamp                           |
 *   8 |                             SSRC                              |
 *  12 |                         magic "KSTN"                          |
 *  16 |    version    |     kind      |           reserved            |
 *  20 |                                                               |
 *  24 |                       session (8 octets)                      |
 *  28 |  by kind, see the offsets below; zeros up to the seal         |
 *     |              seal: HMAC-SHA-256, first 16 octets              |
 */
const AT = { rtpSequence: 2, timestamp: 4, ssrc: 8, magic: 12, version: 16, kind: 17, session: 20 }
const HELLO = { number: 28 }
const CHALLENGE = { cookie: 28, number: 44, known: 48 }
const PROBE = { cookie: 28, sequence: 44, sentUs: 48 }
const ECHO = {
  sequence: 28,
  ownSequence: 32,
  sentUs: 36,
  receivedUs: 44,
  answeredUs: 52,
  received: 60,
  highest: 64,
  unique: 68,
  duplicates: 72,
  reordered: 76,
  jitterMs: 80,
}
const ECHO_END = 84

const MAGIC = 0x4b53544e
const VERSION = 1
const RTP_VERSION_2 = 0x80
const KINDS = ['hello', 'challenge', 'probe', 'echo'] as const
/** Ticks of the PCMU clock per microsecond (8000 Hz). */
const TICKS_PER_US = 0.008
const SEQUENCE_MOD = 0x1_0000
const TICKS_MOD = 0x1_0000_0000

export const RTP_HEADER_BYTES = 12
export const SESSION_BYTES = 8
export const COOKIE_BYTES = 16
export const SEAL_BYTES = 16
/** A challenge is smaller than any packet it answers. */
export const CHALLENGE_BYTES = 68
/** What hellos and probes must measure at least, so that an echo of the same size holds all it says. */
export const MIN_PACKET_BYTES = ECHO_END + SEAL_BYTES
export const MAX_PACKET_BYTES = 1472

/** Tester to reflector: who are you, and do you know this session? */
export interface Hello {
  readonly kind: 'hello'
  readonly session: Uint8Array
  /** Counts the tester's hellos. */
  readonly number: number
}

/** Reflector to tester: send this cookie along, so that I know you get what is sent to your address. */
export interface Challenge {
  readonly kind: 'challenge'
  readonly session: Uint8Array
  readonly cookie: Uint8Array
  /** Of the hello it answers. */
  readonly number: number
  /** The reflector has counts of this session. */
  readonly known: boolean
}

/** Tester to reflector: a packet of the stream. Sequence numbers of a session begin at 0 and do not wrap. */
export interface TestProbe {
  readonly kind: 'probe'
  readonly session: Uint8Array
  readonly cookie: Uint8Array
  readonly sequence: number
  /** By the tester's monotonic clock, which means nothing to anybody else. */
  readonly sentUs: number
}

/** What the reflector has counted in a session, up to and including the probe it answers. */
export interface ForwardCounts {
  readonly received: number
  /** Highest sequence number received: expected is one more. */
  readonly highest: number
  readonly unique: number
  readonly duplicates: number
  readonly reordered: number
  readonly jitterMs: number
}

/** Reflector to tester: the answer to one probe, as large as the probe. */
export interface Echo extends ForwardCounts {
  readonly kind: 'echo'
  readonly session: Uint8Array
  /** Of the probe it answers, and when that was sent. */
  readonly sequence: number
  readonly sentUs: number
  /** The reflector's answers have numbers of their own, from 0. */
  readonly ownSequence: number
  /** By the reflector's monotonic clock. */
  readonly receivedUs: number
  readonly answeredUs: number
}

export type TestPacket = Hello | Challenge | TestProbe | Echo

/** Writes a packet of `size` octets with its seal still empty. */
export function encodePacket(packet: TestPacket, size: number, nowUs: number): Uint8Array {
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  const sequence = packet.kind === 'echo' ? packet.ownSequence : sequenceOf(packet)
  bytes[0] = RTP_VERSION_2
  view.setUint16(AT.rtpSequence, sequence % SEQUENCE_MOD)
  // The true time of sending, not a multiple of the packet time: a late sender is not jitter of the network.
  view.setUint32(AT.timestamp, Math.round(nowUs * TICKS_PER_US) % TICKS_MOD)
  view.setUint32(AT.ssrc, ssrcOf(packet))
  view.setUint32(AT.magic, MAGIC)
  bytes[AT.version] = VERSION
  bytes[AT.kind] = KINDS.indexOf(packet.kind) + 1
  bytes.set(packet.session, AT.session)
  switch (packet.kind) {
    case 'hello':
      view.setUint32(HELLO.number, packet.number)
      break
    case 'challenge':
      bytes.set(packet.cookie, CHALLENGE.cookie)
      view.setUint32(CHALLENGE.number, packet.number)
      bytes[CHALLENGE.known] = packet.known ? 1 : 0
      break
    case 'probe':
      bytes.set(packet.cookie, PROBE.cookie)
      view.setUint32(PROBE.sequence, packet.sequence)
      view.setFloat64(PROBE.sentUs, packet.sentUs)
      break
    case 'echo':
      view.setUint32(ECHO.sequence, packet.sequence)
      view.setUint32(ECHO.ownSequence, packet.ownSequence)
      view.setFloat64(ECHO.sentUs, packet.sentUs)
      view.setFloat64(ECHO.receivedUs, packet.receivedUs)
      view.setFloat64(ECHO.answeredUs, packet.answeredUs)
      view.setUint32(ECHO.received, packet.received)
      view.setUint32(ECHO.highest, packet.highest)
      view.setUint32(ECHO.unique, packet.unique)
      view.setUint32(ECHO.duplicates, packet.duplicates)
      view.setUint32(ECHO.reordered, packet.reordered)
      view.setFloat32(ECHO.jitterMs, packet.jitterMs)
      break
  }
  return bytes
}

/** Reads a packet whose seal has been verified, or says by undefined that it is none of ours. */
export function decodePacket(bytes: Uint8Array): TestPacket | undefined {
  if (!looksLikeOurs(bytes)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kind = KINDS[view.getUint8(AT.kind) - 1]
  const session = bytes.slice(AT.session, AT.session + SESSION_BYTES)
  if (kind === 'challenge') {
    return {
      kind,
      session,
      cookie: bytes.slice(CHALLENGE.cookie, CHALLENGE.cookie + COOKIE_BYTES),
      number: view.getUint32(CHALLENGE.number),
      known: view.getUint8(CHALLENGE.known) === 1,
    }
  }
  if (kind === undefined || bytes.length < MIN_PACKET_BYTES) return undefined
  switch (kind) {
    case 'hello':
      return { kind, session, number: view.getUint32(HELLO.number) }
    case 'probe':
      return {
        kind,
        session,
        cookie: bytes.slice(PROBE.cookie, PROBE.cookie + COOKIE_BYTES),
        sequence: view.getUint32(PROBE.sequence),
        sentUs: view.getFloat64(PROBE.sentUs),
      }
    case 'echo':
      return {
        kind,
        session,
        sequence: view.getUint32(ECHO.sequence),
        ownSequence: view.getUint32(ECHO.ownSequence),
        sentUs: view.getFloat64(ECHO.sentUs),
        receivedUs: view.getFloat64(ECHO.receivedUs),
        answeredUs: view.getFloat64(ECHO.answeredUs),
        received: view.getUint32(ECHO.received),
        highest: view.getUint32(ECHO.highest),
        unique: view.getUint32(ECHO.unique),
        duplicates: view.getUint32(ECHO.duplicates),
        reordered: view.getUint32(ECHO.reordered),
        jitterMs: view.getFloat32(ECHO.jitterMs),
      }
  }
}

/** Cheap enough to be asked of every datagram, before its seal is computed. */
export function looksLikeOurs(bytes: Uint8Array): boolean {
  if (bytes.length < CHALLENGE_BYTES || bytes.length > MAX_PACKET_BYTES) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return (
    view.getUint8(0) === RTP_VERSION_2 &&
    view.getUint32(AT.magic) === MAGIC &&
    view.getUint8(AT.version) === VERSION
  )
}

function sequenceOf(packet: Exclude<TestPacket, Echo>): number {
  return packet.kind === 'probe' ? packet.sequence : packet.number
}

/** Streams of a session are told apart by it: probes, echoes, and what comes before them. */
function ssrcOf({ kind, session }: TestPacket): number {
  const base = new DataView(session.buffer, session.byteOffset).getUint32(0)
  return (base ^ (kind === 'probe' ? 0 : kind === 'echo' ? 1 : 2)) >>> 0
}
