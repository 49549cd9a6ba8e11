import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { signFarewell, tokenHash, type FarewellCause } from '../common/farewell.ts'
import { encodeMeasurements } from '../common/line-protocol.ts'
import type { Logger } from '../common/log.ts'
import { measurement, type Measurement } from '../common/measurement.ts'
import { CollectorClient, type Batch } from './collector-client.ts'
import type { CollectorAddress } from './config.ts'
import type { PowerFailure } from './feed.ts'
import type { Clock } from './scheduler.ts'

/** Of one attempt: a network that is about to go answers quickly or not at all. */
const ATTEMPT_MS = 2000
const AGAIN_MS = 500

export interface FarewellOptions {
  readonly agent: string
  readonly site: string
  readonly collectors: readonly CollectorAddress[]
  readonly clock: Clock
  readonly log: Logger
}

const compress = promisify(gzip)

/** Says the agent's last word: past all that waits in the spool, over a connection of its own, and signed. */
export class Farewell {
  readonly #options: FarewellOptions
  #count = 0
  #latest = new AbortController()

  constructor(options: FarewellOptions) {
    this.#options = options
  }

  /**
   * Says farewell to all collectors at once, for each signed with its own token: to each again and again until it has it or the time
   * is up. What nobody took is given back, to be spooled: told later, it still explains the silence, and as nobody knows whom it will
   * be told, it is signed for all. A later farewell ends the attempts of an earlier one.
   */
  async say(
    cause: FarewellCause,
    failure: Omit<PowerFailure, 'cause'> | undefined,
    limitMs: number,
  ): Promise<Measurement | undefined> {
    const { collectors, clock, log, agent } = this.#options
    const timeUs = Math.round(clock.nowUs())
    const id = `farewell-${timeUs}-${++this.#count}`
    const endMs = clock.monotonicMs() + limitMs
    this.#latest.abort(new Error('said anew'))
    this.#latest = new AbortController()
    const { signal } = this.#latest
    const pointFor = (...some: readonly CollectorAddress[]): Measurement =>
      this.#point(cause, failure, timeUs, some)
    log.info({ agent, cause, power: failure?.power }, 'farewell')
    const heard = await Promise.all(
      collectors.map(async (address) => {
        const batch = { payload: await encode(pointFor(address)), id, points: 1 }
        return await this.#insist(address, batch, endMs, signal)
      }),
    )
    if (signal.aborted || heard.includes(true)) return undefined
    log.warn({ cause }, 'no collector heard the farewell; it is kept in the spool')
    return collectors.length === 0 ? undefined : pointFor(...collectors)
  }

  /** Whether the collector has it in time, or has refused it for good. */
  async #insist(
    address: CollectorAddress,
    batch: Batch,
    endMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock } = this.#options
    for (;;) {
      const leftMs = endMs - clock.monotonicMs()
      if (leftMs <= 0 || signal.aborted) return false
      if (await this.#attempt(address, batch, Math.min(ATTEMPT_MS, leftMs), signal)) return true
      if (endMs - clock.monotonicMs() <= AGAIN_MS) return false
      await pause(AGAIN_MS, clock, signal)
    }
  }

  /** True when the collector has it, or has refused it for good. */
  async #attempt(
    address: CollectorAddress,
    batch: Batch,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, log } = this.#options
    const client = new CollectorClient(address, () => clock.nowUs())
    const limit = new AbortController()
    const cancel = clock.setTimer(() => {
      limit.abort(new Error(`no answer within ${Math.round(limitMs)} ms`))
    }, limitMs)
    try {
      const answer = await client.push(batch, AbortSignal.any([limit.signal, signal]))
      const { url } = address
      if (answer.kind === 'accepted') log.info({ url }, 'farewell heard')
      if (answer.kind === 'refused') log.warn({ url, reason: answer.reason }, 'farewell refused')
      return answer.kind === 'accepted' || answer.kind === 'refused'
    } finally {
      cancel()
      client.close()
    }
  }

  #point(
    cause: FarewellCause,
    failure: Omit<PowerFailure, 'cause'> | undefined,
    timeUs: number,
    hearers: readonly CollectorAddress[],
  ): Measurement {
    const { agent, site } = this.#options
    const power = failure?.power ?? ''
    const signed = { agent, site, timeUs, cause, power }
    return measurement(
      'farewell',
      timeUs,
      { agent, site },
      {
        cause,
        power: power === '' ? undefined : power,
        charge_ratio: failure?.chargeRatio,
        runtime_s: failure?.runtimeS,
        signature: hearers
          .map(({ token }) => signFarewell(tokenHash(token.reveal()), signed))
          .join(' '),
      },
    )
  }
}

async function encode(point: Measurement): Promise<Uint8Array> {
  return await compress(encodeMeasurements([point]))
}

/** Ends early when the signal fires. */
async function pause(durationMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
      resolve()
    }
    const cancel = clock.setTimer(end, durationMs)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
