import { Fragment } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Overview } from '../http/overview.ts'
import { FirstSteps } from './first-steps.tsx'
import { counted } from './format.ts'
import { PathRow } from './path-row.tsx'
import { pathKey } from './verdict.ts'

/** The table of paths, worst first as the collector sends them. The worst one is unfolded when the page opens. */
export function Paths({ overview }: { readonly overview: Overview }) {
  const [open, setOpen] = useState<ReadonlySet<string>>()
  const first = overview.paths[0]
  useEffect(() => {
    if (open === undefined && first !== undefined) setOpen(new Set([pathKey(first)]))
  }, [open, first])

  if (first === undefined) return <FirstSteps agents={overview.agents} />
  const toggle = (key: string): void => {
    const next = new Set(open)
    if (!next.delete(key)) next.add(key)
    setOpen(next)
  }
  return (
    <section aria-labelledby="paths-title">
      <h2 id="paths-title">
        Paths <span class="quiet">worst first</span>
      </h2>
      <table role="table" id="paths" class="stacking">
        <thead role="rowgroup">
          <tr role="row">
            <th role="columnheader" scope="col">
              From → to
            </th>
            <th role="columnheader" scope="col">
              Loss
            </th>
            <th role="columnheader" scope="col">
              Jitter
            </th>
            <th role="columnheader" scope="col">
              MOS
            </th>
            <th role="columnheader" scope="col">
              Round trip
            </th>
            <th role="columnheader" scope="col">
              Streams
            </th>
            <th role="columnheader" scope="col">
              Source
            </th>
            <th role="columnheader" scope="col">
              Last 15 minutes
            </th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {overview.paths.map((path) => {
            const key = pathKey(path)
            return (
              <Fragment key={key}>
                <PathRow
                  path={path}
                  atMs={overview.atMs}
                  open={open?.has(key) ?? false}
                  onToggle={() => {
                    toggle(key)
                  }}
                  chartId={`chart-${encodeURIComponent(key)}`}
                />
              </Fragment>
            )
          })}
        </tbody>
      </table>
      {overview.pathsLeftOut > 0 && (
        <p class="quiet">
          {counted(overview.pathsLeftOut, 'further path')} not listed: these are the worst.
        </p>
      )}
    </section>
  )
}
