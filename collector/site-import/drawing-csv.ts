import { closest } from '../../common/closest.ts'
import { name as validName } from '../../common/settings.ts'
import { COLUMNS, OTHER_NAMES, type Column } from './columns.ts'
import { readCsv, writeCsv, type Cell, type Row } from './csv.ts'
import { writeNeeds } from './need-notation.ts'
import type { Note } from './note.ts'
import { needsOf, type RawDrawing, type RawEntry } from './raw-site.ts'

/**
 * A drawing in a spreadsheet: one row for each component. A row of the kind `service` is a service; a row with members is a group; the columns
 * accepted-... accept the component of the row as a single point of failure.
 */

const SERVICE = 'service'
const ID = 'id'
const MAX_NOTES = 1000

export interface Imported {
  readonly drawing: RawDrawing
  readonly notes: readonly Note[]
}

/** Never throws: a row that is not understood is left out and told of. */
export function readDrawingCsv(text: string, file: string): Imported {
  const { rows, problem } = readCsv(text)
  const reader = new DrawingReader(file)
  const [head, ...body] = rows
  if (head === undefined)
    reader.complain(1, 1, 'the file is empty: the first row names the columns')
  else reader.readAll(head, body)
  if (problem !== undefined) reader.complain(problem.line, problem.column, problem.message)
  return reader.imported
}

/** Whether a first row looks like ours: it has an id and says what needs what. */
export function isDrawingCsv(text: string): boolean {
  const [head] = readCsv(text.slice(0, text.indexOf('\n') + 1 || undefined)).rows
  const names = (head?.cells ?? []).map(({ text: cell }) => columnName(cell))
  return names.includes(ID) && names.includes('needs')
}

/** Every row and every column that is used; readDrawingCsv() reads it back to the same. */
export function writeDrawingCsv(drawing: RawDrawing, separator: string): string {
  const rows = [
    ...[...drawing.components].map(([id, entry]) => ({
      id,
      entry: { ...entry, ...drawing.accepted.get(id) },
    })),
    ...[...drawing.groups].map(([id, entry]) => ({
      id,
      entry: { ...entry, ...drawing.accepted.get(id) },
    })),
    ...[...drawing.services].map(([id, entry]) => ({ id, entry: { ...entry, kind: SERVICE } })),
  ]
  const used = COLUMNS.filter(
    ({ name, path }) =>
      ['kind', 'needs', 'label', 'place'].includes(name) ||
      rows.some(({ entry }) => valueAt(entry, path) !== undefined),
  )
  return writeCsv(
    [
      [ID, ...used.map(({ name }) => name)],
      ...rows.map(({ id, entry }) => [id, ...used.map((column) => cellOf(entry, column))]),
    ],
    separator,
  )
}

