import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** What becomes of a datagram on the way: nothing when lost, two when doubled, others when they were held back. */
export type Link = (datagram: Buffer) => readonly Buffer[]

export interface UdpRelay {
  /** Where the near side sends to. */
  readonly port: number
  /** Everything handed on so far, in order. */
  readonly forward: readonly Buffer[]
  readonly back: readonly Buffer[]
  /** Everything taken in from the far side: its answers. */
  readonly answers: readonly Buffer[]
  /** Goes on from another port, as a NAT that has forgotten the flow. */
  rebind(): Promise<void>
  close(): void
}

/** A NAT on loopback between one near and one far side, with a link of each direction that the test decides on, and its delay. */
export async function startRelay(
  farPort: number,
  links: { readonly forward?: Link; readonly back?: Link } = {},
  delayMs = 0,
): Promise<UdpRelay> {
  const unhindered: Link = (datagram) => [datagram]
  const { forward: forth = unhindered, back: home = unhindered } = links
  const forward: Buffer[] = []
  const back: Buffer[] = []
  const answers: Buffer[] = []
  const near = createSocket('udp4')
  let isClosed = false
  const after = (send: () => void): void => {
    if (delayMs === 0) send()
    else
      setTimeout(() => {
        if (!isClosed) send()
      }, delayMs)
  }
  let nearPort = 0
  const openFar = async (): Promise<Socket> => {
    const socket = createSocket('udp4')
    socket.on('message', (datagram) => {
      answers.push(datagram)
      for (const one of home(datagram)) {
        back.push(one)
        after(() => {
          near.send(one, nearPort, '127.0.0.1')
        })
      }
    })
    socket.on('error', () => undefined)
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return socket
  }
  let far = await openFar()
  near.on('message', (datagram, { port }) => {
    nearPort = port
    for (const one of forth(datagram)) {
      forward.push(one)
      after(() => {
        far.send(one, farPort, '127.0.0.1')
      })
    }
  })
  near.bind(0, '127.0.0.1')
  await once(near, 'listening')
  return {
    port: near.address().port,
    forward,
    back,
    answers,
    async rebind() {
      const before = far
      far = await openFar()
      before.close()
    },
    close() {
      isClosed = true
      near.close()
      far.close()
    },
  }
}
