import { Families } from './cut-sets.ts'
import { drawnFamilies, drawnInSteps } from './drawn.ts'
import type { Acceptance } from './dependency.ts'
import { has } from './family.ts'
import { forecast, forecastInSteps } from './forecast.ts'
import { LiveModel, type Taken } from './live.ts'
import type { Model } from './model.ts'
import { finish, type Steps } from './steps.ts'
import { kindOf } from './ups-parts.ts'

/** What does not last so long is not counted on for good. */
const HORIZON_S = 4 * 3600
const S_PER_MIN = 60
/** How long each lasts is worked out one by one: for so many. */
const MAX_TIMED = 200

/** A component whose failure alone stops a service, as drawn. */
export interface DrawnPoint {
  readonly id: string
  readonly services: readonly string[]
  /** Somebody answers for it. */
  readonly accepted?: Acceptance
}

/** What batteries stand in for, but not for long: the mains, a panel. */
export interface RunsOut {
  readonly id: string
  /** Services that stop when it stays away. */
  readonly services: readonly string[]
  /** Until the first of them does; undefined where nobody says how long the batteries last. */
  readonly afterMin: number | undefined
}

/** A battery that is a single point while its UPS runs on it. */
export interface OwnBattery {
  readonly id: string
  readonly ups: string
  readonly services: readonly string[]
}

/** A service that is to hold up for longer than it is designed to, with all mains away. */
export interface DesignGap {
  readonly service: string
  readonly holdUpMin: number
  /** Undefined where nobody says how long the batteries last. */
  readonly lastsMin: number | undefined
  readonly unknownRuntimes: readonly string[]
}

/** What can be said of a drawing before anything fails; listed apart, for they call for different things to be done. */
export interface DrawnPoints {
  readonly points: readonly DrawnPoint[]
  readonly runsOut: readonly RunsOut[]
  readonly ownBatteries: readonly OwnBattery[]
  readonly designGaps: readonly DesignGap[]
}

const POINTS = new WeakMap<Model, DrawnPoints>()

/** Worked out once for a drawing. */
export function drawnPoints(model: Model): DrawnPoints {
  return finish(drawnPointsInSteps(model))
}

/** The same in steps of some milliseconds. */
export function* drawnPointsInSteps(model: Model): Steps<DrawnPoints> {
  const known = POINTS.get(model)
  if (known !== undefined) return known
  yield* drawnInSteps(model, 1)
  const live = new LiveModel(model, 1)
  yield
  const drawn = drawnFamilies(model, 1)
  const points = servicesBySingle(model, drawn).map(([id, services]) => {
    const accepted = model.drawing.accepted.get(id)
    return accepted === undefined ? { id, services } : { id, services, accepted }
  })
  const made = {
    points,
    runsOut: yield* runsOut(live, drawn),
    ownBatteries: yield* ownBatteries(live, drawn),
    designGaps: yield* designGaps(live),
  }
  POINTS.set(model, made)
  return made
}

/** Batteries and generators that do not last for the horizon, or of which nobody says how long they last. */
export function shortLived(live: LiveModel, horizonS = HORIZON_S): readonly Taken[] {
  const { components } = live.model
  const reason = `it does not last for ${horizonS / S_PER_MIN} min`
  const batteries = [...live.ups].flatMap(([index, input]) =>
    input.batteries.filter((battery) => {
      const runtimes = [index, battery].map((one) => components[one]?.component.runtimeS ?? 0)
      return Math.max(...runtimes) < horizonS
    }),
  )
  const generators = [...live.generators.keys()].filter(
    (index) => (components[index]?.component.fuelS ?? Infinity) < horizonS,
  )
  const indices = new Set([...batteries, ...generators])
  return [...indices].map((index) => ({ id: idOf(live.model, index), reason, sinceUs: 0 }))
}

