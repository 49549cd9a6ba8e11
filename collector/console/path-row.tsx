import type { PathView } from '../http/overview.ts'
import { count, limitPercent, milliseconds, percent } from './format.ts'
import { Icon } from './icon.tsx'
import { LossMeter } from './loss-meter.tsx'
import { Missing } from './missing.tsx'
import { PathChart } from './path-chart.tsx'
import { Sparkline } from './sparkline.tsx'
import { Ago } from './time.tsx'
import { pathVerdict } from './verdict.ts'

const SOURCES: Readonly<Record<string, readonly [words: string, title: string]>> = {
  stream: ['packets seen', 'counted from the packets of calls'],
  test: ['test stream', 'measured with a test stream between two agents'],
  report: ['reported', 'what the far end reports'],
}
const COLUMNS = 8

interface Props {
  readonly path: PathView
  readonly atMs: number
  readonly open: boolean
  readonly onToggle: () => void
  readonly chartId: string
}

/** One judged segment of a path; unfolds to its chart. */
export function PathRow({ path, atMs, open, onToggle, chartId }: Props) {
  const verdict = pathVerdict(path)
  const [source, sourceTitle] = SOURCES[path.source] ?? [path.source, '']
  return (
    <>
      <tr role="row" class={`path tone-${verdict.tone}`}>
        <th role="rowheader" scope="row">
          <button
            type="button"
            class="unfold"
            aria-expanded={open}
            aria-controls={chartId}
            onClick={onToggle}
          >
            <Icon tone={verdict.tone} />
            <span class="name">
              {path.from} → {path.to}
            </span>
          </button>
          <p class="verdict">
            {verdict.words}
            {path.firing && <strong class="badge firing">alert firing</strong>}
          </p>
          <p class="quiet">
            <span title={`measured at ${path.at}: loss between ${path.from} and ${path.at}`}>
              segment {path.from} → {path.at}
            </span>
            {' · '}
            {path.bearer}
            {' · '}
            {path.owner}
          </p>
        </th>
        <td role="cell" data-label="Loss" class="loss">
          {path.lossRatio === null ? (
            <Missing why="no loss measured" />
          ) : (
            <span
              class="figure"
              title={`${count(path.lostUnique)} of ${count(path.expected)} packets`}
            >
              {percent(path.lossRatio, path.limitRatio)}
            </span>
          )}
          <LossMeter lossRatio={path.lossRatio} limitRatio={path.limitRatio} />
          <span class="quiet">limit {limitPercent(path.limitRatio)}</span>
        </td>
        <td role="cell" data-label="Jitter">
          {path.jitterMs === null ? (
            <Missing why="no jitter measured" />
          ) : (
            milliseconds(path.jitterMs)
          )}
        </td>
        <td role="cell" data-label="MOS">
          {path.mosLq === null ? <Missing why="not measured yet" /> : path.mosLq.toFixed(1)}
        </td>
        <td role="cell" data-label="Round trip">
          {path.roundTripMs === null ? (
            <Missing why="no round trip measured; only test streams have one" />
          ) : (
            milliseconds(path.roundTripMs)
          )}
        </td>
        <td role="cell" data-label="Streams">
          {count(path.streams)}
        </td>
        <td role="cell" data-label="Source">
          <span class={`badge source-${path.source}`} title={sourceTitle}>
            {source}
          </span>
          {path.verdict === 'silent' && (
            <p class="quiet">
              last <Ago ms={path.lastSeenMs} nowMs={atMs} />
            </p>
          )}
        </td>
        <td role="cell" data-label="15 min" class="spark">
          <Sparkline path={path} atMs={atMs} />
        </td>
      </tr>
      <tr role="row" class="chart-row" id={chartId} hidden={!open}>
        {open && (
          <td role="cell" colSpan={COLUMNS}>
            <PathChart path={path} atMs={atMs} />
          </td>
        )}
      </tr>
    </>
  )
}
