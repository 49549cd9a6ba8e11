import { useEffect, useState } from 'preact/hooks'
import type { AlertView } from '../http/overview.ts'
import { Alert } from './alert.tsx'
import { counted } from './format.ts'
import { isFiring } from './verdict.ts'
import './alerts.css'

const ANCHOR = '#alert-'
/** Closed alerts that stay in sight; the older ones are folded away. */
const CLOSED_SHOWN = 3

/** Alerts, firing ones first; an address ending in #alert-<id> opens that one. */
export function Alerts({
  alerts,
  atMs,
}: {
  readonly alerts: readonly AlertView[]
  readonly atMs: number
}) {
  const wanted = useWantedAlert()
  const firing = alerts.filter(isFiring)
  const closed = alerts.filter((alert) => !isFiring(alert))
  const earlier = closed.slice(CLOSED_SHOWN)
  const line = (alert: AlertView) => (
    <Alert key={alert.id} alert={alert} atMs={atMs} wanted={alert.id === wanted} />
  )
  const lost = wanted !== undefined && alerts.every((alert) => alert.id !== wanted)
  return (
    <section aria-labelledby="alerts-title">
      <h2 id="alerts-title">Alerts</h2>
      {lost && (
        <p class="empty">
          The alert this address points to is no longer listed: only the newest are kept here.
        </p>
      )}
      {firing.length === 0 && <p class="empty">No alert is firing.</p>}
      <ul class="alerts" id="alerts">
        {[...firing, ...closed.slice(0, CLOSED_SHOWN)].map(line)}
      </ul>
      {earlier.length > 0 && (
        <details class="earlier" open={earlier.some((alert) => alert.id === wanted)}>
          <summary>{counted(earlier.length, 'earlier alert')}</summary>
          <ul class="alerts">{earlier.map(line)}</ul>
        </details>
      )}
    </section>
  )
}

/** The alert the address asks for. */
function useWantedAlert(): string | undefined {
  const [wanted, setWanted] = useState(alertInAddress)
  useEffect(() => {
    const follow = (): void => {
      setWanted(alertInAddress())
    }
    addEventListener('hashchange', follow)
    return () => {
      removeEventListener('hashchange', follow)
    }
  }, [])
  return wanted
}

function alertInAddress(): string | undefined {
  if (!location.hash.startsWith(ANCHOR)) return undefined
  const id = location.hash.slice(ANCHOR.length)
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}
