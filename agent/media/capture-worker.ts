import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import type { CaptureInterval } from './capture-interval.ts'
import { FileCapture } from './file-capture.ts'
import { LiveCapture } from './live-capture.ts'
import type { CaptureTask, FromCapture, ToCapture } from './messages.ts'

/** The capture's own thread: packets are read and counted here, whatever the agent is doing; rows go out when asked for. */

const SEED_OCTETS = 4

interface Source {
  start(): Promise<void>
  take(endUs: number): Promise<readonly CaptureInterval[]>
  stop(): Promise<void>
}

let source: Source | undefined

parentPort?.on('message', (message: ToCapture) => {
  void handle(message)
})

async function handle(message: ToCapture): Promise<void> {
  switch (message.kind) {
    case 'start':
      await start(message.task)
      return
    case 'take': {
      const intervals = (await source?.take(message.endUs)) ?? []
      send({ kind: 'taken', ticket: message.ticket, intervals })
      return
    }
    case 'stop':
      await source?.stop()
      send({ kind: 'stopped' })
  }
}

async function start(task: CaptureTask): Promise<void> {
  try {
    source = sourceOf(task)
    await source.start()
    send({ kind: 'started' })
  } catch (error) {
    const isPermanent = error instanceof PermanentError
    const code = isPermanent ? error.code : 'capture-failed'
    send({ kind: 'failed', code, reason: reasonOf(error), isPermanent })
  }
}

function sourceOf({ source: { live, file }, monitor }: CaptureTask): Source {
  const options = { ...monitor, seed: randomBytes(SEED_OCTETS).readInt32LE() }
  if (live !== undefined) {
    const capture = new LiveCapture(live, options, async (ms, signal) => {
      await delay(ms, undefined, { signal }).catch(() => undefined)
    })
    return {
      start: async () => {
        await capture.start()
      },
      take: async (endUs) => [await capture.take(endUs)],
      stop: async () => {
        await capture.stop()
      },
    }
  }
  const capture = new FileCapture(file, options)
  return {
    start: async () => undefined,
    take: async () => capture.take(),
    stop: async () => {
      capture.close()
    },
  }
}

function send(message: FromCapture): void {
  parentPort?.postMessage(message)
}
