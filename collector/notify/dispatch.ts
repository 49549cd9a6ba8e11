import { createHash } from 'node:crypto'
import { z } from 'zod'
import { reasonOf, TransientError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { breachSchema, type Breach } from '../evaluate/breach.ts'
import type { Change } from '../evaluate/evaluator.ts'
import { actionOf } from './action.ts'
import { messageOf } from './message.ts'
import type { NotificationKind, Notifier } from './notifier.ts'
import { isToldOf, type Route } from './route.ts'

/** Changes waiting per channel; beyond it the oldest goes. */
const MAX_WAITING = 1000
/** Deliveries under way at once per channel, of different alerts: one answer that hangs must not hold up the others. */
const MAX_UNDER_WAY = 4
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 60_000
/** A receiver that asks for more patience than this is asked again all the same. */
const MAX_RETRY_AFTER_MS = 10 * 60_000
/** After a day nobody needs to be woken any more. */
const GIVE_UP_MS = 24 * 3_600_000
const ID_LENGTH = 32

export interface Channel extends Route {
  readonly notifier: Notifier
}

export interface DispatchOptions {
  readonly notifiers: readonly Channel[]
  readonly log: Logger
  /** Where the evidence of a breach can be seen. */
  readonly link: (breach: Breach) => string
  /** What people call a party of the site file. */
  readonly nameOf?: (party: string) => string
  /** Names of the channels that a party of the site file is told through. */
  readonly channelsOf?: (party: string) => readonly string[]
  /** An earlier snapshot(); what is malformed in it is left out. */
  readonly restored?: unknown
  /** Called when snapshot() would give something new: the outbox is the caller's to keep. */
  readonly onChange: () => void
}

export interface ChannelCounters {
  readonly delivered: number
  readonly retried: number
  /** Refused for good. */
  readonly failed: number
  /** Pushed out of a full queue. */
  readonly dropped: number
  /** Given up after a day. */
  readonly expired: number
  readonly waiting: number
}

interface Waiting {
  readonly id: string
  readonly kind: NotificationKind
  readonly breach: Breach
  readonly queuedMs: number
  attempts: number
  /** By the clock that cannot be set. */
  dueMs: number
  underWay: boolean
}

/**
 * Brings every change to every channel at least once, in order for each alert, at once where the channel answers and with growing
 * pauses where it does not.
 */
export class Dispatch {
  readonly #outboxes: readonly Outbox[]
  readonly #names: ReadonlySet<string>

  constructor(options: DispatchOptions) {
    this.#names = new Set(options.notifiers.map(({ name }) => name))
    const restored = readSnapshot(options.restored)
    this.#outboxes = options.notifiers.map(
      (channel) => new Outbox(channel, options, restored[channel.name] ?? []),
    )
  }

  enqueue(changes: readonly Change[]): void {
    for (const outbox of this.#outboxes) outbox.add(changes, this.#names)
  }

  /** What is not delivered yet, JSON-able; the ids stay the same through a restart. */
  snapshot(): unknown {
    return Object.fromEntries(this.#outboxes.map((outbox) => [outbox.name, outbox.snapshot()]))
  }

  counters(): Readonly<Record<string, ChannelCounters>> {
    return Object.fromEntries(this.#outboxes.map((outbox) => [outbox.name, outbox.counters()]))
  }

  /** Breaks off what is under way; it stays in the snapshot. */
  async close(): Promise<void> {
    await Promise.all(this.#outboxes.map(async (outbox) => outbox.close()))
  }
}

/** What one channel has yet to deliver. */
class Outbox {
  readonly #channel: Channel
  readonly #options: DispatchOptions
  readonly #closing = new AbortController()
  readonly #deliveries = new Set<Promise<void>>()
  readonly #counters = { delivered: 0, retried: 0, failed: 0, dropped: 0, expired: 0 }
  #waiting: Waiting[]
  #timer: NodeJS.Timeout | undefined

  constructor(channel: Channel, options: DispatchOptions, restored: readonly Stored[]) {
    this.#channel = channel
    this.#options = options
    this.#waiting = restored.map((stored) => ({ ...stored, ...FRESH }))
    this.#run()
  }

  get name(): string {
    return this.#channel.name
  }

  add(changes: readonly Change[], channels: ReadonlySet<string>): void {
    const { channelsOf } = this.#options
    const wanted = changes.filter(({ breach }) =>
      isToldOf(this.#channel, breach, channels, channelsOf?.(breach.labels['owner'] ?? '')),
    )
    if (wanted.length === 0) return
    const queuedMs = Date.now()
    for (const { kind, breach } of wanted)
      this.#waiting.push({ id: deliveryId(kind, breach), kind, breach, queuedMs, ...FRESH })
    const excess = this.#waiting.length - MAX_WAITING
    if (excess > 0) {
      this.#counters.dropped += excess
      this.#waiting = this.#waiting.slice(excess)
      this.#options.log.error({ channel: this.name, dropped: excess }, 'too many alerts waiting')
    }
    this.#options.onChange()
    this.#run()
  }

  snapshot(): readonly Stored[] {
    return this.#waiting.map(({ id, kind, breach, queuedMs }) => ({ id, kind, breach, queuedMs }))
  }

  counters(): ChannelCounters {
    return { ...this.#counters, waiting: this.#waiting.length }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    await Promise.all(this.#deliveries)
  }

  /** Starts what is due and sets the clock for what is not. A change waits for the earlier ones of its alert. */
  #run(): void {
    clearTimeout(this.#timer)
    if (this.#closing.signal.aborted) return
    const nowMs = performance.now()
    const seen = new Set<string>()
    let wakeMs = Infinity
    for (const item of this.#waiting) {
      const { fingerprint } = item.breach
      if (seen.has(fingerprint)) continue
      seen.add(fingerprint)
      if (item.underWay) continue
      if (item.dueMs > nowMs) wakeMs = Math.min(wakeMs, item.dueMs)
      else if (this.#deliveries.size < MAX_UNDER_WAY) this.#start(item)
    }
    if (wakeMs < Infinity)
      this.#timer = setTimeout(() => {
        this.#run()
      }, wakeMs - nowMs)
  }

  #start(item: Waiting): void {
    item.underWay = true
    const delivery = this.#deliver(item).finally(() => {
      this.#deliveries.delete(delivery)
      this.#run()
    })
    this.#deliveries.add(delivery)
  }

  async #deliver(item: Waiting): Promise<void> {
    const { id, kind, breach } = item
    const { log } = this.#options
    const context = { channel: this.name, delivery: id, alert: kind, object: breach.object }
    try {
      const link = this.#options.link(breach)
      const { title, text } = messageOf(kind, breach, link, this.#options.nameOf)
      const action = actionOf(kind, breach)
      const notification = { id, kind, breach, title, text, link, ...(action && { action }) }
      await this.#channel.notifier.notify(notification, this.#closing.signal)
      this.#counters.delivered++
      this.#remove(item)
    } catch (error) {
      item.underWay = false
      if (this.#closing.signal.aborted) return
      if (!(error instanceof TransientError)) {
        this.#counters.failed++
        log.error({ ...context, reason: reasonOf(error) }, 'alert not deliverable')
        this.#remove(item)
      } else if (Date.now() - item.queuedMs > GIVE_UP_MS) {
        this.#counters.expired++
        log.error({ ...context, reason: error.message }, 'alert given up after a day')
        this.#remove(item)
      } else {
        this.#counters.retried++
        const pauseMs = pauseBefore(++item.attempts, error.retryAfterMs)
        item.dueMs = performance.now() + pauseMs
        log.warn({ ...context, reason: error.message, pauseMs }, 'alert not delivered yet')
      }
    }
  }

  #remove(item: Waiting): void {
    const place = this.#waiting.indexOf(item)
    if (place >= 0) this.#waiting.splice(place, 1)
    this.#options.onChange()
  }
}

const FRESH = { attempts: 0, dueMs: 0, underWay: false } as const

type Stored = Pick<Waiting, 'id' | 'kind' | 'breach' | 'queuedMs'>

const storedSchema: z.ZodType<Stored> = z.object({
  id: z.string().regex(/^[0-9a-f]+$/),
  kind: z.enum(['firing', 'escalated', 'resolved', 'ended']),
  breach: breachSchema,
  queuedMs: z.number(),
})

function readSnapshot(value: unknown): Readonly<Record<string, readonly Stored[]>> {
  const lists = z.record(z.string(), z.array(z.unknown())).safeParse(value)
  if (!lists.success) return {}
  return Object.fromEntries(
    Object.entries(lists.data).map(([channel, list]) => [
      channel,
      list.flatMap((item) => {
        const read = storedSchema.safeParse(item)
        return read.success ? [read.data] : []
      }),
    ]),
  )
}

/** The same for the same change, also when a restart repeats it; fit for a header. */
function deliveryId(kind: NotificationKind, { id, reopened = 0, updatedUs }: Breach): string {
  // It may grow worse more than once.
  const which = kind === 'escalated' ? `${reopened} ${updatedUs}` : `${reopened}`
  return createHash('sha256').update(`${id} ${kind} ${which}`).digest('hex').slice(0, ID_LENGTH)
}

/** Doubling from a second to a minute, of which half is chance, so that channels do not knock in step. */
function pauseBefore(attempt: number, retryAfterMs = 0): number {
  const fullMs = Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), LAST_RETRY_MS)
  const pauseMs = (fullMs * (1 + Math.random())) / 2
  return Math.max(pauseMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS))
}
