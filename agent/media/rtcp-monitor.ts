import type { Datagram } from '../capture/frame.ts'
import { middleOfNtp } from '../rtp/round-trip.ts'
import type { ExtendedReport, XrBlock } from '../rtp/rtcp-xr.ts'
import type { ReportBlock, RtcpPacket } from '../rtp/rtcp-packet.ts'
import { parseRtcp } from '../rtp/rtcp.ts'
import { datagramPath, type DatagramPath } from './datagram-path.ts'
import { RecentMap } from './recent-map.ts'
import type { ReportRow, RtcpCounts } from './report-row.ts'
import { ReportedStream, type StreamIdentity } from './reported-stream.ts'
import { RoundTrips } from './round-trips.ts'

/** Who reported nothing for so long is forgotten: many times the usual 5 s, as large conferences report rarely. */
const IDLE_US = 300_000_000
/** A round trip that a telephone reported longer ago says nothing about now. */
const MAX_AGE_US = 60_000_000
/** An SSRC that so many streams share (test equipment gives all its calls the same one) tells none of them apart. */
const MAX_SHARED = 16

/** The stream with this SSRC whose receiver is the datagram's sender; undefined when there is none. */
export type FindStream = (ssrc: number, datagram: Datagram) => StreamIdentity | undefined

export interface RtcpMonitorOptions {
  /** Pairs of a stream and a receiver that reports on it, at the same time; the least recent gives way. */
  readonly maxSources: number
  readonly findStream: FindStream
}

/** Where a stream arrives: tells streams apart that share an SSRC. */
export interface StreamReceiver {
  readonly dstIp: string
  readonly dstPort: number
}

/** One datagram under way through the monitor. */
interface Arrival {
  readonly datagram: Datagram
  readonly path: DatagramPath
  readonly timeUs: number
  /** Certainly not SRTCP: strangers may be believed. */
  readonly isWhole: boolean
}

type PacketCounts = Omit<RtcpCounts, 'invalid' | 'evicted'>

