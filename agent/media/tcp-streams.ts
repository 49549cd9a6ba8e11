import type { Datagram } from '../capture/datagram.ts'
import type { MessageSink } from '../sip/framer.ts'
import type { SipMessage } from '../sip/message.ts'
import { isTokenOctet, lineFeedIn, trimmedEnd } from '../sip/octets.ts'
import { StartLine } from '../sip/start-line.ts'
import { StreamFramer } from '../sip/stream-framer.ts'
import { IS_SIP } from '../sip/verdicts.ts'
import { beginsWebSocket } from '../sip/web-socket-start.ts'
import { EvictionOrder } from './eviction-order.ts'
import { Hops } from './hop.ts'

const FIN = 1
const SYN = 2
const RST = 4

/** One direction of a connection waits for a missing segment with no more than this behind it. */
const MAX_PENDING_OCTETS = 65_536
const MAX_PENDING_SEGMENTS = 64
/** A lost segment comes again after at least 200 ms, most stacks' shortest, and at the second try after a second or so (RFC 6298). */
const MAX_WAIT_US = 3_000_000
/** Further ahead or behind is another connection of the same ports, the beginning of which was not seen. */
const MAX_JUMP = 1 << 20
/** Of all connections together. */
const MAX_HELD_OCTETS = 16 << 20
/** A first line longer than this is not looked at when a connection is met in the middle. */
const MAX_FIRST_LINE = 2048

export interface TcpStreamsOptions {
  readonly maxConnections: number
  readonly onMessage: (message: SipMessage, datagram: Datagram, timeUs: number) => void
  /** An index into SIP_VERDICTS; only of connections that have carried SIP. */
  readonly onRefused: (verdict: number) => void
}

/** One direction of a connection. */
interface Flow {
  readonly key: string
  readonly framer: StreamFramer
  /** The sequence number of the octet that comes next. */
  next: number
  /** Segments behind a missing one, in order. */
  readonly pending: Segment[]
  pendingOctets: number
  waitingSinceUs: number
  /** A message has come. */
  isProven: boolean
  /** What came first was not SIP. */
  isForeign: boolean
  held: number
}

interface Segment {
  readonly sequence: number
  readonly bytes: Uint8Array
  /** On the wire: there may be more than was captured. */
  readonly octets: number
}

/**
 * SIP out of TCP segments: each direction put in order by sequence numbers (RFC 9293 section 3.4), repeated octets taken once, what is
 * missing waited for and then passed over. A connection is followed from its SYN, or from a segment that begins with a start line or a
 * WebSocket, as long as it carries SIP; those that have carried none give way first.
 */
export class TcpStreams {
  readonly #hops = new Hops()
  readonly #options: TcpStreamsOptions
  readonly #message: SipMessage
  readonly #startLine = new StartLine()
  readonly #flows = new Map<string, Flow>()
  readonly #order = new EvictionOrder<Flow>()
  #held = 0
  /** Directions of connections that gave way to others. */
  evicted = 0

  /** `message` is filled with every message in turn. */
  constructor(message: SipMessage, options: TcpStreamsOptions) {
    this.#message = message
    this.#options = options
  }

  get size(): number {
    return this.#flows.size
  }

  /** Octets of memory held for messages that are not complete. */
  get held(): number {
    return this.#held
  }

  /** Takes one segment, as far as captured; one without payload too. */
  handle(captured: Uint8Array, datagram: Datagram, timeUs: number): void {
    const { tcpFlags, payloadOctets } = datagram
    const bytes = captured.subarray(0, payloadOctets)
    const isControl = (tcpFlags & (SYN | FIN | RST)) !== 0
    if (payloadOctets === 0 && !isControl) return
    const key = this.#hops.of(datagram)
    const flow = this.#flowOf(key, bytes, datagram)
    if (flow === undefined) return
    if ((tcpFlags & RST) !== 0) {
      this.#close(flow)
      return
    }
    this.#receive(flow, bytes, datagram, timeUs)
    if (flow.isForeign || (tcpFlags & FIN) !== 0) this.#close(flow)
    else this.#account(flow)
  }

