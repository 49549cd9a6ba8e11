import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import type { Session, Varbind } from 'net-snmp'
import { TransientError } from '../../common/errors.ts'
import { boundKeyCache, loadNetSnmp, type NetSnmp } from './net-snmp.ts'
import type { SnmpOptions } from './snmp-access.ts'
import { explainSnmp } from './snmp-reasons.ts'
import { SnmpSocket } from './snmp-socket.ts'
import { userOf } from './snmp-user.ts'
import { valueOf, type SnmpValue, type SnmpValues } from './snmp-values.ts'

/** Objects asked for in one request: small cards answer no more than 484 octets. */
const GET_BATCH = 16
/** Rows asked for at once, over all columns of a request. */
const BULK_VALUES = 60
const MAX_BULK_ROWS = 25
/** Of one column; the largest switches have some thousand ports. */
const MAX_ROWS = 4096

/** Why a request failed in a way that asking in another way may mend (RFC 3416 section 3: error-status). */
const TOO_BIG = 1
const NO_SUCH_NAME = 2
const GENERAL_ERROR = 5
const WEAK = 'an answer less protected than the request: not from the device'

/**
 * Reads one device by SNMP, for one poll, and is closed after it. It can get and it can walk; there is nothing in it that sets.
 * What a device does not have is absent from what it returns. All errors are TransientError with a reason a person can act on.
 */
export class SnmpSession {
  readonly #net: NetSnmp
  readonly #session: Session
  readonly #options: SnmpOptions
  readonly #socket: SnmpSocket
  /** Ends the request that is under way. */
  #interrupt: (error: Error) => void = () => undefined
  #broken: Error | undefined
  #answers = 0
  #nonsense = 0

