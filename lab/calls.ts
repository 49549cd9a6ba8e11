import { Link } from './link.ts'
import { Phone, keepSpeaking } from './phone.ts'
import {
  CALLS_PER_CARRIER,
  CARRIERS,
  REFLECTOR,
  RTP_PORT,
  callAddresses,
  testAddresses,
  type Carrier,
} from './site.ts'

/** What the wires lose on a good day. */
const USUAL_LOSS_RATIO = { 'carrier-a': 0.0005, 'carrier-b': 0.004 } as const
const MAX_UINT32 = 0x1_0000_0000
const MAX_UINT16 = 0x1_0000

/** The phones, their calls, and the wires between head office and the carriers. */
export class Calls {
  readonly #links: Readonly<Record<Carrier, Link[]>> = { 'carrier-a': [], 'carrier-b': [] }
  readonly #phones: Phone[] = []
  #hush: (() => void) | undefined

  async open(random: () => number): Promise<void> {
    for (const carrier of CARRIERS) {
      for (let index = 0; index < CALLS_PER_CARRIER; index++)
        await this.#call(carrier, index, random)
      const { door, exit, reflector } = testAddresses(carrier)
      const { port } = REFLECTOR
      await this.#link(carrier, {
        door: { address: door, port },
        exit,
        far: { address: reflector, port },
        random,
      })
      this.usual(carrier)
    }
    this.#hush = keepSpeaking(this.#phones)
  }

  /** From now on the wire to the carrier loses this share of what is sent to it. */
  lose(carrier: Carrier, lossRatio: number): void {
    for (const link of this.#links[carrier]) link.forwardLossRatio = lossRatio
  }

  /** A good day again. */
  usual(carrier: Carrier): void {
    for (const link of this.#links[carrier]) {
      link.forwardLossRatio = USUAL_LOSS_RATIO[carrier]
      link.backwardLossRatio = USUAL_LOSS_RATIO[carrier]
    }
  }

  close(): void {
    this.#hush?.()
    for (const phone of this.#phones) phone.close()
    for (const links of Object.values(this.#links)) for (const link of links) link.close()
  }

  async #call(carrier: Carrier, index: number, random: () => number): Promise<void> {
    const { hqPhone, door, exit, carrierPhone } = callAddresses(carrier, index)
    const at = (address: string): { address: string; port: number } => ({ address, port: RTP_PORT })
    await this.#link(carrier, { door: at(door), exit, far: at(carrierPhone), random })
    const identity = (): { ssrc: number; firstSequenceNumber: number } => ({
      ssrc: Math.floor(random() * MAX_UINT32),
      firstSequenceNumber: Math.floor(random() * MAX_UINT16),
    })
    for (const phone of [
      new Phone({ local: at(hqPhone), peer: at(door), ...identity() }),
      new Phone({ local: at(carrierPhone), ...identity() }),
    ]) {
      await phone.open()
      this.#phones.push(phone)
    }
  }

  async #link(carrier: Carrier, options: ConstructorParameters<typeof Link>[0]): Promise<void> {
    const link = new Link(options)
    await link.open()
    this.#links[carrier].push(link)
  }
}
