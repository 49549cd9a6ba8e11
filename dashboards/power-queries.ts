import { lines, SITES, STEPS, type InfluxTarget } from './influx-query.ts'
import { CAUTION, OK, OVER, UNKNOWN, words } from './panels.ts'

/** What the queries and panels of the power board have in common. */

export const UPSES = `${SITES} AND "target" =~ /^\${ups:regex}$/`
/** What the drawing in the site file says of services; the other source is the readiness of 112. */
export const SERVICES = `${SITES} AND "source" = 'chain'`

export const BY_DEVICE = '"site", "target"'
const DEVICE_NAME = '$tag_target ($tag_site)'

/** A line or band per UPS. */
export function perUps(what: string, more = ''): { build(): InfluxTarget } {
  return perStep({ what, of: 'ups', where: `${UPSES}${more}` }, BY_DEVICE, DEVICE_NAME)
}

/** A line or band per device of another kind. */
export function perDevice(
  what: string,
  of: string,
  { name = DEVICE_NAME, refId = 'A' } = {},
): { build(): InfluxTarget } {
  return perStep({ what, of, where: SITES }, BY_DEVICE, name, refId)
}

/** A line or band per service. */
export function perService(
  what: string,
  { name = '$tag_target', refId = 'A' } = {},
): { build(): InfluxTarget } {
  return perStep({ what, of: 'service', where: SERVICES }, '"target"', name, refId)
}

function perStep(
  { what, of, where }: Readonly<Record<'what' | 'of' | 'where', string>>,
  by: string,
  name: string,
  refId?: string,
): { build(): InfluxTarget } {
  return lines(
    `SELECT ${what} FROM "${of}" WHERE ${where} GROUP BY ${STEPS}, ${by} fill(null)`,
    name,
    refId,
  )
}

/** The collector stores a state that does not change every minute: shorter gaps are none. */
export const STORED_GAP_MS = 150_000
/** Readings of devices come at least so often where power is polled with care. */
export const READING_GAP_MS = 60_000
/** Stats of what is stored every minute look back so far. */
export const LATELY = '2m'

/** By state_code: the worse, the higher. */
export const SERVICE_STATES = words({
  0: ['up', OK],
  1: ['at risk', CAUTION],
  2: ['unknown', UNKNOWN],
  3: ['down', OVER],
})
export const COMPONENT_STATES = words({
  0: ['up', OK],
  1: ['degraded', CAUTION],
  2: ['unknown', UNKNOWN],
  3: ['down', OVER],
})

/** Lines beside what is measured, of what should be. */
export const DASHED = [
  { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
  { id: 'custom.fillOpacity', value: 0 },
]
