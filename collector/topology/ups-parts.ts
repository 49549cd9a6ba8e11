import { edgeCode, targetOf } from './edge.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

type Drawn = Pick<Model, 'components'>

/** What feeds these feeds the UPS. */
const PARTS: ReadonlySet<string> = new Set(['inverter', 'rectifier', 'bypass', 'module'])
const BATTERY = 'battery'

/** Kinds that give power. */
export const POWER: ReadonlySet<string> = new Set([
  ...['mains', 'generator', 'panel', 'breaker', 'feed', 'circuit', 'transformer'],
  ...['ats', 'sts', 'transfer-switch', 'ups', 'pdu', 'outlet'],
])

/** A UPS as it is drawn; by index. */
export interface UpsParts {
  /** Itself and its inverters, rectifiers, modules and bypasses. */
  readonly inside: ReadonlySet<number>
  /** None: they are not drawn, and the UPS stands for them. */
  readonly batteries: readonly number[]
  /** Inverters, rectifiers and modules: out of use while it is on bypass. */
  readonly inverters: readonly number[]
  /** Needs by which power comes in: edgeCode() of each. */
  readonly edges: readonly number[]
  /** What these name. */
  readonly feeds: readonly number[]
}

/** By the index of each UPS, in ascending order. A battery behind anything else makes that a UPS too, unless it is a part of one. */
export function upsParts(model: Drawn): ReadonlyMap<number, UpsParts> {
  const found = new Map<number, UpsParts>()
  const taken = new Set<number>()
  const isUps = (index: number): boolean => kindOf(model, index) === 'ups'
  const hasBattery = (index: number): boolean =>
    below(model, index).some((one) => kindOf(model, one) === BATTERY)
  const all = [...model.components.keys()]
  const owners = all.filter((index) => !isUps(index) && hasBattery(index))
  for (const index of [...all.filter(isUps), ...owners]) {
    if (taken.has(index)) continue
    const parts = partsOf(model, index)
    found.set(index, parts)
    for (const part of parts.inside) taken.add(part)
  }
  return new Map([...found].sort(([a], [b]) => a - b))
}

export function kindOf({ components }: Drawn, index: number): string {
  return components[index]?.component.kind ?? ''
}

function partsOf(model: Drawn, ups: number): UpsParts {
  const edges = new Set<number>()
  const batteries = new Set<number>()
  const inverters = new Set<number>()
  const inside = new Set([ups])
  for (const part of inside) {
    for (const what of below(model, part)) {
      const kind = kindOf(model, what)
      if (kind === BATTERY) batteries.add(what)
      else if (PARTS.has(kind)) {
        if (kind !== 'bypass') inverters.add(what)
        inside.add(what)
      } else if (part !== ups || isFeed(model, ups, what)) edges.add(edgeCode(model, part, what))
    }
  }
  const feeds = new Set([...edges].map((edge) => targetOf(model, edge)))
  return {
    inside,
    batteries: [...batteries],
    inverters: [...inverters],
    edges: [...edges],
    feeds: [...feeds],
  }
}

/**
 * A need of the UPS itself beside the choice between feed and battery is no feed: its room, its cooling. Where the UPS names no battery and
 * no parts, what gives power is its feed.
 */
function isFeed(model: Drawn, ups: number, what: number): boolean {
  const tree = model.components[ups]?.needs
  const choices = tree === undefined ? [] : choicesIn(tree)
  if (choices.length === 0) return POWER.has(kindOf(model, what))
  return choices.some(({ names }) => names.includes(what))
}

function choicesIn(tree: Tree): readonly Tree[] {
  if (tree.kind === 'component') return []
  return tree.kind === 'all' ? tree.children.flatMap(choicesIn) : [tree]
}

function below({ components }: Drawn, index: number): readonly number[] {
  return components[index]?.below ?? []
}
