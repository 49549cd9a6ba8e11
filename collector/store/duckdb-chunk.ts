import { DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import type { Measurement } from '../../common/measurement.ts'
import type { TableColumn } from './duckdb-schema.ts'

/** DuckDB's own vector size: the most rows of one chunk. */
export const ROWS_PER_CHUNK = 2048
const OCTETS_PER_VALUE = 8
const BITS_PER_OCTET = 8
/** DuckDB reads which rows are NULL in words of so many rows. */
const ROWS_PER_WORD = 64
const TWO_TO_32 = 2 ** 32
/** duckdb_string_t: the length, and this much text in place; longer text lies elsewhere. */
const TEXT_OCTETS = 16
const SHORT_TEXT = 12
const TEXT_AT = 4
const WORDS_PER_TEXT = 4
const ASCII = 0x7f

type FixedKind = Exclude<TableColumn['kind'], 'tag' | 'string'>

/**
 * Points as DuckDB takes them, column by column. Values are written into its memory as they lie there (little-endian, as all machines it
 * runs on): its own vectors make a bigint of each integer and of each row's validity, which takes longer than all the rest.
 */
export class ChunkWriter {
  readonly #floats = new Float64Array((ROWS_PER_CHUNK * TEXT_OCTETS) / OCTETS_PER_VALUE)
  /** The same memory; an integer is two words, the low one first. */
  readonly #words = new Uint32Array(this.#floats.buffer)
  readonly #octets = new Uint8Array(this.#floats.buffer)
  /** A bit for each row that has a value. */
  readonly #valid = new Uint8Array(ROWS_PER_CHUNK / BITS_PER_OCTET)

  /**
   * Of each table, used again: its memory, two megabytes for a wide table, is given back only when the garbage collector comes by, which
   * knows nothing of it.
   */
  readonly #chunks = new Map<string, DuckDBDataChunk>()

  /**
   * The chunk is good until the next one of this table.
   * @param types of a table's columns, always the same
   * @param columns as the types; undefined = a column the vocabulary no longer has
   */
  chunk(
    table: string,
    types: () => readonly DuckDBType[],
    columns: readonly (TableColumn | undefined)[],
    points: readonly Measurement[],
  ): DuckDBDataChunk {
    const chunk = this.#chunks.get(table) ?? DuckDBDataChunk.create(types())
    this.#chunks.set(table, chunk)
    chunk.reset()
    chunk.rowCount = points.length
    const present = new Set<string>()
    for (const { fields } of points) for (const field in fields) present.add(field)
    for (const [index, column] of columns.entries()) {
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
      this.#valid.fill(0)
      const isHeld = column !== undefined && (!isField(column) || present.has(column.name))
      const held = isHeld ? this.#write(vector, column, points) : 0
      if (held < points.length) this.#writeValidity(vector, points.length)
    }
    return chunk
  }

  /** Returns how many rows have a value; one that does not fit its column is absent. */
  #write(vector: duckdb.Vector, column: TableColumn, points: readonly Measurement[]): number {
    const { kind, name } = column
    switch (kind) {
      case 'tag':
        return this.#writeTexts(vector, points, ({ tags }) => tags[name] ?? '')
      case 'string':
        return this.#writeTexts(vector, points, ({ fields }) => fields[name], true)
      case 'time':
      case 'float':
      case 'integer':
      case 'boolean':
        return this.#writeFixed(vector, kind, name, points)
    }
  }

  /** Short texts are written like numbers; a call for each would take longer than all the rest. */
  #writeTexts(
    vector: duckdb.Vector,
    points: readonly Measurement[],
    textOf: (point: Measurement) => unknown,
    mayBeEmpty = false,
  ): number {
    const long: [number, string][] = []
    let held = 0
    let row = 0
    let last: string | undefined
    this.#octets.fill(0, 0, points.length * TEXT_OCTETS)
    for (const point of points) {
      const text = textOf(point)
      if (typeof text === 'string' && (mayBeEmpty || text !== '')) {
        if (text === last) this.#repeatText(row)
        else if (this.#putText(row, text)) last = text
        else {
          long.push([row, text])
          last = undefined
        }
        this.#markValid(row)
        held++
      } else last = undefined
      row++
    }
    duckdb.copy_data_to_vector(vector, 0, this.#floats.buffer, 0, points.length * TEXT_OCTETS)
    for (const [at, text] of long) duckdb.vector_assign_string_element(vector, at, text)
    return held
  }

  #repeatText(row: number): void {
    const at = row * WORDS_PER_TEXT
    this.#words.copyWithin(at, at - WORDS_PER_TEXT, at)
  }

  /** False when it is not short and plain. */
  #putText(row: number, text: string): boolean {
    if (text.length > SHORT_TEXT) return false
    const at = row * TEXT_OCTETS + TEXT_AT
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > ASCII) {
        this.#octets.fill(0, at, at + SHORT_TEXT)
        return false
      }
      this.#octets[at + index] = code
    }
    this.#words[row * WORDS_PER_TEXT] = text.length
    return true
  }

  #writeFixed(
    vector: duckdb.Vector,
    kind: FixedKind,
    name: string,
    points: readonly Measurement[],
  ): number {
    let held = 0
    let row = 0
    // What stands where nothing is would be compressed too.
    this.#floats.fill(0, 0, points.length)
    for (const { timeUs, fields } of points) {
      if (this.#put(kind, row, kind === 'time' ? timeUs : fields[name])) {
        this.#markValid(row)
        held++
      }
      row++
    }
    const octets = points.length * (kind === 'boolean' ? 1 : OCTETS_PER_VALUE)
    duckdb.copy_data_to_vector(vector, 0, this.#floats.buffer, 0, octets)
    return held
  }

  #put(kind: FixedKind, row: number, value: unknown): boolean {
    switch (kind) {
      case 'float':
        if (typeof value !== 'number' || !Number.isFinite(value)) return false
        this.#floats[row] = value
        return true
      case 'boolean':
        if (typeof value !== 'boolean') return false
        this.#octets[row] = value ? 1 : 0
        return true
      case 'integer':
      case 'time': {
        if (typeof value !== 'number' || !Number.isSafeInteger(value)) return false
        const high = Math.floor(value / TWO_TO_32)
        this.#words[2 * row] = value - high * TWO_TO_32
        // Two's complement: a negative one wraps around.
        this.#words[2 * row + 1] = high
        return true
      }
    }
  }

  #markValid(row: number): void {
    const octet = row >> 3
    this.#valid[octet] = (this.#valid[octet] ?? 0) | (1 << (row & 7))
  }

  #writeValidity(vector: duckdb.Vector, rows: number): void {
    const octets = (Math.ceil(rows / ROWS_PER_WORD) * ROWS_PER_WORD) / BITS_PER_OCTET
    duckdb.vector_ensure_validity_writable(vector)
    duckdb.copy_data_to_vector_validity(vector, 0, this.#valid.buffer, 0, octets)
  }
}

function isField({ kind }: TableColumn): boolean {
  return kind !== 'time' && kind !== 'tag'
}
