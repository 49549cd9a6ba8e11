import { Families, edgeCode } from './cut-sets.ts'
import type { Model, Tree } from './model.ts'

/** Parts of a UPS: what feeds these feeds the UPS. */
const INSIDE: ReadonlySet<string> = new Set(['ups', 'inverter', 'rectifier', 'bypass', 'module'])
const BATTERY = 'battery'

/** What a UPS is fed by, and what carries it when that is lost: all that can be said of it from its own reading. */
export interface UpsInput {
  /** Needs between a part of the UPS and what is outside: edgeCode() of each. */
  readonly edges: readonly number[]
  /** What is outside, by index. */
  readonly feeds: readonly number[]
  /** Its batteries, by index. None: they are not drawn, and the UPS stands for them. */
  readonly batteries: readonly number[]
  /** Inverters and rectifiers: out of use while it is on bypass. */
  readonly inverters: readonly number[]
  /** What by its failure alone would take away the input, the nearest first. */
  readonly upstream: readonly number[]
}

/** By the index of each UPS. */
export function upsInputs(model: Model): ReadonlyMap<number, UpsInput> {
  const singles = new Families(model, 1)
  const inputs = new Map<number, UpsInput>()
  for (const [index, { component }] of model.components.entries())
    if (component.kind === 'ups') inputs.set(index, inputOfUps(model, index, singles))
  return inputs
}

function inputOfUps(model: Model, ups: number, singles: Families): UpsInput {
  const edges: number[] = []
  const feeds = new Set<number>()
  const batteries = new Set<number>()
  const inverters = new Set<number>()
  const seen = new Set([ups])
  // Another UPS in front of this one is a feed, not a part.
  const isInside = (index: number): boolean => INSIDE.has(kindOf(model, index))
  const isPart = (index: number): boolean => isInside(index) && kindOf(model, index) !== 'ups'
  for (const part of seen) {
    for (const below of model.components[part]?.below ?? []) {
      if (kindOf(model, below) === BATTERY) batteries.add(below)
      else if (isPart(below)) {
        if (kindOf(model, below) !== 'bypass') inverters.add(below)
        seen.add(below)
      } else if (isAlternative(model, part, below) || part !== ups) {
        edges.push(edgeCode(model, part, below))
        feeds.add(below)
      }
    }
  }
  return {
    edges,
    feeds: [...feeds],
    batteries: [...batteries],
    inverters: [...inverters],
    upstream: upstreamOf(model, [...feeds], singles),
  }
}

/**
 * A need of the UPS itself beside the choice between feed and battery is no feed: its room, its cooling. Where the UPS names no battery and
 * no parts, all it needs may be its feed.
 */
function isAlternative(model: Model, ups: number, what: number): boolean {
  const tree = model.components[ups]?.needs
  if (tree === undefined) return false
  const choices = choicesIn(tree)
  if (choices.length === 0) return POWER.has(kindOf(model, what))
  return choices.some((choice) => names(choice, what))
}

/** Kinds that give power. */
export const POWER: ReadonlySet<string> = new Set([
  'mains',
  'generator',
  'panel',
  'breaker',
  'feed',
  'circuit',
  'ats',
  'sts',
  'ups',
  'pdu',
  'outlet',
])

function choicesIn(tree: Tree): readonly Tree[] {
  if (tree.kind === 'component') return []
  if (tree.kind !== 'all') return [tree]
  return tree.children.flatMap(choicesIn)
}

function names(tree: Tree, what: number): boolean {
  return tree.kind === 'component'
    ? tree.index === what
    : tree.children.some((child) => names(child, what))
}

/** Each of which alone takes away all feeds; the nearest first: what stands below another in the drawing is farther away. */
function upstreamOf(model: Model, feeds: readonly number[], singles: Families): readonly number[] {
  const [first, ...rest] = feeds.map((feed) => singles.of(feed).singles)
  if (first === undefined) return []
  const place = new Map(model.bottomUp.map((index, at) => [index, at]))
  return [...first]
    .filter((element) => rest.every((others) => others.has(element)))
    .sort((a, b) => (place.get(b) ?? 0) - (place.get(a) ?? 0))
}

function kindOf(model: Model, index: number): string {
  return model.components[index]?.component.kind ?? ''
}
