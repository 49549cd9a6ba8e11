import { readConfigText } from '../../common/config.ts'
import { reasonOf } from '../../common/errors.ts'
import { z } from 'zod'
import { readCsv, type Row } from './csv.ts'
import type { Note } from './note.ts'

/**
 * Exports of NetBox, from the REST API (JSON: an answer with results, a list, or an object of lists by endpoint), from the bulk import format
 * and from "export" of a table (CSV), read into records of one shape. Field names: NetBox 3.3 to 4.x, dcim.
 */

export const MODELS = [
  'powerpanel',
  'powerfeed',
  'powerport',
  'poweroutlet',
  'cable',
  'device',
] as const

export type NetboxModel = (typeof MODELS)[number]

export interface NetboxRecord {
  readonly model: NetboxModel
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** As named in the REST API, values flat: choices by their value, objects by { id, name }. */
  readonly fields: Readonly<Record<string, unknown>>
}

export interface NetboxRead {
  readonly records: readonly NetboxRecord[]
  readonly notes: readonly Note[]
}

const MAX_RECORDS = 500_000
/** Looking up lines takes a second in a file of this size: in a larger one, the record is named only. */
const MAX_PLACED_OCTETS = 1_000_000
const TRACE_PARTS = 3

/** Headings of tables, where they are not the field's name with spaces. */
const HEADINGS: Readonly<Record<string, string>> = {
  ...{ termination_a: 'a_terminations', termination_b: 'b_terminations' },
  ...{ device_a: 'side_a_device', device_b: 'side_b_device' },
  ...{ maximum_draw_w: 'maximum_draw', allocated_draw_w: 'allocated_draw' },
  ...{ 'max_utilization_%': 'max_utilization', feeds: 'powerfeed_count' },
  ...{ device_role: 'role', serial_number: 'serial' },
}

/** Never throws: what is not understood is told of. */
export function readNetbox(text: string, file: string): NetboxRead {
  return /^\ufeff?\s*[[{]/.test(text) ? readJson(text, file) : readTable(text, file)
}

function readJson(text: string, file: string): NetboxRead {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\ufeff/, ''))
  } catch (error) {
    return { records: [], notes: [{ severity: 'error', file, ...brokenAt(text, error) }] }
  }
  const notes: Note[] = []
  const records: NetboxRecord[] = []
  const placeOf = placesIn(text, file)
  const complain = (path: readonly (string | number)[], message: string): void => {
    notes.push({ severity: 'error', file, ...placeOf(path), message })
  }
  for (const { path, item, model } of itemsIn(value, [])) {
    if (records.length >= MAX_RECORDS) {
      complain(path, `more than ${MAX_RECORDS} records: split the export`)
      break
    }
    const fields = recordSchema.safeParse(item)
    if (!fields.success) {
      complain(path, 'expected a record of NetBox, an object with fields')
      continue
    }
    const found = model ?? modelOf(fields.data)
    if (found === undefined)
      complain(
        path,
        'of no kind that is known here: expected power panels, power feeds, power ports, power outlets, cables or devices',
      )
    else records.push({ model: found, file, ...placeOf(path), fields: flat(fields.data) })
  }
  return { records, notes }
}

const recordSchema = z.record(z.string(), z.unknown())

interface Item {
  readonly path: readonly (string | number)[]
  readonly item: unknown
  readonly model: NetboxModel | undefined
}

/** The records of an answer, a list, lists by endpoint, or a trace (near end, cable, far end). */
function itemsIn(
  value: unknown,
  path: readonly (string | number)[],
  model?: NetboxModel,
): readonly Item[] {
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value
    return list.flatMap((item, at): readonly Item[] =>
      Array.isArray(item) && item.length === TRACE_PARTS
        ? traced(item, [...path, at])
        : [{ path: [...path, at], item, model }],
    )
  }
  const parsed = recordSchema.safeParse(value)
  if (!parsed.success) return [{ path, item: value, model }]
  if (Array.isArray(parsed.data['results']))
    return itemsIn(parsed.data['results'], [...path, 'results'], model)
  const endpoints = Object.entries(parsed.data).flatMap(([key, list]): readonly Item[] => {
    const named = modelNamed(key)
    return named === undefined ? [] : itemsIn(list, [...path, key], named)
  })
  return endpoints.length > 0 ? endpoints : [{ path, item: value, model }]
}

/** One step of a trace says what a cable joins. */
function traced(step: readonly unknown[], path: readonly (string | number)[]): readonly Item[] {
  const [near, cable, far] = step
  const ends = (end: unknown): readonly unknown[] => (Array.isArray(end) ? end : [end])
  const terminations = (end: unknown): readonly unknown[] =>
    ends(end).flatMap((it) => {
      const fields = recordSchema.safeParse(it)
      const model = fields.success ? modelOf(fields.data) : undefined
      return fields.success && model !== undefined
        ? [{ object_type: `dcim.${model}`, object_id: fields.data['id'], object: fields.data }]
        : []
    })
  const found = recordSchema.safeParse(cable)
  if (!found.success) return []
  const item = {
    ...found.data,
    a_terminations: terminations(near),
    b_terminations: terminations(far),
  }
  return [{ path, item, model: 'cable' }]
}

