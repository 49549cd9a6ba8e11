import type { Measurement } from '../../../common/measurement.ts'
import type { Observation } from '../../topology/dependency.ts'
import { forecast, type Forecast } from '../../topology/forecast.ts'
import { LiveModel, type Overlay } from '../../topology/live.ts'
import type { Model } from '../../topology/model.ts'
import type { Topology } from '../../topology/site.ts'
import type { Takeover } from '../../topology/survivors.ts'
import { parts } from '../snapshot.ts'
import { ChainPoints } from './chain-points.ts'
import { MeasuredLoads } from './measured-loads.ts'
import { Watches } from './watches.ts'

/** States are worked out anew this often although nothing arrived: readings go out of date, minutes pass. */
const RENEW_US = 5_000_000
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
  readonly #loads = new MeasuredLoads()
  #model: Model | undefined
  #now: ChainNow | undefined
  #live: LiveModel | undefined
  #version = 0
  readonly #points = new ChainPoints()

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
    this.#loads.observe(points, arrivalUs, (point) => this.watchedBy(point))
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

  /** Sources that carry more together than one of them can, or nearly, as measured. */
  takeovers(nowUs: number): readonly Takeover[] {
    return this.#model === undefined ? [] : this.#loads.takeovers(this.#model, nowUs)
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
    if (this.#now === undefined) return []
    return this.#points.take(this.#now, (id) => this.serviceState(id), nowUs)
  }

  #follow(nowUs: number): void {
    const { model } = this.#topology()
    if (model === this.#model) return
    this.#model = model
    this.#watches.follow(model)
    this.#live = model === undefined ? undefined : new LiveModel(model)
    this.#points.clear()
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
}

/** Whether two sets of observations have the same consequences; how long a battery lasts is no matter of the overlay. */
function isAlike(
  one: ReadonlyMap<string, Observation>,
  other: ReadonlyMap<string, Observation>,
): boolean {
  if (one === other) return true
  if (one.size !== other.size) return false
  for (const [id, a] of one) {
    const b = other.get(id)
    if (a === b) continue
    if (a.state !== b?.state || a.inputLost !== b.inputLost) return false
    if (a.isUnprotected !== b.isUnprotected || a.sinceUs !== b.sinceUs) return false
    if (a.lostNeeds?.join() !== b.lostNeeds?.join()) return false
  }
  return true
}
