import { Worker } from 'node:worker_threads'
import { PermanentError, TransientError, reasonOf } from '../../common/errors.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import type { CaptureInterval } from './capture-interval.ts'
import type { CaptureTask, FromCapture, ToCapture } from './messages.ts'
import type { StallRow } from './stall-row.ts'
import { siblingModule } from '../capture/sibling-module.ts'

/** The thread's packets live outside its heap; rows of an interval are all it makes. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 }

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/** What comes without being asked for. */
export interface CaptureListener {
  /** Of a live tap: streams that fell silent without a reason, are still silent, or came back. */
  readonly onStalled?: (rows: readonly StallRow[]) => void
  /** Of a live tap: what signalling said that cannot wait. */
  readonly onEvents?: (events: readonly SignallingEvent[]) => void
  /** Of a file: octets read so far, of so many; at most 20 times a second. */
  readonly onProgress?: (octets: number, total: number) => void
}

/** The agent's end of a capture running in a thread of its own. */
export class Capture {
  readonly #worker: Worker
  readonly #taking = new Map<number, Waiting<readonly CaptureInterval[]>>()
  readonly #listener: CaptureListener
  #starting: Waiting<undefined> | undefined
  #onStopped: () => void = () => undefined
  #tickets = 0
  #ended: Error | undefined

  private constructor(listener: CaptureListener) {
    this.#listener = listener
    this.#worker = new Worker(siblingModule('./capture-worker', import.meta.url), {
      resourceLimits: RESOURCE_LIMITS,
    })
    this.#worker.on('message', (message: FromCapture) => {
      this.#receive(message)
    })
    this.#worker.on('error', (error) => {
      this.#end(reasonOf(error))
    })
    this.#worker.on('exit', () => {
      this.#end('it has ended')
    })
  }

  /**
   * @throws PermanentError when the tap lacks rights or program, or the file cannot be opened; TransientError when the tap fails for
   * another reason or the signal fires
   */
  static async start(
    task: CaptureTask,
    signal: AbortSignal,
    listener: CaptureListener = {},
  ): Promise<Capture> {
    const cutOffError = () =>
      new TransientError(
        'capture-cut-off',
        `the capture was not started: ${reasonOf(signal.reason)}`,
      )
    if (signal.aborted) throw cutOffError()
    const capture = new Capture(listener)
    const cutOff = () => {
      capture.#starting?.reject(cutOffError())
    }
    signal.addEventListener('abort', cutOff, { once: true })
    try {
      await new Promise<undefined>((resolve, reject) => {
        capture.#starting = { resolve, reject }
        capture.#send({ kind: 'start', task })
      })
      return capture
    } catch (error) {
      await capture.close()
      throw error
    } finally {
      signal.removeEventListener('abort', cutOff)
    }
  }

  /** Whether the thread is gone; then only a new capture helps. */
  get hasEnded(): boolean {
    return this.#ended !== undefined
  }

  /**
   * The interval of a live tap up to now, to be stamped `endUs`; of a file the next intervals, none at its end.
   * @throws TransientError when the thread is gone
   */
  async take(endUs: number): Promise<readonly CaptureInterval[]> {
    if (this.#ended !== undefined) throw this.#ended
    const ticket = this.#tickets++
    return await new Promise((resolve, reject) => {
      this.#taking.set(ticket, { resolve, reject })
      this.#send({ kind: 'take', ticket, endUs })
    })
  }

  /** Ends tcpdump and the thread. */
  async close(): Promise<void> {
    if (this.#ended === undefined) {
      await new Promise<void>((resolve) => {
        this.#onStopped = resolve
        this.#send({ kind: 'stop' })
      })
    }
    await this.#worker.terminate()
  }

  #send(message: ToCapture): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromCapture): void {
    switch (message.kind) {
      case 'started':
        this.#starting?.resolve(undefined)
        return
      case 'failed': {
        const { code, reason, isPermanent } = message
        this.#fail(
          isPermanent ? new PermanentError(code, reason) : new TransientError(code, reason),
        )
        return
      }
      case 'taken':
        this.#taking.get(message.ticket)?.resolve(message.intervals)
        this.#taking.delete(message.ticket)
        return
      case 'stalled':
        this.#listener.onStalled?.(message.rows)
        return
      case 'events':
        this.#listener.onEvents?.(message.events)
        return
      case 'progress':
        this.#listener.onProgress?.(message.octets, message.total)
        return
      case 'stopped':
        this.#onStopped()
    }
  }

  #end(reason: string): void {
    this.#fail(new TransientError('capture-ended', `the capture thread is gone: ${reason}`))
  }

  #fail(error: Error): void {
    this.#ended ??= error
    this.#starting?.reject(error)
    for (const { reject } of this.#taking.values()) reject(error)
    this.#taking.clear()
    this.#onStopped()
  }
}
