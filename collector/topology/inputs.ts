import { edgeCode, Families } from './cut-sets.ts'
import { has } from './family.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

/** Parts of a UPS: what feeds these feeds the UPS. */
const PARTS: ReadonlySet<string> = new Set(['inverter', 'rectifier', 'bypass', 'module'])
const TRANSFER_SWITCHES: ReadonlySet<string> = new Set(['ats', 'sts', 'transfer-switch'])
const BATTERY = 'battery'

/** Kinds that give power. */
export const POWER: ReadonlySet<string> = new Set([
  ...['mains', 'generator', 'panel', 'breaker', 'feed', 'circuit', 'transformer'],
  ...['ats', 'sts', 'transfer-switch', 'ups', 'pdu', 'outlet'],
])

/** One way by which power comes into something. */
export interface PowerInput {
  /** Needs that are met by it: edgeCode() of each. */
  readonly edges: readonly number[]
  /** What is outside, by index. */
  readonly feeds: readonly number[]
  /** What by its failure alone would take away the input, the nearest first. */
  readonly upstream: readonly number[]
}

/** What a UPS is fed by, and what carries it when that is lost: all that can be said of it from its own reading. */
export interface UpsInput extends PowerInput {
  /** By index. None: they are not drawn, and the UPS stands for them. */
  readonly batteries: readonly number[]
  /** Inverters, rectifiers and modules: out of use while it is on bypass. */
  readonly inverters: readonly number[]
}

/** By the index of each UPS, in ascending order. */
export function upsInputs(model: Model, drawn: Families): ReadonlyMap<number, UpsInput> {
  const inputs = new Map<number, UpsInput>()
  const parts = new Set<number>()
  const isUps = (index: number): boolean => kindOf(model, index) === 'ups'
  // A battery behind anything else makes that a UPS, unless it is a part of one.
  const owners = [...model.components.keys()].filter(
    (index) => !isUps(index) && below(model, index).some((one) => kindOf(model, one) === BATTERY),
  )
  for (const index of [...[...model.components.keys()].filter(isUps), ...owners]) {
    if (parts.has(index)) continue
    const { input, inside } = inputOfUps(model, index, drawn)
    inputs.set(index, input)
    for (const part of inside) parts.add(part)
  }
  return new Map([...inputs].sort(([a], [b]) => a - b))
}

/** By the index of each transfer switch: one input for each thing that feeds it. */
export function switchInputs(
  model: Model,
  drawn: Families,
): ReadonlyMap<number, readonly PowerInput[]> {
  const inputs = new Map<number, readonly PowerInput[]>()
  for (const index of model.components.keys()) {
    if (!TRANSFER_SWITCHES.has(kindOf(model, index))) continue
    const feeds = below(model, index).filter((feed) => POWER.has(kindOf(model, feed)))
    inputs.set(
      index,
      feeds.map((feed) => inputFrom(model, new Set([edgeCode(model, index, feed)]), drawn)),
    )
  }
  return inputs
}

function inputOfUps(
  model: Model,
  ups: number,
  drawn: Families,
): { readonly input: UpsInput; readonly inside: ReadonlySet<number> } {
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
  const input = inputFrom(model, edges, drawn)
  return { input: { ...input, batteries: [...batteries], inverters: [...inverters] }, inside }
}

/**
 * A need of the UPS itself beside the choice between feed and battery is no feed: its room, its cooling. Where the UPS names no battery and
 * no parts, what gives power is its feed.
 */
function isFeed(model: Model, ups: number, what: number): boolean {
  const tree = model.components[ups]?.needs
  const choices = tree === undefined ? [] : choicesIn(tree)
  if (choices.length === 0) return POWER.has(kindOf(model, what))
  return choices.some(({ names }) => names.includes(what))
}

function choicesIn(tree: Tree): readonly Tree[] {
  if (tree.kind === 'component') return []
  return tree.kind === 'all' ? tree.children.flatMap(choicesIn) : [tree]
}

function inputFrom(model: Model, edges: ReadonlySet<number>, drawn: Families): PowerInput {
  const feeds = [...new Set([...edges].map((edge) => edge % model.components.length))]
  return { edges: [...edges], feeds, upstream: upstreamOf(model, feeds, drawn) }
}

/** Each of which alone takes away all feeds; the nearest first: what stands below another in the drawing is farther away. */
function upstreamOf(model: Model, feeds: readonly number[], drawn: Families): readonly number[] {
  const [first, ...rest] = feeds.map((feed) => drawn.of(feed).singles)
  if (first === undefined) return []
  return [...first]
    .filter((element) => rest.every((others) => has(others, element)))
    .sort((a, b) => (model.heights[b] ?? 0) - (model.heights[a] ?? 0) || a - b)
}

function below(model: Model, index: number): readonly number[] {
  return model.components[index]?.below ?? []
}

function kindOf(model: Model, index: number): string {
  return model.components[index]?.component.kind ?? ''
}
