import { PermanentError } from '../../common/errors.ts'
import {
  definitionOf,
  isMeasurementName,
  type FieldType,
  type FieldValue,
} from '../../common/measurement.ts'
import type { Aggregate, Query, Series } from './store.ts'

/** Aggregates that need numbers; the others take any field. */
const NUMERIC: ReadonlySet<Aggregate> = new Set(['sum', 'min', 'max', 'mean'])

/** More rows than this are no answer to a person's question, and some 60 MB of memory. */
export const MAX_ROWS = 50_000

/** One value of the answer: a field, or an aggregate of it. */
export interface PlannedColumn {
  readonly as: string
  readonly field: string
  readonly type: FieldType
  /** Absent for raw points. */
  readonly aggregate: Aggregate | undefined
}

/**
 * The columns of a query that has been held against the vocabulary, so that a store may put its names into text.
 * @throws PermanentError `bad-query`
 */
export function planned(query: Query): readonly PlannedColumn[] {
  const { measurement, columns, everyUs, limit } = query
  if (!isMeasurementName(measurement)) throw bad(`unknown measurement`)
  const { tags, fields } = definitionOf(measurement)
  for (const tag of [...Object.keys(query.where ?? {}), ...(query.groupBy ?? [])]) {
    if (tag !== 'site' && tag !== 'agent' && !Object.hasOwn(tags, tag)) {
      throw bad(`${measurement} has no tag "${tag}"`)
    }
  }
  const times = [query.fromUs, query.toUs, everyUs ?? 1, limit ?? 1]
  if (!times.every((number) => Number.isSafeInteger(number) && number >= 0)) {
    throw bad('fromUs, toUs, everyUs and limit must be whole numbers')
  }
  if (everyUs === 0 || limit === 0) throw bad('everyUs and limit must not be 0')
  if ('raw' in columns && everyUs !== undefined) throw bad('raw points have no buckets')
  const wanted: readonly { as: string; field: string; aggregate?: Aggregate }[] =
    'raw' in columns ? columns.raw.map((field) => ({ as: field, field })) : columns
  if (wanted.length === 0) throw bad('no columns')
  if (new Set(wanted.map(({ as }) => as)).size < wanted.length) throw bad('a column twice')
  return wanted.map(({ as, field, aggregate }) => {
    const type = Object.hasOwn(fields, field) ? fields[field]?.type : undefined
    if (type === undefined) throw bad(`${measurement} has no field "${field}"`)
    if (aggregate && NUMERIC.has(aggregate) && type !== 'float' && type !== 'integer') {
      throw bad(`${aggregate} of ${field}, which is a ${type}`)
    }
    return { as, field, type, aggregate }
  })
}

/** Whether the query can have no answer: no time, or a tag that may be none of no values. */
export function isEmpty(query: Query): boolean {
  return (
    query.fromUs >= query.toUs ||
    Object.values(query.where ?? {}).some((values) => values.length === 0)
  )
}

/** One row of a store's answer: the tags in the order of `groupBy`, the values in that of the columns. */
export interface Row {
  readonly tags: readonly string[]
  readonly timeUs: number
  readonly values: readonly unknown[]
}

/**
 * Rows in any order as series: ordered by their tags, times ascending, and of more rows than the limit the newest.
 * @throws PermanentError `too-many-rows`
 */
export function toSeries(
  query: Query,
  columns: readonly PlannedColumn[],
  rows: readonly Row[],
): readonly Series[] {
  const kept = rows.toSorted((a, b) => a.timeUs - b.timeUs).slice(-(query.limit ?? rows.length))
  if (kept.length > MAX_ROWS) {
    const message = `more than ${MAX_ROWS} rows: ask for less time, longer buckets or fewer tags`
    throw new PermanentError('too-many-rows', message)
  }
  const groups = new Map<string, Row[]>()
  for (const row of kept) {
    const key = row.tags.join('\n')
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return [...groups.keys()].sort().map((key) => {
    const group = groups.get(key) ?? []
    const tags = group[0]?.tags ?? []
    return {
      tags: Object.fromEntries((query.groupBy ?? []).map((tag, index) => [tag, tags[index] ?? ''])),
      timesUs: group.map(({ timeUs }) => timeUs),
      values: Object.fromEntries(
        columns.map((column, index) => [
          column.as,
          group.map(({ values }) => valueOf(values[index], column)),
        ]),
      ),
    }
  })
}

function valueOf(value: unknown, column: PlannedColumn): FieldValue | null {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') {
    return value
  }
  return column.aggregate === 'count' ? 0 : null
}

function bad(message: string): PermanentError {
  return new PermanentError('bad-query', message)
}
