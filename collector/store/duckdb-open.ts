import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PermanentError } from '../../common/errors.ts'
import type { MeasurementName } from '../../common/measurement.ts'
import { DuckDb } from './duckdb.ts'
import {
  addColumn,
  createTable,
  createWaitingTable,
  newestTime,
  newestTimes,
  sqlTypeOf,
  STORED_COLUMNS,
  tables,
  type Table,
  type TableColumn,
} from './duckdb-schema.ts'
import { NewestTimes, seriesNumber } from './newest-times.ts'
import type { DuckDbOptions, StoreContext } from './options.ts'

const FILE = 'measurements.duckdb'
const OWNER_ONLY = 0o700
/** When it opens, the store learns the newest time of each series of this long: agents are seldom further behind each other. */
const RECENT_US = 600_000_000
/** More series than this are not learned one by one when the store opens: it must not take all memory just then. */
const MAX_LEARNED_SERIES = 20_000

/** A table as it is in the file, and what is known of the points in it. */
export interface OpenTable {
  readonly table: Table
  /** In the order of the file; undefined = a column the vocabulary no longer has. */
  readonly columns: readonly (TableColumn | undefined)[]
  readonly newest: NewestTimes
}

export interface OpenFile {
  readonly db: DuckDb
  readonly openTables: ReadonlyMap<MeasurementName, OpenTable>
}

/**
 * Opens the file, or begins one, and brings its tables up to the vocabulary.
 * @throws PermanentError when it is corrupt or another process has it
 */
export async function openFile(options: DuckDbOptions, context: StoreContext): Promise<OpenFile> {
  const temporaryFolder = join(context.folder, 'temporary')
  await mkdir(temporaryFolder, { recursive: true, mode: OWNER_ONLY })
  const db = await DuckDb.open(join(context.folder, FILE), {
    memoryLimitBytes: options['memory-limit'],
    mostColumns: Math.max(...tables().map(({ columns }) => columns.length)),
    temporaryFolder,
  })
  try {
    return { db, openTables: await opened(db, context.nowUs()) }
  } catch (error) {
    await db.close()
    throw error
  }
}

async function opened(db: DuckDb, nowUs: number): Promise<ReadonlyMap<MeasurementName, OpenTable>> {
  const openTables = new Map<MeasurementName, OpenTable>()
  for (const table of tables()) {
    await db.run(createTable(table))
    const columns = await broughtUpToDate(db, table)
    await db.run(createWaitingTable(table))
    openTables.set(table.name, { table, columns, newest: await newestOf(db, table, nowUs) })
  }
  return openTables
}

/** The columns of the file in its order, those added that a newer vocabulary has. */
async function broughtUpToDate(
  db: DuckDb,
  table: Table,
): Promise<readonly (TableColumn | undefined)[]> {
  const stored = await db.query(STORED_COLUMNS, [table.name])
  const types = new Map(stored.map(([name, type]) => [String(name), String(type)]))
  for (const column of table.columns) {
    const type = types.get(column.name)
    if (type === undefined) {
      await db.run(addColumn(table, column))
      // A new column is a NULL in memory for each row until it is folded in: of many at once there is no room for.
      await db.run('CHECKPOINT')
    } else if (type !== sqlTypeOf(column)) {
      throw new PermanentError(
        'store-type',
        `column ${column.name} of ${table.name} is ${type} in the file, expected ${sqlTypeOf(column)}`,
      )
    }
    types.set(column.name, sqlTypeOf(column))
  }
  const known = new Map(table.columns.map((column) => [column.name, column]))
  return [...types.keys()].map((name) => known.get(name))
}

/** What can be said without reading the whole table: the newest time of each series of the last minutes, and of all the others. */
async function newestOf(db: DuckDb, table: Table, nowUs: number): Promise<NewestTimes> {
  const newest = async (untilUs: number): Promise<number> =>
    Number((await db.query(newestTime(table, untilUs)))[0]?.[0] ?? 0)
  const presentUs = await newest(nowUs)
  for (const floorUs of [Math.max(0, presentUs - RECENT_US), presentUs]) {
    const series = await db.query(newestTimes(table, floorUs, MAX_LEARNED_SERIES + 1))
    if (series.length > MAX_LEARNED_SERIES) continue
    const times = new NewestTimes(floorUs)
    for (const [timeUs, ...values] of series) {
      const tags = Object.fromEntries(
        table.tags.map((tag, index) => [
          tag,
          typeof values[index] === 'string' ? values[index] : '',
        ]),
      )
      times.advance(seriesNumber(table.tags, tags), Number(timeUs), nowUs)
    }
    return times
  }
  return new NewestTimes(await newest(Number.MAX_SAFE_INTEGER))
}