/** From RTCP to what receivers say about streams. SSRCs are 32 bits, signed. */
export class RtcpMonitor {
  readonly #findStream: FindStream
  readonly #reported: RecentMap<ReportedStream>
  readonly #bySsrc = new Map<number, Set<ReportedStream>>()
  readonly #roundTrips: RoundTrips
  /** Those with something to say since the last interval. */
  readonly #heard = new Set<ReportedStream>()
  readonly #counts: { -readonly [Name in keyof PacketCounts]: number } = {
    compounds: 0,
    senderReports: 0,
    receiverReports: 0,
    sourceDescriptions: 0,
    goodbyes: 0,
    extendedReports: 0,
    encrypted: 0,
  }
  readonly #invalid = new Map<string, number>()
  #nowUs = 0

  /** Called for every source that says it leaves; the datagram is valid during the call only. */
  onGoodbye: (ssrc: number, datagram: Datagram) => void = () => undefined

  constructor({ maxSources, findStream }: RtcpMonitorOptions) {
    this.#findStream = findStream
    this.#roundTrips = new RoundTrips(maxSources)
    this.#reported = new RecentMap(maxSources, (stream) => {
      this.#forget(stream)
    })
  }

  get counts(): RtcpCounts {
    return {
      ...this.#counts,
      invalid: Object.fromEntries(this.#invalid),
      evicted: this.#reported.evicted + this.#roundTrips.evicted,
    }
  }

  /** Takes the payload of a datagram: `octets` at `at` of `view`, of which `captured` are there. */
  handle(
    view: DataView,
    at: number,
    octets: number,
    captured: number,
    datagram: Datagram,
    timeUs: number,
  ): void {
    const result = parseRtcp(view, at, octets, captured)
    switch (result.kind) {
      case 'encrypted':
        this.#counts.encrypted++
        return
      case 'invalid':
        this.#refuse(result.reason)
        return
      case 'rtcp': {
        this.#counts.compounds++
        this.#nowUs = Math.max(this.#nowUs, timeUs)
        const { isWhole, packets } = result
        const arrival = { datagram, path: datagramPath(datagram), timeUs, isWhole }
        for (const packet of packets) this.#handlePacket(packet, arrival)
      }
    }
  }

  /** What was reported since the last interval, in the order of the first report. */
  takeInterval(endUs: number): readonly ReportRow[] {
    const rows = [...this.#heard].flatMap((stream) => stream.takeRows())
    this.#heard.clear()
    this.#reported.removeWhile(({ lastUs }) => lastUs < endUs - IDLE_US)
    return rows
  }

  /**
   * From end to end and back, of the stream with this SSRC: both legs when the tap knows them, else what its receiver's XR block said.
   * Where an SSRC is used by several streams only `receiver` tells which; without, it is unknown.
   */
  roundTripMs(ssrc: number, receiver?: StreamReceiver): number | undefined {
    const sharing = this.#bySsrc.get(ssrc)
    if (sharing === undefined || sharing.size > MAX_SHARED) return undefined
    const fitting = [...sharing].filter(({ identity: { dstIp, dstPort } }) =>
      receiver === undefined ? true : dstIp === receiver.dstIp && dstPort === receiver.dstPort,
    )
    const [stream] = fitting
    if (stream === undefined || fitting.length > 1) return undefined
    const own = stream.ownRoundTrip
    return (
      this.#roundTrips.endToEndMs(stream.path, this.#nowUs) ??
      (own !== undefined && this.#nowUs - own.atUs <= MAX_AGE_US ? own.ms : undefined)
    )
  }

  #handlePacket(packet: RtcpPacket, arrival: Arrival): void {
    const { path, timeUs } = arrival
    switch (packet.type) {
      case 'SR': {
        this.#counts.senderReports++
        const stamp = middleOfNtp(packet.ntpSeconds, packet.ntpFraction)
        this.#roundTrips.stamp(path, packet.ssrc, stamp, timeUs)
        for (const block of packet.reports) this.#handleBlock(block, arrival)
        return
      }
      case 'RR':
        this.#counts.receiverReports++
        for (const block of packet.reports) this.#handleBlock(block, arrival)
        return
      case 'XR':
        this.#counts.extendedReports++
        for (const block of packet.blocks) this.#handleExtended(block, packet, arrival)
        return
      case 'BYE':
        this.#counts.goodbyes++
        for (const ssrc of packet.sources) this.onGoodbye(ssrc, arrival.datagram)
        return
      case 'SDES':
        this.#counts.sourceDescriptions++
    }
  }

  #handleBlock(block: ReportBlock, arrival: Arrival): void {
    const stream = this.#find(block.ssrc, arrival)
    if (stream === undefined) return
    const { ssrc, lastSenderReport, delaySinceLastSenderReport } = block
    const leg = this.#roundTrips.answer(
      arrival.path,
      ssrc,
      lastSenderReport,
      delaySinceLastSenderReport,
      arrival.timeUs,
    )
    const fault = stream.report(block, leg)
    if (fault !== undefined) this.#refuse(fault)
    this.#heard.add(stream)
  }

  #handleExtended(block: XrBlock, { ssrc }: ExtendedReport, arrival: Arrival): void {
    const { path, timeUs } = arrival
    switch (block.type) {
      case 'RRT':
        this.#roundTrips.stamp(path, ssrc, middleOfNtp(block.ntpSeconds, block.ntpFraction), timeUs)
        return
      case 'DLRR':
        for (const { ssrc: asker, lastReceiverReport, delaySinceLastReceiverReport } of block.items)
          this.#roundTrips.answer(
            path,
            asker,
            lastReceiverReport,
            delaySinceLastReceiverReport,
            timeUs,
          )
        return
      case 'VoIP': {
        const stream = this.#find(block.ssrc, arrival)
        if (stream === undefined) return
        stream.extendedReport(block, timeUs)
        this.#heard.add(stream)
      }
    }
  }

  /** The stream reported on. Undefined when neither we nor a whole datagram vouches for it. */
  #find(ssrc: number, { datagram, path, timeUs, isWhole }: Arrival): ReportedStream | undefined {
    const identity = this.#findStream(ssrc, datagram)
    const key = `${path.there} ${ssrc}`
    const known = this.#reported.use(key)
    if (known === undefined && identity === undefined && !isWhole) {
      this.#refuse('truncated')
      return undefined
    }
    const stream = known ?? new ReportedStream(ssrc, path, datagram)
    stream.identify(identity)
    stream.lastUs = timeUs
    if (known === undefined) {
      this.#reported.set(key, stream)
      const sharing = this.#bySsrc.get(ssrc)
      if (sharing === undefined) this.#bySsrc.set(ssrc, new Set([stream]))
      else sharing.add(stream)
    }
    return stream
  }

  #forget(stream: ReportedStream): void {
    this.#heard.delete(stream)
    const sharing = this.#bySsrc.get(stream.ssrc)
    sharing?.delete(stream)
    if (sharing?.size === 0) this.#bySsrc.delete(stream.ssrc)
  }

  #refuse(reason: string): void {
    this.#invalid.set(reason, (this.#invalid.get(reason) ?? 0) + 1)
  }
}
