import { useEffect, useState } from 'preact/hooks'
import type { Overview } from '../http/overview.ts'
import { readChange, readOverview } from './read-overview.ts'

const ADDRESS = '/api/v1/events'
/** The collector sends at least every few seconds; after this long without a word the page says it is not live. */
const SILENCE_MS = 35_000
const CHECK_MS = 1000
const RETRY_MS = 5000

export interface Live {
  readonly overview?: Overview
  /** By the browser's clock, when the last overview came. */
  readonly receivedMs?: number
  /** connecting until the first overview; lost when nothing came for 35 s. */
  readonly state: 'connecting' | 'live' | 'lost'
  /** The stream sends what this page cannot read: it is older or newer than the collector. */
  readonly misunderstood: boolean
}

/** The overview as the collector sends it, whole at first and then what changes. `onRefused` is called when it refuses the stream, and the session should be asked for again. */
export function useLive(onRefused: () => void): Live {
  const [live, setLive] = useState<Live>({ state: 'connecting', misunderstood: false })
  useEffect(() => {
    let heardMs = Date.now()
    let source: EventSource | undefined
    /** What the next change builds upon. */
    let shown: Overview | undefined
    let retry: number | undefined

    const take = (overview: Overview | undefined): void => {
      heardMs = Date.now()
      if (shown && overview && shown.version !== overview.version) location.reload()
      shown = overview
      setLive((before) =>
        overview === undefined
          ? { ...before, misunderstood: true }
          : { overview, receivedMs: heardMs, state: 'live', misunderstood: false },
      )
    }
    const connect = (): void => {
      source?.close()
      source = new EventSource(ADDRESS)
      source.addEventListener('overview', (event: MessageEvent<unknown>) => {
        take(typeof event.data === 'string' ? readOverview(event.data) : undefined)
      })
      source.addEventListener('change', (event: MessageEvent<unknown>) => {
        if (shown === undefined || typeof event.data !== 'string') return
        take(readChange(event.data, shown))
      })
      source.addEventListener('error', () => {
        // a dropped connection is taken up again by the browser; an answer that is no stream is not
        if (source?.readyState !== EventSource.CLOSED || retry !== undefined) return
        onRefused()
        retry = window.setTimeout(() => {
          retry = undefined
          connect()
        }, RETRY_MS)
      })
    }
    connect()

    const check = window.setInterval(() => {
      if (Date.now() - heardMs <= SILENCE_MS) return
      heardMs = Date.now()
      setLive((before) => (before.state === 'live' ? { ...before, state: 'lost' } : before))
      // a connection that died without a word never reports an error
      if (retry === undefined) connect()
    }, CHECK_MS)

    return () => {
      window.clearInterval(check)
      window.clearTimeout(retry)
      source?.close()
    }
  }, [onRefused])
  return live
}
