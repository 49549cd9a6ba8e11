import { LineReader } from './line-reader.ts'
import {
  definitionOf,
  measurementNames,
  sanitiseTag,
  type FieldValue,
  type Measurement,
} from './measurement.ts'

/**
 * InfluxDB 1.x line protocol, the wire between agent, collector and database:
 *
 *   measurement,tag=value,tag=value field=1.5,field=3i,field="text",field=true 1700000000000000
 *
 * One point a line. Ours are stamped in microseconds; what others send may be in any of the four precisions.
 */

/** A line decoded but not yet held against the vocabulary. */
export interface DecodedPoint {
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly timeUs: number
}

export interface BadLine {
  /** Counted from 1, as an editor does; of a point with line breaks in its strings, the line it begins on. */
  readonly line: number
  /** Column, what was expected there and what came. */
  readonly reason: string
}

export interface DecodedLine {
  readonly line: number
  readonly point: DecodedPoint
}

export type Precision = 'ns' | 'us' | 'ms' | 's'

export interface DecodeOptions {
  readonly precision: Precision
  /** The time of points that carry none. */
  readonly nowUs: number
  /** After this many lines, good and bad together, reading stops, and the last bad line says so. */
  readonly maxPoints: number
}

/**
 * Points as text, one a line, in microseconds. What line protocol has no way to write is made harmless or left out: control
 * characters and a trailing backslash in tags, numbers that are not finite, fractions in integer fields, points without fields.
 */
export function encodeMeasurements(points: readonly Measurement[]): string {
  return points.map(encodePoint).join('')
}

/**
 * Reads what InfluxDB 1.x reads. Never throws: a line it cannot read is a bad line with its reason, and reading goes on behind it.
 * Unlike there, a line break ends a comment and a line also where a quote or a backslash stands before it outside a string.
 */
export function decodeLines(
  text: string,
  options: DecodeOptions,
): { readonly points: readonly DecodedLine[]; readonly bad: readonly BadLine[] } {
  const reader = new LineReader(text, options.precision, options.nowUs)
  const points: DecodedLine[] = []
  const bad: BadLine[] = []
  for (let read = reader.next(); read !== undefined; read = reader.next()) {
    if (points.length + bad.length >= options.maxPoints) {
      const reason = `more than ${options.maxPoints} points at once: this line and all behind it were not read`
      bad.push({ line: read.line, reason })
      break
    }
    if ('point' in read) points.push(read)
    else bad.push(read)
  }
  return { points, bad }
}

/** How a field of the vocabulary is written: `,key=`, and whether an `i` stands behind the number. */
interface FieldPlan {
  readonly prefix: string
  readonly integer: boolean
}

const PLANS: ReadonlyMap<string, ReadonlyMap<string, FieldPlan>> = new Map(
  measurementNames().map((name) => [
    name,
    new Map(
      Object.entries(definitionOf(name).fields).map(([key, { type }]) => [
        key,
        { prefix: keyPrefix(key), integer: type === 'integer' },
      ]),
    ),
  ]),
)

const TAG_PREFIXES: ReadonlyMap<string, string> = new Map(
  measurementNames()
    .flatMap((name) => ['site', 'agent', ...Object.keys(definitionOf(name).tags)])
    .map((key) => [key, keyPrefix(key)]),
)

/** Empty when nothing is left to write. */
function encodePoint({ name, tags, fields, timeUs }: Measurement): string {
  const time = Math.round(timeUs)
  if (!Number.isSafeInteger(time)) return ''
  const plans = PLANS.get(name)
  const parts: string[] = []
  for (const key of Object.keys(fields)) {
    const value = fields[key]
    if (value === undefined) continue
    const plan = plans?.get(key)
    const written = encodeValue(value, plan?.integer ?? false)
    const prefix = plan?.prefix ?? keyPrefix(key)
    if (written !== '' && prefix !== '') parts.push(prefix, written)
  }
  if (parts.length === 0) return ''
  const head = plans === undefined ? escapeName(name) : name
  return `${head}${encodeTags(tags)} ${parts.join('').slice(1)} ${time}\n`
}

function encodeTags(tags: Readonly<Record<string, string>>): string {
  let text = ''
  for (const key of Object.keys(tags).sort()) {
    const value = escapeTag(tags[key] ?? '')
    const prefix = value === '' ? '' : (TAG_PREFIXES.get(key) ?? keyPrefix(key))
    if (prefix !== '') text += prefix + value
  }
  return text
}

/** Empty when there is no way to write it. */
function encodeValue(value: FieldValue, integer: boolean): string {
  if (typeof value === 'number') {
    if (integer) return Number.isSafeInteger(value) ? `${value}i` : ''
    return Number.isFinite(value) ? String(value) : ''
  }
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  return `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`
}

/** `,key=`; empty when there is no way to write the key. */
function keyPrefix(key: string): string {
  if (/^\w+$/.test(key)) return `,${key}=`
  const escaped = escapeKey(key)
  return escaped === '' ? '' : `,${escaped}=`
}

function escapeTag(value: string): string {
  if (/^[\w.:-]{0,128}$/.test(value)) return value
  return sanitiseTag(value).replace(/[,= ]/g, '\\$&')
}

/** Tag and field keys: a backslash that would eat the character behind it is taken out. */
function escapeKey(key: string): string {
  return withoutStrayBackslashes(key).replace(/[,= ]/g, '\\$&')
}

/** An equals sign in a measurement's name is a letter like any other. */
function escapeName(name: string): string {
  return withoutStrayBackslashes(name).replace(/[, ]/g, '\\$&').replace(/^#/, '_') || '_'
}

function withoutStrayBackslashes(text: string): string {
  return sanitiseTag(sanitiseTag(text).replace(/\\+(?=[,= "])/g, ''))
}
