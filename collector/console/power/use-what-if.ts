import { useEffect, useState } from 'preact/hooks'
import type { WhatIfView } from '../../http/power-view.ts'
import { isRecord } from '../shape.ts'
import { isWhatIf } from './read-power.ts'

export type WhatIfAnswer =
  | { readonly state: 'asking' }
  | { readonly state: 'answered'; readonly answer: WhatIfView }
  | { readonly state: 'failed'; readonly reason: string }

/** What happens if these fail now and stay so; asked again whenever the version is another. */
export function useWhatIf(fail: readonly string[], version: number): WhatIfAnswer | undefined {
  const [found, setFound] = useState<{ readonly key: string; readonly answer: WhatIfAnswer }>()
  const key = fail.join()
  useEffect(() => {
    if (key === '') return
    const abort = new AbortController()
    void askWhatIf(key.split(','), undefined, abort.signal).then((answer) => {
      if (!abort.signal.aborted) setFound({ key, answer })
    })
    return () => {
      abort.abort()
    }
  }, [key, version])
  if (key === '') return undefined
  return found?.key === key ? found.answer : { state: 'asking' }
}

/** Two moments, as 2026-12-24T10:00:00.000Z. */
export interface Window {
  readonly from: string
  readonly to: string
}

/** Asks the collector once. */
export async function askWhatIf(
  fail: readonly string[],
  window: Window | undefined,
  signal?: AbortSignal,
): Promise<WhatIfAnswer> {
  const query = new URLSearchParams({ fail: fail.join() })
  if (window !== undefined) {
    query.set('from', window.from)
    query.set('to', window.to)
  }
  try {
    const response = await fetch(`/api/v1/power/what-if?${query.toString()}`, {
      signal: signal ?? null,
    })
    const answer: unknown = await response.json()
    if (response.ok && isWhatIf(answer)) return { state: 'answered', answer }
    const message = isRecord(answer) ? answer['message'] : undefined
    return {
      state: 'failed',
      reason: typeof message === 'string' ? message : `The collector answered ${response.status}.`,
    }
  } catch {
    return { state: 'failed', reason: 'The collector does not answer.' }
  }
}
