import { closest } from '../../common/closest.ts'
import type { Watch } from './dependency.ts'
import type { Explained, Finding } from './finding.ts'
import { WATCHABLE } from './watchable.ts'

/** These say themselves how they are; unwatched, nobody sees them fail. */
const SELF_TELLING: ReadonlyMap<string, string> = new Map([
  ['ups', 'ups'],
  ['ats', 'transfer_switch'],
])

/** Which measurement tells of what: none, the same of two, or one that cannot. */
export function explainWatches({ file, model }: Explained): readonly Finding[] {
  const { components, services } = model.drawing
  const agents = Object.keys(file.agents)
  const seen = new Map<string, string>()
  const watched = [
    ...[...components.values()].map(({ id, watch }) => ['components', id, watch] as const),
    ...[...services.values()].map(({ id, watch }) => ['services', id, watch] as const),
  ]
  return [
    ...watched.flatMap(([kind, id, watch]): readonly Finding[] => {
      if (watch === undefined) return []
      const path = [kind, id, 'watch']
      return [
        ...(kind === 'components' ? mute(watch, path) : []),
        ...same(watch, path, `${kind}.${id}`, seen),
        ...unheard(watch, path, agents),
      ]
    }),
    ...[...services.values()]
      .filter(({ watch }) => watch === undefined)
      .map(({ id }): Finding => ({
        ...{ severity: 'warning', code: 'unwatched-service', path: ['services', id] },
        message: 'it has no watch: only the drawing says whether it works',
        remedy:
          'add one that tries it, such as watch: { measurement: sip_call, target: ... } or sip_options of its trunk',
      })),
    ...[...components.values()].flatMap(({ id, kind, watch }): Finding[] => {
      const measurement = SELF_TELLING.get(kind)
      if (measurement === undefined || watch !== undefined) return []
      return [
        {
          ...{ severity: 'hint', code: 'unwatched', path: ['components', id] },
          message: `nobody sees how this ${kind} is`,
          remedy: `add watch: { measurement: ${measurement}, target: ... }, as an agent measures it`,
        },
      ]
    }),
  ]
}

function mute({ measurement }: Watch, path: readonly PropertyKey[]): readonly Finding[] {
  if (WATCHABLE.some((it) => it === measurement)) return []
  return [
    {
      ...{ severity: 'warning', code: 'mute-watch', path: [...path, 'measurement'] },
      message: `${measurement} does not say whether one thing works`,
      remedy: `take one of ${WATCHABLE.join(', ')}`,
    },
  ]
}

function same(
  { measurement, target, agent = '' }: Watch,
  path: readonly PropertyKey[],
  who: string,
  seen: Map<string, string>,
): readonly Finding[] {
  const key = [measurement, target, agent].join('\n')
  const other = seen.get(key)
  seen.set(key, other ?? who)
  // A service may be tried by what also tells of its trunk.
  if (other === undefined || other.split('.', 1)[0] !== path[0]) return []
  return [
    {
      ...{ severity: 'warning', code: 'duplicate-watch', path },
      message: `${other} is watched by the same ${measurement} of ${target}`,
      remedy: 'correct the target, or draw what both hang on and watch that',
    },
  ]
}

function unheard(
  { agent }: Watch,
  path: readonly PropertyKey[],
  agents: readonly string[],
): readonly Finding[] {
  if (agent === undefined || agents.length === 0 || agents.includes(agent)) return []
  const near = closest(agent, agents)
  return [
    {
      ...{ severity: 'warning', code: 'unknown-agent', path: [...path, 'agent'] },
      message: `no agent "${agent}" is under agents`,
      remedy: near === undefined ? `add agents: { ${agent}: {} }` : `did you mean "${near}"?`,
    },
  ]
}
