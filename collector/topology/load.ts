import type { Component, Need } from './dependency.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'
import { POWER } from './ups-parts.ts'

/** Power that flows through these from what they feed to what feeds them. */
const CARRIERS: ReadonlySet<string> = new Set([
  ...POWER,
  ...['psu', 'inverter', 'rectifier', 'bypass', 'module', 'poe-injector'],
])
/** What has no other power is fed by these, over Ethernet. */
const POE: ReadonlySet<string> = new Set(['switch', 'poe'])
/** Carry nothing while anything else does. */
const STANDBY: ReadonlySet<string> = new Set(['generator', 'battery'])
/** Take from one source at a time: the first drawn that works. */
const ONE_AT_A_TIME: ReadonlySet<string> = new Set(['ats', 'sts', 'transfer-switch'])

/** Of all that a component stands for. */
export function modelWatts({ watts = 0, count = 1 }: Component): number {
  return watts * count
}

/**
 * What flows through each component, in watts, by index: what it draws itself and what it feeds. What is fed by several at once takes an
 * equal share from each that works.
 * @param isDown components that do not work: they draw nothing and feed nothing
 */
export function loads(model: Model, isDown: (index: number) => boolean): Float64Array {
  const load = new Float64Array(model.components.length)
  for (const index of model.bottomUp.toReversed()) {
    const entry = model.components[index]
    if (entry === undefined) continue
    if (isDown(index)) {
      load[index] = 0
      continue
    }
    load[index] = (load[index] ?? 0) + modelWatts(entry.component)
    const flow = load[index]
    if (flow > 0) share(model, index, flow, isDown, load)
  }
  return load
}

function share(
  model: Model,
  index: number,
  flow: number,
  isDown: (index: number) => boolean,
  load: Float64Array,
): void {
  const entry = model.components[index]
  if (entry === undefined) return
  const carries = (kinds: ReadonlySet<string>) => (one: number) =>
    !isDown(one) && kinds.has(kindOf(model, one))
  const isCarrier = entry.below.some(carries(CARRIERS)) ? carries(CARRIERS) : carries(POE)
  const preferred = ONE_AT_A_TIME.has(entry.component.kind)
    ? namedIn(entry.component.needs).flatMap((id) => model.indexOf.get(id) ?? [])
    : []
  const pour = (tree: Tree, amount: number): void => {
    if (tree.kind === 'component') {
      load[tree.index] = (load[tree.index] ?? 0) + amount
      return
    }
    const able = tree.children.filter(({ names }) => names.some(isCarrier))
    const isStandby = ({ names }: Tree): boolean =>
      names.filter(isCarrier).every((one) => STANDBY.has(kindOf(model, one)))
    const active = able.filter((child) => !isStandby(child))
    const chosen = tree.kind === 'any' && active.length > 0 ? active : able
    const [first] = preferred.flatMap((one) => chosen.filter(({ names }) => names.includes(one)))
    if (first !== undefined && tree.kind === 'any') pour(first, amount)
    else for (const child of chosen) pour(child, amount / chosen.length)
  }
  if (entry.needs.names.some(isCarrier)) pour(entry.needs, flow)
}

/** In the order in which they are drawn. */
function namedIn(needs: readonly Need[]): readonly string[] {
  return needs.flatMap((need): readonly string[] => {
    if (typeof need === 'string') return [need]
    if ('any' in need) return namedIn(need.any)
    if ('all' in need) return namedIn(need.all)
    return 'of' in need ? namedIn(need.of) : []
  })
}

function kindOf({ components }: Model, index: number): string {
  return components[index]?.component.kind ?? ''
}
