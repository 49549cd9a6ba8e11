import {
  definitionOf,
  measurementNames,
  type FieldType,
  type MeasurementName,
} from '../../common/measurement.ts'

const SQL_TYPES = {
  time: 'TIMESTAMP',
  tag: 'VARCHAR',
  float: 'DOUBLE',
  integer: 'BIGINT',
  boolean: 'BOOLEAN',
  string: 'VARCHAR',
} as const satisfies Record<'time' | 'tag' | FieldType, string>

export interface TableColumn {
  readonly name: string
  readonly kind: keyof typeof SQL_TYPES
}

/** One measurement's table: `time` (microseconds, UTC), its tags, its fields. What is absent is NULL. */
export interface Table {
  readonly name: MeasurementName
  readonly tags: readonly string[]
  readonly columns: readonly TableColumn[]
}

/** A table per measurement of the vocabulary. */
export function tables(): readonly Table[] {
  return measurementNames().map((name) => {
    const definition = definitionOf(name)
    const tags = ['site', 'agent', ...Object.keys(definition.tags)]
    const columns: TableColumn[] = [
      { name: 'time', kind: 'time' },
      ...tags.map((tag) => ({ name: tag, kind: 'tag' as const })),
      ...Object.entries(definition.fields).map(([field, { type }]) => ({
        name: field,
        kind: type,
      })),
    ]
    return { name, tags, columns }
  })
}

export function createTable({ name, columns }: Table): string {
  return `CREATE TABLE IF NOT EXISTS ${quoted(name)} (${columns.map(declared).join(', ')})`
}

/** Name and type of each column the database has, in its order; the value is the table's name. */
export const STORED_COLUMNS =
  "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main' AND database_name = current_database() AND table_name = $1 ORDER BY column_index"

export function addColumn({ name }: Table, column: TableColumn): string {
  return `ALTER TABLE ${quoted(name)} ADD COLUMN ${declared(column)}`
}

export function sqlTypeOf({ kind }: TableColumn): string {
  return SQL_TYPES[kind]
}

/** Where points wait that may be in the table already: a table of the same shape, in memory, empty between transactions. */
export function waitingTable({ name }: Table): string {
  return `waiting_${name}`
}

export function createWaitingTable(table: Table): string {
  return `CREATE TEMP TABLE ${quoted(waitingTable(table))} AS FROM ${quoted(table.name)} LIMIT 0`
}

/** Takes out of the table what also waits, between two times: without these bounds the whole table would be read. */
export function deleteWaiting(table: Table, fromUs: number, toUs: number): string {
  const same = ['time', ...table.tags].map(
    (column) => `stored.${quoted(column)} IS NOT DISTINCT FROM waiting.${quoted(column)}`,
  )
  return `DELETE FROM ${quoted(table.name)} AS stored USING ${quoted(waitingTable(table))} AS waiting
    WHERE stored."time" BETWEEN ${at(fromUs)} AND ${at(toUs)} AND ${same.join(' AND ')}`
}

export function insertWaiting(table: Table): string {
  return `INSERT INTO ${quoted(table.name)} FROM ${quoted(waitingTable(table))}`
}

export function clearWaiting(table: Table): string {
  return `DELETE FROM ${quoted(waitingTable(table))}`
}

/** The newest time not after `untilUs`, or NULL. */
export function newestTime({ name }: Table, untilUs: number): string {
  return `SELECT epoch_us(max("time"))::DOUBLE FROM ${quoted(name)} WHERE "time" <= ${at(untilUs)}`
}

/** The newest time of each series that has points after `afterUs`, and its tags. */
export function newestTimes({ name, tags }: Table, afterUs: number, limit: number): string {
  const columns = tags.map(quoted).join(', ')
  return `SELECT epoch_us(max("time"))::DOUBLE, ${columns} FROM ${quoted(name)}
    WHERE "time" > ${at(afterUs)} GROUP BY ${columns} LIMIT ${limit}`
}

/** One slice of what is older than `beforeUs`. */
export function deleteOlder({ name }: Table, beforeUs: number, limit: number): string {
  return `DELETE FROM ${quoted(name)} WHERE rowid IN
    (SELECT rowid FROM ${quoted(name)} WHERE "time" < ${at(beforeUs)} LIMIT ${limit})`
}

/** `from`, `to`, `at` and `end` are words of SQL: every identifier is quoted, always. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

/** A time as a constant, so that DuckDB can leave out the blocks that hold none such. */
export function at(timeUs: number): string {
  return `make_timestamp(${Math.trunc(timeUs)})`
}

function declared(column: TableColumn): string {
  return `${quoted(column.name)} ${sqlTypeOf(column)}`
}
