import { useState } from 'preact/hooks'
import type { Overview } from '../http/overview.ts'
import type { SessionControl } from './session.tsx'
import { Agents } from './agents.tsx'
import { Alerts } from './alerts.tsx'
import { Footer } from './footer.tsx'
import { Header } from './header.tsx'
import { headline, type Headline } from './headline.ts'
import { useLive, type Live } from './live.tsx'
import { Login } from './login.tsx'
import { Nav } from './nav.tsx'
import { Paths } from './paths.tsx'
import { powerHeadline } from './power/power-headline.ts'
import { PowerPage } from './power/power-page.tsx'
import { usePower } from './power/use-power.ts'
import { useRoute } from './route.ts'
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
  const route = useRoute()
  const firing = overview?.alerts.filter(isFiring).length ?? 0
  useTab(firing, live.state === 'lost')
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
  return route.page === 'power' ? (
    <PowerConsole live={live} overview={overview} selected={route.selected} onRefused={recheck} />
  ) : (
    <>
      <Header live={live} overview={overview} headline={headline(overview)}>
        <Nav page="quality" firing={firing} power={overview.power} />
      </Header>
      <main class={live.state === 'lost' ? 'stale' : ''}>
        <Alerts alerts={overview.alerts} atMs={overview.atMs} />
        <Paths overview={overview} />
        <Agents agents={overview.agents} atMs={overview.atMs} />
      </main>
      <Footer overview={overview} />
    </>
  )
}

interface PowerProps {
  readonly live: Live
  readonly overview: Overview
  readonly selected: string | undefined
  readonly onRefused: () => void
}

function PowerConsole({ live, overview, selected, onRefused }: PowerProps) {
  const [of, setOf] = useState<string>()
  const { view, problem } = usePower(overview.power?.version ?? 0, of, onRefused)
  const firing = overview.alerts.filter(isFiring).length
  return (
    <>
      <Header
        live={live}
        overview={overview}
        headline={view === undefined ? WAITING : powerHeadline(view)}
      >
        <Nav page="power" firing={firing} power={overview.power} />
      </Header>
      <main class={live.state === 'lost' || problem !== undefined ? 'power stale' : 'power'}>
        {problem !== undefined && (
          <p class="notice problem" role="alert">
            What follows may be old: {problem}
          </p>
        )}
        {view !== undefined && <PowerPage view={view} selected={selected} onShow={setOf} />}
      </main>
      <Footer overview={overview} />
    </>
  )
}

const WAITING: Headline = { tone: 'unknown', sentence: 'Waiting for the collector', facts: [] }
