/** Days as people write them in the site file: 2027-05-31. They sort as text. */

export const DAY_EXAMPLE = '2027-05-31'

const DAY = /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/
const FEBRUARY = 2
const LONGEST = 31
const SHORTER: ReadonlyMap<number, number> = new Map([
  [4, 30],
  [6, 30],
  [9, 30],
  [11, 30],
])

/** Whether there is such a day: 2027-02-29 is none. */
export function isDay(text: string): boolean {
  const [, year, month, day] = DAY.exec(text)?.map(Number) ?? []
  if (year === undefined || month === undefined || day === undefined) return false
  return day <= (month === FEBRUARY ? (isLeap(year) ? 29 : 28) : (SHORTER.get(month) ?? LONGEST))
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}
