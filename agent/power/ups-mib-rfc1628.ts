import { readSelfTest } from './self-test.ts'
import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import {
  celsius,
  chargeRatio,
  fromMinutes,
  highestPhase,
  loadRatio,
  lowestPhase,
  sumOfPhases,
  tenths,
  whole,
} from './snmp-units.ts'
import type { OutputSourceStyle, UpsMib } from './ups-mib.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

const UPS = '1.3.6.1.2.1.33.1'
const OID = {
  manufacturer: `${UPS}.1.1.0`,
  model: `${UPS}.1.2.0`,
  firmware: `${UPS}.1.3.0`,
  batteryStatus: `${UPS}.2.1.0`,
  secondsOnBattery: `${UPS}.2.2.0`,
  minutesRemaining: `${UPS}.2.3.0`,
  chargeRemaining: `${UPS}.2.4.0`,
  batteryVoltage: `${UPS}.2.5.0`,
  batteryTemperature: `${UPS}.2.7.0`,
  inputLineBads: `${UPS}.3.1.0`,
  outputSource: `${UPS}.4.1.0`,
  alarmsPresent: `${UPS}.6.1.0`,
  testResults: `${UPS}.7.3.0`,
  testDetail: `${UPS}.7.4.0`,
  shutdownAfterDelay: `${UPS}.8.2.0`,
  configOutputPower: `${UPS}.9.6.0`,
  configLowBatteryTime: `${UPS}.9.7.0`,
} as const
const COLUMN = {
  inputFrequency: `${UPS}.3.3.1.2`,
  inputVoltage: `${UPS}.3.3.1.3`,
  outputVoltage: `${UPS}.4.4.1.2`,
  outputPower: `${UPS}.4.4.1.4`,
  outputLoad: `${UPS}.4.4.1.5`,
  alarm: `${UPS}.6.2.1.2`,
} as const
const WELL_KNOWN_ALARMS = `${UPS}.6.3.`

/** upsWellKnownAlarms by their last number, as RFC 1628 names them. */
const ALARMS = [
  '',
  'battery bad',
  'on battery',
  'low battery',
  'depleted battery',
  'temperature bad',
  'input bad',
  'output bad',
  'output overload',
  'on bypass',
  'bypass bad',
  'output off as requested',
  'UPS off as requested',
  'charger failed',
  'UPS output off',
  'UPS system off',
  'fan failure',
  'fuse failure',
  'general fault',
  'diagnostic test failed',
  'communications lost',
  'awaiting power',
  'shutdown pending',
  'shutdown imminent',
  'test in progress',
] as const
type AlarmName = Exclude<(typeof ALARMS)[number], ''>

const LOW_BATTERY = 3
const DEPLETED = 4
/** In the order of upsTestResultsSummary. */
const TEST_RESULTS = ['', 'passed', 'warning', 'error', 'aborted', 'in progress', 'none']
const SOURCES = ['', 'other', 'none', 'normal', 'bypass', 'battery', 'booster', 'reducer'] as const

type Source = Exclude<(typeof SOURCES)[number], ''>
const LINES: Readonly<Record<Source, Line>> = {
  other: 'unknown',
  none: 'off',
  normal: 'online',
  bypass: 'bypass',
  battery: 'battery',
  booster: 'online',
  reducer: 'online',
}

interface State {
  readonly line: Line
  readonly source?: Source | undefined
  readonly reason?: string
}

/** UPS-MIB, RFC 1628: the one MIB that most network cards have, whoever made them. */
export const rfc1628: UpsMib = {
  name: 'rfc1628',
  source: 'snmp-rfc1628',
  sign: OID.outputSource,
  scalars: Object.values(OID),
  columns: Object.values(COLUMN),
  read: (values, { outputSourceStyle }) => read(values, outputSourceStyle),
}

