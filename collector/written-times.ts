import type { Window } from './topology/what-if.ts'

/** Times as people write them. Looks at no clock: today is an argument. */

const US_PER_MS = 1000
const MS_PER_DAY = 86_400_000
const CLOCK = /^([01]?\d|2[0-3]):([0-5]\d)$/

/** FROM/TO, each a time such as 2026-12-24T10:00, or 10:00 of today; in the time zone of this machine. What is wrong with it, where something is. */
export function readWindow(text: string, nowMs: number): Window | string {
  const [from = NaN, to = NaN, ...more] = text.split('/').map((part) => timeOf(part.trim(), nowMs))
  if (more.length > 0 || Number.isNaN(from) || Number.isNaN(to))
    return 'expected FROM/TO, such as 22:00/02:00 or 2026-12-24T10:00/2026-12-24T12:00'
  const isClock = text.split('/').every((part) => CLOCK.test(part.trim()))
  // 22:00/02:00 ends tomorrow.
  const end = isClock && to <= from ? to + MS_PER_DAY : to
  if (end <= from) return 'it ends before it begins'
  return { fromUs: from * US_PER_MS, toUs: end * US_PER_MS }
}

function timeOf(text: string, nowMs: number): number {
  const clock = CLOCK.exec(text)
  if (clock === null) return Date.parse(text)
  return new Date(nowMs).setHours(Number(clock[1]), Number(clock[2]), 0, 0)
}
