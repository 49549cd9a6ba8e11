import { dirname, resolve } from 'node:path'
import {
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml'
import { z } from 'zod'
import { closest } from './closest.ts'
import { PermanentError, reasonOf } from './errors.ts'

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

/**
 * Reads YAML text by a schema. Relative names of files in it count from the folder of `file`.
 * @throws ConfigError with every complaint at once
 */
export function readConfig<T>(schema: z.ZodType<T>, text: string, file: string): T {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const complain = (offset: number, path: readonly PropertyKey[], what: string): string => {
    const { line, col } = lines.linePos(offset)
    const key = path.length > 0 ? `${path.map(String).join('.')}: ` : ''
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${key}${what}`
  }
  const syntax = [...document.errors, ...document.warnings]
  if (syntax.length > 0)
    throw new ConfigError(syntax.map(({ pos, message }) => complain(pos[0], [], message)))

  const value = withResolvedFiles(valueOf(document, complain), dirname(resolve(file)))
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new ConfigError(
    result.error.issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys')
        return complain(offsetOf(document, issue.path), issue.path, wording(document, issue))
      const known = knownKeys(schema, issue.path)
      return issue.keys.map((key) =>
        complain(offsetOfKey(document, issue.path, key), issue.path, unknownKey(key, known)),
      )
    }),
  )
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

type Complain = (offset: number, path: readonly PropertyKey[], what: string) => string

function valueOf(document: Document.Parsed, complain: Complain): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {}
  } catch (error) {
    throw new ConfigError([complain(offsetOfDeadAlias(document), [], reasonOf(error))])
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
function wording(document: Document.Parsed, issue: z.core.$ZodIssue): string {
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')
  return issue.path.length === 0 || document.hasIn(issue.path) ? message : `missing, ${message}`
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = closest(key, known)
  return `unknown key "${key}"${near === undefined ? '' : `, did you mean "${near}"?`}`
}

/** Where the offending value stands; for a missing key, where its parent stands. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

function offsetOfKey(document: Document.Parsed, path: readonly PropertyKey[], key: string): number {
  const parent = path.length === 0 ? document.contents : document.getIn(path, true)
  const pairs = isMap(parent) ? parent.items : []
  for (const pair of pairs)
    if (isPair(pair) && isScalar(pair.key) && String(pair.key.value) === key && pair.key.range)
      return pair.key.range[0]
  return offsetOf(document, path)
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
