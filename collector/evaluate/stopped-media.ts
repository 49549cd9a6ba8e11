import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { breachSchema, fingerprintOf, type Breach, type Severity } from './breach.ts'
import type { PathName } from './live-paths.ts'
import type { SilentStream } from './silent-streams.ts'
import { count, lasting, utcMinute } from './words.ts'

export const MEDIA_STOPPED = 'media-stopped'
const US_PER_MS = 1000
const DEFAULT_INTERVAL_MS = 10_000
/** Intervals are as exact as their timers: this share of one may be missing from a hold. */
const TIMER_SLACK = 0.1
/** Where nothing flows for so long there are no calls: it is not proven healed. */
const FORGOTTEN_US = 5 * 60_000_000
/** So many paths make an alert that can be read; the rest is counted. */
const NAMED = 4

const seenSchema = z.object({
  agent: z.string(),
  from: z.string(),
  to: z.string(),
  at: z.string(),
  bearer: z.string(),
  owner: z.string(),
  /** Streams that fell silent, of those that were up. */
  silent: z.number(),
  streams: z.number(),
})

/** One path as one agent saw it stop. */
type Seen = z.output<typeof seenSchema>

const flowSchema = z.object({ path: z.string(), clearUs: z.number(), coveredToUs: z.number() })

export const stoppedSchema = z.object({
  breach: breachSchema,
  site: z.string(),
  /** First and last beginning of a silence. */
  firstUs: z.number(),
  lastUs: z.number(),
  /** Most at once, at one agent. */
  calls: z.number(),
  seen: z.array(seenSchema),
  /** Per path: for how long streams have flown on it again, and up to when. */
  flows: z.array(flowSchema),
})

type Memory = z.output<typeof stoppedSchema>

/** How many streams were up on a path, as an agent saw it. */
export type CountStreams = (agent: string, path: PathName) => number

