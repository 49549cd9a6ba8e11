import { isLineBreak, LineCursor } from './line-cursor.ts'
import type { BadLine, DecodedLine, DecodedPoint, Precision } from './line-protocol.ts'
import type { FieldValue } from './measurement.ts'

const SPACE = 32
const QUOTE = 34
const COMMA = 44
const MINUS = 45
const DOT = 46
const DIGIT_0 = 48
const DIGIT_9 = 57
const EQUALS = 61
const UPPER_E = 69
const LOWER_E = 101
const LOWER_I = 105
const LOWER_U = 117

/** More tags and fields than this on one line is garbage; the largest measurement of the vocabulary has about 60. */
const MAX_KEYS = 1000
/** Decimal digits a double always holds exactly. */
const EXACT_DIGITS = 15
/** Digits of the largest 64-bit integer. */
const INT64_DIGITS = 19
const LONGEST_BOOLEAN = 5
const US_PER_MS = 1000
const US_PER_S = 1_000_000

/** A double holds these exactly, so dividing by one rounds once: the same result as reading the decimal in full. */
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power)

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((word) => [word, false] as const),
])

/**
 * One pass over the text, one point at a time. Lines of a batch mostly carry the same keys in the same order, so each key (and
 * tag value) is first compared with the one in the same place of the line before: no new string, no search for its end.
 */
export class LineReader extends LineCursor {
  readonly #precision: Precision
  readonly #nowUs: number
  readonly #tagKeys: string[] = []
  readonly #tagValues: string[] = []
  readonly #fieldKeys: string[] = []
  /** Of the line before, and an object that has them. */
  #lastKeys: readonly string[] = []
  #template: Record<string, FieldValue> | undefined
  #name = ''
  /** Whether the point being read is past its tags; from there on quotes count. */
  #inFields = false

  constructor(text: string, precision: Precision, nowUs: number) {
    super(text)
    this.#precision = precision
    this.#nowUs = nowUs
  }

  /** The next point or bad line; undefined at the end. */
  next(): DecodedLine | BadLine | undefined {
    if (!this.seekPoint()) return undefined
    const start = this.at
    const line = this.line
    this.#inFields = false
    const point = this.#point()
    if (point !== null) return { line, point }
    const reason = this.complaint(start, line)
    this.skipLine(this.#inFields)
    return { line, reason }
  }

  #point(): DecodedPoint | null {
    const name = this.#measurementName()
    if (name === null) return null
    const tags = this.#tags()
    if (tags === null) return null
    if (this.code() !== SPACE) return this.fail('expected a space and the fields')
    this.skipBlanks()
    this.#inFields = true
    const fields = this.#fields()
    if (fields === null) return null
    const timeUs = this.#time()
    if (timeUs === null) return null
    return { name, tags, fields, timeUs }
  }

  #measurementName(): string | null {
    if (this.isNext(this.#name)) {
      const end = this.text.charCodeAt(this.at + this.#name.length)
      if (end === COMMA || end === SPACE) {
        this.at += this.#name.length
        return this.#name
      }
    }
    const start = this.at
    const escaped = this.scanName()
    if (this.at === start) return this.fail('expected the name of a measurement')
    const raw = this.text.slice(start, this.at)
    if (escaped) return raw.replace(/\\([, ])/g, '$1')
    this.#name = raw
    return raw
  }

  #tags(): Record<string, string> | null {
    const tags: Record<string, string> = {}
    for (let index = 0; this.code() === COMMA; index++) {
      this.at++
      if (index === MAX_KEYS) return this.fail(`expected at most ${MAX_KEYS} tags`)
      const keyAt = this.at
      const key = this.#key(this.#tagKeys, index, 'tag')
      if (key === null) return null
      const value = this.#tagValue(index)
      if (value === null) return null
      if (Object.hasOwn(tags, key)) {
        this.at = keyAt
        return this.fail('expected each tag once')
      }
      tags[key] = value
    }
    return tags
  }

