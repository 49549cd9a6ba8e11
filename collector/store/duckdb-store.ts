import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import type { Measurement, MeasurementName } from '../../common/measurement.ts'
import type { DuckDb } from './duckdb.ts'
import { openFile, type OpenFile, type OpenTable } from './duckdb-open.ts'
import { toSql } from './duckdb-query.ts'
import {
  clearWaiting,
  deleteOlder,
  deleteWaiting,
  insertWaiting,
  waitingTable,
  type Table,
} from './duckdb-schema.ts'
import { GroupCommit } from './group-commit.ts'
import { seriesNumber } from './newest-times.ts'
import type { DuckDbOptions, StoreContext } from './options.ts'
import { isEmpty, planned, toSeries } from './series.ts'
import type { Query, Series, Store } from './store.ts'
import { withDeadline } from './timers.ts'
import { Turnstile } from './turnstile.ts'

const COMMIT_LIMITS = { maxPerCommit: 5000, maxWaiting: 20_000 }
const CONCURRENT_READS = 2
const MAX_WAITING_READS = 32
const READ_DEADLINE_MS = 30_000
const READY_DEADLINE_MS = 2000
const RETENTION_EVERY_MS = 3_600_000
/** Few enough that writes do not wait long between two slices. */
const RETENTION_SLICE = 50_000
/** Points that may be there already are looked for in stretches of time; a gap this long begins a new one. */
const STRETCH_GAP_US = 600_000_000
/** Each costs a statement, and everybody's points wait for it: times strewn over years are looked for in fewer, longer stretches. */
const MAX_STRETCHES = 64

/** The embedded store: one DuckDB file, one typed table per measurement. */
export class DuckDbStore implements Store {
  readonly kind = 'duckdb'
  readonly #options: DuckDbOptions
  readonly #context: StoreContext
  readonly #commits: GroupCommit<Measurement>
  readonly #reads = new Turnstile(CONCURRENT_READS, MAX_WAITING_READS)
  readonly #closing = new AbortController()
  readonly #stopRetention: () => void
  #db: DuckDb
  #tables: ReadonlyMap<MeasurementName, OpenTable>
  #failure: string | undefined

  private constructor(options: DuckDbOptions, context: StoreContext, { db, openTables }: OpenFile) {
    this.#options = options
    this.#context = context
    this.#db = db
    this.#tables = openTables
    this.#commits = new GroupCommit((points) => this.#commit(points), COMMIT_LIMITS)
    this.#stopRetention = context.every(RETENTION_EVERY_MS, () => void this.expire())
    void this.expire()
  }

  /** @throws PermanentError when the file is corrupt or another process has it */
  static async open(options: DuckDbOptions, context: StoreContext): Promise<DuckDbStore> {
    return new DuckDbStore(options, context, await openFile(options, context))
  }

  async write(points: readonly Measurement[]): Promise<void> {
    this.#refuseWhenClosed()
    for (const { name, timeUs } of points) {
      if (!this.#tables.has(name) || !Number.isSafeInteger(timeUs) || timeUs <= 0) {
        throw new PermanentError('bad-point', `cannot store ${name} at ${timeUs} us`)
      }
    }
    if (points.length > 0) await this.#commits.write(points)
  }

  async read(query: Query): Promise<readonly Series[]> {
    const columns = planned(query)
    this.#refuseWhenClosed()
    if (isEmpty(query)) return []
    const { sql, values } = toSql(query, columns)
    const answer = await this.#reads.run(() => this.#query(sql, values, READ_DEADLINE_MS))
    const firstColumn = 1 + (query.groupBy ?? []).length
    const rows = answer.map(([timeUs, ...rest]) => ({
      timeUs: Number(timeUs),
      tags: rest.slice(0, firstColumn - 1).map(String),
      values: rest.slice(firstColumn - 1),
    }))
    return toSeries(query, columns, rows)
  }

