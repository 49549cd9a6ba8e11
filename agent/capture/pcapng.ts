import { PcapngInterface, readOptions } from './pcapng-interface.ts'
import { RecordReader } from './record-reader.ts'

/**
 * The newer capture format (draft-ietf-opsawg-pcapng): blocks, each with its length at both ends.
 *
 *      0       4         8                                                                   length - 4
 *     | type  | length  | ...                                                              | length  |   any block
 *     | 0x0A0D0D0A      | byte order | major, minor | section length (8) | options         |             section header
 *     | 1               | link type (2), 0 (2) | snap length | options                     |             interface
 *     | 6               | interface | time, high | low | captured | original | octets ... |             enhanced packet
 *     | 3               | original | octets ...                                            |             simple packet
 *     | 2               | interface (2), drops (2) | time, high | low | captured | ...     |             packet, obsolete
 *     | 5               | interface | time, high | low | options                           |             statistics
 */

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const PACKET = 2
const SIMPLE_PACKET = 3
const INTERFACE_STATISTICS = 5
const ENHANCED_PACKET = 6

const BLOCK_OCTETS = 8
const TRAILER_OCTETS = 4
const MIN_BLOCK_OCTETS = BLOCK_OCTETS + TRAILER_OCTETS
const MIN_SECTION_OCTETS = 28
/** A block may be larger than any we want, but not more than what Wireshark takes for a block. */
const MAX_BLOCK_OCTETS = 16 << 20
const BYTE_ORDER = 0x1a2b3c4d

const INTERFACE_OPTIONS_AT = 16
const MAX_INTERFACES = 65_536
const TIME_HIGH_AT = 12
const TIME_LOW_AT = 16
const CAPTURED_AT = 20
const ORIGINAL_AT = 24
const FRAME_AT = 28
const PACKET_DROPS_AT = 10
const PACKET_DROPS_UNKNOWN = 0xffff
const STATISTICS_OPTIONS_AT = 20
/** Frames lost for want of room: by the interface, and by the system behind it. */
const ISB_IFDROP = 5
const ISB_OSDROP = 7
const COUNTER_OCTETS = 8
const WORD_OCTETS = 4
const WORD = 2 ** 32

/** In microseconds: later ones do not fit a double, and no packet came after the year 2255. */
const LATEST_US = Number.MAX_SAFE_INTEGER

/** Packets that were in the file and could not be handed on. */
export type SkippedPacket = 'no-time' | 'unknown-interface' | 'bad-block' | 'too-large'

export class PcapngReader extends RecordReader {
  #isLittle = true
  /** Of the section being read. */
  #interfaces: PcapngInterface[] = []
  #earlierDrops: number | undefined
  readonly #skipped = { 'no-time': 0, 'unknown-interface': 0, 'bad-block': 0, 'too-large': 0 }

  /** Frames that whoever captured lost, as far as the file tells; undefined where it does not. */
  get drops(): number | undefined {
    return this.#interfaces.reduce((sum, { drops }) => add(sum, drops), this.#earlierDrops)
  }

  /** Of the section read last, in the order of their numbers. */
  get interfaces(): readonly PcapngInterface[] {
    return this.#interfaces
  }

  /** By reason. A simple packet block bears no time, others one that cannot be, and without one there is nothing to measure. */
  get skipped(): Readonly<Record<SkippedPacket, number>> {
    return this.#skipped
  }

