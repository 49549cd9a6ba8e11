import { setTimeout as delay } from 'node:timers/promises'
import { happens, LONGEST_WAIT_S, type Stage } from './stage.ts'

const BAD_AFTER_ALERT_MS = 20_000
const CARRIER = 'carrier-b'
const LOSS_RATIO = 0.08

/** A bad carrier, an alert, healing. */
export async function lossStory({ calls, say, told }: Stage, signal: AbortSignal): Promise<void> {
  calls.lose(CARRIER, LOSS_RATIO)
  say(
    `fault     the wire hq -> ${CARRIER} now loses 8 % of what is sent; the alert comes when that has lasted 20 s, in about half a minute`,
  )
  if (await happens(told('loss', 'firing', signal), signal))
    await delay(BAD_AFTER_ALERT_MS, undefined, { signal })
  else say(`no alert came within ${LONGEST_WAIT_S} s: see the logs`)
  calls.usual(CARRIER)
  say(`healed    the wire hq -> ${CARRIER} is good again; the alert resolves after 60 s below 2 %`)
  if (!(await happens(told('loss', 'resolved', signal), signal)))
    say(`it was not resolved within ${LONGEST_WAIT_S} s: see the logs`)
}
