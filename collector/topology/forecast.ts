import type { Component } from './dependency.ts'
import { edgeCode, targetOf } from './edge.ts'
import {
  ALWAYS,
  atLeastOf,
  backedBy,
  isSame,
  minutesLeft,
  NOT_AT_ALL,
  type Intervals,
} from './intervals.ts'
import type { UpsInput } from './inputs.ts'
import type { Observations } from './live-state.ts'
import type { LiveModel, Standing } from './live.ts'
import { finish, type Steps } from './steps.ts'
import { Works, worksOf, type ServiceForecast } from './works.ts'

const S_PER_MIN = 60
const US_PER_MIN = 60_000_000
/** Power goes through so many UPSes in a row, at most. */
const MAX_PASSES = 6

export interface Forecast {
  readonly services: ReadonlyMap<string, ServiceForecast>
  /** Until each component falls that will; by id. */
  readonly components: ReadonlyMap<string, number>
  /** Batteries that carry a load now, or UPSes where these are not drawn, of which nobody knows for how long. */
  readonly unknownRuntimes: readonly string[]
}

/** What becomes of the services if nothing changes: batteries run down, generators start and run dry, devices boot. */
export function forecast(
  live: LiveModel,
  observations: Observations,
  standing: Standing,
  nowUs: number,
): Forecast {
  return finish(forecastInSteps(live, observations, standing, nowUs))
}

/** The same in steps. */
export function* forecastInSteps(
  live: LiveModel,
  observations: Observations,
  standing: Standing,
  nowUs: number,
): Steps<Forecast> {
  const backups = new Backups(live, observations, standing, nowUs)
  let power = backups.first
  let works = new Works(live.model, power.sources, power.met)
  // A battery lasts from when its feed is lost, and the feed may be a UPS itself.
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    yield
    const next = backups.under(works)
    if (isAlike(power.sources, next.sources) && isAlike(power.met, next.met)) break
    power = next
    works = new Works(live.model, power.sources, power.met)
  }
  yield
  const { unknownRuntimes } = power
  return { services: works.services(), components: works.falling(), unknownRuntimes }
}

interface Power {
  readonly sources: Map<number, Intervals>
  /** When needs are met, whatever becomes of what they name: by edgeCode(). */
  readonly met: Map<number, Intervals>
  /** When power comes through inputs that are lost now: by edgeCode(). */
  readonly through: Map<number, Intervals>
  readonly unknownRuntimes: readonly string[]
}

/** What gives power when, by what is known of batteries and generators. */
class Backups {
  readonly first: Power
  readonly #live: LiveModel
  readonly #observations: Observations
  readonly #standing: Standing
  readonly #nowUs: number
  /** Since when each component is failed, by index. */
  readonly #failedSince: ReadonlyMap<number, number>

