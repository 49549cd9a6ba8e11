import { OPENING_OCTETS, readerFor } from './capture-formats.ts'
import type { PcapReader } from './pcap.ts'
import { PcapngReader } from './pcapng.ts'
import type { FrameHandler } from './record-reader.ts'

/**
 * Reads pcap or pcapng, whichever it turns out to be, as it comes, in pieces of any size. Of a file on disk, gzip or not, see
 * CaptureFile.
 */
export class CaptureReader {
  readonly #onFrame: FrameHandler
  readonly #buffer: Uint8Array<ArrayBuffer> | undefined
  /** The first octets, until there are enough to tell the format by. */
  readonly #opening = new Uint8Array(OPENING_OCTETS)
  #opened = 0
  #reader: PcapReader | PcapngReader | undefined
  #fault: string | undefined

  /** Reads through `buffer`, where one is given: it is larger than any record, half a megabyte at least. */
  constructor(onFrame: FrameHandler, buffer?: Uint8Array<ArrayBuffer>) {
    this.#onFrame = onFrame
    this.#buffer = buffer
  }

  /** Frames handed on. */
  get frames(): number {
    return this.#reader?.frames ?? 0
  }

  /** "octet 1234: what is wrong there". Set once something is; nothing is read after that. */
  get fault(): string | undefined {
    return this.#fault ?? this.#reader?.fault
  }

  /** Frames that whoever captured lost, as far as the file tells; undefined where it does not. */
  get drops(): number | undefined {
    return this.#reader instanceof PcapngReader ? this.#reader.drops : undefined
  }

  /** Where it was captured, as far as the file tells: of pcapng, the named interfaces of the section read last. */
  get interfaceNames(): readonly string[] {
    if (!(this.#reader instanceof PcapngReader)) return []
    return this.#reader.interfaces.flatMap(({ name }) => name ?? [])
  }

  /** Packets that were there and could not be handed on, by reason; no reason without any. */
  get skipped(): Readonly<Record<string, number>> {
    if (!(this.#reader instanceof PcapngReader)) return {}
    return Object.fromEntries(Object.entries(this.#reader.skipped).filter(([, count]) => count > 0))
  }

  /** Reads on with a piece that came from elsewhere. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length && this.fault === undefined;) {
      const room = this.space()
      const part = piece.subarray(at, at + room.length)
      room.set(part)
      this.filled(part.length)
      at += part.length
    }
  }

  /** Where the next octets may be put; then say by filled() how many. Never empty. */
  space(): Uint8Array {
    return this.#reader?.space() ?? this.#opening.subarray(this.#opened)
  }

  filled(octets: number): void {
    if (this.#reader !== undefined) {
      this.#reader.filled(octets)
      return
    }
    this.#opened += octets
    if (this.#opened === OPENING_OCTETS) this.#open()
  }

  /** Says that nothing follows: a record begun is then a fault. */
  end(): void {
    if (this.#reader === undefined) this.#open()
    this.#reader?.end()
  }

  #open(): void {
    const opening = this.#opening.subarray(0, this.#opened)
    this.#opened = 0
    if (this.#fault !== undefined) return
    const found = readerFor(opening, this.#onFrame, this.#buffer)
    if (typeof found === 'string') {
      this.#fault = found
      return
    }
    this.#reader = found
    found.push(opening)
  }
}
