import { z } from 'zod'
import { FAREWELL_CAUSES } from '../../common/farewell.ts'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items, parts } from './snapshot.ts'
import { percent } from './words.ts'

/** On arrival an older one is history: it waited in a spool until the power was back. */
const STALE_US = 10 * 60_000_000
/** An agent that says it ends may still push what it measured meanwhile; whoever measures later than this has not ended. */
const ENDING_US = 15_000_000
/** A machine on battery goes on for a while; what it says of its supplies meanwhile counts more than its farewell. */
const ON_BATTERY_US = 10 * 60_000_000
const MAX_AGENTS = 10_000

const farewellSchema = z.object({
  agent: z.string(),
  cause: z.enum(FAREWELL_CAUSES),
  timeUs: z.number(),
  /** Which supply was failing; absent where none was. */
  power: z.string().exactOptional(),
  chargeRatio: z.number().exactOptional(),
})

/** The last word of an agent; its signature was checked when it came in. */
export type Farewell = Readonly<z.output<typeof farewellSchema>>

/** What agents said when their power failed or they were ended. Taken back by whatever they measure after it that says otherwise. */
export class Farewells {
  /** By agent. */
  readonly #farewells = new Map<string, Farewell>()

  constructor(restored: unknown) {
    for (const farewell of items(farewellSchema, parts(restored)['farewells']))
      this.#farewells.set(farewell.agent, farewell)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      const said = this.#farewells.get(point.tags['agent'] ?? '')
      if (point.name === 'farewell') this.#learn(point, arrivalUs)
      else if (said !== undefined && isTakenBack(said, point)) this.#farewells.delete(said.agent)
    }
  }

  forget(agent: string): void {
    this.#farewells.delete(agent)
  }

  /**
   * The farewell that explains why nothing is heard of the agent.
   * @param silentSinceUs arrival of its last points
   */
  lastOf(agent: string, silentSinceUs: number): Farewell | undefined {
    const said = this.#farewells.get(agent)
    if (said === undefined) return undefined
    return said.timeUs >= silentSinceUs - (isEnding(said) ? ENDING_US : ON_BATTERY_US)
      ? said
      : undefined
  }

  get memory(): unknown {
    return { farewells: [...this.#farewells.values()] }
  }

  #learn(point: Measurement, arrivalUs: number): void {
    const said = readFarewell(point)
    if (said === undefined || said.timeUs < arrivalUs - STALE_US) return
    const known = this.#farewells.get(said.agent)
    if (known !== undefined && said.timeUs < known.timeUs) return
    this.#farewells.delete(said.agent)
    const [oldest] = this.#farewells.keys()
    if (this.#farewells.size >= MAX_AGENTS && oldest !== undefined) this.#farewells.delete(oldest)
    this.#farewells.set(said.agent, said)
  }
}

/** undefined for a point that is none. */
export function readFarewell({ name, tags, fields, timeUs }: Measurement): Farewell | undefined {
  const { agent = '' } = tags
  if (name !== 'farewell' || agent === '') return undefined
  const { cause, power, charge_ratio: chargeRatio } = fields
  return farewellSchema.safeParse({
    agent: copyOf(agent),
    cause,
    timeUs,
    ...(typeof power === 'string' ? { power: copyOf(power) } : {}),
    ...(typeof chargeRatio === 'number' ? { chargeRatio } : {}),
  }).data
}

/** Whether the farewell says that power was failing. */
export function tellsOfPower({ cause, power }: Farewell): boolean {
  if (cause === 'on-battery' || cause === 'low-battery') return true
  // One stopped, or failing, while on battery did not stop for that.
  return power !== undefined && (cause === 'shutdown' || cause === 'unknown')
}

/** "ups-1 was on battery, 12 % charge left, and its machine was shut down" */
export function farewellWords(said: Farewell): string {
  const { cause, power, chargeRatio } = said
  const left = chargeRatio === undefined ? '' : `, ${percent(chargeRatio)} charge left`
  const supply = `${power ?? 'its power supply'} was on ${cause === 'low-battery' ? 'low battery' : 'battery'}${left}`
  switch (cause) {
    case 'on-battery':
    case 'low-battery':
      return supply
    case 'shutdown':
      return `${power === undefined ? '' : `${supply}, and `}its machine was shut down`
    case 'stop':
      return `${power === undefined ? '' : `${supply}, and `}it was stopped, its machine was not`
    case 'failure':
      return 'it ended by an error of its own'
    case 'unknown':
      return `${power === undefined ? '' : `${supply}, and `}it was told to end`
  }
}

function isEnding({ cause }: Farewell): boolean {
  return cause !== 'on-battery' && cause !== 'low-battery'
}

function isTakenBack(said: Farewell, { name, tags, fields, timeUs }: Measurement): boolean {
  if (isEnding(said)) return timeUs > said.timeUs + ENDING_US
  if (timeUs <= said.timeUs || tags['target'] !== said.power) return false
  if (name === 'ups') return fields['line'] === 'online' || fields['line'] === 'bypass'
  return name === 'power_supply' && (fields['online'] === true || fields['status'] === 'charging')
}
