import type { MessageSink } from './framer.ts'
import type { SipMessage } from './message.ts'
import {
  BAD_WEB_SOCKET,
  BODY_TOO_LONG,
  HEAD_TOO_LONG,
  INCOMPLETE,
  IS_SIP,
  KEEPALIVE,
  MAX_BODY_OCTETS,
  MAX_HEAD_OCTETS,
  NOT_SIP,
  WEB_SOCKET_EXTENSION,
} from './verdicts.ts'
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  MAX_CONTROL_OCTETS,
  MAX_HEADER_OCTETS,
  TEXT,
  WebSocketFrameHeader,
} from './web-socket-frame.ts'
import { carriesSip } from './web-socket-start.ts'

/** Cookies and all. */
const MAX_HANDSHAKE_OCTETS = 16_384
const MAX_MESSAGE_OCTETS = MAX_HEAD_OCTETS + MAX_BODY_OCTETS
const FIRST_BUFFER_OCTETS = 2048
/** A buffer larger than this is given back as soon as it is empty. */
const KEPT_BUFFER_OCTETS = 16_384
const HEAD_END = '\r\n\r\n'

const REQUEST = /^GET \S+ HTTP\/1\.1\r?\n/
const RESPONSE = /^HTTP\/1\.1 101 /
const UPGRADE = /^upgrade[ \t]*:(?:[^\r\n]*,)?[ \t]*websocket[ \t]*(?:,|\r|$)/im
/** Of what a client offers one may be SIP; a server chooses one (RFC 7118 section 4). */
const PROTOCOL = /^sec-websocket-protocol[ \t]*:(?:[^\r\n]*,)?[ \t]*sip[ \t]*(?:,|\r|$)/im

/** lost: where a frame begins is not known; over: nothing of interest follows. */
type State = 'handshake' | 'frames' | 'lost' | 'over'

/**
 * SIP out of one direction of a WebSocket in clear text (RFC 7118, RFC 6455): the handshake of HTTP, then frames, of the client masked,
 * a message in one or in several with pings between. Where octets are missing it goes on at a segment that begins with a message. Holds
 * one message of bounded length.
 */
export class WebSocketFramer {
  readonly #message: SipMessage
  readonly #frame = new WebSocketFrameHeader()
  readonly #header = new Uint8Array(MAX_HEADER_OCTETS)
  #headerLength = 0
  #state: State
  #isAgreed = false
  /** Frames of the client are masked, those of the server never; undefined until that is known. */
  #isMasked: boolean | undefined
  /** Of the payload of the frame that has come so far, when the frame has begun. */
  #payloadRead: number | undefined
  #buffer = Buffer.alloc(0)
  #length = 0
  /** A message has begun, and its last frame has not. */
  #isInMessage = false
  /** It cannot be read. */
  #isSkipping = false

  /** `isOpen`: the handshake was before. `message` is filled with every message in turn. */
  constructor(message: SipMessage, isOpen: boolean) {
    this.#message = message
    this.#state = isOpen ? 'frames' : 'handshake'
  }

  /** Octets of memory held. */
  get held(): number {
    return this.#buffer.length
  }

  /** The handshake was for SIP. */
  get isAgreed(): boolean {
    return this.#isAgreed
  }

