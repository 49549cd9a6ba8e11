/** A tree of needs over the indices of components; what it says is when something works. Alike trees of one model are one object. */
export type Tree =
  | (Named & { readonly kind: 'component'; readonly index: number })
  | (Named & { readonly kind: 'all'; readonly children: readonly Tree[] })
  | (Named & { readonly kind: 'any'; readonly children: readonly Tree[] })
  | (Named & { readonly kind: 'atLeast'; readonly k: number; readonly children: readonly Tree[] })

interface Named {
  /** Alike trees have the same. */
  readonly key: string
  /** The components it names, each once. */
  readonly names: readonly number[]
}

/** Makes trees. Nothing depends on the order in which somebody wrote down what is joined. */
export class TreeMaker {
  readonly #made = new Map<string, Tree>()

  component(index: number): Tree {
    const key = String(index)
    return this.#once(key, () => ({ kind: 'component', index, key, names: [index] }))
  }

  /** Without children it always works. */
  all(children: readonly Tree[]): Tree {
    return this.#joined('all', children)
  }

  /** Without children it never works. */
  any(children: readonly Tree[]): Tree {
    return this.#joined('any', children)
  }

  /** What is listed twice counts twice. */
  atLeast(k: number, listed: readonly Tree[]): Tree {
    if (k === 1) return this.any(listed)
    if (k === listed.length) return this.all(listed)
    const children = listed.toSorted(byKey)
    const key = `${k}(${children.map((child) => child.key).join()})`
    return this.#once(key, () => ({ kind: 'atLeast', k, children, key, names: namesIn(children) }))
  }

  #joined(kind: 'all' | 'any', listed: readonly Tree[]): Tree {
    const flat = listed.flatMap((child) => (child.kind === kind ? child.children : child))
    const children = [...new Set(flat)].sort(byKey)
    const [only] = children
    if (children.length === 1 && only !== undefined) return only
    const key = `${kind}(${children.map((child) => child.key).join()})`
    return this.#once(key, () => ({ kind, children, key, names: namesIn(children) }))
  }

  #once(key: string, make: () => Tree): Tree {
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const tree = make()
    this.#made.set(key, tree)
    return tree
  }
}

function namesIn(children: readonly Tree[]): readonly number[] {
  return [...new Set(children.flatMap(({ names }) => names))]
}

/** Components by their index, before choices. */
function byKey(a: Tree, b: Tree): number {
  if (a.kind === 'component' && b.kind === 'component') return a.index - b.index
  if (a.kind === 'component' || b.kind === 'component') return a.kind === 'component' ? -1 : 1
  return a.key < b.key ? -1 : 1
}
