/** A table for people: padded columns, and colour that does not count as width. */

const GAP = '  '
const RED = '\u001B[31m'
const YELLOW = '\u001B[33m'
const PLAIN = '\u001B[39m'
/** What a terminal might obey, in what strangers wrote. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g
const INSTEAD = '?'
/** Not measured. */
export const ABSENT = '-'

export type Tone = 'plain' | 'warn' | 'bad'

export interface Cell {
  readonly text: string
  readonly tone?: Tone
}

export interface Column<Row> {
  readonly title: string
  readonly align: 'left' | 'right'
  /** Columns leave a table that is too wide for the screen, the highest first; 0 stays. */
  readonly leaves: number
  readonly cell: (row: Row) => Cell
}

interface FilledColumn {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly leaves: number
  readonly cells: readonly Cell[]
  readonly width: number
}

export interface TableOptions {
  readonly hasColour: boolean
  /** Of the screen; undefined where lines may be of any length. */
  readonly width: number | undefined
}

/** Columns nobody has anything to say in are left out. */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { hasColour, width }: TableOptions,
): string {
  const filled = fitting(columns.map((column) => fill(column, rows)).filter(says), width)
  const line = (cellOf: (column: FilledColumn) => Cell) =>
    filled
      .map((column) => {
        const { text, tone = 'plain' } = cellOf(column)
        const padded =
          column.align === 'left' ? text.padEnd(column.width) : text.padStart(column.width)
        return hasColour ? coloured(padded, tone) : padded
      })
      .join(GAP)
      .trimEnd()
  const lines = rows.map((_, row) => line(({ cells }) => cells[row] ?? { text: '' }))
  return [line(({ title }) => ({ text: title })), ...lines].map((text) => `${text}\n`).join('')
}

export function coloured(text: string, tone: Tone): string {
  if (tone === 'plain') return text
  return `${tone === 'bad' ? RED : YELLOW}${text}${PLAIN}`
}

/** Fit to be shown on a terminal. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, INSTEAD)
}

function fill<Row>(
  { title, align, leaves, cell }: Column<Row>,
  rows: readonly Row[],
): FilledColumn {
  const cells = rows.map((row) => {
    const { text, tone = 'plain' } = cell(row)
    return { text: printable(text), tone }
  })
  const width = cells.reduce((most, { text }) => Math.max(most, text.length), title.length)
  return { title, align, leaves, cells, width }
}

function says({ cells }: FilledColumn): boolean {
  return cells.some(({ text }) => text !== '' && text !== ABSENT)
}

function fitting(columns: readonly FilledColumn[], width: number | undefined): FilledColumn[] {
  const left = [...columns]
  const needed = () => left.reduce((sum, one) => sum + one.width + GAP.length, -GAP.length)
  while (width !== undefined && needed() > width) {
    const most = left.reduce((highest, { leaves }) => Math.max(highest, leaves), 0)
    if (most === 0) break
    left.splice(
      left.findIndex(({ leaves }) => leaves === most),
      1,
    )
  }
  return left
}
