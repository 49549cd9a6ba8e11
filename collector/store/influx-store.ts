import { join } from 'node:path'
import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import { encodeMeasurements } from '../../common/line-protocol.ts'
import type { Measurement } from '../../common/measurement.ts'
import { Spool, type SpoolRecord } from '../../common/spool.ts'
import { BatchRefused, InfluxConnection } from './influx.ts'
import { rowsOf, toInfluxQl } from './influxql.ts'
import type { InfluxOptions, StoreContext } from './options.ts'
import { isEmpty, planned, toSeries } from './series.ts'
import type { Query, Series, Store } from './store.ts'
import { pause } from './timers.ts'
import { Turnstile } from './turnstile.ts'

/** The package builds a request in one go; more would hold up everything else. */
const MAX_LINES = 1000
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 30_000
/** How long a read waits for the points written before it to get through the spool. */
const CATCH_UP_MS = 1000
const FLUSH_AT_CLOSE_MS = 2000
const CONCURRENT_READS = 4
const MAX_WAITING_READS = 32
/** A refused point is logged; of a flood of them only each such many. */
const LOG_EVERY = 1000

/**
 * The points go to a spool on disk first, which makes them durable, and from there to InfluxDB in order. While that is away they wait.
 * One connection writes and another reads, so that neither holds up the other.
 */
export class InfluxStore implements Store {
  readonly kind = 'influx'
  readonly #url: string
  readonly #context: StoreContext
  readonly #spool: Spool
  readonly #writing: InfluxConnection
  readonly #reading: InfluxConnection
  readonly #reads = new Turnstile(CONCURRENT_READS, MAX_WAITING_READS)
  readonly #closing = new AbortController()
  readonly #drained: Promise<void>
  /** Records that ever were in the spool. */
  #appended: number
  #catchingUp: { readonly target: number; readonly resolve: () => void }[] = []
  #connected = false
  #away: string | undefined
  #diskFailure: string | undefined
  #refusedPoints = 0

  private constructor(options: InfluxOptions, context: StoreContext, spool: Spool) {
    this.#url = options.url
    this.#context = context
    this.#spool = spool
    this.#appended = spool.counters.records
    this.#writing = new InfluxConnection(options, context.every)
    this.#reading = new InfluxConnection(options, context.every)
    this.#drained = this.#drain()
  }

  /** @throws PermanentError when the spool cannot be opened; InfluxDB may be away */
  static async open(options: InfluxOptions, context: StoreContext): Promise<InfluxStore> {
    const spool = await Spool.open({
      folder: join(context.folder, 'influx-spool'),
      maxBytes: options['spool-max'],
    })
    return new InfluxStore(options, context, spool)
  }

  async write(points: readonly Measurement[]): Promise<void> {
    this.#refuseWhenClosed()
    for (const { name, timeUs } of points) {
      if (!Number.isSafeInteger(timeUs) || timeUs <= 0) {
        throw new PermanentError('bad-point', `cannot store ${name} at ${timeUs} us`)
      }
    }
    const lines = points
      .map((point) => encodeMeasurements([point]).replace(/\n$/, ''))
      .filter((line) => line !== '')
    if (lines.length > 0) await this.#append(lines)
  }