/** "power-panels", "power_panels", "dcim.powerpanel" */
export function modelNamed(text: string): NetboxModel | undefined {
  const bare = text
    .toLowerCase()
    .replace(/^dcim\./, '')
    .replace(/[^a-z]/g, '')
    .replace(/s$/, '')
  return MODELS.find((model) => model === bare)
}

/** By its address in the API, else by fields that only one kind has. */
function modelOf(fields: Readonly<Record<string, unknown>>): NetboxModel | undefined {
  const { url } = fields
  const endpoint = typeof url === 'string' ? /\/dcim\/([a-z-]+)\//.exec(url)?.[1] : undefined
  if (endpoint !== undefined) return modelNamed(endpoint)
  const has = (...keys: readonly string[]): boolean => keys.some((key) => key in fields)
  if (has('a_terminations', 'side_a_name', 'side_a_type')) return 'cable'
  if (has('power_panel')) return 'powerfeed'
  if (has('power_port', 'feed_leg')) return 'poweroutlet'
  if (has('maximum_draw', 'allocated_draw')) return 'powerport'
  if (has('device_type', 'role', 'device_role')) return 'device'
  if (has('powerfeed_count')) return 'powerpanel'
  const bare = ['site', 'location', 'name', 'description', 'owner', 'comments', 'tags', 'id']
  return has('name') && has('site') && Object.keys(fields).every((key) => bare.includes(key))
    ? 'powerpanel'
    : undefined
}

function readTable(text: string, file: string): NetboxRead {
  const { rows, problem } = readCsv(text)
  const notes: Note[] = problem === undefined ? [] : [{ severity: 'error', file, ...problem }]
  const [head, ...body] = rows
  if (head === undefined)
    return {
      records: [],
      notes: [...notes, { severity: 'error', file, line: 1, message: 'the file is empty' }],
    }
  const names = head.cells.map(({ text: cell }) => fieldName(cell))
  const model = modelOf(Object.fromEntries(names.map((name) => [name, ''])))
  if (model === undefined) {
    const message =
      'these columns are of no export that is known here: expected power panels, power feeds, power ports, power outlets, cables or devices of NetBox, or a drawing with the columns id and needs'
    return {
      records: [],
      notes: [...notes, { severity: 'error', file, line: head.line, column: 1, message }],
    }
  }
  return { records: body.map((row) => recordOf(row, names, model, file)), notes }
}

function recordOf(
  { line, cells }: Row,
  names: readonly string[],
  model: NetboxModel,
  file: string,
): NetboxRecord {
  const fields = cells.flatMap(({ text }, at) => {
    const name = names[at]
    // An empty cell of a table is a dash.
    return name === undefined || text === '' || text === '\u2014' ? [] : [[name, text] as const]
  })
  return { model, file, line, column: 1, fields: Object.fromEntries(fields) }
}

/** "Allocated draw (W)" is allocated_draw_w, and that is allocated_draw. */
function fieldName(heading: string): string {
  const name = heading
    .toLowerCase()
    .replace(/[()]/g, '')
    .trim()
    .replace(/[\s-]+/g, '_')
  return Object.hasOwn(HEADINGS, name) ? (HEADINGS[name] ?? name) : name
}

/** A choice is its value; { value: "active", label: "Active" } is "active". */
function flat(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      const choice = choiceSchema.safeParse(value)
      return [key, choice.success ? choice.data.value : value]
    }),
  )
}

const choiceSchema = z.looseObject({ value: z.union([z.string(), z.number()]), label: z.string() })

function brokenAt(text: string, error: unknown): { line: number; column: number; message: string } {
  const reason = reasonOf(error)
  const position = Number(/position (\d+)/.exec(reason)?.[1] ?? text.length)
  const before = text.slice(0, position).split('\n')
  return {
    line: before.length,
    column: (before.at(-1) ?? '').length + 1,
    message: `this is no JSON (${reason.replace(/ in JSON at position.*$/, '')}): export it anew`,
  }
}

/** Where in the text; JSON is YAML. Worked out when first asked for. */
function placesIn(
  text: string,
  file: string,
): (path: readonly (string | number)[]) => { line?: number; column?: number } {
  if (text.length > MAX_PLACED_OCTETS) return () => ({})
  let places: ReturnType<typeof readConfigText>['places'] | undefined
  return (path) => {
    places ??= readConfigText(z.unknown(), text, file).places
    return places.of(path)
  }
}
