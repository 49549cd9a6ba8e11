import { useState } from 'preact/hooks'
import { HISTORY_STEP_MS, HISTORY_STEPS, type PathView } from '../http/overview.ts'
import { limitPercent, percent } from './format.ts'
import { Icon } from './icon.tsx'
import { LineSample, lineLook } from './line-look.tsx'
import { MeasureChart } from './measure-chart.tsx'
import { MEASURES, stepWords, type Measure } from './measures.ts'
import { PathHistoryTable } from './path-history-table.tsx'
import { rowName, sourceWords } from './sources.ts'
import { localTime } from './time.tsx'
import { groupVerdict, pathVerdict, rowKey, type PathGroup } from './verdict.ts'
import './path-detail.css'

const LAST = HISTORY_STEPS - 1

interface Props {
  readonly group: PathGroup
  readonly atMs: number
  readonly historyFromMs: number
}

/** Loss, jitter and MOS of a path over the last 15 minutes, read with the pointer or the arrow keys, and how each was measured. */
export function PathDetail({ group, atMs, historyFromMs }: Props) {
  const [step, setStep] = useState<number | null>(null)
  const { name, rows } = group
  const timeOf = (index: number): string => localTime(historyFromMs + index * HISTORY_STEP_MS, atMs)
  const newest = newestStep(rows)
  const move = (event: KeyboardEvent): void => {
    const target = keyTarget(event.key, step ?? newest, newest)
    if (target === undefined) return
    event.preventDefault()
    setStep(target)
  }
  return (
    <div class="detail">
      <Explanations group={group} />
      <div class="detail-head">
        <h3>{name}, last 15 minutes</h3>
        <span class="read-out">{step === null ? 'newest interval' : timeOf(step)}</span>
      </div>
      <div
        class="charts"
        role="slider"
        tabIndex={0}
        onKeyDown={move}
        aria-label={`${name} over the last 15 minutes. ${rows.map(summary).join(' ')} Arrow keys read single intervals.`}
        aria-valuemin={0}
        aria-valuemax={newest}
        aria-valuenow={step ?? newest}
        aria-valuetext={`${timeOf(step ?? newest)}  ${rows.map((row) => allWords(row, step ?? newest, rows.length > 1)).join('; ')}`}
      >
        {MEASURES.map((measure) => (
          <MeasureChart
            key={measure.title}
            measure={measure}
            rows={rows}
            historyFromMs={historyFromMs}
            step={step}
            onRead={setStep}
          />
        ))}
      </div>
      <dl class="how-measured">
        {rows.map((row, index) => (
          <div key={rowKey(row)}>
            <dt>
              <LineSample look={lineLook(row.source, index)} />
              {rowName(row)}
            </dt>
            <dd>{sourceWords(row).meaning}</dd>
          </div>
        ))}
      </dl>
      <Comparison rows={rows} />
      <PathHistoryTable rows={rows} timeOf={timeOf} />
    </div>
  )
}

/** What the verdicts mean that do not say it by themselves. */
function Explanations({ group }: { readonly group: PathGroup }) {
  const { tone } = groupVerdict(group)
  const meanings = new Set(group.rows.map((row) => pathVerdict(row).meaning))
  meanings.delete('')
  if (meanings.size === 0) return null
  return (
    <>
      {[...meanings].map((meaning) => (
        <p class="meaning" key={meaning}>
          <Icon tone={tone === 'ok' ? 'unknown' : tone} />
          <span>{meaning}</span>
        </p>
      ))}
    </>
  )
}

/** What we counted on the way beside what receivers say of the whole way: what lies between was lost behind us. */
function Comparison({ rows }: { readonly rows: readonly PathView[] }) {
  const report = rows.find(({ source, lossRatio }) => source === 'report' && lossRatio !== null)
  const counted = rows.find(
    ({ source, at, to, lossRatio }) => source === 'stream' && at !== to && lossRatio !== null,
  )
  if (report?.lossRatio == null || counted?.lossRatio == null) return null
  return (
    <p class="comparison">
      Up to {counted.at} {percent(counted.lossRatio)} was lost; over the whole way receivers in{' '}
      {report.to} report {percent(report.lossRatio)}. What they report above ours was lost behind{' '}
      {counted.at}.
    </p>
  )
}

/** The newest step in which anything was measured: what is not judged yet is nothing to begin with. */
function newestStep(rows: readonly PathView[]): number {
  const newest = rows.flatMap(({ history }) =>
    MEASURES.map(({ valuesOf }) => valuesOf(history).findLastIndex((value) => value !== null)),
  )
  const last = Math.max(...newest)
  return last < 0 ? LAST : last
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

/** "loss 7.6 %, over, jitter 11.8 ms"; of a path with several rows with the row's name. */
function allWords(row: PathView, step: number, isNamed: boolean): string {
  const measured = MEASURES.filter(
    (measure) => (measure.valuesOf(row.history)[step] ?? null) !== null,
  )
  const words = measured
    .map((measure) => `${titleOf(measure)} ${stepWords(measure, row, step)}`)
    .join(', ')
  const said = words === '' ? 'nothing measured' : words
  return isNamed ? `${rowName(row)}: ${said}` : said
}

function titleOf({ title }: Measure): string {
  return title === 'MOS' ? title : title.toLowerCase()
}

function summary(row: PathView): string {
  const measured = row.history.loss.flatMap((ratio) => ratio ?? [])
  if (measured.length === 0) return `${rowName(row)}: no loss measured.`
  const over = measured.filter((ratio) => ratio > row.limitRatio).length
  return `${rowName(row)}: highest loss ${percent(Math.max(...measured), row.limitRatio)}, ${over} of ${measured.length} measured intervals over ${limitPercent(row.limitRatio)}.`
}
