/**
 * A table of limited size: what is known under a key of two words has a slot, a number below the limit, by which its owner keeps what it
 * knows in arrays. When all slots are taken, of those that proved nothing the oldest gives way, and only then the oldest of the others:
 * so a flood of newcomers drives out newcomers.
 */

const NONE = -1
/** Twice as many places as slots, so that a search ends soon. */
const PLACES_PER_SLOT = 2
const KEY_WORDS = 2
const UNPROVEN = 0
const PROVEN = 1

export class SlotTable {
  readonly limit: number
  readonly #onEvicted: (slot: number) => void
  readonly #keys: Int32Array
  /** Slot + 1; 0 is empty. */
  readonly #places: Int32Array
  readonly #mask: number
  /** Neighbours by age; `newer` also chains the free slots. NONE + 1 = 0 ends a chain, so that untouched memory stays untouched. */
  readonly #older: Int32Array
  readonly #newer: Int32Array
  readonly #kinds: Uint8Array
  readonly #oldest = new Int32Array(KEY_WORDS)
  readonly #newest = new Int32Array(KEY_WORDS)
  #free = 0
  /** Slots from here on have never been used. */
  #fresh = 0
  #size = 0
  #evicted = 0

  constructor(limit: number, onEvicted: (slot: number) => void = () => undefined) {
    const places = 2 ** Math.ceil(Math.log2(limit * PLACES_PER_SLOT))
    this.limit = limit
    this.#onEvicted = onEvicted
    this.#keys = new Int32Array(limit * KEY_WORDS)
    this.#places = new Int32Array(places)
    this.#mask = places - 1
    this.#older = new Int32Array(limit)
    this.#newer = new Int32Array(limit)
    this.#kinds = new Uint8Array(limit)
  }

  get size(): number {
    return this.#size
  }

  /** How many gave way because there were too many. */
  get evicted(): number {
    return this.#evicted
  }

  /** The slot of this key, or -1. */
  find(high: number, low: number): number {
    const keys = this.#keys
    for (let place = low & this.#mask; ; place = (place + 1) & this.#mask) {
      const slot = (this.#places[place] ?? 0) - 1
      if (slot < 0) return NONE
      if (keys[slot * KEY_WORDS] === high && keys[slot * KEY_WORDS + 1] === low) return slot
    }
  }

  /** Gives a key that is not there a slot; it is the youngest, and has proved nothing. */
  add(high: number, low: number): number {
    const slot = this.#takeSlot()
    this.#keys[slot * KEY_WORDS] = high
    this.#keys[slot * KEY_WORDS + 1] = low
    let place = low & this.#mask
    while (this.#places[place] !== 0) place = (place + 1) & this.#mask
    this.#places[place] = slot + 1
    this.#kinds[slot] = UNPROVEN
    this.#append(slot)
    this.#size++
    return slot
  }

  /** Makes it the youngest of its kind. */
  touch(slot: number): void {
    if (this.#newest[this.#kinds[slot] ?? 0] === slot + 1) return
    this.#unlink(slot)
    this.#append(slot)
  }

  /** It has proved to be more than noise, and is the youngest of those that have. */
  prove(slot: number): void {
    this.#unlink(slot)
    this.#kinds[slot] = PROVEN
    this.#append(slot)
  }

  isProven(slot: number): boolean {
    return this.#kinds[slot] === PROVEN
  }

  remove(slot: number): void {
    this.#unlink(slot)
    this.#unplace(slot)
    this.#newer[slot] = this.#free
    this.#free = slot + 1
    this.#size--
  }

  /** The oldest slot of a kind, or -1. */
  oldest(isProven: boolean): number {
    return (this.#oldest[isProven ? PROVEN : UNPROVEN] ?? 0) - 1
  }

  /** Calls for every slot, which it may remove: those that proved nothing first, the oldest of each kind first. */
  forEach(visit: (slot: number) => void): void {
    for (const isProven of [false, true]) {
      let slot = this.oldest(isProven)
      while (slot >= 0) {
        const next = this.newer(slot)
        visit(slot)
        slot = next
      }
    }
  }

  /** The next younger slot of the same kind, or -1. */
  newer(slot: number): number {
    return (this.#newer[slot] ?? 0) - 1
  }

  #takeSlot(): number {
    if (this.#free === 0 && this.#fresh === this.limit) {
      const unproven = this.oldest(false)
      const slot = unproven < 0 ? this.oldest(true) : unproven
      this.#evicted++
      this.#onEvicted(slot)
      this.remove(slot)
    }
    if (this.#free === 0) return this.#fresh++
    const slot = this.#free - 1
    this.#free = this.#newer[slot] ?? 0
    return slot
  }

  #append(slot: number): void {
    const kind = this.#kinds[slot] ?? 0
    const before = this.#newest[kind] ?? 0
    this.#older[slot] = before
    this.#newer[slot] = 0
    if (before === 0) this.#oldest[kind] = slot + 1
    else this.#newer[before - 1] = slot + 1
    this.#newest[kind] = slot + 1
  }

  #unlink(slot: number): void {
    const kind = this.#kinds[slot] ?? 0
    const older = this.#older[slot] ?? 0
    const newer = this.#newer[slot] ?? 0
    if (older === 0) this.#oldest[kind] = newer
    else this.#newer[older - 1] = newer
    if (newer === 0) this.#newest[kind] = older
    else this.#older[newer - 1] = older
  }

  /** Empties its place and moves those up that stand behind it only because it was taken. */
  #unplace(slot: number): void {
    const places = this.#places
    const mask = this.#mask
    let hole = (this.#keys[slot * KEY_WORDS + 1] ?? 0) & mask
    while (places[hole] !== slot + 1) hole = (hole + 1) & mask
    for (let place = (hole + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const other = (places[place] ?? 0) - 1
      const home = (this.#keys[other * KEY_WORDS + 1] ?? 0) & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      places[hole] = other + 1
      hole = place
    }
    places[hole] = 0
  }
}
