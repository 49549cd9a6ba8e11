import { createHmac, timingSafeEqual } from 'node:crypto'
import { SEAL_BYTES } from './packet.ts'

/** Signs packets with the key both agents share, and tells who else has it. */
export class Seal {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** Fills in the last octets of the packet. */
  sign(packet: Uint8Array): Uint8Array {
    packet.set(this.#tag(packet), packet.length - SEAL_BYTES)
    return packet
  }

  verify(packet: Uint8Array): boolean {
    return timingSafeEqual(this.#tag(packet), packet.subarray(packet.length - SEAL_BYTES))
  }

  #tag(packet: Uint8Array): Uint8Array {
    const sealed = packet.subarray(0, packet.length - SEAL_BYTES)
    return createHmac('sha256', this.#key).update(sealed).digest().subarray(0, SEAL_BYTES)
  }
}
