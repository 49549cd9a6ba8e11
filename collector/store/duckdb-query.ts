import { at, quoted } from './duckdb-schema.ts'
import { MAX_ROWS, type PlannedColumn } from './series.ts'
import type { Aggregate, Query } from './store.ts'

const AGGREGATES = {
  sum: (field) => `sum(${field})::DOUBLE`,
  min: (field) => `min(${field})::DOUBLE`,
  max: (field) => `max(${field})::DOUBLE`,
  mean: (field) => `avg(${field})::DOUBLE`,
  count: (field) => `count(${field})::DOUBLE`,
  first: (field) => `arg_min(${field}, "time")`,
  last: (field) => `arg_max(${field}, "time")`,
} as const satisfies Record<Aggregate, (field: string) => string>

/** SQL whose rows are: time in microseconds, the tags of `groupBy`, the columns. Names were held against the vocabulary before. */
export function toSql(
  query: Query,
  columns: readonly PlannedColumn[],
): { readonly sql: string; readonly values: readonly string[] } {
  const values: string[] = []
  const conditions = [
    `"time" >= ${at(query.fromUs)}`,
    `"time" < ${at(query.toUs)}`,
    `(${columns.map(({ field }) => `${quoted(field)} IS NOT NULL`).join(' OR ')})`,
  ]
  for (const [tag, wanted] of Object.entries(query.where ?? {})) {
    const places = wanted.map((value) => `$${values.push(value)}`)
    const absent = wanted.includes('') ? ` OR ${quoted(tag)} IS NULL` : ''
    conditions.push(`(${quoted(tag)} IN (${places.join(', ')})${absent})`)
  }
  const selected = [
    timeOf(query),
    ...(query.groupBy ?? []).map((tag) => `coalesce(${quoted(tag)}, '')`),
    ...columns.map(selectedColumn),
  ]
  const parts = [
    `SELECT ${selected.join(', ')}`,
    `FROM ${quoted(query.measurement)}`,
    `WHERE ${conditions.join(' AND ')}`,
  ]
  if (!('raw' in query.columns)) parts.push('GROUP BY ALL HAVING count(*) > 0')
  if (query.limit !== undefined) parts.push('ORDER BY 1 DESC')
  // One more than is allowed shows that there are too many.
  parts.push(`LIMIT ${Math.min(query.limit ?? Infinity, MAX_ROWS + 1)}`)
  return { sql: parts.join('\n'), values }
}

function timeOf({ columns, fromUs, everyUs }: Query): string {
  if ('raw' in columns) return 'epoch_us("time")::DOUBLE'
  if (everyUs === undefined) return `${fromUs}::DOUBLE`
  return `(epoch_us("time") // ${everyUs} * ${everyUs})::DOUBLE`
}

/** Integers come as DOUBLE, exact for all we store (up to 2^53), so that no bigint is ever made. */
function selectedColumn({ field, type, aggregate }: PlannedColumn): string {
  const expression = aggregate ? AGGREGATES[aggregate](quoted(field)) : quoted(field)
  return type === 'integer' ? `${expression}::DOUBLE` : expression
}
