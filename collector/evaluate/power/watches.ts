import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Component, Observation, Watch } from '../../topology/dependency.ts'
import type { Model } from '../../topology/model.ts'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { isCurrent } from '../points.ts'
import { deviceStateOf } from './device-state.ts'
import {
  chosenOf,
  current,
  isNews,
  isRepeated,
  newestFirst,
  readingAfter,
  readingSchema,
  steadyUntilUs,
  type Reading,
} from './reading.ts'

const MAX_READINGS = 20_000

interface Watching {
  readonly watch: Watch
  readonly id: string
  readonly isService: boolean
}

/** A component or a service, and what is read of it. */
interface Thing {
  readonly id: string
  readonly isService: boolean
  /** By agent and server. */
  readonly readings: Map<string, Reading>
  /** Its observation is as it was made until then; -Infinity: it is to be made anew. */
  steadyUntilUs: number
  /** As it was made last. Of what is read again to the same effect, only its time moves on. */
  seen: (Observation & { atUs: number }) | undefined
}

type Seen = ReadonlyMap<string, Observation>

export interface WatchedNow {
  readonly components: Seen
  /** What the watch of a service itself says. */
  readonly services: Seen
}

/** What the watches of a drawing say now: points in, the state of what is watched out. */
export class Watches {
  /** By kind and id. */
  readonly #things = new Map<string, Thing>()
  readonly #machineOf: (agent: string) => string | undefined
  #model: Model | undefined
  /** By measurement, then by target. */
  #index: ReadonlyMap<string, ReadonlyMap<string, readonly Watching[]>> = new Map()
  /** As it was said last. */
  #now: WatchedNow = { components: new Map(), services: new Map() }
  /** Something said there is not watched any more. */
  #isLess = false
  #count = 0
  #tooMany = 0

  /** @param machineOf the component an agent runs on: without a watch of its own it is up while the agent is heard */
  constructor(restored: unknown, machineOf: (agent: string) => string | undefined) {
    this.#machineOf = machineOf
    for (const reading of items(readingSchema, restored)) this.#keep(reading)
  }

