import { reasonOf } from '../../common/errors.ts'
import { CountsSince, type CaptureInterval } from './capture-interval.ts'
import { PcapReader } from './pcap.ts'
import { StreamMonitor, type StreamMonitorOptions } from './stream-monitor.ts'
import type { StreamRow } from './stream-row.ts'
import { Tcpdump, type TapOptions } from './tcpdump.ts'

const RESTART_MIN_MS = 1000
const RESTART_MAX_MS = 30_000
const START_LIMIT_MS = 10_000
const ANSWER_LIMIT_MS = 1000
const STOP_LIMIT_MS = 1000

/** Resolves after so many milliseconds, or when the signal fires. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>

/** Watches an interface through tcpdump, which is started anew when it dies. */
export class LiveCapture {
  readonly #tap: TapOptions
  readonly #wait: Wait
  readonly #monitor: StreamMonitor
  readonly #since = new CountsSince()
  readonly #stopping = new AbortController()
  #tcpdump: Tcpdump | undefined
  #reader: PcapReader | undefined
  #running: Promise<void> = Promise.resolve()
  #onData: () => void = () => undefined
  #fault: string | undefined
  /** By runs of tcpdump that have ended. */
  #earlierDrops = 0
  #reportedDrops = 0
  /** Tcpdump was started anew and nothing it captured since has been reported. */
  #wasAway = false

  constructor(tap: TapOptions, options: StreamMonitorOptions, wait: Wait) {
    this.#tap = tap
    this.#wait = wait
    this.#monitor = new StreamMonitor(options)
  }

  /** @throws PermanentError or TransientError when capturing cannot begin */
  async start(): Promise<void> {
    const starting = this.#startTcpdump()
    this.#running = starting.then(
      () => this.#keepRunning(),
      () => undefined,
    )
    await starting
  }

  /** The interval up to now: everything tcpdump had captured when it was asked is in it. */
  async take(endUs: number): Promise<CaptureInterval> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    const statistics = await this.#tcpdump?.readStatistics(limit)
    if (statistics !== undefined) await this.#haveRead(statistics.captured, limit)
    const drops = this.#earlierDrops + (this.#tcpdump?.statistics.dropped ?? 0)
    const sensorDrops = drops - this.#reportedDrops
    this.#reportedDrops = drops
    const streams = this.#monitor.takeInterval(endUs)
    return {
      endUs,
      durationMs: undefined,
      streams,
      ...this.#since.take(this.#monitor.counts),
      sensorDrops: sensorDrops + this.#takeMissed(streams),
      fault: this.#fault,
    }
  }

  /** What passed while tcpdump was away is missing from the streams, and nobody can say what else is: all of it is ours. */
  #takeMissed(streams: readonly StreamRow[]): number {
    if (!this.#wasAway) return 0
    this.#wasAway = (this.#reader?.frames ?? 0) === 0
    return streams.reduce((missed, { lostUnique }) => missed + Math.max(0, lostUnique), 0)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#tcpdump?.stop(AbortSignal.timeout(STOP_LIMIT_MS))
    await this.#running
  }

  async #startTcpdump(): Promise<void> {
    const reader = new PcapReader(this.#monitor.handleFrame)
    const tcpdump = await Tcpdump.start(
      this.#tap,
      (octets) => {
        reader.push(octets)
        this.#onData()
        // There is no way to find the next packet in what follows.
        if (reader.fault !== undefined) void this.#tcpdump?.stop(AbortSignal.timeout(STOP_LIMIT_MS))
      },
      AbortSignal.any([AbortSignal.timeout(START_LIMIT_MS), this.#stopping.signal]),
    )
    this.#reader = reader
    this.#tcpdump = tcpdump
    this.#fault = undefined
    // Asked to stop when there was nothing to stop yet.
    if (this.#stopping.signal.aborted) await tcpdump.stop(AbortSignal.timeout(STOP_LIMIT_MS))
  }

  async #keepRunning(): Promise<void> {
    let waitMs = RESTART_MIN_MS
    for (;;) {
      if (this.#tcpdump !== undefined) {
        const reason = await this.#tcpdump.ended
        this.#fault = this.#reader?.fault ?? reason
        this.#earlierDrops += this.#tcpdump.statistics.dropped
        if ((this.#reader?.frames ?? 0) > 0) waitMs = RESTART_MIN_MS
        this.#tcpdump = undefined
      }
      await this.#wait(waitMs, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      waitMs = Math.min(2 * waitMs, RESTART_MAX_MS)
      try {
        await this.#startTcpdump()
        this.#wasAway = true
      } catch (error) {
        this.#fault = reasonOf(error)
      }
    }
  }

  /** Waits until so many frames of this run of tcpdump have come through the pipe. */
  async #haveRead(frames: number, limit: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        const reader = this.#reader
        if (limit.aborted || reader === undefined || reader.fault !== undefined) resolve()
        else if (this.#tcpdump === undefined || reader.frames >= frames) resolve()
      }
      this.#onData = check
      limit.addEventListener('abort', check, { once: true })
      check()
    })
    this.#onData = () => undefined
  }
}