  private constructor(net: NetSnmp, socket: Socket, options: SnmpOptions) {
    this.#net = net
    this.#options = options
    this.#socket = new SnmpSocket(socket, (error) => {
      this.#fail(error)
    })
    this.#session = this.#create({ createSocket: () => this.#socket }, socket)
    // Datagrams that are no SNMP at all: counted, and otherwise like none.
    this.#session.on('error', () => {
      this.#nonsense++
    })
    this.#refuseWeakAnswers()
  }

  /** @throws TransientError when the name of the device is not known */
  static async open(options: SnmpOptions): Promise<SnmpSession> {
    const net = await loadNetSnmp()
    boundKeyCache(net)
    try {
      return new SnmpSession(net, await connect(options), options)
    } catch (error) {
      throw explainSnmp(error, options, { datagrams: 0, answers: 0, nonsense: 0 })
    }
  }

  /** The objects given, those that exist. */
  async get(oids: readonly string[], signal: AbortSignal): Promise<SnmpValues> {
    const values = new Map<string, SnmpValue>()
    // One missing object fails a whole request of SNMPv1.
    const size = this.#options.access.version === 'v1' ? 1 : GET_BATCH
    for (let i = 0; i < oids.length; i += size) {
      await this.#getBatch(oids.slice(i, i + size), values, signal)
    }
    return values
  }

  /** All instances of the columns given. */
  async walk(columns: readonly string[], signal: AbortSignal): Promise<SnmpValues> {
    const values = new Map<string, SnmpValue>()
    let open = columns.map((column) => ({ column, last: column, rows: 0 }))
    while (open.length > 0) {
      const rows = await this.#next(
        open.map(({ last }) => last),
        signal,
      )
      open = open.flatMap((walked, i) => {
        const found = rows[i] ?? []
        let { last } = walked
        for (const varbind of found) {
          const isNext = varbind.oid.startsWith(`${walked.column}.`) && follows(last, varbind.oid)
          if (!isNext || this.#net.isVarbindError(varbind)) return []
          last = varbind.oid
          put(values, varbind)
        }
        const count = walked.rows + found.length
        return found.length === 0 || count >= MAX_ROWS ? [] : [{ ...walked, last, rows: count }]
      })
    }
    return values
  }

  close(): void {
    this.#broken ??= new TransientError('snmp-closed', 'the session is closed')
    this.#session.close()
  }

  async #getBatch(
    oids: readonly string[],
    values: Map<string, SnmpValue>,
    signal: AbortSignal,
  ): Promise<void> {
    const asked = new Set(oids)
    try {
      const varbinds = await this.#request<Varbind[]>((done) => {
        this.#session.get([...oids], done)
      }, signal)
      for (const varbind of varbinds ?? []) if (asked.has(varbind.oid)) put(values, varbind)
    } catch (error) {
      if (!this.#mayBeMended(error)) throw this.#explain(error)
      if (oids.length === 1) return
      const middle = Math.ceil(oids.length / 2)
      await this.#getBatch(oids.slice(0, middle), values, signal)
      await this.#getBatch(oids.slice(middle), values, signal)
    }
  }

  /** What follows each of the identifiers; nothing where an agent of SNMPv1 has come to its end. */
  async #next(
    oids: readonly string[],
    signal: AbortSignal,
    maxRows = MAX_BULK_ROWS,
  ): Promise<readonly (readonly Varbind[])[]> {
    try {
      if (this.#options.access.version === 'v1') {
        const varbinds = await this.#request<Varbind[]>((done) => {
          this.#session.getNext([...oids], done)
        }, signal)
        return (varbinds ?? []).map((varbind) => [varbind])
      }
      const rows = Math.max(1, Math.min(maxRows, Math.floor(BULK_VALUES / oids.length)))
      const answer = await this.#request<(Varbind | Varbind[])[]>((done) => {
        this.#session.getBulk([...oids], 0, rows, done)
      }, signal)
      return (answer ?? []).map((column) => (Array.isArray(column) ? column : [column]))
    } catch (error) {
      if (!this.#mayBeMended(error)) throw this.#explain(error)
      if (oids.length === 1) {
        // Some agents say that an answer is too big where they should give a part of it.
        return maxRows > 1 ? await this.#next(oids, signal, 1) : [[]]
      }
      const middle = Math.ceil(oids.length / 2)
      return [
        ...(await this.#next(oids.slice(0, middle), signal, maxRows)),
        ...(await this.#next(oids.slice(middle), signal, maxRows)),
      ]
    }
  }

  async #request<T>(
    start: (done: (error: Error | null, answer?: T) => void) => void,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    if (this.#broken !== undefined) throw this.#broken
    const abort = (): void => {
      this.#fail(new Error('no answer in the time there was'))
    }
    signal.addEventListener('abort', abort, { once: true })
    try {
      return await new Promise<T | undefined>((resolve, reject) => {
        this.#interrupt = reject
        if (signal.aborted) {
          abort()
          return
        }
        start((error, answer) => {
          if (error !== null) {
            reject(error)
            return
          }
          this.#answers++
          resolve(answer)
        })
      })
    } finally {
      this.#interrupt = () => undefined
      signal.removeEventListener('abort', abort)
    }
  }

  #fail(error: Error): void {
    this.#broken ??= this.#explain(error)
    this.#interrupt(this.#broken)
  }

  #mayBeMended(error: unknown): boolean {
    return (
      error instanceof this.#net.RequestFailedError &&
      [TOO_BIG, NO_SUCH_NAME, GENERAL_ERROR].includes(error.status)
    )
  }

  #explain(error: unknown): Error {
    return explainSnmp(error, this.#options, {
      datagrams: this.#socket.datagrams,
      answers: this.#answers,
      nonsense: this.#nonsense,
    })
  }

  /** An answer with less protection than we ask for was not made by the device. */
  #refuseWeakAnswers(): void {
    const { access } = this.#options
    if (access.version !== 'v3' || access.auth === undefined) return
    const { ResponseInvalidCode, ResponseInvalidError } = this.#net
    const session = this.#session
    const take = session.onSimpleGetResponse.bind(session)
    session.onSimpleGetResponse = (request, message) => {
      const isWeak =
        !message.hasAuthentication() || (access.priv !== undefined && !message.hasPrivacy())
      if (isWeak)
        request.responseCb(new ResponseInvalidError(WEAK, ResponseInvalidCode.EAuthFailure))
      else take(request, message)
    }
  }

  #create(dgramModule: object, socket: Socket): Session {
    const { port, timeoutMs: timeout, retries, access } = this.#options
    const transport = socket.remoteAddress().family === 'IPv6' ? 'udp6' : 'udp4'
    const common = { port, timeout, retries, transport, dgramModule } as const
    const { createSession, createV3Session, Version1, Version2c, Version3 } = this.#net
    if (access.version !== 'v3') {
      const version = access.version === 'v1' ? Version1 : Version2c
      return createSession('', access.revealCommunity(), { ...common, version })
    }
    const context = access.context ?? ''
    const user = userOf(this.#net, access)
    return createV3Session('', user, { ...common, version: Version3, context })
  }
}

/** Connected, a socket takes datagrams of its peer only and hears that nobody listens there. */
async function connect({ host, port }: SnmpOptions): Promise<Socket> {
  const { address, family } = await lookup(host)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  try {
    socket.connect(port, address)
    await once(socket, 'connect')
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

function put(values: Map<string, SnmpValue>, { oid, type, value }: Varbind): void {
  const read = valueOf(type, value)
  if (read !== undefined) values.set(oid, read)
}

/** In the order of the tree: an agent that goes round in circles is left. */
function follows(before: string, after: string): boolean {
  const [a, b] = [before.split('.').map(Number), after.split('.').map(Number)]
  for (const [i, number] of b.entries()) {
    const other = a[i]
    if (other === undefined) return true
    if (number !== other) return number > other
  }
  return false
}
