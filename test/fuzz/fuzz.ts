import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** A small fuzzer: the same inputs for the same seed, made from well-formed ones; it looks for throws, hangs and growth. */

/** One parser, or a small chain of them, under fuzzing. A file test/fuzz/<target>.ts exports one as `target`. */
export interface FuzzTarget {
  readonly name: string
  /** Well-formed inputs to begin from. */
  readonly corpus: readonly Uint8Array[]
  /** Octets worth putting anywhere: key words, magic numbers. */
  readonly words?: readonly Uint8Array[]
  /** Inputs for each one of the other targets; 1 when left out. Less for what is slow by nature. */
  readonly share?: number
  /** Feeds one input to the code under test, and throws when a promise of it does not hold. May return a promise. */
  readonly run: (input: Uint8Array) => unknown
}

export interface FuzzReport {
  readonly name: string
  readonly inputs: number
  readonly inputsPerS: number
  readonly slowestMs: number
  /** What stayed in memory of the second half of the inputs. */
  readonly grownOctets: number
  /** Why the target failed, with the input in hexadecimal. */
  readonly failure: string | undefined
}

const MAX_INPUT_OCTETS = 4096
const MAX_MUTATIONS = 6
const RANDOM_SHARE = 1 / 16
const SLOW_MS = 200
/** A promise that is not settled by then never will be. */
const HANG_MS = 10_000
const MAX_GROWTH_OCTETS = 16 << 20
const SHOWN_OCTETS = 2048
const MS_PER_S = 1000
const OCTET_VALUES = 256
/** What lengths and counts are most often misread at. */
const LIES = [0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0xffffffff]

/** Runs one target. `seed` is any 32 bits but 0. */
export async function fuzz(target: FuzzTarget, inputs: number, seed: number): Promise<FuzzReport> {
  const mutator = new Mutator(target, seed)
  const collectGarbage = garbageCollector()
  const start = performance.now()
  let slowestMs = 0
  let halfway = 0
  let ran = 0
  let failure: string | undefined
  for (; ran < inputs && failure === undefined; ran++) {
    if (ran === Math.floor(inputs / 2)) halfway = await octetsInUse(collectGarbage)
    const input = mutator.next()
    const begun = performance.now()
    try {
      const result = target.run(input)
      if (result instanceof Promise) await within(HANG_MS, result)
    } catch (error) {
      failure = `${error instanceof Error ? (error.stack ?? error.message) : String(error)} on input ${ran}`
    }
    const tookMs = performance.now() - begun
    // Once more, so that a pause of the machine is not taken for a hang.
    if (tookMs > SLOW_MS && (await timeMs(target, input)) > SLOW_MS)
      failure ??= `took ${tookMs.toFixed(0)} ms on input ${ran}`
    slowestMs = Math.max(slowestMs, tookMs)
    if (failure !== undefined) failure += `: ${shown(input)}`
  }
  const seconds = (performance.now() - start) / MS_PER_S
  const grownOctets = (await octetsInUse(collectGarbage)) - halfway
  if (grownOctets > MAX_GROWTH_OCTETS) failure ??= `grew by ${grownOctets} octets`
  return {
    name: target.name,
    inputs: ran,
    inputsPerS: Math.round(ran / seconds),
    slowestMs,
    grownOctets,
    failure,
  }
}

/** Xorshift (Marsaglia 2003): the same numbers in every run. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** 0 to limit - 1. */
  below(limit: number): number {
    let state = this.#state
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    this.#state = state
    return (state >>> 0) % limit
  }
}

class Mutator {
  readonly #random: Random
  readonly #corpus: readonly Uint8Array[]
  readonly #words: readonly Uint8Array[]
  /** Where an input is made before it is copied to its exact length: a read beyond its end must not go unseen. */
  readonly #room = new Uint8Array(2 * MAX_INPUT_OCTETS)
  #length = 0

  constructor({ corpus, words = [] }: FuzzTarget, seed: number) {
    this.#random = new Random(seed)
    this.#corpus = corpus.map((octets) => octets.subarray(0, MAX_INPUT_OCTETS))
    this.#words = words
  }

