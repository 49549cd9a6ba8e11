import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { PermanentError, TransientError, reasonOf } from '../../common/errors.ts'
import { LineSplitter } from './line-splitter.ts'
import { errorIn, quoteWord, sameWords, shown, splitWords } from './nut-words.ts'

/** IANA's port of the NUT server. */
export const NUT_PORT = 3493

/** The only commands ever sent: reading, and what it takes to get there. No LOGIN, SET, INSTCMD or FSD. */
const ALLOWED = ['VER', 'NETVER', 'STARTTLS', 'USERNAME', 'PASSWORD', 'LIST', 'GET', 'LOGOUT']
const MAX_LINE_BYTES = 64 * 1024
const MAX_REPLY_BYTES = 4 * 1024 * 1024
/** Requests sent ahead of their answers, which come in order: the answers of so many fit into the buffers of any connection. */
const MAX_OUTSTANDING = 8

export interface NutOptions {
  readonly host: string
  readonly port: number
  /** For connecting, and for each request. */
  readonly timeoutMs: number
  /** `try` reads on in clear text where the server has no TLS; `required` never does. */
  readonly tls: 'off' | 'try' | 'required'
  /** PEM certificates to trust instead of the system's. */
  readonly ca?: string | undefined
}

/** What a list request gave: its rows without the words that repeat the request, or the server's error word. */
export type NutList = { readonly rows: readonly (readonly string[])[] } | { readonly error: string }

/** What is listed: the words behind LIST. */
export type NutRequest = readonly [string, ...string[]]

interface Waiter {
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

/**
 * A reading session with upsd (RFC 9271), which answers in the order of the requests. A server drops clients idle for 60 s, so a
 * session is for one poll and not to be kept. Whatever breaks the order of requests and answers ends the session.
 */
export class NutSession {
  readonly #options: NutOptions
  #socket: Socket
  #splitter = new LineSplitter(MAX_LINE_BYTES)
  #lines: string[] = []
  /** Since the last answer that was whole. */
  #replyBytes = 0
  /** Requests whose answer is not whole yet. */
  #outstanding = 0
  #waiter: Waiter | undefined
  #broken: Error | undefined

  private constructor(options: NutOptions, socket: Socket) {
    this.#options = options
    this.#socket = socket
    this.#listen()
  }

