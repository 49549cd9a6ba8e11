import type { SipMessage } from '../sip/message.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import type { Certificate } from './certificate.ts'

/** How a request travels: to one address of one server, over one transport, from one address of ours. */

export const TRANSPORTS = ['udp', 'tcp', 'tls'] as const
export type Transport = (typeof TRANSPORTS)[number]

export interface Target {
  readonly transport: Transport
  /** An IP address. */
  readonly address: string
  readonly port: number
  /** Whom the certificate must name: the domain that was asked for (RFC 5922 section 4). */
  readonly domain: string
}

/** A way to a target that stands. */
export interface Flow {
  /** By which what comes in is told to belong to it. */
  readonly key: string
  readonly target: Target
  /** Where answers come to. */
  readonly local: { readonly host: string; readonly port: number }
  /** Others have used it before: the far end may have closed it without our having heard. */
  readonly isReused: boolean
  /** How long it took to connect; undefined where nothing had to be. */
  readonly connectMs: number | undefined
  readonly certificate: Certificate | undefined
  /** Octets that have come and are no message yet. */
  readonly pendingOctets: () => number
  readonly write: (bytes: Uint8Array) => void
  /** Keeps it open, with keep-alives, until the function returned is called. */
  readonly hold: () => () => void
  /** A request goes unanswered: finds out whether anybody is there, or is used for nothing new. */
  readonly doubt: () => void
}

/** Why there is no way to a target. */
export interface NoFlow {
  readonly reason: string
  /** The fault is on this side: no route, no such address family. */
  readonly isLocal: boolean
  /** Nobody took the connection in time. */
  readonly isTimeout: boolean
  /** The one that was refused. */
  readonly certificate: Certificate | undefined
}

/** What comes in. A message is good during the call only. */
export interface FlowEvents {
  /** `reply` sends back the way it came. */
  readonly message: (message: SipMessage, reply: (bytes: Uint8Array) => void) => void
  /** Octets that are no message; an index into SIP_VERDICTS. */
  readonly refused: (key: string, verdict: number) => void
  /** The flow is gone, or nobody is at its far end. */
  readonly lost: (key: string, reason: string) => void
}

export function isFlow(found: Flow | NoFlow): found is Flow {
  return 'write' in found
}

export function targetText({ transport, address, port }: Omit<Target, 'domain'>): string {
  return `${hostPortText(address, port)} over ${transport.toUpperCase()}`
}
