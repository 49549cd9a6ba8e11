import { minutes, shortened, wrapped, type Paint } from './power-lines.ts'
import { availability } from './topology/availability.ts'
import { capacity, type Overload } from './topology/capacity.ts'
import { drawnPoints } from './topology/drawn-points.ts'
import type { Model } from './topology/model.ts'
import { poeShortages } from './topology/poe-shedding.ts'

const PERCENT = 100
const SAID_PERCENT = 4

/** What `kiestoon-collector power` says of a drawing beside its services: each part only where there is something to say. */
export function drawingLines(model: Model, paint: Paint, width: number): readonly string[] {
  const { runsOut, designGaps } = drawnPoints(model)
  const { overloads, hidden } = capacity(model)
  const parts: readonly (readonly [title: string, items: readonly Item[]])[] = [
    [
      'Shorter than promised, without mains',
      designGaps.map(({ service, holdUpMin, lastsMin, unknownRuntimes }) => {
        const unknown = `nobody says how long ${unknownRuntimes.join(' and ')} last`
        const lasts = lastsMin === undefined ? unknown : `lasts ${minutes(lastsMin)}`
        return [service, `${lasts}, should ${minutes(holdUpMin)}`]
      }),
    ],
    [
      'Runs out: batteries stand in for these',
      runsOut.map(({ id, services, afterMin }) => {
        const after = afterMin === undefined ? '' : ` after ${minutes(afterMin)}`
        return [id, `stops ${shortened(services).join(', ')}${after}`]
      }),
    ],
    [
      'Redundancy that is none: what is left would trip',
      hidden.map(({ id, trips, services }) => [
        id,
        `trips ${trips.join(', then ')} and stops ${shortened(services).join(', ')}`,
      ]),
    ],
    ['Load', overloads.map(loadItem)],
    [
      'Ports that a switch would not feed',
      poeShortages(model).map(({ switch: id, lost, budgetW, neededW, shed }) => {
        const without = lost === undefined ? '' : ` without ${lost}`
        const ports = shortened(shed).join(', ')
        return [id, `${watts(neededW)} wanted, ${watts(budgetW)} to give${without}: ${ports}`]
      }),
    ],
    ['Availability, by the figures in the site file', availabilityItems(model)],
  ]
  return parts.flatMap(([title, items]) =>
    items.length === 0
      ? []
      : [
          paint(title, 'bold'),
          ...items.flatMap(([label, text]) => wrapped(`${label} `, text.split(' '), width, ' ')),
          '',
        ],
  )
}

type Item = readonly [label: string, text: string]

function loadItem({ id, lost, loadW, capacityW, kind }: Overload): Item {
  const when = lost === undefined ? '' : ` when ${lost} is lost`
  const share = `${Math.round((loadW / capacityW) * PERCENT)} %`
  const what = `${watts(loadW)} of ${watts(capacityW)}${when}`
  return [id, kind === 'overload' ? `${what}: it trips` : `${what}: ${share}`]
}

function availabilityItems(model: Model): readonly Item[] {
  if (!model.components.some(({ component }) => component.failureProbability !== undefined))
    return []
  return model.services.flatMap(({ id }): readonly Item[] => {
    const found = availability(model, id)
    if (found === undefined) return []
    if ('missing' in found)
      return [
        [id, `not computed: nothing says how often ${shortened(found.missing).join(', ')} fail`],
      ]
    const share = ((1 - found.unavailability) * PERCENT).toFixed(SAID_PERCENT)
    const down = `down ${minutes(found.minutesPerYear)} a year`
    return [[id, found.isExact ? `${share} %, ${down}` : `at least ${share} %, at most ${down}`]]
  })
}

function watts(value: number): string {
  return `${Math.round(value)} W`
}
