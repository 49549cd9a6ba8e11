import { strictNumber } from './strict-number.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

const PERCENT = 100
/** Words with which the server or a driver says that it hears nothing from the unit. */
const NO_CONTACT = ['WAIT', 'NOCOMM', 'COMMLOST']

/** Reads the variables of one unit as upsd lists them (names: NUT's nut-names.txt, the list RFC 9271 refers to). */
export function readNutVariables(variables: ReadonlyMap<string, string>): UpsReading {
  const status = variables.get('ups.status')?.trim()
  if (status === undefined) return withoutContact('the server gives no ups.status')
  if (status === '') return withoutContact('ups.status is empty', { status })
  const words = status.split(/\s+/)
  const silent = NO_CONTACT.find((word) => words.includes(word))
  if (silent !== undefined) return withoutContact(`ups.status is ${silent}`, { status })
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
