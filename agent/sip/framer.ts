import type { SipMessage } from './message.ts'
import { CARRIAGE_RETURN, LINE_FEED, lineFeedIn, trimmedEnd } from './octets.ts'
import { StartLine, prospectOf, type Prospect } from './start-line.ts'
import {
  BAD_CONTENT_LENGTH,
  BODY_TOO_LONG,
  HEAD_TOO_LONG,
  INCOMPLETE,
  IS_SIP,
  LINE_TOO_LONG,
  MAX_BODY_OCTETS,
  MAX_HEAD_OCTETS,
  MAX_LINE_OCTETS,
  NOT_SIP,
  NO_CONTENT_LENGTH,
} from './verdicts.ts'

const FIRST_BUFFER_OCTETS = 2048
/** A buffer larger than this is given back as soon as it is empty. */
const KEPT_BUFFER_OCTETS = 16_384
/** An empty line is found only when its last octet is there; these may have been its first. */
const EMPTY_LINE_REST = 3

/** What comes of a stream. A message is good during the call only. */
export interface MessageSink {
  readonly message: (message: SipMessage) => void
  /** What should have been a message is none; an index into SIP_VERDICTS. */
  readonly refused: (verdict: number) => void
}

/**
 * Cuts the octets of one direction of a connection into messages by their Content-Length (RFC 3261 section 18.3). Where that is not
 * to be had, or octets are missing, it goes on at the next line that is a start line. Holds at most one message, of bounded length.
 */
export class SipFramer {
  readonly #message: SipMessage
  readonly #startLine = new StartLine()
  #buffer = Buffer.alloc(0)
  #length = 0
  /** No head ends before this place in the buffer. */
  #searched = 0
  /** No line ends before this place, of the line the buffer begins with; octet by octet it would be looked through again and again. */
  #lineSearched = 0
  #prospect: Prospect = 'token'
  /** The buffer begins with a start line. */
  #hasStartLine = false
  /** Length of the message the buffer begins with, once known. */
  #wanted = 0
  #isLost = false
  /** While lost: the octets at hand begin within a line. */
  #isMidLine = false

  /** `message` is filled with every message in turn; framers may share one. */
  constructor(message: SipMessage) {
    this.#message = message
  }

  /** Octets of memory held. */
  get held(): number {
    return this.#buffer.length
  }

  /** Whether what comes next is the beginning of a message. */
  get isBetweenMessages(): boolean {
    return this.#length === 0 && !this.#isLost
  }

