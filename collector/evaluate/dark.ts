import { Families } from '../topology/cut-sets.ts'
import type { ChainNow } from './power/chain.ts'

/** What does not work for want of what is observed failed. */
export class Dark {
  readonly now: ChainNow
  readonly key: string
  readonly #families: Families

  constructor(now: ChainNow, observed: readonly string[]) {
    const { model } = now.live
    const suspects = new Set(observed.flatMap((id) => model.indexOf.get(id) ?? []))
    this.now = now
    this.key = observed.join(' ')
    this.#families = new Families(model, 2, { suspects })
  }

  /** The first of what a component is without; undefined where it has what it needs. */
  causeOf(id: string): string | undefined {
    const { model } = this.now.live
    const entry = model.components[model.indexOf.get(id) ?? -1]
    // What it needs never leads back to itself.
    return entry === undefined ? undefined : this.#families.cutSets(entry.needs).sets[0]?.[0]
  }

  /** Where so many phones are without, what the first of them is without. */
  phones(
    phones: readonly { readonly id: string; readonly count: number }[],
    missing: number,
  ): string | undefined {
    let left = missing
    let cause: string | undefined
    for (const { id, count } of phones) {
      const why = this.causeOf(id)
      if (why === undefined) continue
      cause ??= why
      left -= count
      if (left <= 0) return cause
    }
    return undefined
  }
}
