import { z } from 'zod'
import type { Measurement } from '../../../common/measurement.ts'
import { copyOf } from '../copy-of.ts'
import { numberOf } from '../points.ts'
import { lasting } from '../words.ts'
import type { DeviceState } from './device-state.ts'
import { rhythmUs } from './rhythm.ts'

/** Missing so many of its readings is no news; less is a slow network. */
const STALE_READINGS = 3
/** Nobody is out of date sooner than that, */
const SOONEST_STALE_US = 15_000_000
/** nor believed for longer. */
const LATEST_STALE_US = 900_000_000
/** Until it is known how often something is read. */
const FIRST_GAP_US = 60_000_000
const US_PER_MS = 1000
const US_PER_S = 1_000_000
const NO_SOURCES: ('a' | 'b')[] = []

/** Whoever reaches it is right: the others may be cut off themselves. */
const REACHED: ReadonlySet<string> = new Set([
  'ping',
  'sip_options',
  'sip_registration',
  'sip_call',
  'agent',
  'host',
])

export const readingSchema = z.object({
  /** Component or service, by id. */
  id: z.string(),
  isService: z.boolean(),
  agent: z.string(),
  site: z.string(),
  /** Of a trunk: which of its servers; '' where it is one thing. */
  server: z.string(),
  measurement: z.string(),
  state: z.enum(['up', 'degraded', 'down', 'unknown']),
  reason: z.string(),
  inputLost: z.boolean().exactOptional(),
  isUnprotected: z.boolean().exactOptional(),
  lostSources: z.array(z.enum(['a', 'b'])).exactOptional(),
  runtimeLeftS: z.number().exactOptional(),
  chargeRatio: z.number().exactOptional(),
  isLow: z.boolean().exactOptional(),
  sinceUs: z.number(),
  atUs: z.number(),
  /** Of its newest reading with a state. */
  knownUs: z.number(),
  gapUs: z.number().exactOptional(),
})

type Times = 'atUs' | 'knownUs' | 'gapUs'
type Read = z.output<typeof readingSchema>

/** What one agent reads of one thing. Read again to the same effect it only becomes newer. */
export type Reading = Readonly<Omit<Read, Times>> & Pick<Read, Times>

/** Of what nothing was read. */
const NO_READING: Reading = {
  ...{ id: '', isService: false, agent: '', site: '', server: '', measurement: '' },
  ...{ state: 'unknown', reason: '', sinceUs: 0, atUs: 0, knownUs: 0 },
}

/** As its agent sees it, unless that is out of date or was cut off itself. */
export function current(
  reading: Reading,
  nowUs: number,
  isIsolated: (agent: string, atUs: number) => boolean,
): Reading {
  const { agent, atUs, knownUs } = reading
  // A battery goes on running down between two readings, and when nobody reads it any more.
  const runs =
    reading.inputLost !== true || reading.runtimeLeftS === undefined
      ? reading
      : {
          ...reading,
          runtimeLeftS: Math.max(0, reading.runtimeLeftS - (nowUs - knownUs) / US_PER_S),
        }
  if (nowUs > staleFromUs(reading))
    return { ...runs, state: 'unknown', reason: `no news for ${lasting(nowUs - atUs)}` }
  if (reading.state === 'down' && isIsolated(agent, atUs))
    return { ...runs, state: 'unknown', reason: `${agent} may itself be cut off` }
  return runs
}

/** Until when current() says the same; -Infinity where that depends on the time, or on what its agent says of itself. */
export function steadyUntilUs(reading: Reading, nowUs: number): number {
  const runsDown = reading.inputLost === true && reading.runtimeLeftS !== undefined
  const untilUs = staleFromUs(reading)
  return runsDown || reading.state === 'down' || nowUs > untilUs ? -Infinity : untilUs
}

function staleFromUs({ atUs, gapUs = FIRST_GAP_US }: Reading): number {
  return atUs + Math.min(LATEST_STALE_US, Math.max(SOONEST_STALE_US, STALE_READINGS * gapUs))
}