class DrawingReader {
  readonly #file: string
  readonly #notes: Note[] = []
  readonly #parts = {
    components: new Map<string, RawEntry>(),
    groups: new Map<string, RawEntry>(),
    services: new Map<string, RawEntry>(),
    accepted: new Map<string, RawEntry>(),
  }

  /** Where each id stands first. */
  readonly #lines = new Map<string, number>()

  constructor(file: string) {
    this.#file = file
  }

  get imported(): Imported {
    return { drawing: this.#parts, notes: this.#notes }
  }

  complain(line: number, column: number, message: string): void {
    const more = this.#notes.length - MAX_NOTES
    const said = more === 0 ? 'more is wrong than is said here' : message
    if (more <= 0)
      this.#notes.push({ severity: 'error', file: this.#file, line, column, message: said })
  }

  readAll(head: Row, body: readonly Row[]): void {
    const known = new Map(COLUMNS.map((column) => [column.name, column]))
    const names = head.cells.map(({ text }) => columnName(text))
    for (const [at, { text, column }] of head.cells.entries()) {
      const name = names[at] ?? ''
      if (text === '' || name === ID || known.has(name)) {
        if (text !== '' && names.indexOf(name) !== at)
          this.complain(head.line, column, `a second column for ${name}: it is left out`)
        continue
      }
      const near = closest(name, [ID, ...known.keys()])
      const hint = near === undefined ? 'it is left out' : `did you mean "${near}"? It is left out`
      this.complain(head.line, column, `no column is called "${text}": ${hint}`)
    }
    if (!names.includes(ID)) {
      this.complain(head.line, 1, 'no column is called id: add one with a short name for each row')
      return
    }
    const columns = names.map((name, at) =>
      names.indexOf(name) === at ? known.get(name) : undefined,
    )
    for (const row of body) this.#readRow(row, names.indexOf(ID), columns)
  }

  #readRow({ line, cells }: Row, idAt: number, columns: readonly (Column | undefined)[]): void {
    const idCell = cells[idAt]
    const id = idCell?.text ?? ''
    const idIssue = validName.safeParse(id).error?.issues[0]?.message
    if (idIssue !== undefined) {
      const problem =
        id === '' ? 'this row has no id: give it a short name' : `id "${id}": ${idIssue}`
      this.complain(line, idCell?.column ?? 1, `${problem}; the row is left out`)
      return
    }
    const first = this.#lines.get(id)
    if (first !== undefined) {
      this.complain(
        line,
        idCell?.column ?? 1,
        `"${id}" is in line ${first} already: give each row a name of its own; the row is left out`,
      )
      return
    }
    this.#lines.set(id, line)
    const entry: Record<string, unknown> = {}
    const acceptance: Record<string, unknown> = {}
    for (const [at, cell] of cells.entries()) {
      if (cell.text === '' || at === idAt) continue
      const column = columns[at]
      if (column !== undefined) {
        const target = column.name.startsWith('accepted-') ? acceptance : entry
        this.#readCell(line, cell, column, target)
      } else if (at >= columns.length)
        this.complain(
          line,
          cell.column,
          `"${cell.text}" is in no column: the first row ends before`,
        )
    }
    this.#place(id, entry, acceptance)
  }

  #readCell(line: number, cell: Cell, column: Column, entry: Record<string, unknown>): void {
    const read = column.read(cell.text)
    if (read.problem !== undefined) {
      this.complain(
        line,
        cell.column + (read.at ?? 0),
        `${column.name}: ${read.problem}; the cell is left out`,
      )
      return
    }
    const [key = '', inner] = column.path
    if (inner === undefined) entry[key] = read.value
    else entry[key] = { ...recordAt(entry, key), [inner]: read.value }
  }

  #place(id: string, entry: RawEntry, acceptance: RawEntry): void {
    const { kind, ...rest } = entry
    if (kind === SERVICE) this.#parts.services.set(id, rest)
    else if (entry['members'] !== undefined) this.#parts.groups.set(id, entry)
    else this.#parts.components.set(id, entry)
    if (Object.keys(acceptance).length > 0) this.#parts.accepted.set(id, acceptance)
  }
}

/** "Battery installed" is battery-installed. */
function columnName(head: string): string {
  const name = head
    .toLowerCase()
    .trim()
    .replace(/[\s_]+/g, '-')
  return Object.hasOwn(OTHER_NAMES, name) ? (OTHER_NAMES[name] ?? name) : name
}

function cellOf(entry: RawEntry, { name, path }: Column): string {
  const value = valueAt(entry, path)
  if (value === undefined || value === null) return ''
  if (name === 'needs') return writeNeeds(needsOf(entry))
  if (name === 'watch') {
    const { measurement, target, agent } = recordAt(entry, name)
    const by = agent === undefined ? '' : ` by ${plainText(agent)}`
    return `${plainText(measurement)} ${plainText(target)}${by}`
  }
  return Array.isArray(value) ? value.map(plainText).join(', ') : plainText(value)
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function valueAt(entry: RawEntry, [key = '', inner]: readonly string[]): unknown {
  return inner === undefined ? entry[key] : recordAt(entry, key)[inner]
}

function recordAt(entry: RawEntry, key: string): Record<string, unknown> {
  const value = entry[key]
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
