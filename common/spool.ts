import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PermanentError, reasonOf, TransientError } from './errors.ts'
import { lockFolder, type FolderLock } from './folder-lock.ts'
import { encodeFrame, FRAME_HEADER_BYTES, RANDOM_ID_BYTES } from './spool-frame.ts'
import { SpoolFiles } from './spool-files.ts'
import { SpoolPosition } from './spool-position.ts'
import type { SpoolSegment } from './spool-segment.ts'

const DEFAULT_SEGMENT_BYTES = 4 * 1024 * 1024
/** What is dropped when the spool is full is a whole segment: never more than this share of it. */
const LEAST_SEGMENTS = 4
const POSITION_NAME = 'position'
/** Answers of a disk that will not change: what is there is lost. */
const LOST_FOR_GOOD = ['EIO', 'ENOENT']

export interface SpoolOptions {
  readonly folder: string
  readonly maxBytes: number
  readonly segmentBytes?: number
}

export interface SpoolRecord {
  readonly payload: Uint8Array
  /** Unique per record of this spool, for good: a retry carries the same id. */
  readonly id: string
  readonly points: number
}

export interface SpoolCounters {
  /** Waiting, that is appended and not yet acknowledged. */
  readonly records: number
  readonly points: number
  /** Size of the segments on disk. */
  readonly bytes: number
  /** Thrown away because the spool was full. */
  readonly droppedPoints: number
  readonly droppedRecords: number
  /** Places on disk that could not be read back. */
  readonly corruptRecords: number
  /** Times the disk refused. */
  readonly writeErrors: number
}

/**
 * A queue of records on disk that outlives its process. Appends go to numbered segment files; the oldest record is peeked at,
 * delivered, acknowledged; a segment whose records are all acknowledged is removed. A record may be delivered twice (after a crash),
 * but always under the same id, and never after one that was appended later.
 */
export class Spool {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #segmentBytes: number
  readonly #files: SpoolFiles
  readonly #lock: FolderLock
  readonly #randomId = randomBytes(RANDOM_ID_BYTES)
  readonly #events = new EventEmitter()
  readonly #closing = new AbortController()
  #sequence = 0
  #position: SpoolPosition | undefined
  #peeked: Peeked | undefined
  #appends: Append[] = []
  #appendBytes = 0
  #droppedPoints = 0
  #droppedRecords = 0
  #corruptRecords = 0
  #writeErrors = 0
  /** Settles when nobody is at work on the files. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(options: SpoolOptions, lock: FolderLock) {
    this.#folder = options.folder
    this.#maxBytes = options.maxBytes
    this.#segmentBytes = Math.min(
      options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
      Math.ceil(options.maxBytes / LEAST_SEGMENTS),
    )
    this.#files = new SpoolFiles(options.folder, this.#segmentBytes)
    this.#lock = lock
    this.#events.setMaxListeners(0)
  }

  /**
   * Opens the spool in a folder, which is made when it is not there.
   * @throws PermanentError when another process has it open, or the folder cannot be used
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    try {
      await mkdir(options.folder, { recursive: true, mode: 0o700 })
    } catch (error) {
      throw new PermanentError('spool-folder', `cannot make the spool: ${reasonOf(error)}`, {
        cause: error,
      })
    }
    const lock = await lockFolder(options.folder)
    const spool = new Spool(options, lock)
    try {
      await spool.#load()
      return spool
    } catch (error) {
      await lock.release()
      throw new PermanentError(
        'spool-folder',
        `cannot read the spool in ${options.folder}: ${reasonOf(error)}`,
        { cause: error },
      )
    }
  }

  get counters(): SpoolCounters {
    const orphan = this.#peeked?.segment === undefined ? this.#peeked : undefined
    return {
      records: this.#files.sum('records') + (orphan ? 1 : 0),
      points: this.#files.sum('points') + (orphan?.record.points ?? 0),
      bytes: this.#files.sum('bytes'),
      droppedPoints: this.#droppedPoints,
      droppedRecords: this.#droppedRecords,
      corruptRecords: this.#corruptRecords,
      writeErrors: this.#writeErrors + this.#files.removalErrors,
    }
  }

  /**
   * Durable (fdatasync) when it resolves; appends that come while the disk is at work share the next sync. When the spool is full
   * its oldest segment is dropped.
   * @throws TransientError `spool-disk-full` or `spool-disk` when the disk refuses, `spool-busy` when it does not keep up
   * @throws PermanentError when the record is larger than the spool, or the spool is closed
   */
  async append(payload: Uint8Array, points: number): Promise<void> {
    this.#assertOpen()
    const bytes = FRAME_HEADER_BYTES + payload.length
    if (bytes > this.#maxBytes)
      throw new PermanentError(
        'spool-record-too-large',
        `a record of ${payload.length} bytes does not fit the spool of ${this.#maxBytes} bytes`,
      )
    if (this.#appendBytes + bytes > this.#maxBytes)
      throw new TransientError('spool-busy', `${this.#folder}: the disk does not keep up`)
    const frame = encodeFrame(payload, points, this.#randomId, this.#sequence++)
    this.#appendBytes += bytes
    const append: Append = { frame, points, failure: undefined }
    this.#appends.push(append)
    // Whoever comes first writes for all that wait; the others find their record written.
    await this.#exclusive(() => this.#writeAppends())
    if (append.failure) throw append.failure
  }

  /**
   * The oldest unacknowledged record, or undefined.
   * @throws TransientError when the disk refuses
   */
  async peek(): Promise<SpoolRecord | undefined> {
    this.#assertOpen()
    return await this.#exclusive(async () => {
      this.#peeked ??= await this.#readNext()
      return this.#peeked?.record
    })
  }

  /**
   * The record last peeked is done with.
   * @throws PermanentError when it is another one
   */
  async acknowledge(id: string): Promise<void> {
    this.#assertOpen()
    await this.#exclusive(async () => {
      const peeked = this.#peeked
      if (peeked?.record.id !== id)
        throw new PermanentError('spool-order', `acknowledged ${id}, which was not peeked last`)
      this.#peeked = undefined
      const { segment, end, record } = peeked
      if (segment === undefined) return
      pass(segment, end, record.points)
      await this.#savePosition(segment)
      if (segment.records === 0 && segment !== this.#files.writing) await this.#files.removeOldest()
    })
  }

