/** Figures and times as people read them. */

const US_PER_MS = 1000
const US_PER_S = 1_000_000
const S_PER_MIN = 60
const MIN_PER_H = 60
const PERCENT = 100
const SIGNIFICANT_DIGITS = 3

const UTC_MINUTE = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'UTC',
  dateStyle: 'short',
  timeStyle: 'short',
})
const WITH_THOUSANDS = new Intl.NumberFormat('en-US')

/** 0.0812345 -> "8.12 %" */
export function percent(ratio: number): string {
  return `${Number((ratio * PERCENT).toPrecision(SIGNIFICANT_DIGITS))} %`
}

/** 12345 -> "12,345" */
export function count(number: number): string {
  return WITH_THOUSANDS.format(number)
}

/** "1 call", "1,234 calls" */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? '' : 's'}`
}

/** "2026-11-22 03:12 UTC" */
export function utcMinute(timeUs: number): string {
  return `${UTC_MINUTE.format(Math.floor(timeUs / US_PER_MS))} UTC`
}

/** "45 s", "12 min", "3 h 5 min" */
export function lasting(durationUs: number): string {
  const seconds = Math.max(0, Math.round(durationUs / US_PER_S))
  if (seconds < 2 * S_PER_MIN) return `${seconds} s`
  const minutes = Math.round(seconds / S_PER_MIN)
  if (minutes < 2 * MIN_PER_H) return `${minutes} min`
  return `${Math.floor(minutes / MIN_PER_H)} h ${minutes % MIN_PER_H} min`
}
