import type { AccountRow } from './account-row.ts'
import type { BindingsRow } from './bindings.ts'
import type { NamedPeer } from './endpoints.ts'
import type { DialPlanOptions } from './dial-plan.ts'
import type { Network } from '../capture/address.ts'
import type { SourceRow } from './sources.ts'
import type { TrafficRow } from './traffic.ts'

export interface SignallingOptions {
  /** Peers that are called by a name. */
  readonly peers: readonly NamedPeer[]
  /** Addresses that are ours; private ones where none are named. */
  readonly ownNetworks: readonly Network[]
  readonly dialPlan: DialPlanOptions
  /** Secret: what the keys of accounts are made with. */
  readonly accountKey: string
}

/** What was made of the SIP between two moments. */
export interface SignallingInterval {
  readonly traffic: readonly TrafficRow[]
  readonly bindings: readonly BindingsRow[]
  readonly sources: readonly SourceRow[]
  readonly accounts: readonly AccountRow[]
  /** Since the first message, or since the watch began. */
  readonly watchedS: number
  readonly messages: number
  /** What looked like SIP and was none, or left out what it must not. */
  readonly invalid: number
  /** Addresses that sent requests. */
  readonly seenSources: number
  /** Sources and accounts that had something to tell but were beyond the limit. */
  readonly untold: number
  /** Transactions, sessions, calls, bindings, sources and accounts that gave way to others. */
  readonly evicted: number
}

export const NO_SIGNALLING: SignallingInterval = {
  traffic: [],
  bindings: [],
  sources: [],
  accounts: [],
  watchedS: 0,
  messages: 0,
  invalid: 0,
  seenSources: 0,
  untold: 0,
  evicted: 0,
}
