/** Comma-separated values as spreadsheets write them: RFC 4180, and what Excel makes of it elsewhere. */

export interface Cell {
  readonly text: string
  /** Where it begins in its line, counted from 1. */
  readonly column: number
}

export interface Row {
  /** Where it begins, counted from 1. */
  readonly line: number
  readonly cells: readonly Cell[]
}

export interface Csv {
  /** Without empty rows. */
  readonly rows: readonly Row[]
  readonly problem?: { readonly line: number; readonly column: number; readonly message: string }
}

const SEPARATORS = [',', ';', '\t']
const MAX_ROWS = 200_000
/** A quote that is never closed would swallow the rest of the file. */
const MAX_CELL = 10_000

/**
 * Octets of a text file: UTF-8 or UTF-16 where a byte-order mark says so, else UTF-8, else Windows-1252, in which Excel saves "CSV" in much of
 * Europe.
 */
export function decodeText(octets: Uint8Array): string {
  const [first, second] = octets
  if (first === 0xff && second === 0xfe) return new TextDecoder('utf-16le').decode(octets)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(octets)
  } catch {
    return new TextDecoder('windows-1252').decode(octets)
  }
}

/** Never throws; what was read before a problem is kept. */
export function readCsv(text: string): Csv {
  const reader = new CsvReader(text.startsWith('\ufeff') ? text.slice(1) : text)
  return reader.read()
}

class CsvReader {
  readonly #text: string
  readonly #separator: string
  #at = 0
  #line = 1
  #lineStart = 0

  constructor(text: string) {
    const hint = /^sep=(.)\r?\n/i.exec(text)
    this.#text = text
    this.#separator = hint?.[1] ?? likelySeparator(text)
    if (hint !== null) this.#newLine(hint[0].length)
  }

  read(): Csv {
    const rows: Row[] = []
    while (this.#at < this.#text.length) {
      const line = this.#line
      const cells: Cell[] = []
      for (;;) {
        const column = this.#at - this.#lineStart + 1
        const cell = this.#readCell()
        if (cell === undefined || rows.length >= MAX_ROWS) {
          const message =
            cell === undefined
              ? 'a quote is opened here and never closed: close it, or write it twice ("") where it is part of the text'
              : `more than ${MAX_ROWS} rows: split the file`
          return { rows, problem: { line, column, message } }
        }
        cells.push({ text: unguarded(cell.trim()), column })
        if (this.#text[this.#at] !== this.#separator) break
        this.#at++
      }
      this.#endLine()
      if (cells.some(({ text }) => text !== '')) rows.push({ line, cells })
    }
    return { rows }
  }

  /** Up to a separator or the end of the line; undefined for a quote without end. */
  #readCell(): string | undefined {
    const text = this.#text
    if (text[this.#at] !== '"') return this.#readBare()
    let cell = ''
    for (let from = this.#at + 1; ;) {
      const end = text.indexOf('"', from)
      if (end < 0 || cell.length + end - from > MAX_CELL) return undefined
      cell += text.slice(from, end)
      if (text[end + 1] !== '"') {
        this.#countLines(this.#at, end)
        this.#at = end + 1
        return cell + this.#readBare()
      }
      cell += '"'
      from = end + 2
    }
  }

  #readBare(): string {
    const start = this.#at
    for (; this.#at < this.#text.length; this.#at++) {
      const letter = this.#text[this.#at]
      if (letter === this.#separator || letter === '\n' || letter === '\r') break
    }
    return this.#text.slice(start, this.#at)
  }

  #endLine(): void {
    if (this.#text[this.#at] === '\r') this.#at++
    if (this.#text[this.#at] === '\n') this.#at++
    this.#newLine(this.#at)
  }

  #newLine(at: number): void {
    this.#at = at
    this.#line++
    this.#lineStart = at
  }

  #countLines(from: number, to: number): void {
    for (let at = this.#text.indexOf('\n', from); at >= 0 && at < to;) {
      this.#line++
      this.#lineStart = at + 1
      at = this.#text.indexOf('\n', at + 1)
    }
  }
}

/** The one that stands most often in the first line. */
function likelySeparator(text: string): string {
  const [line = ''] = text.split(/\r?\n|\r/, 1)
  const bare = line.replace(/"[^"]*"/g, '')
  const counts = SEPARATORS.map((separator) => bare.split(separator).length)
  return SEPARATORS[counts.indexOf(Math.max(...counts))] ?? ','
}

/** With a byte-order mark and carriage returns, as Excel likes it. */
export function writeCsv(rows: readonly (readonly string[])[], separator: string): string {
  const lines = rows.map((row) =>
    row.map((cell) => quoted(guarded(cell), separator)).join(separator),
  )
  return `\ufeff${lines.map((line) => `${line}\r\n`).join('')}`
}

/** What a spreadsheet would take for a formula (+31 20 ... is one) is kept text by an apostrophe. */
function guarded(cell: string): string {
  return /^'*[=+@-]/.test(cell) ? `'${cell}` : cell
}

function unguarded(cell: string): string {
  return /^'+[=+@-]/.test(cell) ? cell.slice(1) : cell
}

function quoted(cell: string, separator: string): string {
  const isPlain = !/["\r\n]/.test(cell) && !cell.includes(separator) && cell.trim() === cell
  return isPlain ? cell : `"${cell.replaceAll('"', '""')}"`
}
