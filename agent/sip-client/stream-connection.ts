import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, TLSSocket } from 'node:tls'
import { reasonOf } from '../../common/errors.ts'
import { SipFramer } from '../sip/framer.ts'
import { SipMessage } from '../sip/message.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { SIP_VERDICTS } from '../sip/verdicts.ts'
import { certificateOf, identityFault, type Certificate } from './certificate.ts'
import type { Flow, FlowEvents, NoFlow, Target } from './flow.ts'
import { KEEPALIVE_MS, PING, PONG_LIMIT_MS } from './keep-alive.ts'

/** Nobody uses it: closed, so that every round of checks connects anew and sees the certificate of the day. */
const IDLE_MS = 2000
/** A server that takes nothing off us is given up at this. */
const MAX_UNSENT_OCTETS = 1024 * 1024
/** A ping answered is CRLF, and no message (RFC 5626 section 4.4.1). */
const MAX_PONG_OCTETS = 4

export interface TlsOptions {
  /** PEM texts: whom to trust instead of the system's authorities; our own certificate and key. */
  readonly ca?: string | undefined
  readonly certificateAndKey?: string | undefined
  /** Whom the certificate must name, where that is not the domain. */
  readonly serverName?: string | undefined
}

export interface StreamOptions {
  readonly bind: string | undefined
  readonly tls: TlsOptions
  readonly connectLimitMs: number
  readonly clock: TransactionClock
  /** Wall clock, for certificates. */
  readonly nowUs: () => number
  readonly events: FlowEvents
}

type Failure = Omit<NoFlow, 'certificate'>

/** One TCP or TLS connection, shared by all who have something to ask of its far end. */
export class StreamConnection {
  readonly key: string
  readonly target: Target
  readonly #options: StreamOptions
  readonly #socket: Socket
  readonly #framer = new SipFramer(new SipMessage())
  readonly #connectMs: number
  readonly #certificate: Certificate | undefined
  readonly openedMs: number
  #holders = 0
  #isUsed = false
  #isClosed = false
  #isDoubted = false
  #answersPings = false
  #cancelIdle = (): void => undefined
  #cancelPing = (): void => undefined
  #cancelPong = (): void => undefined

  private constructor(
    key: string,
    target: Target,
    socket: Socket,
    beganMs: number,
    certificate: Certificate | undefined,
    options: StreamOptions,
  ) {
    this.key = key
    this.target = target
    this.#socket = socket
    this.#options = options
    this.#certificate = certificate
    this.openedMs = options.clock.monotonicMs()
    this.#connectMs = this.openedMs - beganMs
    this.#listen()
    this.#waitIdle()
  }

  /** A server whose certificate is not to be trusted gets nothing from us, not even a request. */
  static async open(
    key: string,
    target: Target,
    options: StreamOptions,
    signal: AbortSignal,
  ): Promise<StreamConnection | NoFlow> {
    const { clock, connectLimitMs, nowUs } = options
    const beganMs = clock.monotonicMs()
    const socket = connect(target, options)
    const failure = await connected(socket, connectLimitMs, clock, signal)
    const certificate = socket instanceof TLSSocket ? certificateOf(socket, nowUs()) : undefined
    const refusal = failure ?? certificateFault(socket)
    if (refusal === undefined)
      return new StreamConnection(key, target, socket, beganMs, certificate, options)
    socket.on('error', () => undefined).destroy()
    return { ...refusal, certificate }
  }

  /** Somebody waited in vain: what comes next may be the rest of what did not come. Not for new requests. */
  get isDoubted(): boolean {
    return this.#isDoubted
  }

