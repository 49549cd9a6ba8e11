import { Tap, type Wait } from '../capture/tap.ts'
import type { TapOptions } from '../capture/tcpdump.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import type { CaptureInterval } from './capture-interval.ts'
import { Monitor, type MonitorOptions } from './monitor.ts'
import type { StallRow } from './stall-row.ts'
import type { StreamRow } from './stream-row.ts'

const ANSWER_LIMIT_MS = 1000

/** Watches an interface through two tcpdumps: media cut off behind its headers, signalling whole. */
export class LiveCapture {
  readonly #monitor: Monitor
  readonly #media: Tap
  readonly #signalling: Tap

  constructor(options: TapOptions, monitor: MonitorOptions, wait: Wait) {
    this.#monitor = new Monitor(monitor)
    const { handleFrame } = this.#monitor
    this.#media = new Tap(options, 'media', handleFrame, wait)
    this.#signalling = new Tap(options, 'signalling', handleFrame, wait)
  }

  /** @throws PermanentError or TransientError when capturing cannot begin */
  async start(): Promise<void> {
    const started = await Promise.allSettled([this.#media.start(), this.#signalling.start()])
    const failed = started.find(({ status }) => status === 'rejected')
    if (failed?.status !== 'rejected') return
    await this.stop()
    throw failed.reason
  }

  /** The interval up to now: what tcpdump had captured when it was asked is in it, but for the newest few it may still gather. */
  async take(endUs: number): Promise<CaptureInterval> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    await Promise.all([this.#media.catchUp(limit), this.#signalling.catchUp(limit)])
    const interval = this.#monitor.takeInterval(endUs)
    const drops = this.#media.takeDrops() + this.#signalling.takeDrops()
    return {
      endUs,
      durationMs: undefined,
      ...interval,
      sensorDrops: drops + this.#takeMissed(interval.streams),
      fault: this.#fault,
    }
  }

  /** See Monitor.takeStalls(). Nothing is said while tcpdump is away or does not answer: the silence may be its own. */
  async takeStalls(nowUs: number): Promise<readonly StallRow[]> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    if (!(await this.#media.catchUp(limit))) return []
    return this.#monitor.takeStalls(this.#media.heardUntilUs(nowUs))
  }

  /** What signalling said that cannot wait, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    return this.#monitor.takeEvents()
  }

  async stop(): Promise<void> {
    await Promise.all([this.#media.stop(), this.#signalling.stop()])
  }

  get #fault(): string | undefined {
    const { fault, backlog } = this.#media
    if (fault !== undefined) return fault
    if (this.#signalling.fault !== undefined) return `signalling: ${this.#signalling.fault}`
    return backlog > 0 ? `${backlog} captured packets are not counted yet` : undefined
  }

  /** What passed while tcpdump was away is missing from the streams, and nobody can say what else is: all of it is ours. */
  #takeMissed(streams: readonly StreamRow[]): number {
    if (!this.#media.takeAbsence()) return 0
    return streams.reduce((missed, { lostUnique }) => missed + Math.max(0, lostUnique), 0)
  }
}