  /** Resolves when there is something to peek, or rejects when the signal fires or the spool is closed. */
  async waitForRecord(signal: AbortSignal): Promise<void> {
    this.#assertOpen()
    signal.throwIfAborted()
    if (this.counters.records > 0) return
    // Plain listeners, all taken off again: AbortSignal.any() leaves something behind on each long-lived signal.
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void): void => {
        this.#events.off('record', arrived)
        for (const one of [signal, this.#closing.signal]) one.removeEventListener('abort', stopped)
        end()
      }
      const arrived = (): void => {
        settle(resolve)
      }
      const stopped = (): void => {
        settle(() => {
          reject(new DOMException('no longer waiting for a record', 'AbortError'))
        })
      }
      this.#events.on('record', arrived)
      for (const one of [signal, this.#closing.signal]) one.addEventListener('abort', stopped)
    })
  }

  /** Writes what is still waiting, then gives the folder back. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.#exclusive(async () => {
      await this.#files.close()
      await this.#position?.close()
      await this.#lock.release()
    })
  }

  async #load(): Promise<void> {
    await this.#openPosition()
    const reached = this.#position?.position ?? { segment: 0, offset: 0 }
    this.#corruptRecords += await this.#files.load(reached)
    await this.#makeRoom(0)
  }

  async #writeAppends(): Promise<void> {
    const appends: Append[] = []
    let bytes = 0
    for (const append of this.#appends) {
      if (appends.length > 0 && bytes + append.frame.length > this.#segmentBytes) break
      appends.push(append)
      bytes += append.frame.length
    }
    if (appends.length === 0) return
    this.#appends = this.#appends.slice(appends.length)
    this.#appendBytes -= bytes
    try {
      await this.#makeRoom(bytes)
      await this.#files.append(appends)
      this.#events.emit('record')
    } catch (error) {
      this.#writeErrors++
      const full = hasCode(error, ['ENOSPC', 'EDQUOT'])
      const failure = new TransientError(
        full ? 'spool-disk-full' : 'spool-disk',
        `cannot write to the spool in ${this.#folder}: ${reasonOf(error)}`,
        { cause: error },
      )
      for (const append of appends) append.failure = failure
    }
  }

  /** Drops the oldest segments until so many bytes more fit. */
  async #makeRoom(bytes: number): Promise<void> {
    while (this.#files.sum('bytes') + bytes > this.#maxBytes) {
      const { oldest } = this.#files
      if (oldest === undefined) return
      this.#droppedRecords += oldest.records
      this.#droppedPoints += oldest.points
      if (this.#peeked?.segment === oldest) {
        // It is on its way already: still in memory, so not lost.
        this.#droppedRecords--
        this.#droppedPoints -= this.#peeked.record.points
        this.#peeked = { ...this.#peeked, segment: undefined }
      }
      await this.#files.removeOldest()
    }
  }

  async #readNext(): Promise<Peeked | undefined> {
    for (;;) {
      const segment = this.#files.oldest
      if (segment === undefined) return undefined
      const read = segment.records > 0 ? await this.#readFrom(segment) : undefined
      if (read !== undefined) return read
      this.#corruptRecords += segment.records
      if (segment === this.#files.writing) {
        segment.offset = segment.bytes
        segment.records = 0
        segment.points = 0
        return undefined
      }
      await this.#files.removeOldest()
    }
  }

  /** The next record that is whole; undefined when the segment has none. */
  async #readFrom(segment: SpoolSegment): Promise<Peeked | undefined> {
    try {
      for (let frame = await segment.next(); frame; frame = await segment.next()) {
        const { id, points, end } = frame
        const payload = await segment.payload(frame)
        if (payload !== undefined) return { record: { payload, id, points }, segment, end }
        this.#corruptRecords++
        pass(segment, end, points)
      }
      return undefined
    } catch (error) {
      if (hasCode(error, LOST_FOR_GOOD)) return undefined
      throw new TransientError('spool-disk', `cannot read ${segment.path}: ${reasonOf(error)}`, {
        cause: error,
      })
    }
  }

  async #savePosition({ number, offset }: SpoolSegment): Promise<void> {
    await this.#openPosition()
    try {
      await this.#position?.save({ segment: number, offset })
    } catch {
      this.#writeErrors++
    }
  }

  /** Without it, as on a full disk, the spool still works; what was acknowledged before a crash may come back. */
  async #openPosition(): Promise<void> {
    try {
      this.#position ??= await SpoolPosition.open(join(this.#folder, POSITION_NAME))
    } catch {
      this.#writeErrors++
    }
  }

  /** One at a time, in the order of the calls. */
  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return await result
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted)
      throw new PermanentError('spool-closed', `the spool in ${this.#folder} is closed`)
  }
}

interface Append {
  readonly frame: Buffer
  readonly points: number
  failure: TransientError | undefined
}

interface Peeked {
  readonly record: SpoolRecord
  /** Undefined when it was dropped meanwhile. */
  readonly segment: SpoolSegment | undefined
  readonly end: number
}

function pass(segment: SpoolSegment, end: number, points: number): void {
  segment.offset = end
  segment.records--
  segment.points -= points
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  )
}
