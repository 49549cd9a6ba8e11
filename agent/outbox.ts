import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { reasonOf } from '../common/errors.ts'
import { encodeMeasurements } from '../common/line-protocol.ts'
import type { Logger } from '../common/log.ts'
import type { Measurement } from '../common/measurement.ts'
import type { Spool } from '../common/spool.ts'
import { Distinct } from './distinct.ts'

/** A push of this many points stays well under what a collector accepts in one request. */
const MAX_POINTS_PER_RECORD = 1000
/** Waiting for the disk. More than this, and the newest are lost: the disk hangs. */
const MAX_POINTS_WAITING = 100_000
/** The same complaint is logged at most this often. */
const LOG_AGAIN_MS = 60_000

export interface OutboxOptions {
  readonly site: string
  readonly agent: string
  readonly spool: Spool
  readonly log: Logger
  readonly monotonicMs: () => number
}

const compress = promisify(gzip)

/**
 * The way from the probes to the spool: points get their identity, become line protocol, and are compressed once, so that a retry of
 * the push costs nothing. Order is kept. Never throws and never lets a probe wait; what the disk refuses is counted as dropped.
 */
export class Outbox {
  readonly #options: OutboxOptions
  readonly #distinct: Distinct
  #tail: Promise<unknown> = Promise.resolve()
  #pointsWaiting = 0
  #droppedPoints = 0
  #complainedAtMs = -Infinity

  constructor(options: OutboxOptions) {
    this.#options = options
    this.#distinct = new Distinct(options)
  }

  /** Resolves to whether all of the points are in the spool; need not be waited for. */
  async put(points: readonly Measurement[]): Promise<boolean> {
    const completed = this.#distinct.complete(points)
    const appended: Promise<boolean>[] = []
    for (let from = 0; from < completed.length; from += MAX_POINTS_PER_RECORD) {
      appended.push(this.#enqueue(completed.slice(from, from + MAX_POINTS_PER_RECORD)))
    }
    return (await Promise.all(appended)).every((isSpooled) => isSpooled)
  }

  /** Points lost before the spool had them, since the agent started. */
  get droppedPoints(): number {
    return this.#droppedPoints
  }

  /** Resolves when everything put so far is in the spool or dropped. */
  async drain(): Promise<void> {
    await this.#tail
  }

  async #enqueue(points: readonly Measurement[]): Promise<boolean> {
    if (this.#pointsWaiting + points.length > MAX_POINTS_WAITING) {
      this.#drop(points.length, 'the disk does not keep up')
      return false
    }
    this.#pointsWaiting += points.length
    const appended = this.#tail.then(() => this.#append(points))
    this.#tail = appended
    return await appended
  }

  async #append(points: readonly Measurement[]): Promise<boolean> {
    try {
      const lines = points.map(encodeOnOneLine).filter((line) => line !== '')
      if (lines.length > 0)
        await this.#options.spool.append(await compress(lines.join('')), lines.length)
      return true
    } catch (error) {
      this.#drop(points.length, reasonOf(error))
      return false
    } finally {
      this.#pointsWaiting -= points.length
    }
  }

  #drop(points: number, reason: string): void {
    this.#droppedPoints += points
    const nowMs = this.#options.monotonicMs()
    if (nowMs - this.#complainedAtMs < LOG_AGAIN_MS) return
    this.#complainedAtMs = nowMs
    this.#options.log.error({ reason, points }, 'points lost: cannot spool them')
  }
}

/** A line break within a text becomes a space: a batch can then be cut at its line breaks. */
function encodeOnOneLine(point: Measurement): string {
  return encodeMeasurements([point]).replace(/\r?\n(?!$)/g, ' ')
}
