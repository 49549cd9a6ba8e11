import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Component, Observation, Watch } from '../../topology/dependency.ts'
import type { Model } from '../../topology/model.ts'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { isCurrent, numberOf } from '../points.ts'
import { lasting } from '../words.ts'
import { deviceStateOf, type DeviceState } from './device-state.ts'
import { rhythmUs } from './rhythm.ts'

/** Missing so many of its readings is no news; less is a slow network. */
const STALE_READINGS = 3
/** Nobody is out of date sooner than that, */
const SOONEST_STALE_US = 15_000_000
/** nor believed for longer. */
const LATEST_STALE_US = 900_000_000
/** Until it is known how often something is read. */
const FIRST_GAP_US = 60_000_000
const US_PER_MS = 1000
const US_PER_S = 1_000_000
const MAX_READINGS = 20_000

/** Whoever reaches it is right: the others may be cut off themselves. */
const REACHED: ReadonlySet<string> = new Set([
  'ping',
  'sip_options',
  'sip_registration',
  'sip_call',
  'agent',
  'host',
])

const readingSchema = z.object({
  /** Component or service, by id. */
  id: z.string(),
  isService: z.boolean(),
  agent: z.string(),
  site: z.string(),
  /** Of a trunk: which of its servers; '' where it is one thing. */
  server: z.string(),
  measurement: z.string(),
  state: z.enum(['up', 'degraded', 'down', 'unknown']),
  reason: z.string(),
  inputLost: z.boolean().exactOptional(),
  isUnprotected: z.boolean().exactOptional(),
  lostSources: z.array(z.enum(['a', 'b'])).exactOptional(),
  runtimeLeftS: z.number().exactOptional(),
  chargeRatio: z.number().exactOptional(),
  isLow: z.boolean().exactOptional(),
  sinceUs: z.number(),
  atUs: z.number(),
  /** Of its newest reading with a state. */
  knownUs: z.number(),
  gapUs: z.number().exactOptional(),
})

type Reading = Readonly<z.output<typeof readingSchema>>

interface Watching {
  readonly watch: Watch
  readonly id: string
  readonly isService: boolean
}

export interface WatchedNow {
  readonly components: ReadonlyMap<string, Observation>
  /** What the watch of a service itself says. */
  readonly services: ReadonlyMap<string, Observation>
}

/** What the watches of a drawing say now: points in, the state of what is watched out. */
export class Watches {
  /** By what is watched, agent and server. */
  readonly #readings = new Map<string, Reading>()
  readonly #machineOf: (agent: string) => string | undefined
  #model: Model | undefined
  /** By measurement and target. */
  #index: ReadonlyMap<string, readonly Watching[]> = new Map()
  #names: ReadonlySet<string> = new Set()
  #tooMany = 0

  /** @param machineOf the component an agent runs on: without a watch of its own it is up while the agent is heard */
  constructor(restored: unknown, machineOf: (agent: string) => string | undefined) {
    this.#machineOf = machineOf
    for (const reading of items(readingSchema, restored))
      this.#readings.set(keyOf(reading), reading)
  }

