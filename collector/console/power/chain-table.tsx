import type { ComponentView, PowerView } from '../../http/power-view.ts'
import { count, typeset } from '../format.ts'
import { Icon } from '../icon.tsx'
import { powerAddress } from '../route.ts'
import { Time } from '../time.tsx'
import { leftWords, listed, lookOf, nameIn, stateWord, whereOf } from './power-words.ts'

const COLUMNS = ['Component', 'State', 'Needs', 'If it fails', 'Where', 'Owner']

/** Everything the drawing says, and more, for who reads better than looks. */
export function ChainTable({ view }: { readonly view: PowerView }) {
  const { components, drawing } = view
  const nameOf = nameIn(view.services)
  return (
    <section aria-labelledby="components-title">
      <h2 id="components-title">
        The chain as a table{' '}
        <span class="quiet">
          {drawing?.of === null
            ? `all ${count(drawing.components)} components, from the mains to the phones`
            : `what is drawn above, of ${count(drawing?.components ?? 0)} components`}
        </span>
      </h2>
      <table role="table" id="components" class="stacking">
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
          {components.map((component) => (
            <Row key={component.id} component={component} atMs={view.atMs} nameOf={nameOf} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Row({
  component,
  atMs,
  nameOf,
}: {
  readonly component: ComponentView
  readonly atMs: number
  readonly nameOf: (id: string) => string
}) {
  const { id, label, kind, stateText, sinceMs, members, owner, contract } = component
  const { stops, stopsCount, oneLeg, oneLegCount, needsWords } = component
  const look = lookOf(component)
  return (
    <tr role="row" class={`component look-${look}`}>
      <th role="rowheader" scope="row">
        <a href={powerAddress(id)}>{members.length > 0 ? label : id}</a>
        <span class="quiet">
          {[kind, members.length > 0 ? listed(members, 'and', component.count, 3) : label]
            .filter((part) => part !== '')
            .join(' · ')}
        </span>
      </th>
      <td role="cell" data-label="State">
        <span class="state">
          <Icon tone={look} />
          <span>
            <strong>{stateWord(component)}</strong>
            {stateText !== '' && ` ${typeset(stateText)}`}
            {leftWords(component)}
            {sinceMs !== null && (
              <span class="quiet">
                {' since '}
                <Time ms={sinceMs} today={atMs} />
              </span>
            )}
          </span>
        </span>
      </td>
      <td role="cell" data-label="Needs">
        {needsWords === '' ? 'nothing' : needsWords}
      </td>
      <td role="cell" data-label="If it fails">
        {stopsCount === 0 && oneLegCount === 0 && 'every service goes on'}
        {stopsCount > 0 && (
          <>
            <strong>stops</strong> {listed(stops.map(nameOf), 'and', stopsCount)}
          </>
        )}
        {stopsCount > 0 && oneLegCount > 0 && '; '}
        {oneLegCount > 0 &&
          `leaves without reserve ${listed(oneLeg.map(nameOf), 'and', oneLegCount)}`}
      </td>
      <td role="cell" data-label="Where">
        {whereOf(component) === '' ? 'not said' : whereOf(component)}
      </td>
      <td role="cell" data-label="Owner">
        {owner === '' ? 'not said' : owner}
        {contract !== '' && <span class="quiet"> {contract}</span>}
      </td>
    </tr>
  )
}