  flow(): Flow {
    const socket = this.#socket
    const isReused = this.#isUsed
    return {
      key: this.key,
      target: this.target,
      local: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
      isReused,
      connectMs: isReused ? undefined : this.#connectMs,
      certificate: this.#certificate,
      pendingOctets: () => (this.#framer.isBetweenMessages ? 0 : this.#framer.held),
      write: (bytes) => {
        this.#write(bytes)
      },
      hold: () => this.#hold(),
      doubt: () => {
        this.#isDoubted = true
      },
    }
  }

  close(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelIdle()
    this.#cancelPing()
    this.#cancelPong()
    this.#socket.destroy()
    this.#options.events.lost(this.key, reason)
  }

  #listen(): void {
    const { events } = this.#options
    const sink = {
      message: (message: SipMessage): void => {
        if (this.#isClosed) return
        events.message(message, (bytes) => {
          this.#write(bytes)
        })
      },
      refused: (verdict: number): void => {
        if (this.#isClosed) return
        events.refused(this.key, verdict)
        this.close(`what came is no SIP message: ${SIP_VERDICTS[verdict] ?? ''}`)
      },
    }
    this.#socket.on('data', (chunk: Buffer) => {
      if (this.#isClosed) return
      if (chunk.length <= MAX_PONG_OCTETS && chunk.every(isLineEnd)) this.#takePong()
      this.#framer.push(chunk, sink)
    })
    this.#socket.on('error', (error) => {
      this.close(reasonOf(error))
    })
    this.#socket.on('close', () => {
      this.close('the connection was closed')
    })
  }

  #write(bytes: Uint8Array): void {
    if (this.#isClosed) {
      this.#options.events.lost(this.key, 'the connection was closed')
      return
    }
    this.#isUsed = true
    this.#socket.write(bytes)
    if (this.#socket.writableLength > MAX_UNSENT_OCTETS) this.close('the server reads nothing')
  }

  #hold(): () => void {
    let isHeld = true
    this.#holders++
    this.#cancelIdle()
    if (this.#holders === 1) this.#waitToPing()
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#holders--
      if (this.#holders > 0) return
      this.#cancelPing()
      this.#waitIdle()
    }
  }

  #waitIdle(): void {
    if (this.#isClosed) return
    this.#cancelIdle = this.#options.clock.setTimer(() => {
      this.close('nobody used it')
    }, IDLE_MS)
  }

  #waitToPing(): void {
    const { clock } = this.#options
    this.#cancelPing = clock.setTimer(() => {
      this.#write(PING)
      if (this.#answersPings) {
        this.#cancelPong = clock.setTimer(() => {
          this.close('a keep-alive went unanswered')
        }, PONG_LIMIT_MS)
      }
      this.#waitToPing()
    }, KEEPALIVE_MS)
  }

  #takePong(): void {
    this.#answersPings = true
    this.#cancelPong()
  }
}

function connect({ transport, address, port, domain }: Target, options: StreamOptions): Socket {
  const { bind, tls } = options
  const common = {
    host: address,
    port,
    noDelay: true,
    ...(bind === undefined ? {} : { localAddress: bind }),
  }
  if (transport !== 'tls') return connectTcp(common)
  const name = tls.serverName ?? domain
  const secure: ConnectionOptions = {
    ...common,
    ca: tls.ca,
    cert: tls.certificateAndKey,
    key: tls.certificateAndKey,
    // An address is no name to ask for; it is looked for in the certificate all the same.
    servername: isIP(name) === 0 ? name : '',
    minVersion: 'TLSv1.2',
    // Looked at below, before anything is sent: a certificate that is refused must still be seen.
    rejectUnauthorized: false,
    checkServerIdentity: (_, certificate) => identityFault(name, certificate),
  }
  return connectTls(secure)
}

/** Waits until the connection stands; else why it does not. */
async function connected(
  socket: Socket,
  limitMs: number,
  clock: TransactionClock,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  return await new Promise((resolve) => {
    const standing = socket instanceof TLSSocket ? 'secureConnect' : 'connect'
    const end = (failure?: Failure): void => {
      cancel()
      signal.removeEventListener('abort', closes)
      socket.off(standing, stands).off('error', fails).off('close', closes)
      resolve(failure)
    }
    const stands = (): void => {
      end()
    }
    const fails = (error: Error): void => {
      end({ reason: reasonOf(error), isLocal: isLocalFault(error), isTimeout: false })
    }
    const closes = (): void => {
      end({ reason: 'the connection was closed at once', isLocal: false, isTimeout: false })
    }
    const cancel = clock.setTimer(() => {
      end({ reason: `no connection in ${limitMs} ms`, isLocal: false, isTimeout: true })
    }, limitMs)
    socket.once(standing, stands).once('error', fails).once('close', closes)
    signal.addEventListener('abort', closes, { once: true })
    if (signal.aborted) closes()
  })
}

function certificateFault(socket: Socket): Failure | undefined {
  if (!(socket instanceof TLSSocket) || socket.authorized) return undefined
  // Node's types say Error; it is the code or the text of one.
  const why: unknown = socket.authorizationError
  return { reason: `certificate refused: ${reasonOf(why)}`, isLocal: false, isTimeout: false }
}

function isLocalFault(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined
  return code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}

function isLineEnd(octet: number): boolean {
  return octet === 0x0d || octet === 0x0a
}