function* runsOut(live: LiveModel, drawn: Families): Steps<readonly RunsOut[]> {
  const { model } = live
  const failed = new Set(shortLived(live).flatMap(({ id }) => model.indexOf.get(id) ?? []))
  const sustained = new Families(model, 1, { failed }, drawn)
  yield* sustained.workOutInSteps()
  const isNew = (at: number, index: number): boolean => !has(drawn.ofService(at).singles, index)
  const found = servicesBySingle(model, sustained, isNew)
  const ends: RunsOut[] = []
  for (const [at, [id, services]] of found.entries()) {
    const afterMin = at < MAX_TIMED ? firstToFall(live, id, services) : undefined
    ends.push({ id, services, afterMin })
    yield
  }
  return ends
}

function firstToFall(live: LiveModel, id: string, services: readonly string[]): number | undefined {
  const outlook = live.outlook(new Map(), [{ id, reason: 'taken out', sinceUs: 0 }])
  const { services: ends } = forecast(live, new Map(), outlook, 0)
  const minutes = services.flatMap((service) => ends.get(service)?.minutesLeft ?? [])
  return minutes.length === 0 ? undefined : Math.min(...minutes)
}

function* ownBatteries(live: LiveModel, drawn: Families): Steps<readonly OwnBattery[]> {
  const { model } = live
  const found: OwnBattery[] = []
  for (const [index, { batteries, edges }] of live.ups) {
    if (batteries.length === 0) continue
    yield
    const dark = new Families(model, 1, { cut: new Set(edges) }, drawn)
    for (const battery of batteries) {
      const services = model.services.flatMap(({ id }, at) =>
        has(dark.ofService(at).singles, battery) ? [id] : [],
      )
      if (services.length === 0) continue
      found.push({ id: idOf(model, battery), ups: idOf(model, index), services })
    }
  }
  return found
}

function* designGaps(live: LiveModel): Steps<readonly DesignGap[]> {
  const { model } = live
  const reason = 'all mains away'
  const mains = [...model.components.keys()].filter((index) => kindOf(model, index) === 'mains')
  const taken = mains.map((index) => ({ id: idOf(model, index), reason, sinceUs: 0 }))
  if (taken.length === 0) return []
  const outlook = live.outlook(new Map(), taken)
  yield
  const ends = yield* forecastInSteps(live, new Map(), outlook, 0)
  yield
  return model.services.flatMap(({ id, below }) => {
    const { holdUpS } = model.drawing.services.get(id) ?? {}
    if (holdUpS === undefined) return []
    const holdUpMin = holdUpS / S_PER_MIN
    const lastsMin = ends.services.get(id)?.minutesLeft
    const chain = idsUnder(model, below)
    const unknownRuntimes = ends.unknownRuntimes.filter((one) => chain.has(one))
    if (lastsMin === undefined ? unknownRuntimes.length === 0 : lastsMin >= holdUpMin) return []
    return [{ service: id, holdUpMin, lastsMin, unknownRuntimes }]
  })
}

/** By id, in the order of the ids. */
function servicesBySingle(
  model: Model,
  families: Families,
  isWanted: (service: number, index: number) => boolean = () => true,
): readonly (readonly [id: string, services: readonly string[]])[] {
  const found = new Map<number, string[]>()
  for (const [at, { id }] of model.services.entries()) {
    for (const index of families.ofService(at).singles) {
      if (!isWanted(at, index)) continue
      const known = found.get(index)
      if (known === undefined) found.set(index, [id])
      else known.push(id)
    }
  }
  return [...found]
    .sort(([a], [b]) => a - b)
    .map(([index, services]) => [idOf(model, index), services] as const)
}

function idsUnder(model: Model, below: readonly number[]): ReadonlySet<string> {
  const reached = new Set(below)
  for (const index of reached)
    for (const next of model.components[index]?.below ?? []) reached.add(next)
  return new Set([...reached].map((index) => idOf(model, index)))
}

function idOf(model: Model, index: number): string {
  return model.components[index]?.component.id ?? ''
}
