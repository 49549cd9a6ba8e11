import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { SEVERITIES } from './breach.ts'
import { LivePaths } from './live-paths.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { SilentCalls } from './silent-calls.ts'
import { SilentStreams, type SilentStream } from './silent-streams.ts'
import { items, parts } from './snapshot.ts'
import { callsOf, MEDIA_STOPPED, nameOf, StoppedMedia, stoppedSchema } from './stopped-media.ts'

/** Agents tell of a silence twice: after 3 s, and after so long. */
const LAST_WORD_US = 5_000_000
/** Of what lasts longer they tell when it is over, at most so much later. */
const OVER_WITHIN_US = 1_000_000
/** Older than this on arrival is history, and nobody is paged for history; further ahead there is no time to judge it by. */
const CURRENT_US = 60_000_000
const SWEEP_US = 10_000_000
/** Of a whole path, at least so many; and a single call is never the path's trouble. */
const WHOLE_PATH = 2
const MAX_STREAMS_OPTION = 10_000
const US_PER_MS = 1000

const options = z.strictObject({
  /** Silent for so long. */
  after: duration.pipe(z.int().min(3000).max(30_000)).prefault('5s'),
  /** So many streams, */
  streams: z.int().min(2).max(MAX_STREAMS_OPTION).default(3),
  /** falling silent within so long of each other. */
  within: duration.pipe(z.int().min(100).max(30_000)).prefault('2s'),
  'clear-hold': duration.prefault('20s'),
  severity: z.enum(SEVERITIES).default('critical'),
  /** Of one call. */
  'call-severity': z.enum(SEVERITIES).default('notice'),
})

type Options = z.output<typeof options>

export const mediaStopped = defineRule({
  name: MEDIA_STOPPED,
  summary: 'streams of calls that are up fell silent together, or one call did',
  options,
  create: (read, context) => new MediaStopped(read, context),
})

