import { Families } from './cut-sets.ts'
import { loads } from './load.ts'
import type { Model } from './model.ts'

/** Of the capacity: more is told of. Breakers carry 80 % for good, and what is beyond leaves nothing to grow. */
const WARN_RATIO = 0.8
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
  const drawn = new Families(model, 1)
  const sources = [...model.components.entries()].flatMap(([index, { component }]) =>
    component.capacityW === undefined ? [] : [{ index, capacityW: component.capacityW }],
  )
  const asDrawn = overloadsOf(model, sources, drawn, undefined)
  const known = new Map(asDrawn.map(({ id, kind }) => [id, kind]))
  const overloads = [...asDrawn]
  const hidden: HiddenPoint[] = []
  for (const { index } of sources) {
    const lost = idOf(model, index)
    const failed = new Set([index])
    const first = new Families(model, 1, { failed }, drawn)
    // What is overloaded anyway is told of once.
    const isNews = ({ id, kind }: Overload): boolean =>
      known.get(id) !== 'overload' && known.get(id) !== kind
    overloads.push(...overloadsOf(model, sources, first, lost).filter(isNews))
    const trips: string[] = []
    let families = first
    for (let trip = 0; trip < MAX_TRIPS; trip++) {
      const worst = overloadsOf(model, sources, families, lost)
        .filter((one) => one.kind === 'overload' && isNews(one))
        .sort((a, b) => b.loadW / b.capacityW - a.loadW / a.capacityW)[0]
      if (worst === undefined) break
      trips.push(worst.id)
      const tripped = model.indexOf.get(worst.id)
      if (tripped !== undefined) failed.add(tripped)
      families = new Families(model, 1, { failed: new Set(failed) }, drawn)
    }
    const services = model.services.flatMap(({ id }, at) =>
      families.ofService(at).isDown && !first.ofService(at).isDown ? [id] : [],
    )
    if (services.length > 0) hidden.push({ id: lost, trips, services })
  }
  return { overloads, hidden }
}

function overloadsOf(
  model: Model,
  sources: readonly { readonly index: number; readonly capacityW: number }[],
  families: Families,
  lost: string | undefined,
): readonly Overload[] {
  const load = loads(model, (index) => families.of(index).isDown)
  return sources.flatMap(({ index, capacityW }) => {
    const loadW = load[index] ?? 0
    if (loadW <= WARN_RATIO * capacityW) return []
    const kind = loadW > capacityW ? 'overload' : 'near'
    return [{ id: idOf(model, index), lost, loadW, capacityW, kind }]
  })
}

function idOf(model: Model, index: number): string {
  return model.components[index]?.component.id ?? ''
}
