import { measurement, type Measurement } from '../../common/measurement.ts'
import { MibReader } from './mib-reader.ts'
import { rpdu, rpdu2 } from './pdu-mib-apc.ts'
import { eatonEpdu } from './pdu-mib-eaton.ts'
import { raritan } from './pdu-mib-raritan.ts'
import type { PduMib, PduOutlet, PduPart, PduReading } from './pdu-mib.ts'
import type { SnmpOptions } from './snmp-access.ts'
import type { Polled, PolledDevice, PollTime } from './snmp-fleet.ts'

const MIBS: readonly PduMib[] = [rpdu2, rpdu, raritan, eatonEpdu]
export const PDU_MIB_NAMES = ['rpdu2', 'rpdu', 'raritan', 'eaton'] as const
/** No PDU, chained or not, has more; a device that says so is not one. */
const MAX_OUTLETS = 512
const MAX_PARTS = 64

/** One power distribution unit read by SNMP: its loads and its outlets. */
export class PduSnmpDevice implements PolledDevice {
  readonly host: string
  readonly #target: string
  readonly #reader: MibReader<PduMib>
  /** The last that was read, for what it is called when it cannot be read. */
  #known: PduReading = { parts: [{}], outlets: [] }
  #isLost = false

  constructor(target: string, options: SnmpOptions, mib?: (typeof PDU_MIB_NAMES)[number]) {
    this.host = options.host
    this.#target = target
    this.#reader = new MibReader(options, MIBS, mib)
  }

  async poll({ nowUs }: PollTime, signal: AbortSignal): Promise<Polled> {
    const read = await this.#reader.read(signal)
    const wasLost = this.#isLost
    this.#isLost = 'reason' in read
    if ('reason' in read) {
      return { points: this.#lostPoints(read.reason, nowUs), isUrgent: !wasLost }
    }
    const before = this.#known
    const { parts, outlets, ...identity } = read.mib.read(read.values)
    const now = {
      ...identity,
      parts: parts.slice(0, MAX_PARTS),
      outlets: outlets.slice(0, MAX_OUTLETS),
    }
    this.#known = now
    return { points: this.#points(now, nowUs), isUrgent: wasLost || isWorse(before, now) }
  }

  #points(reading: PduReading, nowUs: number): readonly Measurement[] {
    const { parts, outlets, model, serial, firmware } = reading
    const switched = outlets.filter(({ on }) => on !== undefined)
    return [
      ...parts.map((part) =>
        measurement(
          'pdu',
          nowUs,
          { target: this.#nameOf(part) },
          {
            load_a: part.loadA,
            load_w: part.loadW,
            near_overload: part.nearOverload,
            overload: part.overload,
            comms_lost: false,
            ...(part.part === undefined
              ? {
                  outlets: outlets.length > 0 ? outlets.length : undefined,
                  outlets_on:
                    switched.length > 0
                      ? switched.filter(({ on }) => on === true).length
                      : undefined,
                  model,
                  serial,
                  firmware,
                }
              : {}),
          },
        ),
      ),
      ...outlets.map((outlet) =>
        measurement(
          'pdu_outlet',
          nowUs,
          { target: this.#nameOfOutlet(outlet) },
          {
            on: outlet.on,
            label: outlet.label,
            load_a: outlet.loadA,
            load_w: outlet.loadW,
            comms_lost: false,
          },
        ),
      ),
    ]
  }

  #lostPoints(reason: string, nowUs: number): readonly Measurement[] {
    const lost = { comms_lost: true, reason }
    return [
      ...this.#known.parts.map((part) =>
        measurement('pdu', nowUs, { target: this.#nameOf(part) }, lost),
      ),
      ...this.#known.outlets.map((outlet) =>
        measurement('pdu_outlet', nowUs, { target: this.#nameOfOutlet(outlet) }, lost),
      ),
    ]
  }

  #nameOf({ part }: PduPart): string {
    return part === undefined ? this.#target : `${this.#target}/${part}`
  }

  #nameOfOutlet({ outlet }: PduOutlet): string {
    return `${this.#target}/${outlet}`
  }
}

/** An outlet that gave power and gives none, or a part that is overloaded since. */
function isWorse(before: PduReading, now: PduReading): boolean {
  const on = new Map(before.outlets.map((outlet) => [outlet.outlet, outlet.on]))
  const over = new Map(before.parts.map(({ part, overload }) => [part, overload]))
  return (
    now.outlets.some((outlet) => outlet.on === false && on.get(outlet.outlet) === true) ||
    now.parts.some(({ part, overload }) => overload === true && over.get(part) !== true)
  )
}
