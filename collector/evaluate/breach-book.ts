import { measurement, type Measurement } from '../../common/measurement.ts'
import { breachSchema, isOpen, type Breach } from './breach.ts'
import type { ChangeKind } from './rule.ts'
import { items } from './snapshot.ts'

const MAX_CLOSED = 200
const US_PER_S = 1_000_000

/** Which breaches are open and which closed last. */
export class BreachBook {
  readonly #open = new Map<string, Breach>()
  /** Oldest first. */
  readonly #closed = new Map<string, Breach>()
  #lastEventUs = 0

  constructor(restoredClosed: unknown) {
    for (const breach of items(breachSchema, restoredClosed)) this.#file(breach)
  }

  all(): readonly Breach[] {
    return [...this.#open.values(), ...this.closed().reverse()]
  }

  /** Pending ones included. */
  open(): readonly Breach[] {
    return [...this.#open.values()]
  }

  closed(): Breach[] {
    return [...this.#closed.values()]
  }

  update(breach: Breach): void {
    this.#open.set(breach.fingerprint, breach)
  }

  drop(breach: Breach): void {
    this.#open.delete(breach.fingerprint)
  }

  /** Files the breach by its state; gives the point for annotations on graphs. */
  change(kind: ChangeKind, breach: Breach, atUs: number): Measurement {
    this.#file(breach)
    // Two events of the same tags must not share a time: the second would overwrite the first.
    this.#lastEventUs = Math.max(atUs, this.#lastEventUs + 1)
    const { from, to, at, site, agent } = breach.labels
    return measurement(
      'event',
      this.#lastEventUs,
      { rule: breach.rule, state: kind, from, to, at, site, agent },
      {
        title: `${breach.object}: ${kind}`,
        text: `${breach.summary}. Owner: ${breach.labels['owner'] ?? 'unknown'}`,
        object: breach.object,
        severity: breach.severity,
        duration_s: (atUs - breach.sinceUs) / US_PER_S,
      },
    )
  }

  #file(breach: Breach): void {
    // An ended breach that fires again, or is proven healed, moves; it is never listed twice.
    this.#closed.delete(breach.id)
    if (isOpen(breach)) {
      this.#open.set(breach.fingerprint, breach)
      return
    }
    if (this.#open.get(breach.fingerprint)?.id === breach.id) this.#open.delete(breach.fingerprint)
    this.#closed.set(breach.id, breach)
    for (const id of this.#closed.keys()) {
      if (this.#closed.size <= MAX_CLOSED) break
      this.#closed.delete(id)
    }
  }
}
