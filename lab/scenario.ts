import { setTimeout as delay } from 'node:timers/promises'
import { lossStory } from './loss-story.ts'
import { powerStory } from './power-story.ts'
import { STORIES, type Stage, type StoryName } from './stage.ts'

const CALM_BETWEEN_MS = { loss: 180_000, power: 20_000 } as const
const MS_PER_MIN = 60_000
const MS_PER_S = 1000
const STORY = { loss: lossStory, power: powerStory } as const

export interface Scenario {
  /** How long all is well before the first fault. */
  readonly calmMs: number
  readonly first: StoryName
}

/** The stories of the demonstration, again and again: a calm network, a bad carrier, a lost mains. */
export async function play(
  stage: Stage,
  { calmMs: firstCalmMs, first }: Scenario,
  signal: AbortSignal,
): Promise<void> {
  let calmMs = firstCalmMs
  for (let turn = STORIES.indexOf(first); ; turn++) {
    const story = nth(turn)
    await delay(calmMs, undefined, { signal })
    await STORY[story](stage, signal)
    const next = nth(turn + 1)
    calmMs = CALM_BETWEEN_MS[next]
    stage.say(`next      all is calm; ${NEXT[next]} in ${lasting(calmMs)}`)
  }
}

const NEXT = {
  loss: 'the wire to carrier-b fails',
  power: 'mains A of head office is lost',
} as const

function nth(turn: number): StoryName {
  return STORIES[turn % STORIES.length] ?? 'loss'
}

function lasting(ms: number): string {
  return ms < MS_PER_MIN ? `${ms / MS_PER_S} s` : `${ms / MS_PER_MIN} minutes`
}
