import { numberAt, numbersAt, type SnmpValues } from './snmp-values.ts'

/**
 * Units of the power MIBs, turned into ours in this one place: UPS-MIB counts time left in minutes, PowerNet in hundredths of a second,
 * XUPS and MGE in seconds; voltages come in volts or tenths of them. A negative number is "not supported" everywhere, and so is a
 * share of more than there can be.
 */
const PERCENT = 100
const TENTHS = 10
const TICKS_PER_S = 100
const S_PER_MIN = 60
/** Loads beyond are read from objects that do not hold a load. */
const MAX_LOAD_PERCENT = 1000
const MIN_C = -40
const MAX_C = 150

export function whole(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value : undefined
}

export function tenths(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value / TENTHS : undefined
}

export function fromMinutes(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value * S_PER_MIN : undefined
}

export function fromTicks(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 ? value / TICKS_PER_S : undefined
}

/** Percent of charge as a ratio. */
export function chargeRatio(percent: number | undefined): number | undefined {
  return percent !== undefined && percent >= 0 && percent <= PERCENT ? percent / PERCENT : undefined
}

/** Percent of load as a ratio. */
export function loadRatio(percent: number | undefined): number | undefined {
  return percent !== undefined && percent >= 0 && percent <= MAX_LOAD_PERCENT
    ? percent / PERCENT
    : undefined
}

/** Degrees; -1 is "not supported" with APC, and no battery room. */
export function celsius(value: number | undefined): number | undefined {
  return value !== undefined && value !== -1 && value >= MIN_C && value <= MAX_C ? value : undefined
}

/** The object with the finer unit, where there is one, else the other. */
export function finer(values: SnmpValues, tenthsOid: string, wholeOid: string): number | undefined {
  return tenths(numberAt(values, tenthsOid)) ?? whole(numberAt(values, wholeOid))
}

/** Over the phases: those that are supported. */
function phases(values: SnmpValues, column: string): readonly number[] {
  return numbersAt(values, column).filter((value) => value >= 0)
}

export function lowestPhase(values: SnmpValues, column: string): number | undefined {
  const found = phases(values, column)
  return found.length > 0 ? Math.min(...found) : undefined
}

export function highestPhase(values: SnmpValues, column: string): number | undefined {
  const found = phases(values, column)
  return found.length > 0 ? Math.max(...found) : undefined
}

export function sumOfPhases(values: SnmpValues, column: string): number | undefined {
  const found = phases(values, column)
  return found.length > 0 ? found.reduce((sum, value) => sum + value, 0) : undefined
}
