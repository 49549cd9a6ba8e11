import { reasonOf } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Measurement } from '../../common/measurement.ts'
import { SnmpFleet, type PolledDevice } from './snmp-fleet.ts'
import { SnmpTraps, type TrapCounts, type TrapSettings } from './snmp-traps.ts'

/** How often it is tried to get the port of traps, and how often it is told what was turned away. */
const RETRY_MS = 60_000
const TELL_MS = 600_000

export interface SnmpProbeContext {
  readonly log: Logger
  readonly nowUs: () => number
  readonly report: (points: readonly Measurement[]) => void
}

interface Interval {
  readonly endUs: number
  readonly durationMs: number
}

/** What every probe that speaks SNMP is: devices polled side by side, and on request their traps. Without its traps it polls on. */
export class SnmpProbe {
  readonly #fleet: SnmpFleet
  readonly #context: SnmpProbeContext
  readonly #settings: TrapSettings | undefined
  #traps: SnmpTraps | undefined
  #sinceTriedMs = 0
  #sinceToldMs = 0
  #turnedAway = { unknown: 0, refused: 0, malformed: 0, dropped: 0 }

  constructor(
    devices: readonly PolledDevice[],
    context: SnmpProbeContext,
    traps: TrapSettings | undefined,
  ) {
    this.#fleet = new SnmpFleet(devices, context)
    this.#context = context
    this.#settings = traps
  }

  /** Where traps are taken; undefined while they are not. */
  get trapPort(): number | undefined {
    return this.#traps?.port
  }

  async open(): Promise<void> {
    await this.#listen()
  }

  async measure(interval: Interval, signal: AbortSignal): Promise<readonly Measurement[]> {
    if (this.#settings !== undefined) await this.#keepListening(interval.durationMs)
    return await this.#fleet.measure(interval, signal)
  }

  async close(): Promise<void> {
    this.#traps?.close()
    this.#traps = undefined
    await this.#fleet.close()
  }

  async #listen(): Promise<void> {
    if (this.#settings === undefined) return
    const { nowUs, log } = this.#context
    try {
      await this.#fleet.resolve()
      this.#traps = await SnmpTraps.listen(this.#settings, {
        nowUs,
        knows: (address) => this.#fleet.knows(address),
        onTrap: (address) => {
          this.#fleet.hurry(address)
        },
      })
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'no traps are taken; polling goes on')
    }
  }

  async #keepListening(durationMs: number): Promise<void> {
    this.#sinceTriedMs += durationMs
    if (this.#traps === undefined && this.#sinceTriedMs >= RETRY_MS) {
      this.#sinceTriedMs = 0
      await this.#listen()
    }
    await this.#fleet.resolve()
    this.#tell(durationMs, this.#traps?.takeCounts())
  }

  #tell(durationMs: number, counts: TrapCounts | undefined): void {
    this.#sinceToldMs += durationMs
    const away = this.#turnedAway
    if (counts !== undefined) {
      away.unknown += counts.unknown
      away.refused += counts.refused
      away.malformed += counts.malformed
      away.dropped += counts.dropped
    }
    const total = away.unknown + away.refused + away.malformed + away.dropped
    if (total === 0 || this.#sinceToldMs < TELL_MS) return
    this.#context.log.warn(away, 'traps turned away')
    this.#sinceToldMs = 0
    this.#turnedAway = { unknown: 0, refused: 0, malformed: 0, dropped: 0 }
  }
}
