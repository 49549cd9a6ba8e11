import type { MonitorCounts } from './stream-monitor.ts'
import type { StreamRow } from './stream-row.ts'

/** What a capture saw between two moments. */
export interface CaptureInterval {
  /** Microseconds since 1970: the agent's clock for a live tap, packet time for a file. */
  readonly endUs: number
  /** Of a file: from the first packet, or the interval before, to endUs. A live tap leaves the length to the caller. */
  readonly durationMs: number | undefined
  readonly streams: readonly StreamRow[]
  /** Captured packets that belong to no stream, by reason. */
  readonly ignored: Readonly<Record<string, number>>
  /** Streams dropped because there were too many. */
  readonly evicted: number
  /** Packets the kernel dropped before we could read them, or that passed while tcpdump was away; undefined for a file. */
  readonly sensorDrops: number | undefined
  /** Why nothing more is coming at present, where that is so. */
  readonly fault: string | undefined
}

/** Turns counters since the beginning into counters since the last call. */
export class CountsSince {
  #before: Pick<MonitorCounts, 'ignored' | 'evicted'> = { ignored: {}, evicted: 0 }

  take(now: MonitorCounts): Pick<CaptureInterval, 'ignored' | 'evicted'> {
    const before = this.#before
    this.#before = now
    const ignored: Record<string, number> = {}
    for (const [reason, count] of Object.entries(now.ignored)) {
      const since = count - (before.ignored[reason] ?? 0)
      if (since > 0) ignored[reason] = since
    }
    return { ignored, evicted: now.evicted - before.evicted }
  }
}
