import type { Component, Need } from './dependency.ts'
import type { Complaint } from './model.ts'
import { linksOf, simplePaths, type Links } from './paths.ts'
import { TreeMaker, type Tree } from './tree.ts'

/** Reads needs, which name ids, into trees over indices; and says what is wrong with them. */
export class NeedsReader {
  readonly complaints: Complaint[] = []
  readonly #components: ReadonlyMap<string, Component>
  readonly #indexOf: ReadonlyMap<string, number>
  readonly trees = new TreeMaker()
  #links: Links | undefined

  constructor(components: ReadonlyMap<string, Component>, indexOf: ReadonlyMap<string, number>) {
    this.#components = components
    this.#indexOf = indexOf
  }

  /** What is always met. */
  get nothing(): Tree {
    return this.trees.all([])
  }

  read(needs: readonly Need[], path: readonly PropertyKey[]): Tree {
    return this.trees.all(this.#readList(needs, path))
  }

  #readList(needs: readonly Need[], path: readonly PropertyKey[]): readonly Tree[] {
    return needs.map((need, at) => this.#readNeed(need, [...path, at]))
  }

  #readNeed(need: Need, path: readonly PropertyKey[]): Tree {
    const { trees } = this
    if (typeof need === 'string') {
      const index = this.#indexOfId(need, path)
      return index === undefined ? this.nothing : trees.component(index)
    }
    if ('any' in need) return trees.any(this.#readList(need.any, [...path, 'any']))
    if ('all' in need) return trees.all(this.#readList(need.all, [...path, 'all']))
    if ('path' in need) return this.#readPath(need.path, [...path, 'path'])
    const children = this.#readList(need.of, [...path, 'of'])
    if (need.atLeast >= 1 && need.atLeast <= children.length)
      return trees.atLeast(need.atLeast, children)
    this.complaints.push({
      path: [...path, 'atLeast'],
      message: `expected a number from 1 to ${children.length}, as many as are listed`,
    })
    return this.nothing
  }

  #readPath({ from, to }: { from: string; to: string }, path: readonly PropertyKey[]): Tree {
    const ends = [this.#indexOfId(from, path), this.#indexOfId(to, path)]
    if (ends.includes(undefined)) return this.nothing
    this.#links ??= linksOf(this.#components)
    const { paths, problem } = simplePaths(this.#links, from, to)
    if (problem !== undefined) this.complaints.push({ path, message: problem })
    const { trees } = this
    const ways = paths.map((ids) =>
      trees.all(
        ids.flatMap((id) => {
          const index = this.#indexOf.get(id)
          return index === undefined ? [] : [trees.component(index)]
        }),
      ),
    )
    return trees.any(ways)
  }

  #indexOfId(id: string, path: readonly PropertyKey[]): number | undefined {
    const index = this.#indexOf.get(id)
    if (index === undefined)
      this.complaints.push({ path, message: `"${id}" is not declared under components` })
    return index
  }
}
