import { Worker } from 'node:worker_threads'
import { TransientError, reasonOf } from '../../common/errors.ts'
import { siblingModule } from '../capture/sibling-module.ts'
import type { FromThread, Role, RoleReport, ToThread } from './messages.ts'

/** The thread keeps little that is young or old. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 }

/** A test stream or a reflector at work in the thread. */
export interface TestStream {
  /** Of a reflector: the port it listens on. */
  readonly port: number | undefined
  /** What it did since it was asked last. */
  take(durationMs: number): Promise<RoleReport>
  close(): Promise<void>
}

interface Question {
  readonly resolve: (answer: FromThread) => void
  readonly reject: (error: Error) => void
}

type WithoutTicket<T> = T extends unknown ? Omit<T, 'ticket'> : never

/** One thread serves all test streams of the agent: it is started with the first and ended with the last. */
let shared: TestStreamThread | undefined

/**
 * Starts a test stream or a reflector.
 * @throws TransientError when a reflector cannot listen
 */
export async function openTestStream(role: Role): Promise<TestStream> {
  if (shared === undefined || shared.hasEnded) shared = new TestStreamThread()
  return await shared.open(role)
}

class TestStreamThread {
  readonly #worker = new Worker(siblingModule('./test-stream-worker', import.meta.url), {
    resourceLimits: RESOURCE_LIMITS,
  })
  readonly #questions = new Map<number, Question>()
  #tickets = 0
  #ids = 0
  #streams = 0
  #ended: Error | undefined

  constructor() {
    this.#worker.on('message', (answer: FromThread) => {
      this.#questions.get(answer.ticket)?.resolve(answer)
      this.#questions.delete(answer.ticket)
    })
    this.#worker.on('error', (error) => {
      this.#end(reasonOf(error))
    })
    this.#worker.on('exit', () => {
      this.#end('it has ended')
    })
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined
  }

  async open(role: Role): Promise<TestStream> {
    const id = ++this.#ids
    this.#streams++
    try {
      const opened = await this.#ask({ kind: 'open', id, role })
      return {
        port: opened.kind === 'done' ? opened.port : undefined,
        take: async (durationMs) => {
          const answer = await this.#ask({ kind: 'take', id, durationMs })
          if (answer.kind === 'report') return answer.report
          throw new TransientError('rtp-test-thread', `expected a report, got ${answer.kind}`)
        },
        close: async () => {
          if (this.#ended === undefined) await this.#ask({ kind: 'close', id })
          await this.#release()
        },
      }
    } catch (error) {
      await this.#release()
      throw error
    }
  }

  async #ask(question: WithoutTicket<ToThread>): Promise<FromThread> {
    if (this.#ended !== undefined) throw this.#ended
    const ticket = ++this.#tickets
    const answer = await new Promise<FromThread>((resolve, reject) => {
      this.#questions.set(ticket, { resolve, reject })
      this.#worker.postMessage({ ...question, ticket })
    })
    if (answer.kind === 'failed') throw new TransientError('rtp-test', answer.reason)
    return answer
  }

  async #release(): Promise<void> {
    this.#streams--
    if (this.#streams > 0 || this.#ended !== undefined) return
    this.#end('it was closed')
    await this.#worker.terminate()
  }

  #end(reason: string): void {
    this.#ended ??= new TransientError('rtp-test-thread', `thread of the test streams: ${reason}`)
    for (const { reject } of this.#questions.values()) reject(this.#ended)
    this.#questions.clear()
  }
}
