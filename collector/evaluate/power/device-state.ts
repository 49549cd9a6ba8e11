import type { FieldValue, Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Observation } from '../../topology/dependency.ts'
import { countOf, numberOf, textOf } from '../sip/points.ts'
import { lasting, percent } from '../words.ts'

/** What one point says of the thing it is about: the state of a component that is watched by it. */
export type DeviceState = Pick<
  Observation,
  'state' | 'reason' | 'inputLost' | 'isUnprotected' | 'runtimeLeftS' | 'chargeRatio'
>

const US_PER_S = 1_000_000
/** A check that failed once may have been unlucky. */
const SURE_FAILURES = 2

type Fields = Readonly<Record<string, FieldValue>>

const READERS: Readonly<
  Partial<Record<MeasurementName, (fields: Fields) => DeviceState | undefined>>
> = {
  ups: upsState,
  power_supply: supplyState,
  transfer_switch: transferSwitchState,
  pdu: (fields) => silent(fields) ?? { state: 'up', reason: 'answers' },
  pdu_outlet: (fields) => silent(fields) ?? onOff(fields['on'], 'on', 'switched off'),
  poe_port: (fields) =>
    silent(fields) ?? onOff(fields['delivering'], 'gives power', 'gives no power'),
  poe_budget: (fields) => silent(fields) ?? budgetState(textOf(fields, 'state')),
  ping: pingState,
  sip_options: (fields) => checkState(fields, fields['alive'], 'answers'),
  sip_registration: (fields) => checkState(fields, fields['registered'], 'registered'),
  agent: () => HEARD,
  host: () => HEARD,
}

const HEARD: DeviceState = { state: 'up', reason: 'heard from' }

/** Undefined where the point says nothing of it. */
export function deviceStateOf({ name, fields }: Measurement): DeviceState | undefined {
  return READERS[name]?.(fields)
}

/** On battery, and not on purpose. */
export function isOnBattery({ line, self_testing, calibrating }: Fields): boolean {
  return line === 'battery' && self_testing !== true && calibrating !== true
}

/** Battery low or a shutdown on its way, by its own word or below its own limits. */
export function isLow(fields: Fields): boolean {
  const { low_battery, forced_shutdown, shutdown_pending } = fields
  if (low_battery === true || forced_shutdown === true || shutdown_pending === true) return true
  return (
    isBelow(fields, 'runtime_left_s', 'low_runtime_s') ||
    isBelow(fields, 'charge_ratio', 'low_charge_ratio')
  )
}

/** "on battery, 62 %, 11 min left" */
export function batteryWords(fields: Fields): string {
  const charge = numberOf(fields, 'charge_ratio')
  const left = numberOf(fields, 'runtime_left_s') ?? numberOf(fields, 'runtime_s')
  return [
    isLow(fields) ? 'on battery, which is low' : 'on battery',
    charge === undefined ? '' : percent(charge),
    left === undefined ? '' : `${lasting(left * US_PER_S)} left`,
  ]
    .filter((part) => part !== '')
    .join(', ')
}

function upsState(fields: Fields): DeviceState {
  const unknown = silent(fields)
  if (unknown !== undefined) return unknown
  const chargeRatio = numberOf(fields, 'charge_ratio')
  const runtimeLeftS = numberOf(fields, 'runtime_left_s') ?? numberOf(fields, 'runtime_s')
  const figures = chargeRatio === undefined ? {} : { chargeRatio }
  const { line } = fields
  if (line === 'off') return { state: 'down', reason: 'output off' }
  if (line === 'bypass')
    return { state: 'degraded', reason: 'on bypass: protects nothing', isUnprotected: true }
  if (line === 'battery') {
    if (!isOnBattery(fields)) return { state: 'up', reason: 'on battery for a test', ...figures }
    const runs = runtimeLeftS === undefined ? {} : { runtimeLeftS }
    const reason = batteryWords(fields)
    const isUnprotected = isLow(fields)
    return { state: 'degraded', reason, inputLost: true, isUnprotected, ...runs, ...figures }
  }
  if (line !== 'online') {
    const reason = textOf(fields, 'reason') ?? 'it does not say what feeds the load'
    return { state: 'unknown', reason }
  }
  const weak = weakness(fields)
  if (weak === undefined) return { state: 'up', reason: 'on mains', ...figures }
  return { state: 'degraded', reason: weak, isUnprotected: true, ...figures }
}

/** Why its battery would not carry the load. */
export function weakness(fields: Fields): string | undefined {
  if (fields['no_battery'] === true) return 'no battery'
  if (fields['charger_fault'] === true) return 'the charger failed'
  if (fields['replace_battery'] === true) return 'the battery is to be replaced'
  if (fields['self_test_failed'] === true) return 'the last self-test failed'
  if (fields['low_battery'] === true) return 'the battery is low'
  return undefined
}

function supplyState(fields: Fields): DeviceState | undefined {
  const { kind, online } = fields
  if (kind !== 'mains' || typeof online !== 'boolean') return undefined
  return online
    ? { state: 'up', reason: 'mains present' }
    : { state: 'down', reason: 'mains absent' }
}

function transferSwitchState(fields: Fields): DeviceState {
  const unknown = silent(fields)
  if (unknown !== undefined) return unknown
  if (fields['output_ok'] === false) return { state: 'down', reason: 'it feeds nothing' }
  if (fields['redundancy_lost'] === true) {
    const lost = ['a', 'b'].find((half) => fields[`source_${half}_ok`] === false)
    const what = lost === undefined ? 'one source' : `source ${lost.toUpperCase()}`
    return { state: 'degraded', reason: `${what} is lost` }
  }
  return { state: 'up', reason: `on source ${(textOf(fields, 'selected') ?? '?').toUpperCase()}` }
}

function budgetState(state: string | undefined): DeviceState {
  if (state === 'on') return { state: 'up', reason: 'gives power' }
  if (state === 'off' || state === 'faulty') return { state: 'down', reason: `PoE supply ${state}` }
  return { state: 'unknown', reason: 'it does not say' }
}

function onOff(value: FieldValue | undefined, on: string, off: string): DeviceState {
  if (value === true) return { state: 'up', reason: on }
  if (value === false) return { state: 'down', reason: off }
  return { state: 'unknown', reason: 'it does not say' }
}

function pingState(fields: Fields): DeviceState | undefined {
  const sent = countOf(fields, 'sent')
  if (sent === 0) return undefined
  const received = countOf(fields, 'received')
  return received > 0
    ? { state: 'up', reason: 'answers' }
    : { state: 'down', reason: textOf(fields, 'reason') ?? `no answer to ${sent} echo requests` }
}

function checkState(
  fields: Fields,
  isWell: FieldValue | undefined,
  well: string,
): DeviceState | undefined {
  if (isWell === true) return { state: 'up', reason: well }
  if (isWell !== false || countOf(fields, 'failures_in_row') < SURE_FAILURES) return undefined
  return { state: 'down', reason: textOf(fields, 'reason') ?? `not ${well}` }
}

function silent(fields: Fields): DeviceState | undefined {
  if (fields['comms_lost'] !== true && fields['frozen'] !== true) return undefined
  return { state: 'unknown', reason: textOf(fields, 'reason') ?? 'nothing is heard of it' }
}

function isBelow(fields: Fields, field: string, limit: string): boolean {
  const value = numberOf(fields, field)
  const low = numberOf(fields, limit)
  return value !== undefined && low !== undefined && low > 0 && value <= low
}
