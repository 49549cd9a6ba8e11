import { useState } from 'preact/hooks'
import { HISTORY_STEPS, type PathView } from '../http/overview.ts'
import { MEASURES, stepWords } from './measures.ts'
import { Missing } from './missing.tsx'
import { rowName } from './sources.ts'
import { rowKey } from './verdict.ts'

interface Props {
  readonly rows: readonly PathView[]
  readonly timeOf: (step: number) => string
}

/** The charts as figures, newest first: for who cannot see them, or wants to copy them. */
export function PathHistoryTable({ rows, timeOf }: Props) {
  const [open, setOpen] = useState(false)
  const columns = rows.flatMap((row) =>
    MEASURES.filter(({ valuesOf }) => valuesOf(row.history).length > 0).map((measure) => ({
      row,
      measure,
      title: rows.length > 1 ? `${measure.title}, ${rowName(row)}` : measure.title,
    })),
  )
  const steps = Array.from({ length: HISTORY_STEPS }, (_, index) => HISTORY_STEPS - 1 - index)
  return (
    <details
      class="figures"
      onToggle={(event) => {
        setOpen(event.currentTarget.open)
      }}
    >
      <summary>The same as figures</summary>
      {open && (
        <div
          class="scrolling"
          tabIndex={0}
          role="region"
          aria-label="Figures of the last 15 minutes"
        >
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {columns.map(({ row, title }) => (
                  <th scope="col" key={`${rowKey(row)} ${title}`}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {steps.map((step) => (
                <tr key={step}>
                  <th scope="row">{timeOf(step)}</th>
                  {columns.map(({ row, measure, title }) => (
                    <td key={`${rowKey(row)} ${title}`}>
                      {(measure.valuesOf(row.history)[step] ?? null) === null ? (
                        <Missing why="nothing measured" />
                      ) : (
                        stepWords(measure, row, step)
                      )}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  )
}
