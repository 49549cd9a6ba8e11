/** A string of its own: one that is a slice of a batch, kept, would keep the whole batch in memory. */
export function copyOf(text: string): string {
  return text.split('').join('')
}
