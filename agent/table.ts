import type { FieldValue, Measurement, MeasurementName } from '../common/measurement.ts'
import { definitionOf } from '../common/measurement.ts'

const GAP = 2
const SIGNIFICANT_DIGITS = 4
const MAX_CELL = 40

/** Measurements for a person to read: a table per kind, a row per field with its unit, a column per point, as many as fit the width. */
export function tableOf(points: readonly Measurement[], width: number): string {
  const byName = new Map<MeasurementName, Measurement[]>()
  for (const point of points) byName.set(point.name, [...(byName.get(point.name) ?? []), point])
  return [...byName].map(([name, group]) => tablesOfKind(name, group, width)).join('\n')
}

function tablesOfKind(
  name: MeasurementName,
  points: readonly Measurement[],
  width: number,
): string {
  const { meaning, fields } = definitionOf(name)
  const known = Object.keys(fields).filter((field) => points.some((point) => field in point.fields))
  const label = columnOf(['', ...known.map((field) => `  ${field}`)])
  const unit = columnOf(['', ...known.map((field) => fields[field]?.unit ?? '')])
  const columns = points.map((point) =>
    columnOf([titleOf(point), ...known.map((field) => cellOf(point.fields[field]))]),
  )
  const tables: string[] = []
  for (let rest = columns; rest.length > 0;) {
    let used = label.width + unit.width + 2 * GAP
    let count = 0
    for (const column of rest) {
      used += column.width + GAP
      if (count > 0 && used > width) break
      count++
    }
    tables.push(rowsOf([label, unit, ...rest.slice(0, count)]))
    rest = rest.slice(count)
  }
  return `${name}: ${meaning}\n${tables.join('\n')}`
}

interface Column {
  readonly cells: readonly string[]
  readonly width: number
}

function columnOf(cells: readonly string[]): Column {
  return { cells, width: Math.max(...cells.map((cell) => cell.length)) }
}

function rowsOf(columns: readonly Column[]): string {
  const rows = columns[0]?.cells ?? []
  return rows
    .map((_, row) =>
      columns
        .map(({ cells, width }) => (cells[row] ?? '').padEnd(width))
        .join(' '.repeat(GAP))
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** What tells this point from the others of its kind. */
function titleOf({ tags }: Measurement): string {
  return Object.entries(tags)
    .filter(([tag]) => tag !== 'site' && tag !== 'agent')
    .map(([tag, value]) => (tag === 'target' ? value : `${tag}=${value}`))
    .join(' ')
}

function cellOf(value: FieldValue | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return value.replace(/\s+/g, ' ').slice(0, MAX_CELL)
  return Number.isInteger(value) ? String(value) : rounded(value)
}

function rounded(value: number): string {
  return Math.abs(value) >= 10 ** SIGNIFICANT_DIGITS
    ? String(Math.round(value))
    : String(Number(value.toPrecision(SIGNIFICANT_DIGITS)))
}
