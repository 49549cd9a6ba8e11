/** Remembers keys for a while, from one to two times as long as asked, and nothing else of what they stood for. */
export class RecentKeys {
  readonly #keptMs: number
  #young = new Set<string>()
  #old: ReadonlySet<string> = new Set<string>()
  #turnMs = -Infinity

  constructor(keptMs: number) {
    this.#keptMs = keptMs
  }

  add(key: string, nowMs: number): void {
    this.#turn(nowMs)
    this.#young.add(key)
  }

  has(key: string, nowMs: number): boolean {
    this.#turn(nowMs)
    return this.#young.has(key) || this.#old.has(key)
  }

  #turn(nowMs: number): void {
    const ageMs = nowMs - this.#turnMs
    if (ageMs < this.#keptMs) return
    this.#old = ageMs < 2 * this.#keptMs ? this.#young : new Set()
    this.#young = new Set()
    this.#turnMs = nowMs
  }
}
