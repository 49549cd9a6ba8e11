/** This share gives way at once: a Map finds its oldest slowly after many were deleted one by one. */
const EVICTED_SHARE = 1 / 16

/** A map of limited size: what was not used for longest gives way, and is counted. */
export class RecentMap<Value> {
  readonly #limit: number
  readonly #onEvicted: (value: Value) => void
  /** The least recently used first. */
  readonly #values = new Map<string, Value>()
  #evicted = 0

  constructor(limit: number, onEvicted: (value: Value) => void = () => undefined) {
    this.#limit = limit
    this.#onEvicted = onEvicted
  }

  /** How many gave way because there were too many. */
  get evicted(): number {
    return this.#evicted
  }

  /** The value, which is now the most recently used. */
  use(key: string): Value | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  peek(key: string): Value | undefined {
    return this.#values.get(key)
  }

  set(key: string, value: Value): void {
    this.#values.delete(key)
    if (this.#values.size >= this.#limit) this.#evict(Math.ceil(this.#limit * EVICTED_SHARE))
    this.#values.set(key, value)
  }

  /** Removes the least recently used as long as they are over. */
  removeWhile(isOver: (value: Value) => boolean): void {
    for (const [key, value] of this.#values) {
      if (!isOver(value)) return
      this.#values.delete(key)
      this.#onEvicted(value)
    }
  }

  #evict(count: number): void {
    let left = count
    for (const [key, value] of this.#values) {
      if (left-- === 0) return
      this.#values.delete(key)
      this.#evicted++
      this.#onEvicted(value)
    }
  }
}
