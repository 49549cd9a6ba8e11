import type { Measurement } from '../../../common/measurement.ts'
import type { ComponentState } from '../../topology/dependency.ts'
import { countOf, numberOf, textOf } from '../sip/points.ts'
import { readRegistrationCheck } from '../sip/registration-check.ts'
import { counted, percent } from '../words.ts'
import { leftWords, readUps } from './ups-facts.ts'

/** What one point says of the component that watches it. */
export interface Observed {
  readonly state: ComponentState
  readonly reason: string
  readonly inputLost?: boolean
  readonly isUnprotected?: boolean
  readonly lostSources?: readonly ('a' | 'b')[]
  readonly runtimeLeftS?: number
  readonly chargeRatio?: number
}

/** Checks that fail once may have been unlucky. */
const SURE_FAILURES = 2
/** Fewer echo requests without an answer than this may have been lost. */
const SURE_REQUESTS = 3

type Fields = Measurement['fields']
type Reader = (fields: Fields, point: Measurement) => Observed | undefined

const READERS: Readonly<Partial<Record<Measurement['name'], Reader>>> = {
  ups: observedUps,
  power_supply: observedSupply,
  transfer_switch: observedSwitch,
  pdu: observedPdu,
  pdu_outlet: observedOutlet,
  poe_port: observedPort,
  poe_budget: observedBudget,
  ping: observedPing,
  sip_options: observedOptions,
  sip_registration: (_, point) => observedRegistration(point),
  host: observedHost,
  agent: (_, { tags }) =>
    tags['target'] === undefined ? { state: 'up', reason: 'its agent is heard' } : undefined,
}

/** @returns undefined where the point says nothing yet: what was known before holds until it is stale */
export function observed(point: Measurement): Observed | undefined {
  return READERS[point.name]?.(point.fields, point)
}

function observedUps(fields: Fields): Observed {
  const facts = readUps(fields)
  const { line, reason, isOnPurpose, isLow, lowReason, runtimeLeftS, chargeRatio } = facts
  const battery = {
    ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }),
    ...(chargeRatio === undefined ? {} : { chargeRatio }),
  }
  const left = leftWords(facts)
  switch (line) {
    case 'unknown':
      return { state: 'unknown', reason: reason === '' ? 'no contact' : reason }
    case 'off':
      return { state: 'down', reason: 'its output is off' }
    case 'battery':
      // Low or not: while it gives power it has not failed. How long it goes on is the forecast's business.
      return {
        state: 'degraded',
        reason: `${isOnPurpose ? 'trying its battery' : 'on battery'}${left === '' ? '' : `, ${left}`}${isLow ? `; ${lowReason}` : ''}`,
        ...(isOnPurpose ? {} : { inputLost: true }),
        ...battery,
      }
    case 'bypass':
      return { state: 'degraded', reason: 'on bypass: it protects nothing', isUnprotected: true }
    case 'online': {
      const none = [
        fields['no_battery'] === true ? 'it has no battery' : '',
        isLow ? `its battery would not hold: ${lowReason}` : '',
      ].filter((word) => word !== '')
      const weak = [
        fields['self_test_failed'] === true ? 'its last self-test failed' : '',
        fields['charger_fault'] === true ? 'its charger failed' : '',
        fields['replace_battery'] === true ? 'it asks for a new battery' : '',
        fields['overload'] === true ? 'overloaded' : '',
        fields['over_temperature'] === true ? 'too hot' : '',
      ].filter((word) => word !== '')
      if (none.length + weak.length === 0) return { state: 'up', reason: 'on mains', ...battery }
      return {
        state: 'degraded',
        reason: [...none, ...weak].join(', '),
        ...(none.length > 0 ? { isUnprotected: true } : {}),
        ...battery,
      }
    }
  }
}

/** Of the machine itself: mains and battery are two supplies, each with a point of its own. */
function observedSupply(fields: Fields): Observed {
  const { kind, online, status } = fields
  const runtimeLeftS = numberOf(fields, 'runtime_s')
  const chargeRatio = numberOf(fields, 'charge_ratio')
  if (kind === 'mains') {
    if (typeof online !== 'boolean') return { state: 'unknown', reason: 'not told' }
    return online
      ? { state: 'up', reason: 'mains is present' }
      : { state: 'down', reason: 'no mains at the machine' }
  }
  if (status === 'discharging')
    return {
      state: 'degraded',
      reason: `on battery${chargeRatio === undefined ? '' : `, ${percent(chargeRatio)} charge`}`,
      inputLost: true,
      ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }),
      ...(chargeRatio === undefined ? {} : { chargeRatio }),
    }
  return status === undefined || status === 'unknown'
    ? { state: 'unknown', reason: 'not told' }
    : { state: 'up', reason: typeof status === 'string' ? status : '' }
}