  async read(query: Query): Promise<readonly Series[]> {
    const columns = planned(query)
    this.#refuseWhenClosed()
    if (isEmpty(query)) return []
    return await this.#reads.run(async () => {
      await this.#caughtUp(CATCH_UP_MS)
      const answer = await this.#reading.query(toInfluxQl(query, columns))
      return toSeries(query, columns, rowsOf(answer, query, columns))
    })
  }

  async ready(): Promise<{ readonly ok: boolean; readonly reason?: string }> {
    if (this.#closing.signal.aborted) return { ok: false, reason: 'the store is closed' }
    try {
      // An empty record asks the disk whether it takes something again.
      if (this.#diskFailure !== undefined) await this.#append([])
    } catch (error) {
      return { ok: false, reason: reasonOf(error) }
    }
    if (this.#away === undefined && this.#connected) return { ok: true }
    const { points, droppedPoints } = this.#spool.counters
    const lost = droppedPoints > 0 ? `, ${droppedPoints} points lost as it was full` : ''
    const reason = `InfluxDB at ${this.#url}: ${this.#away ?? 'not asked yet'}; ${points} points wait in the spool${lost}`
    return { ok: true, reason }
  }

  /** Flushes for at most two seconds; what is left is sent after the next start. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    if (this.#away === undefined) await this.#caughtUp(FLUSH_AT_CLOSE_MS)
    this.#closing.abort()
    this.#writing.close()
    this.#reading.close()
    await this.#drained
    await this.#spool.close()
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) {
      throw new TransientError('store-closed', 'the store is closed')
    }
  }

  async #append(lines: readonly string[]): Promise<void> {
    try {
      await this.#spool.append(Buffer.from(JSON.stringify(lines)), lines.length)
    } catch (error) {
      this.#diskFailure = reasonOf(error)
      throw error
    }
    this.#appended++
    this.#diskFailure = undefined
  }

  /** Resolves when what is in the spool now has been sent, or after so many milliseconds, or at once while InfluxDB is away. */
  async #caughtUp(ms: number): Promise<void> {
    const target = this.#appended
    if (this.#away !== undefined || this.#settled() >= target) return
    const waited = new AbortController()
    this.#catchingUp.push({
      target,
      resolve: () => {
        waited.abort()
      },
    })
    await pause(ms, this.#context.every, AbortSignal.any([waited.signal, this.#closing.signal]))
  }

  /** Records that left the spool, sent or dropped. */
  #settled(): number {
    return this.#appended - this.#spool.counters.records
  }

  /** Sends the spool to InfluxDB, oldest first, until closed. */
  async #drain(): Promise<void> {
    const { signal } = this.#closing
    let pauseMs = FIRST_PAUSE_MS
    while (!signal.aborted) {
      try {
        await this.#connect()
        await this.#sendNext()
        pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        if (this.#closing.signal.aborted) return
        this.#isAway(reasonOf(error))
        const wanted = error instanceof TransientError ? (error.retryAfterMs ?? 0) : 0
        await pause(
          Math.min(Math.max(pauseMs, wanted), LONGEST_PAUSE_MS),
          this.#context.every,
          signal,
        )
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
      }
    }
  }

  /** Before the first batch and after every failure InfluxDB must answer as InfluxDB does: a stray web server says 200 to anything. */
  async #connect(): Promise<void> {
    if (this.#connected) return
    await this.#writing.prepare()
    this.#connected = true
    if (this.#away !== undefined) this.#context.log.info({ url: this.#url }, 'InfluxDB answers')
    this.#away = undefined
  }

  #isAway(reason: string): void {
    if (this.#away !== reason)
      this.#context.log.warn({ url: this.#url, reason }, 'InfluxDB is away')
    this.#connected = false
    this.#away = reason
    this.#releaseWaiting(Infinity)
  }

  async #sendNext(): Promise<void> {
    await this.#spool.waitForRecord(this.#closing.signal)
    const record = await this.#spool.peek()
    if (record === undefined) return
    const lines = linesOf(record)
    for (let start = 0; start < lines.length; start += MAX_LINES) {
      await this.#send(lines.slice(start, start + MAX_LINES))
    }
    await this.#spool.acknowledge(record.id)
    this.#releaseWaiting(this.#settled())
  }

  /** Of a batch that InfluxDB refuses, the bad points are found by halving and left out; good ones sent again only replace themselves. */
  async #send(lines: readonly string[]): Promise<void> {
    try {
      await this.#writing.write(lines)
    } catch (error) {
      if (!(error instanceof BatchRefused)) throw error
      if (lines.length === 1 || error.dropped === lines.length) {
        this.#refused(lines, error.message)
        return
      }
      const middle = Math.ceil(lines.length / 2)
      await this.#send(lines.slice(0, middle))
      await this.#send(lines.slice(middle))
    }
  }

  #refused(lines: readonly string[], reason: string): void {
    const before = this.#refusedPoints
    this.#refusedPoints += lines.length
    if (
      before > 0 &&
      Math.floor(before / LOG_EVERY) === Math.floor(this.#refusedPoints / LOG_EVERY)
    )
      return
    this.#context.log.warn(
      { refusedPoints: this.#refusedPoints, reason, line: lines[0] },
      'InfluxDB refused points for good',
    )
  }

  #releaseWaiting(settled: number): void {
    const waiting = this.#catchingUp
    this.#catchingUp = waiting.filter(({ target }) => target > settled)
    for (const { target, resolve } of waiting) if (target <= settled) resolve()
  }
}

/** The lines of a record of ours; none of one that is not. */
function linesOf(record: SpoolRecord): readonly string[] {
  try {
    const lines: unknown = JSON.parse(Buffer.from(record.payload).toString('utf8'))
    return Array.isArray(lines) ? lines.filter((line) => typeof line === 'string') : []
  } catch {
    return []
  }
}
