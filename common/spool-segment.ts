import { open, rm, stat, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import {
  decodeFrameHeader,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
} from './spool-frame.ts'

/** Read at a time while headers are searched. */
const WINDOW_BYTES = 64 * 1024

export interface Frame extends FrameHeader {
  readonly start: number
  readonly end: number
}

/** One append-only file of a spool. Only what an append made durable is ever read. */
export class SpoolSegment {
  readonly number: number
  readonly path: string
  bytes = 0
  /** Where the next frame is looked for. */
  offset = 0
  /** Not yet acknowledged, from `offset` on. */
  records = 0
  points = 0
  #file: FileHandle | undefined
  #window = Buffer.alloc(0)
  #windowStart = 0

  constructor(number: number, path: string) {
    this.number = number
    this.path = path
  }

  /** Makes the file; it must not be there yet. */
  async create(): Promise<void> {
    this.#file = await open(this.path, 'wx+', 0o600)
  }

  /**
   * Takes an existing file up from an offset: counts what can be read behind it.
   * @returns how many damaged places there are; a frame cut short at the end is not one of them, nobody was told it was written
   */
  async load(offset: number): Promise<number> {
    this.bytes = (await stat(this.path)).size
    this.offset = Math.min(offset, this.bytes)
    let damaged = 0
    let at = this.offset
    for (;;) {
      const frame = await this.#frameFrom(at)
      if (frame === undefined) break
      if (frame.start > at) damaged++
      this.records++
      this.points += frame.points
      at = frame.end
    }
    return at < this.bytes && !(await this.#isCutShort(at)) ? damaged + 1 : damaged
  }

  /** Writes at the end and makes it durable; on failure nothing counts as written. */
  async append(frames: readonly Buffer[]): Promise<void> {
    const file = await this.#opened()
    let at = this.bytes
    for (const frame of frames) {
      for (let done = 0; done < frame.length;) {
        const { bytesWritten } = await file.write(frame, done, frame.length - done, at + done)
        done += bytesWritten
      }
      at += frame.length
    }
    await file.datasync()
    this.bytes = at
  }

  /** Takes back what a failed append may have left behind. */
  async truncate(): Promise<void> {
    const file = await this.#opened()
    await file.truncate(this.bytes)
  }

  /** The next frame whose header is whole, without moving on. */
  async next(): Promise<Frame | undefined> {
    return await this.#frameFrom(this.offset)
  }

  /** Undefined when it is not what was written. */
  async payload(frame: Frame): Promise<Uint8Array | undefined> {
    const file = await this.#opened()
    const payload = Buffer.allocUnsafe(frame.payloadBytes)
    const bytesRead = await readFully(file, payload, frame.start + FRAME_HEADER_BYTES)
    return bytesRead === payload.length && crc32(payload) === frame.payloadCrc ? payload : undefined
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    this.#window = Buffer.alloc(0)
    await file?.close()
  }

  async remove(): Promise<void> {
    await this.close()
    await rm(this.path, { force: true })
  }

  async #frameFrom(from: number): Promise<Frame | undefined> {
    let at = from
    while (at + FRAME_HEADER_BYTES <= this.bytes) {
      const header = decodeFrameHeader(await this.#bytesAt(at, FRAME_HEADER_BYTES))
      if (header !== undefined) {
        const end = at + FRAME_HEADER_BYTES + header.payloadBytes
        if (end <= this.bytes) return { ...header, start: at, end }
      }
      at = await this.#magicFrom(at + 1)
    }
    return undefined
  }

  /** Where the next header may begin; the end of the file when nowhere. */
  async #magicFrom(from: number): Promise<number> {
    let at = from
    while (at + FRAME_HEADER_BYTES <= this.bytes) {
      const bytes = await this.#bytesAt(at, FRAME_HEADER_BYTES)
      if (bytes.length < FRAME_HEADER_BYTES) break
      const found = bytes.indexOf(FRAME_MAGIC)
      if (found !== -1) return at + found
      at += bytes.length - FRAME_MAGIC.length + 1
    }
    return this.bytes
  }

  /** The beginning of a frame, or what a file system leaves of one it had no time to write. */
  async #isCutShort(at: number): Promise<boolean> {
    const bytes = await this.#bytesAt(at, FRAME_HEADER_BYTES)
    const header = decodeFrameHeader(bytes.subarray(0, FRAME_HEADER_BYTES))
    if (header !== undefined) return true
    const start = bytes.subarray(0, FRAME_MAGIC.length)
    const shortHeader = this.bytes - at < FRAME_HEADER_BYTES
    return bytes.every((byte) => byte === 0) || (shortHeader && FRAME_MAGIC.indexOf(start) === 0)
  }

  /** At least `length` bytes where the file has them, and what else is in the window behind them. */
  async #bytesAt(at: number, length: number): Promise<Buffer> {
    const known = this.#windowStart + this.#window.length
    if (at < this.#windowStart || at + length > known) {
      const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, Math.max(this.bytes - at, 0)))
      const bytesRead = await readFully(await this.#opened(), window, at)
      this.#window = window.subarray(0, bytesRead)
      this.#windowStart = at
    }
    return this.#window.subarray(at - this.#windowStart)
  }

  async #opened(): Promise<FileHandle> {
    this.#file ??= await open(this.path, 'r+')
    return this.#file
  }
}

async function readFully(file: FileHandle, into: Buffer, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}
