import { once } from 'node:events'
import { connect } from 'node:net'
import { TransientError, reasonOf } from '../../common/errors.ts'

/** IANA's port of apcupsd's network information server. */
export const NIS_PORT = 3551

const LENGTH_OCTETS = 2
/** apcupsd writes at most 4,096 octets in lines of at most 255; other servers of the protocol may know more. */
const MAX_FRAME_OCTETS = 4096
const MAX_REPLY_OCTETS = 64 * 1024
/** What the last line of a status begins with: with it a reply is whole, zero frame or not. */
const LAST_LINE = 'END APC'

export interface NisOptions {
  readonly host: string
  readonly port: number
  /** For connecting and the whole reply together. */
  readonly timeoutMs: number
}

/**
 * Cuts a stream of octets into the frames of NIS: two octets of length, high octet first, and that many octets of text; a length of 0
 * ends the reply.
 */
export class NisFrames {
  #pending = Buffer.alloc(0)
  #octets = 0
  #isEnded = false

  /** The frame of length 0 has come. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /**
   * The texts that are complete now, without line ends and the NUL that ends an error.
   * @returns undefined when frame or reply are larger than any that make sense, or go on behind the end
   */
  push(chunk: Buffer): readonly string[] | undefined {
    this.#octets += chunk.length
    if (this.#octets > MAX_REPLY_OCTETS) return undefined
    this.#pending = Buffer.concat([this.#pending, chunk])
    const texts: string[] = []
    while (this.#pending.length >= LENGTH_OCTETS && !this.#isEnded) {
      const length = this.#pending.readUInt16BE(0)
      if (length > MAX_FRAME_OCTETS) return undefined
      if (this.#pending.length < LENGTH_OCTETS + length) break
      const text = this.#pending.toString('latin1', LENGTH_OCTETS, LENGTH_OCTETS + length)
      this.#pending = this.#pending.subarray(LENGTH_OCTETS + length)
      if (length === 0) this.#isEnded = true
      else texts.push(text.replace(/[\0\r\n\s]+$/, ''))
    }
    return this.#isEnded && this.#pending.length > 0 ? undefined : texts
  }
}

/** A request in its frame. */
export function nisRequest(command: 'status'): Buffer {
  const text = Buffer.from(command, 'latin1')
  const frame = Buffer.alloc(LENGTH_OCTETS + text.length)
  frame.writeUInt16BE(text.length, 0)
  text.copy(frame, LENGTH_OCTETS)
  return frame
}

/**
 * Asks apcupsd for its status; nothing else is ever asked, and nothing can be changed this way.
 * @returns its lines, `KEY      : value`
 * @throws TransientError when it cannot be reached in time, breaks off, or talks something else
 */
export async function readNisStatus(
  options: NisOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { host, port, timeoutMs } = options
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const socket = connect({ host, port, noDelay: true })
  const failure = (reason: string): TransientError =>
    new TransientError('nis-unreachable', `apcupsd ${host}:${port}: ${reason}`)
  const frames = new NisFrames()
  const lines: string[] = []
  try {
    await once(socket, 'connect', { signal: deadline })
    socket.write(nisRequest('status'))
    const chunks = socket.iterator({ destroyOnReturn: false })
    const abort = (): void => {
      socket.destroy(new Error(`no whole answer in ${timeoutMs} ms`))
    }
    deadline.addEventListener('abort', abort, { once: true })
    try {
      for await (const chunk of chunks) {
        const texts = Buffer.isBuffer(chunk) ? frames.push(chunk) : undefined
        if (texts === undefined) throw failure('an answer that is none of apcupsd')
        lines.push(...texts)
        if (frames.isEnded) break
      }
    } finally {
      deadline.removeEventListener('abort', abort)
    }
  } catch (error) {
    if (error instanceof TransientError) throw error
    throw failure(isAbort(error) ? `no answer in ${timeoutMs} ms` : reasonOf(error))
  } finally {
    socket.on('error', () => undefined).destroy()
  }
  if (!frames.isEnded && lines.at(-1)?.startsWith(LAST_LINE) !== true)
    throw failure('it closed the connection before the end of its answer')
  if (lines[0]?.startsWith('APC ') !== true)
    throw failure(`it says "${(lines[0] ?? '').slice(0, 80)}"`)
  return lines
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
