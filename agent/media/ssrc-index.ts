/** The streams of each SSRC: one as a rule, two on both sides of a proxy that does not change it. */
export class SsrcIndex {
  readonly #streams = new Map<number, readonly number[]>()

  of(ssrc: number): readonly number[] {
    return this.#streams.get(ssrc) ?? []
  }

  add(ssrc: number, stream: number): void {
    this.#streams.set(ssrc, [...this.of(ssrc), stream])
  }

  remove(ssrc: number, stream: number): void {
    const rest = this.of(ssrc).filter((other) => other !== stream)
    if (rest.length === 0) this.#streams.delete(ssrc)
    else this.#streams.set(ssrc, rest)
  }
}