  push(bytes: Uint8Array, sink: MessageSink): void {
    if (this.#state === 'lost' && carriesSip(bytes)) this.#state = 'frames'
    let at = this.#state === 'handshake' ? this.#shakeHands(bytes, sink) : 0
    while (at < bytes.length && this.#state === 'frames')
      at =
        this.#payloadRead === undefined
          ? this.#readHeader(bytes, at, sink)
          : this.#readPayload(bytes, at, this.#payloadRead, sink)
  }

  /** Octets are missing here: what had begun is given up. */
  lose(sink: MessageSink): void {
    const hasBegun = this.#headerLength > 0 || this.#payloadRead !== undefined
    if (
      this.#state === 'handshake' ||
      (this.#state === 'frames' && (hasBegun || this.#isInMessage))
    )
      sink.refused(INCOMPLETE)
    if (this.#state === 'frames') this.#stop('lost')
    else if (this.#state === 'handshake') this.#stop('over')
  }

  /** Returns where what follows the handshake begins. */
  #shakeHands(bytes: Uint8Array, sink: MessageSink): number {
    const before = this.#length
    const room = MAX_HANDSHAKE_OCTETS - before
    this.#append(bytes.subarray(0, room), 0)
    const end = this.#buffer.subarray(0, this.#length).indexOf(HEAD_END, Math.max(0, before - 3))
    if (end < 0) {
      if (bytes.length >= room) this.#refuse(HEAD_TOO_LONG, sink, 'over')
      return bytes.length
    }
    const head = this.#buffer.toString('latin1', 0, end)
    const isRequest = REQUEST.test(head)
    const isSip = (isRequest || RESPONSE.test(head)) && UPGRADE.test(head) && PROTOCOL.test(head)
    if (!isSip) {
      this.#refuse(NOT_SIP, sink, 'over')
      return bytes.length
    }
    this.#stop('frames')
    this.#isAgreed = true
    this.#isMasked = isRequest
    return end + HEAD_END.length - before
  }

  #readHeader(bytes: Uint8Array, at: number, sink: MessageSink): number {
    let next = at
    while (next < bytes.length && this.#headerLength < MAX_HEADER_OCTETS) {
      this.#header[this.#headerLength++] = bytes[next++] ?? 0
      if (this.#frame.read(this.#header, 0, this.#headerLength) === 0) continue
      this.#headerLength = 0
      this.#payloadRead = 0
      if (this.#frame.opcode === CLOSE) this.#stop('over')
      else if (!this.#isFrameInOrder()) this.#refuse(BAD_WEB_SOCKET, sink, 'lost')
      else {
        this.#begin(sink)
        if (this.#frame.payloadOctets === 0) this.#finish(sink)
      }
      return next
    }
    return next
  }

  #isFrameInOrder(): boolean {
    const { opcode, isControl, isFinal, hasExtension, isMasked, payloadOctets } = this.#frame
    this.#isMasked ??= isMasked
    if (isMasked !== this.#isMasked || !Number.isSafeInteger(payloadOctets)) return false
    // Ping and pong, and nobody knows another.
    if (isControl)
      return isFinal && !hasExtension && payloadOctets <= MAX_CONTROL_OCTETS && opcode <= CLOSE + 2
    return this.#isInMessage ? opcode === CONTINUATION : opcode === TEXT || opcode === BINARY
  }

  /** A frame of data or control whose header has come. */
  #begin(sink: MessageSink): void {
    const { isControl, hasExtension, payloadOctets } = this.#frame
    if (isControl) return
    this.#isInMessage = true
    if (this.#isSkipping) return
    const isTooLong = this.#length + payloadOctets > MAX_MESSAGE_OCTETS
    if (!hasExtension && !isTooLong) return
    sink.refused(hasExtension ? WEB_SOCKET_EXTENSION : BODY_TOO_LONG)
    this.#isSkipping = true
    this.#forget()
  }

  #readPayload(bytes: Uint8Array, at: number, read: number, sink: MessageSink): number {
    const { isControl, payloadOctets } = this.#frame
    const end = Math.min(bytes.length, at + payloadOctets - read)
    if (!isControl && !this.#isSkipping) this.#append(bytes.subarray(at, end), read)
    this.#payloadRead = read + end - at
    if (this.#payloadRead === payloadOctets) this.#finish(sink)
    return end
  }

  /** The frame is over, and maybe the message with it. */
  #finish(sink: MessageSink): void {
    this.#payloadRead = undefined
    if (this.#frame.isControl || !this.#frame.isFinal) return
    this.#isInMessage = false
    const isWhole = !this.#isSkipping && this.#length > 0
    this.#isSkipping = false
    // One message a frame, as in a datagram (RFC 7118 section 5).
    if (isWhole) this.#deliver(sink)
    this.#forget()
  }

  #deliver(sink: MessageSink): void {
    const verdict = this.#message.parse(this.#buffer, 0, this.#length)
    if (verdict === IS_SIP) sink.message(this.#message)
    else if (verdict !== KEEPALIVE) sink.refused(verdict)
  }

  #refuse(verdict: number, sink: MessageSink, state: State): void {
    sink.refused(verdict)
    this.#stop(state)
  }

  #stop(state: State): void {
    this.#state = state
    this.#headerLength = 0
    this.#payloadRead = undefined
    this.#isInMessage = false
    this.#isSkipping = false
    this.#forget()
  }

  /** `read`: how much of the frame's payload came before; the handshake has no mask. */
  #append(bytes: Uint8Array, read: number): void {
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) {
      let capacity = Math.max(FIRST_BUFFER_OCTETS, this.#buffer.length)
      while (capacity < length) capacity *= 2
      const buffer = Buffer.alloc(capacity)
      buffer.set(this.#buffer.subarray(0, this.#length))
      this.#buffer = buffer
    }
    this.#frame.unmask(bytes, 0, bytes.length, read, this.#buffer.subarray(this.#length))
    this.#length = length
  }

  #forget(): void {
    if (this.#buffer.length > KEPT_BUFFER_OCTETS) this.#buffer = Buffer.alloc(0)
    this.#length = 0
  }
}
