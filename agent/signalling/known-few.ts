/** A thing is known by as many of a kind: two desks and a mobile, say. */
const FEW = 4

/** For each of many things the last few numbers it was met with; 0 is none. */
export class KnownFew {
  readonly #numbers: Int32Array

  constructor(slots: number) {
    this.#numbers = new Int32Array(slots * FEW)
  }

  has(slot: number, number: number): boolean {
    const at = slot * FEW
    for (let index = at; index < at + FEW; index++) if (this.#numbers[index] === number) return true
    return false
  }

  /** Whether it is known with this number, is met for the first time at all, or with another than before. */
  meet(slot: number, number: number): 'known' | 'first' | 'another' {
    if (this.has(slot, number)) return 'known'
    const at = slot * FEW
    const isFirst = this.#numbers[at] === 0
    this.#numbers.copyWithin(at + 1, at, at + FEW - 1)
    this.#numbers[at] = number
    return isFirst ? 'first' : 'another'
  }

  clear(slot: number): void {
    this.#numbers.fill(0, slot * FEW, (slot + 1) * FEW)
  }
}
