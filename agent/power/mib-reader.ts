import { reasonOf } from '../../common/errors.ts'
import type { SnmpOptions } from './snmp-access.ts'
import { SnmpSession } from './snmp-session.ts'
import { textAt, type SnmpValues } from './snmp-values.ts'

const SYS_OBJECT_ID = '1.3.6.1.2.1.1.2.0'

/** One way a kind of device is described over SNMP: what to ask for. */
export interface SnmpMib {
  /** What we call it. */
  readonly name: string
  /** An object every device with this tree has. */
  readonly sign: string
  /** Of the maker whose own tree this is (IANA): it says more of the maker's devices than what all have. */
  readonly enterprise?: string
  readonly scalars: readonly string[]
  readonly columns: readonly string[]
}

export type MibReading<M> =
  | { readonly mib: M; readonly values: SnmpValues }
  /** Why there is nothing. */
  | { readonly reason: string }

/** Reads a device in the one of several ways that it has, which is found out at the first contact unless it is given. */
export class MibReader<M extends SnmpMib> {
  readonly #options: SnmpOptions
  readonly #mibs: readonly M[]
  readonly #isGiven: boolean
  #mib: M | undefined

  /** @param given the name of the one it has; it must be among `mibs` */
  constructor(options: SnmpOptions, mibs: readonly M[], given?: string) {
    this.#options = options
    this.#mibs = mibs
    this.#mib = mibs.find(({ name }) => name === given)
    this.#isGiven = this.#mib !== undefined
  }

  /** The one it has, as far as is known. */
  get mib(): M | undefined {
    return this.#mib
  }

  /** One poll in a session of its own; never throws. */
  async read(signal: AbortSignal): Promise<MibReading<M>> {
    let session: SnmpSession | undefined
    try {
      session = await SnmpSession.open(this.#options)
      this.#mib ??= await findMib(session, this.#mibs, signal)
      const mib = this.#mib
      if (mib === undefined) {
        const names = this.#mibs.map(({ name }) => name).join(', ')
        return { reason: `it answers, but has none of ${names}` }
      }
      const values = new Map([
        ...(await session.get(mib.scalars, signal)),
        ...(await session.walk(mib.columns, signal)),
      ])
      if (values.size > 0) return { mib, values }
      // Another device may have taken its place.
      if (!this.#isGiven) this.#mib = undefined
      return { reason: `it answers, but has nothing of ${mib.name}` }
    } catch (error) {
      return { reason: reasonOf(error) }
    } finally {
      session?.close()
    }
  }
}

/** The maker's own tree where the device says who made it, else the first that answers. */
async function findMib<M extends SnmpMib>(
  session: SnmpSession,
  mibs: readonly M[],
  signal: AbortSignal,
): Promise<M | undefined> {
  const values = await session.get([SYS_OBJECT_ID, ...mibs.map(({ sign }) => sign)], signal)
  const device = textAt(values, SYS_OBJECT_ID) ?? ''
  const present = mibs.filter(({ sign }) => values.has(sign))
  const own = present.find(
    ({ enterprise }) => enterprise !== undefined && device.startsWith(`${enterprise}.`),
  )
  return own ?? present[0]
}
