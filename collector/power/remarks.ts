import type { Breach } from '../evaluate/breach.ts'
import type { HorizonView } from '../http/power-view.ts'
import { capacity } from '../topology/capacity.ts'
import type { Model } from '../topology/model.ts'
import { poeShortages } from '../topology/poe-shedding.ts'
import type { Takeover } from '../topology/survivors.ts'
import { named } from './horizons.ts'

const PERCENT = 100
/** The page has room for so many of each; the command line has all. */
const MAX_EACH = 20

/** Where the drawing promises more than there is, by the watts drawn in it: worked out once for a drawing. */
export function drawnRemarks(model: Model): readonly HorizonView[] {
  const { components } = model.drawing
  const labelOf = (id: string): string => components.get(id)?.label ?? ''
  const trips = capacity(model).hidden.map(({ id, trips: tripped, services }) => ({
    ...{ kind: 'drawn-load', id, label: labelOf(id) },
    text: `when it is lost ${named(tripped)} ${tripped.length === 1 ? 'has' : 'have'} to carry too much, by the watts drawn, and ${named(services)} ${services.length === 1 ? 'stops' : 'stop'}`,
  }))
  const shed = poeShortages(model).map(({ switch: id, lost, budgetW, neededW, shed: ports }) => ({
    ...{ kind: 'poe', id, label: labelOf(id) },
    text: `${watts(budgetW)} to give${lost === undefined ? '' : ` without ${lost}`}, ${watts(neededW)} drawn: it would not feed ${named(ports)}`,
  }))
  return [...trips.slice(0, MAX_EACH), ...shed.slice(0, MAX_EACH)]
}

/** The same by what is measured, and by what died together. */
export function liveRemarks(
  takeovers: readonly Takeover[],
  breaches: readonly Breach[],
): readonly HorizonView[] {
  const drifts = breaches
    .filter(({ rule, state }) => rule === 'design-drift' && state === 'firing')
    .map(({ id, object, summary }) => ({ kind: 'not-drawn', id, label: object, text: summary }))
  const carried = takeovers.map(({ lost, survivor, loadW, capacityW, services, kind }) => ({
    ...{ kind: 'measured-load', id: `${survivor} ${lost}`, label: survivor },
    text: `when ${lost} is lost it has to carry ${watts(loadW)} of ${watts(capacityW)} (${Math.round((loadW / capacityW) * PERCENT)} %, as measured)${kind === 'near' ? '; it is all that carries' : ': it trips, and with it'} ${named(services)}`,
  }))
  return [...carried.slice(0, MAX_EACH), ...drifts.slice(0, MAX_EACH)]
}

function watts(value: number): string {
  return `${Math.round(value)} W`
}
