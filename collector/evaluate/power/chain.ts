import { measurement, type Measurement } from '../../../common/measurement.ts'
import type { ComponentState, Observation } from '../../topology/dependency.ts'
import { forecast, type Forecast } from '../../topology/forecast.ts'
import { LiveModel, type Overlay } from '../../topology/live.ts'
import type { Model } from '../../topology/model.ts'
import type { Topology } from '../../topology/site.ts'
import { parts } from '../snapshot.ts'
import { Watches } from './watches.ts'

/** States are worked out anew this often although nothing arrived: readings go out of date, minutes pass. */
const RENEW_US = 5_000_000
/** A state that does not change is stored so often. */
const STORED_US = 60_000_000
/** Names in one text field; more help nobody. */
const NAMED = 20
const S_PER_MIN = 60
/** The worse, the higher, so that the worst of a step can be drawn. */
const STATE_CODES: Readonly<Record<ComponentState | ServiceState, number>> = {
  up: 0,
  degraded: 1,
  'at-risk': 1,
  unknown: 2,
  down: 3,
}

type IsIsolated = (agent: string, atUs: number) => boolean

/** What the drawing means at one moment. */
export interface ChainNow {
  readonly live: LiveModel
  readonly observations: ReadonlyMap<string, Observation>
  /** What the watches of the services themselves say. */
  readonly serviceWatches: ReadonlyMap<string, Observation>
  readonly overlay: Overlay
  readonly forecast: Forecast
  readonly atUs: number
}

export type ServiceState = 'up' | 'at-risk' | 'down' | 'unknown'

/** The drawing of the site file under what is measured: shared by all rules that ask what depends on what. */
export class Chain {
  readonly #topology: () => Topology
  readonly #isIsolated: IsIsolated
  readonly #watches: Watches
  #model: Model | undefined
  #now: ChainNow | undefined
  #live: LiveModel | undefined
  #version = 0
  /** What was stored last of each component and service, and when. */
  readonly #stored = new Map<string, { readonly text: string; readonly atUs: number }>()
  /** Components that stopped a service by themselves when last stored. */
  #singles: Iterable<string> = []

  constructor(restored: unknown, topology: () => Topology, isIsolated: IsIsolated) {
    this.#topology = topology
    this.#isIsolated = isIsolated
    this.#watches = new Watches(parts(restored)['watches'], (agent) => topology().machineOf(agent))
  }

  /** Undefined where nothing is drawn. */
  get now(): ChainNow | undefined {
    return this.#now
  }

  /** Another number whenever anything of now() became different. */
  get version(): number {
    return this.#version
  }

