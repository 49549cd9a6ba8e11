import { z } from 'zod'
import { TransientError } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { hostPort } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'
import { testKey } from '../rtp-test/test-key.ts'
import { openTestStream, type TestStream } from '../rtp-test/test-stream-thread.ts'

const DEFAULT_SENDERS = 32
const MAX_SENDERS = 1024
const DEFAULT_RATE = 200
const DEFAULT_TOTAL_RATE = 2000
const MAX_RATE = 100_000

const options = z.strictObject({
  /** Address and port to receive on; on a machine with several addresses the one the testers use. */
  listen: hostPort,
  key: testKey,
  'max-senders': z.int().min(1).max(MAX_SENDERS).default(DEFAULT_SENDERS),
  /** Packets per second sent back to one sender, and to all of them. */
  'max-rate': z.int().min(1).max(MAX_RATE).default(DEFAULT_RATE),
  'max-total-rate': z.int().min(1).max(MAX_RATE).default(DEFAULT_TOTAL_RATE),
})
type Options = z.infer<typeof options>

/** The other end of rtp-test: sends test packets of agents that know the key back to them, and nothing to anybody else. */
export const rtpReflect = defineProbe({
  name: 'rtp-reflect',
  summary: "sends other agents' test streams back to them",
  options,
  create: (read, context) => new RtpReflectProbe(read, context),
})

class RtpReflectProbe implements Probe {
  readonly #options: Options
  readonly #log: ProbeContext['log']
  #stream: TestStream | undefined

  constructor(read: Options, { log }: ProbeContext) {
    this.#options = read
    this.#log = log
  }

  async open(): Promise<void> {
    const { listen, key } = this.#options
    this.#stream = await openTestStream({
      kind: 'reflect',
      ...listen,
      key: new TextEncoder().encode(key.reveal()),
      maxSenders: this.#options['max-senders'],
      maxRate: this.#options['max-rate'],
      maxTotalRate: this.#options['max-total-rate'],
    })
    this.#log.info({ address: listen.host, port: this.#stream.port }, 'reflecting test streams')
  }

  async measure(interval: Interval): Promise<readonly Measurement[]> {
    if (this.#stream === undefined) await this.open()
    try {
      const report = await this.#stream?.take(interval.durationMs)
      if (report?.kind !== 'reflect') return []
      return [
        measurement(
          'rtp_reflect',
          interval.endUs,
          { target: `${this.#options.listen.host}:${this.#options.listen.port}` },
          {
            interval_ms: interval.durationMs,
            senders: report.senders,
            received: report.received,
            reflected: report.reflected,
            challenged: report.challenged,
            ignored: report.ignored,
            limited: report.limited,
            refused: report.refused,
            loop_delay_ms: report.loopDelayMs,
          },
        ),
      ]
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
}
