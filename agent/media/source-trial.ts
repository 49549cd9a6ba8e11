import type { Datagram } from '../capture/frame.ts'
import type { RtpPacket } from '../rtp/packet.ts'
import { AUDIO, type Payload } from '../rtp/payload.ts'
import { beginProbation, goesOn } from '../rtp/probation.ts'
import { MAX_MISORDER, MIN_SEQUENTIAL, sequenceDistance } from '../rtp/sequence.ts'
import type { Announcements } from './announcements.ts'
import type { Lookout } from './lookout.ts'
import { isSameDestination } from './stream-key.ts'
import type { Streams } from './streams.ts'
import {
  beginWatching,
  isRtcpType,
  setPayload,
  type Successor,
  type WatchedStream,
} from './watched-stream.ts'

const SEQUENCE_MASK = 0xffff

/** Decides whether a source is a stream: by its announcement, by its numbers (RFC 3550 A.1), or as one known already. */
export class SourceTrial {
  readonly #minSequential: number
  readonly #streams: Streams
  readonly #announcements: Announcements
  readonly #lookout: Lookout
  readonly #onMove: (stream: number, watched: WatchedStream) => void

  /** Calls `onMove` when a stream is about to be found at a new address. */
  constructor(
    minSequential: number,
    streams: Streams,
    announcements: Announcements,
    lookout: Lookout,
    onMove: (stream: number, watched: WatchedStream) => void,
  ) {
    this.#minSequential = minSequential
    this.#streams = streams
    this.#announcements = announcements
    this.#lookout = lookout
    this.#onMove = onMove
  }

  /** A source not seen before, its first packet still to be tried; -1 when that is no RTP. */
  open(datagram: Datagram, packet: RtpPacket): number {
    const { payloadType } = packet
    const payload = this.#announcements.payloadIn(datagram, payloadType)
    if (payload === undefined && isRtcpType(payloadType)) return -1
    const stream = this.#streams.add()
    const watched = this.#streams.watched(stream)
    if (watched === undefined) return -1
    this.#begin(stream, watched, packet, payload)
    return stream
  }

  /** The same source again, a stream no more, with the first packet of another one. */
  openAgain(stream: number, watched: WatchedStream, datagram: Datagram, packet: RtpPacket): void {
    const payload = this.#announcements.payloadIn(datagram, packet.payloadType)
    this.#begin(stream, watched, packet, payload)
  }

  #begin(
    stream: number,
    watched: WatchedStream,
    { payloadType, ssrc }: RtpPacket,
    payload: Payload | undefined,
  ): void {
    beginWatching(watched, this.#minSequential)
    this.#announcements.lookUp(watched, this.#streams.keyOf(stream))
    setPayload(watched, payloadType, payload)
    // A known SSRC may be a known stream at a new address: two packets tell.
    const isUnknown = this.#streams.withSsrc(ssrc).length === 0
    if (this.#announcements.isExpected(watched, payloadType))
      watched.minSequential =
        isUnknown && this.#announcements.trusts(watched)
          ? 1
          : Math.min(this.#minSequential, MIN_SEQUENTIAL)
  }

  /** One more packet of a source on probation. Returns the stream it belongs to. */
  take(source: number, watched: WatchedStream, packet: RtpPacket, timeUs: number): number {
    const { packets, minSequential, successor } = watched
    const { sequenceNumber } = packet
    if (packets === 0 || !goesOn(watched, packet, minSequential)) {
      this.#streams.discount(packets)
      beginProbation(watched, packet, minSequential)
      this.#streams.reception.open(source, sequenceNumber)
      watched.successor = this.#successor(source, packet, timeUs)
    } else if (successor !== undefined) {
      watched.successor = undefined
      if (this.#succeeds(source, watched, successor, sequenceNumber))
        return this.#succeed(source, successor, timeUs)
    }
    if (watched.remaining === 0) this.#streams.confirm(source)
    return source
  }

  /** The stream that a source whose first packet this is may be, come from a new address (NAT): same SSRC and receiver, next number. */
  #successor(source: number, packet: RtpPacket, arrivalUs: number): Successor | undefined {
    const { reception } = this.#streams
    const { sequenceNumber, timestamp, marker, payloadOctets: octets } = packet
    for (const of of this.#streams.withSsrc(packet.ssrc)) {
      const ahead = sequenceDistance(sequenceNumber, reception.highest(of) & SEQUENCE_MASK)
      if (ahead === 0 || ahead >= MAX_MISORDER || !this.#haveOneReceiver(of, source)) continue
      if (this.#streams.watched(of)?.isResting === true) continue
      const lastArrivalUs = reception.lastArrivalUs(of)
      return { of, lastArrivalUs, sequenceNumber, timestamp, arrivalUs, octets, marker }
    }
    return undefined
  }

  /** At its second packet: whether it goes on, and the old address has been silent since the first. */
  #succeeds(
    source: number,
    watched: WatchedStream,
    { of, sequenceNumber: first, lastArrivalUs }: Successor,
    sequenceNumber: number,
  ): boolean {
    const before = this.#streams.watched(of)
    return (
      sequenceDistance(sequenceNumber, first) === 1 &&
      before?.remaining === 0 &&
      !before.isResting &&
      before.payloadType === watched.payloadType &&
      this.#streams.reception.lastArrivalUs(of) === lastArrivalUs &&
      this.#haveOneReceiver(of, source)
    )
  }

  /** The stream is found at the new address from now on, and gets the packet that waited. */
  #succeed(source: number, first: Successor, timeUs: number): number {
    const stream = first.of
    const watched = this.#streams.watched(stream)
    if (watched === undefined) return source
    this.#onMove(stream, watched)
    this.#streams.succeed(source, stream)
    this.#lookout.look(stream, watched, timeUs)
    this.#streams.reception.receive(
      stream,
      first.sequenceNumber,
      first.timestamp,
      first.arrivalUs,
      first.octets,
      watched.kind === AUDIO ? watched.usPerTick : 0,
      first.marker,
      watched.kind,
    )
    return stream
  }

  #haveOneReceiver(a: number, b: number): boolean {
    return isSameDestination(this.#streams.keyOf(a), this.#streams.keyOf(b))
  }
}
