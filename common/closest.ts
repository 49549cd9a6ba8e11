/** A word further away than this share of its length is no typing error. */
const MAX_DISTANCE_SHARE = 0.5

/** The candidate somebody who typed `word` most likely meant, or undefined when none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.ceil(word.length * MAX_DISTANCE_SHARE)
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions and substitutions that turn one word into the other (Levenshtein 1965). */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [row, letter] of Array.from(from).entries()) {
    const current = [row + 1]
    for (const [column, other] of Array.from(to).entries()) {
      const substituted = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      const deleted = (previous[column + 1] ?? 0) + 1
      const inserted = (current[column] ?? 0) + 1
      current.push(Math.min(substituted, deleted, inserted))
    }
    previous = current
  }
  return previous[to.length] ?? 0
}
