import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { PathView } from '../http/overview.ts'
import { limitPercent, percent } from './format.ts'
import { HISTORY_MS } from './sparkline.tsx'
import { useTheme, type Theme } from './theme.tsx'
import { localTime } from './time.tsx'
import { pathName } from './verdict.ts'
import './path-chart.css'

const SECOND_MS = 1000
const STEP_MS = 10_000
const HEIGHT = 170
const AXIS_WIDTH = 56
const AXIS_HEIGHT = 28
const LIMIT_WIDTH = 1.5
const LIMIT_DASH = [6, 4]
const FONT = '12px system-ui, sans-serif'
/** The scale reaches at least twice the limit. */
const LEAST_SCALE = 2

interface Props {
  readonly path: PathView
  readonly atMs: number
}

/** Loss of one path over the last 15 minutes, read with the pointer or with the arrow keys; the same figures as a table below. */
export function PathChart({ path, atMs }: Props) {
  const root = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [read, setRead] = useState<number | null>(null)
  const theme = useTheme()
  const steps = everyStep(path, atMs)
  const limit = limitPercent(path.limitRatio)

  useEffect(() => {
    const element = root.current
    if (!element) return
    const made = new uPlot(
      options(element.clientWidth, path.limitRatio, theme, setRead),
      [[], []],
      element,
    )
    plot.current = made
    const watch = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT })
    })
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [theme, path.limitRatio])

  useEffect(() => {
    plot.current?.setData([
      steps.map(([ms]) => ms / SECOND_MS),
      steps.map(([, ratio]) => (ratio === null ? null : Math.max(0, ratio) * 100)),
    ])
  }, [theme, path.limitRatio, path.history, atMs])

  const last = steps.length - 1
  const move = (event: KeyboardEvent): void => {
    const chart = plot.current
    const target = keyTarget(event.key, read ?? last, last)
    const second = target === undefined ? undefined : chart?.data[0][target]
    if (!chart || second === undefined) return
    event.preventDefault()
    chart.setCursor({ left: chart.valToPos(second, 'x'), top: 0 })
  }

  const step = read === null ? undefined : steps[read]
  return (
    <figure class="chart">
      <figcaption>
        <span>
          Loss of {pathName(path)}, last 15 minutes, limit {limit}
        </span>
        <span class="read-out">{step && stepWords(step, path.limitRatio, atMs)}</span>
      </figcaption>
      <div
        ref={root}
        class="plot"
        role="slider"
        tabIndex={0}
        onKeyDown={move}
        aria-label={`Loss of ${pathName(path)} over the last 15 minutes. ${summary(steps, path.limitRatio)}`}
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={read ?? last}
        aria-valuetext={stepWords(step ?? steps[last], path.limitRatio, atMs)}
      />
      <Figures steps={steps} limitRatio={path.limitRatio} atMs={atMs} />
    </figure>
  )
}

type Step = PathView['history'][number]

function Figures({
  steps,
  limitRatio,
  atMs,
}: {
  readonly steps: readonly Step[]
  readonly limitRatio: number
  readonly atMs: number
}) {
  const [open, setOpen] = useState(false)
  return (
    <details
      class="figures"
      onToggle={(event) => {
        setOpen(event.currentTarget.open)
      }}
    >
      <summary>The same as figures</summary>
      {open && (
        <ol reversed>
          {steps.toReversed().map((step) => (
            <li key={step[0]}>{stepWords(step, limitRatio, atMs)}</li>
          ))}
        </ol>
      )}
    </details>
  )
}

/** Every step of the last 15 minutes: those the history leaves out were not measured. */
function everyStep(path: PathView, atMs: number): readonly Step[] {
  const known = new Map(path.history.map(([ms, ratio]) => [Math.floor(ms / STEP_MS), ratio]))
  const last = Math.max(Math.floor(atMs / STEP_MS), ...known.keys())
  const steps: Step[] = []
  for (let step = last - HISTORY_MS / STEP_MS + 1; step <= last; step++)
    steps.push([step * STEP_MS, known.get(step) ?? null])
  return steps
}

function keyTarget(key: string, current: number, last: number): number | undefined {
  switch (key) {
    case 'ArrowLeft':
      return Math.max(0, current - 1)
    case 'ArrowRight':
      return Math.min(last, current + 1)
    case 'Home':
      return 0
    case 'End':
      return last
    default:
      return undefined
  }
}

/** "03:12:10  8.1 %, over" */
function stepWords(step: Step | undefined, limitRatio: number, atMs: number): string {
  if (step === undefined) return ''
  const [ms, ratio] = step
  const words =
    ratio === null
      ? 'nothing measured'
      : `${percent(ratio, limitRatio)}${ratio > limitRatio ? ', over' : ''}`
  return `${localTime(ms, atMs)}  ${words}`
}

function summary(steps: readonly Step[], limitRatio: number): string {
  const measured = steps.flatMap(([, ratio]) => (ratio === null ? [] : [ratio]))
  if (measured.length === 0) return 'Nothing measured in the last 15 minutes.'
  const over = measured.filter((ratio) => ratio > limitRatio).length
  return `Highest loss ${percent(Math.max(...measured), limitRatio)}; ${over} of ${measured.length} measured intervals over ${limitPercent(limitRatio)}.`
}

function options(
  width: number,
  limitRatio: number,
  theme: Theme,
  onRead: (index: number | null) => void,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: theme.text,
    font: FONT,
    grid: { stroke: theme.grid, width: 1 },
    ticks: { show: false },
  }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true },
      y: {
        range: (_plot, _least, highest) => [0, Math.max(limitRatio * 100 * LEAST_SCALE, highest)],
      },
    },
    axes: [
      {
        ...axis,
        size: AXIS_HEIGHT,
        values: (_plot, seconds) =>
          seconds.map((second) => localTime(second * SECOND_MS, second * SECOND_MS).slice(0, 5)),
      },
      {
        ...axis,
        size: AXIS_WIDTH,
        values: (_plot, values) => values.map((value) => `${value}\u00a0%`),
      },
    ],
    series: [
      {},
      {
        stroke: theme.line,
        fill: theme.fill,
        width: 2,
        spanGaps: false,
        points: { size: 4, fill: theme.line },
      },
    ],
    hooks: {
      draw: [
        (chart) => {
          drawLimit(chart, limitRatio * 100, theme.limit)
        },
      ],
      setCursor: [
        (chart) => {
          onRead(chart.cursor.idx ?? null)
        },
      ],
    },
  }
}

function drawLimit(chart: uPlot, limit: number, colour: string): void {
  const { ctx, bbox } = chart
  const y = Math.round(chart.valToPos(limit, 'y', true))
  ctx.save()
  ctx.strokeStyle = colour
  ctx.lineWidth = LIMIT_WIDTH * devicePixelRatio
  ctx.setLineDash(LIMIT_DASH.map((length) => length * devicePixelRatio))
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}