  get memory(): unknown {
    return { watches: this.#watches.memory }
  }

  get tooMany(): number {
    return this.#watches.tooMany
  }

  /** The components a point tells of, by id. */
  watchedBy(point: Pick<Measurement, 'name' | 'tags'>): readonly string[] {
    return this.#watches.watchedBy(point)
  }

  /** The services whose own check a point is, by id. */
  servicesWatchedBy(point: Pick<Measurement, 'name' | 'tags'>): readonly string[] {
    return this.#watches.servicesWatchedBy(point)
  }

  /** The agents that check a service. */
  watchersOf(service: string): readonly string[] {
    return this.#watches.watchersOf(service)
  }

  /** The site a component is at: as drawn, else from where it is read. */
  siteOf(id: string): string | undefined {
    return this.#model?.drawing.components.get(id)?.site ?? this.#watches.siteOf(id)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#follow(arrivalUs)
    if (this.#watches.observe(points, arrivalUs)) this.#renew(arrivalUs)
  }

  tick(nowUs: number): void {
    this.#follow(nowUs)
    if (this.#now !== undefined && Math.abs(nowUs - this.#now.atUs) >= RENEW_US) this.#renew(nowUs)
  }

  forgetAgent(agent: string): void {
    this.#watches.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    this.#watches.siteLost(site, atUs)
    this.#renew(atUs)
  }

  /** Until when the readings of components reach, for whoever waits for news of them: the oldest; undefined when none is heard of. */
  heardUntilUs(ids: Iterable<string>): number | undefined {
    const times = [...ids].flatMap((id) => this.#now?.observations.get(id)?.atUs ?? [])
    return times.length === 0 ? undefined : Math.min(...times)
  }

  serviceState(id: string): ServiceState {
    const now = this.#now
    const service = now?.overlay.services.get(id)
    if (now === undefined || service === undefined) return 'unknown'
    if (!service.up) return 'down'
    if (service.atRisk) return 'at-risk'
    return now.observations.size === 0 ? 'unknown' : 'up'
  }

  /** Points to be stored: of what changed, and of everything now and then. */
  takePoints(nowUs: number): readonly Measurement[] {
    const now = this.#now
    if (now === undefined) return []
    const stops = stopsBy(now)
    const told = new Set([...now.observations.keys(), ...stops.keys(), ...this.#singles])
    this.#singles = stops.keys()
    return [
      ...[...told].map((id) => this.#componentPoint(now, id, stops.get(id) ?? [], nowUs)),
      ...now.live.model.services.map(({ id }) => this.#servicePoint(now, id, nowUs)),
    ].flatMap((point) => point ?? [])
  }

  #follow(nowUs: number): void {
    const { model } = this.#topology()
    if (model === this.#model) return
    this.#model = model
    this.#watches.follow(model)
    this.#live = model === undefined ? undefined : new LiveModel(model)
    this.#stored.clear()
    this.#renew(nowUs)
  }

  #renew(nowUs: number): void {
    const live = this.#live
    this.#version++
    if (live === undefined) {
      this.#now = undefined
      return
    }
    const { components: observations, services: serviceWatches } = this.#watches.now(
      nowUs,
      this.#isIsolated,
    )
    const known = this.#now
    const isSame = known?.live === live && isAlike(known.observations, observations)
    const overlay = isSame ? known.overlay : live.overlay(observations)
    this.#now = {
      ...{ live, observations, serviceWatches, overlay, atUs: nowUs },
      forecast: forecast(live, observations, overlay, nowUs),
    }
  }

  #componentPoint(
    now: ChainNow,
    id: string,
    stops: readonly string[],
    nowUs: number,
  ): Measurement | undefined {
    const { kind, site } = now.live.model.drawing.components.get(id) ?? {}
    const { state, reason } = now.observations.get(id) ?? {}
    if (!this.#isDue(`component ${id}`, `${state ?? ''} ${stops.join()}`, nowUs)) return undefined
    const minutesLeft = now.forecast.components.get(id)
    return measurement(
      'component',
      nowUs,
      { target: id, kind, site },
      {
        state,
        state_code: state === undefined ? undefined : STATE_CODES[state],
        reason,
        stops: listed(stops),
        stops_services: stops.length,
        minutes_left: minutesLeft === undefined ? undefined : Math.round(minutesLeft),
      },
    )
  }

  #servicePoint(now: ChainNow, id: string, nowUs: number): Measurement | undefined {
    const service = now.overlay.services.get(id)
    const drawn = now.live.model.drawing.services.get(id)
    if (service === undefined || drawn === undefined) return undefined
    const state = this.serviceState(id)
    const { singles, newSinglePoints, because } = service
    const key = `${state} ${newSinglePoints.join()}`
    if (!this.#isDue(`service ${id}`, key, nowUs)) return undefined
    const { holdUpS } = drawn
    return measurement(
      'service',
      nowUs,
      { target: id, source: 'chain', site: drawn.serves },
      {
        state,
        state_code: STATE_CODES[state],
        ...(state === 'unknown' ? {} : { up: service.up }),
        single_points: singles.length,
        new_single_points: newSinglePoints.length,
        singles: listed(singles),
        new_singles: listed(newSinglePoints),
        because: listed(because.map((set) => set.join(' + '))),
        minutes_left: now.forecast.services.get(id)?.minutesLeft,
        hold_up_min: holdUpS === undefined ? undefined : holdUpS / S_PER_MIN,
      },
    )
  }

  #isDue(key: string, text: string, nowUs: number): boolean {
    const known = this.#stored.get(key)
    if (known?.text === text && Math.abs(nowUs - known.atUs) < STORED_US) return false
    this.#stored.set(key, { text, atUs: nowUs })
    return true
  }
}

/** Services that each component's failure alone would stop now. */
function stopsBy({ overlay }: ChainNow): ReadonlyMap<string, readonly string[]> {
  const stops = new Map<string, string[]>()
  for (const [service, { singles }] of overlay.services)
    for (const id of singles) stops.set(id, [...(stops.get(id) ?? []), service])
  return stops
}

/** Whether two sets of observations have the same consequences; how long a battery lasts is no matter of the overlay. */
function isAlike(
  one: ReadonlyMap<string, Observation>,
  other: ReadonlyMap<string, Observation>,
): boolean {
  if (one.size !== other.size) return false
  for (const [id, a] of one) {
    const b = other.get(id)
    if (a.state !== b?.state || a.inputLost !== b.inputLost) return false
    if (a.isUnprotected !== b.isUnprotected || a.sinceUs !== b.sinceUs) return false
    if (a.lostNeeds?.join() !== b.lostNeeds?.join()) return false
  }
  return true
}

function listed(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const more = names.length - NAMED
  return more > 0 ? `${names.slice(0, NAMED).join(', ')} and ${more} more` : names.join(', ')
}
