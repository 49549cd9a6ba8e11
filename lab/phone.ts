import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Endpoint } from './link.ts'

const PACKET_MS = 20
const TICKS_PER_PACKET = 160
const PAYLOAD_OCTETS = 160
const HEADER_OCTETS = 12
const RTP_VERSION_2 = 0x80
const PCMA = 8
/** A-law for silence. */
const SILENCE = 0xd5
/** A stalled process catches up this many packets at most, then skips as a phone would. */
const MAX_CATCH_UP = 5

export interface PhoneOptions {
  readonly local: Endpoint
  /** Whom to send to; without it the phone answers to where packets come from, as behind a NAT. */
  readonly peer?: Endpoint
  readonly ssrc: number
  readonly firstSequenceNumber: number
}

/** A phone in the middle of a G.711 call: one RTP packet every 20 ms (RFC 3550, RFC 3551 payload type 8). */
export class Phone {
  readonly #options: PhoneOptions
  readonly #socket: Socket = createSocket('udp4')
  readonly #packet: Buffer
  #peer: Endpoint | undefined
  #sequenceNumber: number
  #timestamp = 0
  sent = 0
  received = 0

  constructor(options: PhoneOptions) {
    this.#options = options
    this.#peer = options.peer
    this.#sequenceNumber = options.firstSequenceNumber
    this.#packet = Buffer.alloc(HEADER_OCTETS + PAYLOAD_OCTETS, SILENCE)
    this.#packet[0] = RTP_VERSION_2
    this.#packet[1] = PCMA
    this.#packet.writeUInt32BE(options.ssrc, 8)
  }

  async open(): Promise<void> {
    this.#socket.on('message', (_packet, from) => {
      this.received++
      this.#peer ??= from
    })
    this.#socket.on('error', () => undefined)
    this.#socket.bind(this.#options.local.port, this.#options.local.address)
    await once(this.#socket, 'listening')
  }

  /** Sends the next packet. */
  speak(): void {
    if (!this.#peer) return
    this.#packet.writeUInt16BE(this.#sequenceNumber, 2)
    this.#packet.writeUInt32BE(this.#timestamp, 4)
    this.#sequenceNumber = (this.#sequenceNumber + 1) & 0xffff
    this.#timestamp = (this.#timestamp + TICKS_PER_PACKET) >>> 0
    this.sent++
    this.#socket.send(
      Buffer.from(this.#packet),
      this.#peer.port,
      this.#peer.address,
      () => undefined,
    )
  }

  close(): void {
    this.#socket.close()
  }
}

/** Lets all phones speak every 20 ms, without drift; returns what stops them. */
export function keepSpeaking(phones: readonly Phone[]): () => void {
  let due = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    if (now - due > MAX_CATCH_UP * PACKET_MS) due = now
    for (; due <= now; due += PACKET_MS) for (const phone of phones) phone.speak()
  }, PACKET_MS / 2)
  return () => {
    clearInterval(timer)
  }
}
