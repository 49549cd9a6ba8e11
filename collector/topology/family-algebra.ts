import {
  containsPair,
  DOWN,
  Draft,
  has,
  isEmpty,
  neighbours,
  NEVER,
  pairCode,
  upTo,
  type Codes,
  type Family,
  type Order,
} from './family.ts'
import { reachThreshold } from './threshold.ts'

/** Sets of one size in a family beyond which that size is left out, and the family marked as exact to the size below. */
const MAX_SETS = 200_000
/** So many times that may be gathered from parts that have sets in common. */
const GATHERED = 16

/** Marks of elements while two families are joined. */
const IN_ONE = 1
const IN_OTHER = 2
const BESIDE = 4

/**
 * What can bring down something that is made of others. Truncation is exact: a minimal set of up to k failures only comes from sets of up
 * to k. Works on elements 0..n-1; the families it is given do not change.
 */
export class FamilyAlgebra {
  readonly #n: number
  readonly #order: Order
  readonly #maxSets: number
  /** Of each element, while something is worked out; all zero in between. */
  readonly #marks: Uint8Array

  constructor(elements: number, order: Order, maxSets = MAX_SETS) {
    this.#n = elements
    this.#order = order
    this.#maxSets = maxSets
    this.#marks = new Uint8Array(elements)
  }

  /** Something that can fail by itself too. Its own failure is in none of the sets of what it needs, so these are shared, not copied. */
  withOwn(element: number, family: Family): Family {
    if (family.isDown) return DOWN
    const { singles } = family
    const longer = new Float64Array(singles.length + 1)
    let at = 0
    for (; at < singles.length && (singles[at] ?? 0) < element; at++) longer[at] = singles[at] ?? 0
    longer[at] = element
    longer.set(singles.subarray(at), at + 1)
    return { ...family, singles: longer }
  }

  /** Down when one of them is: all were needed. */
  anyDown(families: readonly Family[]): Family {
    if (families.some(({ isDown }) => isDown)) return DOWN
    const parts = families.filter((family) => !isEmpty(family))
    const exactTo = this.#exactTo(families)
    const [first = NEVER] = parts
    if (parts.length < 2) return upTo(first, exactTo)
    const draft = new Draft(this.#n, exactTo, this.#maxSets)
    const marks = this.#marks
    for (const { singles } of parts) {
      for (const element of singles) {
        if (marks[element] === 0) draft.singles.push(element)
        marks[element] = IN_ONE
      }
    }
    this.#gather(2, parts, draft)
    this.#gather(3, parts, draft)
    for (const element of draft.singles) marks[element] = 0
    return this.#minimal(draft, parts)
  }

  /** Down when all of them are: any was enough. */
  allDown(families: readonly Family[]): Family {
    return families.reduce((product, family) => this.#bothDown(product, family), DOWN)
  }

  /** Down when at least `m` of them are. */
  atLeastDown(m: number, families: readonly Family[]): Family {
    const standing = families.filter(({ isDown }) => !isDown)
    const missing = m - (families.length - standing.length)
    if (missing <= 0) return DOWN
    if (missing > standing.length) return NEVER
    if (missing === 1) return this.anyDown(standing)
    if (missing === standing.length) return this.allDown(standing)
    const draft = new Draft(this.#n, this.#exactTo(standing), this.#maxSets)
    reachThreshold(missing, standing, draft)
    return draft.family()
  }

  #exactTo(families: readonly Family[]): Order {
    return families.reduce<Order>(
      (least, { exactTo }) => (exactTo < least ? exactTo : least),
      this.#order,
    )
  }

  /** Pairs or triples of all parts that hold no marked element; a list that several parts share once. */
  #gather(order: 2 | 3, parts: readonly Family[], draft: Draft): void {
    const n = this.#n
    const marks = this.#marks
    const step = order === 2 ? n : n * n
    const kept = order === 2 ? draft.pairs : draft.triples
    for (const codes of new Set(parts.map(order === 2 ? pairsOf : triplesOf))) {
      if (!draft.wants(order)) return
      for (const code of codes) {
        if (marks[Math.floor(code / step)] !== 0 || marks[code % n] !== 0) continue
        if (order === 2 || marks[Math.floor(code / n) % n] === 0) kept.push(code)
      }
      // Parts have much in common, so what is gathered may be more than what is left of it.
      if (kept.length > GATHERED * this.#maxSets) draft.giveUpPast(order === 2 ? 1 : 2)
    }
  }

  /** Triples that contain a pair of another part go. */
  #minimal(draft: Draft, parts: readonly Family[]): Family {
    const family = draft.family()
    const pairs = shared(family.pairs, parts.map(pairsOf))
    const triples = family.triples.filter((triple) => !containsPair(triple, pairs, this.#n))
    return { ...family, pairs, triples: shared(triples, parts.map(triplesOf)) }
  }

  /**
   * Every set of the product comes about in one way only, so nothing has to be compared with everything. Written for singles A, pairs AA,
   * triples AAA of the one family and B, BB, BBB of the other, where an A is in no AA, and no AA in an AAA:
   * - singles: those in A and B; A and B are then without them;
   * - pairs: A with B; AA that hold a B or are a BB; BB that hold an A. AA and BB are then without them;
   * - triples: A with BB, B with AA; AA with BB that have one in common; AAA that hold a B or BB or are a BBB; BBB that hold an A or AA.
   */
  #bothDown(one: Family, other: Family): Family {
    if (one.isDown) return other
    if (other.isDown) return one
    const draft = new Draft(this.#n, this.#exactTo([one, other]), this.#maxSets)
    const marks = this.#marks
    for (const element of one.singles) marks[element] = IN_ONE
    for (const element of other.singles) marks[element] = (marks[element] ?? 0) | IN_OTHER
    for (const element of one.singles)
      if (marks[element] === (IN_ONE | IN_OTHER)) draft.singles.push(element)
    if (draft.wants(2)) this.#joinPairs(one, other, draft)
    for (const element of one.singles) marks[element] = 0
    for (const element of other.singles) marks[element] = 0
    return draft.family()
  }

  #joinPairs(one: Family, other: Family, draft: Draft): void {
    const marks = this.#marks
    const onlyOne = one.singles.filter((element) => marks[element] === IN_ONE)
    const onlyOther = other.singles.filter((element) => marks[element] === IN_OTHER)
    for (const a of onlyOne) {
      for (const b of onlyOther) draft.addPair(a, b)
      if (!draft.wants(2)) return
    }
    const left = this.#sort(one.pairs, IN_OTHER, other.pairs, draft)
    const otherLeft = this.#sort(other.pairs, IN_ONE, one.pairs, draft)
    if (!draft.wants(3)) return
    this.#joinTriples(onlyOne, otherLeft, draft)
    this.#joinTriples(onlyOther, left, draft)
    this.#joinAtOneElement(left.pairs, otherLeft.pairs, one, other, draft)
    this.#keepTriplesDown(one, other, draft)
  }

  /** Pairs that bring down the other family too, into the draft; the rest is left for triples. */
  #sort(pairs: Codes, mark: number, others: Codes, draft: Draft): Left {
    const n = this.#n
    const marks = this.#marks
    const left: number[] = []
    const holding: number[] = []
    for (const pair of pairs) {
      const second = pair % n
      const first = (pair - second) / n
      if (marks[first] === mark || marks[second] === mark) holding.push(pair)
      else if (!has(others, pair)) left.push(pair)
      else if (mark === IN_OTHER) draft.pairs.push(pair)
    }
    for (const pair of holding) draft.pairs.push(pair)
    return { pairs: left, holding }
  }

  /** A with BB: not where A and one of the two are a BB, which is a pair of the product already. */
  #joinTriples(singles: Codes, { pairs, holding }: Left, draft: Draft): void {
    const n = this.#n
    const marks = this.#marks
    const beside = neighbours(holding, n)
    for (const a of singles) {
      const excluded = beside.get(a) ?? []
      for (const element of excluded) marks[element] = (marks[element] ?? 0) | BESIDE
      for (const pair of pairs) {
        const c = pair % n
        const b = (pair - c) / n
        if (((marks[b] ?? 0) | (marks[c] ?? 0)) < BESIDE) draft.addTriple(a, b, c)
      }
      for (const element of excluded) marks[element] = (marks[element] ?? 0) & ~BESIDE
      if (!draft.wants(3)) return
    }
  }