function observedSwitch(fields: Fields): Observed {
  if (fields['comms_lost'] === true) return noContact(fields)
  if (fields['output_ok'] === false) return { state: 'down', reason: 'it gives no power' }
  const selected = textOf(fields, 'selected')
  const other = selected === 'a' ? 'b' : selected === 'b' ? 'a' : undefined
  const lost = new Set<'a' | 'b'>()
  if (fields['source_a_ok'] === false) lost.add('a')
  if (fields['source_b_ok'] === false) lost.add('b')
  // What feeds the load is not lost, whatever is said of it; the other one could not take over.
  if (fields['redundancy_lost'] === true && other !== undefined) lost.add(other)
  const words = [...lost].map((source) => `source ${source.toUpperCase()} is lost`)
  if (fields['alarm'] === true) words.push('part of it failed')
  if (fields['overload'] === true) words.push('overloaded')
  const isKnown = fields['output_ok'] !== undefined || selected !== undefined
  if (words.length > 0)
    return { state: 'degraded', reason: words.join(', '), lostSources: [...lost] }
  return isKnown
    ? { state: 'up', reason: selected === undefined ? 'well' : `on source ${selected.toUpperCase()}` }
    : { state: 'unknown', reason: 'not told' }
}

function observedPdu(fields: Fields): Observed {
  if (fields['comms_lost'] === true) return noContact(fields)
  if (fields['outlets_on'] === 0 && countOf(fields, 'outlets') > 0)
    return { state: 'down', reason: 'all its outlets are off' }
  if (fields['overload'] === true) return { state: 'degraded', reason: 'overloaded' }
  return { state: 'up', reason: 'it has power' }
}

function observedOutlet(fields: Fields): Observed {
  if (fields['comms_lost'] === true) return noContact(fields)
  const { on } = fields
  if (typeof on !== 'boolean') return { state: 'unknown', reason: 'not told' }
  return on ? { state: 'up', reason: 'on' } : { state: 'down', reason: 'switched off' }
}

function observedPort(fields: Fields): Observed {
  if (fields['comms_lost'] === true) return noContact(fields)
  const { delivering } = fields
  if (typeof delivering !== 'boolean') return { state: 'unknown', reason: 'not told' }
  if (delivering) return { state: 'up', reason: 'its port gives power' }
  const status = textOf(fields, 'status')
  return { state: 'down', reason: `its port gives no power${status ? ` (${status})` : ''}` }
}

function observedBudget(fields: Fields): Observed {
  if (fields['comms_lost'] === true) return noContact(fields)
  const { state } = fields
  if (state === 'off' || state === 'faulty')
    return { state: 'down', reason: `its PoE supply is ${state}` }
  if (state !== 'on') return { state: 'unknown', reason: 'not told' }
  const denied = countOf(fields, 'ports_denied')
  return denied > 0
    ? { state: 'degraded', reason: `${counted(denied, 'port')} refused power` }
    : { state: 'up', reason: 'its PoE supply is on' }
}

function observedPing(fields: Fields): Observed | undefined {
  const sent = countOf(fields, 'sent')
  const received = countOf(fields, 'received')
  if (received > 0) return { state: 'up', reason: 'answers ping' }
  if (sent === 0) return { state: 'unknown', reason: textOf(fields, 'reason') ?? 'nothing sent' }
  if (sent < SURE_REQUESTS) return undefined
  return { state: 'down', reason: `no answer to ${counted(sent, 'ping')}` }
}

function observedOptions(fields: Fields): Observed | undefined {
  const { alive } = fields
  if (alive === true) return { state: 'up', reason: 'answers OPTIONS' }
  const failures = countOf(fields, 'failures_in_row')
  if (alive !== false) return { state: 'unknown', reason: textOf(fields, 'reason') ?? 'not told' }
  if (failures < SURE_FAILURES) return undefined
  const why = textOf(fields, 'reason') ?? 'no answer'
  return { state: 'down', reason: `no answer to ${counted(failures, 'OPTIONS check')}: ${why}` }
}

function observedRegistration(point: Measurement): Observed | undefined {
  const check = readRegistrationCheck(point)
  if (check === undefined || check.outcome === 'unchecked') return undefined
  if (check.outcome === 'registered') return { state: 'up', reason: 'registered' }
  if (check.outcome === 'silent' && check.failuresInRow < SURE_FAILURES) return undefined
  return { state: 'down', reason: `not registered: ${check.reason}` }
}

function observedHost({ up }: Fields, { tags }: Measurement): Observed {
  if (tags['target'] === undefined || typeof up !== 'boolean')
    return { state: 'up', reason: 'its agent is heard' }
  return up
    ? { state: 'up', reason: 'the interface is up' }
    : { state: 'down', reason: 'the interface is down' }
}

function noContact(fields: Fields): Observed {
  return { state: 'unknown', reason: textOf(fields, 'reason') ?? 'no contact' }
}
