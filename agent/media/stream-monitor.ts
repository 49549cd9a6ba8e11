import type { Datagram } from '../capture/frame.ts'
import type { CodecTable } from '../rtp/codec-impairments.ts'
import type { Measures } from '../rtp/measures.ts'
import type { RtpPacket } from '../rtp/packet.ts'
import { AUDIO, kindWithoutName, payloadKind } from '../rtp/payload.ts'
import { Announcements } from './announcements.ts'
import { isEncryptedBySize } from './encryption.ts'
import { Lookout, QUIET_US } from './lookout.ts'
import type { MediaTable } from './media-table.ts'
import { RtcpStreams, type ReportedStream } from './rtcp-streams.ts'
import { SourceTrial } from './source-trial.ts'
import type { StallRow } from './stall-row.ts'
import { StallWatch } from './stall-watch.ts'
import { SSRC_WORD } from './stream-key.ts'
import { endsOf, streamRow, type StreamEnds, type StreamRow } from './stream-row.ts'
import { Streams } from './streams.ts'
import { isRtcpType, type WatchedStream } from './watched-stream.ts'

/** No kind of packet: it is not RTP after all. */
const NO_KIND = -1
/** Rows taken within an interval. What more streams did before they moved counts where they are now; those that are over count as evicted. */
const MAX_TOLD = 4000

export interface StreamMonitorOptions {
  /** Streams watched at the same time. */
  readonly maxStreams: number
  /** Packets in sequence that make a stream where signalling did not announce it. */
  readonly probation: number
  /** Any 32 bits nobody else knows. */
  readonly seed: number
  /** Impairments of codecs; G.113 where absent. */
  readonly codecs?: CodecTable | undefined
}

/** How long it takes to the other end and back, of a stream with this SSRC and receiver. */
export type RoundTrips = (
  ssrc: number,
  receiver: Pick<StreamEnds, 'dstIp' | 'dstPort'>,
) => number | undefined

/** What became of the packets since the monitor began; streams take the rest. */
export interface StreamCounts {
  /** Packets of sources not yet known to be streams. */
  readonly pending: number
  /** Packets of sources that did not become one. */
  readonly unconfirmed: number
  /** Packets whose payload type belongs to RTCP. */
  readonly refused: number
  readonly streams: number
  /** Streams dropped because the table was full, with what was counted of them since their last interval. */
  readonly evicted: number
  /** Stalls nobody was told the end of, as there were too many at once. */
  readonly stallsDropped: number
}

/**
 * From RTP packets to streams. A source is counted from its first packet, but is a stream, and reported, only when its probation is
 * over, or signalling announced it. Per packet nothing is allocated.
 */
export class StreamMonitor {
  readonly #codecs: CodecTable | undefined
  readonly #streams: Streams
  readonly #announcements: Announcements
  readonly #lookout: Lookout
  readonly #trial: SourceTrial
  readonly #rtcp: RtcpStreams
  readonly #stalls: StallWatch
  /** Rows of streams that went on at another address, or made way for another call, up to then. */
  #told: StreamRow[] = []
  #untold = 0
  #refused = 0

