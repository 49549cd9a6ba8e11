import { hostPortText } from '../sip/sip-uri.ts'
import type { Flow, FlowEvents, NoFlow, Target } from './flow.ts'
import { StreamConnection, type StreamOptions } from './stream-connection.ts'

/** Older ones are left to those who use them: a certificate is to be seen again some time. */
const MAX_AGE_MS = 60_000

interface Attempt {
  readonly opening: Promise<StreamConnection | NoFlow>
  connection: StreamConnection | undefined
}

/** TCP and TLS connections: one for each target, shared, opened when asked for. */
export class StreamFlows {
  readonly #options: StreamOptions
  /** By target. */
  readonly #newest = new Map<string, Attempt>()
  /** By key; those of #newest, and older ones still in use. */
  readonly #open = new Map<string, StreamConnection>()
  #count = 0
  readonly #closing = new AbortController()

  constructor(options: StreamOptions) {
    const events: FlowEvents = {
      ...options.events,
      lost: (key, reason) => {
        this.#forget(key)
        options.events.lost(key, reason)
      },
    }
    this.#options = { ...options, events }
  }

  async open(target: Target): Promise<Flow | NoFlow> {
    const { transport, address, port, domain } = target
    const place = `${transport} ${hostPortText(address, port)} ${domain}`
    let attempt = this.#newest.get(place)
    if (attempt === undefined || this.#isUnfit(attempt)) {
      attempt = { opening: this.#connect(place, target), connection: undefined }
      this.#newest.set(place, attempt)
    }
    const opened = await attempt.opening
    return opened instanceof StreamConnection ? opened.flow() : opened
  }

  close(): void {
    this.#closing.abort()
    for (const connection of [...this.#open.values()]) connection.close('closed')
    this.#newest.clear()
  }

  async #connect(place: string, target: Target): Promise<StreamConnection | NoFlow> {
    const { signal } = this.#closing
    const key = `${target.transport} #${++this.#count}`
    const opened = await StreamConnection.open(key, target, this.#options, signal)
    const attempt = this.#newest.get(place)
    if (!(opened instanceof StreamConnection)) {
      this.#newest.delete(place)
      return opened
    }
    this.#open.set(key, opened)
    if (signal.aborted) opened.close('closed')
    else if (attempt !== undefined) attempt.connection = opened
    return opened
  }

  #isUnfit({ connection }: Attempt): boolean {
    if (connection === undefined) return false
    return (
      connection.isDoubted || this.#options.clock.monotonicMs() - connection.openedMs > MAX_AGE_MS
    )
  }

  #forget(key: string): void {
    this.#open.delete(key)
    for (const [place, { connection }] of this.#newest)
      if (connection?.key === key) this.#newest.delete(place)
  }
}
