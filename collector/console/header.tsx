import type { ComponentChildren } from 'preact'
import type { Overview } from '../http/overview.ts'
import { Icon } from './icon.tsx'
import type { Live } from './live.tsx'
import { Time } from './time.tsx'
import type { Headline } from './headline.ts'
import './header.css'

interface Props {
  readonly live: Live
  readonly overview: Overview
  /** What the page has to say, in one sentence. */
  readonly headline: Headline
  /** The pages there are. */
  readonly children: ComponentChildren
}

/** The page in one sentence; and whether what is shown is of now. */
export function Header({ live, overview, headline, children }: Props) {
  const { tone, sentence, facts } = headline
  const lost = live.state === 'lost'
  return (
    <header class={`headline tone-${lost ? 'unknown' : tone}`}>
      <div class="bar">
        <span class="brand">
          <img src="/icon.svg" alt="" width="24" height="24" />
          Kiestoon
        </span>
        {children}
        <span id="live" role="status" class={lost ? 'badge lost' : 'badge live'}>
          {lost && live.receivedMs !== undefined ? (
            <>
              not live since <Time ms={live.receivedMs} today={live.receivedMs} />
            </>
          ) : (
            'live'
          )}
        </span>
      </div>
      <h1 id="verdict" aria-live="polite">
        <Icon tone={lost ? 'unknown' : tone} />
        <span>
          {lost && (
            <>
              At <Time ms={overview.atMs} today={overview.atMs} />:{' '}
            </>
          )}
          {sentence}
        </span>
      </h1>
      {facts.length > 0 && <p class="facts">{facts.join(' · ')}</p>}
      {lost && (
        <p class="notice stale" role="alert">
          What follows is old: the collector has not been heard from since. Trying again.
        </p>
      )}
      {overview.store.problem !== undefined && (
        <p class="notice problem" role="alert">
          The store cannot take writes: {overview.store.problem}
        </p>
      )}
      {overview.notices.map((notice) => (
        <p class="notice" key={notice}>
          {notice}
        </p>
      ))}
    </header>
  )
}
