const BAR_CELLS = 30
const FULL = '#'
const EMPTY = '.'
const PERCENT = 100
const MIB = 1 << 20
/** Back to the line's begin, and clear it to its end. */
const CLEAR_LINE = '\r\u001B[K'
/** Short work needs no bar. */
const SHOW_AFTER_MS = 500

/** Where it is shown. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): boolean
}

/** How far a long file has been read, in one line on a terminal; nothing where stderr is none. */
export class Progress {
  readonly #terminal: Terminal
  readonly #label: string
  readonly #startMs: number
  #isShown = false

  constructor(terminal: Terminal, label: string, startMs: number) {
    this.#terminal = terminal
    this.#label = label
    this.#startMs = startMs
  }

  show(octets: number, total: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#startMs
    if (this.#terminal.isTTY !== true || total <= 0 || elapsedMs < SHOW_AFTER_MS) return
    this.#isShown = true
    const line = progressLine(this.#label, octets / total, octets, elapsedMs)
    // A line that wraps could not be cleared.
    const { columns = line.length + 1 } = this.#terminal
    this.#terminal.write(CLEAR_LINE + line.slice(0, columns - 1))
  }

  clear(): void {
    if (this.#isShown) this.#terminal.write(CLEAR_LINE)
    this.#isShown = false
  }
}

/** `calls.pcap [#########.....................]  30 %   412 MiB/s   3 s left` */
function progressLine(label: string, share: number, octets: number, elapsedMs: number): string {
  const done = Math.min(1, Math.max(0, share))
  const cells = Math.round(done * BAR_CELLS)
  const bar = FULL.repeat(cells) + EMPTY.repeat(BAR_CELLS - cells)
  const elapsedS = elapsedMs / 1000
  const rate = octets / MIB / elapsedS
  const leftS = done > 0 ? (elapsedS * (1 - done)) / done : 0
  const percent = Math.floor(done * PERCENT)
    .toString()
    .padStart(3)
  return `${label} [${bar}] ${percent} %   ${rate.toFixed(0)} MiB/s   ${Math.ceil(leftS)} s left`
}
