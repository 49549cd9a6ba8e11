import { ABSENT } from './columns.ts'

/** Figures as people read them. */

const PERCENT = 100
const MS_PER_S = 1000
/** From here on seconds are easier to read. */
const LONG_MS = 10_000
const S_PER_MIN = 60
const S_PER_HOUR = 3600
const KB = 1000
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const
/** Before every third digit from the end. */
const THOUSANDS = /\B(?=(?:\d{3})+$)/g
const CLOCK = { timeZone: 'UTC', timeStyle: 'medium' } as const
/** Made when they are needed: that takes longer than to read a small file. Sweden writes dates as ISO 8601 has it. */
let dateTimeFormat: Intl.DateTimeFormat | undefined
let timeFormat: Intl.DateTimeFormat | undefined

/** 11,995 */
export function numberText(value: number): string {
  return String(value).replaceAll(THOUSANDS, ',')
}

/** 1 call, 2 calls */
export function countText(count: number, what: string): string {
  return `${numberText(count)} ${what}${count === 1 ? '' : 's'}`
}

/** 540.3 MB */
export function octetsText(octets: number): string {
  let size = octets
  let unit = 0
  while (size >= KB && unit < UNITS.length - 1) {
    size /= KB
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit] ?? ''}`
}

/** 3.14 % */
export function percentText(ratio: number): string {
  return `${(ratio * PERCENT).toFixed(2)} %`
}

/** 12.3 ms, 12.3 s */
export function msText(value: number | undefined): string {
  if (value === undefined) return ABSENT
  return value < LONG_MS ? `${value.toFixed(1)} ms` : lengthText(value)
}

/** 8.1 s, 3 min 20 s, 26 h 5 min */
export function lengthText(lengthMs: number): string {
  const seconds = lengthMs / MS_PER_S
  if (seconds < S_PER_MIN) return `${seconds.toFixed(1)} s`
  if (seconds < S_PER_HOUR)
    return `${Math.floor(seconds / S_PER_MIN)} min ${Math.floor(seconds % S_PER_MIN)} s`
  return `${Math.floor(seconds / S_PER_HOUR)} h ${Math.floor((seconds % S_PER_HOUR) / S_PER_MIN)} min`
}

/** 2026-11-22 20:19:43 */
export function dateText(ms: number): string {
  dateTimeFormat ??= new Intl.DateTimeFormat('sv-SE', { ...CLOCK, dateStyle: 'short' })
  return dateTimeFormat.format(ms)
}

/** 20:19:43 */
export function timeText(ms: number): string {
  timeFormat ??= new Intl.DateTimeFormat('sv-SE', CLOCK)
  return timeFormat.format(ms)
}
