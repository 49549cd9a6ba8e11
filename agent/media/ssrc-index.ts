/** When more streams share an SSRC nobody can tell which of them is meant; load generators send all calls with one. */
const MAX_ALIKE = 64
const NONE: readonly number[] = []

/** The streams of each SSRC: one as a rule, two on both sides of a proxy that does not change it. */
export class SsrcIndex {
  readonly #streams = new Map<number, number[] | Set<number>>()

  /** None when there are too many. */
  of(ssrc: number): readonly number[] {
    const found = this.#streams.get(ssrc) ?? NONE
    return found instanceof Set ? NONE : found
  }

  add(ssrc: number, stream: number): void {
    const found = this.#streams.get(ssrc)
    if (found === undefined) this.#streams.set(ssrc, [stream])
    else if (found instanceof Set) found.add(stream)
    else if (found.length < MAX_ALIKE) this.#streams.set(ssrc, [...found, stream])
    else this.#streams.set(ssrc, new Set([...found, stream]))
  }

  remove(ssrc: number, stream: number): void {
    const found = this.#streams.get(ssrc)
    if (found instanceof Set) {
      found.delete(stream)
      if (found.size <= MAX_ALIKE) this.#streams.set(ssrc, [...found])
      return
    }
    const rest = (found ?? NONE).filter((other) => other !== stream)
    if (rest.length === 0) this.#streams.delete(ssrc)
    else this.#streams.set(ssrc, rest)
  }
}
