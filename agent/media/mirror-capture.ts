import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { TransientError, reasonOf } from '../../common/errors.ts'
import { contains, parseNetwork, type Network } from '../capture/address.ts'
import { Inner } from '../capture/datagram.ts'
import { decapsulateMirror, type MirrorKind } from '../capture/frame.ts'
import { readSocketDrops } from '../capture/socket-drops.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import type { CaptureInterval } from './capture-interval.ts'
import { Monitor, type MonitorOptions } from './monitor.ts'
import type { StallRow } from './stall-row.ts'

/** Asked for; the kernel gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_OCTETS = 1 << 25
const MAX_DATAGRAM_OCTETS = 1 << 16

export interface MirrorOptions {
  readonly host: string
  readonly port: number
  readonly kind: MirrorKind
  /** Who may send; an empty list lets all. */
  readonly senders: readonly Network[]
}

type Refusal = 'truncated' | 'bad-tunnel-header' | 'unknown-sender'

/**
 * Frames that a switch or router mirrors to us inside UDP: no tcpdump and no rights are needed. They are timed when they are read, so
 * what keeps this thread from reading adds to their jitter.
 */
export class MirrorCapture {
  readonly #options: MirrorOptions
  readonly #monitor: Monitor
  readonly #nowUs: () => number
  readonly #octets = new Uint8Array(MAX_DATAGRAM_OCTETS)
  readonly #view = new DataView(this.#octets.buffer)
  readonly #inner = new Inner()
  #refused = new Map<Refusal, number>()
  #socket: Socket | undefined
  #sender = ''
  #isAllowed = false
  #reportedDrops = 0

  /** @param nowUs microseconds since 1970 */
  constructor(options: MirrorOptions, monitor: MonitorOptions, nowUs: () => number) {
    this.#options = options
    this.#monitor = new Monitor(monitor)
    this.#nowUs = nowUs
  }

  /** @throws TransientError when nobody can listen there */
  async start(): Promise<void> {
    const { host, port } = this.#options
    const socket = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_OCTETS,
    })
    try {
      socket.bind({ address: host, port, exclusive: true })
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
      throw new TransientError(
        'mirror-listen',
        `cannot listen for a mirror on ${where}: ${reasonOf(error)}`,
      )
    }
    // No listener for errors: one that comes later ends the thread, and the probe starts another.
    socket.on('message', (datagram, { address }) => {
      this.#receive(datagram, address)
    })
    this.#socket = socket
  }

  /** Where it listens, once started. */
  get port(): number {
    return this.#socket?.address().port ?? this.#options.port
  }

  /** The interval up to now. The drops are those of our own socket: a mirror tells nobody what it left out. */
  async take(endUs: number): Promise<CaptureInterval> {
    const sensorDrops = await this.#takeDrops()
    const interval = this.#monitor.takeInterval(endUs)
    const refused = Object.fromEntries(this.#refused)
    this.#refused = new Map()
    return {
      endUs,
      durationMs: undefined,
      ...interval,
      ignored: added(interval.ignored, refused),
      sensorDrops,
      fault: undefined,
    }
  }

  /** See Monitor.takeStalls(). By the clock that times the frames. */
  async takeStalls(): Promise<readonly StallRow[]> {
    return this.#monitor.takeStalls(this.#nowUs())
  }

  /** What signalling said that cannot wait, since the last time. */
  takeEvents(): readonly SignallingEvent[] {
    return this.#monitor.takeEvents()
  }

  async stop(): Promise<void> {
    const socket = this.#socket
    if (socket === undefined) return
    this.#socket = undefined
    const closed = once(socket, 'close')
    socket.close()
    await closed
  }

  #receive(datagram: Uint8Array, sender: string): void {
    if (!this.#mayCome(sender)) {
      this.#refuse('unknown-sender')
      return
    }
    this.#octets.set(datagram)
    const inner = this.#inner
    const { kind } = this.#options
    const verdict = decapsulateMirror(this.#view, 0, datagram.length, kind, inner)
    if (verdict !== 'frame') {
      this.#refuse(verdict)
      return
    }
    this.#monitor.handleFrame(this.#view, inner.offset, inner.end, this.#nowUs(), inner.linkType)
  }

  /** A mirror keeps its address: it is looked at when it changes. */
  #mayCome(sender: string): boolean {
    if (sender === this.#sender) return this.#isAllowed
    const { senders } = this.#options
    this.#sender = sender
    this.#isAllowed = senders.length === 0 || isAmong(senders, sender)
    return this.#isAllowed
  }

  #refuse(reason: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1)
  }

  async #takeDrops(): Promise<number | undefined> {
    const family = isIPv6(this.#options.host) ? 'udp6' : 'udp4'
    const drops = await readSocketDrops(this.port, family)
    if (drops === undefined) return undefined
    const since = drops - this.#reportedDrops
    this.#reportedDrops = drops
    return since
  }
}

function isAmong(networks: readonly Network[], text: string): boolean {
  // fe80::1%eth0 is named with its interface, and IPv4 at a socket for both as ::ffff:192.0.2.1.
  const [address = ''] = text.replace(/^::ffff:(?=\d+\.)/, '').split('%')
  const sender = parseNetwork(address)
  if (sender === undefined) return false
  return networks.some((one) => one.version === sender.version && contains(one, sender.words))
}

function added(
  to: Readonly<Record<string, number>>,
  more: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sums = Object.entries(more).map(([key, count]) => [key, count + (to[key] ?? 0)] as const)
  return { ...to, ...Object.fromEntries(sums) }
}
