import type { SessionControl } from './session.tsx'
import { Agents } from './agents.tsx'
import { Alerts } from './alerts.tsx'
import { Footer } from './footer.tsx'
import { Header } from './header.tsx'
import { useLive } from './live.tsx'
import { Login } from './login.tsx'
import { Paths } from './paths.tsx'
import { useSession } from './session.tsx'
import { useTab } from './tab.tsx'
import { isFiring } from './verdict.ts'

/** The page: asks for a token if need be, then shows the collector's overview live. */
export function App() {
  const control = useSession()
  switch (control.session.state) {
    case 'checking':
      return (
        <main class="waiting">
          <p role="status">
            {control.session.unreachable ? 'The collector does not answer; trying again.' : ''}
          </p>
        </main>
      )
    case 'closed':
      return <Login complaint={control.session.complaint} onToken={control.login} />
    case 'open':
      return <Console recheck={control.recheck} />
  }
}

function Console({ recheck }: Pick<SessionControl, 'recheck'>) {
  const live = useLive(recheck)
  const overview = live.overview
  useTab(overview?.alerts.filter(isFiring).length ?? 0, live.state === 'lost')
  if (overview === undefined)
    return (
      <main class="waiting">
        <p role="status">
          {live.misunderstood
            ? 'This page and the collector are of different versions. Reload the page.'
            : 'Waiting for the collector.'}
        </p>
      </main>
    )
  return (
    <>
      <Header live={live} overview={overview} />
      <main class={live.state === 'lost' ? 'stale' : ''}>
        <Alerts alerts={overview.alerts} atMs={overview.atMs} />
        <Paths overview={overview} />
        <Agents agents={overview.agents} atMs={overview.atMs} />
      </main>
      <Footer overview={overview} />
    </>
  )
}
