/** Longest word and most words in a line that NUT's own parser takes (parseconf.h). */
const MAX_WORD_LENGTH = 512
const MAX_WORDS = 32

/**
 * Splits a line of the NUT protocol into words: white space separates, quotes keep together, a backslash makes the next
 * character plain.
 * @returns undefined for a line that ends within quotes or after a backslash, or beyond NUT's own limits
 */
export function splitWords(line: string): readonly string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quoted = false
  for (let i = 0; i < line.length; i++) {
    let character = line.charAt(i)
    if (character === '"') {
      quoted = !quoted
      word ??= ''
      continue
    }
    if (!quoted && (character === ' ' || character === '\t')) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    if (character === '\\') {
      i++
      character = line.charAt(i)
      if (character === '') return undefined
    }
    word = (word ?? '') + character
    if (word.length > MAX_WORD_LENGTH) return undefined
  }
  if (quoted) return undefined
  if (word !== undefined) words.push(word)
  return words.length <= MAX_WORDS ? words : undefined
}

/** A word as it may be sent: in quotes, because an open quote of ours would swallow the lines after it. */
export function quoteWord(word: string): string {
  return `"${word.replace(/["\\]/g, '\\$&')}"`
}

/** The server's error word, where that is what it answered. */
export function errorIn(words: readonly string[]): string | undefined {
  return words[0] === 'ERR' ? (words[1] ?? 'ERR') : undefined
}

export function sameWords(words: readonly string[], expected: readonly string[]): boolean {
  return words.length === expected.length && words.every((word, i) => word === expected[i])
}

/** The beginning of what came, for a message. */
export function shown(words: readonly string[]): string {
  const most = 80
  return words.join(' ').slice(0, most)
}
