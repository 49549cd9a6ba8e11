import { strictNumber } from './strict-number.ts'

/** What feeds the load. */
export type Line = 'online' | 'battery' | 'bypass' | 'off' | 'unknown'

/** State and numbers of one UPS, normalised; a number that is absent was not given, or not as a number. */
export interface UpsReading {
  readonly line: Line
  /** As the source words it. */
  readonly status?: string
  readonly lowBattery?: boolean
  readonly replaceBattery?: boolean
  readonly overload?: boolean
  readonly alarm?: boolean
  readonly forcedShutdown?: boolean
  readonly calibrating?: boolean
  /** No fresh data: server, driver or cable. */
  readonly commsLost: boolean
  /** Why the line is unknown. */
  readonly reason?: string
  readonly chargeRatio?: number | undefined
  readonly runtimeS?: number | undefined
  readonly loadRatio?: number | undefined
  readonly loadW?: number | undefined
  readonly inputV?: number | undefined
  readonly outputV?: number | undefined
  readonly batteryV?: number | undefined
  readonly temperatureC?: number | undefined
  readonly selfTest?: string | undefined
}

const PERCENT = 100
/** Words with which the server or a driver says that it hears nothing from the unit. */
const NO_CONTACT = ['WAIT', 'NOCOMM', 'COMMLOST']

/** A unit without fresh data: no state, and above all none of the old numbers. */
export function withoutContact(reason: string, status?: string): UpsReading {
  return { line: 'unknown', commsLost: true, reason, ...(status === undefined ? {} : { status }) }
}

/** Reads the variables of one unit as upsd lists them (names: NUT's nut-names.txt, the list RFC 9271 refers to). */
export function readNutVariables(variables: ReadonlyMap<string, string>): UpsReading {
  const status = variables.get('ups.status')?.trim()
  if (status === undefined) return withoutContact('the server gives no ups.status')
  if (status === '') return withoutContact('ups.status is empty', status)
  const words = status.split(/\s+/)
  const silent = NO_CONTACT.find((word) => words.includes(word))
  if (silent !== undefined) return withoutContact(`ups.status is ${silent}`, status)
  const line = lineOf(words)
  return {
    line,
    status,
    lowBattery: words.includes('LB'),
    replaceBattery: words.includes('RB'),
    overload: words.includes('OVER'),
    alarm: words.includes('ALARM'),
    forcedShutdown: words.includes('FSD'),
    calibrating: words.includes('CAL'),
    commsLost: false,
    ...(line === 'unknown' ? { reason: 'ups.status says neither OL nor OB' } : {}),
    ...numbersIn(variables),
    selfTest: variables.get('ups.test.result'),
  }
}

/** OL and OB speak of the input only, so what stands between input and load goes first. */
function lineOf(words: readonly string[]): Line {
  if (words.includes('OFF')) return 'off'
  if (words.includes('BYPASS')) return 'bypass'
  if (words.includes('OB')) return 'battery'
  return words.includes('OL') ? 'online' : 'unknown'
}

function numbersIn(variables: ReadonlyMap<string, string>): Partial<UpsReading> {
  const number = (name: string): number | undefined => strictNumber(variables.get(name))
  const phases = (pattern: RegExp): readonly number[] =>
    [...variables]
      .filter(([name]) => pattern.test(name))
      .map(([, value]) => strictNumber(value))
      .filter((value) => value !== undefined)
  const chargePercent = number('battery.charge')
  const loadPercent =
    number('ups.load') ?? highest(phases(/^output\.L[123]\.power\.percent$|^ups\.L[123]\.load$/))
  const runtimeS = number('battery.runtime')
  const inputV = number('input.voltage')
  const outputV = number('output.voltage')
  return {
    // Many units say 255 or -1 for "I do not know".
    chargeRatio: within(chargePercent, 0, PERCENT, PERCENT),
    runtimeS: within(runtimeS, 0, Infinity),
    loadRatio: within(loadPercent, 0, Infinity, PERCENT),
    loadW: within(number('ups.realpower'), 0, Infinity),
    inputV: within(inputV ?? lowest(phases(/^input\.L[123]-N\.voltage$/)), 0, Infinity),
    outputV: within(outputV ?? lowest(phases(/^output\.L[123]-N\.voltage$/)), 0, Infinity),
    batteryV: within(number('battery.voltage'), 0, Infinity),
    temperatureC: number('ups.temperature') ?? number('battery.temperature'),
  }
}

function within(
  value: number | undefined,
  min: number,
  max: number,
  divisor = 1,
): number | undefined {
  return value !== undefined && value >= min && value <= max ? value / divisor : undefined
}

function highest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.max(...values) : undefined
}

function lowest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.min(...values) : undefined
}
