import { Families } from './cut-sets.ts'
import { drawnFamilies } from './drawn.ts'
import { Loads } from './load.ts'
import type { Model } from './model.ts'

/** Of the capacity: more is told of. Breakers carry 80 % for good, and what is beyond leaves nothing to grow. */
const WARN_RATIO = 0.8
/** Loads are told to so many parts of a watt: sums of shares differ by less. */
const PARTS_OF_W = 1e6
/** Sources that trip one after another. */
const MAX_TRIPS = 20

/** What carries more than it can, or nearly. */
export interface Overload {
  /** What carries too much. */
  readonly id: string
  /** What is lost meanwhile; undefined: nothing, it is so as drawn. */
  readonly lost: string | undefined
  readonly loadW: number
  readonly capacityW: number
  /** near: more than 80 %. */
  readonly kind: 'overload' | 'near'
}

/** A component that is a single point although another is drawn beside it: the other cannot carry both. */
export interface HiddenPoint {
  readonly id: string
  /** What trips when it is lost, in order. */
  readonly trips: readonly string[]
  readonly services: readonly string[]
}

export interface Capacity {
  readonly overloads: readonly Overload[]
  /** Redundancy that is none: the survivor trips. */
  readonly hidden: readonly HiddenPoint[]
}

/** Whether what is left can carry what it has to, when each source is lost that says what it can carry. */
export function capacity(model: Model): Capacity {
  return new CapacityCheck(model).check()
}

interface Source {
  readonly index: number
  readonly id: string
  readonly capacityW: number
}

class CapacityCheck {
  readonly #model: Model
  readonly #drawn: Families
  readonly #loads: Loads
  readonly #sources: readonly Source[]
  /** Overloads as drawn: they are told of once. */
  readonly #known: ReadonlyMap<string, Overload['kind']>

  constructor(model: Model) {
    this.#model = model
    this.#drawn = drawnFamilies(model, 1)
    this.#loads = new Loads(model)
    this.#sources = [...model.components.entries()].flatMap(([index, { component }]) => {
      const { id, capacityW } = component
      return capacityW === undefined ? [] : [{ index, id, capacityW }]
    })
    this.#known = new Map(this.#asDrawn().map(({ id, kind }) => [id, kind]))
  }

  check(): Capacity {
    const overloads = [...this.#asDrawn()]
    const hidden: HiddenPoint[] = []
    for (const source of this.#sources) {
      const failed = new Set([source.index])
      const first = new Families(this.#model, 1, { failed: new Set(failed) }, this.#drawn)
      const found = this.#overloads(source, failed, first)
      overloads.push(...found)
      const trips: string[] = []
      let families = first
      let worst = worstOf(found)
      while (worst !== undefined && trips.length < MAX_TRIPS) {
        trips.push(worst.id)
        failed.add(this.#model.indexOf.get(worst.id) ?? source.index)
        families = new Families(this.#model, 1, { failed: new Set(failed) }, families)
        worst = worstOf(this.#overloads(source, failed, families))
      }
      if (trips.length === 0) continue
      const services = this.#model.services.flatMap(({ id }, at) =>
        families.ofService(at).isDown && !first.ofService(at).isDown ? [id] : [],
      )
      if (services.length > 0) hidden.push({ id: source.id, trips, services })
    }
    return { overloads, hidden }
  }

  #asDrawn(): readonly Overload[] {
    return this.#sources.flatMap((source) => {
      const overload = overloadOf(source, this.#loads.of(source.index), undefined)
      return overload === undefined ? [] : [overload]
    })
  }

  #overloads(lost: Source, failed: ReadonlySet<number>, families: Families): readonly Overload[] {
    const changed = new Set(failed)
    for (const index of changed)
      for (const above of this.#model.components[index]?.above ?? []) changed.add(above)
    const load = this.#loads.under((index) => families.of(index).isDown, changed)
    return this.#sources.flatMap((source) => {
      const overload = overloadOf(source, load(source.index), lost.id)
      const known = this.#known.get(source.id)
      const isNews = known !== 'overload' && known !== overload?.kind
      return overload === undefined || !isNews ? [] : [overload]
    })
  }
}

function overloadOf(
  { id, capacityW }: Source,
  flowW: number,
  lost: string | undefined,
): Overload | undefined {
  const loadW = Math.round(flowW * PARTS_OF_W) / PARTS_OF_W
  if (loadW <= WARN_RATIO * capacityW) return undefined
  return { id, lost, loadW, capacityW, kind: loadW > capacityW ? 'overload' : 'near' }
}

/** What is farthest over what it can carry trips first. */
function worstOf(overloads: readonly Overload[]): Overload | undefined {
  return overloads
    .filter(({ kind }) => kind === 'overload')
    .sort((a, b) => b.loadW / b.capacityW - a.loadW / a.capacityW)[0]
}
