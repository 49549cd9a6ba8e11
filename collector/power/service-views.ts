import type { ServiceView } from '../http/power-view.ts'
import type { Service } from '../topology/dependency.ts'
import type { ServiceNow } from '../topology/live.ts'
import type { ChainMap } from './chain-map.ts'
import type { ChainNow } from '../evaluate/power/chain.ts'
import { needWords } from './need-words.ts'

/** More names than this are counted. */
export const MAX_NAMES = 20
const MAX_UNKNOWN = 5
const S_PER_MIN = 60

/** All services of a drawing, those that need attention first. */
export function serviceViews(
  map: ChainMap,
  now: ChainNow,
  nameOf: (party: string) => string,
): readonly ServiceView[] {
  const unknown = new Set(now.overlay.unknown)
  return map.model.services
    .flatMap(({ id }, at) => {
      const drawn = map.model.drawing.services.get(id)
      const state = now.overlay.services.get(id)
      if (drawn === undefined || state === undefined) return []
      const minutesLeft = now.forecast.services.get(id)?.minutesLeft ?? null
      const because = state.up && state.atRisk ? unknownIn(map, at, unknown) : state.because
      return [viewOf(map, at, { drawn, state, minutesLeft, because, now, nameOf })]
    })
    .sort(byUrgency)
}

/** How much a service needs attention: 0 is down. */
export function urgencyOf({ state, minutesLeft, newSingles }: ServiceView): number {
  if (state === 'down') return 0
  if (minutesLeft !== null) return 1
  if (state === 'at-risk') return 2
  if (newSingles.length > 0) return 3
  return state === 'unknown' ? 4 : 5
}

interface Facts {
  readonly drawn: Service
  readonly state: ServiceNow
  readonly minutesLeft: number | null
  readonly because: ServiceView['because']
  readonly now: ChainNow
  readonly nameOf: (party: string) => string
}

function viewOf(map: ChainMap, at: number, facts: Facts): ServiceView {
  const { drawn, state, minutesLeft, because, now, nameOf } = facts
  const pairs = state.residual.filter(({ length }) => length === 2)
  return {
    id: drawn.id,
    label: drawn.label ?? '',
    serves: drawn.serves ?? '',
    owner: drawn.owner === undefined ? '' : nameOf(drawn.owner),
    isEmergency: drawn.isEmergency,
    state: stateOf(state, now),
    isDrawn: false,
    needs: map.needsOfService(at),
    needsWords: needWords(drawn.needs),
    because: because.slice(0, MAX_NAMES),
    singles: state.singles.slice(0, MAX_NAMES),
    singlesCount: state.singles.length,
    newSingles: state.newSinglePoints.slice(0, MAX_NAMES),
    pairs: pairs.slice(0, MAX_NAMES),
    pairsCount: pairs.length,
    minutesLeft: minutesLeft === null ? null : Math.round(minutesLeft * 10) / 10,
    holdUpMin: drawn.holdUpS === undefined ? null : drawn.holdUpS / S_PER_MIN,
    promiseRatio: drawn.promiseRatio ?? null,
  }
}

function stateOf({ up, atRisk }: ServiceNow, { observations }: ChainNow): ServiceView['state'] {
  if (!up) return 'down'
  if (atRisk) return 'at-risk'
  return observations.size === 0 ? 'unknown' : 'up'
}

function unknownIn(
  map: ChainMap,
  service: number,
  unknown: ReadonlySet<string>,
): ServiceView['because'] {
  const ids = [...map.chainOf(service)].flatMap(
    (index) => map.model.components[index]?.component.id ?? [],
  )
  const found = ids.filter((id) => unknown.has(id)).sort()
  return found.length === 0 ? [] : [found.slice(0, MAX_UNKNOWN)]
}

function byUrgency(a: ServiceView, b: ServiceView): number {
  return (
    Number(b.isEmergency) - Number(a.isEmergency) ||
    urgencyOf(a) - urgencyOf(b) ||
    (a.minutesLeft ?? Infinity) - (b.minutesLeft ?? Infinity) ||
    (a.id < b.id ? -1 : 1)
  )
}
