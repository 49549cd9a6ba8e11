import type { Families } from './cut-sets.ts'
import { edgeCode } from './edge.ts'
import { has } from './family.ts'
import type { Model } from './model.ts'
import { kindOf, POWER, upsParts, type UpsParts } from './ups-parts.ts'

const TRANSFER_SWITCHES: ReadonlySet<string> = new Set(['ats', 'sts', 'transfer-switch'])

/** One way by which power comes into something. */
export interface PowerInput {
  /** Needs that are met by it: edgeCode() of each. */
  readonly edges: readonly number[]
  /** What these name, by index. */
  readonly feeds: readonly number[]
  /** What by its failure alone would take away the input, the nearest first. */
  readonly upstream: readonly number[]
}

/** What a UPS is fed by, and what carries it when that is lost: all that can be said of it from its own reading. */
export interface UpsInput extends UpsParts, PowerInput {}

/** By the index of each UPS. @param drawn of order 1 */
export function upsInputs(model: Model, drawn: Families): ReadonlyMap<number, UpsInput> {
  return new Map(
    [...upsParts(model)].map(([index, parts]) => [
      index,
      { ...parts, upstream: upstreamOf(model, parts.feeds, drawn) },
    ]),
  )
}

/** By the index of each transfer switch: one input for each thing that feeds it. @param drawn of order 1 */
export function switchInputs(
  model: Model,
  drawn: Families,
): ReadonlyMap<number, readonly PowerInput[]> {
  const inputs = new Map<number, readonly PowerInput[]>()
  for (const [index, { below }] of model.components.entries()) {
    if (!TRANSFER_SWITCHES.has(kindOf(model, index))) continue
    const feeds = below.filter((feed) => POWER.has(kindOf(model, feed)))
    inputs.set(
      index,
      feeds.map((feed) => ({
        edges: [edgeCode(model, index, feed)],
        feeds: [feed],
        upstream: upstreamOf(model, [feed], drawn),
      })),
    )
  }
  return inputs
}

/** Each of which alone takes away all feeds; the nearest first: what stands below another in the drawing is farther away. */
function upstreamOf(model: Model, feeds: readonly number[], drawn: Families): readonly number[] {
  const [first, ...rest] = feeds.map((feed) => drawn.of(feed).singles)
  if (first === undefined) return []
  return [...first]
    .filter((element) => rest.every((others) => has(others, element)))
    .sort((a, b) => (model.heights[b] ?? 0) - (model.heights[a] ?? 0) || a - b)
}
