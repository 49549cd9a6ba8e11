import {
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  visit,
  type Document,
  type Pair,
  type YAMLMap,
} from 'yaml'

/** Counted from 1, as editors do. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** Where the parts of a YAML text stand. Looking one up costs the length of its path, however many neighbours it has. */
export class YamlPlaces {
  readonly #document: Document.Parsed
  readonly #lines: LineCounter
  readonly #pairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>()

  constructor(document: Document.Parsed, lines: LineCounter) {
    this.#document = document
    this.#lines = lines
  }

  atOffset(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  /** Whether the text says anything there. */
  has(path: readonly PropertyKey[]): boolean {
    return this.#find(path).depth === path.length
  }

  /** Where the value stands; of one that takes lines of its own, its key; for what is missing, where its parent stands. */
  of(path: readonly PropertyKey[]): Place {
    return this.atOffset(this.#find(path).offset)
  }

  /** Where the key of a map stands. */
  ofKey(path: readonly PropertyKey[], key: string): Place {
    const { node, offset } = this.#find(path)
    const pair = isMap(node) ? this.#pairsOf(node).get(key) : undefined
    return this.atOffset(keyOffset(pair) ?? offset)
  }

  /** Keys that stand twice in one map: the second, and where the first is. */
  duplicates(): readonly { readonly key: string; readonly at: Place; readonly first: Place }[] {
    const found: { key: string; at: Place; first: Place }[] = []
    visit(this.#document, {
      Map: (_key, map) => {
        const seen = new Map<string, number>()
        for (const pair of map.items) {
          const offset = keyOffset(pair)
          if (offset === undefined) continue
          const key = keyText(pair)
          const first = seen.get(key)
          if (first === undefined) seen.set(key, offset)
          else found.push({ key, at: this.atOffset(offset), first: this.atOffset(first) })
        }
      },
    })
    return found
  }

  /** The node at a path, or the last one on the way there. */
  #find(path: readonly PropertyKey[]): { node: unknown; offset: number; depth: number } {
    let node: unknown = this.#document.contents
    let offset = offsetOf(node) ?? 0
    for (const [depth, step] of path.entries()) {
      const pair = isMap(node) ? this.#pairsOf(node).get(String(step)) : undefined
      const next = pair === undefined ? itemOf(node, step) : pair.value
      const start = offsetOf(next)
      if (start === undefined) return { node, offset, depth }
      node = next
      offset = isBlock(next) ? (keyOffset(pair) ?? start) : start
    }
    return { node, offset, depth: path.length }
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
    const known = this.#pairs.get(map)
    if (known !== undefined) return known
    const pairs = new Map(map.items.map((pair) => [keyText(pair), pair]))
    this.#pairs.set(map, pairs)
    return pairs
  }
}

function itemOf(node: unknown, step: PropertyKey): unknown {
  return isCollection(node) && !isMap(node) ? node.get(step, true) : undefined
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function keyOffset(pair: Pair | undefined): number | undefined {
  return isPair(pair) ? offsetOf(pair.key) : undefined
}

function keyText({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key)
}

function isBlock(node: unknown): boolean {
  return isCollection(node) && node.flow !== true
}
