/** What a pcapng section says of one interface (draft-ietf-opsawg-pcapng section 4.2). */

/** Option codes. */
const END_OF_OPTIONS = 0
const IF_NAME = 2
const IF_TSRESOL = 9
const IF_TSOFFSET = 14
const OPTION_OCTETS = 4
const OPTION_UNIT = 4
const MAX_NAME_OCTETS = 256

const WORD = 2 ** 32
const US_PER_S = 1_000_000
/** The resolution is a power of 2 when this bit is set, else of 10. */
const BINARY_RESOLUTION = 0x80
const EXPONENT_MASK = 0x7f
/** Up to here the arithmetic below is exact. */
const MAX_EXACT_UNITS_PER_US = 2 ** 21

export class PcapngInterface {
  readonly linkType: number
  name: string | undefined
  /** Frames the capturer lost here since it began; undefined while nobody has said. */
  drops: number | undefined
  #unitsPerUs = 1
  #usPerUnit = 1
  #offsetUs = 0

  constructor(linkType: number) {
    this.linkType = linkType
  }

  /** Reads the options of its description block. */
  readOptions(view: DataView, from: number, end: number, isLittle: boolean): void {
    readOptions(view, from, end, isLittle, (code, at, length) => {
      if (code === IF_NAME) {
        const octets = new Uint8Array(
          view.buffer,
          view.byteOffset + at,
          Math.min(length, MAX_NAME_OCTETS),
        )
        this.name = new TextDecoder().decode(octets)
      } else if (code === IF_TSRESOL && length >= 1) this.#setResolution(view.getUint8(at))
      else if (code === IF_TSOFFSET && length >= 2 * OPTION_UNIT) {
        const high = view.getInt32(isLittle ? at + OPTION_UNIT : at, isLittle)
        const low = view.getUint32(isLittle ? at : at + OPTION_UNIT, isLittle)
        this.#offsetUs = (high * WORD + low) * US_PER_S
      }
    })
  }

  /** From a time in two halves, in units of this interface, to microseconds since 1970. */
  timeUs(high: number, low: number): number {
    const units = this.#unitsPerUs
    if (units === 1) return high * WORD + low + this.#offsetUs
    if (units === 0) return (high * WORD + low) * this.#usPerUnit + this.#offsetUs
    // The two halves do not fit a double: what divides out of the high one goes first, so that there is one rounding, at the end.
    const whole = Math.floor(high / units)
    return whole * WORD + ((high - whole * units) * WORD + low) / units + this.#offsetUs
  }

  #setResolution(octet: number): void {
    const base = (octet & BINARY_RESOLUTION) === 0 ? 10 : 2
    const exponent = octet & EXPONENT_MASK
    const unitsPerUs = base ** exponent / US_PER_S
    const isExact = Number.isInteger(unitsPerUs) && unitsPerUs <= MAX_EXACT_UNITS_PER_US
    this.#unitsPerUs = isExact ? unitsPerUs : 0
    this.#usPerUnit = US_PER_S / base ** exponent
  }
}

/** Calls `onOption` for each option between `from` and `end`, with the place and length of its value. */
export function readOptions(
  view: DataView,
  from: number,
  end: number,
  isLittle: boolean,
  onOption: (code: number, at: number, length: number) => void,
): void {
  for (let at = from; at + OPTION_OCTETS <= end;) {
    const code = view.getUint16(at, isLittle)
    const length = view.getUint16(at + 2, isLittle)
    const valueAt = at + OPTION_OCTETS
    if (code === END_OF_OPTIONS || valueAt + length > end) return
    onOption(code, valueAt, length)
    at = valueAt + Math.ceil(length / OPTION_UNIT) * OPTION_UNIT
  }
}
