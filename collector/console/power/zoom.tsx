import type { RefObject } from 'preact'
import { useEffect, useState } from 'preact/hooks'

const STEP = 1.25
const LEAST = 0.2
const MOST = 2
/** The drawing fits itself to the page, but not so small that it cannot be read, nor larger than it is. */
const LEAST_FITTED = 0.7
const MOST_FITTED = 1.15

export interface Zoom {
  readonly scale: number
  readonly by: (factor: number) => void
  readonly fit: () => void
}

/** How large the drawing is shown; fitted to the width of its frame until somebody chooses. */
export function useZoom(frame: RefObject<HTMLDivElement | null>, width: number): Zoom {
  const [chosen, setChosen] = useState<number>()
  const [room, setRoom] = useState(0)
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    const observer = new ResizeObserver(() => {
      setRoom(element.clientWidth)
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
    }
  }, [frame])
  const whole = room === 0 || width === 0 ? 1 : room / width
  const scale = chosen ?? Math.min(MOST_FITTED, Math.max(LEAST_FITTED, whole))
  return {
    scale,
    by: (factor) => {
      setChosen(Math.min(MOST, Math.max(LEAST, scale * factor)))
    },
    fit: () => {
      setChosen(Math.min(MOST, Math.max(LEAST, whole)))
    },
  }
}

export function ZoomBar({ zoom }: { readonly zoom: Zoom }) {
  return (
    <div class="zoom-bar" role="group" aria-label="Size of the drawing">
      <button
        type="button"
        onClick={() => {
          zoom.by(1 / STEP)
        }}
        aria-label="Smaller"
      >
        −
      </button>
      <button
        type="button"
        onClick={() => {
          zoom.by(STEP)
        }}
        aria-label="Larger"
      >
        +
      </button>
      <button type="button" onClick={zoom.fit}>
        Whole
      </button>
    </div>
  )
}
