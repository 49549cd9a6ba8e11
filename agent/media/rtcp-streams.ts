import type { Datagram } from '../capture/frame.ts'
import { Endpoint } from './stream-key.ts'
import { endsOf, type StreamEnds } from './stream-row.ts'
import type { Streams } from './streams.ts'

/** Of two streams that fit, the one whose ports fit as well. */
const EXACT = 2
const ALMOST = 1

/** A stream as reports need to know it. */
export interface ReportedStream extends StreamEnds {
  readonly codec: string | undefined
  readonly clockRate: number | undefined
}

/**
 * The streams that RTCP speaks of. It goes between the addresses of the RTP, but its ports are the same (RFC 5761), one up (RFC 3550
 * section 11) or any (RFC 3605).
 */
export class RtcpStreams {
  readonly #streams: Streams
  readonly #sender = new Endpoint()
  readonly #receiver = new Endpoint()

  constructor(streams: Streams) {
    this.#streams = streams
  }

  /** Those with this SSRC that go the way of the datagram. */
  sentWith(ssrc: number, { ipVersion, source, destination }: Datagram): readonly number[] {
    return this.#streams.withSsrc(ssrc).filter((stream) => {
      this.#read(stream)
      return this.#sender.isAt(ipVersion, source) && this.#receiver.isAt(ipVersion, destination)
    })
  }

  /** The one with this SSRC that the sender of the datagram receives. */
  receivedBy(ssrc: number, datagram: Datagram): ReportedStream | undefined {
    let best: number | undefined
    let bestFit = 0
    for (const stream of this.#streams.withSsrc(ssrc)) {
      const fit = this.#fitOf(stream, datagram)
      if (fit <= bestFit) continue
      best = stream
      bestFit = fit
    }
    if (best === undefined) return undefined
    const payload = this.#streams.watched(best)?.payload
    return {
      ...endsOf(this.#streams.keyOf(best)),
      codec: payload?.name,
      clockRate: payload?.clockRate,
    }
  }

  #fitOf(stream: number, { ipVersion, source, sourcePort, destination }: Datagram): number {
    this.#read(stream)
    if (!this.#receiver.isAt(ipVersion, source)) return 0
    const portsUp = sourcePort - this.#receiver.port
    const isPort = portsUp === 0 || portsUp === 1
    const isSender = this.#sender.isAt(ipVersion, destination)
    return 1 + (isPort ? EXACT : 0) + (isSender ? ALMOST : 0)
  }

  #read(stream: number): void {
    const key = this.#streams.keyOf(stream)
    this.#sender.readSource(key)
    this.#receiver.readDestination(key)
  }
}
