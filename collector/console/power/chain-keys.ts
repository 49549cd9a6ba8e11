import type { ChainLayout } from './chain-layout.ts'

/** Boxes nearer than this to each other across are in one column. */
const COLUMN = 100

/** Where an arrow key leads from a box: along the lines left and right, within the column up and down; undefined where nowhere. */
export function nextNode(layout: ChainLayout, from: string, key: string): string | undefined {
  switch (key) {
    case 'ArrowRight':
      return nearest(layout, from, layout.neededBy.get(from) ?? [])
    case 'ArrowLeft':
      return nearest(layout, from, layout.needs.get(from) ?? [])
    case 'ArrowDown':
      return inColumn(layout, from, 1)
    case 'ArrowUp':
      return inColumn(layout, from, -1)
    case 'Home':
      return ends(layout)[0]
    case 'End':
      return ends(layout).at(-1)
    default:
      return undefined
  }
}

function nearest({ places }: ChainLayout, from: string, to: readonly string[]): string | undefined {
  const start = places.get(from)
  if (start === undefined) return undefined
  const far = (key: string): number => {
    const place = places.get(key) ?? start
    return Math.abs(place.x - start.x) + Math.abs(place.y - start.y)
  }
  return to.toSorted((a, b) => far(a) - far(b))[0]
}

function inColumn({ places }: ChainLayout, from: string, step: 1 | -1): string | undefined {
  const start = places.get(from)
  if (start === undefined) return undefined
  const found = [...places]
    .filter(
      ([key, { x, y }]) =>
        key !== from && Math.abs(x - start.x) < COLUMN && (y - start.y) * step > 0,
    )
    .sort(([, a], [, b]) => (a.y - b.y) * step)
  return found[0]?.[0]
}

/** By column, then from the top. */
function ends({ places }: ChainLayout): readonly string[] {
  return [...places].sort(([, a], [, b]) => a.x - b.x || a.y - b.y).map(([key]) => key)
}
