const TAB = 9
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const SPACE = 32
const QUOTE = 34
const HASH = 35
const COMMA = 44
const EQUALS = 61
const BACKSLASH = 92

/** So much of what came instead is shown in a complaint. */
const QUOTED_LENGTH = 24

/** A place in a text of line protocol, and the ways to move on from it: what the reader of its grammar stands on. */
export abstract class LineCursor {
  protected readonly text: string
  protected at = 0
  /** Counted from 1. */
  protected line = 1
  #complaint = ''

  constructor(text: string) {
    this.text = text
  }

  /** What the last `fail` said, with its column, and its line too where that is not the one the point begins on. */
  protected complaint(pointStart: number, pointLine: number): string {
    return this.#where(pointStart, pointLine) + this.#complaint
  }

  /** Moves over blank lines and comments to the first character of a point; false at the end. */
  protected seekPoint(): boolean {
    const text = this.text
    while (this.at < text.length) {
      const code = text.charCodeAt(this.at)
      if (code === HASH) this.at = this.#lineEnd()
      else if (code === LINE_FEED) this.line++
      else if (code !== SPACE && code !== TAB && code !== CARRIAGE_RETURN) return true
      if (code !== HASH) this.at++
    }
    return false
  }

  /** Moves to the comma or space behind a measurement's name; says whether a backslash stood before one on the way. */
  protected scanName(): boolean {
    return this.#scan(false, false)
  }

  /** Moves to the comma, equals sign or space behind a tag's key or value. */
  protected scanTag(): boolean {
    return this.#scan(true, false)
  }

  /** As with tags, but here InfluxDB takes two backslashes as a pair, so that a comma behind them is bare. */
  protected scanFieldKey(): boolean {
    return this.#scan(true, true)
  }

  protected skipBlanks(): void {
    let code = this.code()
    while (code === SPACE || code === TAB) {
      this.at++
      code = this.code()
    }
  }

  protected atLineEnd(): boolean {
    const text = this.text
    let at = this.at
    while (text.charCodeAt(at) === CARRIAGE_RETURN) at++
    return at >= text.length || text.charCodeAt(at) === LINE_FEED
  }

  /** NaN at the end of the text. */
  protected code(): number {
    return this.text.charCodeAt(this.at)
  }

  protected isNext(expected: string): boolean {
    return expected !== '' && this.text.startsWith(expected, this.at)
  }

  /** The quote that closes a string opened before `start`, or -1. */
  protected stringEnd(start: number): number {
    const text = this.text
    const quote = text.indexOf('"', start)
    if (quote === -1 || text.charCodeAt(quote - 1) !== BACKSLASH) return quote
    for (let at = start; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) return at
      if (code === BACKSLASH) at++
    }
    return -1
  }

  protected countLines(start: number, end: number): void {
    const text = this.text
    for (let at = start; at < end; at++) if (text.charCodeAt(at) === LINE_FEED) this.line++
  }

  /** To the end of a line that could not be read. A line break inside one of its strings does not end it. */
  protected skipLine(inFields: boolean): void {
    const text = this.text
    if (!inFields) {
      this.scanName()
      while (this.code() === COMMA) {
        this.at++
        this.scanName()
      }
    }
    for (; this.at < text.length && this.code() !== LINE_FEED; this.at++) {
      if (this.code() !== QUOTE || text.charCodeAt(this.at - 1) !== EQUALS) continue
      const end = this.stringEnd(this.at + 1)
      if (end === -1) {
        this.at = this.#lineEnd()
        return
      }
      this.countLines(this.at, end)
      this.at = end
    }
  }

  protected fail(expected: string): null {
    const found = this.atLineEnd()
      ? 'the end of the line'
      : JSON.stringify(this.text.slice(this.at, this.at + QUOTED_LENGTH).split('\n', 1)[0])
    this.#complaint = `${expected}, got ${found}`
    return null
  }

  #where(start: number, line: number): string {
    const lineStart = this.text.lastIndexOf('\n', this.at - 1) + 1
    if (lineStart <= start) {
      const pointLineStart = this.text.lastIndexOf('\n', start) + 1
      return `column ${this.at - pointLineStart + 1}: `
    }
    return `line ${this.line} column ${this.at - lineStart + 1} (the point begins on line ${line}): `
  }

  #scan(equalsEnds: boolean, backslashPairs: boolean): boolean {
    const text = this.text
    let at = this.at
    let escaped = false
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at)
      if (code === COMMA || code === SPACE || code === LINE_FEED) break
      if (code === EQUALS && equalsEnds) break
      if (code !== BACKSLASH) continue
      const next = text.charCodeAt(at + 1)
      const special = next === COMMA || next === SPACE || next === EQUALS
      if (!special && !(backslashPairs && (next === BACKSLASH || next === QUOTE))) continue
      escaped = true
      at++
    }
    this.at = Math.min(at, text.length)
    return escaped
  }

  #lineEnd(): number {
    const end = this.text.indexOf('\n', this.at)
    return end === -1 ? this.text.length : end
  }
}

export function isLineBreak(code: number): boolean {
  return code === LINE_FEED || code === CARRIAGE_RETURN
}
