import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { TransientError, reasonOf } from '../../common/errors.ts'
import { siblingModule } from '../capture/sibling-module.ts'
import type { MediaReport } from './media-report.ts'
import type { FromMedia, MediaPorts, MediaSettings, Remote, ToMedia } from './messages.ts'

/** The thread keeps little that is young or old. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 }

/** Then it hangs. */
const CLOSE_WITHIN_MS = 500

/** The sound of one call, on a thread of its own that ends with it. */
export interface CallSound {
  readonly ports: MediaPorts
  /** Begins to send and to listen, or goes on elsewhere. */
  talk(remote: Remote): void
  /** What comes from now on is the call's own. */
  answered(): void
  /** Stops sending, waits for what is under way, tells what was measured, and ends the thread. */
  finish(waitMs: number): Promise<{ readonly report: MediaReport; readonly loopDelayMs: number }>
  /** Ends the thread, whatever it does. */
  close(): Promise<void>
}

/** @throws TransientError when no port is to be had, or the thread does not start */
export async function openCallSound(settings: MediaSettings): Promise<CallSound> {
  const worker = new Worker(siblingModule('./media-worker', import.meta.url), {
    resourceLimits: RESOURCE_LIMITS,
  })
  const tell = (message: ToMedia): void => {
    worker.postMessage(message)
  }
  const ended = new Promise<FromMedia>((resolve) => {
    worker.once('error', (error) => {
      resolve({ kind: 'failed', reason: reasonOf(error) })
    })
    worker.once('exit', () => {
      resolve({ kind: 'failed', reason: 'it has ended' })
    })
  })
  let closing: Promise<unknown> | undefined
  const close = async (): Promise<void> => {
    closing ??= shut(worker, ended)
    await closing
  }
  let heard = answerOf(worker, ended, 'opened')
  tell({ kind: 'open', ...settings })
  const opened = await heard
  if (opened.kind !== 'opened') {
    await close()
    throw new TransientError('call-sound', `sound of the call: ${reasonIn(opened)}`)
  }
  return {
    ports: opened.ports,
    talk: (remote) => {
      tell({ kind: 'talk', remote })
    },
    answered: () => {
      tell({ kind: 'answered' })
    },
    finish: async (waitMs) => {
      heard = answerOf(worker, ended, 'report')
      tell({ kind: 'finish', waitMs })
      const answer = await heard
      await close()
      if (answer.kind === 'report') return answer
      throw new TransientError('call-sound', `sound of the call: ${reasonIn(answer)}`)
    },
    close,
  }
}

/** Node dies of a datagram that comes to a thread while it is being ended: first the sockets go, then the thread. */
async function shut(worker: Worker, ended: Promise<FromMedia>): Promise<void> {
  const hangs = once(AbortSignal.timeout(CLOSE_WITHIN_MS), 'abort')
  const closed = answerOf(worker, ended, 'closed')
  const question: ToMedia = { kind: 'close' }
  worker.postMessage(question)
  await Promise.race([closed, hangs])
  await worker.terminate()
}

/** The next answer of this kind, or why there is none. */
async function answerOf(
  worker: Worker,
  ended: Promise<FromMedia>,
  kind: FromMedia['kind'],
): Promise<FromMedia> {
  const answered = new Promise<FromMedia>((resolve) => {
    const listen = (message: FromMedia): void => {
      if (message.kind !== kind && message.kind !== 'failed') return
      worker.off('message', listen)
      resolve(message)
    }
    worker.on('message', listen)
  })
  return await Promise.race([answered, ended])
}

function reasonIn(message: FromMedia): string {
  return message.kind === 'failed' ? message.reason : `expected something else than ${message.kind}`
}
