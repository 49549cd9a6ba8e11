import type { PathView } from '../http/overview.ts'
import { Icon } from './icon.tsx'
import { PathDetail } from './path-detail.tsx'
import { FigureCells } from './path-figures.tsx'
import { counted } from './format.ts'
import { sourceWords } from './sources.ts'
import { Ago } from './time.tsx'
import { groupVerdict, pathVerdict, rowKey, type PathGroup } from './verdict.ts'

interface Props {
  readonly group: PathGroup
  readonly atMs: number
  readonly historyFromMs: number
  readonly columns: number
  readonly open: boolean
  readonly onToggle: () => void
}

/** One path: a row for each way in which it is measured, unfolding to its charts. */
export function PathRows({ group, atMs, historyFromMs, columns, open, onToggle }: Props) {
  const { name, rows, firing } = group
  const verdict = groupVerdict(group)
  const detailId = `path-${encodeURIComponent(name)}`
  return (
    <tbody role="rowgroup" class={`path tone-${verdict.tone}`}>
      {rows.map((row, index) => (
        <tr role="row" key={rowKey(row)} class={`measured tone-${pathVerdict(row).tone}`}>
          {index === 0 && (
            <th role="rowheader" scope="rowgroup" rowSpan={rows.length}>
              <button
                type="button"
                class="unfold"
                aria-expanded={open}
                aria-controls={detailId}
                onClick={onToggle}
              >
                <Icon tone={verdict.tone} />
                <span class="name">{name}</span>
              </button>
              <p class="verdict">
                {verdict.words}
                {firing && <strong class="badge firing">alert firing</strong>}
              </p>
            </th>
          )}
          <Measured row={row} atMs={atMs} alone={rows.length === 1} />
          <FigureCells row={row} />
        </tr>
      ))}
      <tr role="row" class="detail-row" id={detailId} hidden={!open}>
        {open && (
          <td role="cell" colSpan={columns}>
            <PathDetail group={group} atMs={atMs} historyFromMs={historyFromMs} />
          </td>
        )}
      </tr>
    </tbody>
  )
}

/** How and where a row was measured, and who answers for what it judges. */
function Measured({
  row,
  atMs,
  alone,
}: {
  readonly row: PathView
  readonly atMs: number
  readonly alone: boolean
}) {
  const { name, meaning } = sourceWords(row)
  const verdict = pathVerdict(row)
  return (
    <td role="cell" data-label="Measured" class="how">
      <span title={meaning}>
        <strong>{name}</strong> at {row.at}
      </span>
      {!alone && (
        <p class="verdict">
          <Icon tone={verdict.tone} />
          {verdict.words}
        </p>
      )}
      <p class="quiet">
        {row.verdict === 'silent' ? (
          <>
            last <Ago ms={row.lastSeenMs} nowMs={atMs} />
          </>
        ) : row.streamsOver > 0 && row.streams > 1 ? (
          `${row.streamsOver} of ${counted(row.streams, 'stream')} over`
        ) : (
          counted(row.streams, 'stream')
        )}
        {' · '}
        <span title={`what is judged: ${row.from} to ${row.at}`}>
          {row.bearer} · {row.owner}
        </span>
      </p>
    </td>
  )
}
