import { MAX_CAPTURED_OCTETS, RecordReader } from './record-reader.ts'

export type { FrameHandler } from './record-reader.ts'

/**
 * The classic capture format (draft-ietf-opsawg-pcap): a header of 24 octets, then records.
 *
 *      0               4       6       8              16             20             24
 *     | magic         | major | minor | 8 octets     | snap length  | link type    |
 *     | seconds       | micro- or ns  | captured     | original     | captured octets ...
 *
 * The form that a patch of Alexey Kuznetzov's gave it has 8 octets more in front of the captured ones: interface and kind of packet.
 */

const HEADER_OCTETS = 24
const RECORD_OCTETS = 16
const MODIFIED_RECORD_OCTETS = 24
const LINK_TYPE_AT = 20
const LINK_TYPE_MASK = 0xffff
const FRACTION_AT = 4
const CAPTURED_AT = 8
const ORIGINAL_AT = 12

/** Magic numbers as they read in the byte order of the writer. */
const MICRO = 0xa1b2c3d4
const NANO = 0xa1b23c4d
const MODIFIED = 0xa1b2cd34

const US_PER_S = 1_000_000
const NS_PER_US = 1000

/** Whether a file that begins with these octets is for PcapReader. */
export function isPcap(view: DataView): boolean {
  return isMagic(view.getUint32(0, true)) || isMagic(view.getUint32(0))
}

export class PcapReader extends RecordReader {
  #linkType: number | undefined
  #isLittle = true
  #fractionsPerUs = 1
  #recordOctets = RECORD_OCTETS

  protected override readRecords(from: number, filled: number): number {
    if (this.#linkType !== undefined) return this.#readRecords(from, filled, this.#linkType)
    if (filled < HEADER_OCTETS) return from
    if (!isPcap(this.view)) {
      this.fail(0, `expected a pcap file, got ${this.view.getUint32(0).toString(16)}`)
      return filled
    }
    this.#linkType = this.#readHeader()
    return this.#readRecords(HEADER_OCTETS, filled, this.#linkType)
  }

  #readRecords(from: number, filled: number, linkType: number): number {
    const view = this.view
    const onFrame = this.onFrame
    const isLittle = this.#isLittle
    const fractionsPerUs = this.#fractionsPerUs
    const recordOctets = this.#recordOctets
    let frames = 0
    let at = from
    while (at + recordOctets <= filled) {
      const captured = view.getUint32(at + CAPTURED_AT, isLittle)
      if (captured > MAX_CAPTURED_OCTETS) {
        this.fail(at, `a record claims ${captured} octets; at most ${MAX_CAPTURED_OCTETS} can be`)
        at = filled
        break
      }
      const begin = at + recordOctets
      if (begin + captured > filled) break
      const fraction = view.getUint32(at + FRACTION_AT, isLittle) / fractionsPerUs
      const timeUs = view.getUint32(at, isLittle) * US_PER_S + fraction
      const wireOctets = view.getUint32(at + ORIGINAL_AT, isLittle)
      at = begin + captured
      frames++
      onFrame(view, begin, at, timeUs, linkType, wireOctets)
    }
    this.frameCount += frames
    return at
  }

  #readHeader(): number {
    this.#isLittle = isMagic(this.view.getUint32(0, true))
    const magic = this.view.getUint32(0, this.#isLittle)
    this.#fractionsPerUs = magic === NANO ? NS_PER_US : 1
    this.#recordOctets = magic === MODIFIED ? MODIFIED_RECORD_OCTETS : RECORD_OCTETS
    return this.view.getUint32(LINK_TYPE_AT, this.#isLittle) & LINK_TYPE_MASK
  }
}

function isMagic(magic: number): boolean {
  return magic === MICRO || magic === NANO || magic === MODIFIED
}