  get memory(): readonly Reading[] {
    return [...this.#things.values()].flatMap(({ readings }) => [...readings.values()])
  }

  get tooMany(): number {
    return this.#tooMany
  }

  /** The drawing as it is now; readings of what is not in it any more are forgotten. */
  follow(model: Model | undefined): void {
    if (model === this.#model) return
    this.#model = model
    const index = new Map<string, Map<string, Watching[]>>([['agent', new Map()]])
    const add = (watch: Watch | undefined, id: string, isService: boolean): void => {
      if (watch === undefined) return
      const byTarget = index.get(watch.measurement) ?? new Map<string, Watching[]>()
      index.set(watch.measurement, byTarget)
      const known = byTarget.get(watch.target)
      if (known === undefined) byTarget.set(watch.target, [{ watch, id, isService }])
      else known.push({ watch, id, isService })
    }
    const { components = new Map<string, Component>(), services } = model?.drawing ?? {}
    for (const { id, watch } of components.values()) add(watch, id, false)
    for (const { id, watch } of services?.values() ?? []) add(watch, id, true)
    this.#index = index
    for (const thing of this.#things.values()) {
      const { id, isService } = thing
      // What its lost sources are called is drawn.
      thing.steadyUntilUs = -Infinity
      if (isService ? services?.get(id)?.watch === undefined : !components.has(id))
        this.#forget(thing, () => true)
    }
  }

  /** Whether anything became different from what was known. */
  observe(points: readonly Measurement[], arrivalUs: number): boolean {
    if (this.#model === undefined) return false
    let isChanged = false
    for (const point of points) {
      if (!this.#index.has(point.name) || !isCurrent(point, arrivalUs)) continue
      for (const watching of this.#watching(point))
        if (this.#learn(watching, point)) isChanged = true
    }
    return isChanged
  }

  /** The components a point tells of. */
  watchedBy(point: Pick<Measurement, 'name' | 'tags'>): readonly string[] {
    return this.#watching(point)
      .filter(({ isService }) => !isService)
      .map(({ id }) => id)
  }

  /** The services whose own check a point is. */
  servicesWatchedBy(point: Pick<Measurement, 'name' | 'tags'>): readonly string[] {
    return this.#watching(point)
      .filter(({ isService }) => isService)
      .map(({ id }) => id)
  }

  /** The agents that check a service. */
  watchersOf(service: string): readonly string[] {
    const { readings = [] } = this.#things.get(keyOf(service, true)) ?? {}
    return [...new Set([...readings.values()].map(({ agent }) => agent))]
  }

  /**
   * @param isIsolated whether an agent was cut off itself: what it misses is unknown
   * @returns those never heard of are not in it; the same maps while they say the same
   */
  now(nowUs: number, isIsolated: (agent: string, atUs: number) => boolean): WatchedNow {
    const { components, services } = this.#now
    const fresh = {
      components: new Map<string, Observation>(),
      services: new Map<string, Observation>(),
    }
    for (const thing of this.#things.values()) {
      if (nowUs <= thing.steadyUntilUs) continue
      const all = [...thing.readings.values()]
      const readings = all.map((reading) => current(reading, nowUs, isIsolated))
      const observation = this.#observation(thing.id, readings)
      thing.seen = observation
      fresh[thing.isService ? 'services' : 'components'].set(thing.id, observation)
      thing.steadyUntilUs = Math.min(...all.map((reading) => steadyUntilUs(reading, nowUs)))
    }
    this.#now = {
      components: joined(this.#still(components, false), fresh.components),
      services: joined(this.#still(services, true), fresh.services),
    }
    this.#isLess = false
    return this.#now
  }

  /** Where it is read from; the site of the newest reading. */
  siteOf(id: string): string | undefined {
    const { readings = [] } = this.#things.get(keyOf(id, false)) ?? {}
    return [...readings.values()].filter(({ site }) => site !== '').toSorted(newestFirst)[0]?.site
  }

  forgetAgent(agent: string): void {
    for (const thing of this.#things.values())
      this.#forget(thing, (reading) => reading.agent === agent)
  }

  /** Nobody there is heard any more. */
  siteLost(site: string, atUs: number): void {
    const reason = 'its agents are not heard any more'
    for (const { readings } of this.#things.values())
      for (const reading of readings.values())
        if (reading.site === site && reading.state !== 'unknown')
          this.#keep({ ...reading, state: 'unknown', reason, sinceUs: atUs })
  }

  #keep(reading: Reading): void {
    const { id, isService, agent, server } = reading
    const key = keyOf(id, isService)
    const thing = this.#things.get(key) ?? made(id, isService)
    if (thing.readings.size === 0) this.#things.set(copyOf(key), thing)
    const source = sourceOf(agent, server)
    if (!thing.readings.has(source)) this.#count++
    thing.readings.set(source, reading)
    thing.steadyUntilUs = -Infinity
  }

  #forget(thing: Thing, isWanted: (reading: Reading) => boolean): void {
    const { id, isService, readings } = thing
    for (const [source, reading] of readings) {
      if (!isWanted(reading)) continue
      readings.delete(source)
      this.#count--
      thing.steadyUntilUs = -Infinity
    }
    if (readings.size > 0) return
    this.#things.delete(keyOf(id, isService))
    this.#isLess = true
  }

  /** What is watched still. */
  #still(seen: Seen, isService: boolean): Seen {
    return this.#isLess
      ? new Map([...seen].filter(([id]) => this.#things.has(keyOf(id, isService))))
      : seen
  }

  #watching({ name, tags }: Pick<Measurement, 'name' | 'tags'>): readonly Watching[] {
    const { agent = '', target = '' } = tags
    const byTarget = this.#index.get(name)
    const found =
      byTarget === undefined
        ? []
        : targetsOf(name, target, agent).flatMap((text) =>
            (byTarget.get(text) ?? []).filter(
              ({ watch }) => watch.agent === undefined || agent === '' || watch.agent === agent,
            ),
          )
    if (name !== 'agent' || target !== '') return found
    const id = this.#machineOf(agent)
    const machine = id === undefined ? undefined : this.#model?.drawing.components.get(id)
    if (id === undefined || machine === undefined || machine.watch !== undefined) return found
    return [...found, { id, isService: false, watch: { measurement: 'agent', target: agent } }]
  }

  #learn(watching: Watching, point: Measurement): boolean {
    const state = deviceStateOf(point)
    if (state === undefined) return false
    const { agent = '', server = '' } = point.tags
    const { id, isService } = watching
    const thing = this.#things.get(keyOf(id, isService))
    const known = thing?.readings.get(sourceOf(agent, server))
    if (known !== undefined && point.timeUs <= known.atUs) return false
    if (thing !== undefined && known !== undefined && isRepeated(known, point, state)) {
      moveOn(thing, known)
      return false
    }
    if (known === undefined && this.#count >= MAX_READINGS) {
      this.#tooMany++
      return false
    }
    const reading = readingAfter(known, watching, point, state)
    this.#keep(reading)
    return isNews(known, reading)
  }

  /** What several readings of one thing come to. */
  #observation(id: string, readings: readonly Reading[]): Observation & { atUs: number } {
    const chosen = chosenOf(readings)
    const { state, sinceUs, atUs, inputLost, isUnprotected, runtimeLeftS, chargeRatio } = chosen
    const { isLow } = chosen
    // Of several servers of one trunk, as one agent sees them.
    const lost = readings.filter(
      ({ state: word, agent, server }) =>
        word === 'down' && agent === chosen.agent && server !== chosen.server,
    )
    const isPartly = state === 'up' && lost.length > 0
    const lostNeeds = this.#sourcesOf(id, chosen.lostSources ?? [])
    return {
      state: isPartly ? 'degraded' : state,
      reason: isPartly
        ? `no answer from ${lost.map(({ server }) => server).join(', ')}`
        : chosen.reason,
      ...{ sinceUs, atUs },
      ...(inputLost === undefined ? {} : { inputLost }),
      ...(isUnprotected === undefined ? {} : { isUnprotected }),
      ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }),
      ...(chargeRatio === undefined ? {} : { chargeRatio }),
      ...(isLow === undefined ? {} : { isLow }),
      ...(lostNeeds.length === 0 ? {} : { lostNeeds }),
    }
  }

  /** The first choice a transfer switch names in its needs is between source A and source B. */
  #sourcesOf(id: string, lost: readonly ('a' | 'b')[]): readonly string[] {
    if (lost.length === 0) return []
    const needs = this.#model?.drawing.components.get(id)?.needs ?? []
    const choice = needs.find((need) => typeof need !== 'string' && 'any' in need)
    if (choice === undefined || typeof choice === 'string' || !('any' in choice)) return []
    return lost.flatMap((source) => {
      const need = choice.any[source === 'a' ? 0 : 1]
      return typeof need === 'string' ? [need] : []
    })
  }
}

/** A UPS of a NUT server may be named without the server; an agent is its own target. */
function targetsOf(name: MeasurementName, target: string, agent: string): readonly string[] {
  if (name === 'agent' || (name === 'host' && target === '')) return target === '' ? [agent] : []
  const at = target.indexOf('@')
  return at > 0 ? [target, target.slice(0, at)] : [target]
}

function keyOf(id: string, isService: boolean): string {
  return `${isService ? 'service' : 'component'}\n${id}`
}

function sourceOf(agent: string, server: string): string {
  return `${agent}\n${server}`
}

function made(id: string, isService: boolean): Thing {
  return { id, isService, readings: new Map(), steadyUntilUs: -Infinity, seen: undefined }
}

/** What was read again to the same effect is as it was, and for longer; of several readings another may now be the one to believe. */
function moveOn(thing: Thing, reading: Reading): void {
  const { seen, readings, steadyUntilUs: untilUs } = thing
  const isSteady = seen !== undefined && readings.size === 1 && reading.atUs <= untilUs
  if (isSteady) seen.atUs = reading.atUs
  thing.steadyUntilUs = isSteady ? steadyUntilUs(reading, reading.atUs) : -Infinity
}

/** The same map where nothing is fresh. */
function joined(known: Seen, fresh: Seen): Seen {
  if (fresh.size === 0) return known
  const all = new Map(known)
  for (const [id, observation] of fresh) all.set(id, observation)
  return all
}
