import { measurement, type Measurement } from '../../../common/measurement.ts'
import type { ComponentState } from '../../topology/dependency.ts'
import type { ChainNow, ServiceState } from './chain.ts'

/** A state that does not change is stored so often, */
const STORED_US = 60_000_000
/** and so many at once: what was stored together spreads. */
const RENEWED_AT_ONCE = 500
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

/** Keys of components begin with this. */
const COMPONENT = 'component '

/** Services by the component whose failure alone would stop them now. */
type Stops = ReadonlyMap<string, readonly string[]>

/** What is stored of the chain: what changed, and everything now and then. */
export class ChainPoints {
  /** By kind and id: what was stored last, and when; the longest ago first. */
  readonly #stored = new Map<string, { readonly text: string; readonly atUs: number }>()
  #taken: ChainNow | undefined
  #stops: Stops = new Map()

  /** Of another drawing everything is stored anew. */
  clear(): void {
    this.#stored.clear()
    this.#taken = undefined
  }

  take(
    now: ChainNow,
    stateOf: (service: string) => ServiceState,
    nowUs: number,
  ): readonly Measurement[] {
    const before = this.#stops
    const isSame = this.#taken?.overlay === now.overlay
    const stops = isSame ? before : stopsBy(now)
    const wanted = new Set([
      ...this.#changed(now, stops),
      ...this.#due(now, new Set([...before.keys(), ...stops.keys()]), nowUs),
    ])
    this.#taken = now
    this.#stops = stops
    return [
      ...[...wanted].map((id) => this.#componentPoint(now, id, stops.get(id) ?? [], nowUs)),
      ...now.live.model.services.map(({ id }) => this.#servicePoint(now, id, stateOf(id), nowUs)),
    ].flatMap((point) => point ?? [])
  }

  /** Components that may have become different since points were taken last. */
  #changed({ observations }: ChainNow, stops: Stops): readonly string[] {
    const taken = this.#taken
    const before = this.#stops
    if (taken === undefined) return [...observations.keys(), ...stops.keys(), ...before.keys()]
    const changed: string[] = []
    if (taken.observations !== observations)
      for (const [id, { state }] of observations)
        if (taken.observations.get(id)?.state !== state) changed.push(id)
    for (const id of new Set([...stops.keys(), ...before.keys()])) {
      const isGone = taken.observations.has(id) && !observations.has(id)
      if (isGone || (stops !== before && !isAlike(stops.get(id), before.get(id)))) changed.push(id)
    }
    return changed
  }

  /** Components that were stored so long ago that they are again, and can be still. */
  #due({ observations }: ChainNow, single: ReadonlySet<string>, nowUs: number): readonly string[] {
    const due: string[] = []
    for (const [key, { atUs }] of this.#stored) {
      if (due.length === RENEWED_AT_ONCE || Math.abs(nowUs - atUs) < STORED_US) break
      if (!key.startsWith(COMPONENT)) continue
      const id = key.slice(COMPONENT.length)
      if (observations.has(id) || single.has(id)) due.push(id)
      else this.#stored.delete(key)
    }
    return due
  }

  #componentPoint(
    now: ChainNow,
    id: string,
    stops: readonly string[],
    nowUs: number,
  ): Measurement | undefined {
    const { kind, site } = now.live.model.drawing.components.get(id) ?? {}
    const { state, reason } = now.observations.get(id) ?? {}
    const text = `${state ?? ''} ${stops.join()}`
    if (!this.#isDue(`${COMPONENT}${id}`, text, nowUs)) return undefined
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

  #servicePoint(
    now: ChainNow,
    id: string,
    state: ServiceState,
    nowUs: number,
  ): Measurement | undefined {
    const service = now.overlay.services.get(id)
    const drawn = now.live.model.drawing.services.get(id)
    if (service === undefined || drawn === undefined) return undefined
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
    this.#stored.delete(key)
    this.#stored.set(key, { text, atUs: nowUs })
    return true
  }
}

function stopsBy({ overlay }: ChainNow): Stops {
  const stops = new Map<string, string[]>()
  for (const [service, { singles }] of overlay.services) {
    for (const id of singles) {
      const known = stops.get(id)
      if (known === undefined) stops.set(id, [service])
      else known.push(service)
    }
  }
  return stops
}

function isAlike(one: readonly string[] = [], other: readonly string[] = []): boolean {
  return one.length === other.length && one.every((id, at) => id === other[at])
}

function listed(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined
  const more = names.length - NAMED
  return more > 0 ? `${names.slice(0, NAMED).join(', ')} and ${more} more` : names.join(', ')
}
