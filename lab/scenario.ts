import { setTimeout as delay } from 'node:timers/promises'
import type { Calls } from './calls.ts'

const CALM_BETWEEN_MS = 180_000
const BAD_AFTER_ALERT_MS = 20_000
const LONGEST_WAIT_MS = 180_000
const STORY = { carrier: 'carrier-b', lossRatio: 0.08 } as const

export interface Stage {
  readonly calls: Calls
  /** How long all is well before the first fault. */
  readonly calmMs: number
  readonly say: (text: string) => void
  /** Resolves when the on-call receiver has been told so of carrier-b. */
  readonly told: (kind: 'firing' | 'resolved', signal: AbortSignal) => Promise<void>
}

/** The story of the demonstration, again and again: a calm network, a bad carrier, an alert, healing. */
export async function play(
  { calls, calmMs: firstCalmMs, say, told }: Stage,
  signal: AbortSignal,
): Promise<void> {
  for (let calmMs = firstCalmMs; ; calmMs = CALM_BETWEEN_MS) {
    await delay(calmMs, undefined, { signal })
    calls.lose(STORY.carrier, STORY.lossRatio)
    say(
      `fault     the wire hq -> ${STORY.carrier} now loses 8 % of what is sent; the alert comes when that has lasted 20 s, in about half a minute`,
    )
    if (await happens(told('firing', signal), signal))
      await delay(BAD_AFTER_ALERT_MS, undefined, { signal })
    else say(`no alert came within ${LONGEST_WAIT_MS / 1000} s: see the logs`)
    calls.usual(STORY.carrier)
    say(
      `healed    the wire hq -> ${STORY.carrier} is good again; the alert resolves after 60 s below 2 %`,
    )
    if (await happens(told('resolved', signal), signal))
      say(`next      all is calm; the same again in ${CALM_BETWEEN_MS / 60_000} minutes`)
    else say(`it was not resolved within ${LONGEST_WAIT_MS / 1000} s: see the logs`)
  }
}

async function happens(event: Promise<void>, signal: AbortSignal): Promise<boolean> {
  return await Promise.race([event.then(() => true), delay(LONGEST_WAIT_MS, false, { signal })])
}
