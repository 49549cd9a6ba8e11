import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'
import { PermanentError, reasonOf } from '../../common/errors.ts'
import type { SignallingEvent } from '../signalling/call-book.ts'
import type { CaptureInterval } from './capture-interval.ts'
import { FileCapture } from './file-capture.ts'
import { LiveCapture } from './live-capture.ts'
import { MirrorCapture } from './mirror-capture.ts'
import type { CaptureTask, FromCapture, ToCapture } from './messages.ts'
import type { StallRow } from './stall-row.ts'

/**
 * The capture's own thread: packets are read and counted here, whatever the agent is doing; rows go out when asked for, and at once what
 * cannot wait.
 */

const SEED_OCTETS = 4
const WATCH_EVERY_MS = 500
const PROGRESS_EVERY_MS = 50
const US_PER_MS = 1000

interface Source {
  start(): Promise<void>
  take(endUs: number): Promise<readonly CaptureInterval[]>
  /** A file falls silent for nobody. */
  readonly takeStalls: (() => Promise<readonly StallRow[]>) | undefined
  readonly takeEvents: () => readonly SignallingEvent[]
  stop(): Promise<void>
}

let source: Source | undefined
let stopWatching: () => void = () => undefined
let progressAtMs = 0
/** A tap is asked one thing at a time. */
let turn: Promise<unknown> = Promise.resolve()

parentPort?.on('message', (message: ToCapture) => {
  void handle(message)
})

async function handle(message: ToCapture): Promise<void> {
  switch (message.kind) {
    case 'start':
      await start(message.task)
      return
    case 'take': {
      const intervals = (await inTurn(async () => await source?.take(message.endUs))) ?? []
      send({ kind: 'taken', ticket: message.ticket, intervals })
      return
    }
    case 'stop':
      stopWatching()
      await source?.stop()
      send({ kind: 'stopped' })
  }
}

async function start(task: CaptureTask): Promise<void> {
  try {
    source = sourceOf(task)
    await source.start()
    const { takeStalls, takeEvents } = source
    if (takeStalls !== undefined) stopWatching = watch(takeStalls, takeEvents)
    send({ kind: 'started' })
  } catch (error) {
    const isPermanent = error instanceof PermanentError
    const code = isPermanent ? error.code : 'capture-failed'
    send({ kind: 'failed', code, reason: reasonOf(error), isPermanent })
  }
}

function sourceOf({ source: { live, mirror, file }, monitor }: CaptureTask): Source {
  const options = { ...monitor, seed: randomBytes(SEED_OCTETS).readInt32LE() }
  if (file !== undefined) return fileSource(new FileCapture(file, options, showProgress))
  return mirror === undefined
    ? tapSource(new LiveCapture(live, options, pause))
    : tapSource(new MirrorCapture(mirror, options, arrivalUs))
}

function tapSource(capture: LiveCapture | MirrorCapture): Source {
  return {
    start: async () => {
      await capture.start()
    },
    take: async (endUs) => [await capture.take(endUs)],
    takeStalls: async () => await capture.takeStalls(nowUs()),
    takeEvents: () => capture.takeEvents(),
    stop: async () => {
      await capture.stop()
    },
  }
}

function fileSource(capture: FileCapture): Source {
  return {
    start: async () => undefined,
    take: async () => await capture.take(),
    takeStalls: undefined,
    takeEvents: () => [],
    stop: async () => {
      capture.close()
    },
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}

function nowUs(): number {
  return Date.now() * US_PER_MS
}

/** Of finer grain than Date, and never set back: what is timed here is the distance between packets. */
function arrivalUs(): number {
  return (performance.timeOrigin + performance.now()) * US_PER_MS
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const mine = turn.then(work, work)
  turn = mine
  return await mine
}

/** Looks twice a second, but never while a look is still waiting for the tap. */
function watch(
  takeStalls: () => Promise<readonly StallRow[]>,
  takeEvents: () => readonly SignallingEvent[],
): () => void {
  let isLooking = false
  const look = async () => {
    isLooking = true
    const rows = await inTurn(takeStalls)
    isLooking = false
    if (rows.length > 0) send({ kind: 'stalled', rows })
  }
  const timer = setInterval(() => {
    const events = takeEvents()
    if (events.length > 0) send({ kind: 'events', events })
    if (!isLooking) void look()
  }, WATCH_EVERY_MS)
  return () => {
    clearInterval(timer)
  }
}

/** Tells now and then, and lets messages in: someone may want to stop. */
async function showProgress(octets: number, total: number): Promise<void> {
  const nowMs = performance.now()
  if (nowMs - progressAtMs < PROGRESS_EVERY_MS) return
  progressAtMs = nowMs
  send({ kind: 'progress', octets, total })
  await nextTurn()
}

function send(message: FromCapture): void {
  parentPort?.postMessage(message)
}