function read(values: SnmpValues, style: OutputSourceStyle): UpsReading {
  const alarms = [...columnAt(values, COLUMN.alarm).values()].map(alarmName)
  const has = (...names: readonly AlarmName[]): boolean =>
    names.some((name) => alarms.includes(name))
  const batteryStatus = numberAt(values, OID.batteryStatus)
  const sourceNumber = numberAt(values, OID.outputSource)
  const status = SOURCES[sourceNumber ?? 0] ?? ''
  if (has('communications lost')) {
    return withoutContact('the network card has lost the UPS (upsAlarmCommunicationsLost)', {
      status,
    })
  }
  if ((batteryStatus ?? 1) === 1 && (sourceNumber ?? 1) === 1) {
    return withoutContact('the network card knows neither battery nor output of the UPS', {
      status,
    })
  }
  const state = stateOf(values, style, has)
  const alarmsPresent = numberAt(values, OID.alarmsPresent) ?? alarms.length
  const test = readSelfTest(TEST_RESULTS[numberAt(values, OID.testResults) ?? 0])
  const detail = textAt(values, OID.testDetail)
  return {
    line: state.line,
    commsLost: false,
    status: state.source ?? status,
    reason: state.reason,
    lowBattery:
      batteryStatus === LOW_BATTERY ||
      batteryStatus === DEPLETED ||
      has('low battery', 'depleted battery'),
    replaceBattery: has('battery bad'),
    chargerFault: has('charger failed'),
    overload: has('output overload'),
    overTemperature: has('temperature bad'),
    alarm: alarmsPresent > 0,
    alarms: alarms.length > 0 ? alarms.join(', ') : undefined,
    shutdownPending:
      has('shutdown pending', 'shutdown imminent') ||
      (whole(numberAt(values, OID.shutdownAfterDelay)) ?? 0) > 0,
    boost: state.source === 'booster',
    trim: state.source === 'reducer',
    chargeRatio: chargeRatio(numberAt(values, OID.chargeRemaining)),
    runtimeS: fromMinutes(numberAt(values, OID.minutesRemaining)),
    lowRuntimeS: fromMinutes(numberAt(values, OID.configLowBatteryTime)),
    onBatteryS: whole(numberAt(values, OID.secondsOnBattery)),
    transfers: whole(numberAt(values, OID.inputLineBads)),
    // Some count the share of the whole, some that of the phase: the worst is what trips.
    loadRatio: loadRatio(highestPhase(values, COLUMN.outputLoad)),
    loadW: sumOfPhases(values, COLUMN.outputPower),
    nominalW: whole(numberAt(values, OID.configOutputPower)),
    inputV: lowestPhase(values, COLUMN.inputVoltage),
    inputHz: tenths(lowestPhase(values, COLUMN.inputFrequency)),
    outputV: lowestPhase(values, COLUMN.outputVoltage),
    batteryV: tenths(numberAt(values, OID.batteryVoltage)),
    temperatureC: celsius(numberAt(values, OID.batteryTemperature)),
    ...test,
    selfTest: joined(': ', test.selfTest, detail),
    selfTesting: test.selfTesting === true || has('test in progress'),
    model: joined(' ', textAt(values, OID.manufacturer), textAt(values, OID.model)),
    firmware: textAt(values, OID.firmware),
  }
}

/**
 * What feeds the load. The definition of upsOutputSource says normal(3) and battery(5); both compliance clauses of the same RFC say
 * normal(2) and battery(4), and there are units built to them. Left to itself (`auto`) the definition holds, except where other objects
 * of the same reading contradict it.
 */
function stateOf(
  values: SnmpValues,
  style: OutputSourceStyle,
  has: (...names: readonly AlarmName[]) => boolean,
): State {
  const number = numberAt(values, OID.outputSource)
  if (number === undefined) return withoutSource(values, has)
  // The clauses name two of the values only; the others are taken to be shifted with them.
  const source = named(style === 'compliance' ? number + 1 : number)
  if (source === undefined || style !== 'auto') return { line: LINES[source ?? 'other'], source }
  const isOff = has(
    'output off as requested',
    'UPS off as requested',
    'UPS output off',
    'UPS system off',
  )
  if (source === 'none' && !isOff && (highestPhase(values, COLUMN.outputVoltage) ?? 0) > 0) {
    return {
      line: 'online',
      source: 'normal',
      reason: suspicious('none', 'the output has voltage'),
    }
  }
  const onBatteryS = numberAt(values, OID.secondsOnBattery) ?? 0
  if (source === 'bypass' && !has('on bypass') && (has('on battery') || onBatteryS > 0)) {
    const reason = suspicious('bypass', 'the UPS is on battery')
    return { line: 'battery', source: 'battery', reason }
  }
  return { line: LINES[source], source }
}

function named(number: number): Source | undefined {
  const source = SOURCES[number]
  return source === '' ? undefined : source
}

function suspicious(says: string, but: string): string {
  return `suspicious enum: upsOutputSource says ${says}, but ${but}; set output-source-style`
}

/** A unit that leaves out the one object that says it still has alarms and a clock. */
function withoutSource(
  values: SnmpValues,
  has: (...names: readonly AlarmName[]) => boolean,
): State {
  const reason = 'the unit has no upsOutputSource: told by its alarms'
  if (has('UPS output off', 'UPS system off')) return { line: 'off', reason }
  if (has('on bypass')) return { line: 'bypass', reason }
  if (has('on battery') || (numberAt(values, OID.secondsOnBattery) ?? 0) > 0) {
    return { line: 'battery', reason }
  }
  return { line: 'unknown', reason: 'the unit has no upsOutputSource' }
}

function alarmName(value: number | string): string {
  const text = String(value)
  if (!text.startsWith(WELL_KNOWN_ALARMS)) return text
  return ALARMS[Number(text.slice(WELL_KNOWN_ALARMS.length))] ?? text
}
