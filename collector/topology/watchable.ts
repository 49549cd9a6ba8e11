import type { MeasurementName } from '../../common/measurement.ts'

/** What a component may be watched by: a point of these says whether its target works. */
export const WATCHABLE = [
  'ups',
  'power_supply',
  'transfer_switch',
  'pdu',
  'pdu_outlet',
  'poe_port',
  'poe_budget',
  'ping',
  'sip_options',
  'sip_registration',
  'sip_call',
  'agent',
  'host',
] as const satisfies readonly MeasurementName[]

export type Watchable = (typeof WATCHABLE)[number]
