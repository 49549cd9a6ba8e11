const FINAL = 0x80
const EXTENSIONS = 0x70
const OPCODE = 0x0f
const MASKED = 0x80
const SHORT_LENGTH = 0x7f
const IS_16_BITS = 126
const IS_64_BITS = 127
const WORD_VALUES = 2 ** 32
const MASK_OCTETS = 4
const CONTROL = 8

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
/** No header is longer. */
export const MAX_HEADER_OCTETS = 14
/** All there is room for in a control frame (RFC 6455 section 5.5). */
export const MAX_CONTROL_OCTETS = 125

/** What stands before the payload of a frame (RFC 6455 section 5.2), filled again and again. */
export class WebSocketFrameHeader {
  isFinal = false
  /** Bits are set that only an extension gives a meaning, such as compression (RFC 7692). */
  hasExtension = false
  opcode = 0
  isMasked = false
  readonly mask = new Uint8Array(MASK_OCTETS)
  /** May be any number below 2^64, and inexact then. */
  payloadOctets = 0

  get isControl(): boolean {
    return this.opcode >= CONTROL
  }

  /** Reads from `at`; returns how many octets the header has, 0 when it goes on behind `end`. */
  read(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < 2) return 0
    const first = bytes[at] ?? 0
    const second = bytes[at + 1] ?? 0
    const short = second & SHORT_LENGTH
    const lengthOctets = short === IS_64_BITS ? 8 : short === IS_16_BITS ? 2 : 0
    this.isMasked = (second & MASKED) !== 0
    const maskAt = at + 2 + lengthOctets
    const payloadAt = maskAt + (this.isMasked ? MASK_OCTETS : 0)
    if (payloadAt > end) return 0
    this.isFinal = (first & FINAL) !== 0
    this.hasExtension = (first & EXTENSIONS) !== 0
    this.opcode = first & OPCODE
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, payloadAt - at)
    if (lengthOctets === 0) this.payloadOctets = short
    else if (lengthOctets === 2) this.payloadOctets = view.getUint16(2)
    else this.payloadOctets = view.getUint32(2) * WORD_VALUES + view.getUint32(6)
    for (let index = 0; index < MASK_OCTETS; index++)
      this.mask[index] = this.isMasked ? (bytes[maskAt + index] ?? 0) : 0
    return payloadAt - at
  }

  /** Copies payload and takes the mask off (section 5.3). `from`: how much of the payload came before. */
  unmask(bytes: Uint8Array, at: number, end: number, from: number, into: Uint8Array): void {
    for (let index = 0; index < end - at; index++)
      into[index] = (bytes[at + index] ?? 0) ^ (this.mask[(from + index) % MASK_OCTETS] ?? 0)
  }
}
