import type { RuleContext } from '../rule.ts'
import { lasting } from '../words.ts'

const US_PER_MIN = 60_000_000
const S_PER_MIN = 60

/** Whether what an emergency call needs has power, and for how long. */
export interface EmergencyPower {
  /** short: it works, and will not for as long as it should. undrawn: nobody said what it needs. */
  readonly state: 'well' | 'down' | 'short' | 'unknown' | 'undrawn'
  readonly words: string
}

/** @param service by id; undefined where the site file draws none for the site */
export function emergencyPower(
  { chain }: Pick<RuleContext, 'chain'>,
  service: string | undefined,
): EmergencyPower {
  const { now } = chain
  const drawn = service === undefined ? undefined : now?.live.model.drawing.services.get(service)
  if (now === undefined || drawn === undefined)
    return {
      state: 'undrawn',
      words: 'power not judged: the site file does not draw what it needs',
    }
  const { id, holdUpS } = drawn
  const because = now.overlay.services.get(id)?.because[0]?.join(' and ')
  switch (chain.serviceState(id)) {
    case 'down':
      return { state: 'down', words: `${id} is down: ${because ?? 'what it needs failed'}` }
    case 'unknown':
      return { state: 'unknown', words: `nothing that ${id} needs is heard of: power unknown` }
    case 'at-risk':
      return {
        state: 'unknown',
        words: `${id} may be down: nothing is known of ${now.overlay.unknown.slice(0, 3).join(', ')}`,
      }
    case 'up':
      break
  }
  const minutesLeft = now.forecast.services.get(id)?.minutesLeft
  if (minutesLeft === undefined) return { state: 'well', words: 'power is well' }
  const left = lasting(minutesLeft * US_PER_MIN)
  if (holdUpS === undefined || minutesLeft * S_PER_MIN >= holdUpS)
    return { state: 'well', words: `on battery, ${left} left` }
  return {
    state: 'short',
    words: `power for ${left} left, should be ${lasting((holdUpS / S_PER_MIN) * US_PER_MIN)}`,
  }
}
