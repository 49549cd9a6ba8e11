import type { CaptureInterval } from './capture-interval.ts'
import type { FileCaptureOptions } from './file-capture.ts'
import type { StreamMonitorOptions } from './stream-monitor.ts'
import type { TapOptions } from './tcpdump.ts'

/** What there is to capture. */
export interface CaptureTask {
  readonly source:
    | { readonly live: TapOptions; readonly file?: undefined }
    | { readonly live?: undefined; readonly file: FileCaptureOptions }
  readonly monitor: Omit<StreamMonitorOptions, 'seed'>
}

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
  | { readonly kind: 'stopped' }
