import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import { OPENING_OCTETS, isGzip } from './capture-formats.ts'
import { CaptureReader } from './capture-reader.ts'
import { GzipInflater } from './gzip.ts'
import type { FrameHandler } from './record-reader.ts'

const COMPRESSED_OCTETS = 1 << 16

/**
 * A capture file on disk: pcap or pcapng, plain or gzip, told apart by what is in it.
 *
 *     const file = new CaptureFile(path, onFrame)
 *     while (await file.read());
 *     file.close()
 */
export class CaptureFile {
  /** Size of the file; 0 of a pipe. */
  readonly octets: number
  readonly #reader: CaptureReader
  #file: number | undefined
  #octetsRead = 0
  #hasBegun = false
  #isOver = false
  #inflater: GzipInflater | undefined
  readonly #compressed = new Uint8Array(COMPRESSED_OCTETS)
  #fault: string | undefined

  /** @throws PermanentError when the file cannot be opened */
  constructor(path: string, onFrame: FrameHandler) {
    this.#reader = new CaptureReader(onFrame)
    try {
      this.#file = openSync(path, 'r')
      this.octets = fstatSync(this.#file).size
    } catch (error) {
      this.close()
      throw new PermanentError('capture-file', `cannot open ${path}: ${reasonOf(error)}`)
    }
  }

  /** Octets of the file read so far. */
  get octetsRead(): number {
    return this.#octetsRead
  }

  /** Frames handed on. */
  get frames(): number {
    return this.#reader.frames
  }

  /** Why reading ended before the end. Everything before that place was handed on. */
  get fault(): string | undefined {
    return this.#fault ?? this.#reader.fault
  }

  /** Frames that whoever captured lost, as far as the file tells; undefined where it does not. */
  get drops(): number | undefined {
    return this.#reader.drops
  }

  /** Where it was captured, as far as the file tells: of pcapng, the named interfaces of the section read last. */
  get interfaceNames(): readonly string[] {
    return this.#reader.interfaceNames
  }

  /** Packets that were there and could not be handed on, by reason; no reason without any. */
  get skipped(): Readonly<Record<string, number>> {
    return this.#reader.skipped
  }

  /** Reads on, about a megabyte; false when there is nothing more, be it the end or a fault. */
  async read(): Promise<boolean> {
    if (this.#file === undefined) return false
    try {
      if (!this.#hasBegun) await this.#begin(this.#file)
      else if (this.#inflater === undefined) this.#readPlain(this.#file)
      else await this.#readCompressed(this.#file, this.#inflater)
    } catch (error) {
      this.#fault = `octet ${this.#octetsRead}: cannot be read: ${reasonOf(error)}`
    }
    if (this.#isOver || this.fault !== undefined) this.close()
    return !this.#isOver && this.fault === undefined
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#inflater?.close()
  }

  /** Looks at the first octets, which a pipe may give one by one. */
  async #begin(file: number): Promise<void> {
    this.#hasBegun = true
    const opening = new Uint8Array(OPENING_OCTETS)
    let filled = 0
    for (let octets = -1; octets !== 0 && filled < opening.length; filled += octets)
      octets = this.#readInto(file, opening.subarray(filled))
    const found = opening.subarray(0, filled)
    if (isGzip(found)) {
      this.#inflater = new GzipInflater((octets) => {
        this.#reader.push(octets)
      })
      await this.#inflater.write(found)
    } else this.#reader.push(found)
  }

  #readPlain(file: number): void {
    const octets = this.#readInto(file, this.#reader.space())
    if (octets > 0) {
      this.#reader.filled(octets)
      return
    }
    this.#reader.end()
    this.#isOver = true
  }

  async #readCompressed(file: number, inflater: GzipInflater): Promise<void> {
    const octets = this.#readInto(file, this.#compressed)
    if (octets > 0) await inflater.write(this.#compressed.subarray(0, octets))
    else await inflater.end()
    if (octets > 0 && !inflater.isOver) return
    this.#isOver = true
    if (inflater.fault === undefined) this.#reader.end()
    else this.#fault = `octet ${this.#octetsRead}: gzip: ${inflater.fault}`
  }

  #readInto(file: number, room: Uint8Array): number {
    const octets = readSync(file, room)
    this.#octetsRead += octets
    return octets
  }
}
