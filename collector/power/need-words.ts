import type { Need } from '../topology/dependency.ts'

/** More names than this in a row are counted, not read. */
const MAX_NAMES = 6

/** What something needs, as a person says it: "mains-a or ups-1-battery", "sw-1 and (trunk-a or trunk-b)". */
export function needWords(needs: readonly Need[]): string {
  return joined(needs, 'and', false)
}

function wordsOf(need: Need, isInside: boolean): string {
  if (typeof need === 'string') return need
  if ('any' in need) return joined(need.any, 'or', isInside)
  if ('all' in need) return joined(need.all, 'and', isInside)
  if ('path' in need) return `a way from ${need.path.from} to ${need.path.to}`
  return `${need.atLeast} of ${need.of.length}: ${listed(need.of.map((part) => wordsOf(part, true)))}`
}

function joined(needs: readonly Need[], word: 'and' | 'or', isInside: boolean): string {
  const [only] = needs
  if (only !== undefined && needs.length === 1) return wordsOf(only, isInside)
  const parts = needs.map((need) => wordsOf(need, true))
  const more = parts.length - MAX_NAMES
  const text =
    more > 0
      ? `${parts.slice(0, MAX_NAMES).join(', ')} ${word} ${more} more`
      : parts.join(` ${word} `)
  return isInside ? `(${text})` : text
}

function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(', ')
}
