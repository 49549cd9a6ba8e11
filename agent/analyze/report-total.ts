import type { ReportRow } from '../media/report-row.ts'
import { most, plus } from './combine.ts'
import { MAX_TOTALS } from './stream-total.ts'

/** What one receiver said of one stream, over the whole file. */
export interface ReportTotal extends ReportRow {
  readonly jitterMaxMs: number | undefined
}

/** Adds up what receivers reported: counts are sums, figures are the newest. */
export class ReportTotals {
  readonly #totals = new Map<string, ReportTotal>()
  #unlisted = 0

  /** Rows of streams beyond those that are told one by one. */
  get unlisted(): number {
    return this.#unlisted
  }

  add(row: ReportRow): void {
    const key = `${row.kind} ${row.ssrc} ${row.srcIp} ${row.srcPort} ${row.dstIp} ${row.dstPort}`
    const before = this.#totals.get(key)
    if (before === undefined && this.#totals.size >= MAX_TOTALS) {
      this.#unlisted++
      return
    }
    this.#totals.set(
      key,
      before === undefined ? { ...row, jitterMaxMs: row.jitterMs } : sumOf(before, row),
    )
  }

  get reports(): readonly ReportTotal[] {
    return [...this.#totals.values()]
  }
}

function sumOf(a: ReportTotal, b: ReportRow): ReportTotal {
  return {
    kind: b.kind,
    srcIp: b.srcIp,
    srcPort: b.srcPort,
    dstIp: b.dstIp,
    dstPort: b.dstPort,
    ssrc: b.ssrc,
    codec: b.codec ?? a.codec,
    reports: a.reports + b.reports,
    expected: plus(a.expected, b.expected),
    lost: plus(a.lost, b.lost),
    jitterMs: b.jitterMs ?? a.jitterMs,
    jitterMaxMs: most(a.jitterMaxMs, b.jitterMs),
    roundTripMs: b.roundTripMs ?? a.roundTripMs,
    discardRatio: b.discardRatio ?? a.discardRatio,
    burstDensityRatio: b.burstDensityRatio ?? a.burstDensityRatio,
    gapDensityRatio: b.gapDensityRatio ?? a.gapDensityRatio,
    burstDurationMs: b.burstDurationMs ?? a.burstDurationMs,
    gapDurationMs: b.gapDurationMs ?? a.gapDurationMs,
    endSystemDelayMs: b.endSystemDelayMs ?? a.endSystemDelayMs,
    jitterBufferMs: b.jitterBufferMs ?? a.jitterBufferMs,
    signalLevelDbm: b.signalLevelDbm ?? a.signalLevelDbm,
    noiseLevelDbm: b.noiseLevelDbm ?? a.noiseLevelDbm,
    rFactor: b.rFactor ?? a.rFactor,
    mosLq: b.mosLq ?? a.mosLq,
    mosCq: b.mosCq ?? a.mosCq,
  }
}
