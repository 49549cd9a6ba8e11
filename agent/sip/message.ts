import {
  CONTENT_LENGTH,
  METHODS,
  OTHER,
  headerAt,
  headerNumber,
  methodAt,
  type HeaderName,
} from './names.ts'
import {
  CARRIAGE_RETURN,
  COLON,
  LINE_FEED,
  SPACE,
  TAB,
  decimalOf,
  isBlank,
  isDigit,
  isTokenOctet,
  lineFeedIn,
  textOf,
  trimmedEnd,
} from './octets.ts'
import { StartLine, mayBecomeStartLine } from './start-line.ts'
import {
  BAD_CONTENT_LENGTH,
  BODY_TOO_SHORT,
  HEAD_TOO_LONG,
  INCOMPLETE,
  IS_SIP,
  KEEPALIVE,
  LINE_TOO_LONG,
  MAX_HEADERS,
  MAX_HEAD_OCTETS,
  MAX_LINE_OCTETS,
  NOT_SIP,
  TOO_MANY_HEADERS,
} from './verdicts.ts'

/** CRLFCRLF, CRLF (RFC 5626 section 4.4.1), or four octets of nothing, as some phones keep their NAT open. */
const MAX_KEEPALIVE_OCTETS = 4

const CSEQ = headerNumber('cseq')
/** Room for the first row of every header that has a number. */
const HEADER_NUMBERS = 64

const FOLD = /\r?\n[ \t]*/g

/**
 * A SIP message as it lies in its octets (RFC 3261 section 7):
 *
 *   start line CRLF  *( name ":" value CRLF [ SP continued CRLF ] )  CRLF  body
 *
 * parse() finds the lines and reads what framing needs; everything else is made when asked for. One SipMessage is filled again and
 * again: text it gave stays good, itself it is good until the next parse().
 */
export class SipMessage {
  bytes: Uint8Array = new Uint8Array(0)
  /** Where the start line begins, the body begins and the message ends. */
  start = 0
  bodyAt = 0
  end = 0
  headerCount = 0
  /** Undefined when the header is missing, -1 when it says nothing sensible. */
  contentLength: number | undefined
  /** -1 when missing or not a number. */
  cseqNumber = -1
  /** By its number in METHODS, OTHER for one we do not know. */
  cseqMethod = OTHER
  /** Lines among the headers that are none. */
  badLines = 0
  /** The empty line behind the headers is there. */
  hasHeadEnd = false
  /** The capture left off before the message did. */
  isTruncated = false

  readonly #startLine = new StartLine()
  readonly #first = new Int16Array(HEADER_NUMBERS)
  readonly #numbers: Int16Array
  /** Of each row, where its name begins and ends, and its value. */
  readonly #nameAt: Int32Array
  readonly #nameEnd: Int32Array
  readonly #valueAt: Int32Array
  readonly #valueEnd: Int32Array
  #cseqMethodAt = 0
  #cseqMethodEnd = 0

  /** `rows`: as many headers as it has room for. */
  constructor(rows = MAX_HEADERS) {
    this.#numbers = new Int16Array(rows)
    this.#nameAt = new Int32Array(rows)
    this.#nameEnd = new Int32Array(rows)
    this.#valueAt = new Int32Array(rows)
    this.#valueEnd = new Int32Array(rows)
  }

  /**
   * Reads the one message of a datagram, between `at` and `end`. `wireEnd` is where the datagram ended on the wire: the capture may
   * have left off before. Octets behind the body are ignored (RFC 3261 section 18.3). Returns 0 or the index of a reason in
   * SIP_VERDICTS.
   */
  parse(bytes: Uint8Array, at: number, end: number, wireEnd = end): number {
    const head = this.parseHead(bytes, at, end)
    // Many a receiver takes a datagram that ends within its headers, as one without a body.
    const isHeadOnly = head === INCOMPLETE && this.headerCount > 0
    if (head !== IS_SIP && !isHeadOnly) return head
    const length = this.contentLength
    if (length === -1) return BAD_CONTENT_LENGTH
    this.isTruncated = isHeadOnly && wireEnd > end
    if (length === undefined || this.isTruncated) return IS_SIP
    if (this.bodyAt + length > wireEnd) return BODY_TOO_SHORT
    this.isTruncated = this.bodyAt + length > end
    this.end = Math.min(end, this.bodyAt + length)
    return IS_SIP
  }

