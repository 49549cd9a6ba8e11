import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { reasonOf } from '../../common/errors.ts'
import { SipMessage } from '../sip/message.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { IS_SIP, KEEPALIVE } from '../sip/verdicts.ts'
import type { Flow, FlowEvents, NoFlow, Target } from './flow.ts'
import { KEEPALIVE_MS, PING } from './keep-alive.ts'

/** How long our own address towards a target is taken to stay what it is. */
const ROUTE_AGE_MS = 30_000
const MAX_ROUTES = 1024
/** How long the network has to say that nobody is there. */
const DOUBT_MS = 1000

export interface UdpOptions {
  /** Our own address, where there are several. */
  readonly bind: string | undefined
  readonly clock: TransactionClock
  readonly events: FlowEvents
}

/** Our own address towards a target, and when it was found. */
interface Route {
  readonly host: string
  readonly atMs: number
}

/** All requests over UDP leave by one socket for each address family, and answers come back to it (RFC 3581 section 4). */
export class UdpFlows {
  readonly #options: UdpOptions
  readonly #message = new SipMessage()
  readonly #sockets = new Map<boolean, Promise<Socket>>()
  readonly #routes = new Map<string, Route>()
  /** Good for as long as the address of ours is, and the socket. */
  #flows = new WeakMap<Target, { readonly flow: Flow; readonly untilMs: number }>()
  /** Being found out about, by key: ends that. */
  readonly #doubts = new Map<string, () => void>()
  #isClosed = false

  constructor(options: UdpOptions) {
    this.#options = options
  }

  async open(target: Target): Promise<Flow | NoFlow> {
    const known = this.#flows.get(target)
    if (known !== undefined && this.#options.clock.monotonicMs() < known.untilMs) return known.flow
    try {
      const socket = await this.#socketFor(isIPv6(target.address))
      const { host, atMs } = await this.#ownAddressTowards(target)
      const flow = this.#flow(target, socket, { host, port: socket.address().port })
      this.#flows.set(target, { flow, untilMs: atMs + ROUTE_AGE_MS })
      return flow
    } catch (error) {
      return { reason: reasonOf(error), isLocal: true, isTimeout: false, certificate: undefined }
    }
  }

  close(): void {
    this.#isClosed = true
    for (const opening of this.#sockets.values())
      void opening.then(
        (socket) => socket.close(),
        () => undefined,
      )
    this.#sockets.clear()
    for (const end of [...this.#doubts.values()]) end()
  }

  #flow(target: Target, socket: Socket, local: Flow['local']): Flow {
    const { clock, events } = this.#options
    const { address, port } = target
    const key = keyOf(address, port)
    const write = (bytes: Uint8Array): void => {
      try {
        socket.send(bytes, port, address, (error) => {
          if (error !== null) events.lost(key, reasonOf(error))
        })
      } catch (error) {
        events.lost(key, reasonOf(error))
      }
    }
    const hold = (): (() => void) => {
      let cancel = (): void => undefined
      const wait = (): void => {
        cancel = clock.setTimer(() => {
          write(PING)
          wait()
        }, KEEPALIVE_MS)
      }
      wait()
      return () => {
        cancel()
      }
    }
    return {
      key,
      target,
      local,
      isReused: false,
      connectMs: undefined,
      certificate: undefined,
      pendingOctets: () => 0,
      write,
      hold,
      doubt: () => {
        this.#doubt(target, key)
      },
    }
  }

  async #socketFor(isV6: boolean): Promise<Socket> {
    if (this.#isClosed) throw new Error('closed')
    const known = this.#sockets.get(isV6)
    if (known !== undefined) return await known
    const opening = this.#bind(isV6)
    this.#sockets.set(isV6, opening)
    const forget = (): void => {
      if (this.#sockets.get(isV6) === opening) this.#sockets.delete(isV6)
    }
    opening.then((socket) => socket.once('close', forget), forget)
    return await opening
  }

  async #bind(isV6: boolean): Promise<Socket> {
    const socket = newSocket(isV6)
    try {
      socket.bind({ port: 0, ...this.#bindAddress(isV6) })
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw error
    }
    // The next request opens another.
    socket.on('error', () => socket.close())
    socket.once('close', () => {
      this.#flows = new WeakMap()
    })
    socket.on('message', (bytes, from) => {
      this.#receive(socket, bytes, from)
    })
    return socket
  }

  #receive(socket: Socket, bytes: Uint8Array, { address, port }: RemoteInfo): void {
    const { events } = this.#options
    const verdict = this.#message.parse(bytes, 0, bytes.length)
    const key = keyOf(address, port)
    if (verdict === KEEPALIVE) return
    if (verdict !== IS_SIP) events.refused(key, verdict)
    else
      events.message(this.#message, (reply) => {
        socket.send(reply, port, address, () => undefined)
      })
  }

  /** The kernel tells which of our addresses it would send from: a connected socket has one. */
  async #ownAddressTowards(target: Target): Promise<Route> {
    const { clock, bind } = this.#options
    const nowMs = clock.monotonicMs()
    if (bind !== undefined) return { host: bind, atMs: nowMs }
    const known = this.#routes.get(target.address)
    if (known !== undefined && nowMs - known.atMs < ROUTE_AGE_MS) return known
    const socket = await this.#connected(target)
    const route = { host: socket.address().address, atMs: nowMs }
    socket.close()
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear()
    this.#routes.set(target.address, route)
    return route
  }

  /** Only a connected socket hears that a port is closed: one sends a keep-alive, which means nothing to a server. */
  #doubt(target: Target, key: string): void {
    if (this.#doubts.has(key) || this.#isClosed) return
    this.#doubts.set(key, () => undefined)
    this.#connected(target).then(
      (socket) => {
        this.#ask(socket, key)
      },
      (error: unknown) => {
        this.#doubts.delete(key)
        this.#options.events.lost(key, reasonOf(error))
      },
    )
  }

  #ask(socket: Socket, key: string): void {
    const { clock, events } = this.#options
    const end = (): void => {
      cancel()
      this.#doubts.delete(key)
      socket.close()
    }
    const cancel = clock.setTimer(end, DOUBT_MS)
    this.#doubts.set(key, end)
    socket.on('error', (error) => {
      end()
      events.lost(key, `nobody listens there (${reasonOf(error)})`)
    })
    if (this.#isClosed) end()
    else socket.send(PING)
  }

  async #connected({ address, port }: Target): Promise<Socket> {
    const isV6 = isIPv6(address)
    const socket = newSocket(isV6)
    try {
      if (this.#options.bind !== undefined) socket.bind({ port: 0, ...this.#bindAddress(isV6) })
      socket.connect(port, address)
      await once(socket, 'connect')
      return socket
    } catch (error) {
      socket.close()
      throw error
    }
  }

  #bindAddress(isV6: boolean): { readonly address?: string } {
    const { bind } = this.#options
    if (bind === undefined) return {}
    if (isIPv6(bind) !== isV6) throw new Error(`${bind} is of the other address family`)
    return { address: bind }
  }
}

function newSocket(isV6: boolean): Socket {
  return createSocket(isV6 ? { type: 'udp6', ipv6Only: true } : { type: 'udp4' })
}

/** Without the zone of a link-local address: not every message comes with one. */
function keyOf(address: string, port: number): string {
  return `udp ${hostPortText(address.split('%', 1)[0] ?? '', port)}`
}
