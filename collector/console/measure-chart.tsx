import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { HISTORY_STEP_MS, HISTORY_STEPS, type PathView } from '../http/overview.ts'
import { LineSample, lineLook } from './line-look.tsx'
import { stepWords, type Measure } from './measures.ts'
import { rowName } from './sources.ts'
import { useTheme, type Theme } from './theme.tsx'
import { localTime } from './time.tsx'
import { rowKey } from './verdict.ts'

const SECOND_MS = 1000
const HEIGHT = 150
const AXIS_WIDTH = 52
const AXIS_HEIGHT = 26
/** At least so many pixels between two marks. */
const AXIS_SPACE = 24
const LIMIT_WIDTH = 1.25
const LINE_WIDTH = 2
const POINT_SIZE = 5
const FONT = '12px system-ui, sans-serif'
const OUTSIDE = { left: -10, top: -10 }

interface Props {
  readonly measure: Measure
  readonly rows: readonly PathView[]
  readonly historyFromMs: number
  /** The step that is read, in this chart or another one. */
  readonly step: number | null
  readonly onRead: (step: number | null) => void
}

/** One measure of a path over the last 15 minutes, a line for each row that has it. */
export function MeasureChart({ measure, rows, historyFromMs, step, onRead }: Props) {
  const drawn = rows
    .map((row, index) => ({ row, look: lineLook(row.source, index) }))
    .filter(({ row }) => measure.valuesOf(row.history).length > 0)
  const limits = [...new Set(drawn.flatMap(({ row }) => measure.limitOf(row) ?? []))]
  return (
    <figure class="chart">
      <figcaption>
        <strong>{measure.title}</strong>
        {limits.length > 0 && (
          <span class="quiet">limit {limits.map(measure.limitWords).join(', ')}</span>
        )}
      </figcaption>
      {drawn.length === 0 ? (
        <p class="nothing">{measure.missing}</p>
      ) : (
        <>
          <Plot
            key={drawn.map(({ row }) => rowKey(row)).join()}
            measure={measure}
            rows={rows}
            historyFromMs={historyFromMs}
            step={step}
            onRead={onRead}
          />
          <ul class="legend">
            {drawn.map(({ row, look }) => (
              <li key={rowKey(row)}>
                <LineSample look={look} />
                {rowName(row)}
                {measure.title === 'MOS' && `, ${row.mosScale ?? ''}`}{' '}
                <strong>{stepWords(measure, row, step ?? newestStep(measure, row))}</strong>
              </li>
            ))}
          </ul>
        </>
      )}
    </figure>
  )
}

function Plot({ measure, rows, historyFromMs, step, onRead }: Props) {
  const root = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useTheme()
  const drawn = rows
    .map((row, index) => ({ row, index }))
    .filter(({ row }) => measure.valuesOf(row.history).length > 0)
  const limits = [...new Set(drawn.flatMap(({ row }) => measure.limitOf(row) ?? []))].join()
  const looks = drawn.map(({ row, index }) => lineLook(row.source, index))

  useEffect(() => {
    const element = root.current
    if (!element) return
    const made = new uPlot(
      options({
        width: element.clientWidth,
        measure,
        limits: limits === '' ? [] : limits.split(',').map(Number),
        series: looks.map(({ colour, dash }) => ({
          stroke: theme[colour],
          dash: [...dash],
          width: LINE_WIDTH,
          spanGaps: false,
          points: { size: POINT_SIZE, fill: theme[colour], filter: isolatedPoints },
        })),
        theme,
        onRead,
      }),
      [[], ...looks.map(() => [])],
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
  }, [theme, limits])

  const histories = drawn.map(({ row }) => row.history)
  useEffect(() => {
    plot.current?.setData([
      Array.from(
        { length: HISTORY_STEPS },
        (_, index) => (historyFromMs + index * HISTORY_STEP_MS) / SECOND_MS,
      ),
      ...histories.map((history) => [...measure.valuesOf(history)]),
    ])
  }, [theme, limits, historyFromMs, ...histories])

  useEffect(() => {
    const chart = plot.current
    if (!chart || (chart.cursor.idx ?? null) === step) return
    const second = step === null ? undefined : chart.data[0][step]
    const place = second === undefined ? OUTSIDE : { left: chart.valToPos(second, 'x'), top: 0 }
    chart.setCursor(place, false)
  }, [step])

  return <div ref={root} class="plot" />
}

/** The newest step with a value, or the last one. */
function newestStep(measure: Measure, { history }: PathView): number {
  const newest = measure.valuesOf(history).findLastIndex((value) => value !== null)
  return newest < 0 ? HISTORY_STEPS - 1 : newest
}

/** A line needs two ends: a value that stands alone is drawn as a point. */
function isolatedPoints(chart: uPlot, series: number, show: boolean): number[] | null {
  if (show) return null
  const values = chart.data[series] ?? []
  return [...values.keys()].filter(
    (i) => values[i] != null && values[i - 1] == null && values[i + 1] == null,
  )
}

function options({
  width,
  measure,
  limits,
  series,
  theme,
  onRead,
}: {
  readonly width: number
  readonly measure: Measure
  readonly limits: readonly number[]
  readonly series: readonly uPlot.Series[]
  readonly theme: Theme
  readonly onRead: (step: number | null) => void
}): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: theme.text,
    font: FONT,
    grid: { stroke: theme.grid, width: 1 },
    ticks: { show: false },
  }
  const highestLimit = limits.length === 0 ? null : Math.max(...limits)
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: {
      x: { time: true },
      y: {
        range: (_plot, _least, highest) => {
          const [least, most] = measure.scale(highest, highestLimit)
          return [least, most]
        },
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
        space: AXIS_SPACE,
        values: (_plot, values) => values.map(measure.axisWords),
        ...(measure.marks === undefined ? {} : { splits: [...measure.marks] }),
      },
    ],
    series: [{}, ...series],
    hooks: {
      draw: [
        (chart) => {
          for (const limit of limits) drawLimit(chart, limit, theme.limit)
        },
      ],
      init: [
        (chart) => {
          // Only what the pointer does: uPlot moves its cursor by itself too, as when data comes.
          chart.over.addEventListener('mousemove', ({ offsetX }) => {
            onRead(chart.posToIdx(offsetX))
          })
          chart.over.addEventListener('mouseleave', () => {
            onRead(null)
          })
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
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}
