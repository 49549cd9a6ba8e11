import { readSelfTest } from './self-test.ts'
import { columnAt, joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { chargeRatio, loadRatio, lowestPhase, sumOfPhases, tenths, whole } from './snmp-units.ts'
import type { UpsMib } from './ups-mib.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

const UPS = '1.3.6.1.4.1.534.1'
const OID = {
  manufacturer: `${UPS}.1.1.0`,
  model: `${UPS}.1.2.0`,
  firmware: `${UPS}.1.3.0`,
  runtime: `${UPS}.2.1.0`,
  batteryVoltage: `${UPS}.2.2.0`,
  capacity: `${UPS}.2.4.0`,
  chargerState: `${UPS}.2.5.0`,
  inputFrequency: `${UPS}.3.1.0`,
  inputLineBads: `${UPS}.3.2.0`,
  load: `${UPS}.4.1.0`,
  outputSource: `${UPS}.4.5.0`,
  alarms: `${UPS}.7.1.0`,
  testStatus: `${UPS}.8.2.0`,
  nominalW: `${UPS}.10.3.0`,
} as const
const COLUMN = {
  inputVoltage: `${UPS}.3.4.1.2`,
  outputVoltage: `${UPS}.4.4.1.2`,
  outputPower: `${UPS}.4.4.1.4`,
  alarm: `${UPS}.7.2.1.2`,
} as const

/** xupsOutputSource: its words and what feeds the load. */
const SOURCES: Readonly<Record<number, readonly [words: string, line: Line]>> = {
  1: ['other', 'unknown'],
  2: ['none', 'off'],
  3: ['normal', 'online'],
  4: ['bypass', 'bypass'],
  5: ['battery', 'battery'],
  6: ['booster', 'online'],
  7: ['reducer', 'online'],
  8: ['parallel capacity', 'online'],
  9: ['parallel redundant', 'online'],
  10: ['high efficiency', 'online'],
  11: ['maintenance bypass', 'bypass'],
}
const BOOSTER = 6
const REDUCER = 7
/** xupsBatteryAbmStatus. */
const CHARGING = 1
const DISCHARGING = 2
/** xupsTestBatteryStatus. */
const TEST_RESULTS = ['', '', 'passed', 'failed', 'in progress', 'none']

/** Alarms by the last number of their identifier in xupsAlarm. */
const ALARMS: Readonly<Record<number, string>> = {
  3: 'on battery',
  4: 'low battery',
  7: 'output overload',
  8: 'internal failure',
  9: 'battery discharged',
  10: 'inverter failure',
  11: 'on bypass',
  12: 'bypass not available',
  13: 'output off',
  14: 'input failure',
  15: 'building alarm',
  16: 'shutdown imminent',
  17: 'on inverter',
  20: 'breaker open',
  23: 'battery bad',
  24: 'output off as requested',
  25: 'diagnostic test failed',
  26: 'communications lost',
  27: 'shutdown pending',
  28: 'test in progress',
  29: 'ambient temperature bad',
}
const ALARM_PREFIX = `${UPS}.7.`

/** Eaton and Powerware XUPS. */
export const xups: UpsMib = {
  name: 'xups',
  source: 'snmp-xups',
  enterprise: '1.3.6.1.4.1.534',
  sign: OID.outputSource,
  scalars: Object.values(OID),
  columns: Object.values(COLUMN),
  read: (values) => read(values),
}

function read(values: SnmpValues): UpsReading {
  const number = numberAt(values, OID.outputSource)
  const [status, line] = SOURCES[number ?? 0] ?? [`source ${number ?? 'missing'}`, 'unknown']
  const alarms = [...columnAt(values, COLUMN.alarm).values()].map(alarmName)
  const has = (...names: readonly string[]): boolean => names.some((name) => alarms.includes(name))
  if (has('communications lost')) {
    return withoutContact('the network card has lost the UPS (xupsCommunicationsLost)', { status })
  }
  const charger = numberAt(values, OID.chargerState)
  const test = readSelfTest(TEST_RESULTS[numberAt(values, OID.testStatus) ?? 0])
  return {
    line,
    commsLost: false,
    status,
    reason:
      line === 'unknown' ? `xupsOutputSource is ${number ?? 'missing'}: ${status}` : undefined,
    lowBattery: has('low battery', 'battery discharged'),
    replaceBattery: has('battery bad'),
    overload: has('output overload'),
    overTemperature: has('ambient temperature bad'),
    alarm: (numberAt(values, OID.alarms) ?? alarms.length) > 0,
    alarms: joined(', ', ...alarms),
    shutdownPending: has('shutdown imminent', 'shutdown pending'),
    boost: number === BOOSTER,
    trim: number === REDUCER,
    charging: charger === undefined ? undefined : charger === CHARGING,
    discharging: charger === undefined ? undefined : charger === DISCHARGING,
    chargeRatio: chargeRatio(numberAt(values, OID.capacity)),
    runtimeS: whole(numberAt(values, OID.runtime)),
    transfers: whole(numberAt(values, OID.inputLineBads)),
    loadRatio: loadRatio(numberAt(values, OID.load)),
    loadW: sumOfPhases(values, COLUMN.outputPower),
    nominalW: whole(numberAt(values, OID.nominalW)),
    inputV: lowestPhase(values, COLUMN.inputVoltage),
    inputHz: tenths(numberAt(values, OID.inputFrequency)),
    outputV: lowestPhase(values, COLUMN.outputVoltage),
    batteryV: whole(numberAt(values, OID.batteryVoltage)),
    ...test,
    selfTesting: test.selfTesting === true || has('test in progress'),
    model: joined(' ', textAt(values, OID.manufacturer), textAt(values, OID.model)),
    firmware: textAt(values, OID.firmware),
  }
}

function alarmName(value: number | string): string {
  const text = String(value)
  if (!text.startsWith(ALARM_PREFIX)) return text
  return ALARMS[Number(text.slice(ALARM_PREFIX.length))] ?? text
}
