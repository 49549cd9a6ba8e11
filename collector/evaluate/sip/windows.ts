import { z } from 'zod'
import { copyOf } from '../copy-of.ts'
import { items } from '../snapshot.ts'
import { Window, windowSchema, type Counts } from './window.ts'

/** An attacker chooses how many sources and accounts there are: when full, the one heard of least lately goes. */
const MAX_WATCHED = 2000

const memorySchema = z.object({
  key: z.string(),
  labels: z.record(z.string(), z.string()),
  facts: z.record(z.string(), z.string()),
  window: windowSchema,
})

/** What one point says of an object. */
export interface Seen {
  /** The object, and who saw it: what two taps see is not added up. */
  readonly key: string
  readonly counts: Counts
  readonly labels: Words
  readonly facts: Words
}

export type Words = Readonly<Record<string, string>>

/** What is watched of one object: a source, an account, a trunk. */
export interface Watched {
  readonly key: string
  /** As alerts are labelled; `agent` and `site` among them. */
  labels: Words
  /** Whatever else is known of it, as it was last told. */
  facts: Words
  readonly window: Window
}

/** Windows of many objects. */
export class Windows {
  readonly #lengthUs: number
  /** The one heard of least lately first. */
  readonly #watched = new Map<string, Watched>()
  #forgotten = 0

  constructor(lengthUs: number, restored: unknown) {
    this.#lengthUs = lengthUs
    for (const { window, ...rest } of items(memorySchema, restored))
      this.#watched.set(rest.key, { ...rest, window: new Window(lengthUs, window) })
  }

  /** Objects given up because there were too many. */
  get forgotten(): number {
    return this.#forgotten
  }

  get memory(): unknown {
    return [...this.#watched.values()].map(({ window, ...rest }) => ({
      ...rest,
      window: window.memory,
    }))
  }

  find(key: string): Watched | undefined {
    return this.#watched.get(key)
  }

  /** @returns undefined for what was told before */
  add({ key, counts, labels, facts }: Seen, timeUs: number): Watched | undefined {
    const known = this.#watched.get(key)
    const window = known?.window ?? new Window(this.#lengthUs)
    if (!window.add(timeUs, counts)) return undefined
    const watched = known ?? { key: copyOf(key), labels: {}, facts: {}, window }
    if (!isSame(watched.labels, labels)) watched.labels = copiesOf(labels)
    if (!isSame(watched.facts, facts)) watched.facts = copiesOf(facts)
    this.#watched.delete(key)
    this.#watched.set(watched.key, watched)
    if (known === undefined && this.#watched.size > MAX_WATCHED) this.#dropOldest()
    return watched
  }

  /** What came to nothing is let go. */
  trim(nowUs: number): void {
    for (const [key, { window }] of this.#watched) {
      window.trim(nowUs)
      if (window.isEmpty) this.#watched.delete(key)
    }
  }

  forget(isGone: (watched: Watched) => boolean): void {
    for (const watched of this.#watched.values())
      if (isGone(watched)) this.#watched.delete(watched.key)
  }

  #dropOldest(): void {
    for (const key of this.#watched.keys()) {
      this.#watched.delete(key)
      this.#forgotten++
      return
    }
  }
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(b)
  return names.length === Object.keys(a).length && names.every((name) => a[name] === b[name])
}

function copiesOf(words: Words): Words {
  return Object.fromEntries(Object.entries(words).map(([name, word]) => [name, copyOf(word)]))
}
