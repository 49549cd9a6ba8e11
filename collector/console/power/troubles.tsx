import type { PersonView, PowerView, TroubleView } from '../../http/power-view.ts'
import { counted, typeset } from '../format.ts'
import { Icon } from '../icon.tsx'
import { powerAddress } from '../route.ts'
import { Time } from '../time.tsx'
import { leftWords, lookOf, stateWord, whereOf } from './power-words.ts'

/** What is wrong now, where it stands, and whom to call. Nothing where nothing is wrong. */
export function Troubles({ view }: { readonly view: PowerView }) {
  const { troubles, troublesLeftOut, notes, people, atMs } = view
  if (troubles.length + notes.length === 0) return null
  return (
    <section aria-labelledby="troubles-title" class="troubles">
      <h2 id="troubles-title">
        What is wrong <span class="quiet">and whom to call</span>
      </h2>
      <ul>
        {troubles.map((trouble) => (
          <Trouble key={trouble.id} trouble={trouble} people={people} atMs={atMs} />
        ))}
      </ul>
      {troublesLeftOut > 0 && (
        <p class="quiet">
          {counted(troublesLeftOut, 'more component')} likewise: the worst are listed.
        </p>
      )}
      {notes.map((note) => (
        <p class="note" key={note}>
          {note}
        </p>
      ))}
    </section>
  )
}

function Trouble({
  trouble,
  people,
  atMs,
}: {
  readonly trouble: TroubleView
  readonly people: readonly PersonView[]
  readonly atMs: number
}) {
  const { id, label, kind, stateText, sinceMs, owner, contract } = trouble
  const look = lookOf(trouble)
  const contact = people.find(({ name }) => name === owner)?.contact ?? ''
  const where = whereOf(trouble)
  return (
    <li class={`look-${look}`}>
      <Icon tone={look} />
      <div>
        <p>
          <a href={powerAddress(id)}>{id}</a>{' '}
          <span class="quiet">{[kind, label].filter((part) => part !== '').join(' · ')}</span>
        </p>
        <p>
          <strong>{stateWord(trouble)}</strong>
          {stateText !== '' && `: ${typeset(stateText)}`}
          {leftWords(trouble)}
          {sinceMs !== null && (
            <>
              {', since '}
              <Time ms={sinceMs} today={atMs} />
            </>
          )}
        </p>
      </div>
      <dl>
        <dt>Where</dt>
        <dd>{where === '' ? 'not said' : where}</dd>
        <dt>Call</dt>
        <dd>{owner === '' ? 'nobody is named' : <Person person={{ name: owner, contact }} />}</dd>
        {contract !== '' && (
          <>
            <dt>Contract</dt>
            <dd>{contract}</dd>
          </>
        )}
      </dl>
    </li>
  )
}

/** Who answers for what is drawn: on the wall it is what people look for first. */
export function People({ people }: Pick<PowerView, 'people'>) {
  if (people.length === 0) return null
  return (
    <section aria-labelledby="people-title" class="people">
      <h2 id="people-title">Whom to call</h2>
      <ul>
        {people.map((person) => (
          <li key={person.name}>
            <Person person={person} />
          </li>
        ))}
      </ul>
    </section>
  )
}

function Person({ person: { name, contact } }: { readonly person: PersonView }) {
  return (
    <>
      <strong>{name}</strong>
      {contact !== '' && `, ${contact}`}
    </>
  )
}
