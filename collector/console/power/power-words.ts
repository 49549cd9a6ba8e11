import type { ComponentView, PowerState, PowerView, ServiceView } from '../../http/power-view.ts'
import { duration } from '../format.ts'
import type { Tone } from '../verdict.ts'

const S_PER_MIN = 60
const SPACE = '\u00a0'
const MOST_NAMES = 4

/** How something looks; `assumed` is its own: neither known to work nor to fail. */
export type Look = Tone | 'assumed'

const LOOKS: Readonly<Record<PowerState, Look>> = {
  up: 'ok',
  degraded: 'caution',
  down: 'over',
  unknown: 'unknown',
  assumed: 'assumed',
}

const WORDS: Readonly<Record<PowerState, string>> = {
  up: 'works',
  degraded: 'degraded',
  down: 'down',
  unknown: 'unknown',
  assumed: 'not watched',
}

export function lookOf({ state }: Pick<ComponentView, 'state'>): Look {
  return LOOKS[state]
}

export function stateWord({ state }: Pick<ComponentView, 'state'>): string {
  return WORDS[state]
}

export interface ServiceWords {
  readonly look: Tone
  /** "works", "down" ... */
  readonly words: string
  /** What stands behind it: why, or what would be next; '' where there is nothing to say. */
  readonly meaning: string
}

/** How a service stands, for somebody who has not read the manual. */
export function serviceWords(service: ServiceView, nameOf: (id: string) => string): ServiceWords {
  const { state, because, newSingles, minutesLeft } = service
  const causes = because.map((set) => set.map(nameOf).join(' and '))
  if (state === 'down')
    return {
      look: 'over',
      words: 'down',
      meaning: causes.length === 0 ? '' : `because of ${listed(causes, 'or')}`,
    }
  if (state === 'at-risk')
    return {
      look: 'unknown',
      words: 'may be down',
      meaning: causes.length === 0 ? '' : `nothing is known of ${listed(causes, 'and')}`,
    }
  if (state === 'unknown')
    return { look: 'unknown', words: 'unknown', meaning: 'nothing is heard of what it needs' }
  if (newSingles.length > 0)
    return {
      look: isShort(service) ? 'over' : 'caution',
      words: minutesLeft === null ? 'works, without reserve' : 'works, on battery',
      meaning: `redundancy lost: ${listed(newSingles.map(nameOf), 'or')} alone would stop it now`,
    }
  if (minutesLeft !== null)
    return { look: isShort(service) ? 'over' : 'caution', words: 'works, on battery', meaning: '' }
  return { look: 'ok', words: 'works', meaning: '' }
}

/** It will not last as long as it should; without a stated hold-up, any end in sight is short. */
export function isShort({ minutesLeft, holdUpMin }: ServiceView): boolean {
  return minutesLeft !== null && minutesLeft < (holdUpMin ?? Infinity)
}

/** "11 min", "2 h 5 min", "less than a minute" */
export function minutes(value: number): string {
  if (value < 1) return 'less than a minute'
  return duration(Math.floor(value) * S_PER_MIN).replace(/ \d+\u00a0s$/, '')
}

/** "; 11 min left", where what is said of its state does not say it already. */
export function leftWords({
  minutesLeft,
  stateText,
  state,
}: Pick<ComponentView, 'minutesLeft' | 'stateText' | 'state'>): string {
  const isSaid = minutesLeft === null || state === 'down' || stateText.includes('left')
  return isSaid ? '' : `; ${minutes(minutesLeft)} left`
}

/** A service or component as people call it. */
export function nameIn(things: readonly { readonly id: string; readonly label: string }[]) {
  const labels = new Map(things.map(({ id, label }) => [id, label]))
  return (id: string): string => {
    const label = labels.get(id) ?? ''
    return label === '' ? id : label
  }
}

/** Components as they are written on the thing, with what people call them: "sw-1 (Floor 1)"; services as people call them. */
export function fullNameIn({
  components,
  services,
}: Pick<PowerView, 'components' | 'services'>): (id: string) => string {
  const names = components.map(({ id, label, members }) => ({
    id,
    label: label === '' || members.length > 0 ? '' : `${id} (${label})`,
  }))
  return nameIn([...names, ...services])
}

/** "B1/2.14/rack 3, circuit L3-7" */
export function whereOf({ place, circuit }: Pick<ComponentView, 'place' | 'circuit'>): string {
  return [place, circuit === '' ? '' : `circuit${SPACE}${circuit}`]
    .filter((part) => part !== '')
    .join(', ')
}

/** "a, b and c", "a, b, c, d and 3 more". `total` where more are meant than are given. */
export function listed(
  names: readonly string[],
  word: 'and' | 'or',
  total = names.length,
  most = MOST_NAMES,
): string {
  const shown = names.slice(0, most)
  const more = total - shown.length
  if (more > 0) return `${shown.join(', ')} and ${more}${SPACE}more`
  const last = shown.at(-1) ?? ''
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(', ')} ${word} ${last}`
}
