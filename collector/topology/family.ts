/**
 * Families of minimal sets of failures, up to three in a set: what can bring something down. Sets are numbers, so that a family is three
 * sorted lists: with n elements a pair {a, b} is a·n + b and a triple {a, b, c} is (a·n + b)·n + c, always with a < b < c. Exact up to
 * n = 200,000 (n³ < 2⁵³).
 */

export type Order = 1 | 2 | 3

/** Codes of sets of one size: ascending, each once. Never written to once it is part of a family: families share them. */
export type Codes = Float64Array

export interface Family {
  /** Down already, whatever else fails: the empty set. */
  readonly isDown: boolean
  readonly singles: Codes
  readonly pairs: Codes
  readonly triples: Codes
  /** All sets of up to so many are in it. Longer ones were too many, here or below, and are left out. */
  readonly exactTo: Order
}

const NONE: Codes = new Float64Array(0)

/** Cannot be brought down. */
export const NEVER: Family = {
  isDown: false,
  singles: NONE,
  pairs: NONE,
  triples: NONE,
  exactTo: 3,
}

export const DOWN: Family = { ...NEVER, isDown: true }

export function isEmpty({ singles, pairs, triples }: Family): boolean {
  return singles.length + pairs.length + triples.length === 0
}

/** Sets on their way into a family; where they become too many, the longest are given up. */
export class Draft {
  readonly singles: number[] = []
  readonly pairs: number[] = []
  readonly triples: number[] = []
  readonly n: number
  readonly #maxSets: number
  #exactTo: Order

  /** @param exactTo of whatever it is made of */
  constructor(n: number, exactTo: Order, maxSets: number) {
    this.n = n
    this.#exactTo = exactTo
    this.#maxSets = maxSets
  }

  wants(order: Order): boolean {
    return this.#exactTo >= order
  }

  /** Leaves out sets longer than this: too many, or too much work to find. */
  giveUpPast(order: Order): void {
    if (order < this.#exactTo) this.#exactTo = order
  }

  addPair(a: number, b: number): void {
    this.pairs.push(a < b ? a * this.n + b : b * this.n + a)
    if (this.pairs.length > this.#maxSets) this.giveUpPast(1)
  }

  addTriple(a: number, b: number, c: number): void {
    const low = Math.min(a, b, c)
    const high = Math.max(a, b, c)
    this.triples.push((low * this.n + (a + b + c - low - high)) * this.n + high)
    if (this.triples.length > this.#maxSets) this.giveUpPast(2)
  }

  /** What was added has to be minimal; a set may have been added twice. */
  family(): Family {
    const singles = ascending(this.singles)
    const pairs = this.wants(2) ? ascending(this.pairs) : NONE
    if (pairs.length > this.#maxSets) this.giveUpPast(1)
    const triples = this.wants(3) ? ascending(this.triples) : NONE
    if (triples.length > this.#maxSets) this.giveUpPast(2)
    return upTo({ isDown: false, singles, pairs, triples, exactTo: 3 }, this.#exactTo)
  }
}

/** Without the sets that are longer. */
export function upTo(family: Family, exactTo: Order): Family {
  if (family.exactTo === exactTo) return family
  return {
    ...family,
    pairs: exactTo < 2 ? NONE : family.pairs,
    triples: exactTo < 3 ? NONE : family.triples,
    exactTo,
  }
}

/** Without repetitions. */
function ascending(codes: readonly number[]): Codes {
  if (codes.length === 0) return NONE
  const sorted = new Float64Array(codes).sort()
  let length = 0
  let last = -1
  for (const code of sorted) {
    if (code === last) continue
    sorted[length++] = last = code
  }
  return length === sorted.length ? sorted : sorted.slice(0, length)
}

export function has(codes: Codes, code: number): boolean {
  let low = 0
  let high = codes.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const found = codes[middle] ?? code
    if (found === code) return true
    if (found < code) low = middle + 1
    else high = middle - 1
  }
  return false
}

export function pairCode(a: number, b: number, n: number): number {
  return a < b ? a * n + b : b * n + a
}

/** Whether a triple contains one of the pairs. */
export function containsPair(triple: number, pairs: Codes, n: number): boolean {
  if (pairs.length === 0) return false
  const c = triple % n
  const pair = (triple - c) / n
  const b = pair % n
  const a = (pair - b) / n
  return has(pairs, pair) || has(pairs, a * n + c) || has(pairs, b * n + c)
}

/** The elements each pair joins, by either of them. */
export function neighbours(
  pairs: Iterable<number>,
  n: number,
): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>()
  const put = (element: number, other: number): void => {
    const known = found.get(element)
    if (known === undefined) found.set(element, [other])
    else known.push(other)
  }
  for (const pair of pairs) {
    const b = pair % n
    const a = (pair - b) / n
    put(a, b)
    put(b, a)
  }
  return found
}

/** As lists of elements: the smallest sets first, then by their elements. */
export function listed(
  { isDown, singles, pairs, triples }: Family,
  n: number,
): readonly (readonly number[])[] {
  if (isDown) return [[]]
  const sets: number[][] = []
  for (const element of singles) sets.push([element])
  for (const pair of pairs) sets.push([Math.floor(pair / n), pair % n])
  for (const triple of triples) {
    const pair = Math.floor(triple / n)
    sets.push([Math.floor(pair / n), pair % n, triple % n])
  }
  return sets
}