  #tagValue(index: number): string | null {
    const last = this.#tagValues[index]
    if (last !== undefined && this.isNext(last)) {
      const end = this.text.charCodeAt(this.at + last.length)
      if (end === COMMA || end === SPACE) {
        this.at += last.length
        return last
      }
    }
    const start = this.at
    const escaped = this.scanTag()
    if (this.at === start) return this.fail('expected the value of a tag')
    if (this.code() === EQUALS) return this.fail('expected a comma or a space behind a tag')
    const raw = this.text.slice(start, this.at)
    if (escaped) return raw.replace(/\\([,= ])/g, '$1')
    this.#tagValues[index] = raw
    return raw
  }

  #fields(): Record<string, FieldValue> | null {
    const keys: string[] = []
    const values: FieldValue[] = []
    while (keys.length === 0 || this.code() === COMMA) {
      if (keys.length > 0) this.at++
      if (keys.length === MAX_KEYS) return this.fail(`expected at most ${MAX_KEYS} fields`)
      const key = this.#key(this.#fieldKeys, keys.length, 'field')
      if (key === null) return null
      const value = this.#fieldValue()
      if (value === null) return null
      keys.push(key)
      values.push(value)
    }
    const fields = this.#blank(keys)
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]
      const value = values[index]
      if (key !== undefined && value !== undefined) fields[key] = value
    }
    return fields
  }

  /**
   * An object for these keys. V8 makes a hash table of an object that is given a dozen keys one by one; a copy of one that was
   * parsed with all of its keys stays a struct, which takes a quarter of the memory and is read twice as fast by all who come after.
   * Worth its making from the second line with the same keys on.
   */
  #blank(keys: readonly string[]): Record<string, FieldValue> {
    const last = this.#lastKeys
    this.#lastKeys = keys
    if (keys.length !== last.length || keys.some((key, index) => key !== last[index])) {
      this.#template = undefined
      return {}
    }
    this.#template ??= withKeys(keys)
    return { ...this.#template }
  }

  /** A tag's or field's key, and the equals sign behind it. */
  #key(lastKeys: string[], index: number, kind: 'tag' | 'field'): string | null {
    const last = lastKeys[index]
    if (last !== undefined && this.isNext(last)) {
      const end = this.at + last.length
      if (this.text.charCodeAt(end) === EQUALS) {
        this.at = end + 1
        return last
      }
    }
    const start = this.at
    const escaped = kind === 'tag' ? this.scanTag() : this.scanFieldKey()
    if (this.at === start) return this.fail(`expected the key of a ${kind}`)
    if (this.code() !== EQUALS) return this.fail(`expected = behind the key of a ${kind}`)
    const raw = this.text.slice(start, this.at)
    const key = escaped ? raw.replace(kind === 'tag' ? /\\([,= ])/g : /\\([,= "])/g, '$1') : raw
    if (key === '__proto__') {
      this.at = start
      return this.fail(`expected another key for a ${kind}`)
    }
    this.at++
    if (!escaped) lastKeys[index] = raw
    return key
  }

  #fieldValue(): FieldValue | null {
    const code = this.code()
    if (code === QUOTE) return this.#string()
    if (isDigit(code) || code === MINUS || code === DOT) return this.#number()
    const start = this.at
    let end = start
    while (end - start <= LONGEST_BOOLEAN && !isValueEnd(this.text.charCodeAt(end))) end++
    const value = BOOLEANS.get(this.text.slice(start, end))
    if (value === undefined)
      return this.fail('expected a number, true, false or a string in double quotes')
    this.at = end
    return value
  }

  #string(): string | null {
    const text = this.text
    const start = this.at + 1
    const end = this.stringEnd(start)
    if (end === -1) return this.fail('expected the string to be closed by a double quote')
    if (!isValueEnd(text.charCodeAt(end + 1))) {
      this.at = end + 1
      return this.fail('expected a comma, a space or the end of the line behind a string')
    }
    const raw = text.slice(start, end)
    this.countLines(start, end)
    this.at = end + 1
    return raw.includes('\\') ? raw.replace(/\\(["\\])/g, '$1') : raw
  }

  #number(): number | null {
    const text = this.text
    const start = this.at
    const negative = text.charCodeAt(start) === MINUS
    let at = negative ? start + 1 : start
    let mantissa = 0
    let digits = 0
    let decimals = -1
    let code = text.charCodeAt(at)
    for (; isDigit(code) || (code === DOT && decimals < 0); code = text.charCodeAt(++at)) {
      if (code === DOT) decimals = 0
      else {
        mantissa = mantissa * 10 + (code - DIGIT_0)
        digits++
        if (decimals >= 0) decimals++
      }
    }
    const whole = decimals < 0 && (code === LOWER_I || (code === LOWER_U && !negative))
    if (digits > 0 && whole) {
      if (digits > EXACT_DIGITS) mantissa = Number(text.slice(negative ? start + 1 : start, at))
      if (!Number.isSafeInteger(mantissa)) return this.fail('expected an integer within 2^53')
      at++
    } else if (digits > 0 && (code === LOWER_E || code === UPPER_E || digits > EXACT_DIGITS)) {
      while (!isValueEnd(text.charCodeAt(at))) at++
      const decimal = text.slice(negative ? start + 1 : start, at)
      mantissa = /^[\d.]+(?:[eE][+-]?\d+)?$/.test(decimal) ? Number(decimal) : NaN
      if (!Number.isFinite(mantissa)) return this.fail('expected a finite number')
    } else if (decimals > 0) {
      mantissa /= POWERS_OF_TEN[decimals] ?? NaN
    }
    if (digits === 0 || !isValueEnd(text.charCodeAt(at))) return this.fail('expected a number')
    this.at = at
    return negative && mantissa !== 0 ? -mantissa : mantissa
  }

  /** The time, or now where there is none, and the end of the line. */
  #time(): number | null {
    const text = this.text
    if (!this.atLineEnd() && this.code() !== SPACE)
      return this.fail('expected a comma, a space or the end of the line behind a field')
    this.skipBlanks()
    if (this.atLineEnd()) return this.#nowUs
    const start = this.at
    const negative = this.code() === MINUS
    const first = negative ? start + 1 : start
    let end = first
    while (isDigit(text.charCodeAt(end)) && end - first <= INT64_DIGITS) end++
    const next = text.charCodeAt(end)
    if (end === first || end - first > INT64_DIGITS || !isValueEnd(next) || next === COMMA)
      return this.fail(`expected the time as an integer in ${this.#precision}`)
    const timeUs = this.#microseconds(first, end, negative)
    if (!Number.isSafeInteger(timeUs))
      return this.fail(`expected a time in ${this.#precision} within 285 years of 1970`)
    this.at = end
    this.skipBlanks()
    return this.atLineEnd() ? timeUs : this.fail('expected the end of the line behind the time')
  }

  /** Exact: of nanoseconds the last three digits are cut off before they become a number. */
  #microseconds(start: number, end: number, negative: boolean): number {
    const sign = negative ? -1 : 1
    const value = (from: number, to: number): number => Number(this.text.slice(from, to))
    switch (this.#precision) {
      case 'ns': {
        const cut = Math.max(end - 3, start)
        const earlier = negative && value(cut, end) > 0 ? 1 : 0
        return sign * (value(start, cut) + earlier)
      }
      case 'us':
        return sign * value(start, end)
      case 'ms':
        return sign * value(start, end) * US_PER_MS
      case 's':
        return sign * value(start, end) * US_PER_S
    }
  }
}

function withKeys(keys: readonly string[]): Record<string, FieldValue> {
  const parsed: unknown = JSON.parse(`{${keys.map((key) => `${JSON.stringify(key)}:""`).join()}}`)
  return isRecord(parsed) ? parsed : {}
}

function isRecord(value: unknown): value is Record<string, FieldValue> {
  return typeof value === 'object' && value !== null
}

function isDigit(code: number): boolean {
  return code >= DIGIT_0 && code <= DIGIT_9
}

/** A comma, a space, a line break or the end of the text. */
function isValueEnd(code: number): boolean {
  return code === COMMA || code === SPACE || isLineBreak(code) || Number.isNaN(code)
}
