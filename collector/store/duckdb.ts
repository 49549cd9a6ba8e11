import { existsSync } from 'node:fs'
import { DuckDBInstance, type DuckDBAppender, type DuckDBConnection } from '@duckdb/node-api'
import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import type { Measurement } from '../../common/measurement.ts'
import { ChunkWriter, ROWS_PER_CHUNK } from './duckdb-chunk.ts'
import type { TableColumn } from './duckdb-schema.ts'

/** What a query may put on disk when it does not fit the memory limit. */
const MAX_TEMPORARY_BYTES = 1024 ** 3
/** Log written before it is folded into the tables: what it holds is in memory as well, and must not fill it. */
const CHECKPOINT_BYTES = 16 * 1024 ** 2
/** Of new files. A table being appended to takes two for each column, values and NULLs; below this DuckDB hardly compresses. */
const BLOCK_BYTES = 64 * 1024
/** DuckDB's own, which older files keep. */
const LARGEST_BLOCK_BYTES = 256 * 1024
const BLOCKS_PER_COLUMN = 2
/**
 * Rows of a table go into the file in groups, and a group that is not full is written anew by the next checkpoint, all its columns
 * uncompressed in memory: with DuckDB's own 122,880 rows that takes more than all we allow it, and seconds in which nobody can write.
 */
const ROWS_PER_GROUP = 20_480
/**
 * How many times a checkpoint may put small groups together, which is the same work again: none while points come in. DuckDB's own number
 * is for checkpoint().
 */
const MERGES = 100
/** The name of our file among the databases of the instance, whose own is in memory and empty. */
const STORE = 'store'
const USE_STORE = `USE ${STORE}`
const BLOCK_SIZE =
  'SELECT block_size FROM pragma_database_size() WHERE database_name = current_database()'
/** After such an error DuckDB refuses everything until the file is opened anew. */
const FATAL =
  /^(?:FATAL|INTERNAL) Error|database has been invalidated|Database "[^"]+" has been invalidated/

/** One open DuckDB file: one connection that writes, and one more for each query that reads. */
export class DuckDb {
  readonly #file: string
  readonly #instance: DuckDBInstance
  readonly #writer: DuckDBConnection
  readonly #chunks = new ChunkWriter()
  readonly #readers = new Map<DuckDBConnection, Promise<unknown>>()
  #broken = false
  #closed = false

  private constructor(file: string, instance: DuckDBInstance, writer: DuckDBConnection) {
    this.#file = file
    this.#instance = instance
    this.#writer = writer
  }

  /** @throws PermanentError naming the file and the remedy */
  static async open(
    file: string,
    options: {
      /** Beside what the table with the most columns takes while it is appended to. */
      readonly memoryLimitBytes: number
      readonly mostColumns: number
      readonly temporaryFolder: string
    },
  ): Promise<DuckDb> {
    const limit = (blockBytes: number): string =>
      `${options.memoryLimitBytes + options.mostColumns * BLOCKS_PER_COLUMN * blockBytes}B`
    try {
      const instance = await DuckDBInstance.create(':memory:', {
        threads: '1',
        // The size of its blocks is known once it is open, and the log is read before that.
        memory_limit: limit(LARGEST_BLOCK_BYTES),
        default_block_size: String(BLOCK_BYTES),
        temp_directory: options.temporaryFolder,
        max_temp_directory_size: `${MAX_TEMPORARY_BYTES}B`,
        wal_autocheckpoint: `${CHECKPOINT_BYTES}B`,
        preserve_insertion_order: 'false',
        max_vacuum_tasks: '0',
      })
      const writer = await instance.connect()
      await writer.run(
        `ATTACH '${file.replaceAll("'", "''")}' AS ${STORE} (ROW_GROUP_SIZE ${ROWS_PER_GROUP})`,
      )
      await writer.run(USE_STORE)
      // From here on it opens no other file; not even what it is told to in a query.
      await writer.run('SET enable_external_access = false')
      const db = new DuckDb(file, instance, writer)
      const [row] = await db.query(BLOCK_SIZE)
      const blockBytes = Number(row?.[0] ?? LARGEST_BLOCK_BYTES)
      await db.run(`SET memory_limit = '${limit(blockBytes)}'`)
      return db
    } catch (error) {
      throw openingError(file, reasonOf(error))
    }
  }

