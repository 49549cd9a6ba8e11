/**
 * Who leaves first when there are too many: of those that proved nothing the oldest, and only then the oldest of the others. So a flood
 * of newcomers drives out newcomers.
 */
export class EvictionOrder<T> {
  readonly #unproven = new Set<T>()
  readonly #proven = new Set<T>()

  get size(): number {
    return this.#unproven.size + this.#proven.size
  }

  /** How many have proved nothing. */
  get unproven(): number {
    return this.#unproven.size
  }

  has(item: T, isProven: boolean): boolean {
    return (isProven ? this.#proven : this.#unproven).has(item)
  }

  /** Adds it, or makes it the youngest of its kind. */
  add(item: T, isProven: boolean): void {
    this.delete(item)
    const set = isProven ? this.#proven : this.#unproven
    set.add(item)
  }

  delete(item: T): void {
    if (!this.#unproven.delete(item)) this.#proven.delete(item)
  }

  /** Who is next to leave. */
  first(): T | undefined {
    for (const item of this.#unproven) return item
    for (const item of this.#proven) return item
    return undefined
  }

  /** The oldest first, of either kind. */
  *[Symbol.iterator](): Generator<T> {
    yield* this.#unproven
    yield* this.#proven
  }
}
