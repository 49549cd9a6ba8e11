import { VOCABULARY } from './vocabulary.ts'

/** A measurement on its way: one point of the vocabulary. */
export type FieldType = 'float' | 'integer' | 'boolean' | 'string'
export type FieldValue = number | boolean | string

export interface FieldDefinition {
  readonly type: FieldType
  /** What the number counts in, as printed in the docs: ms, s, ratio, packets, V ... */
  readonly unit?: string
  readonly meaning: string
  /** RFC section or product manual the definition comes from. */
  readonly source?: string
}

export interface MeasurementDefinition {
  readonly meaning: string
  /** Tags besides `site` and `agent`, which every measurement has. */
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, FieldDefinition>>
}

type Vocabulary = typeof VOCABULARY
export type MeasurementName = keyof Vocabulary
type FieldsOf<N extends MeasurementName> = Vocabulary[N]['fields']
type TagsOf<N extends MeasurementName> = keyof Vocabulary[N]['tags'] | 'site' | 'agent'
type ValueOf<D> = D extends { readonly type: 'string' }
  ? string
  : D extends { readonly type: 'boolean' }
    ? boolean
    : number

/** One point. Identity = name + tags + timeUs: the same point sent twice overwrites itself. */
export interface Measurement {
  readonly name: MeasurementName
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, FieldValue>>
  /** Microseconds since 1970-01-01 UTC; an integer, exact until the year 2255. */
  readonly timeUs: number
}

/** Tags longer than this are cut; an unlimited tag would be an unlimited number of series. */
const MAX_TAG_LENGTH = 128
/** String fields longer than this are cut by `measurement()`, and refused when they arrive. */
const MAX_STRING_FIELD_LENGTH = 1024
/** Control characters, line and paragraph separators, and what turns the direction of writing (Unicode annex 9). */
const UNREADABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g
const MAX_TIME_US = Number.MAX_SAFE_INTEGER

/**
 * A point, its names and types checked by the compiler against the vocabulary. Fields and tags that are undefined, and numbers
 * that are not finite, are left out: what was not measured is absent.
 */
export function measurement<N extends MeasurementName>(
  name: N,
  timeUs: number,
  tags: { readonly [T in TagsOf<N>]?: string | undefined },
  fields: { readonly [F in keyof FieldsOf<N>]?: ValueOf<FieldsOf<N>[F]> | undefined },
): Measurement {
  const keptTags: Record<string, string> = {}
  for (const [tag, value] of Object.entries<string | undefined>(tags)) {
    const clean = value === undefined ? '' : sanitiseTag(value)
    if (clean !== '') keptTags[tag] = clean
  }
  const keptFields: Record<string, FieldValue> = {}
  for (const [field, value] of Object.entries<FieldValue | undefined>(fields)) {
    if (value === undefined || (typeof value === 'number' && !Number.isFinite(value))) continue
    keptFields[field] = typeof value === 'string' ? sanitiseText(value) : value
  }
  return { name, tags: keptTags, fields: keptFields, timeUs }
}

export function isMeasurementName(text: string): text is MeasurementName {
  return Object.hasOwn(VOCABULARY, text)
}

export function definitionOf(name: MeasurementName): MeasurementDefinition {
  return VOCABULARY[name]
}

export function measurementNames(): readonly MeasurementName[] {
  return Object.keys(VOCABULARY).filter(isMeasurementName)
}

/** Text as people may read it anywhere: strangers wrote much of it, and no line, colour or change of direction in it is to be obeyed. */
function sanitiseText(value: string): string {
  return cut(value, MAX_STRING_FIELD_LENGTH).replace(UNREADABLE, ' ')
}

/** A tag value without control characters and without a trailing backslash, at most 128 characters; may come back empty. */
export function sanitiseTag(value: string): string {
  return cut(value, MAX_TAG_LENGTH)
    .replace(UNREADABLE, ' ')
    .trimStart()
    .replace(/[\s\\]+$/, '')
}

/** Why a decoded point does not fit the vocabulary, or undefined when it does. Unknown fields are another matter: `knownFields`. */
export function complaintAbout(point: {
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, FieldValue>>
  readonly timeUs: number
}): string | undefined {
  const shape = SHAPES.get(point.name)
  if (shape === undefined) return `unknown measurement "${point.name.slice(0, MAX_TAG_LENGTH)}"`
  for (const tag in point.tags) {
    if (!shape.tags.has(tag)) return `${point.name} has no tag "${tag.slice(0, MAX_TAG_LENGTH)}"`
    if ((point.tags[tag]?.length ?? 0) > MAX_TAG_LENGTH)
      return `tag ${tag} is longer than ${MAX_TAG_LENGTH} characters`
  }
  let known = 0
  for (const field in point.fields) {
    const wanted = shape.fields.get(field)
    const value = point.fields[field]
    if (wanted === undefined || value === undefined) continue
    known++
    if (!fits(value, wanted)) return `field ${field} must be ${wanted}, got ${describe(value)}`
    if (typeof value === 'string' && value.length > MAX_STRING_FIELD_LENGTH)
      return `field ${field} is longer than ${MAX_STRING_FIELD_LENGTH} characters`
  }
  if (known === 0) return `no field that ${point.name} knows`
  if (!Number.isSafeInteger(point.timeUs) || point.timeUs <= 0 || point.timeUs >= MAX_TIME_US)
    return 'time out of range'
  return undefined
}

/** Never between the two halves of a character outside the basic plane. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, '')
}

/** The vocabulary as it is looked up for every point that arrives. */
const SHAPES: ReadonlyMap<
  string,
  { readonly tags: ReadonlySet<string>; readonly fields: ReadonlyMap<string, FieldType> }
> = new Map(
  measurementNames().map((name) => {
    const { tags, fields } = definitionOf(name)
    const types = Object.entries(fields).map(([field, { type }]) => [field, type] as const)
    return [
      name,
      { tags: new Set(['site', 'agent', ...Object.keys(tags)]), fields: new Map(types) },
    ]
  }),
)

function fits(value: FieldValue, type: FieldType): boolean {
  switch (type) {
    case 'float':
      return typeof value === 'number' && Number.isFinite(value)
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value)
    case 'boolean':
      return typeof value === 'boolean'
    case 'string':
      return typeof value === 'string'
  }
}

function describe(value: FieldValue): string {
  return typeof value === 'string' ? 'a string' : String(value)
}
