import { duration } from './format.ts'

const SECOND_MS = 1000
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** A moment in local time, with the day when it is not the day of `today`; UTC in the title. */
export function Time({ ms, today }: { readonly ms: number; readonly today: number }) {
  const utc = new Date(ms).toISOString()
  return (
    <time dateTime={utc} title={`${utc.slice(0, 19).replace('T', ' ')} UTC`}>
      {localTime(ms, today)}
    </time>
  )
}

/** How long ago by the collector's clock: the browser's may be wrong. */
export function Ago({ ms, nowMs }: { readonly ms: number; readonly nowMs: number }) {
  const utc = new Date(ms).toISOString()
  return (
    <time dateTime={utc} title={`${utc.slice(0, 19).replace('T', ' ')} UTC`}>
      {duration((nowMs - ms) / SECOND_MS)} ago
    </time>
  )
}

/** "2 Nov 2026" */
export function localDay(ms: number): string {
  const moment = new Date(ms)
  return `${moment.getDate()}\u00a0${MONTHS[moment.getMonth()] ?? ''}\u00a0${moment.getFullYear()}`
}

/** "03:12:04", or "21 Nov 03:12:04" when that is another day. */
export function localTime(ms: number, today: number): string {
  const moment = new Date(ms)
  const clock = [moment.getHours(), moment.getMinutes(), moment.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
  if (moment.toDateString() === new Date(today).toDateString()) return clock
  return `${moment.getDate()}\u00a0${MONTHS[moment.getMonth()] ?? ''} ${clock}`
}
