import { useEffect, useState } from 'preact/hooks'
import type { PowerView } from '../../http/power-view.ts'
import { isPowerView } from './read-power.ts'

const ADDRESS = '/api/v1/power'
const RETRY_MS = 3000

export interface Power {
  readonly view?: PowerView
  /** Why there is none, or why the one there is may be old. */
  readonly problem?: string
}

/**
 * The view of a chain, fetched again whenever the collector's version of it is another.
 * @param of the service or component whose chain is wanted; undefined: as the collector chooses
 */
export function usePower(version: number, of: string | undefined, onRefused: () => void): Power {
  const [power, setPower] = useState<Power>({})
  const [round, setRound] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    let timer: number | undefined
    void (async () => {
      const found = await fetchView(of, abort.signal)
      if (abort.signal.aborted) return
      if (found === 'refused') onRefused()
      else if (typeof found === 'string') setPower((before) => ({ ...before, problem: found }))
      else setPower({ view: found })
      if (typeof found === 'string')
        timer = window.setTimeout(() => {
          setRound((n) => n + 1)
        }, RETRY_MS)
    })()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
    }
  }, [version, of, round, onRefused])
  return power
}

async function fetchView(of: string | undefined, signal: AbortSignal): Promise<PowerView | string> {
  const query = of === undefined ? '' : `?of=${encodeURIComponent(of)}`
  try {
    const response = await fetch(`${ADDRESS}${query}`, { signal })
    if (response.status === 401 || response.status === 403) return 'refused'
    if (!response.ok) return `The collector answered ${response.status}.`
    const view: unknown = await response.json()
    if (isPowerView(view)) return view
    return 'This page and the collector are of different versions. Reload the page.'
  } catch {
    return 'The collector does not answer.'
  }
}
