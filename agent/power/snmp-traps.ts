import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { User } from 'net-snmp'
import { PermanentError, TransientError, reasonOf } from '../../common/errors.ts'
import { boundKeyCache, loadNetSnmp, type NetSnmp } from './net-snmp.ts'
import type { SnmpAccess } from './snmp-access.ts'
import { userOf } from './snmp-user.ts'

/** Beyond so many datagrams in a second somebody floods: each may cost the making of a key. */
const MAX_PER_S = 100
const US_PER_S = 1_000_000
const FIRST_FREE_PORT = 1024

export interface TrapSettings {
  readonly host: string
  readonly port: number
  /** What traps are signed with: the doors of the devices themselves. */
  readonly access: readonly SnmpAccess[]
}

export interface TrapContext {
  readonly nowUs: () => number
  /** Traps of others are not even read. */
  readonly knows: (address: string) => boolean
  /** A trap says that something happened, never what is so: whoever sent it is to be asked. */
  readonly onTrap: (address: string) => void
}

export interface TrapCounts {
  /** Traps and informs taken. */
  readonly taken: number
  /** From addresses that are none of our devices. */
  readonly unknown: number
  /** With a community, user or key that is none of ours. */
  readonly refused: number
  /** No SNMP. */
  readonly malformed: number
  /** Beyond what is looked at in a second. */
  readonly dropped: number
  /** Requests for our engine, which senders of informs need first (RFC 3414 section 4). */
  readonly discoveries: number
}

const NONE: TrapCounts = {
  taken: 0,
  unknown: 0,
  refused: 0,
  malformed: 0,
  dropped: 0,
  discoveries: 0,
}

type Listener = (message: Buffer, from: RemoteInfo) => void

/** Receives traps and informs of SNMPv1, v2c and v3 of known devices; answers informs, and tells who sent something. */
export class SnmpTraps {
  readonly #socket: Socket
  readonly #context: TrapContext
  #counts = NONE
  /** What became of the datagram being read. */
  #outcome: keyof TrapCounts = 'malformed'
  #second = 0
  #inSecond = 0

  private constructor(socket: Socket, context: TrapContext) {
    this.#socket = socket
    this.#context = context
    socket.on('error', () => {
      this.#count('malformed')
    })
  }

  /** @throws TransientError when the port is taken; PermanentError when we may not have it */
  static async listen(settings: TrapSettings, context: TrapContext): Promise<SnmpTraps> {
    const { host, port, access } = settings
    const net = await loadNetSnmp()
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4' })
    try {
      socket.bind(port, host)
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw explain(error, host, port)
    }
    const traps = new SnmpTraps(socket, context)
    traps.#receive(net, access)
    return traps
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** What came since the last call. */
  takeCounts(): TrapCounts {
    const counts = this.#counts
    this.#counts = NONE
    return counts
  }

  close(): void {
    this.#socket.close()
  }

  #receive(net: NetSnmp, access: readonly SnmpAccess[]): void {
    let listener: Listener | undefined
    // net-snmp would bind a socket of its own and read whatever comes; it is given this one instead.
    const gate = {
      on: (event: string, callback: Listener) => {
        if (event === 'message') listener = callback
      },
      bind: () => undefined,
      send: (
        ...[reply, offset, length, port, address]: [Buffer, number, number, number, string]
      ) => {
        this.#socket.send(reply, offset, length, port, address, () => undefined)
      },
    }
    const receiver: unknown = net.createReceiver(
      { includeAuthentication: true, dgramModule: { createSocket: () => gate } },
      (error: unknown, data: unknown) => {
        this.#take(error, data)
      },
    )
    authorize(net, receiver, access)
    this.#socket.on('message', (message, from) => {
      if (!this.#isWelcome(from.address)) return
      boundKeyCache(net)
      const outcome = this.#read(message, from, listener)
      this.#count(outcome)
      if (outcome === 'taken') this.#context.onTrap(from.address)
    })
  }

  #read(message: Buffer, from: RemoteInfo, listener: Listener | undefined): keyof TrapCounts {
    this.#outcome = 'discoveries'
    try {
      listener?.(message, from)
    } catch {
      return 'malformed'
    }
    return this.#outcome
  }

  #count(what: keyof TrapCounts): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + 1 }
  }

  #isWelcome(address: string): boolean {
    const second = Math.floor(this.#context.nowUs() / US_PER_S)
    if (second !== this.#second) {
      this.#second = second
      this.#inSecond = 0
    }
    if (!this.#context.knows(address)) {
      this.#count('unknown')
      return false
    }
    if (this.#inSecond++ < MAX_PER_S) return true
    this.#count('dropped')
    return false
  }

  /** Called by net-snmp while it reads a datagram, unless the datagram asks for our engine. */
  #take(error: unknown, data: unknown): void {
    if (error !== null && error !== undefined) {
      const isOdd = error instanceof Error && error.name === 'ProcessingError'
      this.#outcome = isOdd ? 'malformed' : 'refused'
    } else {
      this.#outcome = isAnonymous(data) ? 'refused' : 'taken'
    }
  }
}

/** net-snmp has no types for what it takes traps with. */
function authorize(net: NetSnmp, receiver: unknown, access: readonly SnmpAccess[]): void {
  if (!isReceiver(receiver)) return
  const authorizer = receiver.getAuthorizer()
  for (const one of access) {
    if (one.version === 'v3') authorizer.addUser(userOf(net, one))
    else authorizer.addCommunity(one.revealCommunity())
  }
}

interface Receiver {
  getAuthorizer(): { addUser(user: User): void; addCommunity(community: string): void }
}

function isReceiver(value: unknown): value is Receiver {
  return typeof value === 'object' && value !== null && 'getAuthorizer' in value
}

/** SNMPv3 lets a message without a user through, to find out engines; a trap without one says nothing. */
function isAnonymous(data: unknown): boolean {
  if (typeof data !== 'object' || data === null || !('pdu' in data)) return true
  const { pdu } = data
  return typeof pdu === 'object' && pdu !== null && 'user' in pdu && pdu.user === ''
}

function explain(error: unknown, host: string, port: number): Error {
  const where = `traps on ${host.includes(':') ? `[${host}]` : host}:${port}`
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EACCES' && port < FIRST_FREE_PORT) {
    return new PermanentError(
      'snmp-traps',
      `${where}: not allowed. Give the service AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd), or take a port from ${FIRST_FREE_PORT} on, such as 1162, and send the traps there`,
      { cause: error },
    )
  }
  return new TransientError('snmp-traps', `${where}: ${reasonOf(error)}`, { cause: error })
}
