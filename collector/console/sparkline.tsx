import { HISTORY_STEPS, type PathView } from '../http/overview.ts'

const WIDTH = 150
const HEIGHT = 30
const STEP_WIDTH = WIDTH / HISTORY_STEPS
const EDGE = 2
/** The scale reaches at least twice the limit, so that the limit line stands in the middle of a calm path. */
const LEAST_SCALE = 2

/** The loss of the last 15 minutes with its limit drawn; a gap where nothing was measured. */
export function Sparkline({ path: { history, limitRatio } }: { readonly path: PathView }) {
  const highest = Math.max(limitRatio * LEAST_SCALE, ...history.loss.map((ratio) => ratio ?? 0))
  const y = (ratio: number): number =>
    HEIGHT - EDGE - (Math.max(0, ratio) / highest) * (HEIGHT - 2 * EDGE)
  const limitY = y(limitRatio).toFixed(1)
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line class="limit" x1="0" x2={WIDTH} y1={limitY} y2={limitY} />
      <path class="loss" d={line(history.loss, y)} />
    </svg>
  )
}

function line(ratios: readonly (number | null)[], y: (ratio: number) => number): string {
  let d = ''
  let isJoined = false
  for (const [step, ratio] of ratios.entries()) {
    if (ratio !== null) {
      const x = (step * STEP_WIDTH).toFixed(1)
      // a step that stands alone still has the width of its interval
      d += isJoined
        ? `L${x} ${y(ratio).toFixed(1)}`
        : `M${x} ${y(ratio).toFixed(1)}h${STEP_WIDTH.toFixed(1)}`
    }
    isJoined = ratio !== null
  }
  return d
}