  /** Whether it must be closed and opened anew to go on: after some errors, and when somebody deleted the file, which DuckDB does not see. */
  get broken(): boolean {
    return this.#broken || !existsSync(this.#file)
  }

  /** Runs a statement on the writing connection and says how many rows it changed. @throws TransientError */
  async run(sql: string): Promise<number> {
    return await this.#guarded(async () => (await this.#writer.run(sql)).rowsChanged)
  }

  /** Folds the log into the tables, gives back the space of what was deleted, and puts small groups of rows together. @throws TransientError */
  async checkpoint(): Promise<void> {
    await this.run(`SET max_vacuum_tasks = ${MERGES}`)
    try {
      await this.run('CHECKPOINT')
    } finally {
      await this.run('SET max_vacuum_tasks = 0')
    }
  }

  /** All or nothing, and durable when it resolves. @throws TransientError */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.run('BEGIN')
    try {
      await work()
      await this.run('COMMIT')
    } catch (error) {
      // After a COMMIT that failed there is nothing left to roll back, and it says so.
      await this.run('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  /** Appends points to a table with these columns; undefined = a column the vocabulary no longer has. @throws TransientError */
  async append(
    table: string,
    columns: readonly (TableColumn | undefined)[],
    points: readonly Measurement[],
  ): Promise<void> {
    await this.#guarded(async () => {
      const appender = await this.#writer.createAppender(table)
      try {
        const types = () => columns.map((_, index) => appender.columnType(index))
        for (let start = 0; start < points.length; start += ROWS_PER_CHUNK) {
          const rows = points.slice(start, start + ROWS_PER_CHUNK)
          appender.appendDataChunk(this.#chunks.chunk(table, types, columns, rows))
        }
        appender.flushSync()
      } catch (error) {
        closeFailed(appender)
        throw error
      }
      appender.closeSync()
    })
  }

  /** Rows of a query on a connection of its own, which ends early when the signal fires. @throws TransientError */
  async query(
    sql: string,
    values: readonly string[] = [],
    signal?: AbortSignal,
  ): Promise<readonly (readonly unknown[])[]> {
    return await this.#guarded(async () => {
      const reader = await this.#instance.connect()
      const interrupt = (): void => {
        reader.interrupt()
      }
      signal?.addEventListener('abort', interrupt)
      try {
        await reader.run(USE_STORE)
        const answer = reader.runAndReadAll(sql, [...values])
        this.#readers.set(reader, answer)
        return (await answer).getRows()
      } finally {
        signal?.removeEventListener('abort', interrupt)
        this.#readers.delete(reader)
        reader.closeSync()
      }
    })
  }

  /** Interrupts what still reads. Nothing may be running on the writing connection. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const reader of this.#readers.keys()) reader.interrupt()
    await Promise.allSettled(this.#readers.values())
    this.#writer.closeSync()
    this.#instance.closeSync()
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new TransientError('store-failed', `${this.#file} is closed`)
    try {
      return await work()
    } catch (error) {
      const reason = reasonOf(error)
      if (FATAL.test(reason)) this.#broken = true
      throw new TransientError('store-failed', `${this.#file}: ${reason}`, { cause: error })
    }
  }
}

/** An appender that could not flush fails again when it is closed; what counts is why it failed first. */
function closeFailed(appender: DuckDBAppender): void {
  try {
    appender.closeSync()
  } catch {
    return
  }
}

function openingError(file: string, reason: string): PermanentError {
  if (/set lock|being used by another process/.test(reason)) {
    return new PermanentError(
      'store-locked',
      `${file} is in use by another process: stop that one, or give this collector another data folder (${reason})`,
    )
  }
  if (/not a valid DuckDB|[Cc]orrupt|read enough bytes|newer version|replaying WAL/.test(reason)) {
    return new PermanentError(
      'store-corrupt',
      `${file} cannot be read: restore it from a backup, or move it and ${file}.wal away and a new one is begun (${reason})`,
    )
  }
  return new PermanentError('store-open', `${file} cannot be opened: ${reason}`)
}
