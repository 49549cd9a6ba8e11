import { setTimeout as delay } from 'node:timers/promises'
import { reasonOf } from './errors.ts'
import type { Logger } from './log.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
const SUCCESS = 0
const FAILURE = 1

/** Why a service ends: a signal, or an error nobody caught. */
export type EndReason = (typeof SIGNALS)[number] | 'error'

export interface RunningService {
  close(reason?: EndReason): Promise<void>
}

export interface ServiceOptions {
  /** How long closing may take before the process ends without it. */
  readonly deadlineMs: number
  readonly log: Logger
}

/**
 * Runs a service until SIGINT or SIGTERM, or until an error nobody caught, closes it once, and says with which code to exit: 0 after
 * a signal, 1 when it did not start, failed, did not close within the deadline, or was signalled again while closing. The caller
 * exits: a service that missed its deadline still holds the process open.
 */
export async function runUntilSignal(
  start: () => Promise<RunningService>,
  options: ServiceOptions,
): Promise<number> {
  const { deadlineMs, log } = options
  const ending = new Ending(log)
  const done = new AbortController()
  try {
    const starting = start()
    await Promise.race([starting, ending.begun])
    const reason = await ending.begun
    const isClosed = await Promise.race([
      starting.then((service) => service.close(reason)).then(() => true),
      delay(deadlineMs, false, { signal: done.signal }),
      ending.secondSignal,
    ])
    if (!isClosed) log.error({ deadlineMs }, 'ending without having closed everything')
    return isClosed && !ending.hasFailed ? SUCCESS : FAILURE
  } catch (error) {
    log.fatal({ error: reasonOf(error) }, 'failed')
    return FAILURE
  } finally {
    done.abort()
    ending.stopListening()
  }
}

/** Signals and errors nobody caught: the first of them begins the end, a second signal is the wish to end at once. */
class Ending {
  readonly begun: Promise<EndReason>
  readonly secondSignal: Promise<false>
  readonly #log: Logger
  #begin: (reason: EndReason) => void = () => undefined
  #endAtOnce: () => void = () => undefined
  #signals = 0
  #hasFailed = false

  constructor(log: Logger) {
    this.#log = log
    this.begun = new Promise((resolve) => {
      this.#begin = resolve
    })
    this.secondSignal = new Promise((resolve) => {
      this.#endAtOnce = () => {
        resolve(false)
      }
    })
    for (const signal of SIGNALS) process.on(signal, this.#onSignal)
    process.on('uncaughtException', this.#onUncaught)
    process.on('unhandledRejection', this.#onUncaught)
  }

  get hasFailed(): boolean {
    return this.#hasFailed
  }

  stopListening(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal)
    process.off('uncaughtException', this.#onUncaught)
    process.off('unhandledRejection', this.#onUncaught)
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.#signals++
    this.#log.info({ signal }, 'ending')
    this.#begin(signal === 'SIGINT' ? signal : 'SIGTERM')
    if (this.#signals > 1) this.#endAtOnce()
  }

  readonly #onUncaught = (error: unknown): void => {
    this.#hasFailed = true
    const stack = error instanceof Error ? error.stack : undefined
    this.#log.fatal({ error: reasonOf(error), stack }, 'an error nobody caught')
    this.#begin('error')
  }
}
