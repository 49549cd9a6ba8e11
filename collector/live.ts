import type { EventStreams } from './http/events.ts'
import { changeOf } from './http/overview-change.ts'
import type { Overview } from './http/overview.ts'

/** Made at most so often, however many ask for it. */
const FRESH_MS = 1000
/** Sent so often even when nothing changed: a page that hears nothing says it is not live. */
const UNCHANGED_MS = 10_000
const HEARTBEAT_MS = 15_000

/** The overview, made at most once a second and shared by all who look; who goes on looking is sent what changes. */
export class Live {
  readonly #build: () => Promise<Overview>
  readonly #streams: EventStreams
  readonly #nowMs: () => number
  #json: Promise<string> | undefined
  #builtMs = -Infinity
  /** What all open consoles show. */
  #shown: Overview | undefined
  #isChanged = true
  #sentMs = 0
  #heartbeatMs = 0

  constructor(build: () => Promise<Overview>, streams: EventStreams, nowMs: () => number) {
    this.#build = build
    this.#streams = streams
    this.#nowMs = nowMs
  }

  changed(): void {
    this.#isChanged = true
  }

  /** As JSON, not older than a second. */
  async json(): Promise<string> {
    const nowMs = this.#nowMs()
    if (this.#json === undefined || Math.abs(nowMs - this.#builtMs) >= FRESH_MS) {
      this.#builtMs = nowMs
      this.#json = this.#build().then((overview) => JSON.stringify(overview))
    }
    return await this.#json
  }

  /** Lets a console begin with what the others show, for the changes that follow build upon it. */
  async follow<T>(begin: (first: string) => T): Promise<T> {
    if (this.#streams.size === 0) this.#shown = undefined
    const overview = this.#shown ?? (await this.#build())
    // Meanwhile somebody else may have begun, or been sent a change. From here to its first event nothing is waited for.
    this.#shown ??= overview
    return begin(JSON.stringify(this.#shown))
  }

  /** To be called once a second: sends what changed to the open consoles. */
  async tick(): Promise<void> {
    const nowMs = this.#nowMs()
    if (Math.abs(nowMs - this.#heartbeatMs) >= HEARTBEAT_MS) {
      this.#heartbeatMs = nowMs
      this.#streams.heartbeat()
    }
    if (this.#streams.size === 0) return
    if (!this.#isChanged && Math.abs(nowMs - this.#sentMs) < UNCHANGED_MS) return
    this.#isChanged = false
    this.#sentMs = nowMs
    const overview = await this.#build()
    if (this.#shown !== undefined)
      this.#streams.send(JSON.stringify(changeOf(this.#shown, overview)))
    this.#shown = overview
  }
}
