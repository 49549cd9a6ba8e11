import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { reasonOf } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Spool } from '../common/spool.ts'
import { CollectorClient, type Answer, type Batch } from './collector-client.ts'
import type { CollectorAddress } from './config.ts'
import type { Clock } from './scheduler.ts'

export interface PushLimits {
  /** From the first byte sent to the last byte of the answer. */
  readonly requestMs: number
  /** Exponential backoff with full jitter: anything from 0 to the bound, which doubles from `backoffMinMs` to `backoffMaxMs`. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** A collector's Retry-After is obeyed up to this long. */
  readonly retryAfterMaxMs: number
  /** After changing to another collector, how long until the preferred one is tried again. */
  readonly preferredAgainMs: number
  /** The same complaint is logged at most this often. */
  readonly logAgainMs: number
}

const LIMITS: PushLimits = {
  requestMs: 15_000,
  backoffMinMs: 500,
  backoffMaxMs: 60_000,
  retryAfterMaxMs: 300_000,
  preferredAgainMs: 60_000,
  logAgainMs: 60_000,
}

export interface PusherOptions {
  /** In order of preference; at least one. */
  readonly collectors: readonly CollectorAddress[]
  readonly spool: Spool
  readonly clock: Clock
  readonly log: Logger
  /** 0 up to but not including 1. */
  readonly random: () => number
  readonly limits?: Partial<PushLimits>
}

/** Since the pusher was made. */
export interface PushCounters {
  /** Points a collector refused. */
  readonly rejectedPoints: number
  /** Attempts that failed. */
  readonly failures: number
}

interface Collector {
  readonly client: CollectorClient
  readonly rank: number
  /** Attempts that failed since the last that did not. */
  failures: number
  notBeforeMs: number
}

type Failure = Extract<Answer, { readonly kind: 'failed' | 'unauthorised' }>

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/**
 * Takes records from the spool, oldest first, and pushes each until a collector has taken or refused it: one at a time, so order is
 * kept; as it is, with its id, so a retry costs nothing and counts once.
 */
export class Pusher {
  readonly #options: PusherOptions
  readonly #limits: PushLimits
  readonly #collectors: readonly Collector[]
  /** Fires when the pusher is to end: no more waiting, one last try. */
  readonly #ending = new AbortController()
  /** Fires when the last try has had its time. */
  readonly #ended = new AbortController()
  readonly #loggedAtMs = new Map<string, number>()
  #running: Promise<void> = Promise.resolve()
  #current = 0
  #endPause: () => void = () => undefined
  #preferredAgainAtMs = -Infinity
  #rejectedPoints = 0
  #failures = 0