  push(bytes: Uint8Array, sink: MessageSink): void {
    if (this.#length === 0) {
      this.#keep(bytes, this.#take(bytes, bytes.length, sink), bytes.length)
      return
    }
    this.#append(bytes)
    if (this.#length < this.#wanted) return
    const length = this.#length
    this.#keep(this.#buffer, this.#take(this.#buffer, length, sink), length)
  }

  /** Octets are missing here: what had begun is given up. */
  lose(sink: MessageSink): void {
    if (this.#length > 0 && !this.#isLost) sink.refused(INCOMPLETE)
    this.#forget()
    this.#isLost = true
    this.#isMidLine = false
  }

  /** Takes whole messages; returns where the rest begins. */
  #take(bytes: Uint8Array, end: number, sink: MessageSink): number {
    this.#wanted = 0
    let at = 0
    for (;;) {
      if (this.#isLost) at = this.#find(bytes, at, end)
      if (this.#isLost) return at
      while (at < end && isLineEnd(bytes[at] ?? 0)) at++
      if (at === end) return end
      const first = this.#hasStartLine ? IS_SIP : this.#firstLine(bytes, at, end)
      if (first === INCOMPLETE) return at
      if (first !== IS_SIP) {
        at = this.#skipLine(first, bytes, at, end, sink)
        continue
      }
      this.#hasStartLine = true
      const headEnd = headEndIn(bytes, Math.max(at, this.#searched), end)
      this.#searched = Math.max(at, (headEnd < 0 ? end : headEnd) - EMPTY_LINE_REST)
      if ((headEnd < 0 ? end : headEnd) - at > MAX_HEAD_OCTETS) {
        // The next message may begin within what was taken for a head.
        at = this.#skipLine(HEAD_TOO_LONG, bytes, at, end, sink)
        continue
      }
      if (headEnd < 0) return at
      const verdict = this.#readHead(bytes, at, headEnd)
      if (verdict !== IS_SIP) {
        this.#refuse(verdict, sink)
        at = headEnd
        continue
      }
      const messageEnd = headEnd + (this.#message.contentLength ?? 0)
      if (messageEnd > end) {
        this.#wanted = messageEnd - at
        return at
      }
      this.#message.end = messageEnd
      this.#beginLine()
      sink.message(this.#message)
      at = messageEnd
    }
  }

  #readHead(bytes: Uint8Array, at: number, headEnd: number): number {
    const verdict = this.#message.parseHead(bytes, at, headEnd)
    if (verdict !== IS_SIP) return verdict
    const length = this.#message.contentLength
    if (length === undefined) return NO_CONTENT_LENGTH
    if (length < 0) return BAD_CONTENT_LENGTH
    return length > MAX_BODY_OCTETS ? BODY_TOO_LONG : IS_SIP
  }

  #firstLine(bytes: Uint8Array, at: number, end: number): number {
    const from = Math.max(at, this.#lineSearched)
    const lineFeed = lineFeedIn(bytes, from, Math.min(end, at + MAX_LINE_OCTETS))
    if (lineFeed >= 0) return this.#startLine.read(bytes, at, trimmedEnd(bytes, at, lineFeed))
    if (!this.#mayBegin(bytes, at, end)) return NOT_SIP
    return end - at >= MAX_LINE_OCTETS ? LINE_TOO_LONG : INCOMPLETE
  }

  /** Whether a line that has no end yet may become a start line. */
  #mayBegin(bytes: Uint8Array, at: number, end: number): boolean {
    if (this.#prospect === 'token')
      this.#prospect = prospectOf(bytes, at, end, Math.max(at, this.#lineSearched))
    this.#lineSearched = end
    return this.#prospect !== 'none'
  }

  /** Another line is looked at from here on. */
  #beginLine(): void {
    this.#lineSearched = 0
    this.#prospect = 'token'
    this.#hasStartLine = false
  }

  #refuse(verdict: number, sink: MessageSink): void {
    this.#beginLine()
    sink.refused(verdict)
    this.#isLost = true
    this.#isMidLine = false
  }

  /** Gives up what begins at `at`; returns where the next line begins. */
  #skipLine(
    verdict: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    sink: MessageSink,
  ): number {
    this.#refuse(verdict, sink)
    const lineFeed = lineFeedIn(bytes, at, end)
    this.#isMidLine = lineFeed < 0
    return lineFeed < 0 ? end : lineFeed + 1
  }

  /** The next start line from `at` on; when there is none yet, where the last line begins, and it stays lost. */
  #find(bytes: Uint8Array, at: number, end: number): number {
    let from = at
    for (;;) {
      const lineFeed = lineFeedIn(bytes, Math.max(from, this.#lineSearched), end)
      if (lineFeed < 0) return this.#awaitLine(bytes, from, end)
      this.#beginLine()
      const isWhole = !this.#isMidLine
      this.#isMidLine = false
      const lineEnd = trimmedEnd(bytes, from, lineFeed)
      if (isWhole && this.#startLine.read(bytes, from, lineEnd) === IS_SIP) {
        this.#isLost = false
        return from
      }
      from = lineFeed + 1
    }
  }

  #awaitLine(bytes: Uint8Array, from: number, end: number): number {
    if (from === end) return end
    const mayBegin = this.#mayBegin(bytes, from, end) && end - from <= MAX_LINE_OCTETS
    if (mayBegin && !this.#isMidLine) return from
    this.#isMidLine = true
    this.#beginLine()
    return end
  }

  #append(bytes: Uint8Array): void {
    const length = this.#length + bytes.length
    if (length > this.#buffer.length) this.#grow(Math.max(length, this.#wanted))
    this.#buffer.set(bytes, this.#length)
    this.#length = length
  }

  #grow(octets: number): void {
    let capacity = Math.max(FIRST_BUFFER_OCTETS, this.#buffer.length)
    while (capacity < octets) capacity *= 2
    const buffer = Buffer.alloc(capacity)
    buffer.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = buffer
  }

  /** Keeps what begins at `at`, at the beginning of the buffer. */
  #keep(bytes: Uint8Array, at: number, end: number): void {
    if (at === end) {
      this.#forget()
      return
    }
    this.#searched = Math.max(0, this.#searched - at)
    this.#lineSearched = Math.max(0, this.#lineSearched - at)
    const length = end - at
    if (bytes === this.#buffer) this.#buffer.copyWithin(0, at, end)
    else {
      this.#length = 0
      if (length > this.#buffer.length) this.#grow(Math.max(length, this.#wanted))
      this.#buffer.set(bytes.subarray(at, end))
    }
    this.#length = length
  }

  #forget(): void {
    if (this.#buffer.length > KEPT_BUFFER_OCTETS) this.#buffer = Buffer.alloc(0)
    this.#length = 0
    this.#searched = 0
    this.#wanted = 0
    this.#beginLine()
  }
}

function isLineEnd(octet: number): boolean {
  return octet === LINE_FEED || octet === CARRIAGE_RETURN
}

/** Behind the empty line that ends a head, or -1. A line feed alone is taken for a line's end. */
function headEndIn(bytes: Uint8Array, at: number, end: number): number {
  for (let index = at; index < end; index++) {
    if (bytes[index] !== LINE_FEED) continue
    if (bytes[index + 1] === LINE_FEED && index + 1 < end) return index + 2
    if (bytes[index + 1] === CARRIAGE_RETURN && bytes[index + 2] === LINE_FEED && index + 2 < end)
      return index + 3
  }
  return -1
}
