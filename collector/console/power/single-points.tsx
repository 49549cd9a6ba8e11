import type { HorizonView, PowerView, SinglePointView } from '../../http/power-view.ts'
import { count, counted } from '../format.ts'
import { Icon } from '../icon.tsx'
import { powerAddress } from '../route.ts'
import { listed, nameIn, whereOf } from './power-words.ts'

/** In sight; the others unfold. */
const FIRST = 12
const COLUMNS = ['Component', 'Stops', 'Where', 'Owner', 'Accepted']

/** What to mend before it fails: components whose failure alone stops a service. */
export function SinglePoints({
  view,
  printed,
}: {
  readonly view: PowerView
  /** So many rows fit on the page for the wall. */
  readonly printed: number
}) {
  const { singlePoints, singlePointsLeftOut, horizons, horizonsLeftOut } = view
  const nameOf = nameIn(view.services)
  const rest = singlePoints.slice(FIRST)
  const fresh = singlePoints.filter(({ isNew }) => isNew).length
  return (
    <section aria-labelledby="singles-title" id="single-points">
      <h2 id="singles-title">
        Single points of failure{' '}
        <span class="quiet">
          {singlePoints.length === 0
            ? 'none'
            : `${count(singlePoints.length + singlePointsLeftOut)}${fresh === 0 ? '' : `, ${count(fresh)} of them new`}: each alone stops a service`}
        </span>
      </h2>
      {singlePoints.length === 0 ? (
        <p class="empty">No single failure stops a service that is drawn.</p>
      ) : (
        <Points points={singlePoints.slice(0, FIRST)} nameOf={nameOf} printed={printed} />
      )}
      {rest.length > 0 && (
        <details class="earlier">
          <summary>
            {counted(rest.length, 'more single point')}
            {singlePointsLeftOut > 0 && `, and ${count(singlePointsLeftOut)} not listed here`}
          </summary>
          <Points points={rest} nameOf={nameOf} printed={0} />
        </details>
      )}
      <Horizons horizons={horizons} leftOut={horizonsLeftOut} />
    </section>
  )
}

interface PointsProps {
  readonly points: readonly SinglePointView[]
  readonly nameOf: (id: string) => string
  /** So many of them. */
  readonly printed: number
}

function Points({ points, nameOf, printed }: PointsProps) {
  return (
    <table role="table" class="stacking points">
      <thead role="rowgroup">
        <tr role="row">
          {COLUMNS.map((title) => (
            <th role="columnheader" scope="col" key={title}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {points.map((point, at) => (
          <Row key={point.id} point={point} nameOf={nameOf} isPrinted={at < printed} />
        ))}
      </tbody>
    </table>
  )
}

function Row({
  point,
  nameOf,
  isPrinted,
}: {
  readonly point: SinglePointView
  readonly nameOf: (id: string) => string
  readonly isPrinted: boolean
}) {
  const { id, label, kind, owner, stops, stopsCount, isNew, accepted } = point
  const look = isNew ? 'over' : accepted === null || accepted.isOverdue ? 'caution' : 'ok'
  return (
    <tr role="row" class={`point tone-${look}${isPrinted ? '' : ' not-printed'}`}>
      <th role="rowheader" scope="row">
        <Icon tone={look} />
        <a href={powerAddress(id)}>{id}</a>
        {isNew && <strong class="badge firing">new: redundancy lost</strong>}
        <span class="quiet">{[kind, label].filter((part) => part !== '').join(' · ')}</span>
      </th>
      <td role="cell" data-label="Stops">
        {listed(stops.map(nameOf), 'and', stopsCount)}
      </td>
      <td role="cell" data-label="Where">
        {whereOf(point) === '' ? 'not said' : whereOf(point)}
      </td>
      <td role="cell" data-label="Owner">
        {owner === '' ? 'not said' : owner}
      </td>
      <td role="cell" data-label="Accepted">
        {accepted === null ? (
          'by nobody yet'
        ) : (
          <>
            by {accepted.by}: {accepted.reason};{' '}
            {accepted.isOverdue ? (
              <strong>was to be looked at on {accepted.review}</strong>
            ) : (
              `look again on ${accepted.review}`
            )}
          </>
        )}
      </td>
    </tr>
  )
}

const KINDS: Readonly<Record<string, string>> = {
  'design-gap': 'lasts shorter than it should',
  'runs-out': 'runs out',
  'own-battery': 'stands alone',
  'measured-load': 'cannot carry it all',
  'drawn-load': 'redundancy on paper only',
  poe: 'PoE',
  'not-drawn': 'is not drawn, it seems',
}

const ON_PAPER: ReadonlySet<string> = new Set(['measured-load', 'drawn-load', 'poe', 'not-drawn'])

interface HorizonsProps {
  readonly horizons: readonly HorizonView[]
  readonly leftOut: number
}

/** Apart from the above: where the drawing promises what is not there, and what ends although nothing fails. */
function Horizons({ horizons, leftOut }: HorizonsProps) {
  const paper = horizons.filter(({ kind }) => ON_PAPER.has(kind))
  const ending = horizons.filter(({ kind }) => !ON_PAPER.has(kind))
  return (
    <>
      <Titled title="Not as drawn" horizons={paper} leftOut={0} />
      <Titled title="Without mains" horizons={ending} leftOut={leftOut} />
    </>
  )
}

function Titled({ title, horizons, leftOut }: HorizonsProps & { readonly title: string }) {
  if (horizons.length === 0) return null
  const rest = horizons.slice(FIRST)
  return (
    <>
      <h3>{title}</h3>
      <HorizonList horizons={horizons.slice(0, FIRST)} />
      {rest.length > 0 && (
        <details class="earlier">
          <summary>
            {count(rest.length)} more
            {leftOut > 0 && `, and ${count(leftOut)} not listed here`}
          </summary>
          <HorizonList horizons={rest} />
        </details>
      )}
    </>
  )
}

function HorizonList({ horizons }: Pick<HorizonsProps, 'horizons'>) {
  return (
    <ul class="horizons">
      {horizons.map(({ kind, id, label, text }) => (
        <li key={`${kind} ${id}`}>
          <Icon tone={kind === 'design-gap' || kind === 'measured-load' ? 'caution' : 'unknown'} />
          <span>
            <strong>{label === '' ? id : label}</strong> {KINDS[kind] ?? kind}: {text}
          </span>
        </li>
      ))}
    </ul>
  )
}
