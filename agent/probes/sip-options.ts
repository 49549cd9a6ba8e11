import { z } from 'zod'
import { measurement, type Measurement } from '../../common/measurement.ts'
import { name } from '../../common/settings.ts'
import { defineProbe, type Interval, type Probe, type ProbeContext } from '../probe.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import { clientOptions, sipUri } from '../sip-client/client-options.ts'
import { openSipClient, type SipClient } from '../sip-client/sip-client.ts'
import { OptionsTarget, type OptionsCheck } from '../sip-client/options-target.ts'
import { agentOf, mappedAddressOf } from '../sip-client/response-words.ts'
import { runSpread, sipClock, spreadOver } from '../sip-client/scheduler.ts'
import { newToken } from '../sip-client/token.ts'

const MAX_TARGETS = 256
const DEFAULT_FROM_USER = 'kiestoon'

const target = z.strictObject({
  /** What the alerts call it. */
  name,
  uri: sipUri,
  /** Overrides that of the probe. */
  proxy: sipUri.optional(),
})

const options = z.strictObject({
  targets: z
    .array(target)
    .min(1)
    .max(MAX_TARGETS)
    .refine((targets) => new Set(targets.map((one) => one.name)).size === targets.length, {
      error: 'expected every target to have a name of its own',
    }),
  /** User part of our address; some trunks answer only to whom they know. */
  'from-user': z.string().min(1).max(128).default(DEFAULT_FROM_USER),
  ...clientOptions,
})
type Options = z.infer<typeof options>

/** OPTIONS to each server of each target: whoever answers at all is alive. */
export const sipOptions = defineProbe({
  name: 'sip-options',
  summary: 'SIP trunks and servers by OPTIONS: alive, how far, which version',
  options,
  create: (read, context) => new SipOptionsProbe(read, context),
})

class SipOptionsProbe implements Probe {
  readonly #options: Options
  readonly #context: ProbeContext
  #sip: SipClient | undefined
  #targets: readonly OptionsTarget[] = []

  constructor(read: Options, context: ProbeContext) {
    this.#options = read
    this.#context = context
  }

  async open(): Promise<void> {
    const { targets, proxy, 'from-user': fromUser } = this.#options
    const sip = openSipClient(this.#options, this.#context.nowUs)
    this.#sip = sip
    const tools = { client: sip.client, locator: sip.locator, newToken }
    this.#targets = targets.map(
      (one) =>
        new OptionsTarget(
          { name: one.name, uri: one.uri, proxy: one.proxy ?? proxy, fromUser },
          tools,
        ),
    )
    return Promise.resolve()
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    const points = await runSpread(
      this.#targets,
      spreadOver(interval.durationMs),
      sipClock,
      signal,
      async (one) => {
        const checks = await one.check(signal)
        return checks.map((check) => this.#toPoint(one.settings.name, interval, check))
      },
    )
    return points.flat()
  }

  async close(): Promise<void> {
    this.#sip?.close()
    this.#sip = undefined
    return Promise.resolve()
  }

  #toPoint(name: string, interval: Interval, check: OptionsCheck): Measurement {
    const { server, delivery, isAlive, roundTripMs, failuresInRow, reason } = check
    const { response, target: address } = delivery ?? {}
    return measurement(
      'sip_options',
      interval.endUs,
      { target: name, server },
      {
        interval_ms: interval.durationMs,
        alive: isAlive,
        status_code: response?.statusCode,
        round_trip_ms: roundTripMs,
        failures_in_row: failuresInRow,
        retransmissions: delivery?.retransmissions,
        transport: address?.transport,
        server_address:
          address === undefined ? undefined : hostPortText(address.address, address.port),
        user_agent: response === undefined ? undefined : agentOf(response),
        mapped_address: response === undefined ? undefined : mappedAddressOf(response),
        connect_ms: delivery?.connectMs,
        certificate_days: delivery?.certificate?.daysLeft,
        timeout: delivery?.isTimeout,
        timeout_ms: delivery?.isTimeout === true ? delivery.waitedMs : this.#options.timeout,
        reason,
      },
    )
  }
}
