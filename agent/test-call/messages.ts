import type { G711Law } from '../rtp/g711.ts'
import type { MediaReport } from './media-report.ts'

/** What the thread of a test call's sound is told, and tells. */

/** Where our sound goes, in which form, and which ways are open. */
export interface Remote {
  readonly address: string
  readonly port: number
  readonly rtcpPort: number
  readonly law: G711Law
  readonly packetMs: number
  readonly maySend: boolean
}

export interface MediaPorts {
  /** Undefined where this machine has no such family, or we were bound to the other. */
  readonly v4: number | undefined
  readonly v6: number | undefined
}

export interface MediaSettings {
  /** Address of ours to send from. */
  readonly bind: string | undefined
  /** Ports to choose from, both included; undefined for any. */
  readonly ports: readonly [number, number] | undefined
}

export type ToMedia =
  | ({ readonly kind: 'open' } & MediaSettings)
  /** Begin, or go on elsewhere. */
  | { readonly kind: 'talk'; readonly remote: Remote }
  | { readonly kind: 'answered' }
  /** Stop sending, wait for what is under way at most so long, and report. */
  | { readonly kind: 'finish'; readonly waitMs: number }
  /** Let go of the ports. */
  | { readonly kind: 'close' }

export type FromMedia =
  | { readonly kind: 'opened'; readonly ports: MediaPorts }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'report'; readonly report: MediaReport; readonly loopDelayMs: number }
  | { readonly kind: 'closed' }
