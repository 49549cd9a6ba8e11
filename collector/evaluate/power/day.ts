const DAY = /^(\d{4})-(\d{2})-(\d{2})$/
const US_PER_DAY = 86_400_000_000
const DAYS_PER_ERA = 146_097
const YEARS_PER_ERA = 400
/** From 1 March of the year 0 to 1 January 1970. */
const DAYS_BEFORE_1970 = 719_468
const DAYS_PER_YEAR = 365

/**
 * "2027-05-31" -> its beginning in UTC, microseconds since 1970; undefined for what is no day. The year is taken to begin in March, so
 * that the leap day is its last.
 */
export function dayUs(text: string): number | undefined {
  const read = DAY.exec(text)
  if (read === null) return undefined
  const [year = 0, month = 0, day = 0] = read.slice(1).map(Number)
  const march = month > 2 ? month - 3 : month + 9
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / YEARS_PER_ERA)
  const yearOfEra = marchYear - era * YEARS_PER_ERA
  // Months from March on have 31, 30, 31, 30, 31 days, and again: 153 in five.
  const dayOfYear = Math.floor((153 * march + 2) / 5) + day - 1
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  const days = era * DAYS_PER_ERA + yearOfEra * DAYS_PER_YEAR + leapDays + dayOfYear
  return (days - DAYS_BEFORE_1970) * US_PER_DAY
}
