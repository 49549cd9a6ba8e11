import type { MonitorInterval } from './monitor.ts'

/** What a capture saw between two moments. */
export interface CaptureInterval extends MonitorInterval {
  /** Microseconds since 1970: the agent's clock for a live tap, packet time for a file. */
  readonly endUs: number
  /** Of a file: from the first packet, or the interval before, to endUs. A live tap leaves the length to the caller. */
  readonly durationMs: number | undefined
  /** Packets the kernel dropped before we could read them, or that passed while tcpdump was away; undefined for a file. */
  readonly sensorDrops: number | undefined
  /** Why nothing more is coming at present, where that is so. */
  readonly fault: string | undefined
}
