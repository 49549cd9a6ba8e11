/** A value as a device gave it: a number, text without control characters, or an object identifier as text. */
export type SnmpValue = number | string

/** What a device gave, by object identifier without a leading dot. What it does not have is not in it. */
export type SnmpValues = ReadonlyMap<string, SnmpValue>

const MAX_TEXT_LENGTH = 256
const MAX_COUNTER_64_OCTETS = 9
/** A 32-bit counter that seems to have run through more than half its range between two polls has been set to zero instead. */
const COUNTER_32_RANGE = 2 ** 32

/** Numbers of ASN.1 and SMIv2 (RFC 2578 section 7.1) as they are on the wire. */
const TYPE = {
  null: 5,
  integer: 2,
  octetString: 4,
  objectIdentifier: 6,
  ipAddress: 64,
  counter32: 65,
  gauge32: 66,
  timeTicks: 67,
  counter64: 70,
} as const

/** The value of a varbind, or undefined for an object that is missing or of a type that no device should use. */
export function valueOf(type: number | undefined, value: unknown): SnmpValue | undefined {
  switch (type ?? TYPE.null) {
    case TYPE.integer:
    case TYPE.counter32:
    case TYPE.gauge32:
    case TYPE.timeTicks:
      return Number.isSafeInteger(value) && typeof value === 'number' ? value : undefined
    case TYPE.counter64:
      return Buffer.isBuffer(value) ? counter64Of(value) : undefined
    case TYPE.octetString:
      return Buffer.isBuffer(value) ? textOf(value) : undefined
    case TYPE.objectIdentifier:
    case TYPE.ipAddress:
      return typeof value === 'string' ? value : undefined
    default:
      return undefined
  }
}

export function numberAt(values: SnmpValues, oid: string): number | undefined {
  const value = values.get(oid)
  return typeof value === 'number' ? value : undefined
}

/** Text that says something; agents without a value for a name give an empty one. */
export function textAt(values: SnmpValues, oid: string): string | undefined {
  const value = values.get(oid)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The texts there are, put together; undefined when there is none. */
export function joined(
  between: string,
  ...texts: readonly (string | undefined)[]
): string | undefined {
  const found = texts.filter((text) => text !== undefined)
  return found.length > 0 ? found.join(between) : undefined
}

/** The instances of a column: what follows its identifier, and the value. */
export function columnAt(values: SnmpValues, column: string): ReadonlyMap<string, SnmpValue> {
  const prefix = `${column}.`
  const rows = new Map<string, SnmpValue>()
  for (const [oid, value] of values) {
    if (oid.startsWith(prefix)) rows.set(oid.slice(prefix.length), value)
  }
  return rows
}

export function numbersAt(values: SnmpValues, column: string): readonly number[] {
  return [...columnAt(values, column).values()].filter((value) => typeof value === 'number')
}

/** How far a Counter32 went on (RFC 2578 section 7.1.6), through its wrap or through a restart of the device that set it to zero. */
export function counterRise(before: number, now: number): number {
  if (now >= before) return now - before
  const wrapped = now + COUNTER_32_RANGE - before
  return wrapped < COUNTER_32_RANGE / 2 ? wrapped : now
}

/** Unsigned, of up to eight octets and a leading zero; beyond 2^53 no number is exact, and none is given. */
function counter64Of(octets: Buffer): number | undefined {
  if (octets.length === 0 || octets.length > MAX_COUNTER_64_OCTETS) return undefined
  const number = Number(BigInt(`0x${octets.toString('hex')}`))
  return Number.isSafeInteger(number) ? number : undefined
}

/** UTF-8 where it is that, else Latin-1, which older cards write. */
function textOf(octets: Buffer): string {
  const utf8 = octets.toString('utf8')
  return (utf8.includes('\ufffd') ? octets.toString('latin1') : utf8)
    .replace(/\s*[\u0000-\u001f\u007f-\u009f\u2028\u2029]+\s*/g, ' ')
    .slice(0, MAX_TEXT_LENGTH)
    .replace(/[\ud800-\udbff]$/, '')
    .trim()
}