  constructor(live: LiveModel, observations: Observations, standing: Standing, nowUs: number) {
    this.#live = live
    this.#observations = observations
    this.#standing = standing
    this.#nowUs = nowUs
    const { indexOf } = live.model
    this.#failedSince = new Map(
      standing.failed.flatMap(({ id, sinceUs }) => {
        const index = indexOf.get(id)
        return index === undefined ? [] : [[index, sinceUs] as const]
      }),
    )
    this.first = this.#withoutBackups()
  }

  /** @param works as worked out last */
  under(works: Works): Power {
    const power = this.#withoutBackups()
    const { cut, lostInputs } = this.#standing
    for (const edge of new Set([...cut, ...lostInputs.flatMap(({ edges }) => edges)])) {
      const through = this.#throughLost(works, edge)
      power.through.set(edge, through)
      if (cut.has(edge)) power.met.set(edge, through)
    }
    for (const [generator, beside] of this.#live.generators) {
      if (power.sources.has(generator)) continue
      const primary = atLeastOf(
        1,
        beside.map(({ tree, owner }) => works.ofTree(tree, owner)),
      )
      if (primary === ALWAYS || minutesLeft(primary) === undefined) continue
      const times = beside.map(({ tree, owner }) => this.#lostForMin(tree.names, owner))
      const lostForMin = Math.max(0, ...times)
      const component = this.#component(generator)
      power.sources.set(generator, backedBy(primary, { ...generatorTimes(component), lostForMin }))
    }
    const unknown = [...this.#live.ups].flatMap(([index, input]) =>
      this.#carry(power, works, index, input),
    )
    return { ...power, unknownRuntimes: unknown }
  }

  #withoutBackups(): Power {
    const sources = new Map([...this.#failedSince.keys()].map((index) => [index, NOT_AT_ALL]))
    const met = new Map<number, Intervals>()
    for (const edge of this.#standing.cut) met.set(edge, NOT_AT_ALL)
    return { sources, met, through: new Map(), unknownRuntimes: [] }
  }

  /**
   * What is left of a lost input. Where what feeds it is down itself, that explains it, and it comes back with that; where a generator
   * stands behind it that may be starting, its power is awaited as long as that takes. Else it does not come back.
   */
  #throughLost(works: Works, edge: number): Intervals {
    const { model, generators } = this.#live
    const feed = targetOf(model, edge)
    const own = works.of(feed)
    if (minutesLeft(own) === 0) return own
    const lost = this.#standing.lostInputs.find(({ edges }) => edges.includes(edge))
    const lostForMin = lost === undefined ? 0 : this.#minutesSince(lost.sinceUs)
    const started = [...this.#reachedFrom([feed])]
      .filter((index) => generators.has(index) && !this.#failedSince.has(index))
      .map((index) => generatorTimes(this.#component(index)))
      .filter(({ startMin }) => startMin > lostForMin)
      .map((times) => backedBy(NOT_AT_ALL, { ...times, lostForMin }))
    return atLeastOf(1, started)
  }

  /** @returns what carries it now, where nobody knows for how long */
  #carry(power: Power, works: Works, index: number, input: UpsInput): readonly string[] {
    const { met } = this.#standing
    const isBuiltIn = input.batteries.length === 0
    if (isBuiltIn && !input.edges.some((edge) => met.has(edge))) return []
    const fed = this.#fed(power, works, index, input)
    if (minutesLeft(fed) === undefined) return []
    const batteries = input.batteries.filter((battery) => !this.#failedSince.has(battery))
    const [designedS] = [index, ...batteries].flatMap((one) => this.#component(one).runtimeS ?? [])
    const isDark = minutesLeft(fed) === 0
    const leftMin = this.#leftMin(index, input, designedS)
    const intervals = backedBy(fed, {
      ...{ startMin: 0, lostForMin: 0 },
      lastsMin: leftMin ?? Infinity,
      laterLastsMin: (designedS ?? 0) / S_PER_MIN,
    })
    for (const battery of batteries) power.sources.set(battery, intervals)
    if (isBuiltIn) for (const edge of input.edges) power.met.set(edge, intervals)
    if (!isDark || leftMin !== undefined) return []
    const carriers = isBuiltIn ? [index] : batteries
    return carriers.map((one) => this.#component(one).id)
  }

  /** When it is fed, its batteries aside. */
  #fed(power: Power, works: Works, index: number, input: UpsInput): Intervals {
    const { model } = this.#live
    const of = (owner: number): Intervals => {
      const needs = model.components[owner]?.needs
      if (needs === undefined) return NOT_AT_ALL
      return worksOf(needs, (what) => {
        if (input.batteries.includes(what)) return NOT_AT_ALL
        if (input.inside.has(what))
          return atLeastOf(2, [of(what), power.sources.get(what) ?? ALWAYS])
        const edge = edgeCode(model, owner, what)
        return power.through.get(edge) ?? works.of(what)
      })
    }
    return of(index)
  }

  /** By its own word before its design; undefined where nobody knows. */
  #leftMin(index: number, input: UpsInput, designedS: number | undefined): number | undefined {
    const { id } = this.#component(index)
    const { runtimeLeftS } = this.#observations.get(id) ?? {}
    if (runtimeLeftS !== undefined) return runtimeLeftS / S_PER_MIN
    if (designedS === undefined) return undefined
    return Math.max(0, designedS / S_PER_MIN - this.#lostForMin(input.feeds, index))
  }

  /** How long ago what they give was lost to their owner: since it said so, or something under them failed; 0 where nothing did. */
  #lostForMin(indices: readonly number[], owner: number): number {
    const { model } = this.#live
    const { id } = this.#component(owner)
    const lost = this.#standing.lostInputs
      .filter(({ ups, edges }) => {
        const isOf = (edge: number): boolean => indices.includes(targetOf(model, edge))
        return ups === id && edges.some(isOf)
      })
      .map(({ sinceUs }) => sinceUs)
    const failed = [...this.#reachedFrom(indices)].flatMap((it) => this.#failedSince.get(it) ?? [])
    const times = lost.length > 0 ? lost : failed
    return times.length === 0 ? 0 : this.#minutesSince(Math.min(...times))
  }

  #minutesSince(timeUs: number): number {
    return Math.max(0, (this.#nowUs - timeUs) / US_PER_MIN)
  }

  /** They and all they stand on. */
  #reachedFrom(indices: readonly number[]): ReadonlySet<number> {
    const reached = new Set(indices)
    for (const index of reached)
      for (const below of this.#live.model.components[index]?.below ?? []) reached.add(below)
    return reached
  }

  #component(index: number): Pick<Component, 'id' | 'runtimeS' | 'startS' | 'fuelS'> {
    return this.#live.model.components[index]?.component ?? { id: '' }
  }
}

function generatorTimes({ startS = 0, fuelS = Infinity }: Pick<Component, 'startS' | 'fuelS'>) {
  const lastsMin = fuelS / S_PER_MIN
  return { startMin: startS / S_PER_MIN, lastsMin, laterLastsMin: lastsMin }
}

function isAlike(
  one: ReadonlyMap<number, Intervals>,
  other: ReadonlyMap<number, Intervals>,
): boolean {
  return (
    one.size === other.size &&
    [...one].every(([key, intervals]) => isSame(intervals, other.get(key) ?? ALWAYS))
  )
}
