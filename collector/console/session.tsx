import { useCallback, useEffect, useState } from 'preact/hooks'

const ADDRESS = '/api/v1/session'
const RETRY_MS = 5000
const TOKEN_FRAGMENT = '#token='
const UNAUTHORIZED = 401
const FORBIDDEN = 403
const TOO_MANY = 429

export type Session =
  | { readonly state: 'checking'; readonly unreachable: boolean }
  | { readonly state: 'closed'; readonly complaint?: string }
  | { readonly state: 'open' }

export interface SessionControl {
  readonly session: Session
  readonly login: (token: string) => Promise<void>
  /** Asks the collector again, after it refused something. */
  readonly recheck: () => void
}

/** Whether this browser may look; a token in the address logs in by itself and is taken out of the address. */
export function useSession(): SessionControl {
  const [session, setSession] = useState<Session>({ state: 'checking', unreachable: false })
  const [round, setRound] = useState(0)

  const login = useCallback(async (token: string) => {
    setSession(await openSession(token))
  }, [])
  const recheck = useCallback(() => {
    setRound((n) => n + 1)
  }, [])

  useEffect(() => {
    const abort = new AbortController()
    let timer: number | undefined
    void (async () => {
      const token = takeTokenFromAddress()
      const found = token === undefined ? await askSession(abort.signal) : await openSession(token)
      if (abort.signal.aborted) return
      // a collector that is away does not take back what it had allowed: what is on the screen stays
      setSession((before) =>
        found.state === 'checking' && before.state === 'open' ? before : found,
      )
      if (found.state === 'checking') timer = window.setTimeout(recheck, RETRY_MS)
    })()
    return () => {
      abort.abort()
      window.clearTimeout(timer)
    }
  }, [round, recheck])

  return { session, login, recheck }
}

async function askSession(signal: AbortSignal): Promise<Session> {
  try {
    const response = await fetch(ADDRESS, { signal })
    if (response.ok) return { state: 'open' }
    if (response.status === UNAUTHORIZED) return { state: 'closed' }
  } catch {
    // unreachable: the collector restarts or the network is away
  }
  return { state: 'checking', unreachable: true }
}

async function openSession(token: string): Promise<Session> {
  try {
    const response = await fetch(ADDRESS, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    })
    if (response.ok) return { state: 'open' }
    return { state: 'closed', complaint: complaintAbout(response.status) }
  } catch {
    return { state: 'closed', complaint: 'The collector does not answer.' }
  }
}

function complaintAbout(status: number): string {
  switch (status) {
    case UNAUTHORIZED:
      return 'The collector does not know this token.'
    case FORBIDDEN:
      return 'This is the token of an agent: it opens no console.'
    case TOO_MANY:
      return 'Too many failed logins. Wait a minute.'
    default:
      return `The collector answered ${status}.`
  }
}

function takeTokenFromAddress(): string | undefined {
  if (!location.hash.startsWith(TOKEN_FRAGMENT)) return undefined
  const token = location.hash.slice(TOKEN_FRAGMENT.length)
  history.replaceState(null, '', location.pathname + location.search)
  return token
}
