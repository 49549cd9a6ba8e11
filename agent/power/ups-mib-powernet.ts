import { batteryAgeDays } from './battery-date.ts'
import { readSelfTest } from './self-test.ts'
import { joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { celsius, chargeRatio, finer, fromTicks, loadRatio, tenths, whole } from './snmp-units.ts'
import type { UpsMib } from './ups-mib.ts'
import { withoutContact, type Line, type UpsReading } from './ups-reading.ts'

const UPS = '1.3.6.1.4.1.318.1.1.1'
const OID = {
  model: `${UPS}.1.1.1.0`,
  firmware: `${UPS}.1.2.1.0`,
  serial: `${UPS}.1.2.3.0`,
  batteryStatus: `${UPS}.2.1.1.0`,
  timeOnBattery: `${UPS}.2.1.2.0`,
  batteryDate: `${UPS}.2.1.3.0`,
  capacity: `${UPS}.2.2.1.0`,
  temperature: `${UPS}.2.2.2.0`,
  runtime: `${UPS}.2.2.3.0`,
  replace: `${UPS}.2.2.4.0`,
  batteryVoltage: `${UPS}.2.2.8.0`,
  fineCapacity: `${UPS}.2.3.1.0`,
  fineTemperature: `${UPS}.2.3.2.0`,
  fineBatteryVoltage: `${UPS}.2.3.4.0`,
  inputVoltage: `${UPS}.3.2.1.0`,
  inputFrequency: `${UPS}.3.2.4.0`,
  lastTransfer: `${UPS}.3.2.5.0`,
  fineInputVoltage: `${UPS}.3.3.1.0`,
  fineInputFrequency: `${UPS}.3.3.4.0`,
  outputStatus: `${UPS}.4.1.1.0`,
  outputVoltage: `${UPS}.4.2.1.0`,
  load: `${UPS}.4.2.3.0`,
  redundancy: `${UPS}.4.2.5.0`,
  capacityKva: `${UPS}.4.2.6.0`,
  watts: `${UPS}.4.2.8.0`,
  fineOutputVoltage: `${UPS}.4.3.1.0`,
  fineLoad: `${UPS}.4.3.3.0`,
  lowRuntime: `${UPS}.5.2.8.0`,
  selfTest: `${UPS}.7.2.3.0`,
  selfTestDate: `${UPS}.7.2.4.0`,
  calibration: `${UPS}.7.2.6.0`,
  contact: `${UPS}.8.1.0`,
  flags: `${UPS}.11.1.1.0`,
} as const

/** upsBasicOutputStatus: its words and what feeds the load. Software bypass feeds it, whatever NUT calls it. */
const STATUS: Readonly<Record<number, readonly [words: string, line: Line]>> = {
  1: ['unknown', 'unknown'],
  2: ['on line', 'online'],
  3: ['on battery', 'battery'],
  4: ['on smart boost', 'online'],
  5: ['timed sleeping', 'off'],
  6: ['software bypass', 'bypass'],
  7: ['off', 'off'],
  8: ['rebooting', 'unknown'],
  9: ['switched bypass', 'bypass'],
  10: ['hardware failure bypass', 'bypass'],
  11: ['sleeping until power returns', 'off'],
  12: ['on smart trim', 'online'],
  13: ['eco mode', 'online'],
  14: ['hot standby', 'online'],
  15: ['on battery test', 'battery'],
  16: ['emergency static bypass', 'bypass'],
  17: ['static bypass standby', 'bypass'],
  18: ['power saving mode', 'unknown'],
  19: ['spot mode', 'online'],
  20: ['eConversion', 'online'],
  21: ['charger spot mode', 'online'],
  22: ['inverter spot mode', 'online'],
  23: ['active load', 'unknown'],
  24: ['battery discharge spot mode', 'battery'],
  25: ['inverter standby', 'online'],
  26: ['charger only', 'unknown'],
  27: ['distributed energy reserve', 'unknown'],
  28: ['self test', 'battery'],
}
const BOOST = 4
const TRIM = 12
/** On battery on purpose. */
const TESTS = [15, 24, 28]

const LOW_BATTERY = 3
const BATTERY_FAULT = 4
const NO_BATTERY = 5
const YES = 2
const LOST = 2
const CALIBRATING = 3
const SELF_TESTS = ['', 'ok', 'failed', 'invalid', 'in progress']
const TRANSFERS = [
  '',
  'none',
  'high line voltage',
  'brownout',
  'blackout',
  'small momentary sag',
  'deep momentary sag',
  'small momentary spike',
  'large momentary spike',
  'self test',
  'rate of voltage change',
]

/** upsBasicStateOutputState: one character per flag, counted from one; any other length is another card's and is left alone. */
const FLAG_COUNT = 64
const FLAG = {
  low: 3,
  replace: 5,
  contact: 6,
  overload: 9,
  calibration: 10,
  chargerFailure: 25,
  selfTest: 29,
  noBatteries: 33,
} as const
const TOO_HOT = [26, 27, 28]

/** APC (Schneider) PowerNet. */
export const powernet: UpsMib = {
  name: 'powernet',
  source: 'snmp-powernet',
  enterprise: '1.3.6.1.4.1.318',
  sign: OID.outputStatus,
  scalars: Object.values(OID),
  columns: [],
  read: (values, { nowUs }) => read(values, nowUs),
}

function read(values: SnmpValues, nowUs: number): UpsReading {
  const number = numberAt(values, OID.outputStatus)
  const [status, line] = STATUS[number ?? 0] ?? [`status ${number ?? 'missing'}`, 'unknown']
  const flags = flagsOf(values)
  const flag = (position: number): boolean => flags?.[position - 1] === '1'
  if (numberAt(values, OID.contact) === LOST || flags?.[FLAG.contact - 1] === '0') {
    return withoutContact('the network card has lost the UPS', { status })
  }
  const batteryStatus = numberAt(values, OID.batteryStatus)
  const test = readSelfTest(SELF_TESTS[numberAt(values, OID.selfTest) ?? 0])
  const batteryDate = textAt(values, OID.batteryDate)
  const redundancy = whole(numberAt(values, OID.redundancy))
  const isModular = (whole(numberAt(values, OID.capacityKva)) ?? 0) > 0
  return {
    line,
    commsLost: false,
    status,
    reason:
      line === 'unknown' ? `upsBasicOutputStatus is ${number ?? 'missing'}: ${status}` : undefined,
    lowBattery: batteryStatus === LOW_BATTERY || flag(FLAG.low),
    replaceBattery:
      numberAt(values, OID.replace) === YES ||
      batteryStatus === BATTERY_FAULT ||
      flag(FLAG.replace),
    noBattery: batteryStatus === NO_BATTERY || flag(FLAG.noBatteries),
    chargerFault: flags === undefined ? undefined : flag(FLAG.chargerFailure),
    overload: flags === undefined ? undefined : flag(FLAG.overload),
    overTemperature: flags === undefined ? undefined : TOO_HOT.some(flag),
    calibrating: numberAt(values, OID.calibration) === CALIBRATING || flag(FLAG.calibration),
    boost: number === BOOST,
    trim: number === TRIM,
    redundancyLost: isModular && redundancy !== undefined ? redundancy === 0 : undefined,
    chargeRatio: chargeRatio(finer(values, OID.fineCapacity, OID.capacity)),
    runtimeS: fromTicks(numberAt(values, OID.runtime)),
    lowRuntimeS: fromTicks(numberAt(values, OID.lowRuntime)),
    onBatteryS: fromTicks(numberAt(values, OID.timeOnBattery)),
    lastTransfer: TRANSFERS[numberAt(values, OID.lastTransfer) ?? 0] || undefined,
    loadRatio: loadRatio(finer(values, OID.fineLoad, OID.load)),
    loadW: whole(numberAt(values, OID.watts)),
    inputV: finer(values, OID.fineInputVoltage, OID.inputVoltage),
    inputHz: finer(values, OID.fineInputFrequency, OID.inputFrequency),
    outputV: finer(values, OID.fineOutputVoltage, OID.outputVoltage),
    batteryV: finer(values, OID.fineBatteryVoltage, OID.batteryVoltage),
    temperatureC: celsius(
      tenths(numberAt(values, OID.fineTemperature)) ?? numberAt(values, OID.temperature),
    ),
    batteryDate,
    batteryAgeDays: batteryAgeDays(batteryDate, nowUs, 'month-first'),
    ...test,
    selfTesting: test.selfTesting === true || TESTS.includes(number ?? 0) || flag(FLAG.selfTest),
    selfTestDate: textAt(values, OID.selfTestDate),
    model: joined(' ', 'APC', textAt(values, OID.model)),
    serial: textAt(values, OID.serial),
    firmware: textAt(values, OID.firmware),
  }
}

function flagsOf(values: SnmpValues): string | undefined {
  const text = textAt(values, OID.flags)
  return text?.length === FLAG_COUNT && /^[01]+$/.test(text) ? text : undefined
}