  protected override readRecords(from: number, filled: number): number {
    const view = this.view
    let at = from
    while (at + MIN_BLOCK_OCTETS <= filled) {
      const type = view.getUint32(at, this.#isLittle)
      if (type === SECTION_HEADER) this.#beginSection(at)
      const length = view.getUint32(at + WORD_OCTETS, this.#isLittle)
      if (!this.#isCredible(at, type, length)) return filled
      const end = at + length
      if (end > filled) {
        if (length <= view.byteLength) break
        this.#pass(type, at, filled)
        return end
      }
      const trailer = view.getUint32(end - TRAILER_OCTETS, this.#isLittle)
      if (trailer !== length) {
        this.fail(at, `a block begins with length ${length} and ends with ${trailer}`)
        return filled
      }
      this.#readBlock(type, at, end - TRAILER_OCTETS)
      at = end
    }
    return at
  }

  /** Each section has its own byte order and interfaces. Does no harm when done again. */
  #beginSection(at: number): void {
    this.#earlierDrops = this.drops
    this.#interfaces = []
    this.#isLittle = this.view.getUint32(at + BLOCK_OCTETS, true) === BYTE_ORDER
  }

  #isCredible(at: number, type: number, length: number): boolean {
    const least = type === SECTION_HEADER ? MIN_SECTION_OCTETS : MIN_BLOCK_OCTETS
    if (type === SECTION_HEADER) {
      const order = this.view.getUint32(at + BLOCK_OCTETS, this.#isLittle)
      if (order !== BYTE_ORDER) {
        this.fail(at, `a section header has ${order.toString(16)} for its byte order`)
        return false
      }
    }
    if (length >= least && length <= MAX_BLOCK_OCTETS) return true
    this.fail(at, `a block claims ${length} octets; ${least} to ${MAX_BLOCK_OCTETS} can be`)
    return false
  }

  /** A block too large for the buffer: of an interface what matters is at the beginning. */
  #pass(type: number, at: number, filled: number): void {
    if (type === INTERFACE_DESCRIPTION) this.#addInterface(at, filled)
    else if (type === ENHANCED_PACKET || type === PACKET || type === SIMPLE_PACKET)
      this.#skipped['too-large']++
  }

  #readBlock(type: number, at: number, end: number): void {
    switch (type) {
      case ENHANCED_PACKET:
        this.#readPacket(at, end, this.#interfaces[this.#word(at + BLOCK_OCTETS, end)])
        break
      case INTERFACE_DESCRIPTION:
        this.#addInterface(at, end)
        break
      case INTERFACE_STATISTICS:
        this.#readStatistics(at, end)
        break
      case SIMPLE_PACKET:
        this.#skipped['no-time']++
        break
      case PACKET:
        this.#readOldPacket(at, end)
    }
  }

  #readPacket(at: number, end: number, source: PcapngInterface | undefined): void {
    const begin = at + FRAME_AT
    const captured = this.#word(at + CAPTURED_AT, end)
    if (begin + captured > end) this.#skipped['bad-block']++
    else if (source === undefined) this.#skipped['unknown-interface']++
    else {
      const view = this.view
      const isLittle = this.#isLittle
      const high = view.getUint32(at + TIME_HIGH_AT, isLittle)
      const timeUs = source.timeUs(high, view.getUint32(at + TIME_LOW_AT, isLittle))
      if (Math.abs(timeUs) > LATEST_US) {
        this.#skipped['no-time']++
        return
      }
      const wireOctets = view.getUint32(at + ORIGINAL_AT, isLittle)
      this.frameCount++
      this.onFrame(view, begin, begin + captured, timeUs, source.linkType, wireOctets)
    }
  }

  #readOldPacket(at: number, end: number): void {
    const isWhole = at + FRAME_AT <= end
    const number = isWhole ? this.view.getUint16(at + BLOCK_OCTETS, this.#isLittle) : -1
    const source = this.#interfaces[number]
    if (source !== undefined) {
      const drops = this.view.getUint16(at + PACKET_DROPS_AT, this.#isLittle)
      if (drops !== PACKET_DROPS_UNKNOWN) this.#earlierDrops = add(this.#earlierDrops, drops)
    }
    this.#readPacket(at, end, source)
  }

  #addInterface(at: number, end: number): void {
    if (this.#interfaces.length === MAX_INTERFACES) return
    const isWhole = at + INTERFACE_OPTIONS_AT <= end
    const linkType = isWhole ? this.view.getUint16(at + BLOCK_OCTETS, this.#isLittle) : -1
    const added = new PcapngInterface(linkType)
    added.readOptions(this.view, at + INTERFACE_OPTIONS_AT, end, this.#isLittle)
    this.#interfaces.push(added)
  }

  /** The counters run from the beginning of the capture: the newest block of an interface has it all. */
  #readStatistics(at: number, end: number): void {
    const source = this.#interfaces[this.#word(at + BLOCK_OCTETS, end)]
    if (source === undefined) return
    let drops: number | undefined
    readOptions(
      this.view,
      at + STATISTICS_OPTIONS_AT,
      end,
      this.#isLittle,
      (code, valueAt, length) => {
        if ((code === ISB_IFDROP || code === ISB_OSDROP) && length === COUNTER_OCTETS)
          drops = add(drops, this.#counter(valueAt))
      },
    )
    source.drops = drops ?? source.drops
  }

  #counter(at: number): number {
    const first = this.view.getUint32(at, this.#isLittle)
    const second = this.view.getUint32(at + WORD_OCTETS, this.#isLittle)
    return this.#isLittle ? second * WORD + first : first * WORD + second
  }

  /** A number no block can mean where the block ends before it. */
  #word(at: number, end: number): number {
    return at + WORD_OCTETS <= end ? this.view.getUint32(at, this.#isLittle) : WORD
  }
}

function add(sum: number | undefined, more: number | undefined): number | undefined {
  return more === undefined ? sum : (sum ?? 0) + more
}
