import { z } from 'zod'
import { closest } from '../../common/closest.ts'
import type { Need } from './dependency.ts'

/** Deeper than anybody can read; a file that is deeper is a mistake. */
const MAX_DEPTH = 20
const KEYS = ['any', 'all', 'atLeast', 'of', 'path']
const EXPECTED =
  'expected the id of a component, { any: [...] }, { all: [...] }, { atLeast: 2, of: [...] } or { path: { from: ..., to: ... } }'

/** For the JSON schema of the site file, where `need` is defined. */
const IN_EDITORS = { type: 'array', items: { $ref: '#/definitions/need' } }

type Complain = (path: readonly PropertyKey[], message: string, input: unknown) => void

/** The list of what something needs, as written in the site file. A list is joined by AND; a complaint says which part is meant. */
export const needsInFile = z
  .unknown()
  .meta(IN_EDITORS)
  .transform((value, context): readonly Need[] => {
    const before = context.issues.length
    const complain: Complain = (path, message, input) => {
      context.issues.push({ code: 'custom', path: [...path], message, input })
    }
    const needs = readList(value, [], complain, 0)
    return context.issues.length === before ? needs : z.NEVER
  })

function readList(
  value: unknown,
  path: readonly PropertyKey[],
  complain: Complain,
  depth: number,
): readonly Need[] {
  if (!Array.isArray(value)) {
    complain(path, 'expected a list, such as [ups-1, sw-1]', value)
    return []
  }
  return value.flatMap(
    (item: unknown, at) => readNeed(item, [...path, at], complain, depth + 1) ?? [],
  )
}

function readNeed(
  value: unknown,
  path: readonly PropertyKey[],
  complain: Complain,
  depth: number,
): Need | undefined {
  if (typeof value === 'string' && value !== '') return value
  // An id such as 112 is a number to YAML.
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    complain(path, EXPECTED, value)
    return undefined
  }
  if (depth > MAX_DEPTH) {
    complain(path, `nested deeper than ${MAX_DEPTH}`, value)
    return undefined
  }
  const parts = new Map<string, unknown>(Object.entries(value))
  const stranger = [...parts.keys()].find((key) => !KEYS.includes(key))
  if (stranger !== undefined) {
    const near = closest(stranger, KEYS)
    complain(path, near === undefined ? EXPECTED : `did you mean "${near}"? ${EXPECTED}`, value)
    return undefined
  }
  const list = (key: string): readonly Need[] =>
    notEmpty(readList(parts.get(key), [...path, key], complain, depth), [...path, key], complain)
  if (parts.has('any') && parts.size === 1) return { any: list('any') }
  if (parts.has('all') && parts.size === 1) return { all: list('all') }
  if (parts.has('atLeast') && parts.has('of') && parts.size === 2) {
    const of = list('of')
    const atLeast = parts.get('atLeast')
    if (typeof atLeast === 'number' && Number.isInteger(atLeast)) return { atLeast, of }
    complain([...path, 'atLeast'], 'expected a whole number', atLeast)
    return undefined
  }
  if (parts.has('path') && parts.size === 1) {
    const ends = endsSchema.safeParse(parts.get('path'))
    if (ends.success) return { path: ends.data }
    complain([...path, 'path'], 'expected { from: ..., to: ... }', value)
    return undefined
  }
  complain(path, EXPECTED, value)
  return undefined
}

const endsSchema = z.strictObject({ from: z.string().min(1), to: z.string().min(1) })

/** "any of nothing" would never work, and nobody means it. */
function notEmpty(
  needs: readonly Need[],
  path: readonly PropertyKey[],
  complain: Complain,
): readonly Need[] {
  if (needs.length === 0) complain(path, 'expected at least one', needs)
  return needs
}