/** Silence is not 0 % loss: nothing is expected while media is cut, so the 3 % rule is silent on it; this one is not. */
class MediaStopped implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #live: LivePaths
  readonly #silent: SilentStreams
  readonly #calls: SilentCalls
  #stopped: readonly StoppedMedia[]
  #startedUs: number | undefined
  #sweptUs = 0
  #late = 0
  #future = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    this.#live = new LivePaths(memory['live'])
    this.#silent = new SilentStreams(memory['silent'])
    this.#calls = new SilentCalls(read['call-severity'], context, memory['calls'])
    this.#stopped = items(stoppedSchema, memory['stopped']).map((one) => new StoppedMedia(one))
    for (const { breach } of this.#stopped) context.update(breach)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    let isNews = false
    for (const point of points) {
      if (point.name === 'rtp_stall') isNews = this.#tell(point, arrivalUs) || isNews
      else if (point.name === 'rtp_stream' && point.fields['ended'] === true)
        this.#silent.ended(point)
      else if (isFlowing(point)) this.#live.observe(point)
    }
    if (isNews) this.#judge(arrivalUs)
    if (this.#stopped.length > 0) this.#flow(points)
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    if (this.#silent.size > 0 || this.#calls.size > 0) this.#judge(nowUs)
    for (const stopped of this.#stopped) {
      const end = stopped.end(this.#options['clear-hold'] * US_PER_MS, nowUs, this.#startedUs)
      if (end !== undefined) this.#close(stopped, end.state, end.summary, nowUs)
    }
    if (nowUs - this.#sweptUs < SWEEP_US && nowUs >= this.#sweptUs) return
    this.#sweptUs = nowUs
    this.#silent.sweep(nowUs)
  }

  forgetAgent(name: string): void {
    this.#silent.settle(({ agent }) => agent === name)
    for (const stopped of this.#stopped)
      if (stopped.agents.every((agent) => agent === name))
        this.#close(stopped, 'ended', 'its token was revoked', stopped.breach.updatedUs)
  }

  siteLost(lost: string, atUs: number): void {
    this.#silent.settle(({ site }) => site === lost)
    for (const stopped of this.#stopped)
      if (stopped.site === lost)
        this.#close(stopped, 'ended', 'its site was cut off: unknown, not proven healed', atUs)
  }

  snapshot(): unknown {
    return {
      live: this.#live.memory,
      silent: this.#silent.memory,
      calls: this.#calls.memory,
      stopped: this.#stopped.map(({ memory }) => memory),
    }
  }

  counters(): Readonly<Record<string, number>> {
    return {
      late: this.#late,
      from_the_future: this.#future,
      evicted_paths: this.#live.evicted,
      evicted_streams: this.#silent.evicted,
    }
  }

  #tell(point: Measurement, arrivalUs: number): boolean {
    if (point.timeUs > arrivalUs + CURRENT_US) {
      this.#future++
      return false
    }
    if (point.timeUs < arrivalUs - CURRENT_US && point.fields['over'] !== true) {
      this.#late++
      return false
    }
    return this.#silent.tell(point)
  }

  #judge(nowUs: number): void {
    const free = this.#silent.silent().filter(({ breach }) => breach === '')
    const single: SilentStream[] = []
    for (const [, ofAgent] of grouped(free, ({ agent }) => agent))
      single.push(...this.#judgeAgent(this.#join(ofAgent, nowUs), nowUs))
    const calls = grouped(single, ({ agent, call }) => `${agent}\n${call}`)
    for (const [, ofCall] of calls)
      if (ofCall.some((stream) => this.#isDue(stream, nowUs))) this.#calls.fire(ofCall, nowUs)
    this.#calls.step(this.#silent, nowUs)
  }

  /** More of what has stopped already joins it; the others are left. */
  #join(streams: readonly SilentStream[], nowUs: number): readonly SilentStream[] {
    const withinUs = this.#options.within * US_PER_MS
    for (const stopped of this.#stopped) {
      const more = streams.filter(
        (stream) => stream.breach === '' && stopped.includes(stream, withinUs),
      )
      if (more.length === 0) continue
      for (const stream of more) stream.breach = stopped.breach.fingerprint
      const all = this.#silent.ofBreach(stopped.breach.fingerprint)
      stopped.join(all, this.#countStreams(nowUs), nowUs)
      this.#context.update(stopped.breach)
    }
    return streams.filter(({ breach }) => breach === '')
  }

  /** What is left for a notice: neither of a group that fires nor of one that is about to. */
  #judgeAgent(streams: readonly SilentStream[], nowUs: number): readonly SilentStream[] {
    const group = largestWithin(streams, this.#options.within * US_PER_MS)
    if (!this.#isMany(group, group, nowUs)) return streams
    const due = group.filter((stream) => this.#isDue(stream, nowUs))
    if (this.#isMany(due, group, nowUs)) this.#fire(group, nowUs)
    const members = new Set(group)
    return this.#judgeAgent(
      streams.filter((stream) => !members.has(stream)),
      nowUs,
    )
  }

  /** @param due those of the group that count */
  #isMany(due: readonly SilentStream[], group: readonly SilentStream[], nowUs: number): boolean {
    if (callsOf(due) < WHOLE_PATH) return false
    if (due.length >= this.#options.streams) return true
    const countStreams = this.#countStreams(nowUs)
    return [...grouped(due, nameOf)].some(([path, ofPath]) => {
      const silent = group.filter((stream) => nameOf(stream) === path).length
      const [first] = ofPath
      return first !== undefined && callsOf(ofPath) >= WHOLE_PATH
        ? silent >= countStreams(first.agent, first)
        : false
    })
  }

  #fire(group: readonly SilentStream[], nowUs: number): void {
    const countStreams = this.#countStreams(nowUs)
    const stopped = StoppedMedia.of(group, countStreams, this.#options.severity, nowUs)
    for (const stream of group) stream.breach = stopped.breach.fingerprint
    const isIsolated = group.some(({ agent }) => this.#context.isolation.isIsolated(agent, nowUs))
    if (isIsolated) stopped.remark('the agent sees nothing else either: it may itself be cut off')
    this.#stopped = [...this.#stopped, stopped]
    this.#context.change('firing', stopped.breach, nowUs)
  }

  #flow(points: readonly Measurement[]): void {
    const silent = new Set(this.#silent.silent().map((stream) => nameOf(stream)))
    const isStillSilent = (path: string): boolean => silent.has(path)
    for (const point of points)
      if (isFlowing(point))
        for (const stopped of this.#stopped) stopped.flowed(point, isStillSilent)
  }

  #close(stopped: StoppedMedia, state: 'resolved' | 'ended', summary: string, atUs: number): void {
    this.#stopped = this.#stopped.filter((other) => other !== stopped)
    const { breach } = stopped
    this.#silent.settle((stream) => stream.breach === breach.fingerprint)
    const closed = { ...breach, state, summary, closedUs: atUs, updatedUs: atUs }
    this.#context.change(state, closed, atUs)
  }

  #isDue({ stalledUs, sinceUs }: SilentStream, nowUs: number): boolean {
    const afterUs = this.#options.after * US_PER_MS
    if (stalledUs >= afterUs) return true
    return stalledUs >= LAST_WORD_US && nowUs - sinceUs >= afterUs + OVER_WITHIN_US
  }

  #countStreams(nowUs: number) {
    return (agent: string, path: { from: string; to: string; at: string }): number =>
      this.#live.streams(agent, path, nowUs)
  }
}

function isFlowing({ name, fields }: Measurement): boolean {
  if (name !== 'rtp_stream' || fields['ended'] === true) return false
  const { received } = fields
  return typeof received === 'number' && received > 0
}

/** The most streams whose silences began within so long of each other. */
function largestWithin(streams: readonly SilentStream[], withinUs: number): SilentStream[] {
  const sorted = [...streams].sort((a, b) => a.sinceUs - b.sinceUs)
  let best = { from: 0, to: 0 }
  let from = 0
  for (const [last, { sinceUs }] of sorted.entries()) {
    while (sinceUs - (sorted[from]?.sinceUs ?? 0) > withinUs) from++
    if (last + 1 - from > best.to - best.from) best = { from, to: last + 1 }
  }
  return sorted.slice(best.from, best.to)
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
