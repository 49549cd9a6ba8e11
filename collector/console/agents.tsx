import { agentKey, type AgentView } from '../http/overview.ts'
import { count, signedMilliseconds, typeset } from './format.ts'
import { Icon } from './icon.tsx'
import { Missing } from './missing.tsx'
import { ruleName } from './rule-names.ts'
import { Ago } from './time.tsx'
import type { Tone } from './verdict.ts'

/** The agents that have ever reported, as the collector knows them. */
export function Agents({
  agents,
  atMs,
}: {
  readonly agents: readonly AgentView[]
  readonly atMs: number
}) {
  if (agents.length === 0) return null
  return (
    <section aria-labelledby="agents-title">
      <h2 id="agents-title">Agents</h2>
      <table role="table" id="agents" class="stacking">
        <thead role="rowgroup">
          <tr role="row">
            {[
              'Agent',
              'Site',
              'Last seen',
              'Clock offset',
              'Waiting in spool',
              'Points',
              'Refused',
              'Version',
            ].map((title) => (
              <th role="columnheader" scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {agents.map((agent) => (
            <tr role="row" key={agentKey(agent)} class={`agent tone-${toneOf(agent)}`}>
              <th role="rowheader" scope="row">
                <Icon tone={toneOf(agent)} />
                <span class="name">{agent.agent}</span>
                {agent.silent && <strong class="badge firing">silent</strong>}
                {agent.problems.map(({ what, reason }) => (
                  <p class="problem" key={what}>
                    <strong>{ruleName(what)}</strong>: {typeset(reason)}
                  </p>
                ))}
              </th>
              <td role="cell" data-label="Site">
                {agent.site}
              </td>
              <td role="cell" data-label="Last seen" class="number">
                <Ago ms={agent.lastSeenMs} nowMs={atMs} />
              </td>
              <td role="cell" data-label="Clock offset" class="number">
                {agent.clockOffsetMs === null ? (
                  <Missing why="clock offset not measured" />
                ) : (
                  signedMilliseconds(agent.clockOffsetMs)
                )}
              </td>
              <td role="cell" data-label="Waiting in spool" class="number">
                {agent.spoolPoints === null ? (
                  <Missing why="the agent has not said" />
                ) : (
                  count(agent.spoolPoints)
                )}
              </td>
              <td role="cell" data-label="Points" class="number">
                {count(agent.points)}
              </td>
              <td role="cell" data-label="Refused" class="number">
                {agent.rejected === 0 ? '0' : <strong>{count(agent.rejected)}</strong>}
              </td>
              <td role="cell" data-label="Version">
                {agent.version === '' ? <Missing why="not said" /> : agent.version}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function toneOf({ silent, problems }: AgentView): Tone {
  if (silent) return 'over'
  return problems.length > 0 ? 'caution' : 'ok'
}
