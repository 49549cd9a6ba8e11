import type { Datagram } from '../capture/frame.ts'
import type { PortRange } from '../capture/stream-filter.ts'
import { CARRIAGE_RETURN, LINE_FEED } from '../sip/octets.ts'
import { looksLikeSip } from '../sip/start.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import {
  NO_SIGNALLING,
  type SignallingInterval,
  type SignallingOptions,
} from '../signalling/signalling-row.ts'
import { SignallingWatch } from '../signalling/signalling-watch.ts'
import { beginsWebSocket, mayBeginWebSocket } from '../sip/web-socket-start.ts'
import { CallMonitor } from './call-monitor.ts'
import type { CallRow, SipCounts } from './call-row.ts'
import type { MediaTable } from './media-table.ts'
import { KEY_WORDS, hashKey, writeKey } from './stream-key.ts'
import { StreamTable } from './stream-table.ts'

/** TCP connections known to carry SIP, each way; when there are more, they are found again by their next message. */
const MAX_CONNECTIONS = 16_384
/** SYN, FIN and RST (RFC 9293 section 3.1). */
const OPENS_OR_CLOSES = 0x07
const UPPER_A = 0x41
const UPPER_Z = 0x5a

export interface SipTapOptions {
  readonly media: MediaTable
  readonly maxCalls: number
  readonly ports: readonly PortRange[]
  readonly seed: number
  /** Undefined: SIP is followed for the media of its calls only. */
  readonly signalling: SignallingOptions | undefined
}

/** Tells SIP from everything else that is neither RTP nor RTCP, and hands it to the calls and to the watch over signalling. */
export class SipTap {
  readonly #ports: readonly PortRange[]
  readonly #seed: number
  readonly #calls: CallMonitor
  /** Where no SIP passes it takes no memory. */
  #watch: SignallingWatch | undefined
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #connections = new StreamTable(MAX_CONNECTIONS)

  constructor({ media, maxCalls, ports, seed, signalling }: SipTapOptions) {
    this.#ports = ports
    this.#seed = seed
    const watching = () =>
      (this.#watch ??= signalling && new SignallingWatch({ ...signalling, seed }))
    this.#calls = new CallMonitor({
      media,
      maxCalls,
      onMessage: (message, datagram, timeUs, isTcp) => {
        watching()?.handle({ message, datagram, timeUs, isTcp })
      },
      onRefused: () => {
        watching()?.refuse()
      },
    })
  }

  /** Whether a datagram carries SIP: it begins like it, anywhere, or with a capital on a port of SIP. */
  isDatagram(view: DataView, datagram: Datagram): boolean {
    const { payloadAt, capturedOctets } = datagram
    const end = payloadAt + capturedOctets
    let at = payloadAt
    // Line ends before a message are of no account to servers, and must not hide it from us.
    while (at < end && isLineEnd(view.getUint8(at))) at++
    if (at === end) return false
    const first = view.getUint8(at)
    // Methods are written in capitals, and so is "SIP" (RFC 3261 section 7.1).
    if (first < UPPER_A || first > UPPER_Z) return false
    return this.#isPort(datagram) || looksLikeSip(view, at, end)
  }

  /** Whether a segment is one of a connection that carries SIP. */
  isSegment(view: DataView, datagram: Datagram): boolean {
    const { payloadAt, payloadOctets, capturedOctets, tcpFlags } = datagram
    if (payloadOctets === 0 && (tcpFlags & OPENS_OR_CLOSES) === 0) return false
    if (this.#isPort(datagram)) return true
    writeKey(this.#key, datagram, 0)
    const hash = hashKey(this.#key, this.#seed)
    if (this.#connections.find(this.#key, hash) >= 0) return true
    const isSip = looksLikeSip(view, payloadAt, payloadAt + capturedOctets)
    if (!isSip && !opensWebSocket(view, datagram)) return false
    if (this.#connections.size === MAX_CONNECTIONS) this.#connections.remove(() => true)
    this.#connections.add(this.#key, hash)
    return true
  }

  handleDatagram(view: DataView, datagram: Datagram, timeUs: number): void {
    this.#calls.handleDatagram(payloadOf(view, datagram), datagram, timeUs)
  }

  handleSegment(view: DataView, datagram: Datagram, timeUs: number): void {
    this.#calls.handleSegment(payloadOf(view, datagram), datagram, timeUs)
  }

  takeInterval(endUs: number): readonly CallRow[] {
    return this.#calls.takeInterval(endUs)
  }

  takeSignalling(endUs: number): SignallingInterval {
    return this.#watch?.takeInterval(endUs) ?? NO_SIGNALLING
  }

  /** What signalling said that cannot wait, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    return this.#watch?.takeEvents() ?? []
  }

  get counts(): SipCounts {
    return this.#calls.counts
  }

  #isPort({ sourcePort, destinationPort }: Datagram): boolean {
    for (const { from, to } of this.#ports) {
      if (sourcePort >= from && sourcePort <= to) return true
      if (destinationPort >= from && destinationPort <= to) return true
    }
    return false
  }
}

function opensWebSocket(view: DataView, datagram: Datagram): boolean {
  const { payloadAt, capturedOctets } = datagram
  if (capturedOctets === 0 || !mayBeginWebSocket(view.getUint8(payloadAt))) return false
  return beginsWebSocket(payloadOf(view, datagram))
}

function isLineEnd(octet: number): boolean {
  return octet === LINE_FEED || octet === CARRIAGE_RETURN
}

function payloadOf(view: DataView, { payloadAt, capturedOctets }: Datagram): Uint8Array {
  return Buffer.from(view.buffer, view.byteOffset + payloadAt, capturedOctets)
}
