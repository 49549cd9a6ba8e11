import { setMaxListeners } from 'node:events'
import type { TransactionClock } from '../sip/transaction.ts'
import { onAbort } from './on-abort.ts'

/** What goes on at once at most: a registrar that is away must not pile up everybody's waiting. */
const MAX_AT_ONCE = 512

/** Of the interval, in which checks begin; the rest is for the last ones to end. */
const SPREAD_SHARE = 0.4
/** However long the interval: all of a round is told together, and what is a minute old is history. */
const MAX_SPREAD_MS = 20_000
const MAX_GAP_MS = 200

/** The clock of this room; tests have one of their own. */
export const sipClock: TransactionClock = {
  monotonicMs: () => performance.now(),
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => {
      clearTimeout(timer)
    }
  },
}

export interface Spread {
  /** In which the checks begin, evenly. */
  readonly overMs: number
  /** No two begin farther apart than this: a few accounts need not wait for each other. */
  readonly maxGapMs: number
}

export function spreadOver(intervalMs: number): Spread {
  return { overMs: Math.min(SPREAD_SHARE * intervalMs, MAX_SPREAD_MS), maxGapMs: MAX_GAP_MS }
}

/**
 * Runs one check for each item, their beginnings spread evenly so that a thousand accounts are no burst. The check of an item whose
 * turn comes when the signal has fired is run all the same, and sees by the signal that there is no time left.
 */
export async function runSpread<Item, Result>(
  items: readonly Item[],
  { overMs, maxGapMs }: Spread,
  clock: TransactionClock,
  signal: AbortSignal,
  check: (item: Item, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  // Every check that is under way listens to it.
  setMaxListeners(0, signal)
  const gapMs = items.length === 0 ? 0 : Math.min(maxGapMs, overMs / items.length)
  const beganMs = clock.monotonicMs()
  const results: Result[] = []
  const running = new Set<Promise<void>>()
  for (const [index, item] of items.entries()) {
    await pause(beganMs + index * gapMs - clock.monotonicMs(), clock, signal)
    while (running.size >= MAX_AT_ONCE) await Promise.race(running)
    const run = check(item, signal).then((result) => {
      results[index] = result
      running.delete(run)
    })
    running.add(run)
  }
  await Promise.all(running)
  return results
}

/** Ends after the delay, or when the signal fires. */
async function pause(delayMs: number, clock: TransactionClock, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return
  await new Promise<void>((resolve) => {
    const end = (): void => {
      cancel()
      unlisten()
      resolve()
    }
    const cancel = clock.setTimer(end, delayMs)
    const unlisten = onAbort(signal, end)
  })
}
