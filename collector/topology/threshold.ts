import { neighbours, type Codes, type Draft, type Family, type Order } from './family.ts'

/** Unions of bit sets looked at before longer sets are given up: a second of work. */
const MAX_STEPS = 20_000_000
/** Words of bits in a table: 64 MiB. */
const MAX_WORDS = 16_777_216
const WORD_BITS = 32

/**
 * Sets that bring down at least `m` of the children, 1 < m < all, without expanding the choice: for each element a bit set of the children
 * it brings down alone, then sets of elements in order of how many that are, cut off where even the largest counts left do not reach m.
 * Pairs and triples of the children themselves bring down what their elements do not, and are tried one by one.
 */
export function reachThreshold(m: number, children: readonly Family[], draft: Draft): void {
  const search = new Search(m, new BringsDown(children, draft), draft)
  search.findSingles()
  if (draft.wants(2)) search.findPairs()
  if (draft.wants(3)) search.findTriples()
}

interface Ranked {
  readonly element: number
  readonly row: number
  readonly count: number
}

class Search {
  readonly #m: number
  readonly #table: BringsDown
  readonly #draft: Draft
  /** Elements that are enough alone; */
  readonly #enough = new Set<number>()
  /** and those that are not, by how many children they bring down. */
  readonly #ranked: Ranked[] = []
  /** Pairs that are enough. */
  readonly #pairs = new Set<number>()
  /** Pairs of children that are not. */
  readonly #short: number[] = []
  #steps = 0

  constructor(m: number, table: BringsDown, draft: Draft) {
    this.#m = m
    this.#table = table
    this.#draft = draft
  }

