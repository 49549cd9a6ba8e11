import type { Line } from './chain-layout.ts'
import type { Look } from './power-words.ts'

interface Props {
  readonly line: Line
  /** Of what it comes from. */
  readonly look: Look
  /** It would carry nothing if the chosen one failed. */
  readonly isLost: boolean
}

/** From what is needed to who needs it: whole where it must be there, dashed where one of several will do. */
export function ChainLine({ line, look, isLost }: Props) {
  const choice = line.isChoice ? ' choice' : ''
  return <path class={`wire look-${look}${choice}${isLost ? ' lost' : ''}`} d={line.d} />
}
