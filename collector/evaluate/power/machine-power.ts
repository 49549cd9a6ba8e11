import type { RuleContext } from '../rule.ts'
import { causeWords, coneOfComponent, darkIn, rootsOf } from './fragility.ts'

/** What others see of the machine of an agent that is not heard any more. */
export interface SeenByOthers {
  /** dark: it has no power, or nothing it needs. well: it answers, or what feeds it is on mains. */
  readonly state: 'dark' | 'answers' | 'fed'
  readonly words: string
}

/**
 * Only of what was read after the agent fell silent, by somebody else; undefined where nobody did.
 * @param silentSinceUs arrival of its last points
 */
export function seenByOthers(
  { chain, topology }: Pick<RuleContext, 'chain' | 'topology'>,
  agent: string,
  silentSinceUs: number,
): SeenByOthers | undefined {
  const { now } = chain
  const machine = topology().machineOf(agent)
  if (now === undefined || machine === undefined) return undefined
  const { model } = now.live
  if (!model.indexOf.has(machine)) return undefined
  const read = [...coneOfComponent(model, machine)].flatMap((id) => {
    const seen = now.observations.get(id)
    return seen !== undefined && seen.state !== 'unknown' && seen.atUs > silentSinceUs
      ? [{ id, ...seen }]
      : []
  })
  const down = read.filter(({ state }) => state === 'down').map(({ id }) => id)
  if (down.some((id) => id !== machine) && darkIn(now)(machine)) {
    const [cause = ''] = rootsOf(now, down)
    return { state: 'dark', words: `its machine has nothing to run on: ${causeWords(now, cause)}` }
  }
  const own = read.find(({ id }) => id === machine)
  if (own?.state === 'up')
    return { state: 'answers', words: `its machine ${machine} is seen by others: ${own.reason}` }
  const fed = read.find(
    ({ id, state, inputLost }) =>
      model.drawing.components.get(id)?.kind === 'ups' && state !== 'down' && inputLost !== true,
  )
  return fed === undefined
    ? undefined
    : {
        state: 'fed',
        words: `what feeds its machine is read by others: ${causeWords(now, fed.id)}`,
      }
}
