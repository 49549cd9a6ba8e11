import { reasonOf } from '../../common/errors.ts'
import { PcapReader } from './pcap.ts'
import type { FrameHandler } from './record-reader.ts'
import { Tcpdump, type TapOptions, type TapPart } from './tcpdump.ts'

const RESTART_MIN_MS = 1000
const RESTART_MAX_MS = 5000
const START_LIMIT_MS = 10_000
const STOP_LIMIT_MS = 1000
/** The kernel hands packets over in blocks, half-filled ones after tcpdump's timeout of 1000 ms; the rest is for waking up. */
const KERNEL_DELAY_MS = 1100
/** Two looks in silence are longer than that delay: no packet is on its way to tcpdump. */
const LOOK_MS = 600
/** Those of 42 octets, the smallest there are in Ethernet, that the 4 KiB tcpdump gathers hold with their headers. */
const MAX_GATHERED = 72
/** Then it hangs. */
const MAX_UNANSWERED = 5
const US_PER_MS = 1000

/** Resolves after so many milliseconds, or when the signal fires. */
export type Wait = (ms: number, signal: AbortSignal) => Promise<void>

/** Keeps a tcpdump running, starts it anew when it dies, and hands its frames on. */
export class Tap {
  readonly #options: TapOptions
  readonly #part: TapPart
  readonly #onFrame: FrameHandler
  readonly #wait: Wait
  readonly #stopping = new AbortController()
  #tcpdump: Tcpdump | undefined
  #reader: PcapReader | undefined
  #running: Promise<unknown> = Promise.resolve()
  #onData: () => void = () => undefined
  #fault: string | undefined
  /** By runs of tcpdump that have ended. */
  #earlierDrops = 0
  #reportedDrops = 0
  /** Questions in a row. */
  #unanswered = 0
  #octets = 0
  /** Time of the newest frame handed on. */
  #newestUs = -Infinity
  #isNew = false

  constructor(options: TapOptions, part: TapPart, onFrame: FrameHandler, wait: Wait) {
    this.#options = options
    this.#part = part
    this.#wait = wait
    this.#onFrame = (view, offset, end, timeUs, linkType, wireOctets) => {
      this.#newestUs = timeUs
      onFrame(view, offset, end, timeUs, linkType, wireOctets)
    }
  }

  /** @throws PermanentError or TransientError when capturing cannot begin */
  async start(): Promise<void> {
    const starting = this.#startTcpdump()
    this.#running = starting.then(
      async () => await Promise.all([this.#keepRunning(), this.#keepFlushing()]),
      () => undefined,
    )
    await starting
  }

  /** Why nothing is coming, where that is so. */
  get fault(): string | undefined {
    return this.#fault ?? (this.#unanswered > 0 ? 'tcpdump does not answer' : undefined)
  }

  /** Frames captured and not handed on yet. More than tcpdump gathers are those nobody has had the time to read. */
  get backlog(): number {
    const waiting = this.#waiting(this.#tcpdump?.statistics.captured ?? 0)
    return waiting > this.#mayWait ? waiting : 0
  }

  /**
   * Reads on until everything is handed on that tcpdump had captured when asked, but for the newest few that it gathers.
   * Returns false when the signal fires before.
   */
  async catchUp(limit: AbortSignal): Promise<boolean> {
    const tcpdump = this.#tcpdump
    if (tcpdump === undefined) return false
    const { captured } = await tcpdump.readStatistics(limit)
    this.#unanswered = limit.aborted ? this.#unanswered + 1 : 0
    if (this.#unanswered >= MAX_UNANSWERED) tcpdump.kill()
    await this.#haveRead(captured, limit)
    return !limit.aborted
  }

  /** Call after catchUp(): every frame that passed before this time has been handed on. */
  heardUntilUs(nowUs: number): number {
    const hasAll = this.#waiting(this.#tcpdump?.statistics.captured ?? 0) <= 0
    const untilUs = nowUs - KERNEL_DELAY_MS * US_PER_MS
    return hasAll ? untilUs : Math.min(untilUs, this.#newestUs)
  }

  /** Packets dropped by the kernel since the last call. */
  takeDrops(): number {
    const drops = this.#earlierDrops + (this.#tcpdump?.statistics.dropped ?? 0)
    const since = drops - this.#reportedDrops
    this.#reportedDrops = drops
    return since
  }

  /** Whether tcpdump was away, and what has come since is what came first. */
  takeAbsence(): boolean {
    const wasAway = this.#isNew
    if ((this.#reader?.frames ?? 0) > 0) this.#isNew = false
    return wasAway
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#tcpdump?.stop(AbortSignal.timeout(STOP_LIMIT_MS))
    await this.#running
  }

  get #mayWait(): number {
    return this.#tcpdump?.gathers === true ? MAX_GATHERED : 0
  }

  async #startTcpdump(): Promise<void> {
    const reader = new PcapReader(this.#onFrame)
    const tcpdump = await Tcpdump.start(
      this.#options,
      this.#part,
      (octets) => {
        reader.push(octets)
        this.#octets += octets.length
        this.#onData()
        // There is no way to find the next packet in what follows.
        if (reader.fault !== undefined) void this.#tcpdump?.stop(AbortSignal.timeout(STOP_LIMIT_MS))
      },
      AbortSignal.any([AbortSignal.timeout(START_LIMIT_MS), this.#stopping.signal]),
    )
    this.#reader = reader
    this.#tcpdump = tcpdump
    this.#fault = undefined
    this.#unanswered = 0
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
        this.#onData()
      }
      await this.#wait(waitMs, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      waitMs = Math.min(2 * waitMs, RESTART_MAX_MS)
      try {
        await this.#startTcpdump()
        this.#isNew = true
      } catch (error) {
        this.#fault = reasonOf(error)
      }
    }
  }

  /** What tcpdump has gathered waits for more to come. When nothing has come for long, it is told to hand it over. */
  async #keepFlushing(): Promise<void> {
    let octets = 0
    let quietLooks = 0
    for (;;) {
      await this.#wait(LOOK_MS, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      quietLooks = octets === this.#octets ? quietLooks + 1 : 0
      octets = this.#octets
      const tcpdump = this.#tcpdump
      if (quietLooks < 2 || tcpdump?.gathers !== true) continue
      const { captured } = await tcpdump.readStatistics(AbortSignal.timeout(LOOK_MS))
      if (this.#waiting(captured) > 0 && octets === this.#octets) tcpdump.flush()
    }
  }

  /** Frames still to come of so many captured. Tcpdump counts in 32 bits: a little over an hour at a million a second. */
  #waiting(captured: number): number {
    return (captured - (this.#reader?.frames ?? 0)) | 0
  }

  /** Waits until so many frames of this run of tcpdump have come through the pipe, but for those it may gather. */
  async #haveRead(captured: number, limit: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = () => {
        const reader = this.#reader
        if (limit.aborted || reader === undefined || reader.fault !== undefined) resolve()
        else if (this.#tcpdump === undefined || this.#waiting(captured) <= this.#mayWait) resolve()
      }
      this.#onData = check
      limit.addEventListener('abort', check, { once: true })
      check()
    })
    this.#onData = () => undefined
  }
}
