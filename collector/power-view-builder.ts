import type {
  DrawingView,
  HorizonView,
  PowerHistoryView,
  PowerSummary,
  PowerView,
  SinglePointView,
} from './http/power-view.ts'
import type { ChainMap, Scope } from './power/chain-map.ts'
import type { ChainNow } from './evaluate/power/chain.ts'
import { componentView, weigh, type Weights } from './power/component-views.ts'
import { peopleViews, troubleViews } from './power/trouble-views.ts'
import { MAX_NAMES, serviceViews, urgencyOf } from './power/service-views.ts'
import type { Component } from './topology/dependency.ts'

/** More than this in one drawing nobody can read. */
const MAX_SHOWN = 300
const MAX_SERVICES = 300
/** Everything may stand on one component: the most urgent ones are enough to see that. */
const MAX_DRAWN_SERVICES = 20
const MAX_SINGLE_POINTS = 200
const MAX_HORIZONS = 50
const MAX_NOTES = 20
const MAX_TROUBLES = 20
const MAX_PEOPLE = 50
const UTC_DAY = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short' })

export interface PowerSources {
  readonly nowMs: number
  readonly version: number
  /** Undefined where nothing is drawn. */
  readonly chain: { readonly map: ChainMap; readonly now: ChainNow } | undefined
  readonly siteFileMs: number | null
  readonly horizons: readonly HorizonView[]
  readonly history: (nameOf: (id: string) => string) => PowerHistoryView
  /** What people call a party of the site file. */
  readonly nameOf: (party: string) => string
  /** How to reach it; '' where nobody says. */
  readonly contactOf: (party: string) => string
}

/**
 * What the page Power shows.
 * @param of the service or component whose chain is wanted; without it everything, or where that is too much, what needs most attention
 */
export function buildPowerView(sources: PowerSources, of?: string): PowerView {
  const { chain, nowMs, version, nameOf, siteFileMs, horizons, history } = sources
  if (chain === undefined) return { ...NOTHING, atMs: nowMs, version, history: history(String) }
  const { map, now } = chain
  const { drawing, components: all, services: declared } = map.model
  const services = serviceViews(map, now, nameOf)
  const scope = scopeOf(map, of, () => mostUrgent(services))
  const weights = weigh(now)
  const reached = new Set(scope.services.map((at) => declared[at]?.id))
  const most = scope.of === null ? MAX_SHOWN : MAX_DRAWN_SERVICES
  const drawn = new Set(services.filter(({ id }) => reached.has(id)).slice(0, most))
  // Those of the drawing are listed whatever their turn is.
  const listed = new Set(
    [...drawn, ...services.filter((it) => !drawn.has(it))].slice(0, MAX_SERVICES),
  )
  const inOrder = services
    .filter((service) => listed.has(service))
    .map((service) => (drawn.has(service) ? { ...service, isDrawn: true } : service))
  const components = scope.nodes
    .flatMap((at) => map.nodes[at] ?? [])
    .map((node) => componentView(map, node, now, weights, nameOf))
  const shown = scope.nodes.reduce((sum, at) => sum + (map.nodes[at]?.members.length ?? 0), 0)
  const singlePoints = singlePointsOf(map, weights, nowMs, nameOf)
  const troubles = troubleViews(now, weights, nameOf)
  return {
    atMs: nowMs,
    version,
    drawing: {
      components: all.length,
      services: declared.length,
      siteFileMs,
      of: scope.of,
      isChosen: scope.isChosen,
    },
    services: inOrder,
    servicesLeftOut: services.length - inOrder.length,
    components,
    componentsLeftOut: all.length - shown,
    singlePoints: singlePoints.slice(0, MAX_SINGLE_POINTS),
    singlePointsLeftOut: Math.max(0, singlePoints.length - MAX_SINGLE_POINTS),
    horizons: horizons.slice(0, MAX_HORIZONS),
    horizonsLeftOut: Math.max(0, horizons.length - MAX_HORIZONS),
    troubles: troubles.slice(0, MAX_TROUBLES),
    troublesLeftOut: Math.max(0, troubles.length - MAX_TROUBLES),
    people: peopleViews(drawing, sources).slice(0, MAX_PEOPLE),
    notes: now.overlay.notes.slice(0, MAX_NOTES),
    truncated: [...now.overlay.services.values()].some(({ isTruncated }) => isTruncated),
    history: history(
      (id) => drawing.components.get(id)?.label ?? drawing.services.get(id)?.label ?? '',
    ),
  }
}