  async ready(): Promise<{ readonly ok: boolean; readonly reason?: string }> {
    if (this.#closing.signal.aborted) return { ok: false, reason: 'the store is closed' }
    try {
      if (this.#failure === undefined && !this.#db.broken) {
        await this.#query('SELECT 1', [], READY_DEADLINE_MS)
      } else {
        const probe = this.#commits.between(() => this.#probe())
        await this.#answered(probe, READY_DEADLINE_MS, () => undefined)
      }
      return { ok: true }
    } catch (error) {
      return { ok: false, reason: reasonOf(error) }
    }
  }

  /** Deletes what is older than the retention, in slices, and gives the space back. Runs by itself at the start and every hour. */
  async expire(): Promise<void> {
    const { log, nowUs } = this.#context
    const beforeUs = nowUs() - this.#options.retention * 1000
    let deleted = 0
    try {
      for (const { table } of this.#tables.values()) {
        const slice = deleteOlder(table, beforeUs, RETENTION_SLICE)
        for (let count = -1; count !== 0; deleted += count) {
          if (this.#closing.signal.aborted) return
          count = await this.#commits.between(() => this.#db.run(slice))
        }
      }
      if (deleted > 0 && !this.#closing.signal.aborted)
        await this.#commits.between(() => this.#db.checkpoint())
      log.debug({ deleted }, 'points beyond retention deleted')
    } catch (error) {
      log.warn({ deleted, reason: reasonOf(error) }, 'retention not done, next try in an hour')
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#stopRetention()
    this.#closing.abort()
    await this.#commits.drained()
    await this.#commits.between(async () => {
      await this.#db.run('CHECKPOINT').catch(() => undefined)
      await this.#db.close()
    })
  }

  #refuseWhenClosed(): void {
    if (this.#closing.signal.aborted) {
      throw new TransientError('store-closed', 'the store is closed')
    }
  }

  async #query(
    sql: string,
    values: readonly string[],
    deadlineMs: number,
  ): Promise<readonly (readonly unknown[])[]> {
    const stop = new AbortController()
    const answer = this.#db.query(sql, values, stop.signal)
    return await this.#answered(answer, deadlineMs, () => {
      stop.abort()
    })
  }

  async #answered<T>(answer: Promise<T>, ms: number, stop: () => void): Promise<T> {
    const { signal } = this.#closing
    return await withDeadline(answer, { ms, every: this.#context.every, signal }, () => {
      stop()
      return signal.aborted
        ? new TransientError('store-closed', 'the store is closed')
        : new TransientError('store-slow', `no answer within ${ms} ms`)
    })
  }

  async #commit(points: readonly Measurement[]): Promise<void> {
    try {
      if (this.#db.broken) await this.#reopen()
      const parts = this.#divided(points)
      await this.#db.transaction(async () => {
        for (const part of parts.values()) await this.#writePart(part)
      })
      this.#failure = undefined
    } catch (error) {
      this.#failure = reasonOf(error)
      if (error instanceof TransientError) throw error
      throw new TransientError('store-failed', this.#failure, { cause: error })
    }
  }

  /** By table: what is certainly new, and what may be there already; of two copies of such a point the last. */
  #divided(points: readonly Measurement[]): ReadonlyMap<MeasurementName, Part> {
    const nowUs = this.#context.nowUs()
    const parts = new Map<MeasurementName, Part>()
    for (const point of points) {
      const open = this.#tables.get(point.name)
      if (open === undefined) continue
      let part = parts.get(point.name)
      if (part === undefined) {
        part = { open, fresh: [], repeated: new Map() }
        parts.set(point.name, part)
      }
      const series = seriesNumber(open.table.tags, point.tags)
      if (open.newest.advance(series, point.timeUs, nowUs)) part.fresh.push(point)
      else part.repeated.set(identity(open.table, point), point)
    }
    return parts
  }

  async #writePart({ open, fresh, repeated }: Part): Promise<void> {
    const { table, columns } = open
    if (fresh.length > 0) await this.#db.append(table.name, columns, fresh)
    if (repeated.size === 0) return
    const points = [...repeated.values()]
    await this.#db.append(waitingTable(table), columns, points)
    for (const [fromUs, toUs] of stretches(points)) {
      await this.#db.run(deleteWaiting(table, fromUs, toUs))
    }
    await this.#db.run(insertWaiting(table))
    await this.#db.run(clearWaiting(table))
  }

  /** Whether the disk takes something again after it had failed. */
  async #probe(): Promise<void> {
    if (this.#db.broken) await this.#reopen()
    await this.#db.run('CREATE OR REPLACE TABLE probe AS SELECT 1')
    this.#failure = undefined
  }

  /** DuckDB gives up a file it could not write to for good; what was committed is in it. */
  async #reopen(): Promise<void> {
    await this.#db.close()
    const { db, openTables } = await openFile(this.#options, this.#context)
    this.#db = db
    this.#tables = openTables
    this.#context.log.warn('the store was opened anew after a failure of the disk')
  }
}

interface Part {
  readonly open: OpenTable
  readonly fresh: Measurement[]
  readonly repeated: Map<string, Measurement>
}

function identity({ tags }: Table, point: Measurement): string {
  return JSON.stringify([point.timeUs, ...tags.map((tag) => point.tags[tag] ?? '')])
}

/** The stretches of time the points lie in. */
function stretches(points: readonly Measurement[]): readonly (readonly [number, number])[] {
  const times = points.map(({ timeUs }) => timeUs).sort((a, b) => a - b)
  for (let gapUs = STRETCH_GAP_US; ; gapUs *= 2) {
    const found = stretchesOf(times, gapUs)
    if (found.length <= MAX_STRETCHES) return found
  }
}

function stretchesOf(times: readonly number[], gapUs: number): readonly [number, number][] {
  const found: [number, number][] = []
  for (const timeUs of times) {
    const last = found.at(-1)
    if (last && timeUs - last[1] <= gapUs) last[1] = timeUs
    else found.push([timeUs, timeUs])
  }
  return found
}
