import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { PowerView, ServiceView, WhatIfView } from '../../http/power-view.ts'
import { layOut, serviceKey, shapeOf, type ChainLayout } from './chain-layout.ts'
import { ChainLine } from './chain-line.tsx'
import { ChainNode, componentText, serviceText, type Fate, type NodeText } from './chain-node.tsx'
import { nextNode } from './chain-keys.ts'
import { nameIn, serviceWords } from './power-words.ts'
import { usePan } from './use-pan.ts'
import { ZoomBar, useZoom } from './zoom.tsx'
import './chain.css'

/** Smaller than this only the names can be read, and they are drawn larger. */
const FAR = 0.55

interface Props {
  readonly view: PowerView
  /** The id of a component or service. */
  readonly selected: string | undefined
  /** What happens when the selected one fails; undefined while nobody asked. */
  readonly fate: WhatIfView | undefined
  readonly onSelect: (id: string | undefined) => void
}

interface Item {
  /** Its name in the layout. */
  readonly key: string
  readonly id: string
  readonly isService: boolean
  readonly text: NodeText
}

/** The chain from the mains at the left to the services at the right. */
export function ChainDrawing({ view, selected, fate, onSelect }: Props) {
  const services = drawnServices(view)
  const shape = shapeOf(view.components, services)
  const layout = useMemo(() => layOut(view.components, services), [shape])
  const items = itemsOf(view)
  const frame = useRef<HTMLDivElement>(null)
  const zoom = useZoom(frame, layout.width)
  usePan(frame, zoom.by)
  const [focused, setFocused] = useState<string>()
  const entry = items.some(({ key }) => key === focused) ? focused : items[0]?.key
  const selectedKey = items.find(({ id }) => id === selected)?.key

  useEffect(() => {
    if (selectedKey !== undefined) scrollTo(frame.current, layout, selectedKey, zoom.scale)
  }, [selectedKey, layout])

  const onKeyDown = (event: KeyboardEvent): void => {
    const key = keyOf(event.target)
    if (key === undefined) return
    if (event.key === 'Enter' || event.key === ' ') {
      onSelect(items.find((item) => item.key === key)?.id)
      event.preventDefault()
    } else if (event.key === 'Escape') {
      onSelect(undefined)
    } else {
      const next = nextNode(layout, key, event.key)
      if (next === undefined) return
      event.preventDefault()
      setFocused(next)
      frame.current?.querySelector<SVGGElement>(`[data-node="${CSS.escape(next)}"]`)?.focus()
    }
  }

  return (
    <div class="chain">
      <ZoomBar zoom={zoom} />
      <div class="frame" ref={frame}>
        <svg
          class={zoom.scale < FAR ? 'drawing far' : 'drawing'}
          width={layout.width * zoom.scale}
          height={layout.height * zoom.scale}
          viewBox={`0 0 ${layout.width} ${layout.height}`}
          role="group"
          aria-label="The chain from the mains to the services. Arrow keys move along it, Enter shows what stops when one fails. The tables below say the same."
          onKeyDown={onKeyDown}
        >
          <Patterns />
          {layout.lines.map((line) => (
            <ChainLine
              key={`${line.from} ${line.to}`}
              line={line}
              look={items.find(({ key }) => key === line.from)?.text.look ?? 'unknown'}
              isLost={isLost(fate, line.from)}
            />
          ))}
          {items.map(({ key, id, isService, text }) => {
            const place = layout.places.get(key)
            if (place === undefined) return null
            return (
              <ChainNode
                key={key}
                name={key}
                place={place}
                text={text}
                isService={isService}
                isSelected={id === selected}
                isEntry={key === entry}
                fate={fateOf(fate, id, isService)}
                onChoose={() => {
                  onSelect(id === selected ? undefined : id)
                }}
                onFocus={() => {
                  setFocused(key)
                }}
              />
            )
          })}
        </svg>
      </div>
    </div>
  )
}

/** In an order that stays whatever is most urgent: no box moves, and Chromium does not draw anew the style of one that is moved. */
function drawnServices({ services }: PowerView): readonly ServiceView[] {
  return services
    .filter(({ isDrawn }) => isDrawn)
    .toSorted((a, b) => Number(b.isEmergency) - Number(a.isEmergency) || (a.id < b.id ? -1 : 1))
}

function itemsOf(view: PowerView): readonly Item[] {
  const nameOf = nameIn([...view.components, ...view.services])
  const fresh = new Set(view.singlePoints.filter(({ isNew }) => isNew).map(({ id }) => id))
  return [
    ...view.components.map((component) => ({
      ...{ key: component.id, id: component.id, isService: false },
      text: componentText(component, fresh.has(component.id)),
    })),
    ...drawnServices(view).map((service) => ({
      ...{ key: serviceKey(service.id), id: service.id, isService: true },
      text: serviceText(service, serviceWords(service, nameOf)),
    })),
  ]
}

function fateOf(fate: WhatIfView | undefined, id: string, isService: boolean): Fate {
  if (fate === undefined) return 'none'
  if (isService) {
    if (fate.stopped.includes(id)) return 'dies'
    return fate.oneLeg.some(({ service }) => service === id) ? 'one-leg' : 'spared'
  }
  if (fate.fail.includes(id)) return 'chosen'
  return fate.components.includes(id) ? 'dies' : 'spared'
}

function isLost(fate: WhatIfView | undefined, id: string): boolean {
  return fate !== undefined && (fate.fail.includes(id) || fate.components.includes(id))
}

function keyOf(target: EventTarget | null): string | undefined {
  return target instanceof SVGElement ? target.dataset['node'] : undefined
}

function scrollTo(
  frame: HTMLDivElement | null,
  { places }: ChainLayout,
  key: string,
  scale: number,
): void {
  const place = places.get(key)
  if (frame === null || place === undefined) return
  const [x, y] = [place.x * scale, place.y * scale]
  const isInside =
    x >= frame.scrollLeft &&
    x + 150 * scale <= frame.scrollLeft + frame.clientWidth &&
    y >= frame.scrollTop &&
    y + 60 * scale <= frame.scrollTop + frame.clientHeight
  if (!isInside)
    frame.scrollTo({ left: x - frame.clientWidth / 2 + 75, top: y - frame.clientHeight / 2 + 30 })
}

/** Hatching, which tells in print and without colour what is down and what is unknown. */
function Patterns() {
  return (
    <defs>
      <pattern id="hatch-over" width="7" height="7" patternUnits="userSpaceOnUse">
        <rect class="hatch-over" width="7" height="7" />
        <path class="hatch-over" d="M0 7 L7 0" />
      </pattern>
      <pattern id="hatch-unknown" width="6" height="6" patternUnits="userSpaceOnUse">
        <rect class="hatch-unknown" width="6" height="6" />
        <circle class="hatch-unknown" cx="3" cy="3" r="0.9" />
      </pattern>
    </defs>
  )
}
