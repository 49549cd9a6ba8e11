import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { countOf, intervalUsOf, observerOf } from '../points.ts'

/** Registrations seen on taps: the newest word of each tap on each registrar. */

const FORGOTTEN_INTERVALS = 3
const MAX_REGISTRARS = 1000

const schema = z.object({
  ...{ key: z.string(), observer: z.string(), agent: z.string(), site: z.string() },
  registrar: z.string(),
  timeUs: z.number(),
  intervalUs: z.number(),
  accounts: z.number(),
  active: z.number(),
  overdue: z.number(),
  expired: z.number(),
  nextLapseS: z.number(),
  /** The tap has watched for long enough to have seen every one. */
  isComplete: z.boolean(),
})
export type Bindings = Readonly<z.output<typeof schema>>

export class SeenBindings {
  readonly #registrars = new Map<string, Bindings>()
  #tooMany = 0

  constructor(restored: unknown) {
    for (const bindings of items(schema, restored)) this.#registrars.set(bindings.key, bindings)
  }

  get memory(): readonly Bindings[] {
    return [...this.#registrars.values()]
  }

  get tooMany(): number {
    return this.#tooMany
  }

  /** @returns undefined for what is not newer than what is known */
  learn(point: Measurement): Bindings | undefined {
    const { tags, fields, timeUs } = point
    const { agent = '', site = '', target = '' } = tags
    const observer = observerOf(point)
    const key = `${observer}\n${target}`
    const known = this.#registrars.get(key)
    if (known !== undefined && timeUs <= known.timeUs) return undefined
    if (known === undefined && this.#registrars.size >= MAX_REGISTRARS) {
      this.#tooMany++
      return undefined
    }
    const bindings: Bindings = {
      ...{ key: known?.key ?? copyOf(key), observer: known?.observer ?? copyOf(observer) },
      ...{ agent: known?.agent ?? copyOf(agent), site: known?.site ?? copyOf(site) },
      ...{ registrar: known?.registrar ?? copyOf(target), timeUs },
      intervalUs: intervalUsOf(fields),
      accounts: countOf(fields, 'accounts'),
      active: countOf(fields, 'active'),
      overdue: countOf(fields, 'overdue'),
      expired: countOf(fields, 'expired'),
      nextLapseS: countOf(fields, 'next_lapse_s'),
      isComplete: fields['complete'] === true,
    }
    this.#registrars.set(bindings.key, bindings)
    return bindings
  }

  /** What a tap no longer speaks of is not known any more. */
  trim(nowUs: number): void {
    for (const [key, { timeUs, intervalUs }] of this.#registrars)
      if (Math.abs(nowUs - timeUs) > FORGOTTEN_INTERVALS * intervalUs) this.#registrars.delete(key)
  }

  forget(isGone: (bindings: Bindings) => boolean): void {
    for (const bindings of this.#registrars.values())
      if (isGone(bindings)) this.#registrars.delete(bindings.key)
  }

  /** By site, and in it by tap: what two taps see is the same phones. */
  get sites(): ReadonlyMap<string, ReadonlyMap<string, readonly Bindings[]>> {
    const sites = new Map<string, Map<string, Bindings[]>>()
    for (const bindings of this.#registrars.values()) {
      const { site, observer } = bindings
      const taps = sites.get(site) ?? new Map<string, Bindings[]>()
      const ofTap = taps.get(observer) ?? []
      ofTap.push(bindings)
      taps.set(observer, ofTap)
      sites.set(site, taps)
    }
    return sites
  }
}
