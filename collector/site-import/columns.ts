import { DAY_EXAMPLE, isDay } from '../topology/day.ts'
import { readNeeds } from './need-notation.ts'

/** The columns of a drawing in a spreadsheet: how a cell is read into what the site file says, and written back. */

export interface Column {
  /** As headed. */
  readonly name: string
  /** Where it goes in an entry of the site file: ['poe', 'port']. */
  readonly path: readonly string[]
  readonly read: (text: string) => CellRead
}

export type CellRead =
  | { readonly value: unknown; readonly problem?: undefined }
  /** `at`: letters of the cell before it. */
  | { readonly problem: string; readonly at?: number }

const YES = /^(?:true|yes|ja|waar|1)$/i
const NO = /^(?:false|no|nee|onwaar|0)$/i
const DURATION = /^\d+(?:\.\d+)?\s*(?:ms|s|min|h|d)$/
const DUTCH_DAY = /^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})$/
const MONTHS = 12
const WATCH = /^([a-z_]+)\s+(\S.*?)(?:\s+by\s+(\S+))?$/

const text = (value: string): CellRead => ({ value })

export const COLUMNS: readonly Column[] = [
  column('kind', text),
  column('label', text),
  column('needs', needs),
  column('site', text),
  column('place', text),
  column('circuit', text),
  column('owner', text),
  column('serial', text),
  column('contract', text),
  column('battery-installed', day),
  column('runtime', duration),
  column('start', duration),
  column('fuel', duration),
  column('boot', duration),
  column('capacity-w', number),
  column('watts', number),
  column('count', number),
  column('fails', yesOrNo),
  column('watch', watch),
  column('links', list),
  column('poe-budget-w', number, ['poe', 'budget-w']),
  column('poe-port', number, ['poe', 'port']),
  column('poe-priority', text, ['poe', 'priority']),
  column('failure-probability', number),
  column('members', list),
  column('serves', text),
  column('promise', promise),
  column('hold-up', duration),
  column('emergency', yesOrNo),
  column('accepted-by', text, ['by']),
  column('accepted-reason', text, ['reason']),
  column('accepted-review', day, ['review']),
]

/** What else a column may be headed; Dutch spreadsheets among them. */
export const OTHER_NAMES: Readonly<Record<string, string>> = {
  ...{ name: 'id', naam: 'id', component: 'id', nummer: 'id' },
  ...{ type: 'kind', soort: 'kind', omschrijving: 'label', description: 'label' },
  ...{ nodig: 'needs', 'heeft-nodig': 'needs', 'gevoed-door': 'needs', voeding: 'needs' },
  ...{ 'fed-by': 'needs', locatie: 'place', plaats: 'place', location: 'place', ruimte: 'place' },
  ...{ groep: 'circuit', eigenaar: 'owner', serienummer: 'serial', 'serial-number': 'serial' },
  ...{ vestiging: 'site', contractnummer: 'contract', accu: 'battery-installed' },
  ...{ 'accu-geplaatst': 'battery-installed', looptijd: 'runtime', aantal: 'count' },
  ...{ vermogen: 'capacity-w', verbruik: 'watts', bewaking: 'watch' },
}

function column(
  name: string,
  read: (text: string) => CellRead,
  path: readonly string[] = [name],
): Column {
  return { name, path, read }
}

function needs(cell: string): CellRead {
  const read = readNeeds(cell)
  return read.problem === undefined ? { value: read.needs } : read
}

function day(cell: string): CellRead {
  if (isDay(cell)) return { value: cell }
  const [, first = '', sign, second = '', year = ''] = DUTCH_DAY.exec(cell) ?? []
  // 5/13/2024 is American, 13-5-2024 is not; 5/6/2024 is anybody's guess.
  const isClear = sign !== '/' || Number(first) > MONTHS
  const written = `${year}-${second.padStart(2, '0')}-${first.padStart(2, '0')}`
  if (isClear && isDay(written)) return { value: written }
  return { problem: `expected a day such as ${DAY_EXAMPLE}, not "${cell}"` }
}

function duration(cell: string): CellRead {
  if (DURATION.test(cell)) return { value: cell }
  const unit = /^\d+$/.test(cell) ? `: minutes? Then write ${cell}min` : ''
  return { problem: `expected a duration such as 30min, 15s or 8h, not "${cell}"${unit}` }
}

function number(cell: string): CellRead {
  // A Dutch spreadsheet writes 0,5.
  const value = /^\d+(?:[.,]\d+)?(?:e-?\d+)?$/i.test(cell) ? Number(cell.replace(',', '.')) : NaN
  if (Number.isFinite(value)) return { value }
  return { problem: `expected a number, not "${cell}"` }
}

function yesOrNo(cell: string): CellRead {
  if (YES.test(cell)) return { value: true }
  if (NO.test(cell)) return { value: false }
  return { problem: `expected yes or no, not "${cell}"` }
}

function promise(cell: string): CellRead {
  const value = cell.replace(',', '.')
  if (/^\d+(?:\.\d+)?\s*%$/.test(value)) return { value }
  const ratio = number(cell)
  return ratio.problem === undefined ? ratio : { problem: 'expected a share such as 99.99%' }
}

function list(cell: string): CellRead {
  return {
    value: cell
      .split(/[,;+\n]/)
      .map((it) => it.trim())
      .filter((it) => it !== ''),
  }
}

function watch(cell: string): CellRead {
  const [, measurement, target, agent] = WATCH.exec(cell) ?? []
  if (measurement === undefined || target === undefined)
    return {
      problem: 'expected a measurement and its target, such as "ups ups-1" or "ping sw-1 by gw-1"',
    }
  return { value: { measurement, target, ...(agent === undefined ? {} : { agent }) } }
}
