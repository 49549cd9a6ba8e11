/** A table for people: padded columns, and colour that does not count as width. */

const GAP = '  '
const RED = '\u001B[31m'
const YELLOW = '\u001B[33m'
const PLAIN = '\u001B[39m'

export type Tone = 'plain' | 'warn' | 'bad'

export interface Cell {
  readonly text: string
  readonly tone?: Tone
}

export interface Column<Row> {
  readonly title: string
  readonly align: 'left' | 'right'
  readonly cell: (row: Row) => Cell
}

/** Columns nobody has anything to say in are left out. */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  hasColour: boolean,
): string {
  const filled = columns
    .map(({ title, align, cell }) => ({ title, align, cells: rows.map(cell) }))
    .filter(({ cells }) => cells.some(({ text }) => text !== ''))
    .map((column) => ({
      ...column,
      width: Math.max(column.title.length, ...column.cells.map(({ text }) => text.length)),
    }))
  const line = (cellOf: (column: (typeof filled)[number]) => Cell) =>
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
