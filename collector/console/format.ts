/** Numbers as the page writes them, one way everywhere. The space before a unit does not break. */

const SPACE = '\u00a0'
/** Below this a percentage of one decimal would read 0.0 although something was lost. */
const SMALLEST_PERCENT = 0.05
const MOST_DECIMALS = 4
const SECOND_MS = 1000
const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400
const WITH_THOUSANDS = new Intl.NumberFormat('en-US')

/** "8.1 %". With a limit, as many decimals as it takes to stay on the right side of it: 3.04 % is not shown as 3.0 %. */
export function percent(ratio: number, limitRatio?: number): string {
  const value = Math.max(0, ratio * 100)
  if (value > 0 && value < SMALLEST_PERCENT) return `<${SPACE}0.1${SPACE}%`
  let text = value.toFixed(1)
  if (limitRatio !== undefined) {
    const limit = limitRatio * 100
    for (
      let decimals = 2;
      decimals <= MOST_DECIMALS && value !== limit && Number(text) === limit;
      decimals++
    )
      text = value.toFixed(decimals)
  }
  return `${text}${SPACE}%`
}

/** A limit as people say it: "3 %", "2.5 %". */
export function limitPercent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(2))}${SPACE}%`
}

/** A MOS, "4.21": two decimals, for on its scale a tenth is much. */
export function mos(value: number): string {
  return value.toFixed(2)
}

/** "4.2 ms", "182 ms", "1.4 s". */
export function milliseconds(ms: number): string {
  if (Math.abs(ms) >= SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)}${SPACE}s`
  return `${ms.toFixed(Math.abs(ms) < 100 ? 1 : 0)}${SPACE}ms`
}

/** A difference of clocks, with its sign: "+12.0 ms". */
export function signedMilliseconds(ms: number): string {
  if (Math.abs(ms) >= MINUTE_S * SECOND_MS)
    return `${ms < 0 ? '−' : '+'}${duration(Math.abs(ms) / SECOND_MS)}`
  return `${ms < 0 ? '−' : '+'}${milliseconds(Math.abs(ms))}`
}

/** The two largest units: "45 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < MINUTE_S) return `${whole}${SPACE}s`
  if (whole < HOUR_S) return pair(whole, MINUTE_S, 'min', 1, 's')
  if (whole < DAY_S) return pair(whole, HOUR_S, 'h', MINUTE_S, 'min')
  return pair(whole, DAY_S, 'd', HOUR_S, 'h')
}

/** "12,345", as in the messages. */
export function count(value: number): string {
  return WITH_THOUSANDS.format(value)
}

/** "1 path", "4 paths" */
export function counted(value: number, singular: string, plural = `${singular}s`): string {
  return `${count(value)} ${value === 1 ? singular : plural}`
}

/** A sentence of the collector as the page sets it: arrows for "->", and a unit stays on the line of its number. */
export function typeset(text: string): string {
  return text.replaceAll(' -> ', ' → ').replaceAll(/(\d) (?=%|(?:ms|s|min|h)\b)/g, `$1${SPACE}`)
}

function pair(
  seconds: number,
  large: number,
  largeName: string,
  small: number,
  smallName: string,
): string {
  const rest = Math.floor((seconds % large) / small)
  const first = `${Math.floor(seconds / large)}${SPACE}${largeName}`
  return rest === 0 ? first : `${first} ${rest}${SPACE}${smallName}`
}
