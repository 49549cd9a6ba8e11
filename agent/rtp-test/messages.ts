import type { ReflectorCounts } from './reflector.ts'
import type { TestInterval } from './tester.ts'

/** What the thread is to do: be the sending end of a test stream, or send others' streams back. */
export type Role =
  | {
      readonly kind: 'test'
      readonly host: string
      readonly port: number
      /** Local address to send from. */
      readonly bind: string | undefined
      readonly key: Uint8Array
      readonly packetBytes: number
      readonly packetsPerS: number
    }
  | {
      readonly kind: 'reflect'
      readonly host: string
      readonly port: number
      readonly key: Uint8Array
      readonly maxSenders: number
      readonly maxRate: number
      readonly maxTotalRate: number
    }

/** What a role did in an interval. */
export type RoleReport =
  | (TestInterval & {
      readonly kind: 'test'
      readonly localAddress: string | undefined
      readonly remoteAddress: string | undefined
      readonly loopDelayMs: number
      /** What stood in the way, where the system said. */
      readonly reason: string | undefined
    })
  | (ReflectorCounts & { readonly kind: 'reflect'; readonly loopDelayMs: number })

export type ToThread =
  | { readonly kind: 'open'; readonly ticket: number; readonly id: number; readonly role: Role }
  | {
      readonly kind: 'take'
      readonly ticket: number
      readonly id: number
      readonly durationMs: number
    }
  | { readonly kind: 'close'; readonly ticket: number; readonly id: number }

/** The answer to the message with the same ticket. */
export type FromThread =
  | { readonly kind: 'done'; readonly ticket: number; readonly port?: number | undefined }
  | { readonly kind: 'report'; readonly ticket: number; readonly report: RoleReport }
  | { readonly kind: 'failed'; readonly ticket: number; readonly reason: string }
