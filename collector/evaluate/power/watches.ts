import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Observation, Watch } from '../../topology/dependency.ts'
import type { Model } from '../../topology/model.ts'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { isCurrent, numberOf } from '../sip/points.ts'
import { lasting } from '../words.ts'
import { deviceStateOf, type DeviceState } from './device-state.ts'

/** Missing so many of its readings is no news; less is a slow network. */
const STALE_READINGS = 3
/** Nobody is out of date sooner than that, */
const SOONEST_STALE_US = 15_000_000
/** nor believed for longer. */
const LATEST_STALE_US = 600_000_000
const DEFAULT_GAP_US = 10_000_000
const US_PER_MS = 1000
const MAX_READINGS = 20_000

/** Whoever reaches it is right: the others may be cut off themselves. */
const REACHED: ReadonlySet<string> = new Set(['ping', 'sip_options', 'agent', 'host'])

const readingSchema = z.object({
  component: z.string(),
  agent: z.string(),
  measurement: z.string(),
  state: z.enum(['up', 'degraded', 'down', 'unknown']),
  reason: z.string(),
  inputLost: z.boolean().exactOptional(),
  isUnprotected: z.boolean().exactOptional(),
  runtimeLeftS: z.number().exactOptional(),
  chargeRatio: z.number().exactOptional(),
  sinceUs: z.number(),
  atUs: z.number(),
  gapUs: z.number(),
})

type Reading = z.output<typeof readingSchema>

/** What the watches of a drawing say now: points in, the state of each watched component out. */
export class Watches {
  /** By component and agent. */
  readonly #readings = new Map<string, Reading>()
  #model: Model | undefined
  /** Components by measurement and target. */
  #index: ReadonlyMap<string, readonly (Watch & { readonly id: string })[]> = new Map()
  #names: ReadonlySet<string> = new Set()
  #tooMany = 0

  constructor(restored: unknown) {
    for (const reading of items(readingSchema, restored))
      this.#readings.set(keyOf(reading.component, reading.agent), reading)
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
    const index = new Map<string, (Watch & { id: string })[]>()
    for (const { component } of model?.components ?? []) {
      const { id, watch } = component
      if (watch === undefined) continue
      const key = indexKey(watch.measurement, watch.target)
      index.set(key, [...(index.get(key) ?? []), { ...watch, id }])
    }
    this.#index = index
    this.#names = new Set([...index.values()].flat().map(({ measurement }) => measurement))
    for (const [key, { component }] of this.#readings)
      if (model?.drawing.components.get(component)?.watch === undefined) this.#readings.delete(key)
  }

  /** Whether anything became different from what was known. */
  observe(points: readonly Measurement[], arrivalUs: number): boolean {
    let isChanged = false
    for (const point of points) {
      if (!this.#names.has(point.name) || !isCurrent(point, arrivalUs)) continue
      for (const id of this.watchedBy(point)) if (this.#learn(id, point)) isChanged = true
    }
    return isChanged
  }

  /** The components a point tells of. */
  watchedBy({ name, tags }: Pick<Measurement, 'name' | 'tags'>): readonly string[] {
    const { agent = '', target = '' } = tags
    return targetsOf(name, target, agent).flatMap((text) =>
      (this.#index.get(indexKey(name, text)) ?? [])
        .filter((watch) => watch.agent === undefined || watch.agent === agent)
        .map(({ id }) => id),
    )
  }

  /**
   * @param isIsolated whether an agent was cut off itself: what it misses is unknown
   * @returns by component; those never heard of are not in it
   */
  observations(
    nowUs: number,
    isIsolated: (agent: string, atUs: number) => boolean,
  ): ReadonlyMap<string, Observation> {
    const all = new Map<string, Observation[]>()
    const reached = new Set<string>()
    for (const reading of this.#readings.values()) {
      const { component, measurement } = reading
      all.set(component, [...(all.get(component) ?? []), current(reading, nowUs, isIsolated)])
      if (REACHED.has(measurement)) reached.add(component)
    }
    return new Map(
      [...all].flatMap(([id, seen]) => {
        const chosen = seen.toSorted(reached.has(id) ? bestFirst : newestFirst)[0]
        return chosen === undefined ? [] : [[id, chosen] as const]
      }),
    )
  }

  forgetAgent(agent: string): void {
    for (const [key, reading] of this.#readings)
      if (reading.agent === agent) this.#readings.delete(key)
  }

  #learn(id: string, point: Measurement): boolean {
    const state = deviceStateOf(point)
    if (state === undefined) return false
    const { agent = '' } = point.tags
    const key = keyOf(id, agent)
    const known = this.#readings.get(key)
    if (known !== undefined && point.timeUs <= known.atUs) return false
    if (known === undefined && this.#readings.size >= MAX_READINGS) {
      this.#tooMany++
      return false
    }
    const isSame =
      known !== undefined && known.state === state.state && known.inputLost === state.inputLost
    const intervalMs = numberOf(point.fields, 'interval_ms')
    const gapUs =
      intervalMs === undefined
        ? known === undefined
          ? DEFAULT_GAP_US
          : point.timeUs - known.atUs
        : intervalMs * US_PER_MS
    this.#readings.set(known === undefined ? copyOf(key) : key, {
      component: id,
      agent: copyOf(agent),
      measurement: point.name,
      ...copied(state),
      sinceUs: isSame ? known.sinceUs : point.timeUs,
      atUs: point.timeUs,
      gapUs,
    })
    return (
      !isSame ||
      known.isUnprotected !== state.isUnprotected ||
      known.runtimeLeftS !== state.runtimeLeftS
    )
  }
}

/** As its agent sees it, unless that is out of date or was cut off itself. */
function current(
  reading: Reading,
  nowUs: number,
  isIsolated: (agent: string, atUs: number) => boolean,
): Observation {
  const { agent, atUs, gapUs, sinceUs } = reading
  const staleUs = Math.min(LATEST_STALE_US, Math.max(SOONEST_STALE_US, STALE_READINGS * gapUs))
  // A unit that was on battery when it fell silent may have run down: what it stood on is not counted on.
  const lastWord = { isUnprotected: reading.inputLost === true, sinceUs, atUs }
  if (nowUs - atUs > staleUs)
    return { state: 'unknown', reason: `no news for ${lasting(nowUs - atUs)}`, ...lastWord }
  if (reading.state === 'down' && isIsolated(agent, atUs))
    return { state: 'unknown', reason: `${agent} may itself be cut off`, ...lastWord }
  return reading
}

function copied(state: DeviceState): DeviceState {
  return { ...state, reason: copyOf(state.reason) }
}

const RANK = ['up', 'degraded', 'down', 'unknown']

function bestFirst(a: Observation, b: Observation): number {
  return RANK.indexOf(a.state) - RANK.indexOf(b.state) || newestFirst(a, b)
}

function newestFirst(a: Observation, b: Observation): number {
  const isKnown = ({ state }: Observation): number => Number(state !== 'unknown')
  return isKnown(b) - isKnown(a) || b.atUs - a.atUs
}

/** A UPS of a NUT server may be named without the server; an agent is its own target. */
function targetsOf(name: MeasurementName, target: string, agent: string): readonly string[] {
  if (name === 'agent' || name === 'host') return target === '' ? [agent] : []
  const at = target.indexOf('@')
  return at > 0 ? [target, target.slice(0, at)] : [target]
}

function indexKey(measurement: string, target: string): string {
  return `${measurement}\n${target}`
}

function keyOf(component: string, agent: string): string {
  return `${component}\n${agent}`
}
