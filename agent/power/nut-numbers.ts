import { strictNumber } from './strict-number.ts'
import type { UpsReading } from './ups-reading.ts'

const PERCENT = 100
const MS_PER_S = 1000

export type NutVariables = ReadonlyMap<string, string>

/** A variable that must be a number, and one in its range; many units say 255 or -1 for "I do not know". */
export function nutNumber(
  variables: NutVariables,
  name: string,
  min = 0,
  max = Infinity,
): number | undefined {
  const value = strictNumber(variables.get(name))
  return value !== undefined && value >= min && value <= max ? value : undefined
}

/** The numbers of a UPS, in our units. Of three phases counts the one that is worst off. */
export function nutNumbers(variables: NutVariables): Partial<UpsReading> {
  const number = (name: string): number | undefined => nutNumber(variables, name)
  const ratio = (name: string): number | undefined => {
    const percent = nutNumber(variables, name, 0, PERCENT)
    return percent === undefined ? undefined : percent / PERCENT
  }
  const phases = (pattern: RegExp): readonly number[] =>
    [...variables.keys()]
      .filter((name) => pattern.test(name))
      .map(number)
      .filter((value) => value !== undefined)
  const loadPercent =
    number('ups.load') ?? highest(phases(/^output\.L[123]\.power\.percent$|^ups\.L[123]\.load$/))
  const pollS = number('driver.parameter.pollinterval')
  return {
    chargeRatio: ratio('battery.charge'),
    lowChargeRatio: ratio('battery.charge.low'),
    runtimeS: number('battery.runtime'),
    lowRuntimeS: number('battery.runtime.low'),
    loadRatio: loadPercent === undefined ? undefined : loadPercent / PERCENT,
    loadW: number('ups.realpower'),
    nominalW: number('ups.realpower.nominal'),
    inputV: number('input.voltage') ?? lowest(phases(/^input\.L[123]-N\.voltage$/)),
    inputHz: number('input.frequency'),
    outputV: number('output.voltage') ?? lowest(phases(/^output\.L[123]-N\.voltage$/)),
    batteryV: number('battery.voltage'),
    temperatureC:
      strictNumber(variables.get('ups.temperature')) ??
      strictNumber(variables.get('battery.temperature')),
    pollMs: pollS !== undefined && pollS > 0 ? pollS * MS_PER_S : undefined,
  }
}

function highest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.max(...values) : undefined
}

function lowest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.min(...values) : undefined
}
