/**
 * The classic capture format (draft-ietf-opsawg-pcap), read as it comes, in pieces of any size: a header of 24 octets, then records.
 *
 *      0               4       6       8              16             20             24
 *     | magic         | major | minor | 8 octets     | snap length  | link type    |
 *     | seconds       | micro- or ns  | captured     | original     | captured octets ...
 */

const HEADER_OCTETS = 24
const RECORD_OCTETS = 16
const LINK_TYPE_AT = 20
const LINK_TYPE_MASK = 0xffff
const FRACTION_AT = 4
const CAPTURED_AT = 8

/** Magic numbers as they read in little endian. */
const MICRO_LITTLE = 0xa1b2c3d4
const NANO_LITTLE = 0xa1b23c4d
const MICRO_BIG = 0xd4c3b2a1
const NANO_BIG = 0x4d3cb2a1
const PCAPNG = 0x0a0d0d0a
const GZIP_MASK = 0xffff
const GZIP = 0x8b1f

const US_PER_S = 1_000_000
const NS_PER_US = 1000
/** The largest snap length there is (libpcap's MAXIMUM_SNAPLEN); a record that claims more is a lie. */
const MAX_CAPTURED_OCTETS = 262_144
const BUFFER_OCTETS = 1 << 20

/** Why reading ended before the end. */
export type PcapFault =
  | 'empty'
  | 'not-pcap'
  | 'pcapng is not read yet'
  | 'gzip is not read yet'
  | 'record-length'
  | 'cut-off'

/**
 * One captured frame: it lies in `view` from `offset` to `end`, until the function returns. The time is in microseconds since 1970, to
 * a quarter of a microsecond (nanoseconds do not fit a double).
 */
export type FrameHandler = (
  view: DataView,
  offset: number,
  end: number,
  timeUs: number,
  linkType: number,
) => void

export class PcapReader {
  readonly #onFrame: FrameHandler
  readonly #bytes = new Uint8Array(BUFFER_OCTETS)
  readonly #view = new DataView(this.#bytes.buffer)
  #filled = 0
  #linkType: number | undefined
  #isLittle = true
  #fractionsPerUs = 1
  #frames = 0
  #fault: PcapFault | undefined

  constructor(onFrame: FrameHandler) {
    this.#onFrame = onFrame
  }

  get frames(): number {
    return this.#frames
  }

  /** Set once something is wrong; nothing is read after that, as there is no way to find the next record. */
  get fault(): PcapFault | undefined {
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
    if (this.#fault !== undefined) {
      this.#filled = 0
      return
    }
    const read = this.#read()
    // What is left is part of one record, which is smaller than the buffer.
    this.#bytes.copyWithin(0, read, this.#filled)
    this.#filled -= read
  }

  /** Says that nothing follows: a record begun is then a fault. */
  end(): void {
    if (this.#fault !== undefined) return
    if (this.#linkType === undefined) this.#fault = this.#filled === 0 ? 'empty' : 'not-pcap'
    else if (this.#filled > 0) this.#fault = 'cut-off'
  }

  /** Hands on every whole record; returns how many octets that were. */
  #read(): number {
    let at = 0
    if (this.#linkType === undefined) {
      if (this.#filled < HEADER_OCTETS) return 0
      this.#linkType = this.#readHeader()
      if (this.#linkType === undefined) return this.#filled
      at = HEADER_OCTETS
    }
    return this.#readRecords(at, this.#linkType)
  }

  #readRecords(from: number, linkType: number): number {
    const view = this.#view
    const filled = this.#filled
    const isLittle = this.#isLittle
    const fractionsPerUs = this.#fractionsPerUs
    const onFrame = this.#onFrame
    let frames = 0
    let at = from
    while (at + RECORD_OCTETS <= filled) {
      const captured = view.getUint32(at + CAPTURED_AT, isLittle)
      if (captured > MAX_CAPTURED_OCTETS) {
        this.#fault = 'record-length'
        at = filled
        break
      }
      const begin = at + RECORD_OCTETS
      if (begin + captured > filled) break
      const fraction = view.getUint32(at + FRACTION_AT, isLittle) / fractionsPerUs
      const timeUs = view.getUint32(at, isLittle) * US_PER_S + fraction
      at = begin + captured
      frames++
      onFrame(view, begin, at, timeUs, linkType)
    }
    this.#frames += frames
    return at
  }

  #readHeader(): number | undefined {
    const magic = this.#view.getUint32(0, true)
    if (magic === PCAPNG) this.#fault = 'pcapng is not read yet'
    else if ((magic & GZIP_MASK) === GZIP) this.#fault = 'gzip is not read yet'
    else if (![MICRO_LITTLE, NANO_LITTLE, MICRO_BIG, NANO_BIG].includes(magic))
      this.#fault = 'not-pcap'
    if (this.#fault !== undefined) return undefined
    this.#isLittle = magic === MICRO_LITTLE || magic === NANO_LITTLE
    this.#fractionsPerUs = magic === NANO_LITTLE || magic === NANO_BIG ? NS_PER_US : 1
    return this.#view.getUint32(LINK_TYPE_AT, this.#isLittle) & LINK_TYPE_MASK
  }
}
