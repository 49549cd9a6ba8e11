/** How the line of a row is drawn: its colour says the source, its dashes tell it from the others without colour. */
export interface LineLook {
  readonly colour: 'calls' | 'test' | 'report'
  /** Lengths of line and gap; none for a whole line. */
  readonly dash: readonly number[]
}

const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [10, 3, 2, 3]]
const SAMPLE_WIDTH = 26
const SAMPLE_HEIGHT = 10

/** @param index place of the row within its path */
export function lineLook(source: string, index: number): LineLook {
  const colour = source === 'test' || source === 'report' ? source : 'calls'
  return { colour, dash: DASHES[index % DASHES.length] ?? [] }
}

/** The key to a chart. */
export function LineSample({ look }: { readonly look: LineLook }) {
  return (
    <svg class="line-sample" viewBox={`0 0 ${SAMPLE_WIDTH} ${SAMPLE_HEIGHT}`} aria-hidden="true">
      <line
        class={`line-${look.colour}`}
        x1="1"
        x2={SAMPLE_WIDTH - 1}
        y1={SAMPLE_HEIGHT / 2}
        y2={SAMPLE_HEIGHT / 2}
        stroke-dasharray={look.dash.join(' ')}
      />
    </svg>
  )
}
