import { MibReader } from './mib-reader.ts'
import type { SnmpOptions } from './snmp-access.ts'
import type { Polled, PolledDevice, PollTime } from './snmp-fleet.ts'
import type { OutputSourceStyle, UpsMib } from './ups-mib.ts'
import { mge } from './ups-mib-mge.ts'
import { powernet } from './ups-mib-powernet.ts'
import { rfc1628 } from './ups-mib-rfc1628.ts'
import { xups } from './ups-mib-xups.ts'
import { upsPoint, withoutContact } from './ups-reading.ts'
import { UpsUnit } from './ups-unit.ts'

const MIBS: readonly UpsMib[] = [rfc1628, powernet, xups, mge]
export const UPS_MIB_NAMES = ['rfc1628', 'powernet', 'xups', 'mge'] as const

export interface UpsSnmpSettings {
  readonly target: string
  readonly options: SnmpOptions
  /** Without one it is found out. */
  readonly mib: (typeof UPS_MIB_NAMES)[number] | undefined
  readonly outputSourceStyle: OutputSourceStyle
}

/** One UPS read by SNMP, with what is remembered of it between polls. */
export class UpsSnmpDevice implements PolledDevice {
  readonly host: string
  readonly #settings: UpsSnmpSettings
  readonly #reader: MibReader<UpsMib>
  readonly #unit = new UpsUnit()

  constructor(settings: UpsSnmpSettings) {
    this.host = settings.options.host
    this.#settings = settings
    this.#reader = new MibReader(settings.options, MIBS, settings.mib)
  }

  async poll({ nowUs, atMs }: PollTime, signal: AbortSignal): Promise<Polled> {
    const { target, outputSourceStyle } = this.#settings
    const read = await this.#reader.read(signal)
    const { reading, isUrgent } = this.#unit.judge(
      'reason' in read
        ? withoutContact(read.reason)
        : read.mib.read(read.values, { nowUs, outputSourceStyle }),
      atMs,
    )
    const source = this.#reader.mib?.source
    return { points: [upsPoint(reading, { target, source }, nowUs)], isUrgent }
  }
}
