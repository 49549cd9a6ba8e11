import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Measurement } from '../../common/measurement.ts'

const US_PER_MS = 1000
/** Out of turn, a device is given up after this. */
const OUT_OF_TURN_MS = 10_000
/** How often names are looked up again, to know who sends traps. */
const RESOLVE_MS = 300_000

export interface PollTime {
  /** Wall clock, microseconds since 1970. */
  readonly nowUs: number
  /** Milliseconds by a clock that is never stepped. */
  readonly atMs: number
}

export interface Polled {
  readonly points: readonly Measurement[]
  /** To be told at once: it says something else than before that cannot wait. */
  readonly isUrgent: boolean
}

/** One device that is polled. */
export interface PolledDevice {
  /** Name or address. */
  readonly host: string
  /** Never throws, and ends soon after the signal. Never called while an earlier call is still running. */
  poll(time: PollTime, signal: AbortSignal): Promise<Polled>
}

export interface FleetContext {
  readonly nowUs: () => number
  readonly report: (points: readonly Measurement[]) => void
}

/**
 * Devices polled side by side, so that one that hangs delays none of the others: what is urgent is told as soon as its own device has
 * said it. A device that has sent a trap is polled out of turn.
 */
export class SnmpFleet {
  readonly #devices: readonly PolledDevice[]
  readonly #context: FleetContext
  readonly #closing = new AbortController()
  readonly #running = new Map<PolledDevice, Promise<void>>()
  /** Those that sent a trap while they were being polled. */
  readonly #again = new Set<PolledDevice>()
  #byAddress: ReadonlyMap<string, readonly PolledDevice[]> = new Map()
  #atMs = 0
  #atUs = 0
  #resolvedAtMs = -Infinity

  constructor(devices: readonly PolledDevice[], context: FleetContext) {
    this.#devices = devices
    this.#context = context
  }

  async measure(
    { endUs, durationMs }: { readonly endUs: number; readonly durationMs: number },
    signal: AbortSignal,
  ): Promise<readonly Measurement[]> {
    // The polls out of turn since the last run have moved on a little by the wall clock.
    this.#atMs += durationMs
    this.#atUs = endUs
    const time = { nowUs: endUs, atMs: this.#atMs }
    const points: Measurement[] = []
    await Promise.all(
      this.#devices.map(async (device) => {
        // Just being polled out of turn: that says all there is to say.
        const running = this.#running.get(device)
        if (running !== undefined) {
          await running
          return
        }
        await this.#run(device, time, AbortSignal.any([signal]), (polled) => {
          if (polled.isUrgent) this.#context.report(polled.points)
          else points.push(...polled.points)
        })
      }),
    )
    return points
  }

  /** Looks up who traps may come from. */
  async resolve(): Promise<void> {
    if (this.#atMs - this.#resolvedAtMs < RESOLVE_MS) return
    this.#resolvedAtMs = this.#atMs
    const byAddress = new Map<string, PolledDevice[]>()
    await Promise.all(
      this.#devices.map(async (device) => {
        for (const address of await addressesOf(device.host)) {
          byAddress.set(address, [...(byAddress.get(address) ?? []), device])
        }
      }),
    )
    this.#byAddress = byAddress
  }

  knows(address: string): boolean {
    return this.#byAddress.has(plain(address))
  }

  /** Polls the devices at an address now, and tells what they say. */
  hurry(address: string): void {
    for (const device of this.#byAddress.get(plain(address)) ?? []) this.#pollOutOfTurn(device)
  }

  /** Ends what runs out of turn. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#running.values())
  }

  #pollOutOfTurn(device: PolledDevice): void {
    if (this.#closing.signal.aborted) return
    if (this.#running.has(device)) {
      this.#again.add(device)
      return
    }
    const nowUs = this.#context.nowUs()
    const sinceMs = Math.min(Math.max(0, (nowUs - this.#atUs) / US_PER_MS), OUT_OF_TURN_MS)
    const time = { nowUs, atMs: this.#atMs + sinceMs }
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(OUT_OF_TURN_MS)])
    void this.#run(device, time, signal, ({ points }) => {
      if (!this.#closing.signal.aborted) this.#context.report(points)
    })
  }

  async #run(
    device: PolledDevice,
    time: PollTime,
    signal: AbortSignal,
    take: (polled: Polled) => void,
  ): Promise<void> {
    const run = device.poll(time, signal).then((polled) => {
      this.#running.delete(device)
      take(polled)
      if (this.#again.delete(device)) this.#pollOutOfTurn(device)
    })
    this.#running.set(device, run)
    await run
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [plain(host)]
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => plain(address))
}

/** IPv4 as such, where a socket of both families saw it. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '').toLowerCase()
}