/** What is known of a thing after a point told of it. @param known before */
export function readingAfter(
  known: Reading | undefined,
  of: Pick<Reading, 'id' | 'isService'>,
  point: Measurement,
  state: DeviceState,
): Reading {
  const { timeUs, name } = point
  const { agent = '', site = '', server = '' } = point.tags
  const isKnown = state.state !== 'unknown'
  const kept = isKnown ? state : { ...lastWordOf(known), ...state }
  const isSame =
    known !== undefined && known.state === kept.state && known.inputLost === kept.inputLost
  const gapUs = gapOf(point, known)
  const { id, isService } = of
  return {
    ...(known === undefined
      ? { id, isService, agent: copyOf(agent), site: copyOf(site), server: copyOf(server) }
      : placeOf(known)),
    measurement: name,
    ...kept,
    lostSources: kept.lostSources === undefined ? NO_SOURCES : [...kept.lostSources],
    reason: known?.reason === kept.reason ? known.reason : copyOf(kept.reason),
    sinceUs: isSame ? known.sinceUs : timeUs,
    atUs: timeUs,
    knownUs: isKnown ? timeUs : (known?.knownUs ?? timeUs),
    ...(gapUs === undefined ? {} : { gapUs }),
  }
}

/** A point that says nothing but that it is still so makes the reading newer. @returns whether it does */
export function isRepeated(reading: Reading, point: Measurement, state: DeviceState): boolean {
  const isSame =
    state.state !== 'unknown' &&
    state.reason === reading.reason &&
    point.name === reading.measurement &&
    state.chargeRatio === reading.chargeRatio &&
    !isOther(reading, state)
  if (!isSame) return false
  const gapUs = gapOf(point, reading)
  reading.atUs = point.timeUs
  reading.knownUs = point.timeUs
  if (gapUs !== undefined) reading.gapUs = gapUs
  return true
}

/** Whether more became known than that it is still so. */
export function isNews(before: Reading | undefined, after: Reading): boolean {
  return before === undefined || isOther(before, after)
}

type Said = Pick<
  DeviceState,
  'state' | 'inputLost' | 'isUnprotected' | 'isLow' | 'runtimeLeftS' | 'lostSources'
>

function isOther(before: Said, after: Said): boolean {
  const { lostSources = NO_SOURCES } = before
  const { lostSources: now = NO_SOURCES } = after
  return (
    before.state !== after.state ||
    before.inputLost !== after.inputLost ||
    before.isUnprotected !== after.isUnprotected ||
    before.isLow !== after.isLow ||
    before.runtimeLeftS !== after.runtimeLeftS ||
    (lostSources !== now && lostSources.join() !== now.join())
  )
}

/** Of several of one thing, that which is to be believed. */
export function chosenOf(readings: readonly Reading[]): Reading {
  const [only = NO_READING] = readings
  if (readings.length < 2) return only
  const isReached = readings.some(({ measurement }) => REACHED.has(measurement))
  return readings.toSorted(isReached ? bestFirst : newestFirst)[0] ?? NO_READING
}

/** What was on battery when contact was lost is not on mains again for want of news. */
function lastWordOf(known: Reading | undefined): Partial<DeviceState> {
  if (known?.inputLost !== true) return {}
  const { runtimeLeftS } = known
  return { inputLost: true, ...(runtimeLeftS === undefined ? {} : { runtimeLeftS }) }
}

function gapOf({ timeUs, fields }: Measurement, known: Reading | undefined): number | undefined {
  const intervalMs = numberOf(fields, 'interval_ms')
  if (intervalMs !== undefined) return intervalMs * US_PER_MS
  return known === undefined ? undefined : rhythmUs(known.gapUs, timeUs - known.atUs)
}

function placeOf({ id, isService, agent, site, server }: Reading) {
  return { id, isService, agent, site, server }
}

const RANK = ['up', 'degraded', 'down', 'unknown']

function bestFirst(a: Reading, b: Reading): number {
  return RANK.indexOf(a.state) - RANK.indexOf(b.state) || newestFirst(a, b)
}

export function newestFirst(a: Reading, b: Reading): number {
  const isKnown = ({ state }: Reading): number => Number(state !== 'unknown')
  return isKnown(b) - isKnown(a) || b.atUs - a.atUs
}
