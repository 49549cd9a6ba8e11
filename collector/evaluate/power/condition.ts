import { z } from 'zod'
import { SEVERITIES, type Severity } from '../breach.ts'
import { rhythmUs } from './rhythm.ts'

/** What one reading says of a device, as a rule sees it. Unknown is neither: it starts nothing, and it heals nothing. */
export interface Judgement {
  readonly word: 'bad' | 'between' | 'well' | 'unknown'
  /** What is wrong: "on battery, 62 % charge". */
  readonly what?: string
  /** The rule's own, where not said. */
  readonly severity?: Severity
  readonly evidence?: Readonly<Record<string, number | string>>
  /** It cannot wait, or is certain: no hold. */
  readonly isAtOnce?: boolean
}

export const WELL: Judgement = { word: 'well' }
export const BETWEEN: Judgement = { word: 'between' }
export const UNKNOWN_JUDGEMENT: Judgement = { word: 'unknown' }

/** Polls are as exact as the timers of the agents: this share of one may be missing from a hold. */
const TIMER_SLACK = 0.1
/** Until it is known how often a device is read. */
const FIRST_GAP_US = 10_000_000

const schema = z.object({
  lastUs: z.number(),
  gapUs: z.number(),
  word: z.enum(['bad', 'between', 'well', 'unknown']),
  isBad: z.boolean(),
  isHeld: z.boolean(),
  sinceUs: z.number(),
  badUs: z.number(),
  wellUs: z.number(),
  knownUs: z.number(),
  what: z.string(),
  severity: z.enum(SEVERITIES).exactOptional(),
  evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  marks: z.record(z.string(), z.union([z.number(), z.string()])),
})

export const conditionSchema = schema
export type ConditionMemory = z.output<typeof schema>

/** What a step changed. `short`: it was bad for less than the hold, and nobody was told. */
export type ConditionStep = 'nothing' | 'bad' | 'held' | 'short' | 'over'

export interface Holds {
  readonly holdUs: number
  readonly clearUs: number
}

export const NO_READING: ConditionMemory = {
  ...{ lastUs: -1, gapUs: FIRST_GAP_US, word: 'unknown', isBad: false, isHeld: false },
  ...{ sinceUs: 0, badUs: 0, wellUs: -1, knownUs: -1, what: '', evidence: {}, marks: {} },
}

/** From the first bad reading to the one that proves it well: by the times of the readings, so that one of them alone proves nothing. */
export function step(
  memory: ConditionMemory,
  judgement: Judgement,
  timeUs: number,
  { holdUs, clearUs }: Holds,
): ConditionStep {
  learnRhythm(memory, timeUs)
  memory.word = judgement.word
  const slackUs = TIMER_SLACK * memory.gapUs
  if (judgement.word === 'unknown') return 'nothing'
  memory.knownUs = timeUs
  if (judgement.word === 'bad') {
    const { what = '', severity, evidence = {}, isAtOnce = false } = judgement
    if (!memory.isBad) {
      memory.isBad = true
      memory.isHeld = false
      memory.sinceUs = timeUs
    }
    memory.badUs = timeUs
    memory.wellUs = -1
    memory.what = what
    memory.evidence = evidence
    delete memory.severity
    if (severity !== undefined) memory.severity = severity
    const isHeld = isAtOnce || timeUs - memory.sinceUs >= holdUs - slackUs
    if (memory.isHeld || !isHeld) return 'bad'
    memory.isHeld = true
    return 'held'
  }
  if (!memory.isBad) return 'nothing'
  if (!memory.isHeld) {
    memory.isBad = false
    return 'short'
  }
  if (judgement.word === 'between') {
    memory.wellUs = -1
    return 'nothing'
  }
  if (memory.wellUs < 0) memory.wellUs = timeUs
  if (timeUs - memory.wellUs < clearUs - slackUs) return 'nothing'
  memory.isBad = false
  memory.isHeld = false
  return 'over'
}

function learnRhythm(memory: ConditionMemory, timeUs: number): void {
  const known = memory.gapUs === FIRST_GAP_US ? undefined : memory.gapUs
  if (memory.lastUs >= 0) memory.gapUs = rhythmUs(known, timeUs - memory.lastUs) ?? FIRST_GAP_US
  memory.lastUs = timeUs
}
