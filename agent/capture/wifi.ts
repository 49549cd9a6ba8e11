/** Wi-Fi as captured in monitor mode: where the payload of a data frame begins (IEEE 802.11 section 9.2). */

/**
 * Frame control, least significant octet first: version (2 bits), type (2), subtype (4); then flags. Then duration, three addresses,
 * sequence; a fourth address between two access points; QoS and HT control.
 */
const HEADER_OCTETS = 24
const TYPE_MASK = 0x0f
const TYPE_DATA = 0x08
const SUBTYPE_EMPTY = 0x40
const SUBTYPE_QOS = 0x80
const FLAGS_AT = 1
const BETWEEN_POINTS = 0x03
const FLAG_ENCRYPTED = 0x40
const FLAG_ORDER = 0x80
const ADDRESS_OCTETS = 6
const QOS_OCTETS = 2
const HT_CONTROL_OCTETS = 4
/** Several frames in one. */
const QOS_AGGREGATE = 0x80

/** radiotap.org: version, 0, length (2), which fields are there (4, more when the highest bit is set), the fields; little endian. */
const RADIOTAP_LENGTH_AT = 2
const RADIOTAP_PRESENT_AT = 4
const RADIOTAP_OCTETS = 8
const PRESENT_TIME = 0x01
const PRESENT_FLAGS = 0x02
const PRESENT_MORE = 0x8000_0000
const TIME_OCTETS = 8
/** Of its flags: the header is filled up to a multiple of 4. */
const FLAG_PADDED = 0x20
const WORD_OCTETS = 4
const WORD_MASK = WORD_OCTETS - 1

export const WIFI_TRUNCATED = -1
/** Management, control, nothing in it, or encrypted. */
export const WIFI_NOT_DATA = -2

/** Where the LLC header of the data frame at `offset` begins; or one of the two above. `isPadded`: on a multiple of 4. */
export function wifiPayload(
  view: DataView,
  offset: number,
  end: number,
  isPadded: boolean,
): number {
  if (offset + HEADER_OCTETS > end) return WIFI_TRUNCATED
  const control = view.getUint8(offset)
  const flags = view.getUint8(offset + FLAGS_AT)
  const isData = (control & TYPE_MASK) === TYPE_DATA && (control & SUBTYPE_EMPTY) === 0
  if (!isData || (flags & FLAG_ENCRYPTED) !== 0) return WIFI_NOT_DATA
  let at = offset + HEADER_OCTETS
  if ((flags & BETWEEN_POINTS) === BETWEEN_POINTS) at += ADDRESS_OCTETS
  if ((control & SUBTYPE_QOS) !== 0) {
    if (at + QOS_OCTETS > end) return WIFI_TRUNCATED
    if ((view.getUint8(at) & QOS_AGGREGATE) !== 0) return WIFI_NOT_DATA
    at += QOS_OCTETS + ((flags & FLAG_ORDER) === 0 ? 0 : HT_CONTROL_OCTETS)
  }
  return isPadded ? offset + ((at - offset + WORD_MASK) & ~WORD_MASK) : at
}

/** Where the Wi-Fi frame behind a radiotap header begins; WIFI_TRUNCATED when it was not captured. */
export function radiotapFrame(view: DataView, offset: number, end: number): number {
  if (offset + RADIOTAP_OCTETS > end) return WIFI_TRUNCATED
  const frame = offset + view.getUint16(offset + RADIOTAP_LENGTH_AT, true)
  return frame < offset + RADIOTAP_OCTETS || frame > end ? WIFI_TRUNCATED : frame
}

/** Whether the radiotap header between `offset` and `end` says that the header of the frame behind it is filled up. */
export function isRadiotapPadded(view: DataView, offset: number, end: number): boolean {
  const present = view.getUint32(offset + RADIOTAP_PRESENT_AT, true)
  if ((present & PRESENT_FLAGS) === 0) return false
  let at = offset + RADIOTAP_PRESENT_AT
  while (at + WORD_OCTETS <= end && (view.getUint32(at, true) & PRESENT_MORE) !== 0)
    at += WORD_OCTETS
  at += WORD_OCTETS
  if ((present & PRESENT_TIME) !== 0)
    at = offset + Math.ceil((at - offset) / TIME_OCTETS) * TIME_OCTETS + TIME_OCTETS
  return at < end && (view.getUint8(at) & FLAG_PADDED) !== 0
}
