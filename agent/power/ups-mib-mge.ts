import { joined, numberAt, textAt, type SnmpValues } from './snmp-values.ts'
import { chargeRatio, highestPhase, loadRatio, lowestPhase, tenths, whole } from './snmp-units.ts'
import type { UpsMib } from './ups-mib.ts'
import type { Line, UpsReading } from './ups-reading.ts'

const UPS = '1.3.6.1.4.1.705.1'
const OID = {
  model: `${UPS}.1.1.0`,
  firmware: `${UPS}.1.4.0`,
  serial: `${UPS}.1.7.0`,
  lowRuntime: `${UPS}.4.7.0`,
  lowCharge: `${UPS}.4.8.0`,
  runtime: `${UPS}.5.1.0`,
  charge: `${UPS}.5.2.0`,
  batteryVoltage: `${UPS}.5.5.0`,
  batteryFault: `${UPS}.5.9.0`,
  replace: `${UPS}.5.11.0`,
  low: `${UPS}.5.14.0`,
  chargerFault: `${UPS}.5.15.0`,
  lowCondition: `${UPS}.5.16.0`,
  transferReason: `${UPS}.6.4.0`,
  onBattery: `${UPS}.7.3.0`,
  onBypass: `${UPS}.7.4.0`,
  off: `${UPS}.7.7.0`,
  boost: `${UPS}.7.8.0`,
  overload: `${UPS}.7.10.0`,
  overTemperature: `${UPS}.7.11.0`,
  trim: `${UPS}.7.12.0`,
} as const
const COLUMN = {
  inputVoltage: `${UPS}.6.2.1.2`,
  inputFrequency: `${UPS}.6.2.1.3`,
  outputVoltage: `${UPS}.7.2.1.2`,
  load: `${UPS}.7.2.1.4`,
} as const
const YES = 1
const NO = 2
const TRANSFERS = [
  '',
  '',
  'input voltage out of range',
  'input frequency out of range',
  'utility off',
]

/** MGE, and Eaton cards that descend from it: every state is a yes or no of its own. */
export const mge: UpsMib = {
  name: 'mge',
  source: 'snmp-mge',
  enterprise: '1.3.6.1.4.1.705',
  sign: OID.onBattery,
  scalars: Object.values(OID),
  columns: Object.values(COLUMN),
  read: (values) => read(values),
}

function read(values: SnmpValues): UpsReading {
  const is = (oid: string): boolean | undefined => {
    const answer = numberAt(values, oid)
    return answer === YES ? true : answer === NO ? false : undefined
  }
  const outputV = tenths(lowestPhase(values, COLUMN.outputVoltage))
  const line = lineOf(is, outputV)
  return {
    line,
    commsLost: false,
    reason: line === 'unknown' ? 'the unit does not say whether it is on battery' : undefined,
    lowBattery: is(OID.low) === true || is(OID.lowCondition) === true,
    replaceBattery: is(OID.replace) === true || is(OID.batteryFault) === true,
    chargerFault: is(OID.chargerFault),
    overload: is(OID.overload),
    overTemperature: is(OID.overTemperature),
    boost: is(OID.boost),
    trim: is(OID.trim),
    chargeRatio: chargeRatio(numberAt(values, OID.charge)),
    lowChargeRatio: chargeRatio(numberAt(values, OID.lowCharge)),
    runtimeS: whole(numberAt(values, OID.runtime)),
    lowRuntimeS: whole(numberAt(values, OID.lowRuntime)),
    lastTransfer: TRANSFERS[numberAt(values, OID.transferReason) ?? 0] || undefined,
    loadRatio: loadRatio(highestPhase(values, COLUMN.load)),
    inputV: tenths(lowestPhase(values, COLUMN.inputVoltage)),
    inputHz: tenths(lowestPhase(values, COLUMN.inputFrequency)),
    outputV,
    batteryV: tenths(numberAt(values, OID.batteryVoltage)),
    model: joined(' ', 'MGE', textAt(values, OID.model)),
    serial: textAt(values, OID.serial),
    firmware: textAt(values, OID.firmware),
  }
}

/** upsmgOutputUtilityOff is read by some as the mains that is off: only without voltage behind it is the output meant. */
function lineOf(is: (oid: string) => boolean | undefined, outputV: number | undefined): Line {
  const onBattery = is(OID.onBattery)
  if (is(OID.off) === true && onBattery !== true && (outputV ?? 0) === 0) return 'off'
  if (is(OID.onBypass) === true) return 'bypass'
  if (onBattery === undefined) return 'unknown'
  return onBattery ? 'battery' : 'online'
}
