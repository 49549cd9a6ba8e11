import type { ComponentView, PowerView, ServiceView } from '../../http/power-view.ts'
import { count, counted } from '../format.ts'
import type { Headline } from '../headline.ts'
import { isShort, listed, minutes, nameIn } from './power-words.ts'

/** The one sentence at the top of the page Power: does everything have power, and for how long? */
export function powerHeadline(view: PowerView): Headline {
  const { drawing, services, components, singlePoints } = view
  if (drawing === null)
    return {
      tone: 'unknown',
      sentence: 'Nothing is drawn yet: which power feeds which calls is not known',
      facts: [],
    }
  const facts = factsOf(components, view)
  const nameOf = nameIn(services)
  const name = (some: readonly ServiceView[]): string =>
    listed(
      some.map(({ id }) => nameOf(id)),
      'and',
    )
  const say = (tone: Headline['tone'], sentence: string): Headline => ({ tone, sentence, facts })
  const down = services.filter(({ state }) => state === 'down')
  const running = services.filter(
    ({ state, minutesLeft }) => state !== 'down' && minutesLeft !== null,
  )
  const [next] = running
  const running112 =
    next === undefined || next.minutesLeft === null ? '' : leftSentence(next, nameOf)
  if (down.length > 0)
    return {
      ...say('over', `Down: ${name(down)}`),
      facts: [...(running112 === '' ? [] : [running112]), ...facts],
    }
  if (next !== undefined) return say(running.some(isShort) ? 'over' : 'caution', running112)
  const unsure = services.filter(({ state }) => state === 'at-risk')
  if (unsure.length > 0) return say('unknown', `Nobody knows whether this works: ${name(unsure)}`)
  const fragile = services.filter(({ newSingles }) => newSingles.length > 0)
  if (fragile.length > 0)
    return say('caution', `Redundancy lost: one more failure stops ${name(fragile)}`)
  if (services.length === 0) return say('unknown', 'No service is drawn: nothing is said of calls')
  if (services.every(({ state }) => state === 'unknown'))
    return say('unknown', 'Nothing is heard of the power yet')
  const drawn = singlePoints.length
  const [only] = services
  const subject =
    only !== undefined && services.length === 1
      ? `${nameOf(only.id)}: works,`
      : `All ${counted(services.length, 'service')} work,`
  return say(
    components.some(({ state }) => state === 'down' || state === 'degraded') ? 'caution' : 'ok',
    drawn === 0
      ? `${subject} and no single failure would stop ${services.length === 1 ? 'it' : 'one'}`
      : `${subject} as redundant as drawn`,
  )
}

function leftSentence(service: ServiceView, nameOf: (id: string) => string): string {
  const { minutesLeft, holdUpMin, id } = service
  const left = `${nameOf(id)}: ${minutes(minutesLeft ?? 0)} left on battery`
  return holdUpMin === null || !isShort(service)
    ? left
    : `${left}, it should last ${minutes(holdUpMin)}`
}

function factsOf(components: readonly ComponentView[], view: PowerView): readonly string[] {
  const with_ = (state: ComponentView['state']): number =>
    components.filter((it) => it.state === state && it.isWatched).length
  const fresh = view.singlePoints.filter(({ isNew }) => isNew).length
  const open = view.singlePoints.filter(({ isNew, accepted }) => !isNew && accepted === null).length
  return [
    ...some(with_('down'), 'component down', 'components down'),
    ...some(with_('degraded'), 'component degraded', 'components degraded'),
    ...some(with_('unknown'), 'component unknown', 'components unknown'),
    ...some(fresh, 'new single point of failure', 'new single points of failure'),
    // Of those beyond the list nobody counts how many are accepted.
    ...(open > 0 && view.singlePointsLeftOut > 0
      ? [`more than ${count(open)} single points of failure nobody has accepted`]
      : some(
          open,
          'single point of failure nobody has accepted',
          'single points of failure nobody has accepted',
        )),
  ]
}

function some(value: number, singular: string, plural: string): readonly string[] {
  return value === 0 ? [] : [counted(value, singular, plural)]
}
