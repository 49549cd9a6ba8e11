/** The meter ends at three times the limit; the figure beside it says how much it really is. */
const SCALE_IN_LIMITS = 3
const WIDTH = 96
const HEIGHT = 8

/** A bar with the limit marked on it. The figure and the verdict stand beside it in words. */
export function LossMeter({
  lossRatio,
  limitRatio,
}: {
  readonly lossRatio: number | null
  readonly limitRatio: number
}) {
  const limitX = WIDTH / SCALE_IN_LIMITS
  const share = Math.min(1, Math.max(0, lossRatio ?? 0) / (limitRatio * SCALE_IN_LIMITS))
  const over = (lossRatio ?? 0) > limitRatio
  return (
    <svg class="meter" viewBox={`0 0 ${WIDTH} ${HEIGHT + 4}`} aria-hidden="true">
      <rect class="track" x="0" y="2" width={WIDTH} height={HEIGHT} rx="2" />
      {lossRatio !== null && (
        <rect
          class={over ? 'bar over' : 'bar'}
          x="0"
          y="2"
          width={Math.max(1, share * WIDTH).toFixed(1)}
          height={HEIGHT}
          rx="2"
        />
      )}
      <rect class="mark" x={limitX - 1} y="0" width="2" height={HEIGHT + 4} />
    </svg>
  )
}
