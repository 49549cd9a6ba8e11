import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface LinkOptions {
  /** Where the near side sends to: the link's front door, an address in the far network. */
  readonly door: Endpoint
  /** Local address the far side sees as the sender, in the near network. */
  readonly exit: string
  /** Who answers behind the link. */
  readonly far: Endpoint
  /** 0..1, drawn per packet. */
  readonly random: () => number
}

/** What the link did to the packets of one direction: the truth that measurements are held against. */
export interface LinkCounts {
  forwarded: number
  dropped: number
}

/**
 * A UDP wire of one call in user space, with loss per direction. Near side -> door -> (exit) -> far side; answers go back the same way
 * to whoever sent last.
 */
export class Link {
  readonly forward: LinkCounts = { forwarded: 0, dropped: 0 }
  readonly backward: LinkCounts = { forwarded: 0, dropped: 0 }
  forwardLossRatio = 0
  backwardLossRatio = 0
  readonly #options: LinkOptions
  readonly #door: Socket = createSocket('udp4')
  readonly #exit: Socket = createSocket('udp4')
  #near: Endpoint | undefined

  constructor(options: LinkOptions) {
    this.#options = options
  }

  async open(): Promise<void> {
    const { door, exit, far, random } = this.#options
    this.#door.on('message', (packet, from) => {
      this.#near = from
      if (random() < this.forwardLossRatio) {
        this.forward.dropped++
        return
      }
      this.forward.forwarded++
      this.#exit.send(packet, far.port, far.address, ignore)
    })
    this.#exit.on('message', (packet) => {
      if (!this.#near) return
      if (random() < this.backwardLossRatio) {
        this.backward.dropped++
        return
      }
      this.backward.forwarded++
      this.#door.send(packet, this.#near.port, this.#near.address, ignore)
    })
    for (const socket of [this.#door, this.#exit]) socket.on('error', ignore)
    this.#door.bind(door.port, door.address)
    this.#exit.bind(0, exit)
    await Promise.all([once(this.#door, 'listening'), once(this.#exit, 'listening')])
  }

  close(): void {
    this.#door.close()
    this.#exit.close()
  }
}

/** A wire does not complain: what cannot be delivered (nobody listens yet) is lost. */
function ignore(): void {
  return undefined
}
