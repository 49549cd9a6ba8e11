import { definitionOf, isMeasurementName, measurementNames } from '../../common/measurement.ts'
import { isRow, panelsOf, type Board, type Panel, type Row } from './dashboard-schema.ts'
import { variablesIn } from './influxql.ts'

const UNITS = ['percentunit', 'ms', 's', 'm', 'short', 'celsius', 'amp', 'volt']
const LEAST_REFRESH_S = 10
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }
const GRID_WIDTH = 24
const MOS = ['mos_lq', 'mos_cq', 'r_factor']
/** Ratios are summed first and divided then, for the mean of loss ratios is not the loss; nor is the mean of MOS anybody's MOS. */
const NOT_AVERAGED = [
  ...MOS,
  ...measurementNames().flatMap((name) =>
    Object.keys(definitionOf(name).fields).filter((field) => /_ratio(_\w+)?$/.test(field)),
  ),
]
/** A point for each stream or report of each interval: read only where somebody opened the row. */
const HEAVY = ['rtp_stream']
const DRAWN_OVER_TIME = ['timeseries', 'heatmap', 'state-timeline']

/** What is wrong with a board beyond its JSON: the rules of the house, one complaint each. */
export function lintBoard(board: Board, datasourceUid: string): readonly string[] {
  const complaints: string[] = []
  if (board.editable) complaints.push('the board can be edited in the browser')
  const refresh = /^(\d+)([smh])$/.exec(board.refresh)
  if (Number(refresh?.[1]) * (SECONDS[refresh?.[2] ?? ''] ?? 0) < LEAST_REFRESH_S)
    complaints.push(`refreshes every ${board.refresh}`)
  if (!board.links.some(isToOthers(board))) complaints.push('no link to the other boards')
  const panels = panelsOf(board)
  const rows = board.panels.filter(isRow)
  const ids = [...panels, ...rows].map(({ id }) => id)
  if (new Set(ids).size !== ids.length) complaints.push('two panels have the same id')
  complaints.push(...overlaps([...panels, ...rows]))

  const known = board.templating.list.map((variable) => variable.name)
  const used = new Set<string>()
  for (const { where, uid, query, isSeries, isFolded } of queries(board)) {
    const complain = (what: string): void => {
      complaints.push(`${where}: ${what}`)
    }
    if (uid !== datasourceUid) complain(`datasource ${uid}`)
    for (const name of variablesIn(query)) {
      used.add(name)
      if (!known.includes(name)) complain(`no variable "${name}"`)
      if (!query.includes(`=~ /^\${${name}:regex}$/`)) complain(`"${name}" not used as a regex`)
    }
    for (const complaint of aboutQuery(query, isSeries)) complain(complaint)
    for (const name of HEAVY)
      if (!isFolded && query.includes(`FROM "${name}"`)) complain(`reads ${name} in an open row`)
  }
  for (const name of known) if (!used.has(name)) complaints.push(`variable "${name}" is not used`)
  for (const panel of panels) {
    const unit = panel.fieldConfig.defaults.unit
    if (unit !== undefined && !UNITS.includes(unit))
      complaints.push(`${panel.title}: unit "${unit}"`)
    if (panel.datasource.uid !== datasourceUid)
      complaints.push(`${panel.title}: datasource ${panel.datasource.uid}`)
    complaints.push(...aboutWords(panel))
  }
  return complaints
}

/** Whoever changes the board keeps what is looked at. */
function isToOthers({ tags: own }: Board): (link: Board['links'][number]) => boolean {
  return ({ tags, keepTime, includeVars }) =>
    keepTime && includeVars && tags.some((tag) => own.includes(tag))
}

/** States are read, not only seen, and what is unknown looks like nothing else. */
function* aboutWords({ title, type, targets, fieldConfig }: Panel): Generator<string> {
  if (type !== 'state-timeline') return
  const words = (fieldConfig.defaults.mappings ?? []).flatMap(({ options }) =>
    Object.values(options),
  )
  if (words.length === 0) yield `${title}: states without words`
  if (!targets.some(({ query }) => /"(?:line|state_code)"/.test(query))) return
  const unknown = words.find(({ text }) => text === 'unknown')
  const alike = words.filter(({ color }) => color === unknown?.color)
  if (alike.length !== 1) yield `${title}: unknown has no look of its own`
}

interface Found {
  readonly where: string
  readonly uid: string
  readonly query: string
  /** Draws lines over time. */
  readonly isSeries: boolean
  /** Run only once its row is opened. */
  readonly isFolded: boolean
}

function queries(board: Board): readonly Found[] {
  return [
    ...board.panels.flatMap((panel) =>
      (isRow(panel) ? panel.panels : [panel]).flatMap(({ title, type, targets }) =>
        targets.map((target) => ({
          where: title,
          uid: target.datasource.uid,
          query: target.query,
          isSeries: DRAWN_OVER_TIME.includes(type),
          isFolded: isRow(panel) && panel.collapsed,
        })),
      ),
    ),
    ...board.annotations.list.map(({ name, target }) => ({
      where: name,
      uid: target.datasource.uid,
      query: target.query,
      isSeries: false,
      isFolded: false,
    })),
    ...board.templating.list.map(({ name, datasource, query }) => ({
      where: `variable ${name}`,
      uid: datasource.uid,
      query,
      isSeries: false,
      isFolded: false,
    })),
  ]
}

function aboutQuery(query: string, isSeries: boolean): readonly string[] {
  const complaints = [...unknownNames(query)]
  const selects = query.match(/\bSELECT\b/g)?.length ?? 0
  if ((query.match(/\$timeFilter/g)?.length ?? 0) !== selects)
    complaints.push('a SELECT without $timeFilter')
  if (isSeries && !query.includes('GROUP BY time($__interval)'))
    complaints.push('not grouped by time($__interval)')
  if (isSeries && !query.includes('fill(null)')) complaints.push('hides gaps: no fill(null)')
  for (const field of NOT_AVERAGED)
    if (query.includes(`mean("${field}")`)) complaints.push(`averages ${field}`)
  const scales = query.match(/"mos_scale" = '\w+'/g)?.length ?? 0
  if (MOS.some((field) => query.includes(`"${field}"`)) && scales !== 1)
    complaints.push('mixes the scales of MOS')
  return complaints
}

/** Every quoted name is a measurement, one of its tags or fields, or an AS of the same query. */
function* unknownNames(query: string): Generator<string> {
  const measurement = /FROM "(\w+)"/.exec(query)?.[1]
  if (measurement === undefined || !isMeasurementName(measurement)) {
    yield `measurement "${measurement ?? ''}" is not in the vocabulary`
    return
  }
  const { tags, fields } = definitionOf(measurement)
  const names = new Set([
    measurement,
    'site',
    'agent',
    ...Object.keys(tags),
    ...Object.keys(fields),
    ...[...query.matchAll(/ AS "([^"]+)"/g)].map(([, name]) => name),
  ])
  for (const [, name] of query.matchAll(/"([^"]+)"/g))
    if (name !== undefined && !names.has(name)) yield `${measurement} has no "${name}"`
}

function* overlaps(panels: readonly (Panel | Row)[]): Generator<string> {
  for (const [index, one] of panels.entries()) {
    const a = one.gridPos
    if (a.x + a.w > GRID_WIDTH) yield `${one.title}: beyond the grid`
    for (const other of panels.slice(index + 1)) {
      const b = other.gridPos
      if (a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h)
        yield `${one.title} lies on ${other.title}`
    }
  }
}
