import { reasonOf } from '../../common/errors.ts'
import type { SnmpOptions } from './snmp-access.ts'
import type { Polled, PolledDevice, PollTime } from './snmp-fleet.ts'
import { SnmpSession } from './snmp-session.ts'
import { textAt } from './snmp-values.ts'
import type { OutputSourceStyle, UpsMib } from './ups-mib.ts'
import { mge } from './ups-mib-mge.ts'
import { powernet } from './ups-mib-powernet.ts'
import { rfc1628 } from './ups-mib-rfc1628.ts'
import { xups } from './ups-mib-xups.ts'
import { upsPoint, withoutContact, type UpsReading } from './ups-reading.ts'
import { UpsUnit } from './ups-unit.ts'

const SYS_OBJECT_ID = '1.3.6.1.2.1.1.2.0'
export const UPS_MIB_NAMES = ['rfc1628', 'powernet', 'xups', 'mge'] as const
export type UpsMibName = (typeof UPS_MIB_NAMES)[number]
const MIBS: Readonly<Record<UpsMibName, UpsMib>> = { rfc1628, powernet, xups, mge }
/** By enterprise (IANA): what a maker's own tree says goes further than what all have. */
const MAKERS: readonly (readonly [enterprise: string, mib: UpsMib])[] = [
  ['1.3.6.1.4.1.318.', powernet],
  ['1.3.6.1.4.1.534.', xups],
  ['1.3.6.1.4.1.705.', mge],
]

export interface UpsSnmpSettings {
  readonly target: string
  readonly options: SnmpOptions
  /** Without one it is found out. */
  readonly mib: UpsMibName | undefined
  readonly outputSourceStyle: OutputSourceStyle
}

/** One UPS read by SNMP, with what is remembered of it between polls. */
export class UpsSnmpDevice implements PolledDevice {
  readonly #settings: UpsSnmpSettings
  readonly #unit = new UpsUnit()
  #mib: UpsMib | undefined

  constructor(settings: UpsSnmpSettings) {
    this.#settings = settings
    this.#mib = settings.mib === undefined ? undefined : MIBS[settings.mib]
  }

  get host(): string {
    return this.#settings.options.host
  }

  async poll({ nowUs, atMs }: PollTime, signal: AbortSignal): Promise<Polled> {
    const { target } = this.#settings
    const read = await this.#read(nowUs, signal)
    const { reading, isUrgent } = this.#unit.judge(read, atMs)
    return { points: [upsPoint(reading, { target, source: this.#mib?.source }, nowUs)], isUrgent }
  }

  async #read(nowUs: number, signal: AbortSignal): Promise<UpsReading> {
    const { options, outputSourceStyle } = this.#settings
    let session: SnmpSession | undefined
    try {
      session = await SnmpSession.open(options)
      this.#mib ??= await findMib(session, signal)
      const mib = this.#mib
      if (mib === undefined) return withoutContact('it answers, but none of the UPS MIBs we know')
      const values = new Map([
        ...(await session.get(mib.scalars, signal)),
        ...(await session.walk(mib.columns, signal)),
      ])
      if (values.size === 0) {
        // Another device may have taken its place.
        if (this.#settings.mib === undefined) this.#mib = undefined
        return withoutContact(`it answers, but has nothing of ${mib.source}`)
      }
      return mib.read(values, { nowUs, outputSourceStyle })
    } catch (error) {
      return withoutContact(reasonOf(error))
    } finally {
      session?.close()
    }
  }
}

/** The maker's own tree where the device says who made it, then the one all have, then any. */
async function findMib(session: SnmpSession, signal: AbortSignal): Promise<UpsMib | undefined> {
  const all = Object.values(MIBS)
  const values = await session.get([SYS_OBJECT_ID, ...all.map(({ sign }) => sign)], signal)
  const maker = textAt(values, SYS_OBJECT_ID) ?? ''
  const own = MAKERS.flatMap(([enterprise, mib]) => (maker.startsWith(enterprise) ? [mib] : []))
  return [...own, ...all].find(({ sign }) => values.has(sign))
}