  /** @throws TransientError when the server cannot be reached in time, or TLS is required and cannot be had */
  static async open(options: NutOptions, signal: AbortSignal): Promise<NutSession> {
    const { host, port, timeoutMs, tls } = options
    const socket = connectTcp({ host, port, noDelay: true })
    try {
      await once(socket, 'connect', { signal: withDeadline(signal, timeoutMs) })
    } catch (error) {
      socket.on('error', () => undefined).destroy()
      throw unreachable(
        options,
        timedOut(error) ? `no connection in ${timeoutMs} ms` : reasonOf(error),
      )
    }
    const session = new NutSession(options, socket)
    try {
      if (tls !== 'off') await session.#startTls(signal)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  /**
   * `LIST UPS`, `LIST VAR <ups>` and their like.
   * @throws TransientError when the session is broken or the server keeps silent
   */
  async list(request: NutRequest, signal: AbortSignal): Promise<NutList> {
    this.#send(listLine(request))
    return await this.#readList(request, signal)
  }

  /**
   * The same for many, each answer as it comes and in their order; at most `MAX_OUTSTANDING` of them wait for an answer. Who does not
   * read them all ends the session.
   * @throws TransientError when the session is broken or the server keeps silent
   */
  async *lists<Key>(
    requests: ReadonlyMap<Key, NutRequest>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly [Key, NutList], void, void> {
    const ahead = requests.values()
    const sendNext = (): void => {
      const next = ahead.next()
      if (next.done !== true) this.#send(listLine(next.value))
    }
    let unread = requests.size
    try {
      for (let sent = 0; sent < MAX_OUTSTANDING; sent++) sendNext()
      for (const [key, request] of requests) {
        const list = await this.#readList(request, signal)
        unread--
        sendNext()
        yield [key, list]
      }
    } finally {
      if (unread > 0) this.close()
    }
  }

  /** Says goodbye where that is still possible, and closes. */
  async logout(signal: AbortSignal): Promise<void> {
    try {
      if (this.#broken === undefined) {
        this.#send(['LOGOUT'])
        await this.#answer(signal)
      }
    } catch {
      // A server that has gone already needs no goodbye.
    } finally {
      this.close()
    }
  }

  close(): void {
    this.#break(new TransientError('nut-closed', 'the session is closed'))
  }

  /** The only way anything is sent. */
  #send(words: readonly string[]): void {
    const command = words[0] ?? ''
    if (!ALLOWED.includes(command)) {
      throw new PermanentError(
        'nut-command',
        `${command} is not a reading command and is never sent`,
      )
    }
    const line = words.join(' ')
    if (/[\u0000-\u001f\u007f]/.test(line)) {
      throw new PermanentError('nut-command', 'a name with control characters is never sent')
    }
    if (this.#outstanding === 0) this.#mustBeQuiet('before the next request')
    if (this.#broken !== undefined) return
    this.#outstanding++
    this.#socket.write(`${line}\n`)
  }

  /** Where no answer is awaited, nothing may come. */
  #mustBeQuiet(when: string): void {
    if (this.#lines.length === 0 && this.#splitter.pendingBytes === 0) return
    throw this.#violation(`nothing ${when}`, [this.#lines[0] ?? 'part of a line'])
  }

  async #readList(request: NutRequest, signal: AbortSignal): Promise<NutList> {
    const list = await this.#readRows(request, signal)
    this.#outstanding--
    this.#replyBytes = 0
    return list
  }

  async #readRows(request: NutRequest, signal: AbortSignal): Promise<NutList> {
    const first = await this.#answer(signal)
    const error = errorIn(first)
    if (error !== undefined) return { error }
    if (!sameWords(first, ['BEGIN', 'LIST', ...request]))
      throw this.#violation('BEGIN of the list', first)
    const rows: (readonly string[])[] = []
    for (;;) {
      const row = await this.#answer(signal)
      if (row[0] === 'END') {
        if (sameWords(row, ['END', 'LIST', ...request])) return { rows }
        throw this.#violation('END of the same list', row)
      }
      const late = errorIn(row)
      if (late !== undefined) return { error: late }
      if (!sameWords(row.slice(0, request.length), request))
        throw this.#violation('a row of the list', row)
      rows.push(row.slice(request.length))
    }
  }

  async #answer(signal: AbortSignal): Promise<readonly string[]> {
    const line = await this.#nextLine(signal)
    const words = splitWords(line)
    if (words === undefined) throw this.#violation('a line of words', [line])
    return words
  }

  async #nextLine(signal: AbortSignal): Promise<string> {
    const ready = this.#lines.shift()
    if (ready !== undefined) return ready
    if (this.#broken !== undefined) throw this.#broken
    const { timeoutMs } = this.#options
    const deadline = withDeadline(signal, timeoutMs)
    const giveUp = (): void => {
      this.#break(unreachable(this.#options, `no answer in ${timeoutMs} ms`))
    }
    deadline.addEventListener('abort', giveUp, { once: true })
    try {
      return await new Promise<string>((resolve, reject) => {
        this.#waiter = { resolve, reject }
        if (deadline.aborted) giveUp()
      })
    } finally {
      deadline.removeEventListener('abort', giveUp)
    }
  }

  async #startTls(signal: AbortSignal): Promise<void> {
    const { host, timeoutMs, tls, ca } = this.#options
    this.#send(['STARTTLS'])
    const answer = await this.#answer(signal)
    this.#outstanding--
    if (!sameWords(answer, ['OK', 'STARTTLS'])) {
      if (tls === 'try' && errorIn(answer) !== undefined) return
      throw unreachable(this.#options, `no TLS: ${shown(answer)}`)
    }
    // Bytes in clear text behind the OK were put there by somebody between us and the server.
    this.#mustBeQuiet('in clear text after OK STARTTLS')
    const plain = this.#socket
    plain.removeAllListeners()
    const secure = connectTls({ socket: plain, host, servername: nameOf(host), ca })
    this.#socket = secure
    this.#splitter = new LineSplitter(MAX_LINE_BYTES)
    plain.on('error', () => undefined)
    try {
      await once(secure, 'secureConnect', { signal: withDeadline(signal, timeoutMs) })
    } catch (error) {
      secure.on('error', () => undefined)
      throw unreachable(
        this.#options,
        `TLS: ${timedOut(error) ? 'no handshake in time' : reasonOf(error)}`,
      )
    }
    this.#listen()
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#take(chunk)
    })
    this.#socket.on('error', (error) => {
      this.#break(unreachable(this.#options, reasonOf(error)))
    })
    this.#socket.on('close', () => {
      this.#break(unreachable(this.#options, 'the server closed the connection'))
    })
  }

  #take(chunk: Buffer): void {
    if (this.#broken !== undefined) return
    this.#replyBytes += chunk.length
    const lines = this.#replyBytes > MAX_REPLY_BYTES ? undefined : this.#splitter.push(chunk)
    if (lines === undefined) {
      this.#break(unreachable(this.#options, 'an answer larger than any that makes sense'))
      return
    }
    for (const line of lines) this.#lines.push(line)
    const waiter = this.#waiter
    const next = waiter === undefined ? undefined : this.#lines.shift()
    if (waiter === undefined || next === undefined) return
    this.#waiter = undefined
    waiter.resolve(next)
  }

  #violation(expected: string, got: readonly string[]): Error {
    const error = unreachable(this.#options, `expected ${expected}, got "${shown(got)}"`)
    this.#break(error)
    return error
  }

  #break(error: Error): void {
    this.#broken ??= error
    this.#socket.destroy()
    this.#waiter?.reject(this.#broken)
    this.#waiter = undefined
  }
}

function withDeadline(signal: AbortSignal, timeoutMs: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
}

function timedOut(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

function unreachable({ host, port }: NutOptions, reason: string): TransientError {
  return new TransientError('nut-unreachable', `NUT server ${host}:${port}: ${reason}`)
}

function listLine([what, ...names]: NutRequest): readonly string[] {
  return ['LIST', what, ...names.map(quoteWord)]
}

/** A server name for the certificate; addresses are checked as addresses and sent as none. */
function nameOf(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host
}
