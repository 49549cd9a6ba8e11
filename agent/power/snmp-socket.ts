import type { RemoteInfo, Socket } from 'node:dgram'

/** What one poll of one device may take in; anything beyond is no device that answers, but one that pours. */
const MAX_DATAGRAMS = 4000
const MAX_OCTETS = 8 * 1024 * 1024

/**
 * The socket net-snmp is given instead of one of its own. It hears one peer only, since the underlying socket is connected; it is
 * bounded; an error of the network ends the request at once instead of its timeout; and what net-snmp throws while it reads a datagram
 * does not end the process.
 */
export class SnmpSocket {
  readonly #socket: Socket
  readonly #fail: (error: Error) => void
  #datagrams = 0
  #octets = 0

  /** Takes a connected socket, and what to do when nothing more will come of it. */
  constructor(socket: Socket, fail: (error: Error) => void) {
    this.#socket = socket
    this.#fail = fail
    socket.on('error', fail)
  }

  /** Datagrams that came. */
  get datagrams(): number {
    return this.#datagrams
  }

  on(
    event: 'message' | 'close' | 'error',
    listener: (message: Buffer, from: RemoteInfo) => void,
  ): this {
    if (event === 'close') this.#socket.on('close', listener)
    if (event === 'message') {
      this.#socket.on('message', (message, from) => {
        this.#take(message, from, listener)
      })
    }
    return this
  }

  /** Says at once that it is sent: an answer may be back before the system says so, and net-snmp would not know what it answers. */
  send(
    datagram: Buffer,
    offset: number,
    length: number,
    _port: number,
    _address: string,
    sent: (error: Error | null) => void,
  ): void {
    this.#socket.send(datagram, offset, length, (error) => {
      if (error) this.#fail(error)
    })
    sent(null)
  }

  /** The agent stays alive by itself; a request to a device need not keep it. */
  ref(): void {
    this.#socket.ref()
  }

  unref(): void {
    this.#socket.unref()
  }

  close(): void {
    this.#socket.close()
  }

  #take(
    message: Buffer,
    from: RemoteInfo,
    listener: (message: Buffer, from: RemoteInfo) => void,
  ): void {
    this.#datagrams++
    this.#octets += message.length
    if (this.#datagrams > MAX_DATAGRAMS || this.#octets > MAX_OCTETS) {
      this.#fail(new Error('more answers than any poll should bring'))
      return
    }
    try {
      listener(message, from)
    } catch {
      this.#fail(new Error('an answer that is not SNMP'))
    }
  }
}
