import type { FieldValue, Measurement, MeasurementName } from '../../../common/measurement.ts'
import type { Observation } from '../../topology/dependency.ts'
import type { Watchable } from '../../topology/watchable.ts'
import { readCall } from '../sip/call-verdict.ts'
import { countOf, numberOf, textOf } from '../points.ts'
import { counted, percent } from '../words.ts'
import { leftWords, readUps } from './ups-facts.ts'

/** What one point says of the thing it is about: the state of a component that is watched by it. */
export interface DeviceState extends Pick<
  Observation,
  'state' | 'reason' | 'inputLost' | 'isUnprotected' | 'runtimeLeftS' | 'chargeRatio' | 'isLow'
> {
  /** Of a transfer switch: which of its two sources, in the order in which they are drawn, is lost to it. */
  readonly lostSources?: readonly ('a' | 'b')[]
}

/** A check that failed once may have been unlucky. */
const SURE_FAILURES = 2
/** Fewer echo requests than this without an answer may have been lost. */
const SURE_REQUESTS = 3
/** The 3 % rule. */
const CALL_LIMITS = { loss: 0.03, sound: true }

type Fields = Readonly<Record<string, FieldValue>>
type Reader = (
  fields: Fields,
  tags: Measurement['tags'],
  point: Measurement,
) => DeviceState | undefined

const HEARD: DeviceState = { state: 'up', reason: 'heard from' }

const READERS: Readonly<Partial<Record<MeasurementName, Reader>>> = {
  ups: upsState,
  power_supply: supplyState,
  transfer_switch: (fields) => silent(fields) ?? transferSwitchState(fields),
  pdu: (fields) => silent(fields) ?? pduState(fields),
  pdu_outlet: (fields) => silent(fields) ?? onOff(fields['on'], 'on', 'switched off'),
  poe_port: (fields) =>
    silent(fields) ?? onOff(fields['delivering'], 'gives power', 'gives no power'),
  poe_budget: (fields) => silent(fields) ?? budgetState(fields),
  ping: pingState,
  sip_options: (fields) => checkState(fields, fields['alive'], 'answers'),
  sip_registration: registrationState,
  sip_call: (fields, _, point) => callState(fields, point),
  agent: () => HEARD,
  host: ({ up }, { target }) =>
    target === undefined ? HEARD : onOff(up, 'the interface is up', 'the interface is down'),
} satisfies Readonly<Record<Watchable, Reader>>

/** Undefined where the point says nothing of it: what was known before holds until it is out of date. */
export function deviceStateOf(point: Measurement): DeviceState | undefined {
  const { name, fields, tags } = point
  return READERS[name]?.(fields, tags, point)
}

function upsState(fields: Fields): DeviceState {
  const facts = readUps(fields)
  const { line, reason, isOnPurpose, isLow, lowReason, runtimeLeftS, chargeRatio } = facts
  const figures = chargeRatio === undefined ? {} : { chargeRatio }
  const left = leftWords(facts)
  switch (line) {
    case 'unknown':
      return { state: 'unknown', reason: reason === '' ? 'nothing is heard of it' : reason }
    case 'off':
      return { state: 'down', reason: 'its output is off' }
    case 'bypass':
      return { state: 'degraded', reason: 'on bypass: it protects nothing', isUnprotected: true }
    case 'battery': {
      if (isOnPurpose) return { state: 'up', reason: 'on battery for a test', ...figures }
      // Low or not: while it gives power it has not failed. For how long is the forecast's business.
      const words = `on battery${left === '' ? '' : `, ${left}`}${isLow ? `; ${lowReason}` : ''}`
      const runs = runtimeLeftS === undefined ? {} : { runtimeLeftS }
      return { state: 'degraded', reason: words, inputLost: true, isLow, ...runs, ...figures }
    }
    case 'online': {
      const { none, weak } = weaknesses(fields, isLow ? lowReason : '')
      if (none.length + weak.length === 0) return { state: 'up', reason: 'on mains', ...figures }
      const words = `on mains, but ${[...none, ...weak].join(', ')}`
      const isUnprotected = none.length > 0
      return { state: 'degraded', reason: words, isUnprotected, ...figures }
    }
  }
}

/** Why its battery would not carry the load at all, and why perhaps for less long than it should. */
function weaknesses(
  fields: Fields,
  low: string,
): { readonly none: readonly string[]; readonly weak: readonly string[] } {
  const said = (words: Readonly<Record<string, string>>): readonly string[] =>
    Object.entries(words).flatMap(([field, word]) => (fields[field] === true ? [word] : []))
  return {
    none: [
      ...said({ no_battery: 'no battery', self_test_failed: 'the last self-test failed' }),
      ...(low === '' ? [] : [`the battery would not hold: ${low}`]),
    ],
    weak: said({
      charger_fault: 'the charger failed',
      replace_battery: 'the battery is to be replaced',
      overload: 'overloaded',
      over_temperature: 'too hot',
    }),
  }
}