/** What the overview says of power; undefined where nothing is drawn. */
export function powerSummary(version: number, now: ChainNow): PowerSummary {
  const services = [...now.overlay.services.values()]
  const left = [...now.forecast.services.values()].flatMap(({ minutesLeft }) => minutesLeft ?? [])
  return {
    version,
    services: services.length,
    down: services.filter(({ up }) => !up).length,
    atRisk: services.filter(({ up, atRisk }) => up && atRisk).length,
    oneLeg: services.filter(({ up, newSinglePoints }) => up && newSinglePoints.length > 0).length,
    minutesLeft: left.length === 0 ? null : Math.round(Math.min(...left) * 10) / 10,
  }
}

const NOTHING: Omit<PowerView, 'atMs' | 'version' | 'history'> = {
  drawing: null,
  services: [],
  servicesLeftOut: 0,
  components: [],
  componentsLeftOut: 0,
  singlePoints: [],
  singlePointsLeftOut: 0,
  horizons: [],
  horizonsLeftOut: 0,
  troubles: [],
  troublesLeftOut: 0,
  people: [],
  notes: [],
  truncated: false,
}

function scopeOf(
  map: ChainMap,
  of: string | undefined,
  urgent: () => string | undefined,
): Scope & Pick<DrawingView, 'isChosen'> {
  const asked = of === undefined ? undefined : map.around(of, MAX_SHOWN)
  if (asked !== undefined) return { ...asked, isChosen: false }
  const whole = map.whole(MAX_SHOWN)
  if (whole !== undefined) return { ...whole, isChosen: false }
  const first = urgent() ?? map.nodes[0]?.id ?? ''
  const chosen = map.around(first, MAX_SHOWN)
  return { ...(chosen ?? { of: null, nodes: [], services: [] }), isChosen: true }
}

function mostUrgent(services: ReturnType<typeof serviceViews>): string | undefined {
  return services.toSorted((a, b) => urgencyOf(a) - urgencyOf(b))[0]?.id
}

function singlePointsOf(
  { model: { drawing } }: ChainMap,
  { stops, isNew }: Weights,
  nowMs: number,
  nameOf: (party: string) => string,
): readonly SinglePointView[] {
  const today = dayOf(nowMs)
  return [...stops]
    .map(([id, services]): SinglePointView => {
      const component = drawing.components.get(id)
      const accepted = drawing.accepted.get(id)
      return {
        ...namesOf(id, component, nameOf),
        stops: services.slice(0, MAX_NAMES),
        stopsCount: services.length,
        isNew: isNew.has(id),
        accepted:
          accepted === undefined ? null : { ...accepted, isOverdue: accepted.review < today },
      }
    })
    .sort((a, b) => rankOf(a) - rankOf(b) || b.stopsCount - a.stopsCount || (a.id < b.id ? -1 : 1))
}

function namesOf(
  id: string,
  component: Component | undefined,
  nameOf: (party: string) => string,
): Pick<SinglePointView, 'id' | 'label' | 'kind' | 'place' | 'circuit' | 'owner'> {
  const { label = '', kind = '', place = '', circuit = '', owner } = component ?? {}
  return { id, label, kind, place, circuit, owner: owner === undefined ? '' : nameOf(owner) }
}

function rankOf({ isNew, accepted }: SinglePointView): number {
  if (isNew) return 0
  return accepted === null || accepted.isOverdue ? 1 : 2
}

/** As 2027-05-31. */
function dayOf(ms: number): string {
  return UTC_DAY.format(ms)
}
