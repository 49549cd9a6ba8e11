/** Counts of things that have a slot each: so many of every kind of thing per slot, named as on the wire. */

export type Counts<Name extends string> = { readonly [N in Name]?: number }

export class Counters<Name extends string> {
  readonly #names: readonly Name[]
  readonly #counts: Float64Array

  constructor(names: readonly Name[], slots: number) {
    this.#names = names
    this.#counts = new Float64Array(names.length * slots)
  }

  /** Where a name stands; asked once, as adding by name would be slow. */
  indexOf(name: Name): number {
    return this.#names.indexOf(name)
  }

  add(slot: number, index: number, count = 1): void {
    const at = slot * this.#names.length + index
    this.#counts[at] = (this.#counts[at] ?? 0) + count
  }

  get(slot: number, index: number): number {
    return this.#counts[slot * this.#names.length + index] ?? 0
  }

  /** Adds all of one slot to another, and empties the first. */
  move(from: number, to: number): void {
    for (let index = 0; index < this.#names.length; index++)
      this.add(to, index, this.get(from, index))
    this.clear(from)
  }

  /** Those that are not 0. */
  of(slot: number): Counts<Name> {
    const counts: { [N in Name]?: number } = {}
    this.#names.forEach((name, index) => {
      const count = this.get(slot, index)
      if (count !== 0) counts[name] = count
    })
    return counts
  }

  clear(slot: number): void {
    const at = slot * this.#names.length
    this.#counts.fill(0, at, at + this.#names.length)
  }
}