/** Mains and battery of a machine are two supplies, each with a point of its own. */
function supplyState(fields: Fields): DeviceState | undefined {
  const { kind, online, status } = fields
  if (kind === 'mains') return onOff(online, 'mains present', 'mains absent')
  const charge = numberOf(fields, 'charge_ratio')
  const runtimeLeftS = numberOf(fields, 'runtime_s')
  const figures = charge === undefined ? {} : { chargeRatio: charge }
  if (status === 'discharging')
    return {
      ...{ state: 'degraded', inputLost: true, ...figures },
      reason: `on battery${charge === undefined ? '' : `, ${percent(charge)}`}`,
      ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }),
    }
  if (typeof status !== 'string' || status === 'unknown') return onOff(undefined, '', '')
  return { state: 'up', reason: status, ...figures }
}

function transferSwitchState(fields: Fields): DeviceState {
  if (fields['output_ok'] === false) return { state: 'down', reason: 'it feeds nothing' }
  const selected = textOf(fields, 'selected')
  const lost = new Set<'a' | 'b'>()
  if (fields['source_a_ok'] === false) lost.add('a')
  if (fields['source_b_ok'] === false) lost.add('b')
  // The one that feeds the load is there; the other could not take over.
  if (fields['redundancy_lost'] === true && selected === 'a') lost.add('b')
  if (fields['redundancy_lost'] === true && selected === 'b') lost.add('a')
  const lostSources = [...lost]
  const words = lostSources.map((source) => `source ${source.toUpperCase()} is lost`)
  if (fields['redundancy_lost'] === true && words.length === 0) words.push('one source is lost')
  if (fields['alarm'] === true) words.push('part of it failed')
  if (fields['overload'] === true) words.push('overloaded')
  if (words.length > 0) return { state: 'degraded', reason: words.join(', '), lostSources }
  if (selected === undefined && fields['output_ok'] === undefined) return onOff(undefined, '', '')
  return { state: 'up', reason: selected ? `on source ${selected.toUpperCase()}` : 'well' }
}

function pduState(fields: Fields): DeviceState {
  if (fields['outlets_on'] === 0 && countOf(fields, 'outlets') > 0)
    return { state: 'down', reason: 'all its outlets are off' }
  if (fields['overload'] === true) return { state: 'degraded', reason: 'overloaded' }
  return { state: 'up', reason: 'it has power' }
}

function budgetState(fields: Fields): DeviceState {
  const { state } = fields
  if (state === 'off' || state === 'faulty') return { state: 'down', reason: `PoE supply ${state}` }
  if (state !== 'on') return onOff(undefined, '', '')
  const denied = countOf(fields, 'ports_denied')
  return denied > 0
    ? { state: 'degraded', reason: `${counted(denied, 'port')} refused power` }
    : { state: 'up', reason: 'gives power' }
}

function onOff(value: FieldValue | undefined, on: string, off: string): DeviceState {
  if (value === true) return { state: 'up', reason: on }
  if (value === false) return { state: 'down', reason: off }
  return { state: 'unknown', reason: 'it does not say' }
}

function pingState(fields: Fields): DeviceState | undefined {
  const sent = countOf(fields, 'sent')
  const reason = textOf(fields, 'reason')
  if (countOf(fields, 'received') > 0) return { state: 'up', reason: 'answers ping' }
  if (sent === 0) return { state: 'unknown', reason: reason ?? 'not asked' }
  if (sent < SURE_REQUESTS) return undefined
  return { state: 'down', reason: `no answer to ${counted(sent, 'ping')}` }
}

function registrationState(fields: Fields): DeviceState | undefined {
  return fields['paused'] === true
    ? undefined
    : checkState(fields, fields['registered'], 'registered')
}

/** A call that comes up is a call; how it sounds is told with it. */
function callState(fields: Fields, point: Measurement): DeviceState | undefined {
  const verdict = readCall(point, CALL_LIMITS)
  switch (verdict.kind) {
    case 'well':
      return { state: 'up', reason: 'a test call comes up' }
    case 'set-up':
      return countOf(fields, 'failures_in_row') < SURE_FAILURES
        ? undefined
        : { state: 'down', reason: verdict.summary }
    case 'sound':
    case 'loss':
      return { state: 'degraded', reason: verdict.summary }
    case 'unknown':
      return undefined
  }
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
