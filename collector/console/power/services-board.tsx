import type { PowerView, ServiceView } from '../../http/power-view.ts'
import { counted, count } from '../format.ts'
import { Icon } from '../icon.tsx'
import { powerAddress } from '../route.ts'
import { fullNameIn, isShort, listed, minutes, serviceWords } from './power-words.ts'

/** Services shown as cards; the others are in a list that unfolds. */
const CARDS = 12
const BAR_WIDTH = 100
const BAR_HEIGHT = 8

/** How long each service lasts against how long it should: emergencies first. */
export function ServicesBoard({ view }: { readonly view: PowerView }) {
  const { services, servicesLeftOut } = view
  const nameOf = fullNameIn(view)
  const rest = services.slice(CARDS)
  const card = (service: ServiceView) => <Card key={service.id} service={service} nameOf={nameOf} />
  return (
    <section aria-labelledby="services-title" class="board">
      <h2 id="services-title">
        What works, and for how long <span class="quiet">emergencies first</span>
      </h2>
      {services.length === 0 && (
        <p class="empty">No service is drawn: add what people do over the telephone.</p>
      )}
      <ul class="cards" id="services">
        {services.slice(0, CARDS).map(card)}
      </ul>
      {rest.length > 0 && (
        <details class="earlier">
          <summary>
            {counted(rest.length, 'more service')}
            {servicesLeftOut > 0 && `, and ${count(servicesLeftOut)} not listed here`}
          </summary>
          <ul class="cards">{rest.map(card)}</ul>
        </details>
      )}
    </section>
  )
}

function Card({
  service,
  nameOf,
}: {
  readonly service: ServiceView
  readonly nameOf: (id: string) => string
}) {
  const { id, label, serves, isEmergency, state, minutesLeft, holdUpMin } = service
  const { look, words, meaning } = serviceWords(service, nameOf)
  const isCounting = minutesLeft !== null && state !== 'down'
  return (
    <li class={`card look-${look}${isEmergency ? ' emergency' : ''}`}>
      <p class="who">
        <Icon tone={look} />
        <span>
          <a href={powerAddress(id)}>{label === '' ? id : label}</a>{' '}
          {isEmergency && <span class="badge">emergency</span>}{' '}
          {serves !== '' && <span class="quiet">for {serves}</span>}
        </span>
      </p>
      <p class="how">
        {isCounting ? (
          <>
            <strong class="figure">{minutes(minutesLeft)}</strong> left
          </>
        ) : (
          <strong class="figure words">{words}</strong>
        )}
      </p>
      {isCounting && holdUpMin !== null && <Meter left={minutesLeft} needed={holdUpMin} />}
      <p class="quiet">
        {isCounting && `${words}; `}
        {holdUpMin === null
          ? 'how long it should last is not said'
          : isCounting
            ? isShort(service)
              ? `should last ${minutes(holdUpMin)}: ${minutes(holdUpMin - minutesLeft)} short`
              : `should last ${minutes(holdUpMin)}`
            : `should last ${minutes(holdUpMin)} without mains`}
      </p>
      {meaning !== '' && <p class="meaning-line">{meaning}</p>}
      {state !== 'down' && meaning === '' && (
        <p class="meaning-line quiet">{redundancy(service, nameOf)}</p>
      )}
    </li>
  )
}

function redundancy(
  { singlesCount, singles }: ServiceView,
  nameOf: (id: string) => string,
): string {
  if (singlesCount === 0) return 'no single failure stops it'
  return `stopped by any one of: ${listed(singles.map(nameOf), 'or', singlesCount, 5)}`
}

/** Minutes left against minutes needed; the words beside it say the same. */
function Meter({ left, needed }: { readonly left: number; readonly needed: number }) {
  const most = Math.max(left, needed, 1)
  const at = (value: number): number => Math.round((value / most) * BAR_WIDTH)
  return (
    <svg
      class="hold-up"
      viewBox={`0 0 ${BAR_WIDTH} ${BAR_HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <rect class="track" width={BAR_WIDTH} height={BAR_HEIGHT} />
      <rect class={left < needed ? 'bar short' : 'bar'} width={at(left)} height={BAR_HEIGHT} />
      <rect class="mark" x={Math.min(at(needed), BAR_WIDTH - 1)} width={1} height={BAR_HEIGHT} />
    </svg>
  )
}
