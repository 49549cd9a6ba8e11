import { lasting } from './evaluate/words.ts'

/** Lines of a text for people, as wide as their terminal. */

const MOST = 6
const LABEL_WIDTH = 14
const US_PER_MIN = 60_000_000
const CODES = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const

export type Paint = (text: string, code: keyof typeof CODES) => string

export function painter(isColoured: boolean): Paint {
  return (text, code) => (isColoured ? `\u001b[${CODES[code]}m${text}\u001b[0m` : text)
}

/** The first of them, and how many there are besides. */
export function shortened(items: readonly string[]): readonly string[] {
  const more = items.length - MOST
  return more <= 1 ? items : [...items.slice(0, MOST), `and ${more} more`]
}

/** A label, and behind it what it is about, on as many lines as that takes; none where there is nothing. */
export function wrapped(
  label: string,
  items: readonly string[],
  width: number,
  separator = ', ',
): readonly string[] {
  if (items.length === 0) return []
  const lines: string[] = []
  let line = `  ${label}`.padEnd(LABEL_WIDTH)
  for (const [at, item] of items.entries()) {
    const text = at < items.length - 1 ? `${item}${separator}` : item
    if (line.length + text.trimEnd().length > width && line.trim() !== '' && at > 0) {
      lines.push(line.trimEnd())
      line = ' '.repeat(LABEL_WIDTH)
    }
    line += text
  }
  return [...lines, line.trimEnd()]
}

export function minutes(count: number): string {
  return lasting(Math.floor(count) * US_PER_MIN)
}
