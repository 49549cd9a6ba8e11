import type { AgentView } from '../http/overview.ts'

/** What to do when no path is measured yet. */
export function FirstSteps({ agents }: { readonly agents: readonly AgentView[] }) {
  return (
    <section aria-labelledby="paths-title">
      <h2 id="paths-title">Paths</h2>
      <div class="empty">
        {agents.length === 0 ? (
          <>
            <p>No agent has reported yet. Two steps:</p>
            <ol>
              <li>
                On the collector's machine, with the <code>--config</code> or <code>--data</code> it
                runs with, make a token for the agent:
                <code>
                  kiestoon-collector token create --config collector.yaml --agent gw-1 --site hq
                </code>
              </li>
              <li>
                Where the calls pass (a gateway, a mirror port, the phone system), write it into{' '}
                <code>agent.yaml</code> and start the agent:
                <code>kiestoon-agent run --config agent.yaml</code>
              </li>
            </ol>
            <p>Paths appear here within half a minute of the first call or test stream.</p>
          </>
        ) : (
          <>
            <p>Agents report, but none of them has seen a stream yet.</p>
            <ol>
              <li>
                Is anybody calling, and does the agent listen where the packets pass? Ask it:
                <code>kiestoon-agent once --config agent.yaml</code>
              </li>
              <li>
                No calls to see: let two agents test the way between them with <code>rtp-test</code>{' '}
                and <code>rtp-reflect</code> in their configuration.
              </li>
            </ol>
          </>
        )}
      </div>
    </section>
  )
}
