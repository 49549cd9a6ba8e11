/**
 * One captured frame: it lies in `view` from `offset` to `end`, until the function returns. The time is in microseconds since 1970, to
 * a quarter of a microsecond (nanoseconds do not fit a double). `wireOctets` is how long it was before the capture cut it.
 */
export type FrameHandler = (
  view: DataView,
  offset: number,
  end: number,
  timeUs: number,
  linkType: number,
  wireOctets?: number,
) => void

/** The largest snap length there is (libpcap's MAXIMUM_SNAPLEN); a record that claims more is a lie. */
export const MAX_CAPTURED_OCTETS = 262_144
/** Larger than any record. */
const BUFFER_OCTETS = 1 << 20

/** Reads a capture as it comes, in pieces of any size. What a record looks like is told by the classes that extend this one. */
export abstract class RecordReader {
  protected readonly onFrame: FrameHandler
  readonly #bytes: Uint8Array
  protected readonly view: DataView
  protected frameCount = 0
  #filled = 0
  /** Octets to come that nobody wants. */
  #unwanted = 0
  /** Octets of the capture in front of those in the buffer. */
  #before = 0
  #fault: string | undefined

  /** Reads through `buffer`, which is its own from then on and larger than any record. */
  constructor(onFrame: FrameHandler, buffer = new Uint8Array(BUFFER_OCTETS)) {
    this.onFrame = onFrame
    this.#bytes = buffer
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
  }

  /** Frames handed on. */
  get frames(): number {
    return this.frameCount
  }

  /** Set once something is wrong; nothing is read after that, as there is no way to find the next record. */
  get fault(): string | undefined {
    return this.#fault
  }

  /** Reads on with a piece that came from elsewhere. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length && this.#fault === undefined;) {
      const room = this.space()
      const part = piece.subarray(at, at + room.length)
      room.set(part)
      this.filled(part.length)
      at += part.length
    }
  }

  /** Where the next octets may be put; then say by filled() how many. Never empty. */
  space(): Uint8Array {
    return this.#bytes.subarray(this.#filled)
  }

  filled(octets: number): void {
    this.#filled += octets
    const begin = Math.min(this.#unwanted, this.#filled)
    const read = this.#fault === undefined ? this.readRecords(begin, this.#filled) : this.#filled
    this.#unwanted -= begin
    this.#unwanted += Math.max(0, read - this.#filled)
    // What is left is part of one record, which is smaller than the buffer.
    const kept = Math.max(0, this.#filled - read)
    this.#bytes.copyWithin(0, this.#filled - kept, this.#filled)
    this.#before += this.#filled - kept
    this.#filled = kept
  }

  /** Says that nothing follows: a record begun is then a fault. */
  end(): void {
    if (this.#filled > 0 || this.#unwanted > 0)
      this.fail(0, `cut off: of what begins here only ${this.#filled} octets are there`)
    else if (this.#before === 0) this.fail(0, 'nothing in it')
  }

  /** Hands on every whole record between `from` and `filled`; returns where the next one begins, which may be far beyond `filled`. */
  protected abstract readRecords(from: number, filled: number): number

  /** Says that what lies at `at` in the buffer makes reading on impossible. The first fault counts. */
  protected fail(at: number, reason: string): void {
    this.#fault ??= `octet ${this.#before + at}: ${reason}`
  }
}
