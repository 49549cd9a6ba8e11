import type { PathView } from '../http/overview.ts'

/** What the history of the overview covers. */
export const HISTORY_MS = 15 * 60 * 1000
const STEP_MS = 10_000
const WIDTH = 150
const HEIGHT = 30
const STEP_WIDTH = (STEP_MS / HISTORY_MS) * WIDTH
const EDGE = 2
/** The scale reaches at least twice the limit, so that the limit line stands in the middle of a calm path. */
const LEAST_SCALE = 2

/** The last 15 minutes of a path with its limit drawn; a gap where nothing was measured. */
export function Sparkline({ path, atMs }: { readonly path: PathView; readonly atMs: number }) {
  const highest = Math.max(
    path.limitRatio * LEAST_SCALE,
    ...path.history.map(([, ratio]) => ratio ?? 0),
  )
  const y = (ratio: number): number =>
    HEIGHT - EDGE - (Math.max(0, ratio) / highest) * (HEIGHT - 2 * EDGE)
  const x = (ms: number): number => ((ms - atMs + HISTORY_MS) / HISTORY_MS) * WIDTH
  const limitY = y(path.limitRatio).toFixed(1)
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <line class="limit" x1="0" x2={WIDTH} y1={limitY} y2={limitY} />
      <path class="loss" d={line(path.history, x, y)} />
    </svg>
  )
}

function line(
  history: PathView['history'],
  x: (ms: number) => number,
  y: (ratio: number) => number,
): string {
  let d = ''
  let lastMs = -Infinity
  for (const [ms, ratio] of history) {
    if (ratio === null) continue
    const joined = ms - lastMs <= STEP_MS
    // a step that stands alone still has the width of its interval
    d += joined
      ? `L${x(ms).toFixed(1)} ${y(ratio).toFixed(1)}`
      : `M${x(ms).toFixed(1)} ${y(ratio).toFixed(1)}h${STEP_WIDTH}`
    lastMs = ms
  }
  return d
}
