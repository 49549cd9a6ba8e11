import { setTimeout as delay } from 'node:timers/promises'
import { EMERGENCY_HOLD_UP_MIN, RUNTIME_MIN } from './drawing.ts'
import { MINUTE_MS } from './power-room.ts'
import { happens, LONGEST_WAIT_S, type Stage } from './stage.ts'

const LOOK_MS = 1000
const LOW_MS = 15_000
const MS_PER_MIN = 60_000

/** One of two mains is lost: on battery, redundancy gone, minutes running out for 112, battery low, mains back. */
export async function powerStory(stage: Stage, signal: AbortSignal): Promise<void> {
  const { power, say, told, consoleUrl } = stage
  power.loseMains('a')
  say(
    `power     mains A of head office is lost: UPS A carries reception, floor 1 and half of the exchange on its battery. Look at ${consoleUrl}/#power`,
  )
  say(
    `          its ${RUNTIME_MIN} min pass ${MS_PER_MIN / MINUTE_MS} times as fast here; the alert comes within 15 s, and says more whenever it gets worse`,
  )
  const [resolved, fired] = await Promise.all([
    runDown(stage, signal),
    happens(told('power', 'firing', signal), signal),
  ])
  if (!fired) say(`no alert came within ${LONGEST_WAIT_S} s: see the logs`)
  else if (!resolved) say(`it was not resolved within ${LONGEST_WAIT_S} s: see the logs`)
}

/** @returns whether the alert was resolved when the mains was back */
async function runDown(stage: Stage, signal: AbortSignal): Promise<boolean> {
  const { power, say, told } = stage
  await until(signal, () => power.minutesLeft('a') < EMERGENCY_HOLD_UP_MIN)
  say(
    `minutes   UPS A has ${EMERGENCY_HOLD_UP_MIN} min left and less: reception should be able to call 112 for ${EMERGENCY_HOLD_UP_MIN} min without mains. Calls to outside would go on: floor 2 hangs on mains B`,
  )
  await until(signal, () => power.isLow('a'))
  say(
    `battery   UPS A says that its battery is low: ${power.minutesLeft('a').toFixed(0)} min until reception and floor 1 are silent`,
  )
  await delay(LOW_MS, undefined, { signal })
  power.restoreMains('a')
  say(
    'restored  mains A is back; the alert resolves after 10 s. UPS A charges: until its battery carries again, mains A is one more single point',
  )
  return await happens(told('power', 'resolved', signal), signal)
}

async function until(signal: AbortSignal, isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(LOOK_MS, undefined, { signal })
}
