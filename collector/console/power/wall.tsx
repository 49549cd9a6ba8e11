import type { PowerView, ServiceView } from '../../http/power-view.ts'
import { count, counted } from '../format.ts'
import { Icon } from '../icon.tsx'
import { listed, minutes, serviceWords } from './power-words.ts'

/** What one page A4 holds: rows of services beside each other, and boxes that can be read from a step away. */
const MOST_SERVICES = 40
const MOST_BOXES = 40
const SERVICES_BESIDE_DRAWING = 12
const POINTS = 10
const PEOPLE = 6
const HORIZONS = 4
const SINGLES_NAMED = 2

/** What is printed of a view: so much, and no more, that it is one page. */
export interface Wall {
  readonly hasDrawing: boolean
  readonly points: number
}

export function wallOf({ components, componentsLeftOut, services }: PowerView): Wall {
  const drawn = services.filter(({ isDrawn }) => isDrawn).length
  const hasDrawing =
    componentsLeftOut === 0 &&
    components.length + drawn <= MOST_BOXES &&
    services.length <= SERVICES_BESIDE_DRAWING
  return { hasDrawing, points: POINTS }
}

/** On paper only: every service in two lines. */
export function WallServices({ view }: { readonly view: PowerView }) {
  return (
    <section class="wall">
      <h2>
        What people do, and what stops it{' '}
        <span class="quiet">emergencies first; in brackets how long without mains</span>
      </h2>
      <ul>
        {view.services.slice(0, MOST_SERVICES).map((service) => (
          <WallService key={service.id} service={service} />
        ))}
      </ul>
    </section>
  )
}

function WallService({ service }: { readonly service: ServiceView }) {
  const { id, label, serves, holdUpMin, minutesLeft, state, singles, singlesCount } = service
  const { look, words } = serviceWords(service, String)
  const left = minutesLeft === null || state === 'down' ? '' : `, ${minutes(minutesLeft)} left`
  return (
    <li>
      <Icon tone={look} />
      <span>
        <strong>{label === '' ? id : label}</strong>
        {serves !== '' && ` for ${serves}`}: {words}
        {left}
        {holdUpMin !== null && ` (${minutes(holdUpMin)})`};{' '}
        {singlesCount === 0
          ? 'no single failure stops it'
          : `stopped by ${listed(singles, 'or', singlesCount, SINGLES_NAMED)}`}
      </span>
    </li>
  )
}

/** On paper only: what is not on it. */
export function WallLeftOut({ view, wall }: { readonly view: PowerView; readonly wall: Wall }) {
  const {
    services,
    drawing,
    singlePoints,
    singlePointsLeftOut,
    horizons,
    horizonsLeftOut,
    people,
  } = view
  const all = drawing?.services ?? services.length
  const components = drawing?.components ?? 0
  const parts = [
    ...more(all - Math.min(services.length, MOST_SERVICES), 'service'),
    ...more(
      singlePoints.length + singlePointsLeftOut - Math.min(singlePoints.length, wall.points),
      'single point of failure',
      'single points of failure',
    ),
    ...more(
      horizons.length + horizonsLeftOut - Math.min(horizons.length, HORIZONS),
      'thing that runs out',
      'things that run out',
    ),
    ...more(people.length - Math.min(people.length, PEOPLE), 'name', 'names to call'),
    ...(wall.hasDrawing ? [] : [`the drawing of ${counted(components, 'component')}`]),
  ]
  if (parts.length === 0) return null
  return (
    <p class="wall not-here">
      Not on this page: {listed(parts, 'and')}. What needs most attention stands above.
    </p>
  )
}

function more(value: number, singular: string, plural = `${singular}s`): readonly string[] {
  return value <= 0 ? [] : [`${count(value)} more ${value === 1 ? singular : plural}`]
}
