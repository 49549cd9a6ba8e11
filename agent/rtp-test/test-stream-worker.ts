import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort } from 'node:worker_threads'
import { reasonOf } from '../../common/errors.ts'
import type { FromThread, Role, RoleReport, ToThread } from './messages.ts'
import { SESSION_BYTES } from './packet.ts'
import { Reflector } from './reflector.ts'
import { Seal } from './seal.ts'
import { Tester } from './tester.ts'

/**
 * The thread of all test streams of an agent: nothing else runs on its event loop, because Node stamps a datagram when its handler
 * runs, and a busy loop would be measured as jitter of the network.
 */

const LOOP_DELAY_RESOLUTION_MS = 20
/** After so long without an answer the name is looked up again and the session begun anew. */
const GIVE_UP_AFTER_US = 60_000_000
const LOOKUP_AGAIN_AFTER_MS = 5000
/** A pace missed by more than this is not made up for: a burst would be loss of our own making. */
const MAX_BEHIND_PACKETS = 5
const RECEIVE_BUFFER_BYTES = 1 << 20
const SECRET_BYTES = 32
const MS_PER_S = 1000
const US_PER_MS = 1000
const NS_PER_MS = 1e6

interface RunningRole {
  readonly port: number | undefined
  loopDelayMs: number
  take(durationMs: number): RoleReport
  close(): void
}

const roles = new Map<number, RunningRole>()
const loopDelay = monitorEventLoopDelay({ resolution: LOOP_DELAY_RESOLUTION_MS })

loopDelay.enable()
parentPort?.on('message', (message: ToThread) => {
  const { ticket } = message
  handle(message).then(tell, (error: unknown) => {
    tell({ kind: 'failed', ticket, reason: reasonOf(error) })
  })
})

async function handle(message: ToThread): Promise<FromThread> {
  const { ticket, id } = message
  switch (message.kind) {
    case 'open': {
      const { role } = message
      const running = role.kind === 'test' ? new TestRole(role) : await ReflectRole.open(role)
      roles.set(id, running)
      return { kind: 'done', ticket, port: running.port }
    }
    case 'take': {
      const role = roles.get(id)
      if (role === undefined) throw new Error('no such role')
      shareLoopDelay()
      const report = role.take(message.durationMs)
      role.loopDelayMs = 0
      return { kind: 'report', ticket, report }
    }
    case 'close':
      roles.get(id)?.close()
      roles.delete(id)
      return { kind: 'done', ticket }
  }
}

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

/** Each role reports the longest delay since its own last report, whoever asked in between. */
function shareLoopDelay(): void {
  // The histogram holds the time between two of its own timers: the resolution plus the delay.
  const longestMs = loopDelay.count > 0 ? loopDelay.max / NS_PER_MS - LOOP_DELAY_RESOLUTION_MS : 0
  loopDelay.reset()
  for (const role of roles.values()) role.loopDelayMs = Math.max(role.loopDelayMs, longestMs)
}

class TestRole implements RunningRole {
  readonly port = undefined
  loopDelayMs = 0
  readonly #role: Role & { readonly kind: 'test' }
  readonly #periodMs: number
  readonly #tester: Tester
  #socket: Socket | undefined
  #localAddress: string | undefined
  #remoteAddress: string | undefined
  #reason: string | undefined
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  #isClosed = false

  constructor(role: Role & { readonly kind: 'test' }) {
    this.#role = role
    this.#periodMs = MS_PER_S / role.packetsPerS
    const newSession = (): Uint8Array => new Uint8Array(randomBytes(SESSION_BYTES))
    const { packetBytes, key } = role
    this.#tester = new Tester({ seal: new Seal(key), packetBytes, newSession }, nowUs())
    void this.#connect()
  }

  take(durationMs: number): RoleReport {
    const report = {
      kind: 'test',
      ...this.#tester.takeInterval(durationMs),
      localAddress: this.#localAddress,
      remoteAddress: this.#remoteAddress,
      loopDelayMs: this.loopDelayMs,
      reason: this.#reason,
    } as const
    this.#reason = undefined
    return report
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#socket?.close()
    this.#socket = undefined
  }

