import { useEffect, useState } from 'preact/hooks'
import type { Overview } from '../http/overview.ts'
import { FirstSteps } from './first-steps.tsx'
import { counted } from './format.ts'
import { PathRows } from './path-rows.tsx'
import { groupPaths } from './verdict.ts'

const COLUMNS = [
  'From → to',
  'Measured',
  'Loss',
  'Lost or too late',
  'Jitter',
  'MOS',
  'Round trip',
  'Loss, 15 minutes',
]

/** The table of paths, in the collector's order. The first one is unfolded when the page opens. */
export function Paths({ overview }: { readonly overview: Overview }) {
  const [open, setOpen] = useState<ReadonlySet<string>>()
  const groups = groupPaths(overview.paths)
  const first = groups[0]?.name
  useEffect(() => {
    if (open === undefined && first !== undefined) setOpen(new Set([first]))
  }, [open, first])

  if (first === undefined) return <FirstSteps agents={overview.agents} />
  const toggle = (name: string): void => {
    const next = new Set(open)
    if (!next.delete(name)) next.add(name)
    setOpen(next)
  }
  return (
    <section aria-labelledby="paths-title">
      <h2 id="paths-title">
        Paths{' '}
        <span class="quiet">
          {counted(groups.length, 'path')}, measured in {counted(overview.paths.length, 'way')};
          alerts first, then by name
        </span>
      </h2>
      <table role="table" id="paths" class="stacking">
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map((title) => (
              <th role="columnheader" scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        {groups.map((group) => (
          <PathRows
            key={group.name}
            group={group}
            atMs={overview.atMs}
            historyFromMs={overview.historyFromMs}
            columns={COLUMNS.length}
            open={open?.has(group.name) ?? false}
            onToggle={() => {
              toggle(group.name)
            }}
          />
        ))}
      </table>
      {overview.pathsLeftOut > 0 && (
        <p class="quiet">
          {counted(overview.pathsLeftOut, 'further path')} not listed: these are the worst.
        </p>
      )}
    </section>
  )
}
