/**
 * Families of minimal sets of failures, up to three in a set: what can bring something down. Sets are numbers, so that looking one up
 * costs nothing: with n elements a pair {a, b} is a·n + b and a triple {a, b, c} is (a·n + b)·n + c, always with a < b < c. Exact up to
 * n = 200,000 (n³ < 2⁵³).
 */

/** Sets in a family beyond which its triples, then its pairs, are left out and the family is marked truncated. */
const MAX_SETS = 200_000

export type Order = 1 | 2 | 3

export interface Family {
  /** Down already, whatever else fails: the empty set. */
  readonly isDown: boolean
  readonly singles: ReadonlySet<number>
  readonly pairs: ReadonlySet<number>
  readonly triples: ReadonlySet<number>
  /** Sets of its highest orders were left out somewhere below. */
  readonly isTruncated: boolean
}

const NO_SETS: ReadonlySet<number> = new Set()

/** Cannot be brought down. */
export const NEVER: Family = {
  isDown: false,
  singles: NO_SETS,
  pairs: NO_SETS,
  triples: NO_SETS,
  isTruncated: false,
}

export const DOWN: Family = { ...NEVER, isDown: true }

/** Works on families of elements 0..n-1; nothing in it changes. */
export class FamilyAlgebra {
  readonly #n: number
  readonly #order: Order
  readonly #maxSets: number

  constructor(elements: number, order: Order, maxSets = MAX_SETS) {
    this.#n = elements
    this.#order = order
    this.#maxSets = maxSets
  }

  single(element: number): Family {
    return { ...NEVER, singles: new Set([element]) }
  }

