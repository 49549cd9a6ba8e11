import type { RefObject } from 'preact'
import { useEffect } from 'preact/hooks'

const WHEEL_STEP = 1.1

/** Lets a drawing be dragged with the mouse, and zoomed by the wheel with Ctrl held; fingers scroll it by themselves. */
export function usePan(frame: RefObject<HTMLDivElement | null>, zoomBy: (factor: number) => void) {
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    let held: { readonly x: number; readonly y: number } | undefined
    const take = (event: PointerEvent): void => {
      const isOnBox = event.target instanceof Element && event.target.closest('.node') !== null
      if (event.pointerType !== 'mouse' || event.button !== 0 || isOnBox) return
      held = { x: event.clientX + element.scrollLeft, y: event.clientY + element.scrollTop }
    }
    const drag = (event: PointerEvent): void => {
      if (held === undefined) return
      element.scrollTo(held.x - event.clientX, held.y - event.clientY)
      event.preventDefault()
    }
    const drop = (): void => {
      held = undefined
    }
    element.addEventListener('pointerdown', take)
    addEventListener('pointermove', drag)
    addEventListener('pointerup', drop)
    return () => {
      element.removeEventListener('pointerdown', take)
      removeEventListener('pointermove', drag)
      removeEventListener('pointerup', drop)
    }
  }, [frame])
  useEffect(() => {
    const element = frame.current
    if (element === null) return
    const turn = (event: WheelEvent): void => {
      if (!event.ctrlKey) return
      event.preventDefault()
      zoomBy(event.deltaY < 0 ? WHEEL_STEP : 1 / WHEEL_STEP)
    }
    element.addEventListener('wheel', turn, { passive: false })
    return () => {
      element.removeEventListener('wheel', turn)
    }
  }, [frame, zoomBy])
}
