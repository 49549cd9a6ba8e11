import { closeSync, openSync, readSync } from 'node:fs'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import { CountsSince, type CaptureInterval } from './capture-interval.ts'
import { PcapReader } from './pcap.ts'
import { StreamMonitor, type StreamMonitorOptions } from './stream-monitor.ts'

const US_PER_MS = 1000

export interface FileCaptureOptions {
  readonly path: string
  /** Length of an interval in packet time; undefined for one over the whole file. */
  readonly intervalMs: number | undefined
}

/** Replays a capture file by the times in it, as fast as it can be read. Blocks its thread while it reads. */
export class FileCapture {
  readonly #path: string
  readonly #intervalUs: number
  readonly #monitor: StreamMonitor
  readonly #reader: PcapReader
  readonly #since = new CountsSince()
  #file: number | undefined
  #intervals: CaptureInterval[] = []
  #startUs = NaN
  /** When the interval going on ends. */
  #endUs = Infinity
  #newestUs = -Infinity

  /** @throws PermanentError when the file cannot be opened */
  constructor({ path, intervalMs }: FileCaptureOptions, options: StreamMonitorOptions) {
    this.#path = path
    this.#intervalUs = intervalMs === undefined ? Infinity : intervalMs * US_PER_MS
    this.#monitor = new StreamMonitor(options)
    const { handleFrame } = this.#monitor
    this.#reader = new PcapReader((view, offset, end, timeUs, linkType) => {
      if (timeUs >= this.#endUs) this.#passTo(timeUs)
      if (timeUs > this.#newestUs) this.#passed(timeUs)
      handleFrame(view, offset, end, timeUs, linkType)
    })
    try {
      this.#file = openSync(path, 'r')
    } catch (error) {
      throw new PermanentError('capture-file', `cannot open ${path}: ${reasonOf(error)}`)
    }
  }

  /** The next intervals; none when the file is at its end. */
  take(): readonly CaptureInterval[] {
    while (this.#file !== undefined && this.#intervals.length === 0) {
      if (this.#read(this.#file)) continue
      this.close()
      this.#finish()
    }
    const intervals = this.#intervals
    this.#intervals = []
    return intervals
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #read(file: number): boolean {
    const octets = readSync(file, this.#reader.space())
    this.#reader.filled(octets)
    return octets > 0 && this.#reader.fault === undefined
  }

  #finish(): void {
    this.#reader.end()
    const { fault } = this.#reader
    const seen = this.#newestUs > -Infinity
    if (!seen && fault === undefined) return
    this.#end(
      seen ? this.#newestUs : 0,
      fault === undefined ? undefined : `${this.#path}: ${fault}`,
    )
  }

  #passed(timeUs: number): void {
    this.#newestUs = timeUs
    if (!Number.isNaN(this.#startUs)) return
    this.#startUs = timeUs
    this.#endUs = timeUs + this.#intervalUs
  }

  /** Ends the interval, and in a long silence one more, at the last boundary before the packet: streams that fell silent end there. */
  #passTo(timeUs: number): void {
    this.#end(this.#endUs, undefined)
    const skipped = Math.floor((timeUs - this.#endUs) / this.#intervalUs)
    this.#endUs += this.#intervalUs
    if (skipped === 0) return
    this.#endUs += (skipped - 1) * this.#intervalUs
    this.#startUs = this.#endUs - this.#intervalUs
    this.#end(this.#endUs, undefined)
    this.#endUs += this.#intervalUs
  }

  #end(endUs: number, fault: string | undefined): void {
    this.#intervals.push({
      endUs,
      durationMs: Number.isNaN(this.#startUs) ? 0 : (endUs - this.#startUs) / US_PER_MS,
      streams: this.#monitor.takeInterval(endUs),
      ...this.#since.take(this.#monitor.counts),
      sensorDrops: undefined,
      fault,
    })
    this.#startUs = endUs
  }
}
