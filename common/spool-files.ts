import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Position } from './spool-position.ts'
import { SpoolSegment } from './spool-segment.ts'

const NAME = /^(\d{12})\.segment$/
const NUMBER_DIGITS = 12

/** The segment files of a spool: oldest first, numbered without end, only the newest written to. */
export class SpoolFiles {
  readonly #folder: string
  readonly #segmentBytes: number
  #segments: SpoolSegment[] = []
  #writing: SpoolSegment | undefined
  #nextNumber = 1
  /** Times the disk refused to remove or mend a file. */
  removalErrors = 0

  constructor(folder: string, segmentBytes: number) {
    this.#folder = folder
    this.#segmentBytes = segmentBytes
  }

  get oldest(): SpoolSegment | undefined {
    return this.#segments[0]
  }

  /** The newest, until it is full. */
  get writing(): SpoolSegment | undefined {
    return this.#writing
  }

  sum(what: 'records' | 'points' | 'bytes'): number {
    return this.#segments.reduce((total, segment) => total + segment[what], 0)
  }

  /**
   * Takes up what lies in the folder, behind the position that was reached.
   * @returns how many damaged places there are
   */
  async load(reached: Position): Promise<number> {
    let damaged = 0
    for (const name of (await readdir(this.#folder)).sort()) {
      const number = Number(NAME.exec(name)?.[1])
      if (Number.isNaN(number)) continue
      this.#nextNumber = number + 1
      const segment = new SpoolSegment(number, join(this.#folder, name))
      if (number >= reached.segment)
        damaged += await segment.load(number === reached.segment ? reached.offset : 0)
      await segment.close()
      if (segment.records === 0) await this.#remove(segment)
      else this.#segments.push(segment)
    }
    this.#nextNumber = Math.max(this.#nextNumber, reached.segment + 1)
    return damaged
  }

  /** Durable when it resolves; when it rejects, nothing was appended. */
  async append(
    records: readonly { readonly frame: Buffer; readonly points: number }[],
  ): Promise<void> {
    const bytes = records.reduce((total, { frame }) => total + frame.length, 0)
    try {
      const segment = await this.#segmentFor(bytes)
      await segment.append(records.map(({ frame }) => frame))
      for (const { points } of records) {
        segment.records++
        segment.points += points
      }
    } catch (error) {
      await this.#abandonWriting()
      throw error
    }
  }

  async removeOldest(): Promise<void> {
    const segment = this.#segments.shift()
    if (segment === undefined) return
    if (segment === this.#writing) this.#writing = undefined
    await this.#remove(segment)
  }

  async close(): Promise<void> {
    for (const segment of this.#segments) await segment.close()
  }

  async #segmentFor(bytes: number): Promise<SpoolSegment> {
    const last = this.#writing
    if (last && (last.bytes === 0 || last.bytes + bytes <= this.#segmentBytes)) return last
    this.#writing = undefined
    if (last && last !== this.#segments[0]) await last.close()
    const number = this.#nextNumber++
    const name = `${String(number).padStart(NUMBER_DIGITS, '0')}.segment`
    const segment = new SpoolSegment(number, join(this.#folder, name))
    await segment.create()
    this.#segments.push(segment)
    this.#writing = segment
    await syncFolder(this.#folder)
    return segment
  }

  /** After a failed write nobody knows what is on the disk behind the last good record: a new segment begins. */
  async #abandonWriting(): Promise<void> {
    const segment = this.#writing
    this.#writing = undefined
    if (segment === undefined) return
    try {
      if (segment.bytes > 0) await segment.truncate()
      else {
        this.#segments.pop()
        await segment.remove()
      }
    } catch {
      this.removalErrors++
    }
  }

  async #remove(segment: SpoolSegment): Promise<void> {
    try {
      await segment.remove()
    } catch {
      this.removalErrors++
    }
  }
}

/** So that the name of a new file survives a power cut as well as its content. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