  get memory(): readonly Reading[] {
    return [...this.#readings.values()]
  }

  get tooMany(): number {
    return this.#tooMany
  }

  /** The drawing as it is now; readings of what is not in it any more are forgotten. */
  follow(model: Model | undefined): void {
    if (model === this.#model) return
    this.#model = model
    const index = new Map<string, Watching[]>()
    const add = (watch: Watch | undefined, id: string, isService: boolean): void => {
      if (watch === undefined) return
      const key = indexKey(watch.measurement, watch.target)
      const known = index.get(key)
      if (known === undefined) index.set(key, [{ watch, id, isService }])
      else known.push({ watch, id, isService })
    }
    const { components = new Map<string, Component>(), services } = model?.drawing ?? {}
    for (const { id, watch } of components.values()) add(watch, id, false)
    for (const { id, watch } of services?.values() ?? []) add(watch, id, true)
    this.#index = index
    this.#names = new Set([
      'agent',
      ...[...index.values()].flat().map(({ watch }) => watch.measurement),
    ])
    for (const [key, { id, isService }] of this.#readings)
      if (isService ? services?.get(id)?.watch === undefined : !components.has(id))
        this.#readings.delete(key)
  }

  /** Whether anything became different from what was known. */
  observe(points: readonly Measurement[], arrivalUs: number): boolean {
    if (this.#model === undefined) return false
    let isChanged = false
    for (const point of points) {
      if (!this.#names.has(point.name) || !isCurrent(point, arrivalUs)) continue
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
    const readings = [...this.#readings.values()]
    const those = readings.filter(({ id, isService }) => isService && id === service)
    return [...new Set(those.map(({ agent }) => agent))]
  }

  /**
   * @param isIsolated whether an agent was cut off itself: what it misses is unknown
   * @returns those never heard of are not in it
   */
  now(nowUs: number, isIsolated: (agent: string, atUs: number) => boolean): WatchedNow {
    const all = { components: new Map<string, Reading[]>(), services: new Map<string, Reading[]>() }
    for (const reading of this.#readings.values()) {
      const { id, isService } = reading
      const readings = isService ? all.services : all.components
      const now = current(reading, nowUs, isIsolated)
      const known = readings.get(id)
      if (known === undefined) readings.set(id, [now])
      else known.push(now)
    }
    const observations = (readings: ReadonlyMap<string, readonly Reading[]>) =>
      new Map([...readings].map(([id, seen]) => [id, this.#observation(id, seen)] as const))
    return { components: observations(all.components), services: observations(all.services) }
  }

  /** Where it is read from; the site of the newest reading. */
  siteOf(id: string): string | undefined {
    const readings = [...this.#readings.values()].filter(
      (reading) => reading.id === id && !reading.isService && reading.site !== '',
    )
    return readings.toSorted(newestFirst)[0]?.site
  }

  forgetAgent(agent: string): void {
    for (const [key, reading] of this.#readings)
      if (reading.agent === agent) this.#readings.delete(key)
  }

  /** Nobody there is heard any more. */
  siteLost(site: string, atUs: number): void {
    for (const [key, reading] of this.#readings) {
      if (reading.site !== site || reading.state === 'unknown') continue
      const reason = 'its agents are not heard any more'
      this.#readings.set(key, { ...reading, state: 'unknown', reason, sinceUs: atUs })
    }
  }

  #watching({ name, tags }: Pick<Measurement, 'name' | 'tags'>): readonly Watching[] {
    const { agent = '', target = '' } = tags
    const found = targetsOf(name, target, agent).flatMap((text) =>
      (this.#index.get(indexKey(name, text)) ?? []).filter(
        ({ watch }) => watch.agent === undefined || agent === '' || watch.agent === agent,
      ),
    )
    if (name !== 'agent' || target !== '') return found
    const id = this.#machineOf(agent)
    const machine = id === undefined ? undefined : this.#model?.drawing.components.get(id)
    if (id === undefined || machine === undefined || machine.watch !== undefined) return found
    return [...found, { id, isService: false, watch: { measurement: 'agent', target: agent } }]
  }

  #learn({ id, isService }: Watching, point: Measurement): boolean {
    const state = deviceStateOf(point)
    const { agent = '', site = '', server = '' } = point.tags
    if (state === undefined) return false
    const key = keyOf({ id, isService, agent, server })
    const known = this.#readings.get(key)
    if (known !== undefined && point.timeUs <= known.atUs) return false
    if (known === undefined && this.#readings.size >= MAX_READINGS) {
      this.#tooMany++
      return false
    }
    const { timeUs } = point
    const isKnown = state.state !== 'unknown'
    const kept = isKnown ? state : { ...lastWordOf(known), ...state }
    const isSame =
      known !== undefined && known.state === kept.state && known.inputLost === kept.inputLost
    const gapUs = gapOf(point, known)
    this.#readings.set(known === undefined ? copyOf(key) : key, {
      ...(known === undefined
        ? { id, isService, agent: copyOf(agent), site: copyOf(site), server: copyOf(server) }
        : placeOf(known)),
      measurement: point.name,
      ...kept,
      lostSources: [...(kept.lostSources ?? [])],
      reason: copyOf(kept.reason),
      sinceUs: isSame ? known.sinceUs : timeUs,
      atUs: timeUs,
      knownUs: isKnown ? timeUs : (known?.knownUs ?? timeUs),
      ...(gapUs === undefined ? {} : { gapUs }),
    })
    return (
      !isSame ||
      known.isUnprotected !== kept.isUnprotected ||
      known.isLow !== kept.isLow ||
      known.runtimeLeftS !== kept.runtimeLeftS ||
      known.lostSources?.join() !== (kept.lostSources ?? []).join()
    )
  }

  /** What several readings of one thing come to. */
  #observation(id: string, readings: readonly Reading[]): Observation {
    const isReached = readings.some(({ measurement }) => REACHED.has(measurement))
    const [chosen = NO_READING] = readings.toSorted(isReached ? bestFirst : newestFirst)
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

const NO_READING: Reading = {
  ...{ id: '', isService: false, agent: '', site: '', server: '', measurement: '' },
  ...{ state: 'unknown', reason: '', sinceUs: 0, atUs: 0, knownUs: 0 },
}

/** As its agent sees it, unless that is out of date or was cut off itself. */
function current(
  reading: Reading,
  nowUs: number,
  isIsolated: (agent: string, atUs: number) => boolean,
): Reading {
  const { agent, atUs, knownUs, gapUs = FIRST_GAP_US } = reading
  const staleUs = Math.min(LATEST_STALE_US, Math.max(SOONEST_STALE_US, STALE_READINGS * gapUs))
  // A battery goes on running down between two readings, and when nobody reads it any more.
  const runs =
    reading.inputLost !== true || reading.runtimeLeftS === undefined
      ? reading
      : {
          ...reading,
          runtimeLeftS: Math.max(0, reading.runtimeLeftS - (nowUs - knownUs) / US_PER_S),
        }
  if (nowUs - atUs > staleUs)
    return { ...runs, state: 'unknown', reason: `no news for ${lasting(nowUs - atUs)}` }
  if (reading.state === 'down' && isIsolated(agent, atUs))
    return { ...runs, state: 'unknown', reason: `${agent} may itself be cut off` }
  return runs
}

/** What was on battery when contact was lost is not on mains again for want of news. */
function lastWordOf(known: Reading | undefined): Partial<DeviceState> {
  if (known?.inputLost !== true) return {}
  const { runtimeLeftS } = known
  return { inputLost: true, ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }) }
}

function gapOf({ timeUs, fields }: Measurement, known: Reading | undefined): number | undefined {
  const intervalMs = numberOf(fields, 'interval_ms')
  if (intervalMs !== undefined) return intervalMs * US_PER_MS
  return known === undefined ? undefined : rhythmUs(known.gapUs, timeUs - known.atUs)
}

function placeOf({ id, isService, agent, site, server }: Reading) {
  return { id, isService, agent, site, server }
}

const RANK = ['up', 'degraded', 'down', 'unknown']

function bestFirst(a: Reading, b: Reading): number {
  return RANK.indexOf(a.state) - RANK.indexOf(b.state) || newestFirst(a, b)
}

function newestFirst(a: Reading, b: Reading): number {
  const isKnown = ({ state }: Reading): number => Number(state !== 'unknown')
  return isKnown(b) - isKnown(a) || b.atUs - a.atUs
}

/** A UPS of a NUT server may be named without the server; an agent is its own target. */
function targetsOf(name: MeasurementName, target: string, agent: string): readonly string[] {
  if (name === 'agent' || (name === 'host' && target === '')) return target === '' ? [agent] : []
  const at = target.indexOf('@')
  return at > 0 ? [target, target.slice(0, at)] : [target]
}

function indexKey(measurement: string, target: string): string {
  return `${measurement}\n${target}`
}

function keyOf(of: Pick<Reading, 'id' | 'isService' | 'agent' | 'server'>): string {
  return [of.isService ? 'service' : 'component', of.id, of.agent, of.server].join('\n')
}
