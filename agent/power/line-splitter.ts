const LF = 0x0a
const CR = 0x0d

/** Cuts a stream of bytes into lines ended by LF or CRLF, however the bytes arrive. */
export class LineSplitter {
  readonly #maxLineBytes: number
  #parts: Buffer[] = []
  #pending = 0

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  /** Bytes of a line that has not ended yet. */
  get pendingBytes(): number {
    return this.#pending
  }

  /**
   * The lines that are complete now, without their ends.
   * @returns undefined when a line is longer than allowed; the splitter is of no use after that
   */
  push(chunk: Buffer): readonly string[] | undefined {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      this.#keep(chunk.subarray(start, end))
      if (this.#pending > this.#maxLineBytes) return undefined
      const line = Buffer.concat(this.#parts)
      this.#parts = []
      this.#pending = 0
      lines.push(line.toString('utf8', 0, line.at(-1) === CR ? line.length - 1 : line.length))
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return this.#pending > this.#maxLineBytes ? undefined : lines
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.#pending += part.length
  }
}
