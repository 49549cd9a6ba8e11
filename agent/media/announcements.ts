import type { Datagram } from '../capture/frame.ts'
import type { Payload } from '../rtp/payload.ts'
import type { MediaDescription, MediaTable } from './media-table.ts'
import { Endpoint } from './stream-key.ts'
import { payloadOf, type WatchedStream } from './watched-stream.ts'

/** What signalling told of streams, looked up by their receiver and by their sender. */
export class Announcements {
  readonly #media: MediaTable
  readonly #end = new Endpoint()
  /** Those that made a stream without probation: once each, or any SSRC sent to an announced address would be one. */
  readonly #trusted = new WeakSet<MediaDescription>()

  constructor(media: MediaTable) {
    this.#media = media
  }

  /** What a payload type means in a datagram of a source not seen before. */
  payloadIn(datagram: Datagram, payloadType: number): Payload | undefined {
    const { ipVersion, source, sourcePort, destination, destinationPort } = datagram
    const toward = this.#media.find(ipVersion, destination, destinationPort)
    return payloadOf(payloadType, toward, this.#media.find(ipVersion, source, sourcePort))
  }

  /** Whether something was said since this stream was looked up. */
  hasNewsFor({ mediaVersion }: WatchedStream): boolean {
    return mediaVersion !== this.#media.version
  }

  lookUp(watched: WatchedStream, key: Int32Array): void {
    const end = this.#end
    watched.mediaVersion = this.#media.version
    end.readDestination(key)
    const toward = this.#media.find(end.version, end.address, end.port)
    end.readSource(key)
    const from = this.#media.find(end.version, end.address, end.port)
    watched.isReplaced = isOfAnother(watched.toward, toward) || isOfAnother(watched.from, from)
    watched.toward = newest(watched.toward, toward)
    watched.from = newest(watched.from, from)
  }

  /** Whether the receiver is waiting for packets of this type. */
  isExpected({ toward }: WatchedStream, payloadType: number): boolean {
    if (toward === undefined || toward.isEnded) return false
    return payloadOf(payloadType, toward, undefined) !== undefined
  }

  /** Whether a first packet that is expected makes a stream by itself. */
  trusts({ toward }: WatchedStream): boolean {
    if (toward === undefined || this.#trusted.has(toward)) return false
    this.#trusted.add(toward)
    return true
  }

  /** Tells the calls which of their media came. */
  heard(key: Int32Array, timeUs: number): void {
    const end = this.#end
    end.readDestination(key)
    this.#media.heard(end.version, end.address, end.port, timeUs)
    end.readSource(key)
    this.#media.sent(end.version, end.address, end.port, timeUs)
  }
}

/** Whether the address has gone to another call: what is said there now is not about our stream. */
function isOfAnother(
  before: MediaDescription | undefined,
  now: MediaDescription | undefined,
): boolean {
  return before !== undefined && now !== undefined && now.callId !== before.callId
}

/** A stream stays with its call, though the table forgot it; and a call that was over before the stream began is not the stream's. */
function newest(
  before: MediaDescription | undefined,
  now: MediaDescription | undefined,
): MediaDescription | undefined {
  if (before === undefined) return now?.isEnded === true ? undefined : now
  return now === undefined || isOfAnother(before, now) ? before : now
}
