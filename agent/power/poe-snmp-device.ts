import { reasonOf } from '../../common/errors.ts'
import { measurement, type Measurement } from '../../common/measurement.ts'
import {
  INTERFACE_COLUMNS,
  POE_COLUMNS,
  readLabels,
  readPoe,
  type PoeCounters,
  type PoePort,
  type PoeReading,
  type PoeSupply,
} from './poe-reading.ts'
import type { SnmpOptions } from './snmp-access.ts'
import type { Polled, PolledDevice, PollTime } from './snmp-fleet.ts'
import { SnmpSession } from './snmp-session.ts'
import { counterRise } from './snmp-values.ts'

/** Names change when somebody changes them. */
const LABELS_MS = 600_000
/** A stack of the largest switches has less. */
const MAX_PORTS = 2048
const MAX_SUPPLIES = 64
/** The group of a switch that is no stack (RFC 3621), and of one nobody has heard of yet. */
const FIRST_GROUP = '1'

export interface PoeSnmpSettings {
  readonly target: string
  readonly options: SnmpOptions
  /** PoE ports carry the numbers of interfaces (ifIndex), and so have their names. */
  readonly isNumberedAsInterfaces: boolean
}

/** One switch, or stack of them, that feeds what hangs on it. */
export class PoeSnmpDevice implements PolledDevice {
  readonly host: string
  readonly #settings: PoeSnmpSettings
  #labels: ReadonlyMap<string, string> = new Map()
  #labelsAtMs = -Infinity
  #known: PoeReading = { ports: [], supplies: [{ group: FIRST_GROUP, state: 'unknown' }] }
  #readAtMs: number | undefined
  #isLost = false

  constructor(settings: PoeSnmpSettings) {
    this.host = settings.options.host
    this.#settings = settings
  }

  async poll({ nowUs, atMs }: PollTime, signal: AbortSignal): Promise<Polled> {
    const wasLost = this.#isLost
    const now = await this.#read(atMs, signal)
    this.#isLost = 'reason' in now
    if ('reason' in now) {
      return { points: this.#lostPoints(now.reason, nowUs), isUrgent: !wasLost }
    }
    const before = this.#known
    const intervalMs = this.#readAtMs === undefined ? undefined : atMs - this.#readAtMs
    this.#known = now
    this.#readAtMs = atMs
    return {
      points: this.#points(before, now, intervalMs, nowUs),
      isUrgent: wasLost || isWorse(before, now),
    }
  }

  async #read(
    atMs: number,
    signal: AbortSignal,
  ): Promise<PoeReading | { readonly reason: string }> {
    let session: SnmpSession | undefined
    try {
      session = await SnmpSession.open(this.#settings.options)
      if (this.#settings.isNumberedAsInterfaces && atMs - this.#labelsAtMs >= LABELS_MS) {
        this.#labels = readLabels(await session.walk(INTERFACE_COLUMNS, signal))
        this.#labelsAtMs = atMs
      }
      const { ports, supplies } = readPoe(await session.walk(POE_COLUMNS, signal), this.#labels)
      if (ports.length === 0 && supplies.length === 0) {
        return { reason: 'it answers, but has nothing of POWER-ETHERNET-MIB (RFC 3621)' }
      }
      return { ports: ports.slice(0, MAX_PORTS), supplies: supplies.slice(0, MAX_SUPPLIES) }
    } catch (error) {
      return { reason: reasonOf(error) }
    } finally {
      session?.close()
    }
  }

  #points(
    before: PoeReading,
    now: PoeReading,
    intervalMs: number | undefined,
    nowUs: number,
  ): readonly Measurement[] {
    const counted = new Map(before.ports.map(({ row, counters }) => [row, counters]))
    const risen = now.ports.map((port) => ({
      port,
      rise: risesOf(counted.get(port.row), port.counters),
    }))
    return [
      ...risen.map(({ port, rise }) =>
        measurement(
          'poe_port',
          nowUs,
          { target: this.#nameOf(port.row) },
          {
            interval_ms: intervalMs,
            delivering: port.delivering,
            status: port.status,
            priority: port.priority,
            power_class: port.powerClass,
            ...rise,
            label: port.label,
            comms_lost: false,
          },
        ),
      ),
      ...now.supplies.map((supply) => {
        const own = risen.filter(({ port }) => port.group === supply.group)
        const denied = own.flatMap(({ rise }) => rise.denied ?? [])
        return measurement(
          'poe_budget',
          nowUs,
          { target: this.#nameOf(supply.group) },
          {
            state: supply.state,
            nominal_w: supply.nominalW,
            consumption_w: supply.consumptionW,
            threshold_ratio: supply.thresholdRatio,
            used_ratio: usedRatio(supply),
            ports_delivering: own.filter(({ port }) => port.delivering === true).length,
            ports_denied:
              denied.length > 0 ? denied.filter((count) => count > 0).length : undefined,
            comms_lost: false,
          },
        )
      }),
    ]
  }

  #lostPoints(reason: string, nowUs: number): readonly Measurement[] {
    const lost = { comms_lost: true, reason }
    return [
      ...this.#known.ports.map(({ row }) =>
        measurement('poe_port', nowUs, { target: this.#nameOf(row) }, lost),
      ),
      ...this.#known.supplies.map(({ group }) =>
        measurement(
          'poe_budget',
          nowUs,
          { target: this.#nameOf(group) },
          {
            state: 'unknown',
            ...lost,
          },
        ),
      ),
    ]
  }

  /** `sw-1/1/12` of a port, `sw-1/1` of a supply. */
  #nameOf(row: string): string {
    return `${this.#settings.target}/${row.replace('.', '/')}`
  }
}

/** How far each counter went on since the last poll; the first says nothing of an interval. */
function risesOf(before: PoeCounters | undefined, now: PoeCounters): PoeCounters {
  const rise = (key: keyof PoeCounters): number | undefined => {
    const [was, is] = [before?.[key], now[key]]
    return was === undefined || is === undefined ? undefined : counterRise(was, is)
  }
  return {
    denied: rise('denied'),
    overloads: rise('overloads'),
    shorts: rise('shorts'),
    absences: rise('absences'),
  }
}

function usedRatio({ nominalW, consumptionW }: PoeSupply): number | undefined {
  return nominalW !== undefined && nominalW > 0 && consumptionW !== undefined
    ? consumptionW / nominalW
    : undefined
}

/** A port that fed something and feeds nothing now, whatever it says of itself; a supply that was on and is not. */
function isWorse(before: PoeReading, now: PoeReading): boolean {
  const fed = (ports: readonly PoePort[]): readonly string[] =>
    ports.flatMap(({ row, delivering }) => (delivering === true ? [row] : []))
  const on = (supplies: readonly PoeSupply[]): readonly string[] =>
    supplies.flatMap(({ group, state }) => (state === 'on' ? [group] : []))
  const feeds = new Set(fed(now.ports))
  const works = new Set(on(now.supplies))
  return (
    fed(before.ports).some((row) => !feeds.has(row)) ||
    on(before.supplies).some((group) => !works.has(group))
  )
}
