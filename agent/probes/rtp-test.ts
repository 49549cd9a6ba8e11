import { z } from 'zod'
import { TransientError } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { hostPort, name } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe } from '../probe.ts'
import type { RoleReport } from '../rtp-test/messages.ts'
import { MAX_PACKET_BYTES, MIN_PACKET_BYTES, RTP_HEADER_BYTES } from '../rtp-test/packet.ts'
import { testKey } from '../rtp-test/test-key.ts'
import { openTestStream, type TestStream } from '../rtp-test/test-stream-thread.ts'
import type { DirectionCounts } from '../rtp-test/tester.ts'

const MIN_RATE = 10
const MAX_RATE = 100
/** G.711 at 20 ms: 50 packets of 160 octets a second (RFC 3551). */
const DEFAULT_RATE = 50
const DEFAULT_PAYLOAD_BYTES = 160
const REFUSED =
  'the reflector answers, but sends no packet of the stream back: it may have as many senders as it takes'

const options = z.strictObject({
  /** The name of the reflecting agent, for the tag. */
  target: name,
  /** Where its rtp-reflect listens. */
  address: hostPort,
  key: testKey,
  /** Packets per second. */
  rate: z.int().min(MIN_RATE).max(MAX_RATE).default(DEFAULT_RATE),
  /** Octets of RTP payload per packet. */
  payload: z
    .int()
    .min(MIN_PACKET_BYTES - RTP_HEADER_BYTES)
    .max(MAX_PACKET_BYTES - RTP_HEADER_BYTES)
    .default(DEFAULT_PAYLOAD_BYTES),
  /** Local address to send from. */
  bind: z.union([z.ipv4(), z.ipv6()], 'expected an IP address of this machine').optional(),
})
type Options = z.infer<typeof options>

/** A stream of RTP packets to another agent and back: loss and jitter of each direction, and the round trip. */
export const rtpTest = defineProbe({
  name: 'rtp-test',
  summary: 'a test stream to another agent and back: loss, jitter, round trip',
  options,
  create: (read) => new RtpTestProbe(read),
})

class RtpTestProbe implements Probe {
  readonly #options: Options
  #stream: TestStream | undefined

  constructor(read: Options) {
    this.#options = read
  }

  async open(): Promise<void> {
    const { address, key, payload, rate, bind } = this.#options
    this.#stream = await openTestStream({
      kind: 'test',
      ...address,
      bind,
      key: new TextEncoder().encode(key.reveal()),
      packetBytes: RTP_HEADER_BYTES + payload,
      packetsPerS: rate,
    })
  }

  async measure(interval: Interval): Promise<readonly Measurement[]> {
    if (this.#stream === undefined) await this.open()
    try {
      const report = await this.#stream?.take(interval.durationMs)
      return report?.kind === 'test' ? this.#toPoints(report, interval) : []
    } catch (error) {
      // The thread is gone: the next run starts another.
      this.#stream = undefined
      throw error instanceof TransientError ? error : new TransientError('rtp-test', String(error))
    }
  }

  async close(): Promise<void> {
    await this.#stream?.close()
    this.#stream = undefined
  }

  #toPoints(
    report: RoleReport & { readonly kind: 'test' },
    interval: Interval,
  ): readonly Measurement[] {
    const { target } = this.#options
    const { answered, challenged, localAddress, remoteAddress } = report
    const silence = challenged ? REFUSED : 'nothing came back'
    const common = {
      interval_ms: report.coveredMs,
      answered,
      loop_delay_ms: report.loopDelayMs,
      round_trip_ms: report.roundTripMs,
      round_trip_max_ms: report.roundTripMaxMs,
      reason: answered ? undefined : (report.reason ?? silence),
    }
    return [
      measurement(
        'rtp_test',
        interval.endUs,
        { target, direction: 'forward' },
        {
          ...common,
          src_ip: localAddress,
          dst_ip: remoteAddress,
          sent: report.sent,
          ...toFields(report.forward),
        },
      ),
      measurement(
        'rtp_test',
        interval.endUs,
        { target, direction: 'return' },
        { ...common, src_ip: remoteAddress, dst_ip: localAddress, ...toFields(report.return) },
      ),
    ]
  }
}

function toFields(counts: DirectionCounts | undefined): Record<string, number> {
  if (counts === undefined) return {}
  const { expected, received, lostUnique, duplicates, reordered, jitterMs, jitterMaxMs } = counts
  return {
    expected,
    received,
    lost: expected - received,
    lost_unique: lostUnique,
    ...(expected > 0 ? { loss_ratio: Math.max(0, lostUnique) / expected } : {}),
    duplicates,
    reordered,
    jitter_ms: jitterMs,
    jitter_max_ms: jitterMaxMs,
  }
}
