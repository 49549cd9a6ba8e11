import { decodeLines, encodeMeasurements } from '../../common/line-protocol.ts'
import { measurement } from '../../common/measurement.ts'

const POINTS = 5000
const WARM_UP = 10
const ROUNDS = 60
const START_US = 1_700_000_000_000_000

/** Lines a second of a typical rtp_stream point, there and back. */
export async function bench(): Promise<void> {
  const points = Array.from({ length: POINTS }, (_, index) => typicalPoint(index))
  const body = Buffer.from(encodeMeasurements(points))
  const encoded = linesPerSecond(() => Buffer.from(encodeMeasurements(points)).length)
  const decoded = linesPerSecond(() => {
    const options = { precision: 'us', nowUs: START_US, maxPoints: POINTS } as const
    return decodeLines(body.toString(), options).points.length
  })
  const length = Math.round(body.length / POINTS)
  console.log(`lines of 5 tags, 12 fields, ${length} bytes; from and to bytes`)
  console.log(`encode ${encoded} lines/s, decode ${decoded} lines/s`)
}

function typicalPoint(index: number): ReturnType<typeof measurement> {
  return measurement(
    'rtp_stream',
    START_US + index,
    { site: 'hq', agent: 'gw-1', codec: 'PCMA', source: 'capture', from: 'hq-phones' },
    {
      interval_ms: 10_000,
      active_ms: 9980.5 + index / 1000,
      src_ip: `10.1.${index >> 8}.${index & 255}`,
      dst_ip: '203.0.113.7',
      ssrc: `0x${(index * 7919).toString(16).padStart(8, '0')}`,
      expected: 500,
      received: 487 + (index % 13),
      lost: index % 13,
      lost_unique: index % 13,
      loss_ratio: (index % 13) / 500,
      jitter_ms: 1.5 + Math.sin(index),
      ended: false,
    },
  )
}

function linesPerSecond(work: () => number): number {
  for (let round = 0; round < WARM_UP; round++) work()
  const start = performance.now()
  for (let round = 0; round < ROUNDS; round++) work()
  return Math.round((POINTS * ROUNDS * 1000) / (performance.now() - start))
}