  #flowOf(key: string, bytes: Uint8Array, datagram: Datagram): Flow | undefined {
    const { tcpFlags, tcpSequence } = datagram
    const known = this.#flows.get(key)
    if ((tcpFlags & SYN) !== 0) {
      const first = (tcpSequence + 1) >>> 0
      if (known?.next === first) return known
      if (known !== undefined) this.#close(known)
      return this.#open(key, first)
    }
    if (known !== undefined) return known
    const isOurs = this.#beginsLikeSip(bytes) || beginsWebSocket(bytes)
    return isOurs ? this.#open(key, tcpSequence) : undefined
  }

  #beginsLikeSip(bytes: Uint8Array): boolean {
    if (!isTokenOctet(bytes[0] ?? 0)) return false
    const lineFeed = lineFeedIn(bytes, 0, Math.min(bytes.length, MAX_FIRST_LINE))
    if (lineFeed < 0) return false
    return this.#startLine.read(bytes, 0, trimmedEnd(bytes, 0, lineFeed)) === IS_SIP
  }

  #receive(flow: Flow, bytes: Uint8Array, datagram: Datagram, timeUs: number): void {
    const sink = {
      message: (message: SipMessage) => {
        if (!flow.isProven) this.#prove(flow)
        this.#options.onMessage(message, datagram, timeUs)
      },
      refused: (verdict: number) => {
        if (flow.isProven || flow.framer.isAgreed) this.#options.onRefused(verdict)
        else flow.isForeign = true
      },
    }
    const isSyn = (datagram.tcpFlags & SYN) !== 0
    const sequence = (datagram.tcpSequence + (isSyn ? 1 : 0)) >>> 0
    const segment = { sequence, bytes, octets: datagram.payloadOctets }
    if (Math.abs(distance(flow, sequence)) > MAX_JUMP) {
      flow.framer.lose(sink)
      dropPending(flow)
      flow.next = sequence
    }
    if (flow.pending.length > 0 && timeUs - flow.waitingSinceUs > MAX_WAIT_US)
      this.#skip(flow, sink)
    if (distance(flow, sequence) > 0) {
      this.#wait(flow, segment, timeUs)
      const isTooMuch =
        flow.pendingOctets > MAX_PENDING_OCTETS || flow.pending.length > MAX_PENDING_SEGMENTS
      // Behind the last segment of a connection nothing comes any more.
      if (isTooMuch || (datagram.tcpFlags & FIN) !== 0) this.#skip(flow, sink)
    } else {
      deliver(flow, segment, sink)
      this.#drain(flow, sink)
    }
  }

  #wait(flow: Flow, { sequence, bytes, octets }: Segment, timeUs: number): void {
    const { pending } = flow
    if (pending.length === 0) flow.waitingSinceUs = timeUs
    const ahead = distance(flow, sequence)
    let place = pending.length
    while (place > 0 && distance(flow, pending[place - 1]?.sequence ?? 0) > ahead) place--
    // A copy: the next packet is read into the same memory, and slice() of a Buffer copies nothing.
    pending.splice(place, 0, { sequence, bytes: Buffer.from(bytes), octets })
    flow.pendingOctets += bytes.length
  }

  /** What is missing will not come: on with what is there. */
  #skip(flow: Flow, sink: MessageSink): void {
    while (flow.pending[0] !== undefined) {
      flow.framer.lose(sink)
      flow.next = flow.pending[0].sequence
      this.#drain(flow, sink)
    }
  }

  #drain(flow: Flow, sink: MessageSink): void {
    const { pending } = flow
    let first = pending[0]
    while (first !== undefined && distance(flow, first.sequence) <= 0) {
      pending.shift()
      flow.pendingOctets -= first.bytes.length
      deliver(flow, first, sink)
      first = pending[0]
    }
  }

  #open(key: string, next: number): Flow {
    if (this.#flows.size >= this.#options.maxConnections * 2) this.#evict()
    const flow: Flow = {
      key,
      framer: new StreamFramer(this.#message),
      next,
      pending: [],
      pendingOctets: 0,
      waitingSinceUs: 0,
      isProven: false,
      isForeign: false,
      held: 0,
    }
    this.#flows.set(key, flow)
    this.#order.add(flow, false)
    return flow
  }

  #prove(flow: Flow): void {
    flow.isProven = true
    this.#order.add(flow, true)
  }

  #evict(): void {
    const first = this.#order.first()
    if (first === undefined) return
    this.#close(first)
    this.evicted++
  }

  #close(flow: Flow): void {
    if (!this.#flows.delete(flow.key)) return
    this.#order.delete(flow)
    this.#held -= flow.held
  }

  #account(flow: Flow): void {
    const held = flow.framer.held + flow.pendingOctets
    this.#held += held - flow.held
    flow.held = held
    if (flow.isProven) this.#order.add(flow, true)
    while (this.#held > MAX_HELD_OCTETS) this.#evict()
  }
}

/** How far ahead of what comes next a sequence number is, modulo 2^32. */
function distance(flow: Flow, sequence: number): number {
  return (sequence - flow.next) | 0
}

/** Takes what is new of a segment that begins at, or before, the octet that comes next. */
function deliver(flow: Flow, { sequence, bytes, octets }: Segment, sink: MessageSink): void {
  const known = -distance(flow, sequence)
  if (known >= octets) return
  flow.next = (sequence + octets) >>> 0
  if (known < bytes.length) flow.framer.push(known > 0 ? bytes.subarray(known) : bytes, sink)
  if (bytes.length < octets) flow.framer.lose(sink)
}

function dropPending(flow: Flow): void {
  flow.pending.length = 0
  flow.pendingOctets = 0
}
