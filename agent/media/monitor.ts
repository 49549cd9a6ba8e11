import {
  Datagram,
  FRAGMENT,
  FRAME_VERDICTS,
  IS_TCP,
  IS_UDP,
  TRUNCATED,
  decodeFrame,
} from '../capture/frame.ts'
import { Reassembler } from '../capture/reassembler.ts'
import { passes, type PortRange, type StreamFilter } from '../capture/stream-filter.ts'
import {
  BAD_PADDING,
  FIXED_OCTETS,
  IS_RTCP,
  IS_RTP,
  NOT_RTP,
  RTP_VERDICTS,
  RtpPacket,
  SHORT,
  STUN,
  TURN,
  parseRtp,
} from '../rtp/packet.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import type { SignallingInterval, SignallingOptions } from '../signalling/signalling-row.ts'
import type { CallRow, SipCounts } from './call-row.ts'
import { openChannel } from './channel-data.ts'
import { MediaTable } from './media-table.ts'
import type { ReportRow, RtcpCounts } from './report-row.ts'
import { RtcpMonitor } from './rtcp-monitor.ts'
import { SipTap } from './sip-tap.ts'
import type { StallRow } from './stall-row.ts'
import { StreamMonitor, type StreamMonitorOptions } from './stream-monitor.ts'
import type { StreamRow } from './stream-row.ts'

/** Registered for SIP and SIP over TLS (RFC 3261 section 19.1.2). */
export const DEFAULT_SIP_PORTS: readonly PortRange[] = [{ from: 5060, to: 5061 }]

const MAX_CALLS = 50_000
/** Both parties, and room for forked legs and early media. */
const MEDIA_PER_CALL = 4
const LINK_RAW = 101
const MAX_PORT = 65_535
/** RFC 8489 section 5: what every STUN message has at octet 4. */
const STUN_COOKIE = 0x2112a442
const STUN_COOKIE_AT = 4
const STUN_OCTETS = 20

export interface MonitorOptions extends StreamMonitorOptions {
  readonly filter: StreamFilter
  /** Where SIP is looked for; elsewhere it is known by its first line. */
  readonly sipPorts?: readonly PortRange[] | undefined
  /** What is to be known of signalling itself; undefined when nobody wants to. */
  readonly signalling?: SignallingOptions | undefined
}

/** What was made of the frames between two moments. */
export interface MonitorInterval {
  readonly streams: readonly StreamRow[]
  readonly reports: readonly ReportRow[]
  /** Calls something happened to in the interval, or that are up. */
  readonly calls: readonly CallRow[]
  readonly signalling: SignallingInterval
  /** Frames and octets on the wire of all of them, RTP or not, since the beginning. */
  readonly frames: number
  readonly octets: number
  /** Since the beginning. */
  readonly rtcp: RtcpCounts
  readonly sip: SipCounts
  /** Frames of the interval nothing was made of, by reason. */
  readonly ignored: Readonly<Record<string, number>>
  /** Streams dropped because there were too many. */
  readonly evicted: number
}

/** What became of the frames since the beginning: of a stream, or one of these. */
export interface MonitorCounts {
  readonly frames: number
  /** On the wire. */
  readonly octets: number
  /** Frames handed on to RtcpMonitor and CallMonitor. */
  readonly rtcpFrames: number
  readonly sipFrames: number
  /** Frames nothing was made of, by reason. */
  readonly ignored: Readonly<Record<string, number>>
  /** Packets of sources not yet known to be streams. */
  readonly pending: number
  readonly streams: number
  /** Streams dropped because the table was full, with what was counted of them since their last interval. */
  readonly evicted: number
  /** Stalls nobody was told the end of, as there were too many at once. */
  readonly stallsDropped: number
}

/** Every frame of a capture goes through here: RTP to the streams, RTCP to the reports, SIP to the calls (RFC 7983). */
export class Monitor {
  readonly #filter: StreamFilter
  /** For what goes the other way, or to other ports, than the RTP it is about. */
  readonly #controlFilter: StreamFilter
  readonly #signallingFilter: StreamFilter
  readonly #datagram = new Datagram()
  readonly #packet = new RtpPacket()
  readonly #reassembler = new Reassembler()
  readonly #streams: StreamMonitor
  readonly #rtcp: RtcpMonitor
  readonly #sip: SipTap
  readonly #otherFrames = new Float64Array(FRAME_VERDICTS.length)
  readonly #otherDatagrams = new Float64Array(RTP_VERDICTS.length)
  #frames = 0
  #octets = 0
  #rtcpFrames = 0
  #sipFrames = 0
  #filtered = 0
  #timeUs = 0
  #before: Pick<MonitorCounts, 'ignored' | 'evicted'> = { ignored: {}, evicted: 0 }