  next(): Uint8Array {
    const random = this.#random
    if (random.below(1 / RANDOM_SHARE) === 0) {
      this.#length = random.below(OCTET_VALUES)
      for (let at = 0; at < this.#length; at++) this.#room[at] = random.below(OCTET_VALUES)
    } else {
      const from = this.#pick(this.#corpus)
      this.#room.set(from)
      this.#length = from.length
      for (let count = random.below(MAX_MUTATIONS + 1); count > 0; count--) this.#mutate()
    }
    return this.#room.slice(0, this.#length)
  }

  #mutate(): void {
    const random = this.#random
    const at = random.below(this.#length + 1)
    switch (random.below(9)) {
      case 0:
        this.#flip(at)
        break
      case 1:
        this.#room[at] = random.below(OCTET_VALUES)
        break
      case 2:
        this.#length = at
        break
      case 3:
      case 4:
        this.#lie(at)
        break
      case 5:
        this.#splice(at)
        break
      case 6:
        this.#insert(at, this.#words.length > 0 ? this.#pick(this.#words) : this.#piece())
        break
      case 7:
        this.#remove(at, random.below(32))
        break
      default:
        this.#insert(at, this.#room.slice(at, at + random.below(64)))
    }
    this.#length = Math.min(this.#length, MAX_INPUT_OCTETS)
  }

  #flip(at: number): void {
    this.#room[at] = (this.#room[at] ?? 0) ^ (1 << this.#random.below(8))
  }

  /** Puts an unlikely number, or one near the length of the input, where there may be a length: 1, 2 or 4 octets of either byte order. */
  #lie(at: number): void {
    const random = this.#random
    const number = random.below(3) === 0 ? this.#length + random.below(9) - 4 : this.#pick(LIES)
    const octets = this.#pick([1, 2, 4])
    const isLittle = random.below(2) === 0
    for (let index = 0; index < octets; index++)
      this.#room[at + index] = number >>> (8 * (isLittle ? index : octets - 1 - index))
  }

  /** Goes on like another input. */
  #splice(at: number): void {
    const other = this.#pick(this.#corpus)
    const rest = other.subarray(this.#random.below(other.length + 1))
    this.#room.set(rest, at)
    this.#length = at + rest.length
  }

  #piece(): Uint8Array {
    const other = this.#pick(this.#corpus)
    const from = this.#random.below(other.length + 1)
    return other.subarray(from, from + this.#random.below(64))
  }

  #insert(at: number, octets: Uint8Array): void {
    const part = octets.subarray(0, MAX_INPUT_OCTETS)
    this.#room.copyWithin(at + part.length, at, Math.min(this.#length, MAX_INPUT_OCTETS))
    this.#room.set(part.subarray(0, this.#room.length - at), at)
    this.#length += part.length
  }

  #remove(at: number, octets: number): void {
    const end = Math.min(this.#length, at + octets)
    this.#room.copyWithin(at, end, this.#length)
    this.#length -= end - at
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#random.below(items.length)]
    if (item === undefined) throw new Error('nothing to choose from: is the corpus empty?')
    return item
  }
}

async function within(limitMs: number, result: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`not over after ${limitMs} ms`))
    }, limitMs)
  })
  await Promise.race([result, limit]).finally(() => {
    clearTimeout(timer)
  })
}

async function timeMs(target: FuzzTarget, input: Uint8Array): Promise<number> {
  const begun = performance.now()
  try {
    await target.run(input)
  } catch {
    // It has failed already.
  }
  return performance.now() - begun
}

/** What is in use when all that can be freed is: on the heap and outside. Some is freed only a turn of the event loop later. */
async function octetsInUse(collectGarbage: () => void): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    await setImmediate()
    collectGarbage()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  return () => {
    if (typeof collect === 'function') Reflect.apply(collect, undefined, [])
  }
}

function shown(input: Uint8Array): string {
  const hex = Buffer.from(input.subarray(0, SHOWN_OCTETS)).toString('hex')
  return `${hex}${input.length > SHOWN_OCTETS ? '...' : ''} (${input.length} octets)`
}