  constructor(options: PusherOptions) {
    this.#options = options
    this.#limits = { ...LIMITS, ...options.limits }
    this.#collectors = options.collectors.map((address, rank) => ({
      client: new CollectorClient(address, () => options.clock.nowUs()),
      rank,
      failures: 0,
      notBeforeMs: -Infinity,
    }))
  }

  get counters(): PushCounters {
    return { rejectedPoints: this.#rejectedPoints, failures: this.#failures }
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Tries now what waits for its next attempt, and soon again: before long there may be no power to try with. */
  hurry(): void {
    for (const collector of this.#collectors) {
      collector.failures = Math.min(collector.failures, 1)
      collector.notBeforeMs = -Infinity
    }
    this.#endPause()
  }

  /** Tries what is left in the spool once more, for at most `limitMs`, and ends. */
  async stop(limitMs: number): Promise<void> {
    this.#ending.abort()
    const cancel = this.#options.clock.setTimer(() => {
      this.#ended.abort(new Error('the agent is ending'))
    }, limitMs)
    await this.#running
    cancel()
    for (const { client } of this.#collectors) client.close()
  }

  async #run(): Promise<void> {
    const { spool } = this.#options
    for (;;) {
      try {
        const record = await spool.peek()
        if (record !== undefined) {
          if (!(await this.#deliver(record))) return
          await spool.acknowledge(record.id)
        } else if (this.#isEnding()) {
          return
        } else {
          await spool.waitForRecord(this.#ending.signal).catch((error: unknown) => {
            if (!this.#isEnding()) throw error
          })
        }
      } catch (error) {
        if (this.#isEnding()) return
        this.#complain('spool', { reason: reasonOf(error) }, 'cannot read the spool')
        await this.#pause(this.#limits.backoffMinMs)
      }
    }
  }

  /** True when the batch is done with, taken or refused; false when the pusher ended first. */
  async #deliver(batch: Batch): Promise<boolean> {
    const tried = new Set<Collector>()
    for (;;) {
      const collector = this.#isEnding() ? this.#untried(tried) : this.#choose()
      if (collector !== undefined) {
        tried.add(collector)
        const answer = await this.#attempt(collector, batch)
        switch (answer.kind) {
          case 'accepted':
            return true
          case 'refused':
            this.#refused(answer.rejected, answer.reason)
            return true
          case 'too-large':
            return await this.#deliverHalves(batch)
          case 'unauthorised':
          case 'failed':
            break
        }
      } else if (this.#isEnding()) {
        return false
      } else {
        const earliestMs = Math.min(...this.#collectors.map(({ notBeforeMs }) => notBeforeMs))
        await this.#pause(earliestMs - this.#options.clock.monotonicMs())
        tried.clear()
      }
    }
  }

  async #attempt(collector: Collector, batch: Batch): Promise<Answer> {
    const limit = new AbortController()
    const end = (): void => {
      limit.abort(this.#ended.signal.reason)
    }
    const cancel = this.#options.clock.setTimer(() => {
      limit.abort(new Error(`no answer within ${this.#limits.requestMs} ms`))
    }, this.#limits.requestMs)
    this.#ended.signal.addEventListener('abort', end, { once: true })
    if (this.#ended.signal.aborted) end()
    const answer = await collector.client.push(batch, limit.signal)
    this.#ended.signal.removeEventListener('abort', end)
    cancel()
    if (answer.kind === 'failed' || answer.kind === 'unauthorised') this.#failed(collector, answer)
    else this.#succeeded(collector)
    return answer
  }

  /** The one in use, the preferred one when it is time to try it again, or the first that may be tried. */
  #choose(): Collector | undefined {
    const nowMs = this.#options.clock.monotonicMs()
    const open = this.#collectors.filter(({ notBeforeMs }) => notBeforeMs <= nowMs)
    const isPreferredDue = nowMs >= this.#preferredAgainAtMs
    const inUse = open.find(({ rank }) => rank === (isPreferredDue ? 0 : this.#current))
    return inUse ?? open.find(({ rank }) => rank === this.#current) ?? open[0]
  }

  #untried(tried: ReadonlySet<Collector>): Collector | undefined {
    if (this.#ended.signal.aborted) return undefined
    const left = this.#collectors.filter((collector) => !tried.has(collector))
    return left.find(({ rank }) => rank === this.#current) ?? left[0]
  }

  #succeeded(collector: Collector): void {
    const { clock, log } = this.#options
    const url = collector.client.url
    if (collector.failures > 0) log.info({ url, failures: collector.failures }, 'push works again')
    collector.failures = 0
    collector.notBeforeMs = -Infinity
    if (collector.rank === this.#current) return
    this.#current = collector.rank
    this.#preferredAgainAtMs = clock.monotonicMs() + this.#limits.preferredAgainMs
    log.info({ url }, 'pushing to another collector')
  }

  #failed(collector: Collector, answer: Failure): void {
    const { backoffMinMs, backoffMaxMs, retryAfterMaxMs, preferredAgainMs } = this.#limits
    const nowMs = this.#options.clock.monotonicMs()
    const boundMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** collector.failures)
    const askedMs = answer.kind === 'failed' ? answer.retryAfterMs : undefined
    const waitMs =
      askedMs === undefined
        ? this.#options.random() * boundMs
        : Math.min(Math.max(askedMs, backoffMinMs), retryAfterMaxMs)
    collector.failures++
    collector.notBeforeMs = nowMs + waitMs
    if (collector.rank === 0 && this.#current !== 0)
      this.#preferredAgainAtMs = nowMs + preferredAgainMs
    this.#failures++
    const { reason } = answer
    const { url } = collector.client
    this.#complain(
      `${answer.kind} ${url}`,
      { url, reason, failures: collector.failures },
      answer.kind === 'unauthorised'
        ? 'the collector does not accept our token; measurements are kept in the spool'
        : 'push failed; measurements are kept in the spool',
    )
  }

  #refused(points: number, reason: string): void {
    this.#rejectedPoints += points
    if (points > 0) this.#complain('refused', { points, reason }, 'points refused by the collector')
  }

  /** For a collector that takes less at once than we send. The halves have ids of their own, the same every time. */
  async #deliverHalves(batch: Batch): Promise<boolean> {
    const text = (await decompress(batch.payload)).toString('utf8')
    const lines = text.split('\n').filter((line) => line !== '')
    if (lines.length < 2) {
      this.#refused(lines.length, 'a single point is too large for the collector')
      return true
    }
    const middle = Math.ceil(lines.length / 2)
    const halves = [lines.slice(0, middle), lines.slice(middle)]
    for (const [index, half] of halves.entries()) {
      const payload = await compress(`${half.join('\n')}\n`)
      const id = `${batch.id}.${index + 1}`
      if (!(await this.#deliver({ payload, id, points: half.length }))) return false
    }
    return true
  }

  /** Ends early when the pusher is to end. */
  async #pause(durationMs: number): Promise<void> {
    const { signal } = this.#ending
    if (signal.aborted) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel()
        signal.removeEventListener('abort', end)
        resolve()
      }
      this.#endPause = end
      const cancel = this.#options.clock.setTimer(end, Math.max(0, durationMs))
      signal.addEventListener('abort', end)
    })
  }

  #isEnding(): boolean {
    return this.#ending.signal.aborted
  }

  #complain(kind: string, details: object, message: string): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - (this.#loggedAtMs.get(kind) ?? -Infinity) < this.#limits.logAgainMs) return
    this.#loggedAtMs.set(kind, nowMs)
    this.#options.log.warn(details, message)
  }
}