/** Streams of one site that fell silent together: one alert, from the first word to healed, whoever saw it on whatever paths. */
export class StoppedMedia {
  #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
  }

  static of(
    streams: readonly SilentStream[],
    countStreams: CountStreams,
    severity: Severity,
    nowUs: number,
  ): StoppedMedia {
    const [{ site } = { site: '' }] = streams
    const seen = seenBy(streams, countStreams)
    const [{ from, to, at } = UNSEEN] = worstFirst(seen)
    const sinceUs = Math.min(...streams.map((stream) => stream.sinceUs))
    const fingerprint = fingerprintOf(MEDIA_STOPPED, site, from, to, at)
    const stopped = new StoppedMedia({
      breach: {
        ...{ id: `${fingerprint}/${sinceUs}`, fingerprint, rule: MEDIA_STOPPED },
        ...{ object: '', state: 'firing', severity, summary: '', labels: {}, evidence: {} },
        ...{ sinceUs, firedUs: nowUs, updatedUs: nowUs },
      },
      ...{ site, firstUs: sinceUs, lastUs: sinceUs, calls: 0, seen: [], flows: [] },
    })
    stopped.join(streams, countStreams, nowUs)
    return stopped
  }

  get breach(): Breach {
    return this.#memory.breach
  }

  get site(): string {
    return this.#memory.site
  }

  get memory(): Memory {
    return this.#memory
  }

  /** Who saw it. */
  get agents(): readonly string[] {
    return [...new Set(this.#memory.seen.map(({ agent }) => agent))]
  }

  /** Whether a stream that fell silent is part of this: at the same moment, or on a path that has stopped already. */
  includes({ site, sinceUs, from, to, at }: SilentStream, withinUs: number): boolean {
    const { firstUs, lastUs, flows } = this.#memory
    if (site !== this.#memory.site) return false
    const isThen = sinceUs >= lastUs - withinUs && sinceUs <= firstUs + withinUs
    return isThen || flows.some(({ path }) => path === nameOf({ from, to, at }))
  }

  /** @param streams all that are part of it, known and new */
  join(streams: readonly SilentStream[], countStreams: CountStreams, nowUs: number): void {
    const memory = this.#memory
    memory.seen = mostOf(memory.seen, seenBy(streams, countStreams))
    const calls = this.agents.map((agent) => callsOf(streams.filter((one) => one.agent === agent)))
    memory.calls = Math.max(memory.calls, ...calls)
    for (const { sinceUs, isOver, ...path } of streams) {
      memory.firstUs = Math.min(memory.firstUs, sinceUs)
      memory.lastUs = Math.max(memory.lastUs, sinceUs)
      const name = nameOf(path)
      const flow = memory.flows.find((one) => one.path === name)
      if (flow === undefined) memory.flows.push({ path: name, clearUs: 0, coveredToUs: sinceUs })
      else if (!isOver) flow.clearUs = 0
    }
    memory.breach = { ...memory.breach, ...described(memory), updatedUs: nowUs }
  }

  /** Says more in the alert's sentence. */
  remark(remark: string): void {
    const { breach } = this.#memory
    this.#memory.breach = { ...breach, summary: `${breach.summary}; ${remark}` }
  }

  /** Something was received of a stream. @param isStillSilent whether others on its path are silent yet */
  flowed({ tags, fields, timeUs }: Measurement, isStillSilent: (path: string) => boolean): void {
    const { from = '', to = '', at = '' } = tags
    const path = nameOf({ from, to, at })
    const flow = this.#memory.flows.find((one) => one.path === path)
    if (flow === undefined) return
    const { interval_ms: intervalMs, active_ms: activeMs } = fields
    const lengthMs = typeof intervalMs === 'number' ? intervalMs : DEFAULT_INTERVAL_MS
    const flownMs = typeof activeMs === 'number' ? Math.min(activeMs, lengthMs) : lengthMs
    // Of the interval in which it fell silent nobody knows which part was before.
    if (timeUs - lengthMs * US_PER_MS < this.#memory.lastUs) return
    const coveredUs = timeUs - Math.max(timeUs - flownMs * US_PER_MS, flow.coveredToUs)
    if (coveredUs <= 0) return
    flow.coveredToUs = timeUs
    flow.clearUs = isStillSilent(path) ? 0 : flow.clearUs + coveredUs
  }

  /** Undefined while it lasts; its end otherwise. */
  end(
    clearHoldUs: number,
    nowUs: number,
    listeningUs: number,
  ): { readonly state: 'resolved' | 'ended'; readonly summary: string } | undefined {
    const { flows, breach, lastUs } = this.#memory
    const slackUs = TIMER_SLACK * DEFAULT_INTERVAL_MS * US_PER_MS
    const isClear = ({ clearUs }: Memory['flows'][number]): boolean =>
      clearUs + slackUs >= clearHoldUs
    const quietSinceUs = Math.max(breach.firedUs ?? lastUs, listeningUs)
    const idle = flows.filter(
      (flow) => !isClear(flow) && nowUs - Math.max(flow.coveredToUs, quietSinceUs) >= FORGOTTEN_US,
    )
    const clear = flows.filter(isClear)
    if (clear.length + idle.length < flows.length) return undefined
    if (clear.length === 0)
      return { state: 'ended', summary: `no calls since ${utcMinute(lastUs)}, not proven healed` }
    const firstUs = Math.min(...clear.map(({ coveredToUs, clearUs }) => coveredToUs - clearUs))
    const again = `media flows again after ${lasting(firstUs - breach.sinceUs)}`
    const without = idle.map(({ path }) => path.split('\n').slice(0, 2).join(' -> '))
    return {
      state: 'resolved',
      summary: without.length === 0 ? again : `${again}; no calls since on ${without.join(', ')}`,
    }
  }
}

/** One key for a path, whoever sees it. */
export function nameOf({ from, to, at }: PathName): string {
  return `${from}\n${to}\n${at}`
}

export function callsOf(streams: readonly SilentStream[]): number {
  return new Set(streams.map(({ call }) => call)).size
}

const UNSEEN = { from: '', to: '', at: '' }

function seenBy(streams: readonly SilentStream[], countStreams: CountStreams): readonly Seen[] {
  const seen = new Map<string, Seen>()
  for (const { agent, from, to, at, bearer, owner } of streams) {
    const key = `${agent}\n${nameOf({ from, to, at })}`
    const one = seen.get(key) ?? {
      ...{ agent, from, to, at, bearer, owner },
      ...{ silent: 0, streams: countStreams(agent, { from, to, at }) },
    }
    const silent = one.silent + 1
    seen.set(key, { ...one, silent, streams: Math.max(one.streams, silent) })
  }
  return [...seen.values()]
}

/** The worst of both, path by path: that streams are over again does not make it less. */
function mostOf(before: readonly Seen[], now: readonly Seen[]): Seen[] {
  const isSame = (a: Seen, b: Seen): boolean => a.agent === b.agent && nameOf(a) === nameOf(b)
  const merged = before.map((old) => {
    const one = now.find((other) => isSame(old, other))
    return one === undefined || one.silent < old.silent ? old : one
  })
  return [...merged, ...now.filter((one) => !before.some((old) => isSame(old, one)))]
}

function worstFirst(seen: readonly Seen[]): readonly Seen[] {
  return [...seen].sort(
    (a, b) =>
      b.silent / b.streams - a.silent / a.streams ||
      b.silent - a.silent ||
      (nameOf(a) < nameOf(b) ? -1 : 1),
  )
}

function described(memory: Memory): Pick<Breach, 'object' | 'summary' | 'labels' | 'evidence'> {
  const { site, seen, calls, firstUs } = memory
  const total = (agent: string): number => sumOf(seen.filter((one) => one.agent === agent)).silent
  const agents = [...new Set(seen.map(({ agent }) => agent))].sort((a, b) => total(b) - total(a))
  const [lead = '', ...others] = agents
  const paths = worstFirst(seen.filter(({ agent }) => agent === lead))
  const [worst] = paths
  if (worst === undefined) return { object: '', summary: '', labels: {}, evidence: {} }
  const { from, to, at, bearer, owner } = worst
  const { silent, streams } = sumOf(paths)
  const more = paths.length - NAMED
  const named = paths.slice(0, NAMED).map(wordsOf).join(', ')
  const also = others.length === 0 ? '' : `; seen by ${others.join(', ')} too`
  const which = calls === 1 ? '1 call' : `${count(calls)} calls`
  return {
    object: objectOf(paths),
    summary: `${count(silent)} of ${count(streams)} streams (${which}) silent since ${utcMinute(firstUs)}: ${named}${more > 0 ? ` and ${more} more paths` : ''}${also}`,
    labels: {
      ...{ site: site === '' ? 'unknown' : site, agent: lead },
      ...{ from, to, at, source: 'stream', segment: `${from} -> ${at}`, bearer, owner },
    },
    evidence: {
      ...{ streams, streams_silent: silent, calls, paths: paths.length },
      worst_path: wordsOf(worst),
      observers: agents.join(', '),
      silent_since_ms: Math.round(firstUs / US_PER_MS),
    },
  }
}

/** "hq -> carrier-a", both directions as "hq <-> carrier-a", more as "... and 2 more paths". */
function objectOf(paths: readonly Seen[]): string {
  const [first = UNSEEN, second = UNSEEN] = paths
  const isReverse = first.from === second.to && first.to === second.from
  const named = isReverse ? 2 : 1
  const more = paths.length - named
  const rest = more > 0 ? ` and ${more} more ${more === 1 ? 'path' : 'paths'}` : ''
  return `${first.from} ${isReverse ? '<->' : '->'} ${first.to}${rest}`
}

function wordsOf({ from, to, silent, streams, owner }: Seen): string {
  const whose = owner === 'unknown' ? '' : ` (owner ${owner})`
  return `${from} -> ${to} ${count(silent)} of ${count(streams)}${whose}`
}

function sumOf(seen: readonly Seen[]): { readonly silent: number; readonly streams: number } {
  return {
    silent: seen.reduce((sum, { silent }) => sum + silent, 0),
    streams: seen.reduce((sum, { streams }) => sum + streams, 0),
  }
}
