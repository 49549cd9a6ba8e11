import { Ajv } from 'ajv'

/** The parts of Grafana's classic dashboard JSON that the boards use, as Grafana 9 to 13 read it. */

export interface Target {
  readonly refId: string
  readonly datasource: Datasource
  readonly rawQuery: boolean
  readonly query: string
  readonly resultFormat: 'time_series' | 'table'
  readonly alias?: string
  readonly textColumn?: string
  readonly tagsColumn?: string
}

interface Datasource {
  readonly type: string
  readonly uid: string
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: Datasource
  readonly timeFrom?: string
  readonly gridPos: {
    readonly h: number
    readonly w: number
    readonly x: number
    readonly y: number
  }
  readonly fieldConfig: {
    readonly defaults: { readonly unit?: string; readonly mappings?: readonly Words[] }
  }
  readonly targets: readonly Target[]
}

/** What people read instead of a stored value, by that value. */
export interface Words {
  readonly options: Readonly<Record<string, { readonly text: string; readonly color: string }>>
}

/** A heading; a collapsed one holds its panels, whose queries are not run before somebody opens it. */
export interface Row {
  readonly id: number
  readonly type: 'row'
  readonly title: string
  readonly collapsed: boolean
  readonly gridPos: Panel['gridPos']
  readonly panels: readonly Panel[]
}

export interface Variable {
  readonly type: string
  readonly name: string
  readonly label: string
  readonly datasource: Datasource
  readonly query: string
  readonly multi: boolean
  readonly includeAll: boolean
  readonly allValue: string
}

export interface Annotation {
  readonly name: string
  readonly datasource: Datasource
  readonly target: Target
}

export interface Board {
  readonly uid: string
  readonly title: string
  readonly editable: boolean
  readonly refresh: string
  readonly schemaVersion: number
  readonly panels: readonly (Panel | Row)[]
  readonly templating: { readonly list: readonly Variable[] }
  readonly annotations: { readonly list: readonly Annotation[] }
  readonly tags: readonly string[]
  readonly links: readonly Link[]
}

/** To the other boards that have one of the tags. */
interface Link {
  readonly tags: readonly string[]
  readonly keepTime: boolean
  readonly includeVars: boolean
}

const text = { type: 'string', minLength: 1 }
const whole = { type: 'integer', minimum: 0 }
const datasource = object({ type: { const: 'influxdb' }, uid: text })
const target = object({
  refId: text,
  datasource,
  rawQuery: { const: true },
  query: text,
  resultFormat: { enum: ['time_series', 'table'] },
})
const step = object({ value: { type: ['number', 'null'] }, color: text })
const gridPos = object({ h: whole, w: { ...whole, maximum: 24 }, x: whole, y: whole })
const id = { type: 'integer', minimum: 1 }
const panel = object({
  id,
  type: { enum: ['stat', 'timeseries', 'table', 'bargauge', 'heatmap', 'state-timeline'] },
  title: text,
  description: text,
  datasource,
  gridPos,
  options: { type: 'object' },
  fieldConfig: object({
    defaults: {
      type: 'object',
      properties: {
        unit: text,
        thresholds: object({ mode: { const: 'absolute' }, steps: list(step) }),
        mappings: list(
          object({
            type: { const: 'value' },
            options: {
              type: 'object',
              minProperties: 1,
              additionalProperties: object({ text, color: text, index: whole }),
            },
          }),
        ),
      },
    },
    overrides: {
      type: 'array',
      items: object({
        matcher: object({ id: text, options: text }),
        properties: list(object({ id: text, value: {} })),
      }),
    },
  }),
  targets: list(target),
})
const row = object({
  id,
  title: text,
  collapsed: { type: 'boolean' },
  gridPos,
  panels: { type: 'array', items: panel },
})
const panelOrRow = {
  if: { type: 'object', properties: { type: { const: 'row' } } },
  then: row,
  else: panel,
}
const variable = object({
  type: { const: 'query' },
  name: text,
  label: text,
  datasource,
  query: text,
  multi: { type: 'boolean' },
  includeAll: { type: 'boolean' },
  allValue: text,
  refresh: { enum: [1, 2] },
  current: object({ text: list(text), value: list(text) }),
})
const board = object({
  uid: { type: 'string', pattern: '^[a-zA-Z0-9_-]{1,40}$' },
  title: text,
  description: text,
  editable: { type: 'boolean' },
  refresh: { type: 'string', pattern: '^[0-9]+[smh]$' },
  schemaVersion: { type: 'integer', minimum: 36 },
  time: object({ from: text, to: text }),
  tags: list(text),
  links: list(
    object({
      type: { const: 'dashboards' },
      title: text,
      tags: list(text),
      keepTime: { type: 'boolean' },
      includeVars: { type: 'boolean' },
    }),
  ),
  panels: list(panelOrRow),
  templating: object({ list: list(variable) }),
  annotations: object({
    list: list(
      object({
        name: text,
        datasource,
        enable: { const: true },
        iconColor: text,
        target: {
          ...target,
          required: [...target.required, 'fromAnnotations', 'textColumn', 'tagsColumn'],
        },
      }),
    ),
  }),
})

const isBoard = new Ajv({ allErrors: true }).compile<Board>(board)

/** The board, or what is wrong with it as JSON. */
export function checkBoard(json: unknown): { readonly board?: Board; readonly errors: string[] } {
  if (isBoard(json)) return { board: json, errors: [] }
  return {
    errors: (isBoard.errors ?? [])
      .filter(({ keyword }) => keyword !== 'if') // which only says that one of the others is about a row or a panel
      .map((error) => `${error.instancePath} ${error.message ?? ''}`),
  }
}

/** All panels, those within collapsed rows too. */
export function panelsOf({ panels }: Board): readonly Panel[] {
  return panels.flatMap((panel) => (isRow(panel) ? panel.panels : [panel]))
}

export function isRow(panel: Panel | Row): panel is Row {
  return panel.type === 'row'
}

function object<P extends Readonly<Record<string, unknown>>>(properties: P) {
  return { type: 'object', properties, required: Object.keys(properties) }
}

function list(items: object) {
  return { type: 'array', minItems: 1, items }
}