  /** Never fails: a target that cannot be reached is what a test stream is there to show. */
  async #connect(): Promise<void> {
    const { host, port, bind } = this.#role
    try {
      // An address of ours that packets are to leave from decides the family.
      const { address, family } = await lookup(host, {
        family: bind === undefined ? 0 : isIP(bind),
      })
      const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
      try {
        if (bind !== undefined) {
          socket.bind(0, bind)
          await once(socket, 'listening')
        }
        // Connected, the kernel leaves out what others send us, and tells when nobody listens over there.
        socket.connect(port, address)
        await once(socket, 'connect')
      } catch (error) {
        socket.close()
        throw error
      }
      if (this.#isClosed) {
        socket.close()
        return
      }
      this.#use(socket, address)
    } catch (error) {
      this.#reason = reasonOf(error)
      if (this.#isClosed) return
      this.#timer = setTimeout(() => void this.#connect(), LOOKUP_AGAIN_AFTER_MS)
    }
  }

  #use(socket: Socket, remoteAddress: string): void {
    socket.on('message', (datagram) => {
      this.#tester.receive(datagram, nowUs())
    })
    socket.on('error', (error) => {
      this.#reason = reasonOf(error)
    })
    this.#socket = socket
    this.#localAddress = socket.address().address
    this.#remoteAddress = remoteAddress
    this.#dueMs = performance.now()
    this.#tick()
  }

  #tick(): void {
    const socket = this.#socket
    if (socket === undefined) return
    const now = nowUs()
    if (this.#tester.silentUs(now) > GIVE_UP_AFTER_US) {
      socket.close()
      this.#socket = undefined
      this.#tester.renew(now)
      void this.#connect()
      return
    }
    for (const packet of this.#tester.packetsDue(now)) {
      socket.send(packet, (error) => {
        if (error) this.#reason = reasonOf(error)
      })
    }
    // From when this one was due, not from when it came: the pace does not drift.
    this.#dueMs += this.#periodMs
    const behindMs = performance.now() - this.#dueMs
    if (behindMs > MAX_BEHIND_PACKETS * this.#periodMs) this.#dueMs += behindMs
    this.#timer = setTimeout(
      () => {
        this.#tick()
      },
      Math.max(0, -behindMs),
    )
  }
}

class ReflectRole implements RunningRole {
  readonly port: number
  loopDelayMs = 0
  readonly #socket: Socket
  readonly #reflector: Reflector

  private constructor(socket: Socket, reflector: Reflector) {
    this.#socket = socket
    this.#reflector = reflector
    this.port = socket.address().port
  }

  static async open(role: Role & { readonly kind: 'reflect' }): Promise<ReflectRole> {
    const { host, port, key, maxSenders, maxRate, maxTotalRate } = role
    const { address, family } = await lookup(host)
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
    })
    const seal = new Seal(key)
    const secret = new Uint8Array(randomBytes(SECRET_BYTES))
    const reflector = new Reflector({ seal, secret, maxSenders, maxRate, maxTotalRate }, nowUs())
    socket.on('message', (datagram, from) => {
      const answer = reflector.answer(datagram, `${from.address}|${from.port}`, nowUs)
      // A sender that has gone in the meantime is no fault of ours.
      if (answer) socket.send(answer, from.port, from.address, () => undefined)
    })
    socket.bind({ address, port, exclusive: true })
    try {
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw error
    }
    socket.on('error', () => undefined)
    return new ReflectRole(socket, reflector)
  }

  take(): RoleReport {
    const counts = this.#reflector.takeCounts(nowUs())
    return { kind: 'reflect', ...counts, loopDelayMs: this.loopDelayMs }
  }

  close(): void {
    this.#socket.close()
  }
}

function nowUs(): number {
  return performance.now() * US_PER_MS
}
