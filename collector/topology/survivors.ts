import { Families } from './cut-sets.ts'
import { hangingWatts, Loads } from './load.ts'
import type { Model } from './model.ts'

/** Of the capacity: more is told of. Breakers carry 80 % for good, and what is beyond leaves nothing to grow. */
const WARN_RATIO = 0.8
/** So many sources are asked about; a site has fewer that are measured. */
const MAX_SOURCES = 100
/** Sums of shares differ by less. */
const ROUNDING = 1e-9

/** What flows through a source, as it says itself. */
export interface MeasuredLoad {
  readonly loadW: number
  /** What it can carry; undefined where neither it nor the drawing says. */
  readonly capacityW: number | undefined
}

/** What a source has to carry when another is lost: two that stand in for each other. */
export interface Takeover {
  readonly lost: string
  readonly survivor: string
  /** What both carry now. */
  readonly loadW: number
  readonly capacityW: number
  /** near: more than 80 %. */
  readonly kind: 'overload' | 'near'
  /** Services that go on without the one, and stop without both. */
  readonly services: readonly string[]
}

/**
 * Whether what is measured at two sources can be carried by one of them. Asked only where the drawing says that whatever hangs on the one
 * moves to the other when it is lost, all of it: of a part nobody measured how much it is.
 */
export class Survivors {
  readonly #model: Model
  readonly #drawn: Families
  readonly #loads: Loads
  /** By what is lost: who takes over all of it. */
  readonly #takers = new Map<string, ReadonlySet<string>>()
  readonly #services = new Map<string, readonly string[]>()

  constructor(model: Model) {
    this.#model = model
    this.#drawn = new Families(model, 1).workOut()
    this.#loads = new Loads(model, hangingWatts)
  }

  /** @param measured by id */
  find(measured: ReadonlyMap<string, MeasuredLoad>): readonly Takeover[] {
    const sources = [...measured].slice(0, MAX_SOURCES)
    return sources.flatMap(([lost, { loadW: ofLost }]) =>
      sources.flatMap(([survivor, { loadW: ofSurvivor, capacityW }]): readonly Takeover[] => {
        if (lost === survivor || capacityW === undefined) return []
        const loadW = ofLost + ofSurvivor
        if (loadW <= WARN_RATIO * capacityW || !this.#takersOf(lost).has(survivor)) return []
        const services = this.#servicesOf(lost, survivor)
        if (services.length === 0) return []
        const kind = loadW > capacityW ? 'overload' : 'near'
        return [{ lost, survivor, loadW, capacityW, kind, services }]
      }),
    )
  }

  #takersOf(lost: string): ReadonlySet<string> {
    const known = this.#takers.get(lost)
    if (known !== undefined) return known
    const takers = new Set(this.#findTakers(lost))
    this.#takers.set(lost, takers)
    return takers
  }

  #findTakers(lost: string): readonly string[] {
    const index = this.#model.indexOf.get(lost)
    const hanging = index === undefined ? 0 : this.#loads.of(index)
    if (index === undefined || hanging === 0) return []
    const families = new Families(this.#model, 1, { failed: new Set([index]) }, this.#drawn)
    const changed = new Set([index])
    for (const one of changed)
      for (const above of this.#model.components[one]?.above ?? []) changed.add(above)
    const load = this.#loads.under((one) => families.of(one).isDown, changed)
    return this.#model.components.flatMap(({ component }, at) => {
      const taken = load(at) - this.#loads.of(at)
      return taken >= hanging - ROUNDING * hanging ? [component.id] : []
    })
  }

  #servicesOf(lost: string, survivor: string): readonly string[] {
    const key = `${lost}\n${survivor}`
    const known = this.#services.get(key)
    if (known !== undefined) return known
    const { indexOf, services } = this.#model
    const without = (...ids: readonly string[]): Families => {
      const failed = new Set(ids.flatMap((id) => indexOf.get(id) ?? []))
      return new Families(this.#model, 1, { failed }, this.#drawn)
    }
    const [one, both] = [without(lost), without(lost, survivor)]
    const found = services.flatMap(({ id }, at) =>
      both.ofService(at).isDown && !one.ofService(at).isDown ? [id] : [],
    )
    this.#services.set(key, found)
    return found
  }
}