  constructor({ maxStreams, probation, seed, codecs }: StreamMonitorOptions, media: MediaTable) {
    this.#codecs = codecs
    this.#announcements = new Announcements(media)
    this.#streams = new Streams(maxStreams, seed, (stream, watched) => {
      this.#stalls.leave(stream, watched)
    })
    this.#lookout = new Lookout(this.#streams, this.#announcements)
    this.#trial = new SourceTrial(
      probation,
      this.#streams,
      this.#announcements,
      this.#lookout,
      (stream, watched) => {
        this.#tell(stream, watched, false)
      },
    )
    this.#rtcp = new RtcpStreams(this.#streams)
    this.#stalls = new StallWatch(this.#streams, this.#lookout)
  }

  /** Takes one RTP packet. */
  receive(datagram: Datagram, packet: RtpPacket, timeUs: number): void {
    if (timeUs >= this.#lookout.againUs) this.#lookout.lookAtAll(timeUs)
    const streams = this.#streams
    const { reception } = streams
    const found = streams.find(datagram, packet.ssrc)
    const source = found < 0 ? this.#trial.open(datagram, packet) : found
    const tried = source < 0 ? undefined : streams.watched(source)
    const kind = tried === undefined ? NO_KIND : this.#kindOf(source, tried, packet)
    if (tried === undefined || kind === NO_KIND) {
      this.#refused++
      return
    }
    const isOnTrial = tried.remaining > 0
    const stream = isOnTrial ? this.#trial.take(source, tried, packet, timeUs) : source
    const watched = isOnTrial ? (streams.watched(stream) ?? tried) : tried
    const isQuiet = timeUs - reception.lastArrivalUs(stream) >= QUIET_US
    if ((isQuiet || packet.marker) && !isOnTrial) {
      if (this.#lookout.isOfNextCall(stream, watched, packet.sequenceNumber, isQuiet)) {
        this.#replace(stream, watched, datagram, packet, timeUs)
        return
      }
    }
    if (isQuiet) this.#lookout.look(stream, watched, timeUs)
    if (watched.isResting) streams.wake(watched)
    watched.dscp = datagram.dscp
    reception.receive(
      stream,
      packet.sequenceNumber,
      packet.timestamp,
      timeUs,
      packet.payloadOctets,
      kind === AUDIO ? watched.usPerTick : 0,
      packet.marker,
      kind,
    )
  }

  /** The addresses of a stream, and its SSRC, have gone to the next call: this is its first packet. */
  #replace(
    stream: number,
    watched: WatchedStream,
    datagram: Datagram,
    packet: RtpPacket,
    timeUs: number,
  ): void {
    if (!watched.isResting) this.#tell(stream, watched, true)
    this.#streams.demote(stream, watched)
    this.#trial.openAgain(stream, watched, datagram, packet)
    this.receive(datagram, packet, timeUs)
  }

  /** Signalling is about to say something: what is silent now is judged by what it said before. */
  beforeSignalling(timeUs: number): void {
    this.#lookout.beforeSignalling(timeUs)
  }

  /** Signalling may have said something. */
  afterSignalling(timeUs: number): void {
    this.#lookout.afterSignalling(timeUs)
  }

  /** The sender of the datagram says in RTCP that its source of this SSRC ends (RFC 3550 section 6.6). */
  goodbye(ssrc: number, datagram: Datagram, timeUs: number): void {
    for (const stream of this.#rtcp.sentWith(ssrc, datagram)) {
      const watched = this.#streams.watched(stream)
      if (watched !== undefined) watched.leftUs = timeUs
    }
  }

  /** The stream with this SSRC that the sender of an RTCP datagram receives. */
  reported(ssrc: number, datagram: Datagram): ReportedStream | undefined {
    return this.#rtcp.receivedBy(ssrc, datagram)
  }

  /**
   * The interval that ends here: a row for every stream that something came of since the last one, that has stalled, or that is over, in
   * the order of their first packets. Streams that are over rest for a while, then leave. `isLast`: no packet will follow, of any stream,
   * and each has a row, as it may still have been open what was lost.
   */
  takeInterval(endUs: number, roundTripMs: RoundTrips, isLast = false): readonly StreamRow[] {
    const { reception } = this.#streams
    this.#stalls.nowUs = endUs
    const rows = this.#told
    this.#told = []
    for (const stream of this.#streams.all) {
      const watched = this.#streams.watched(stream)
      if (watched === undefined || watched.remaining > 0) continue
      this.#lookout.look(stream, watched, endUs)
      if (watched.isResting) continue
      const hasArrivals = !Number.isNaN(reception.firstArrivalUs(stream))
      if (hasArrivals)
        this.#announcements.heard(this.#streams.keyOf(stream), reception.lastArrivalUs(stream))
      const ended = this.#lookout.isOver(stream, watched, endUs)
      const isClosing = ended || isLast
      if (!hasArrivals && !isClosing && reception.stalledUs(stream, endUs) === 0) continue
      const measures = reception.measures(stream, endUs, isClosing)
      rows.push(this.#takeRow(stream, watched, measures, ended, roundTripMs))
      if (ended) this.#streams.rest(stream, watched)
    }
    this.forget(endUs)
    // Nobody will learn any more what they were.
    if (isLast) this.#streams.remove((_, { remaining }) => remaining > 0)
    return rows
  }

  /** No stream was heard of until now: those that were over before may be forgotten. */
  forget(nowUs: number): void {
    this.#streams.remove((stream, watched) => this.#lookout.isGone(stream, watched, nowUs))
  }

  /** Whether nothing is up: all streams are over. */
  get isIdle(): boolean {
    return this.#streams.confirmed === this.#streams.resting
  }

  /** Stalls that began, went on or ended since the last call, as far as they need to be told. */
  takeStalls(nowUs: number): readonly StallRow[] {
    return this.#stalls.take(nowUs)
  }

  get counts(): StreamCounts {
    const { pending, unconfirmed, confirmed, resting, evicted } = this.#streams
    return {
      pending,
      unconfirmed,
      refused: this.#refused,
      streams: confirmed - resting,
      evicted: evicted + this.#untold,
      stallsDropped: this.#stalls.dropped,
    }
  }

  /** What kind of packet it is; the stream follows when it is audio of another codec. */
  #kindOf(stream: number, watched: WatchedStream, packet: RtpPacket): number {
    const { payloadType } = packet
    if (payloadType === watched.payloadType) return watched.kind
    const payload = this.#lookout.otherPayload(stream, watched, payloadType)
    if (payload === undefined) {
      if (isRtcpType(payloadType)) return NO_KIND
      // Keeps a port open, and says nothing (RFC 6263 section 4.6).
      if (packet.payloadOctets === 0) return watched.kind
    }
    const kind =
      payload === undefined
        ? kindWithoutName(payloadType, packet.payloadOctets)
        : payloadKind(payload.name)
    if (kind === AUDIO) this.#lookout.follow(stream, watched, payloadType, payload)
    return kind
  }

  /** Takes the row of a stream within the interval: it moves to another address, or it is over. */
  #tell(stream: number, watched: WatchedStream, ended: boolean): void {
    const { reception } = this.#streams
    if (this.#told.length >= MAX_TOLD) {
      if (ended) this.#untold++
      return
    }
    if (!ended && Number.isNaN(reception.firstArrivalUs(stream))) return
    const measures = reception.measures(stream, reception.lastArrivalUs(stream), ended)
    this.#told.push(this.#takeRow(stream, watched, measures, ended, () => undefined))
  }

  #takeRow(
    stream: number,
    watched: WatchedStream,
    measures: Measures,
    ended: boolean,
    roundTripMs: RoundTrips,
  ): StreamRow {
    const { reception } = this.#streams
    const { toward, from, payloadType, payload, dscp, isNew } = watched
    const key = this.#streams.keyOf(stream)
    const ends = endsOf(key)
    const ssrc = key[SSRC_WORD] ?? 0
    const described = toward ?? from
    if (described === undefined)
      watched.isEncrypted = isEncryptedBySize(payload, measures) ?? watched.isEncrypted
    const firstUs = reception.firstArrivalUs(stream)
    const hasArrivals = !Number.isNaN(firstUs)
    watched.isNew = false
    reception.startInterval(stream)
    return streamRow(
      {
        ends,
        ssrc,
        payloadType,
        payload,
        dscp,
        first: isNew,
        ended,
        firstUs: hasArrivals ? firstUs : undefined,
        lastUs: hasArrivals ? reception.lastArrivalUs(stream) : undefined,
        isEncrypted: described?.isEncrypted ?? watched.isEncrypted,
        callId: described?.callId,
        roundTripMs: roundTripMs(ssrc, ends),
      },
      measures,
      this.#codecs,
    )
  }
}
