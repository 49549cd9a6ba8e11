import type { CodecTable } from '../rtp/codec-impairments.ts'
import type { Quality } from '../rtp/quality.ts'
import { rate } from '../rtp/rate.ts'
import type { StreamTotal } from './stream-total.ts'

/** The E-model over a whole stream: from its sums, not from the mean of its intervals. */
export function qualityOf(stream: StreamTotal, table: CodecTable): Quality | undefined {
  const { codec, clockRate } = stream
  if (codec === undefined || clockRate === undefined) return undefined
  return rate(
    {
      codec,
      clockRate,
      packetMs: stream.packetMs,
      expected: stream.expected,
      lost: Math.max(0, stream.lostUnique),
      discarded: stream.discarded.adaptive,
      lossRuns: stream.lossRuns.reduce((sum, count) => sum + count, 0),
      lossRunPackets: stream.lossRunPackets,
      roundTripMs: stream.roundTripMs,
    },
    table,
  )
}
