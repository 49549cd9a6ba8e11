import { useEffect, useRef } from 'preact/hooks'
import type { ComponentView, PowerView } from '../../http/power-view.ts'
import { typeset } from '../format.ts'
import { Icon } from '../icon.tsx'
import { Time } from '../time.tsx'
import { TakeOut } from './take-out.tsx'
import {
  leftWords,
  listed,
  lookOf,
  nameIn,
  serviceWords,
  stateWord,
  whereOf,
} from './power-words.ts'
import type { WhatIfAnswer } from './use-what-if.ts'
import { WhatStops } from './what-stops.tsx'

const MOST_MEMBERS = 30

interface Props {
  readonly view: PowerView
  readonly selected: string | undefined
  readonly whatIf: WhatIfAnswer | undefined
  readonly onClose: () => void
  /** Draws the chain of one alone. */
  readonly onShow: (of: string) => void
}

/** What is known of the chosen one, and what stops when it fails. */
export function ComponentPanel({ view, selected, whatIf, onClose, onShow }: Props) {
  const panel = useRef<HTMLElement>(null)
  useEffect(() => {
    if (selected !== undefined) panel.current?.scrollIntoView({ block: 'nearest' })
  }, [selected, whatIf?.state])
  const component = view.components.find(({ id }) => id === selected)
  const service = view.services.find(({ id }) => id === selected)
  if (component === undefined && service === undefined)
    return (
      <aside class="panel hint" aria-label="The chosen one">
        <p>
          Choose a box in the drawing to see <strong>what stops when it fails</strong>, and to ask
          whether it may be taken out for maintenance.
        </p>
        <Legend />
      </aside>
    )
  return (
    <aside class="panel" aria-label="The chosen one" ref={panel}>
      <button type="button" class="close" onClick={onClose} aria-label="Close">
        ×
      </button>
      {selected !== undefined && view.componentsLeftOut > 0 && view.drawing?.of !== selected && (
        <button
          type="button"
          class="show-chain"
          onClick={() => {
            onShow(selected)
          }}
        >
          Draw the chain of {selected}
        </button>
      )}
      {component === undefined ? (
        <ServiceDetail view={view} id={selected ?? ''} />
      ) : (
        <ComponentDetail view={view} component={component} whatIf={whatIf} />
      )}
    </aside>
  )
}

function ComponentDetail({
  view,
  component,
  whatIf,
}: {
  readonly view: PowerView
  readonly component: ComponentView
  readonly whatIf: WhatIfAnswer | undefined
}) {
  const { id, label, kind, members, stateText, sinceMs } = component
  const nameOf = nameIn([
    ...view.services,
    ...view.components.map((it) => ({ id: it.id, label: '' })),
  ])
  const fail = members.length > 0 ? members : [id]
  const facts: readonly (readonly [string, string])[] = [
    ['Where', whereOf(component)],
    ['Owner', component.owner],
    ['Contract', component.contract],
    ['Serial number', component.serial],
    ['Battery put in', component.batteryInstalled],
    ['Needs', component.needsWords],
    ['Stands for', members.length > 0 ? listed(members, 'and', members.length, MOST_MEMBERS) : ''],
  ]
  return (
    <>
      <div>
        <h3>
          {members.length > 0 ? label : id}
          {members.length === 0 && label !== '' && <span class="label">{label}</span>}
        </h3>
        <p class={`state look-${lookOf(component)}`}>
          <Icon tone={lookOf(component)} />
          <span>
            <strong>{stateWord(component)}</strong>
            {stateText !== '' && `: ${typeset(stateText)}`}
            {sinceMs !== null && (
              <>
                {' since '}
                <Time ms={sinceMs} today={view.atMs} />
              </>
            )}
            {leftWords(component)}
          </span>
        </p>
        <dl>
          <dt>Kind</dt>
          <dd>{kind}</dd>
          {facts.map(
            ([name, value]) =>
              value !== '' && (
                <>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </>
              ),
          )}
        </dl>
      </div>
      <div>
        <h4>{members.length > 0 ? 'If all of them fail now' : 'If it fails now'}</h4>
        <div role="status">
          {whatIf?.state === 'failed' && <p class="complaint">{whatIf.reason}</p>}
          {whatIf?.state === 'answered' && <WhatStops answer={whatIf.answer} nameOf={nameOf} />}
        </div>
      </div>
      <TakeOut key={id} fail={fail} atMs={view.atMs} nameOf={nameOf} />
    </>
  )
}

function ServiceDetail({ view, id }: { readonly view: PowerView; readonly id: string }) {
  const service = view.services.find((one) => one.id === id)
  if (service === undefined) return null
  const nameOf = nameIn([])
  const { look, words, meaning } = serviceWords(service, nameOf)
  const { singles, singlesCount, pairs, pairsCount } = service
  const couples = pairs.map((pair) => pair.join(' with '))
  return (
    <>
      <div>
        <h3>
          {service.label === '' ? id : service.label}
          {service.label !== '' && <span class="label">{id}</span>}
        </h3>
        <p class={`state look-${look}`}>
          <Icon tone={look} />
          <span>
            <strong>{words}</strong>
            {meaning !== '' && `: ${meaning}`}
          </span>
        </p>
      </div>
      <dl>
        <dt>Needs</dt>
        <dd>{service.needsWords}</dd>
        {service.owner !== '' && (
          <>
            <dt>Owner</dt>
            <dd>{service.owner}</dd>
          </>
        )}
        <dt>Stopped by any one of</dt>
        <dd>{singlesCount === 0 ? 'none' : listed(singles, 'or', singlesCount, 12)}</dd>
        <dt>Stopped by two together</dt>
        <dd>{pairsCount === 0 ? 'none' : listed(couples, 'or', pairsCount, 6)}</dd>
      </dl>
    </>
  )
}

/** What the shapes mean. */
function Legend() {
  return (
    <ul class="legend-looks">
      <li>
        <Icon tone="ok" /> works
      </li>
      <li>
        <Icon tone="caution" /> degraded: a UPS on battery
      </li>
      <li>
        <Icon tone="over" /> down
      </li>
      <li>
        <Icon tone="unknown" /> unknown: nothing is heard of it
      </li>
      <li>
        <Icon tone="assumed" /> not watched: taken to work
      </li>
      <li>
        <svg class="wire-sample" viewBox="0 0 30 10" aria-hidden="true">
          <path class="wire" d="M0 5 H30" />
        </svg>{' '}
        needed
      </li>
      <li>
        <svg class="wire-sample" viewBox="0 0 30 10" aria-hidden="true">
          <path class="wire choice" d="M0 5 H30" />
        </svg>{' '}
        one of several will do
      </li>
    </ul>
  )
}
