/** Exact up to here. */
const MAX_EXACT = 64
/** HyperLogLog (Flajolet et al. 2007) of 256 registers: standard error 1.04 / sqrt(256) = 6.5 %. */
const REGISTER_BITS = 8
const REGISTERS = 1 << REGISTER_BITS
const WORD_BITS = 32
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)
/** Below this many times its registers, counting the empty ones is more exact. */
const SMALL = 2.5

/** How many different things there were, by sums of 32 well-mixed bits: few exactly, many nearly, in little memory. */
export class DistinctCounter {
  #exact = new Set<number>()
  #registers: Uint8Array | undefined

  add(sum: number): void {
    if (this.#registers !== undefined) {
      register(this.#registers, sum)
      return
    }
    this.#exact.add(sum)
    if (this.#exact.size > MAX_EXACT) this.#spill()
  }

  get count(): number {
    return this.#registers === undefined ? this.#exact.size : estimate(this.#registers)
  }

  /** How many there were in this one or the other. */
  unionCount(other: DistinctCounter): number {
    const union = new DistinctCounter()
    union.#merge(this)
    union.#merge(other)
    return union.count
  }

  clear(): void {
    if (this.#exact.size > 0) this.#exact = new Set()
    this.#registers = undefined
  }

  #merge(other: DistinctCounter): void {
    if (other.#registers === undefined) {
      for (const sum of other.#exact) this.add(sum)
      return
    }
    const own = this.#registers ?? this.#spill()
    other.#registers.forEach((rank, index) => {
      if (rank > (own[index] ?? 0)) own[index] = rank
    })
  }

  #spill(): Uint8Array {
    const registers = new Uint8Array(REGISTERS)
    for (const sum of this.#exact) register(registers, sum)
    this.#exact = new Set()
    this.#registers = registers
    return registers
  }
}

function register(registers: Uint8Array, sum: number): void {
  const index = sum >>> (WORD_BITS - REGISTER_BITS)
  const rank = Math.min(WORD_BITS - REGISTER_BITS, Math.clz32(sum << REGISTER_BITS)) + 1
  if (rank > (registers[index] ?? 0)) registers[index] = rank
}

function estimate(registers: Uint8Array): number {
  let sum = 0
  let empty = 0
  for (const rank of registers) {
    sum += 2 ** -rank
    if (rank === 0) empty++
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum
  if (raw <= SMALL * REGISTERS && empty > 0)
    return Math.round(REGISTERS * Math.log(REGISTERS / empty))
  return Math.round(raw)
}