  constructor(options: MonitorOptions) {
    const { filter, maxStreams, seed, sipPorts = DEFAULT_SIP_PORTS, signalling } = options
    const { networks, ports } = filter
    this.#filter = filter
    const oneUp = { from: ports.from, to: Math.min(MAX_PORT, ports.to + 1) }
    this.#controlFilter = { networks, ports: oneUp, from: [], to: [] }
    this.#signallingFilter = { networks, ports: { from: 0, to: MAX_PORT }, from: [], to: [] }
    const media = new MediaTable(MAX_CALLS * MEDIA_PER_CALL, seed)
    this.#streams = new StreamMonitor(options, media)
    this.#sip = new SipTap({ media, maxCalls: MAX_CALLS, ports: sipPorts, seed, signalling })
    this.#rtcp = new RtcpMonitor({
      maxSources: maxStreams,
      findStream: (ssrc, datagram) => this.#streams.reported(ssrc, datagram),
    })
    this.#rtcp.onGoodbye = (ssrc, datagram) => {
      this.#streams.goodbye(ssrc, datagram, this.#timeUs)
    }
  }

  /** Takes one frame. `wireOctets` is its length before the capture cut it. */
  readonly handleFrame = (
    view: DataView,
    offset: number,
    end: number,
    timeUs: number,
    linkType: number,
    wireOctets = end - offset,
  ): void => {
    this.#frames++
    this.#octets += wireOctets
    const verdict = decodeFrame(view, offset, end, linkType, this.#datagram)
    if (verdict === IS_UDP) this.#handleUdp(view, timeUs)
    else this.#handleOther(verdict, view, timeUs)
  }

  /** `isLast`: no frame will follow. */
  takeInterval(endUs: number, isLast = false): MonitorInterval {
    const roundTripMs = this.#rtcp.roundTripMs.bind(this.#rtcp)
    const streams = this.#streams.takeInterval(endUs, roundTripMs, isLast)
    const { frames, octets, ignored, evicted } = this.counts
    const before = this.#before
    this.#before = { ignored, evicted }
    return {
      streams,
      reports: this.#rtcp.takeInterval(endUs),
      calls: this.#sip.takeInterval(endUs),
      signalling: this.#sip.takeSignalling(endUs),
      frames,
      octets,
      rtcp: this.#rtcp.counts,
      sip: this.#sip.counts,
      ignored: differences(ignored, before.ignored),
      evicted: evicted - before.evicted,
    }
  }

  /** Whether no stream is up. */
  get isIdle(): boolean {
    return this.#streams.isIdle
  }

  /** The time up to this one is passed over, as nothing is up in it. */
  forget(nowUs: number): void {
    this.#streams.forget(nowUs)
  }

  /**
   * Streams that fell silent without a reason, are still silent, or came back, since the last call. Everything the tap saw before
   * `nowUs` must have been handed over, or its own delay would pass for silence.
   */
  takeStalls(nowUs: number): readonly StallRow[] {
    return this.#streams.takeStalls(nowUs)
  }

  /** What signalling said that cannot wait, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    return this.#sip.takeEvents()
  }

  get counts(): MonitorCounts {
    const ignored: Record<string, number> = {}
    const add = (reason: string, count: number) => {
      if (count > 0) ignored[reason] = (ignored[reason] ?? 0) + count
    }
    const { pending, unconfirmed, refused, streams, evicted, stallsDropped } = this.#streams.counts
    FRAME_VERDICTS.forEach((reason, verdict) => {
      add(reason, this.#otherFrames[verdict] ?? 0)
    })
    RTP_VERDICTS.forEach((reason, verdict) => {
      add(reason, this.#otherDatagrams[verdict] ?? 0)
    })
    add('filtered', this.#filtered)
    add('unconfirmed', unconfirmed)
    add('rtcp-payload-type', refused)
    return {
      frames: this.#frames,
      octets: this.#octets,
      rtcpFrames: this.#rtcpFrames,
      sipFrames: this.#sipFrames,
      ignored,
      pending,
      streams,
      evicted,
      stallsDropped,
    }
  }

  #handleUdp(view: DataView, timeUs: number): void {
    const datagram = this.#datagram
    const { payloadAt, payloadOctets, capturedOctets } = datagram
    const verdict = parseRtp(view, payloadAt, payloadOctets, capturedOctets, this.#packet)
    // The sequence rule decides better than a padding count, which SRTP encrypts and a short snap length leaves out.
    if (verdict !== IS_RTP && verdict !== BAD_PADDING) this.#handleNoRtp(verdict, view, timeUs)
    else if (passes(this.#filter, datagram)) this.#streams.receive(datagram, this.#packet, timeUs)
    else this.#filtered++
  }

  #handleNoRtp(verdict: number, view: DataView, timeUs: number): void {
    const datagram = this.#datagram
    if (verdict === IS_RTCP) this.#handleRtcp(view, timeUs)
    else if (this.#sip.isDatagram(view, datagram)) this.#handleSip(view, timeUs)
    else if (!passes(this.#filter, datagram)) this.#filtered++
    else if (verdict === TURN && openChannel(view, datagram)) this.#handleUdp(view, timeUs)
    else if (verdict === SHORT && datagram.payloadOctets >= FIXED_OCTETS)
      this.#countFrame(TRUNCATED)
    else if (verdict === STUN && !isStun(view, datagram)) this.#countDatagram(NOT_RTP)
    else this.#countDatagram(verdict)
  }

  #handleRtcp(view: DataView, timeUs: number): void {
    const datagram = this.#datagram
    if (!passes(this.#controlFilter, datagram)) {
      this.#filtered++
      return
    }
    const { payloadAt, payloadOctets, capturedOctets } = datagram
    this.#rtcpFrames++
    this.#timeUs = timeUs
    this.#rtcp.handle(view, payloadAt, payloadOctets, capturedOctets, datagram, timeUs)
  }

  /** A datagram of SIP; when it is only the first piece, the others are waited for. */
  #handleSip(view: DataView, timeUs: number): void {
    if (!passes(this.#signallingFilter, this.#datagram)) this.#filtered++
    else if (this.#datagram.moreFragments) this.#handleFragment(view, timeUs)
    else {
      this.#sipFrames++
      this.#streams.beforeSignalling(timeUs)
      this.#sip.handleDatagram(view, this.#datagram, timeUs)
      this.#streams.afterSignalling(timeUs)
    }
  }

  #handleOther(verdict: number, view: DataView, timeUs: number): void {
    if (verdict === IS_TCP) this.#handleTcp(view, timeUs)
    else if (verdict === FRAGMENT) this.#handleFragment(view, timeUs)
    else this.#countFrame(verdict)
  }

  #handleTcp(view: DataView, timeUs: number): void {
    const datagram = this.#datagram
    if (!this.#sip.isSegment(view, datagram)) this.#countFrame(IS_TCP)
    else if (!passes(this.#signallingFilter, datagram)) this.#filtered++
    else {
      this.#sipFrames++
      this.#streams.beforeSignalling(timeUs)
      this.#sip.handleSegment(view, datagram, timeUs)
      this.#streams.afterSignalling(timeUs)
    }
  }

  /** Pieces are put together for SIP alone: of RTP the first one was counted as the packet. */
  #handleFragment(view: DataView, timeUs: number): void {
    const octets = this.#reassembler.add(view, this.#datagram, timeUs)
    const whole = this.#reassembler.view
    const verdict =
      octets === 0 ? FRAGMENT : decodeFrame(whole, 0, octets, LINK_RAW, this.#datagram)
    if (verdict === IS_TCP) this.#handleTcp(whole, timeUs)
    else if (verdict === IS_UDP && this.#sip.isDatagram(whole, this.#datagram))
      this.#handleSip(whole, timeUs)
    else this.#countFrame(FRAGMENT)
  }

  #countFrame(verdict: number): void {
    this.#otherFrames[verdict] = (this.#otherFrames[verdict] ?? 0) + 1
  }

  #countDatagram(verdict: number): void {
    this.#otherDatagrams[verdict] = (this.#otherDatagrams[verdict] ?? 0) + 1
  }
}

function isStun(view: DataView, { payloadAt, payloadOctets, capturedOctets }: Datagram): boolean {
  return (
    payloadOctets >= STUN_OCTETS &&
    payloadOctets % Uint32Array.BYTES_PER_ELEMENT === 0 &&
    capturedOctets >= STUN_OCTETS &&
    view.getUint32(payloadAt + STUN_COOKIE_AT) === STUN_COOKIE
  )
}

function differences(
  now: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const grown = Object.entries(now).map(
    ([reason, count]) => [reason, count - (before[reason] ?? 0)] as const,
  )
  return Object.fromEntries(grown.filter(([, count]) => count > 0))
}
