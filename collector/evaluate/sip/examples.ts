/** A few of many, for a sentence that can be read. */

const NAMED = 3
const BETWEEN = ', '

/** The newest first; '' for none so far. */
export function withExample(examples: string, newest: string): string {
  const others = examples.split(BETWEEN).filter((one) => one !== '' && one !== newest)
  return [newest.replaceAll(',', ' '), ...others].slice(0, NAMED).join(BETWEEN)
}