  #joinAtOneElement(
    left: readonly number[],
    otherLeft: readonly number[],
    one: Family,
    other: Family,
    draft: Draft,
  ): void {
    const n = this.#n
    const beside = neighbours(otherLeft, n)
    const isPair = (a: number, b: number): boolean => {
      const pair = pairCode(a, b, n)
      return has(one.pairs, pair) && has(other.pairs, pair)
    }
    for (const pair of left) {
      if (!draft.wants(3)) return
      const b = pair % n
      const a = (pair - b) / n
      for (const c of beside.get(a) ?? []) if (!isPair(b, c)) draft.addTriple(a, b, c)
      for (const c of beside.get(b) ?? []) if (!isPair(a, c)) draft.addTriple(a, b, c)
    }
  }

  #keepTriplesDown(one: Family, other: Family, draft: Draft): void {
    const n = this.#n
    for (const triple of one.triples)
      if (
        this.#holds(triple, IN_OTHER) ||
        containsPair(triple, other.pairs, n) ||
        has(other.triples, triple)
      )
        draft.triples.push(triple)
    for (const triple of other.triples)
      if (this.#holds(triple, IN_ONE) || containsPair(triple, one.pairs, n))
        draft.triples.push(triple)
  }

  #holds(triple: number, mark: number): boolean {
    const n = this.#n
    const marks = this.#marks
    const c = triple % n
    const pair = (triple - c) / n
    const b = pair % n
    return marks[c] === mark || marks[b] === mark || marks[(pair - b) / n] === mark
  }
}

/** Pairs of one family that do not bring down the other by themselves, and those that do for one of their two being a single there. */
interface Left {
  readonly pairs: readonly number[]
  readonly holding: readonly number[]
}

function pairsOf({ pairs }: Family): Codes {
  return pairs
}

function triplesOf({ triples }: Family): Codes {
  return triples
}

/** The list of a part that has the same codes, where there is one: kept in memory once. */
function shared(codes: Codes, lists: readonly Codes[]): Codes {
  const alike = lists.find(
    (list) => list.length === codes.length && list.every((code, at) => code === codes[at]),
  )
  return alike ?? codes
}
