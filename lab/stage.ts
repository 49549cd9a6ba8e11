import { setTimeout as delay } from 'node:timers/promises'
import type { Calls } from './calls.ts'
import type { PowerRoom } from './power-room.ts'

const LONGEST_WAIT_MS = 180_000
export const LONGEST_WAIT_S = LONGEST_WAIT_MS / 1000

/** Which of its alerts a story waits for. */
export const STORIES = ['loss', 'power'] as const
export type StoryName = (typeof STORIES)[number]

/** What the stories of the demonstration play on. */
export interface Stage {
  readonly calls: Calls
  readonly power: PowerRoom
  readonly consoleUrl: string
  readonly say: (text: string) => void
  /** Resolves when the on-call receiver has been told so of the story's fault. */
  readonly told: (
    story: StoryName,
    kind: 'firing' | 'resolved',
    signal: AbortSignal,
  ) => Promise<void>
}

/** Whether it comes about within three minutes. */
export async function happens(event: Promise<void>, signal: AbortSignal): Promise<boolean> {
  return await Promise.race([event.then(() => true), delay(LONGEST_WAIT_MS, false, { signal })])
}
