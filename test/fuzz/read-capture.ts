import { CaptureReader } from '../../agent/capture/capture-reader.ts'

/** One for all, as making one takes longer than reading a small file. */
const BUFFER = new Uint8Array(1 << 19)

/** What reading a capture in pieces comes to: as little as shows whether two ways of reading it are the same. */
export class CaptureSum {
  readonly reader: CaptureReader
  #sum = 0

  constructor() {
    this.reader = new CaptureReader((view, offset, end, timeUs, linkType, wireOctets = 0) => {
      if (offset < 0 || end < offset || end > view.byteLength)
        throw new Error(`a frame from ${offset} to ${end} of ${view.byteLength}`)
      if (Number.isNaN(timeUs)) throw new Error('a frame without a time')
      const last = end > offset ? view.getUint8(end - 1) : 0
      this.#sum =
        (this.#sum * 31 + timeUs + linkType + wireOctets + (end - offset) + last) % 2 ** 40
    }, BUFFER)
  }

  /** Says that nothing follows. */
  end(): string {
    this.reader.end()
    const { frames, fault, drops, skipped } = this.reader
    return JSON.stringify([this.#sum, frames, fault, drops, skipped])
  }
}

/** Reads a capture at once and in pieces, which must come to the same. */
export function readBothWays(input: Uint8Array): void {
  const whole = new CaptureSum()
  whole.reader.push(input)
  const atOnce = whole.end()
  const parts = new CaptureSum()
  const piece = 1 + (input.length % 50)
  for (let at = 0; at < input.length; at += piece) parts.reader.push(input.subarray(at, at + piece))
  const inPieces = parts.end()
  if (atOnce !== inPieces) throw new Error(`at once ${atOnce}, in pieces ${inPieces}`)
}
