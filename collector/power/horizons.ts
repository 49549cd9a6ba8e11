import type { HorizonView } from '../http/power-view.ts'
import type { DrawnPoints } from '../topology/drawn-points.ts'
import type { Drawing } from '../topology/dependency.ts'
import { lasting } from '../evaluate/words.ts'

const US_PER_MIN = 60_000_000
const MAX_NAMES = 4

/** What ends although nothing fails, in words: what is to be mended by a larger battery, not by a second feed. */
export function horizonViews(
  { designGaps, runsOut, ownBatteries }: DrawnPoints,
  { components, services }: Drawing,
): readonly HorizonView[] {
  const listed = (ids: readonly string[]): string =>
    named(ids.map((id) => services.get(id)?.label ?? id))
  const gaps = designGaps.map(({ service, holdUpMin, lastsMin, unknownRuntimes }) => ({
    ...{ kind: 'design-gap', id: service, label: services.get(service)?.label ?? '' },
    text:
      lastsMin === undefined
        ? `it should last ${minutes(holdUpMin)}, and nobody says how long ${listed(unknownRuntimes)} ${unknownRuntimes.length === 1 ? 'lasts' : 'last'}`
        : lastsMin === 0
          ? `it stops at once without mains, and should last ${minutes(holdUpMin)}`
          : `${minutes(lastsMin)} without mains, and it should last ${minutes(holdUpMin)}`,
  }))
  const ends = runsOut.map(({ id, services: stopped, afterMin }) => ({
    ...{ kind: 'runs-out', id, label: components.get(id)?.label ?? '' },
    text:
      afterMin === undefined
        ? `without it ${listed(stopped)} ${stopped.length === 1 ? 'goes' : 'go'} on, nobody says for how long`
        : `without it ${listed(stopped)} ${stopped.length === 1 ? 'stops' : 'stop'} after ${minutes(afterMin)}`,
  }))
  const own = ownBatteries.map(({ id, ups, services: stopped }) => ({
    ...{ kind: 'own-battery', id, label: components.get(id)?.label ?? '' },
    text: `while ${ups} runs on it, its failure stops ${listed(stopped)}`,
  }))
  return [...gaps, ...ends, ...own]
}

function minutes(value: number): string {
  return lasting(value * US_PER_MIN)
}

export function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMES
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(' and ')
}
