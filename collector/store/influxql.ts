import { PermanentError, TransientError } from '../../common/errors.ts'
import type { PlannedColumn, Row } from './series.ts'
import type { Query } from './store.ts'

/** InfluxDB's default chunk. */
const ROWS_PER_CHUNK = 10_000

/**
 * InfluxQL of the plain kind that every engine with that language serves. Names were held against the vocabulary before; values of
 * columns come back as c0, c1 ...
 */
export function toInfluxQl(query: Query, columns: readonly PlannedColumn[]): string {
  const selected = columns.map(({ field, aggregate }, index) => {
    const value = aggregate ? `${aggregate}(${identifier(field)})` : identifier(field)
    return `${value} AS ${columnName(index)}`
  })
  const conditions = [`time >= ${query.fromUs}u`, `time < ${query.toUs}u`]
  for (const [tag, wanted] of Object.entries(query.where ?? {})) {
    // An absent tag is one that equals ''.
    const any = wanted.map((value) => `${identifier(tag)} = ${literal(value)}`)
    conditions.push(`(${any.join(' OR ')})`)
  }
  const grouped = (query.groupBy ?? []).map(identifier)
  if (query.everyUs !== undefined) grouped.unshift(`time(${query.everyUs}u)`)
  const parts = [
    `SELECT ${selected.join(', ')}`,
    `FROM ${identifier(query.measurement)}`,
    `WHERE ${conditions.join(' AND ')}`,
  ]
  if (grouped.length > 0) parts.push(`GROUP BY ${grouped.join(', ')}`)
  if (query.everyUs !== undefined) parts.push('fill(none)')
  // The limit is one per series here; what is too many of all together is cut afterwards.
  if (query.limit !== undefined) parts.push(`ORDER BY time DESC LIMIT ${query.limit}`)
  return parts.join(' ')
}

export function identifier(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&')}"`
}

function literal(value: string): string {
  return `'${value.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n')}'`
}

/**
 * The rows of an answer to one statement.
 * @throws TransientError `influx-garbage` when it is not an answer of InfluxDB's
 * @throws PermanentError `influx-query` when InfluxDB refused the statement
 */
export function rowsOf(
  answer: unknown,
  query: Query,
  columns: readonly PlannedColumn[],
): readonly Row[] {
  const aggregated = !('raw' in query.columns)
  return seriesIn(answer).flatMap((series) => {
    const names = list(series, 'columns')
    const tags = (query.groupBy ?? []).map((tag) => text(property(property(series, 'tags'), tag)))
    const time = names.indexOf('time')
    const places = columns.map((_, index) => names.indexOf(columnName(index)))
    return list(series, 'values').map((row): Row => {
      if (!Array.isArray(row)) throw garbage('a row that is none')
      const cells: readonly unknown[] = row
      return {
        tags,
        timeUs: aggregated && query.everyUs === undefined ? query.fromUs : Number(cells[time]),
        values: places.map((place) => cells[place]),
      }
    })
  })
}

/** @throws as `rowsOf` */
export function assertAnswered(answer: unknown): void {
  seriesIn(answer)
}

function seriesIn(answer: unknown): readonly unknown[] {
  const [result] = list(answer, 'results')
  if (result === undefined) throw garbage('no result')
  const error = property(result, 'error')
  if (typeof error === 'string') {
    if (/database not found/i.test(error)) throw new TransientError('influx-database', error)
    throw new PermanentError('influx-query', error)
  }
  if (property(result, 'series') === undefined) return []
  const series = list(result, 'series')
  if (series.some(isCutShort)) {
    throw new PermanentError('influx-query', 'InfluxDB cut the answer short (max-row-limit)')
  }
  return series
}

/** InfluxDB calls a whole series partial too, when it put it together from more than one of its own chunks. */
function isCutShort(series: unknown): boolean {
  return property(series, 'partial') === true && list(series, 'values').length < ROWS_PER_CHUNK
}

function columnName(index: number): string {
  return `c${index}`
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function list(value: unknown, key: string): readonly unknown[] {
  const found = property(value, key)
  if (!Array.isArray(found)) throw garbage(`no ${key}`)
  return found
}

function property(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.getOwnPropertyDescriptor(value, key)?.value
}

function garbage(what: string): TransientError {
  return new TransientError('influx-garbage', `not an answer of InfluxDB's: ${what}`)
}
