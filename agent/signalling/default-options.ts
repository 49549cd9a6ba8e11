import type { DialPlanOptions } from './dial-plan.ts'
import type { SignallingOptions } from './signalling-row.ts'

/** What holds where nothing is configured: numbers as they are dialled in the Netherlands. */
export const DEFAULT_DIAL_PLAN: DialPlanOptions = {
  /** Of Europe, North America, the United Kingdom and Ireland, and of police and rescue where they have their own. */
  emergency: ['112', '911', '999', '110', '118'],
  /** Dutch service numbers; satellite and international premium networks (ITU-T E.164 codes that are no country's). */
  premium: ['0900', '0906', '0909', '+870', '+881', '+882', '+883', '+979'],
  international: ['+', '00'],
  ownCountry: '31',
  nationalPrefix: '0',
  outsideLine: ['0'],
  ownNumbers: [],
}

/** For a look at a file: accounts are not told, so that their keys need no secret. */
export const DEFAULT_SIGNALLING: SignallingOptions = {
  peers: [],
  ownNetworks: [],
  dialPlan: DEFAULT_DIAL_PLAN,
  accountKey: '',
}
