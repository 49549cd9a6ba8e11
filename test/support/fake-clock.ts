import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../agent/scheduler.ts'

/** Turns of the event loop after each step, for what was set off to run its course. */
const TURNS = 5

/** A clock that stands still until it is told how far to go. */
export class FakeClock implements Clock {
  #monotonicMs = 0
  #wallUs: number
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()

  constructor(wallUs = 1_700_000_000_000_000) {
    this.#wallUs = wallUs
  }

  nowUs(): number {
    return this.#wallUs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#monotonicMs + delayMs, callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  get timers(): number {
    return this.#timers.size
  }

  /** How long each timer still has to go. */
  get delays(): readonly number[] {
    return [...this.#timers].map(({ atMs }) => atMs - this.#monotonicMs)
  }

  /** Lets time pass, with each timer called when it is due. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms
    await turns()
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs)
      const next = due.sort((a, b) => a.atMs - b.atMs)[0]
      this.#goTo(Math.max(this.#monotonicMs, next?.atMs ?? endMs))
      if (next === undefined) return
      this.#timers.delete(next)
      next.callback()
      await turns()
    }
  }

  /** Time passes while nothing runs: a blocked event loop, a suspended machine. Timers due are called late, at the next advance. */
  block(ms: number): void {
    this.#goTo(this.#monotonicMs + ms)
  }

  /** Somebody sets the wall clock. */
  stepWall(ms: number): void {
    this.#wallUs += ms * 1000
  }

  #goTo(monotonicMs: number): void {
    this.#wallUs += Math.round((monotonicMs - this.#monotonicMs) * 1000)
    this.#monotonicMs = monotonicMs
  }
}

async function turns(): Promise<void> {
  for (let count = 0; count < TURNS; count++) await turn()
}
