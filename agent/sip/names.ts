import { NameTable } from './name-table.ts'

/** Methods and header names that we know, each a small number; anything else is legal too, and looked up by its text. */

/** In the order of METHODS' numbers. RFC 3261, 3262, 3265, 3311, 3428, 3515, 3903, 6086. */
export const METHODS = [
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'OPTIONS',
  'REGISTER',
  'PRACK',
  'UPDATE',
  'INFO',
  'MESSAGE',
  'NOTIFY',
  'PUBLISH',
  'REFER',
  'SUBSCRIBE',
] as const

/** Numbers of headers that are asked for by name somewhere; with their compact forms. */
const HEADERS = [
  ['call-id', 'i'],
  ['from', 'f'],
  ['to', 't'],
  ['via', 'v'],
  ['cseq'],
  ['contact', 'm'],
  ['content-length', 'l'],
  ['content-type', 'c'],
  ['content-encoding', 'e'],
  ['max-forwards'],
  ['expires'],
  ['route'],
  ['record-route'],
  ['user-agent'],
  ['server'],
  ['subject', 's'],
  ['supported', 'k'],
  ['require'],
  ['refer-to', 'r'],
  ['referred-by', 'b'],
  ['session-expires', 'x'],
  ['event', 'o'],
  ['allow-events', 'u'],
  ['accept-contact', 'a'],
  ['reject-contact', 'j'],
  ['request-disposition', 'd'],
  ['identity', 'y'],
  ['www-authenticate'],
  ['authorization'],
  ['proxy-authenticate'],
  ['proxy-authorization'],
  ['min-expires'],
  ['retry-after'],
  ['reason'],
  ['p-asserted-identity'],
  ['p-preferred-identity'],
  ['remote-party-id'],
  ['diversion'],
  ['history-info'],
  ['rack'],
  ['rseq'],
  ['date'],
  ['replaces'],
] as const
export type HeaderName = (typeof HEADERS)[number][0]

export const OTHER = -1

const METHOD_TABLE = new NameTable(
  METHODS.map((method, number) => [method, number] as const),
  false,
)
const HEADER_TABLE = new NameTable(
  HEADERS.flatMap((names, number) => names.map((name) => [name, number] as const)),
  true,
)
const NUMBERS: ReadonlyMap<string, number> = new Map(
  HEADERS.map(([name], number) => [name, number] as const),
)

export const CONTENT_LENGTH = headerNumber('content-length')

/** The number of the method between `at` and `end`, OTHER when we do not know it. Methods are told with regard to case (7.1). */
export function methodAt(bytes: Uint8Array, at: number, end: number): number {
  return METHOD_TABLE.find(bytes, at, end)
}

/** The number of the header whose name, long or compact, lies between `at` and `end`; OTHER when we do not know it. */
export function headerAt(bytes: Uint8Array, at: number, end: number): number {
  return HEADER_TABLE.find(bytes, at, end)
}

export function headerNumber(name: HeaderName): number {
  return NUMBERS.get(name) ?? OTHER
}
