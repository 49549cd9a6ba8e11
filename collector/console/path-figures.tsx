import type { ComponentChildren } from 'preact'
import type { PathView } from '../http/overview.ts'
import { count, limitPercent, milliseconds, mos, percent } from './format.ts'
import { LossMeter } from './loss-meter.tsx'
import { Missing } from './missing.tsx'
import { Sparkline } from './sparkline.tsx'

const ONLY_CALLS = 'not measured: only where the packets of calls are counted'

/** The figures of one row, a cell each. What was not measured is a dash that says why. */
export function FigureCells({ row }: { readonly row: PathView }) {
  return (
    <>
      <td role="cell" data-label="Loss" class="loss">
        {row.lossRatio === null ? (
          <Missing why="no loss measured" />
        ) : (
          <span class="figure" title={`${count(row.lostUnique)} of ${count(row.expected)} packets`}>
            {percent(row.lossRatio, row.limitRatio)}
          </span>
        )}
        <LossMeter lossRatio={row.lossRatio} limitRatio={row.limitRatio} />
        <span class="quiet">limit {limitPercent(row.limitRatio)}</span>
      </td>
      <td role="cell" data-label="Lost or too late" class="number">
        {row.effectiveLossRatio === null ? (
          <Missing why={row.source === 'stream' ? 'not measured' : ONLY_CALLS} />
        ) : (
          <span title="lost, or too late for an adaptive jitter buffer: what the listener misses">
            {percent(row.effectiveLossRatio)}
          </span>
        )}
      </td>
      <td role="cell" data-label="Jitter" class="number">
        <Limited
          value={row.jitterMs}
          limit={row.jitterLimitMs}
          isOver={(value, limit) => value > limit}
          words={milliseconds}
          beyond={(limit) => `over ${limit}\u00a0ms`}
          note="highest of the streams"
          missing="no jitter measured"
        />
      </td>
      <td role="cell" data-label="MOS" class="number">
        <Limited
          value={row.mosLq}
          limit={row.mosLimit}
          isOver={(value, limit) => value < limit}
          words={mos}
          beyond={(limit) => `below ${limit}`}
          note="lowest of the streams"
          missing={row.source === 'stream' ? 'no MOS: no stream with a rated codec' : ONLY_CALLS}
        >
          <span class="quiet">{row.mosScale}</span>
        </Limited>
      </td>
      <td role="cell" data-label="Round trip" class="number">
        {row.roundTripMs === null ? (
          <Missing why="no round trip measured" />
        ) : (
          milliseconds(row.roundTripMs)
        )}
      </td>
      <td role="cell" data-label="Loss, 15 min" class="spark">
        <Sparkline path={row} />
      </td>
    </>
  )
}

/** A figure with a limit: beyond it the limit stands below it in words. */
function Limited({
  value,
  limit,
  isOver,
  words,
  beyond,
  note,
  missing,
  children,
}: {
  readonly value: number | null
  readonly limit: number | null
  readonly isOver: (value: number, limit: number) => boolean
  readonly words: (value: number) => string
  readonly beyond: (limit: number) => string
  readonly note: string
  readonly missing: string
  readonly children?: ComponentChildren
}) {
  if (value === null) return <Missing why={missing} />
  if (limit === null || !isOver(value, limit))
    return (
      <>
        <span title={note}>{words(value)}</span> {children}
      </>
    )
  return (
    <>
      <strong class="beyond" title={note}>
        {words(value)}
      </strong>{' '}
      {children}
      <p class="quiet">{beyond(limit)}</p>
    </>
  )
}
