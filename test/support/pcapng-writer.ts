import type { CapturedFrame } from './pcap-writer.ts'

/** Writes pcapng files block by block, in either byte order. */

const SECTION_HEADER = 0x0a0d0d0a
const BYTE_ORDER = 0x1a2b3c4d
const WORD = 2 ** 32

export interface PcapngOption {
  readonly code: number
  readonly value: Uint8Array
}

export interface PcapngFrame extends CapturedFrame {
  /** Number of the interface in its section. */
  readonly interface?: number
  /** Units of the interface's clock in a second. */
  readonly unitsPerS?: bigint
}

export class PcapngWriter {
  readonly #isBig: boolean

  constructor({ bigEndian = false }: { readonly bigEndian?: boolean } = {}) {
    this.#isBig = bigEndian
  }

  section(options: readonly PcapngOption[] = []): Buffer {
    const unknownLength = [0xffffffff, 0xffffffff]
    return this.block(
      SECTION_HEADER,
      Buffer.concat([
        this.#words(BYTE_ORDER),
        this.#halves(1, 0),
        this.#words(...unknownLength),
        this.#options(options),
      ]),
    )
  }

  interface(linkType: number, options: readonly PcapngOption[] = []): Buffer {
    return this.block(
      1,
      Buffer.concat([this.#halves(linkType, 0), this.#words(262_144), this.#options(options)]),
    )
  }

  packet(captured: PcapngFrame): Buffer {
    const { frame, snap = frame.length } = captured
    const kept = frame.subarray(0, snap)
    const [high, low] = timeOf(captured)
    const head = this.#words(captured.interface ?? 0, high, low, kept.length, frame.length)
    return this.block(6, Buffer.concat([head, padded(kept)]))
  }

  /** The form of 2004. */
  oldPacket(captured: PcapngFrame, drops: number): Buffer {
    const { frame } = captured
    const [high, low] = timeOf(captured)
    const head = [
      this.#halves(captured.interface ?? 0, drops),
      this.#words(high, low, frame.length, frame.length),
    ]
    return this.block(2, Buffer.concat([...head, padded(frame)]))
  }

  simplePacket(frame: Uint8Array): Buffer {
    return this.block(3, Buffer.concat([this.#words(frame.length), padded(frame)]))
  }

  statistics(number: number, options: readonly PcapngOption[]): Buffer {
    return this.block(5, Buffer.concat([this.#words(number, 0, 0), this.#options(options)]))
  }

  block(type: number, body: Uint8Array): Buffer {
    const length = 12 + padded(body).length
    return Buffer.concat([this.#words(type, length), padded(body), this.#words(length)])
  }

  /** An option whose value is a 64-bit counter. */
  counter(code: number, value: bigint): PcapngOption {
    const octets = Buffer.alloc(8)
    if (this.#isBig) octets.writeBigInt64BE(value)
    else octets.writeBigInt64LE(value)
    return { code, value: octets }
  }

  #options(options: readonly PcapngOption[]): Buffer {
    if (options.length === 0) return Buffer.alloc(0)
    const all = options.map(({ code, value }) =>
      Buffer.concat([this.#halves(code, value.length), padded(value)]),
    )
    return Buffer.concat([...all, this.#halves(0, 0)])
  }

  #words(...words: readonly number[]): Buffer {
    const octets = Buffer.alloc(4 * words.length)
    for (const [index, word] of words.entries()) {
      if (this.#isBig) octets.writeUInt32BE(word, 4 * index)
      else octets.writeUInt32LE(word, 4 * index)
    }
    return octets
  }

  #halves(...halves: readonly number[]): Buffer {
    const octets = Buffer.alloc(2 * halves.length)
    for (const [index, half] of halves.entries()) {
      if (this.#isBig) octets.writeUInt16BE(half, 2 * index)
      else octets.writeUInt16LE(half, 2 * index)
    }
    return octets
  }
}

function timeOf({ timeUs, unitsPerS = 1_000_000n }: PcapngFrame): [number, number] {
  const wholeUs = Math.floor(timeUs)
  const ns = BigInt(wholeUs) * 1000n + BigInt(Math.round((timeUs - wholeUs) * 1000))
  const units = (ns * unitsPerS) / 1_000_000_000n
  return [Number(units / BigInt(WORD)), Number(units % BigInt(WORD))]
}

function padded(octets: Uint8Array): Buffer {
  return Buffer.concat([octets, Buffer.alloc(-octets.length & 3)])
}