  findSingles(): void {
    const table = this.#table
    for (const element of table.elements) {
      const row = table.rowOf(element)
      const count = table.countOf(row)
      if (count < this.#m) this.#ranked.push({ element, row, count })
      else {
        this.#enough.add(element)
        this.#draft.singles.push(element)
      }
    }
    this.#ranked.sort((a, b) => b.count - a.count || a.element - b.element)
  }

  findPairs(): void {
    const m = this.#m
    const table = this.#table
    const ranked = this.#ranked
    for (const [at, one] of ranked.entries()) {
      if (2 * one.count < m) break
      for (let next = at + 1; next < ranked.length; next++) {
        const other = ranked[next]
        if (other === undefined || one.count + other.count < m) break
        if (table.countOfTwo(one.row, other.row) >= m) this.#addPair(one.element, other.element)
        if (this.#isTooMuch(1)) return
      }
    }
    for (const pair of table.pairs) {
      const [a, b] = [Math.floor(pair / table.n), pair % table.n]
      if (this.#enough.has(a) || this.#enough.has(b)) continue
      if (table.countOfPair(a, b) >= m) this.#addPair(a, b)
      else this.#short.push(pair)
    }
  }

  findTriples(): void {
    this.#findTriplesOfElements()
    this.#findTriplesWithPairs()
    const table = this.#table
    for (const triple of table.triples) {
      const pair = Math.floor(triple / table.n)
      const [a, b, c] = [Math.floor(pair / table.n), pair % table.n, triple % table.n]
      if (table.countOfTriple(a, b, c) >= this.#m) this.#addTriple(a, b, c)
    }
  }

  #findTriplesOfElements(): void {
    const m = this.#m
    const table = this.#table
    const ranked = this.#ranked
    for (const [at, first] of ranked.entries()) {
      if (3 * first.count < m) return
      for (let next = at + 1; next < ranked.length; next++) {
        const second = ranked[next]
        if (second === undefined || first.count + 2 * second.count < m) break
        const reached = table.countOfTwo(first.row, second.row)
        if (reached >= m) continue
        for (let last = next + 1; last < ranked.length; last++) {
          const third = ranked[last]
          if (third === undefined || reached + third.count < m) break
          if (table.countOfThree(first.row, second.row, third.row) >= m)
            this.#addTriple(first.element, second.element, third.element)
          if (this.#isTooMuch(2)) return
        }
      }
    }
  }

  /** A pair of a child with an element that adds enough: by itself, or by being a child's pair with one of the two. */
  #findTriplesWithPairs(): void {
    const m = this.#m
    const table = this.#table
    const beside = neighbours(table.pairs, table.n)
    for (const pair of this.#short) {
      const [a, b] = [Math.floor(pair / table.n), pair % table.n]
      const reached = table.countOfPair(a, b)
      for (const { element, count } of this.#ranked) {
        if (reached + count < m) break
        if (element !== a && element !== b && table.countOfTriple(a, b, element) >= m)
          this.#addTriple(a, b, element)
        if (this.#isTooMuch(2)) return
      }
      for (const end of [a, b]) {
        for (const c of beside.get(end) ?? []) {
          if (c !== a && c !== b && table.countOfTriple(a, b, c) >= m) this.#addTriple(a, b, c)
          if (this.#isTooMuch(2)) return
        }
      }
    }
  }

  #addPair(a: number, b: number): void {
    const code = this.#table.codeOf(a, b)
    if (this.#pairs.has(code)) return
    this.#pairs.add(code)
    this.#draft.addPair(a, b)
  }

  #addTriple(a: number, b: number, c: number): void {
    const enough = this.#enough
    if (enough.has(a) || enough.has(b) || enough.has(c)) return
    const isPair = (one: number, other: number): boolean =>
      this.#pairs.has(this.#table.codeOf(one, other))
    if (!isPair(a, b) && !isPair(a, c) && !isPair(b, c)) this.#draft.addTriple(a, b, c)
  }

  #isTooMuch(order: 1 | 2): boolean {
    if (++this.#steps > MAX_STEPS) this.#draft.giveUpPast(order)
    return order === 1 ? !this.#draft.wants(2) : !this.#draft.wants(3)
  }
}

/** Which of the children each element, pair and triple brings down: a row of bits each, row 0 for what brings down none. */
class BringsDown {
  readonly n: number
  readonly elements: readonly number[]
  readonly pairs: readonly number[]
  readonly triples: readonly number[]
  readonly #rows: readonly [
    singles: ReadonlyMap<number, number>,
    pairs: ReadonlyMap<number, number>,
    triples: ReadonlyMap<number, number>,
  ]
  readonly #words: number
  readonly #bits: Uint32Array

  /** @param draft told to do without pairs or triples where the table would become too large */
  constructor(children: readonly Family[], draft: Draft) {
    this.n = draft.n
    this.#words = Math.ceil(children.length / WORD_BITS)
    let rows = 1
    const rowsOf = (order: Order, codesOf: (child: Family) => Codes): Map<number, number> => {
      const found = new Map<number, number>()
      if (!draft.wants(order)) return found
      for (const child of children)
        for (const code of codesOf(child)) if (!found.has(code)) found.set(code, rows + found.size)
      if (order > 1 && (rows + found.size) * this.#words > MAX_WORDS) {
        draft.giveUpPast(order === 3 ? 2 : 1)
        found.clear()
      }
      rows += found.size
      return found
    }
    const singles = rowsOf(1, (child) => child.singles)
    const pairs = rowsOf(2, (child) => child.pairs)
    const triples = rowsOf(3, (child) => child.triples)
    this.#rows = [singles, pairs, triples]
    this.#bits = new Uint32Array(rows * this.#words)
    for (const [at, child] of children.entries()) {
      this.#setBits(at, child.singles, singles)
      this.#setBits(at, child.pairs, pairs)
      this.#setBits(at, child.triples, triples)
    }
    this.elements = [...singles.keys()].sort((a, b) => a - b)
    this.pairs = [...pairs.keys()].sort((a, b) => a - b)
    this.triples = [...triples.keys()].sort((a, b) => a - b)
  }

  codeOf(a: number, b: number): number {
    return a < b ? a * this.n + b : b * this.n + a
  }

  rowOf(element: number): number {
    return this.#rows[0].get(element) ?? 0
  }

  countOf(row: number): number {
    return this.#count(row, 0, 0, 0, 0, 0, 0)
  }

  countOfTwo(row: number, other: number): number {
    return this.#count(row, other, 0, 0, 0, 0, 0)
  }

  countOfThree(row: number, other: number, third: number): number {
    return this.#count(row, other, third, 0, 0, 0, 0)
  }

  /** By themselves, or together. */
  countOfPair(a: number, b: number): number {
    return this.#count(this.rowOf(a), this.rowOf(b), this.#rowOfPair(a, b), 0, 0, 0, 0)
  }

  countOfTriple(a: number, b: number, c: number): number {
    const low = Math.min(a, b, c)
    const high = Math.max(a, b, c)
    const triple = (low * this.n + (a + b + c - low - high)) * this.n + high
    return this.#count(
      this.rowOf(a),
      this.rowOf(b),
      this.rowOf(c),
      this.#rowOfPair(a, b),
      this.#rowOfPair(a, c),
      this.#rowOfPair(b, c),
      this.#rows[2].get(triple) ?? 0,
    )
  }

  #rowOfPair(a: number, b: number): number {
    return this.#rows[1].get(this.codeOf(a, b)) ?? 0
  }

  /** Children in at least one of the rows. */
  #count(a: number, b: number, c: number, ab: number, ac: number, bc: number, abc: number): number {
    const bits = this.#bits
    const words = this.#words
    let count = 0
    for (let word = 0; word < words; word++) {
      const elements =
        wordAt(bits, a * words + word) |
        wordAt(bits, b * words + word) |
        wordAt(bits, c * words + word)
      const pairs =
        wordAt(bits, ab * words + word) |
        wordAt(bits, ac * words + word) |
        wordAt(bits, bc * words + word)
      count += bitsIn(elements | pairs | wordAt(bits, abc * words + word))
    }
    return count
  }

  #setBits(child: number, codes: Codes, rows: ReadonlyMap<number, number>): void {
    const bits = this.#bits
    for (const code of codes) {
      const row = rows.get(code)
      if (row === undefined) continue
      const word = row * this.#words + (child >>> 5)
      bits[word] = (bits[word] ?? 0) | (1 << (child & 31))
    }
  }
}

function wordAt(bits: Uint32Array, at: number): number {
  return bits[at] ?? 0
}

/** Of 32 bits. */
function bitsIn(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