  /** Down when one of them is: all were needed. */
  anyDown(families: readonly Family[]): Family {
    const [first, second] = families
    if (first === undefined) return NEVER
    if (second === undefined) return first
    if (families.some(({ isDown }) => isDown)) return DOWN
    const isTruncated = families.some((family) => family.isTruncated)
    const draft = new Draft(this.#n)
    for (const { singles, pairs, triples } of families) {
      for (const set of singles) draft.singles.add(set)
      for (const set of pairs) draft.pairs.add(set)
      for (const set of triples) draft.triples.add(set)
    }
    return this.#finish(draft, isTruncated)
  }

  /** Down when all of them are: any was enough. */
  allDown(families: readonly Family[]): Family {
    const [first, ...rest] = families
    if (first === undefined) return DOWN
    return rest.reduce((product, family) => this.#bothDown(product, family), first)
  }

  /** Down when at least `m` of them are. What is found costs nothing to list: nothing is expanded. */
  atLeastDown(m: number, families: readonly Family[]): Family {
    const standing = families.filter(({ isDown }) => !isDown)
    const missing = m - (families.length - standing.length)
    if (missing <= 0) return DOWN
    if (missing > standing.length) return NEVER
    if (missing === 1) return this.anyDown(standing)
    if (missing === standing.length) return this.allDown(standing)
    const isTruncated = standing.some((family) => family.isTruncated)
    return this.#finish(this.#threshold(missing, standing), isTruncated)
  }

  /** The sets as sorted lists of elements, the smallest first, then by their elements. */
  list({ isDown, singles, pairs, triples }: Family): readonly (readonly number[])[] {
    if (isDown) return [[]]
    const n = this.#n
    const sorted = (sets: ReadonlySet<number>): number[] => [...sets].sort((a, b) => a - b)
    return [
      ...sorted(singles).map((a) => [a]),
      ...sorted(pairs).map((pair) => [Math.floor(pair / n), pair % n]),
      ...sorted(triples).map((triple) => {
        const pair = Math.floor(triple / n)
        return [Math.floor(pair / n), pair % n, triple % n]
      }),
    ]
  }

  #bothDown(one: Family, other: Family): Family {
    if (one.isDown) return other
    if (other.isDown) return one
    if (isEmpty(one) || isEmpty(other))
      return one.isTruncated || other.isTruncated ? { ...NEVER, isTruncated: true } : NEVER
    const n = this.#n
    const draft = new Draft(n)
    const isTruncated = one.isTruncated || other.isTruncated
    // What brings down one and contains what brings down the other brings down both.
    this.#keepThoseDown(draft, one, other)
    this.#keepThoseDown(draft, other, one)
    if (this.#order < 2) return this.#finish(draft, isTruncated)
    for (const a of one.singles) for (const b of other.singles) if (a !== b) draft.addPair(a, b)
    if (this.#order < 3) return this.#finish(draft, isTruncated)
    this.#joinSinglesAndPairs(draft, one, other)
    this.#joinSinglesAndPairs(draft, other, one)
    const byElement = pairsByElement(other.pairs, n)
    for (const pair of one.pairs) {
      const [a, b] = [Math.floor(pair / n), pair % n]
      for (const c of byElement.get(a) ?? []) if (c !== b) draft.addTriple(a, b, c)
      for (const c of byElement.get(b) ?? []) if (c !== a) draft.addTriple(a, b, c)
      if (draft.triples.size > this.#maxSets) break
    }
    return this.#finish(draft, isTruncated)
  }

  #keepThoseDown(draft: Draft, one: Family, other: Family): void {
    const n = this.#n
    for (const a of one.singles) if (other.singles.has(a)) draft.singles.add(a)
    for (const pair of one.pairs) if (bringsPairDown(pair, other, n)) draft.pairs.add(pair)
    for (const triple of one.triples)
      if (bringsTripleDown(triple, other, n)) draft.triples.add(triple)
  }

  #joinSinglesAndPairs(draft: Draft, singles: Family, pairs: Family): void {
    const n = this.#n
    for (const c of singles.singles) {
      // Contained in what is down already: no minimal set is made of it.
      if (draft.singles.has(c)) continue
      for (const pair of pairs.pairs) {
        const [a, b] = [Math.floor(pair / n), pair % n]
        if (a !== c && b !== c) draft.addTriple(a, b, c)
      }
      if (draft.triples.size > this.#maxSets) break
    }
  }

  /**
   * For each element, the children it brings down alone, as a bit set; then sets of elements in order of how many they bring down, cut
   * off where even the largest counts left do not reach m. Children's own pairs and triples bring down what their elements do not, and
   * are tried one by one.
   */
  #threshold(m: number, families: readonly Family[]): Draft {
    const n = this.#n
    const draft = new Draft(n)
    const table = new BringsDown(families, n)
    for (const element of table.elements)
      if (table.countOf(table.maskOf(element)) >= m) draft.singles.add(element)
    if (this.#order < 2) return draft
    const ranked = table.elements
      .filter((element) => !draft.singles.has(element))
      .map((element) => ({ element, mask: table.maskOf(element) }))
      .map((entry) => ({ ...entry, count: table.countOf(entry.mask) }))
      .sort((x, y) => y.count - x.count || x.element - y.element)
    for (const [at, { element: a, mask, count }] of ranked.entries()) {
      for (let next = at + 1; next < ranked.length; next++) {
        const other = ranked[next]
        if (other === undefined || count + other.count < m) break
        if (table.countOfUnion(mask, other.mask) >= m) draft.addPair(a, other.element)
      }
    }
    for (const pair of table.pairs) {
      const [a, b] = [Math.floor(pair / n), pair % n]
      if (table.countOf(table.maskOfSet([a, b])) >= m) draft.pairs.add(pair)
    }
    if (this.#order < 3) return draft
    for (const [at, first] of ranked.entries()) {
      if (3 * first.count < m || draft.triples.size > this.#maxSets) break
      for (let next = at + 1; next < ranked.length; next++) {
        const second = ranked[next]
        if (second === undefined || first.count + 2 * second.count < m) break
        if (draft.pairs.has(codeOf(first.element, second.element, n))) continue
        const both = table.union(first.mask, second.mask)
        const reached = table.countOf(both)
        for (let last = next + 1; last < ranked.length; last++) {
          const third = ranked[last]
          if (third === undefined || reached + third.count < m) break
          if (table.countOfUnion(both, third.mask) >= m)
            draft.addTriple(first.element, second.element, third.element)
        }
      }
    }
    for (const pair of table.pairs) {
      if (draft.pairs.has(pair) || draft.triples.size > this.#maxSets) continue
      const [a, b] = [Math.floor(pair / n), pair % n]
      if (draft.singles.has(a) || draft.singles.has(b)) continue
      for (const c of table.everything) {
        if (c === a || c === b || draft.singles.has(c)) continue
        if (table.countOf(table.maskOfSet([a, b, c])) >= m) draft.addTriple(a, b, c)
      }
    }
    for (const triple of table.triples) {
      const pair = Math.floor(triple / n)
      const set = [Math.floor(pair / n), pair % n, triple % n]
      if (table.countOf(table.maskOfSet(set)) >= m) draft.triples.add(triple)
    }
    return draft
  }

  /** Takes out what contains a smaller set, and what is too much. */
  #finish(draft: Draft, isTruncated: boolean): Family {
    const n = this.#n
    const { singles } = draft
    const pairs = new Set<number>()
    for (const pair of draft.pairs)
      if (!singles.has(Math.floor(pair / n)) && !singles.has(pair % n)) pairs.add(pair)
    const smaller = { singles, pairs }
    const triples = new Set<number>()
    for (const triple of draft.triples)
      if (!containsSmaller(triple, smaller, n)) triples.add(triple)
    const size = singles.size + pairs.size
    if (size + triples.size <= this.#maxSets)
      return { isDown: false, singles, pairs, triples, isTruncated }
    const keepsPairs = size <= this.#maxSets
    return {
      isDown: false,
      singles,
      pairs: keepsPairs ? pairs : NO_SETS,
      triples: NO_SETS,
      isTruncated: true,
    }
  }
}

/** Sets on their way to a family: not minimal yet. */
class Draft {
  readonly singles = new Set<number>()
  readonly pairs = new Set<number>()
  readonly triples = new Set<number>()
  readonly #n: number

  constructor(n: number) {
    this.#n = n
  }

  addPair(a: number, b: number): void {
    this.pairs.add(codeOf(a, b, this.#n))
  }

  addTriple(a: number, b: number, c: number): void {
    const low = Math.min(a, b, c)
    const high = Math.max(a, b, c)
    this.triples.add((low * this.#n + (a + b + c - low - high)) * this.#n + high)
  }
}

type Mask = Uint32Array
const WORD_BITS = 32

/** Which of the children each element, pair and triple brings down. */
class BringsDown {
  readonly elements: readonly number[]
  readonly pairs: readonly number[]
  readonly triples: readonly number[]
  /** Elements alone or in a pair. */
  readonly everything: readonly number[]
  readonly #masks: ReadonlyMap<number, Mask>
  readonly #pairMasks: ReadonlyMap<number, Mask>
  readonly #tripleMasks: ReadonlyMap<number, Mask>
  readonly #none: Mask
  readonly #n: number

  constructor(families: readonly Family[], n: number) {
    const words = Math.ceil(families.length / WORD_BITS)
    this.#n = n
    this.#none = new Uint32Array(words)
    const tableOf = (setsOf: (family: Family) => ReadonlySet<number>): Map<number, Mask> => {
      const masks = new Map<number, Mask>()
      for (const [child, family] of families.entries()) {
        for (const set of setsOf(family)) {
          let mask = masks.get(set)
          if (mask === undefined) masks.set(set, (mask = new Uint32Array(words)))
          mask[child >>> 5] = (mask[child >>> 5] ?? 0) | (1 << (child & 31))
        }
      }
      return masks
    }
    this.#masks = tableOf(({ singles }) => singles)
    this.#pairMasks = tableOf(({ pairs }) => pairs)
    this.#tripleMasks = tableOf(({ triples }) => triples)
    this.elements = [...this.#masks.keys()]
    this.pairs = [...this.#pairMasks.keys()]
    this.triples = [...this.#tripleMasks.keys()]
    const inPairs = this.pairs.flatMap((pair) => [Math.floor(pair / n), pair % n])
    this.everything = [...new Set([...this.elements, ...inPairs])]
  }

  maskOf(element: number): Mask {
    return this.#masks.get(element) ?? this.#none
  }

  /** Of two or three elements together. */
  maskOfSet(elements: readonly number[]): Mask {
    const n = this.#n
    const [a = 0, b = 0, c] = [...elements].sort((x, y) => x - y)
    const masks = elements.map((element) => this.#masks.get(element))
    masks.push(this.#pairMasks.get(a * n + b))
    if (c !== undefined)
      masks.push(
        this.#pairMasks.get(a * n + c),
        this.#pairMasks.get(b * n + c),
        this.#tripleMasks.get((a * n + b) * n + c),
      )
    return masks.reduce<Mask>(
      (sum, mask) => (mask === undefined ? sum : this.union(sum, mask)),
      this.#none,
    )
  }

  union(one: Mask, other: Mask): Mask {
    return one.map((word, at) => word | (other[at] ?? 0))
  }

  countOf(mask: Mask): number {
    let count = 0
    for (const word of mask) count += bitsIn(word)
    return count
  }

  countOfUnion(one: Mask, other: Mask): number {
    let count = 0
    for (let at = 0; at < one.length; at++) count += bitsIn((one[at] ?? 0) | (other[at] ?? 0))
    return count
  }
}

function isEmpty({ singles, pairs, triples }: Family): boolean {
  return singles.size + pairs.size + triples.size === 0
}

function codeOf(a: number, b: number, n: number): number {
  return a < b ? a * n + b : b * n + a
}

function bringsPairDown(pair: number, family: Family, n: number): boolean {
  const { singles, pairs } = family
  return singles.has(Math.floor(pair / n)) || singles.has(pair % n) || pairs.has(pair)
}

function bringsTripleDown(triple: number, family: Family, n: number): boolean {
  return containsSmaller(triple, family, n) || family.triples.has(triple)
}

function containsSmaller(
  triple: number,
  { singles, pairs }: Pick<Family, 'singles' | 'pairs'>,
  n: number,
): boolean {
  const c = triple % n
  const pair = (triple - c) / n
  const b = pair % n
  const a = (pair - b) / n
  if (singles.has(a) || singles.has(b) || singles.has(c)) return true
  return pairs.size > 0 && (pairs.has(pair) || pairs.has(a * n + c) || pairs.has(b * n + c))
}

function pairsByElement(pairs: ReadonlySet<number>, n: number): ReadonlyMap<number, number[]> {
  const byElement = new Map<number, number[]>()
  const put = (element: number, other: number): void => {
    const known = byElement.get(element)
    if (known === undefined) byElement.set(element, [other])
    else known.push(other)
  }
  for (const pair of pairs) {
    put(Math.floor(pair / n), pair % n)
    put(pair % n, Math.floor(pair / n))
  }
  return byElement
}

/** Of 32 bits. */
function bitsIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
