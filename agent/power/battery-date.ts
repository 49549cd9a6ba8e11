import { dayNumber } from './calendar-day.ts'

const US_PER_DAY = 86_400_000_000
/** No UPS battery is older; earlier dates are a clock or a memory that was never set. */
const FIRST_YEAR = 1990
const CENTURY = 100

/** What a source writes first where a date has the year last: `06/12/19`. */
export type DateOrder = 'month-first' | 'unknown'

/**
 * Age of a battery, in days. Read are `2019-06-12`, `2019/06/12`, `20190612` and, with the year last, `06/12/19` and `06/12/2019`: which
 * of the two is the month is told by the source, or by the numbers, else it is not guessed.
 * @returns undefined for anything else, for no date of the calendar, and for one in the future
 */
export function batteryAgeDays(
  text: string | undefined,
  nowUs: number,
  order: DateOrder = 'unknown',
): number | undefined {
  const day = text === undefined ? undefined : readDate(text.trim(), order)
  if (day === undefined) return undefined
  const age = nowUs / US_PER_DAY - day
  // A battery put in today, where it is tomorrow already.
  return age >= -1 ? Math.max(0, Math.floor(age)) : undefined
}

/** Days since 1970-01-01. */
function readDate(text: string, order: DateOrder): number | undefined {
  const yearFirst = /^(\d{4})([-/.]?)(\d{2})\2(\d{2})(?:[T ].*)?$/.exec(text)
  if (yearFirst !== null)
    return sinceUpses(Number(yearFirst[1]), Number(yearFirst[3]), Number(yearFirst[4]))
  const yearLast = /^(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})$/.exec(text)
  if (yearLast === null) return undefined
  const [first, second] = [Number(yearLast[1]), Number(yearLast[3])]
  const year = fullYear(yearLast[4] ?? '')
  const months = 12
  if (order === 'month-first' || second > months) return sinceUpses(year, first, second)
  if (first > months || first === second) return sinceUpses(year, second, first)
  return undefined
}

function fullYear(digits: string): number {
  const year = Number(digits)
  if (digits.length > 2) return year
  return year + (year >= FIRST_YEAR % CENTURY ? FIRST_YEAR - (FIRST_YEAR % CENTURY) : 2000)
}

function sinceUpses(year: number, month: number, day: number): number | undefined {
  return year >= FIRST_YEAR ? dayNumber(year, month, day) : undefined
}
