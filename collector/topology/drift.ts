import type { Model } from './model.ts'

/** Things that fail within this have failed together. */
const TOGETHER_US = 10_000_000
/** Two may be chance. */
const FEWEST = 3

/** Something was seen to fail. */
export interface Death {
  readonly id: string
  readonly atUs: number
}

/** Things that died together and stand on nothing in common that is drawn and can be the cause: the drawing is not what is built. */
export interface Drift {
  readonly ids: readonly string[]
  /** What they do stand on together, and was seen to work after they died. */
  readonly well: readonly string[]
  readonly fromUs: number
  readonly toUs: number
}

/**
 * What failed by itself, together with others, without a cause in common under it. Deaths of what stood on something that died are none of
 * its own.
 * @param isWell whether something was seen to work after a time: that is no cause
 */
export function drift(
  model: Model,
  deaths: readonly Death[],
  isWell: (id: string, afterUs: number) => boolean = () => false,
): readonly Drift[] {
  const known = deaths
    .filter(({ id }) => model.indexOf.has(id))
    .toSorted((a, b) => a.atUs - b.atUs || (a.id < b.id ? -1 : 1))
  const found: Drift[] = []
  for (const group of together(known)) {
    const chains = new Map(group.map((death) => [death, chainOf(model, death.id)]))
    const ids = new Set(group.map(({ id }) => id))
    const own = group.filter((death) =>
      [...(chains.get(death) ?? [])].every((id) => id === death.id || !ids.has(id)),
    )
    if (own.length < FEWEST) continue
    const toUs = own.at(-1)?.atUs ?? 0
    const well = sharedBy(model, [...new Set(own.map(({ id }) => id))])
    if (!well.every((id) => isWell(id, toUs))) continue
    found.push({ ids: own.map(({ id }) => id).sort(), well, fromUs: own[0]?.atUs ?? 0, toUs })
  }
  return found
}

/** What all of them stand on, as drawn. */
export function sharedBy(model: Model, ids: readonly string[]): readonly string[] {
  const [first, ...others] = ids.map((id) => chainOf(model, id))
  return [...(first ?? [])].filter((id) => others.every((chain) => chain.has(id)))
}

/** Deaths of which the last is no later after the first than things die together. */
function together(deaths: readonly Death[]): readonly (readonly Death[])[] {
  const groups: Death[][] = []
  for (const death of deaths) {
    const group = groups.at(-1)
    if (group?.[0] !== undefined && death.atUs - group[0].atUs <= TOGETHER_US) group.push(death)
    else groups.push([death])
  }
  return groups
}

/** It and all it stands on. */
function chainOf(model: Model, id: string): ReadonlySet<string> {
  const index = model.indexOf.get(id)
  const reached = new Set(index === undefined ? [] : [index])
  for (const one of reached)
    for (const below of model.components[one]?.below ?? []) reached.add(below)
  return new Set([...reached].map((one) => model.components[one]?.component.id ?? ''))
}
