import { CaptureFile } from '../capture/capture-file.ts'
import type { CaptureInterval } from './capture-interval.ts'
import { Monitor, type MonitorOptions } from './monitor.ts'

const US_PER_MS = 1000
/** Handed over together: each time costs a turn of two threads. */
const BATCH_ROWS = 4000

export interface FileCaptureOptions {
  readonly path: string
  /** Length of an interval in packet time; undefined for one over the whole file. */
  readonly intervalMs: number | undefined
}

/** Called after every piece of the file: so many octets of it are read. Reading goes on when it resolves. */
export type OnPiece = (octets: number, total: number) => Promise<void>

/** Replays a capture file by the times in it, as fast as it can be read. Blocks its thread while it reads a piece. */
export class FileCapture {
  readonly #path: string
  readonly #intervalUs: number
  readonly #monitor: Monitor
  readonly #file: CaptureFile
  readonly #onPiece: OnPiece
  #intervals: CaptureInterval[] = []
  #rows = 0
  #isOver = false
  #startUs = NaN
  /** When the interval going on ends. */
  #endUs = Infinity
  #newestUs = -Infinity

  /** @throws PermanentError when the file cannot be opened */
  constructor(
    { path, intervalMs }: FileCaptureOptions,
    options: MonitorOptions,
    onPiece: OnPiece = async () => undefined,
  ) {
    this.#path = path
    this.#intervalUs = intervalMs === undefined ? Infinity : intervalMs * US_PER_MS
    this.#onPiece = onPiece
    this.#monitor = new Monitor(options)
    const { handleFrame } = this.#monitor
    this.#file = new CaptureFile(path, (view, offset, end, timeUs, linkType, wireOctets) => {
      if (timeUs >= this.#endUs) this.#passTo(timeUs)
      if (timeUs > this.#newestUs) this.#passed(timeUs)
      handleFrame(view, offset, end, timeUs, linkType, wireOctets)
    })
  }

  /** The next intervals; none when the file is at its end. */
  async take(): Promise<readonly CaptureInterval[]> {
    while (!this.#isOver && this.#rows < BATCH_ROWS) {
      if (await this.#file.read()) await this.#onPiece(this.#file.octetsRead, this.#file.octets)
      else this.#finish()
    }
    const intervals = this.#intervals
    this.#intervals = []
    this.#rows = 0
    return intervals
  }

  close(): void {
    this.#file.close()
  }

  #finish(): void {
    this.#isOver = true
    const { fault, frames } = this.#file
    const why = fault === undefined ? undefined : `${this.#path}: ${fault}`
    if (frames > 0) this.#end(this.#newestUs, why)
    else if (fault !== undefined) this.#end(0, why)
  }

  #passed(timeUs: number): void {
    this.#newestUs = timeUs
    if (!Number.isNaN(this.#startUs)) return
    this.#startUs = timeUs
    this.#endUs = timeUs + this.#intervalUs
  }

  /** Ends the intervals before this packet. Once all streams are over nothing more happens in them: the rest is passed over. */
  #passTo(timeUs: number): void {
    while (timeUs >= this.#endUs) {
      this.#end(this.#endUs, undefined)
      if (this.#monitor.isIdle) {
        this.#monitor.forget(timeUs)
        const empty = Math.floor((timeUs - this.#endUs) / this.#intervalUs)
        this.#startUs += empty * this.#intervalUs
      }
      this.#endUs = this.#startUs + this.#intervalUs
    }
  }

  #end(endUs: number, fault: string | undefined): void {
    const isLast = this.#isOver
    const made = this.#monitor.takeInterval(endUs, isLast)
    const durationMs = Number.isNaN(this.#startUs) ? 0 : (endUs - this.#startUs) / US_PER_MS
    this.#intervals.push({
      ...made,
      endUs,
      durationMs,
      ignored: isLast ? { ...made.ignored, ...this.#file.skipped } : made.ignored,
      // What whoever captured the file has lost is told by its last records, if at all.
      sensorDrops: isLast ? this.#file.drops : undefined,
      fault,
    })
    this.#rows += made.streams.length + made.reports.length + made.calls.length
    this.#startUs = endUs
  }
}
