import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument, visit, type Document } from 'yaml'
import { z } from 'zod'
import { closest } from './closest.ts'
import { PermanentError, reasonOf } from './errors.ts'
import { YamlPlaces, type Place } from './yaml-places.ts'

/** Aliases a file may expand to; a handful of short lines can otherwise grow to fill the memory. */
const MAX_ALIASES = 100

/** Everything that is wrong with a configuration file, one `file:line:column: key: what` a line. */
export class ConfigError extends PermanentError {
  readonly complaints: readonly string[]

  constructor(complaints: readonly string[]) {
    super('config', complaints.join('\n'))
    this.complaints = complaints
  }
}

/** These keys name a file wherever they stand: relative names count from the configuration's folder. */
const FILE_KEYS: ReadonlySet<string> = new Set(['file', 'ca', 'cert', 'client-ca', 'site-file'])

/** One thing that is wrong with a text. */
export interface ConfigComplaint extends Place {
  readonly path: readonly PropertyKey[]
  readonly what: string
}

/** A YAML text read by a schema: what it says, or what is wrong with it, and where its parts stand. */
export type ConfigText<T> =
  | { readonly value: T; readonly complaints?: undefined; readonly places: YamlPlaces }
  | { readonly complaints: readonly ConfigComplaint[]; readonly places: YamlPlaces }

/**
 * Reads YAML text by a schema. Relative names of files in it count from the folder of `file`.
 * @throws ConfigError with every complaint at once
 */
export function readConfig<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const read = readConfigText(schema, text, file)
  if (read.complaints === undefined) return read.value
  throw new ConfigError(read.complaints.map((complaint) => `${file}:${complaintText(complaint)}`))
}

/** `line:column: key: what`; with a word before the key where one is given. */
export function complaintText({ line, column, path, what }: ConfigComplaint, word = ''): string {
  const key = path.length > 0 ? `${path.map(String).join('.')}: ` : ''
  return `${line}:${column}: ${word}${key}${what}`
}

/** Like readConfig, for those who want to know more. Never throws for what the text says. */
export function readConfigText<T>(schema: z.ZodType<T>, text: string, file: string): ConfigText<T> {
  const lines = new LineCounter()
  // The library compares every key with all before it, which takes seconds from some thousand on: see duplicates().
  const options = { lineCounter: lines, prettyErrors: false, uniqueKeys: false }
  const document = parseDocument(text, options)
  const places = new YamlPlaces(document, lines)
  const syntax = [
    ...[...document.errors, ...document.warnings].map(({ pos, message }) => ({
      ...places.atOffset(pos[0]),
      what: message,
    })),
    ...places.duplicates().map(({ key, at, first }) => ({
      ...at,
      what: `"${key}" stands here for the second time: the first is in line ${first.line}`,
    })),
  ]
  if (syntax.length > 0)
    return { places, complaints: syntax.map((complaint) => ({ ...complaint, path: [] })) }
  const plain = valueOf(document, places)
  if (plain.complaint !== undefined) return { places, complaints: [plain.complaint] }
  const result = schema.safeParse(withResolvedFiles(plain.value, dirname(resolve(file))))
  if (result.success) return { places, value: result.data }
  return {
    places,
    complaints: result.error.issues.flatMap((issue) => complaintsOf(schema, places, issue)),
  }
}

function complaintsOf(
  schema: unknown,
  places: YamlPlaces,
  issue: z.core.$ZodIssue,
): readonly ConfigComplaint[] {
  const { path } = issue
  if (issue.code !== 'unrecognized_keys')
    return [{ ...places.of(path), path, what: wording(places, issue) }]
  const known = knownKeys(schema, path)
  return issue.keys.map((key) => ({
    ...places.ofKey(path, key),
    path,
    what: unknownKey(key, known),
  }))
}

function withResolvedFiles(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => withResolvedFiles(item, folder))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      key,
      FILE_KEYS.has(key) && typeof item === 'string' && item !== ''
        ? resolve(folder, item)
        : withResolvedFiles(item, folder),
    ]),
  )
}

function valueOf(
  document: Document.Parsed,
  places: YamlPlaces,
):
  | { readonly value: unknown; readonly complaint?: undefined }
  | { readonly complaint: ConfigComplaint } {
  try {
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return { value: value ?? {} }
  } catch (error) {
    const place = places.atOffset(offsetOfDeadAlias(document))
    return { complaint: { ...place, path: [], what: reasonOf(error) } }
  }
}

function offsetOfDeadAlias(document: Document.Parsed): number {
  let offset = 0
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return undefined
      offset = alias.range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return offset
}

/** The schema's own words, without what the place says already. */
function wording(places: YamlPlaces, issue: z.core.$ZodIssue): string {
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')
  return places.has(issue.path) ? message : `missing, ${message}`
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = closest(key, known)
  return `unknown key "${key}"${near === undefined ? '' : `, did you mean "${near}"?`}`
}

/** The keys a schema knows at a path; of alternatives, those of all. */
function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodObject) {
    const [key, ...rest] = path
    if (key === undefined) return Object.keys(schema.shape)
    return knownKeys(schema.shape[String(key)], rest)
  }
  if (schema instanceof z.ZodArray) return knownKeys(schema.element, path.slice(1))
  if (schema instanceof z.ZodRecord) return knownKeys(schema.valueType, path.slice(1))
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((one) => knownKeys(one, path))
  if (schema instanceof z.ZodPipe)
    return [schema.in, schema.out].flatMap((one) => knownKeys(one, path))
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodReadonly
  )
    return knownKeys(schema.unwrap(), path)
  return []
}