  /**
   * Reads start line and headers; the body is left to the caller. INCOMPLETE when the empty line behind them has not come: the rows
   * there are can be asked for then.
   */
  parseHead(bytes: Uint8Array, at: number, end: number): number {
    let from = at
    while (from < end && isLineEnd(bytes[from] ?? 0)) from++
    this.#clear(bytes, from, end)
    if (from === end || isNothing(bytes, from, end)) return KEEPALIVE
    const limit = Math.min(end, from + MAX_LINE_OCTETS)
    const lineEnd = lineFeedIn(bytes, from, limit)
    if (lineEnd < 0) {
      if (!mayBecomeStartLine(bytes, from, limit)) return NOT_SIP
      return limit < end ? LINE_TOO_LONG : INCOMPLETE
    }
    const verdict = this.#startLine.read(bytes, from, trimmedEnd(bytes, from, lineEnd))
    if (verdict !== IS_SIP) return verdict
    const rest = this.#readHeaders(bytes, lineEnd + 1, end)
    this.#readCseq(bytes)
    return rest
  }

  /** One that stays good: of its octets its own, and no more room than it needs. */
  copy(): SipMessage {
    const copy = new SipMessage(this.headerCount)
    const bytes = this.bytes.slice(this.start, this.end)
    copy.parse(bytes, 0, bytes.length)
    return copy
  }

  get isRequest(): boolean {
    return this.#startLine.isRequest
  }

  /** Of a response, or 0. */
  get statusCode(): number {
    return this.#startLine.statusCode
  }

  /** Of a request, by its number in METHODS; OTHER for one we do not know, and of a response. */
  get method(): number {
    return this.#startLine.method
  }

  get methodText(): string {
    return this.#startLine.methodText(this.bytes)
  }

  get requestUri(): string {
    return this.isRequest ? this.#startLine.restText(this.bytes) : ''
  }

  /** Where the Request-URI lies. */
  get requestUriAt(): number {
    return this.#startLine.restAt
  }

  get requestUriEnd(): number {
    return this.#startLine.restEnd
  }

  get reasonPhrase(): string {
    return this.isRequest ? '' : this.#startLine.restText(this.bytes)
  }

