interface Span {
  /** Monday is 0. */
  readonly firstDay: number
  readonly lastDay: number
  /** Minutes since midnight; the last one is not within. */
  readonly from: number
  readonly to: number
}

const DAYS = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su']
/** As English names begin. */
const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const MIN_PER_H = 60
const MIN_PER_DAY = 24 * MIN_PER_H
const US_PER_MS = 1000
const SPAN = /^(mo|tu|we|th|fr|sa|su)(?:-(mo|tu|we|th|fr|sa|su))? (\d\d):(\d\d)-(\d\d):(\d\d)$/

/** When people work: "mo-fr 08:00-18:00", several separated by commas, in a time zone. */
export class BusinessHours {
  readonly text: string
  readonly #spans: readonly Span[]
  /** Making one costs more than a thousand uses. */
  readonly #clock: Intl.DateTimeFormat

  private constructor(text: string, spans: readonly Span[], timeZone: string) {
    this.text = `${text} ${timeZone}`
    this.#spans = spans
    this.#clock = new Intl.DateTimeFormat('en-GB', {
      ...{ timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
    })
  }

  /** @returns undefined for what is not written so, ends before it begins, or is in no known zone */
  static parse(text: string, timeZone: string): BusinessHours | undefined {
    const spans = text.split(',').map((part) => parseSpan(part.trim().toLowerCase()))
    const read = spans.flatMap((span) => span ?? [])
    return read.length === spans.length && isTimeZone(timeZone)
      ? new BusinessHours(text, read, timeZone)
      : undefined
  }

  includes(timeUs: number): boolean {
    const parts = this.#clock.formatToParts(Math.floor(timeUs / US_PER_MS))
    const read = (type: string): string => parts.find((part) => part.type === type)?.value ?? ''
    const day = WEEKDAYS.indexOf(read('weekday'))
    const minute = Number(read('hour')) * MIN_PER_H + Number(read('minute'))
    return this.#spans.some(
      ({ firstDay, lastDay, from, to }) =>
        isDayWithin(day, firstDay, lastDay) && minute >= from && minute < to,
    )
  }
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** "sa-mo" goes over the week's end. */
function isDayWithin(day: number, first: number, last: number): boolean {
  return first <= last ? day >= first && day <= last : day >= first || day <= last
}

function parseSpan(text: string): Span | undefined {
  const [, first = '', last = first, fromH, fromMin, toH, toMin] = SPAN.exec(text) ?? []
  const from = Number(fromH) * MIN_PER_H + Number(fromMin)
  const to = Number(toH) * MIN_PER_H + Number(toMin)
  const isTime = Number(fromMin) < MIN_PER_H && Number(toMin) < MIN_PER_H && to <= MIN_PER_DAY
  if (!isTime || !(from < to)) return undefined
  return { firstDay: DAYS.indexOf(first), lastDay: DAYS.indexOf(last), from, to }
}
