import type { SignallingEvent } from '../signalling/call-book.ts'
import type { CaptureInterval } from './capture-interval.ts'
import type { FileCaptureOptions } from './file-capture.ts'
import type { MirrorOptions } from './mirror-capture.ts'
import type { MonitorOptions } from './monitor.ts'
import type { StallRow } from './stall-row.ts'
import type { TapOptions } from '../capture/tcpdump.ts'

/** What there is to capture. */
export interface CaptureTask {
  readonly source: CaptureSource
  readonly monitor: Omit<MonitorOptions, 'seed'>
}

/** An interface, what a switch mirrors to us by UDP, or a file. */
export type CaptureSource =
  | { readonly live: TapOptions; readonly mirror?: undefined; readonly file?: undefined }
  | { readonly live?: undefined; readonly mirror: MirrorOptions; readonly file?: undefined }
  | { readonly live?: undefined; readonly mirror?: undefined; readonly file: FileCaptureOptions }

/** To the thread: start (once, first), hand over the intervals up to now (a live tap: one), stop. */
export type ToCapture =
  | { readonly kind: 'start'; readonly task: CaptureTask }
  | { readonly kind: 'take'; readonly ticket: number; readonly endUs: number }
  | { readonly kind: 'stop' }

export type FromCapture =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly reason: string
      readonly isPermanent: boolean
    }
  | {
      readonly kind: 'taken'
      readonly ticket: number
      readonly intervals: readonly CaptureInterval[]
    }
  /** What cannot wait until it is asked for. */
  | { readonly kind: 'stalled'; readonly rows: readonly StallRow[] }
  | { readonly kind: 'events'; readonly events: readonly SignallingEvent[] }
  /** Of a file: octets read so far, of so many. */
  | { readonly kind: 'progress'; readonly octets: number; readonly total: number }
  | { readonly kind: 'stopped' }