  get cseqMethodText(): string {
    const known = METHODS[this.cseqMethod]
    return known ?? textOf(this.bytes, this.#cseqMethodAt, this.#cseqMethodEnd)
  }

  /** A view of the octets the message lies in. */
  get body(): Uint8Array {
    return this.bytes.subarray(this.bodyAt, this.end)
  }

  /** The first row of this name, unfolded. */
  header(name: HeaderName): string | undefined {
    const row = this.rowOf(headerNumber(name))
    return row < 0 ? undefined : this.valueText(row)
  }

  /** All rows of this name, unfolded, in order. */
  headers(name: HeaderName): string[] {
    const number = headerNumber(name)
    return this.#rows((row) => this.#numbers[row] === number)
  }

  /** All rows of a name that is not in HeaderName. */
  otherHeaders(name: string): string[] {
    const wanted = name.toLowerCase()
    const isWanted = (row: number) => this.nameText(row).toLowerCase() === wanted
    return this.#rows((row) => this.#numbers[row] === OTHER && isWanted(row))
  }

  /** The first row of the header with this number, -1 when there is none. */
  rowOf(number: number): number {
    return this.#first[number] ?? OTHER
  }

  /** The row of the same header behind this one, -1 when there is none. */
  rowAfter(row: number): number {
    const number = this.#numbers[row]
    for (let next = row + 1; next < this.headerCount; next++)
      if (this.#numbers[next] === number) return next
    return -1
  }

  /** As written: the name may be compact, and in any case. */
  nameText(row: number): string {
    return textOf(this.bytes, this.#nameAt[row] ?? 0, this.#nameEnd[row] ?? 0)
  }

  valueText(row: number): string {
    const text = textOf(this.bytes, this.valueAt(row), this.valueEnd(row))
    return text.includes('\n') ? text.replace(FOLD, ' ') : text
  }

  valueAt(row: number): number {
    return this.#valueAt[row] ?? 0
  }

  valueEnd(row: number): number {
    return this.#valueEnd[row] ?? 0
  }

  #rows(isWanted: (row: number) => boolean): string[] {
    const found: string[] = []
    for (let row = 0; row < this.headerCount; row++)
      if (isWanted(row)) found.push(this.valueText(row))
    return found
  }

  #clear(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.bodyAt = end
    this.end = end
    this.headerCount = 0
    this.contentLength = undefined
    this.cseqNumber = -1
    this.cseqMethod = OTHER
    this.#cseqMethodAt = this.#cseqMethodEnd = end
    this.badLines = 0
    this.hasHeadEnd = false
    this.isTruncated = false
    this.#first.fill(OTHER)
  }

  #readHeaders(bytes: Uint8Array, from: number, end: number): number {
    const limit = Math.min(end, this.start + MAX_HEAD_OCTETS)
    let at = from
    while (at < limit) {
      const first = bytes[at] ?? 0
      if (first === LINE_FEED || (first === CARRIAGE_RETURN && bytes[at + 1] === LINE_FEED)) {
        this.bodyAt = at + (first === LINE_FEED ? 1 : 2)
        this.hasHeadEnd = this.bodyAt <= end
        if (this.hasHeadEnd) return IS_SIP
      }
      const lineEnd = rowEndIn(bytes, at, limit)
      if (lineEnd < 0) break
      if (lineEnd - at > MAX_LINE_OCTETS) return LINE_TOO_LONG
      if (!this.#addRow(bytes, at, lineEnd)) return TOO_MANY_HEADERS
      at = lineEnd + 1
    }
    this.bodyAt = end
    if (limit - at > MAX_LINE_OCTETS) return LINE_TOO_LONG
    return limit < end ? HEAD_TOO_LONG : INCOMPLETE
  }

  /** Notes the header between `at` and the line feed at `lineEnd`; false when there is no more room. */
  #addRow(bytes: Uint8Array, at: number, lineEnd: number): boolean {
    let nameEnd = at
    while (nameEnd < lineEnd && isTokenOctet(bytes[nameEnd] ?? 0)) nameEnd++
    let colon = nameEnd
    while (colon < lineEnd && isBlank(bytes[colon] ?? 0)) colon++
    const row = this.headerCount
    if (row === this.#numbers.length) return false
    if (nameEnd === at || bytes[colon] !== COLON) {
      this.badLines++
      return true
    }
    let valueAt = colon + 1
    while (valueAt < lineEnd && isBlank(bytes[valueAt] ?? 0)) valueAt++
    const number = headerAt(bytes, at, nameEnd)
    this.#numbers[row] = number
    this.#nameAt[row] = at
    this.#nameEnd[row] = nameEnd
    this.#valueAt[row] = valueAt
    this.#valueEnd[row] = trimmedEnd(bytes, valueAt, lineEnd)
    this.headerCount++
    if (number === OTHER) return true
    if (this.#first[number] === OTHER) this.#first[number] = row
    if (number === CONTENT_LENGTH) this.#readContentLength(bytes, row)
    return true
  }

  #readContentLength(bytes: Uint8Array, row: number): void {
    const length = decimalOf(bytes, this.valueAt(row), this.valueEnd(row))
    // Two that differ are two opinions on where the next message begins.
    const isSame = this.contentLength === undefined || this.contentLength === length
    this.contentLength = isSame ? length : -1
  }

  #readCseq(bytes: Uint8Array): void {
    const row = this.rowOf(CSEQ)
    if (row < 0) return
    const end = this.valueEnd(row)
    let at = this.valueAt(row)
    while (at < end && isDigit(bytes[at] ?? 0)) at++
    this.cseqNumber = decimalOf(bytes, this.valueAt(row), at)
    while (at < end && isBlank(bytes[at] ?? 0)) at++
    this.#cseqMethodAt = at
    this.#cseqMethodEnd = end
    this.cseqMethod = methodAt(bytes, at, end)
  }
}

function isLineEnd(octet: number): boolean {
  return octet === LINE_FEED || octet === CARRIAGE_RETURN
}

function isNothing(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at > MAX_KEEPALIVE_OCTETS) return false
  for (let index = at; index < end; index++) {
    const octet = bytes[index] ?? 0
    if (octet !== 0 && !isBlank(octet)) return false
  }
  return true
}

/** The line feed that ends the header at `at`, with the lines that continue it; -1 when it has not come. */
function rowEndIn(bytes: Uint8Array, at: number, end: number): number {
  let lineEnd = lineFeedIn(bytes, at, end)
  while (lineEnd >= 0 && lineEnd + 1 < end) {
    const next = bytes[lineEnd + 1]
    if (next !== SPACE && next !== TAB) break
    lineEnd = lineFeedIn(bytes, lineEnd + 1, end)
  }
  return lineEnd
}
