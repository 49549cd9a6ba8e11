import { duration } from '../../../common/settings.ts'
import type { MeasurementName } from '../../../common/measurement.ts'

/** What the rules on UPSes have in common. */

export const US_PER_MS = 1000
export const UPS: ReadonlySet<MeasurementName> = new Set(['ups'])

/** How long something must last before it is told, and how long it must be over before that is. */
export const holdOf = (hold: string, clear: string) => ({
  hold: duration.prefault(hold),
  clear: duration.prefault(clear),
})

/** Of such options, as the rule counts. */
export function holdsOf({ hold, clear }: { readonly hold: number; readonly clear: number }) {
  const holds = { holdUs: hold * US_PER_MS, clearUs: clear * US_PER_MS }
  return () => holds
}

/**
 * All of a site's devices that are in the same trouble: what one event does to them is one alert. Those that are not drawn apart: of the
 * others the alert on the event as a whole may tell.
 */
export function bySite(noun: string): (labels: Readonly<Record<string, string>>) => {
  readonly key: string
  readonly object: string
} {
  return ({ site = 'unknown', component }) =>
    component === undefined
      ? { key: site, object: `${noun} of ${site}` }
      : { key: `${site} drawn`, object: `${noun} of ${site} in the site file` }
}
