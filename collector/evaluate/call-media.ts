import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration, ratio } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, type Breach, type Severity } from './breach.ts'
import { copyOf } from './copy-of.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { lasting, percent } from './words.ts'

const NAME = 'call-media'
const US_PER_MS = 1000
/** Points further ahead than this have no time to be judged by. */
const FUTURE_US = 60_000_000
/** What an agent said of all its calls holds for so long. */
const CALLS_HOLD_US = 60_000_000
/** Full, further ones are counted, not judged. */
const MAX_PATHS = 1000
const MAX_CALLS = 1000
const MAX_AGENTS = 10_000
const EXAMPLES = 3

const options = z.strictObject({
  /** A call counts for so long after it was last found without its media. */
  window: duration.prefault('60s'),
  /** So many calls of a path are worth a notice, */
  notice: z.int().min(1).default(1),
  /** so many, and this share of the calls the agent knows of, a warning. */
  warning: z.int().min(1).default(3),
  share: ratio.default(0.1),
})
type Options = z.output<typeof options>

/** Calls that are up by signalling and have no speech, or in one direction only. */
export const callMedia = defineRule({
  name: NAME,
  summary: 'established calls of a path are silent or one-way',
  options,
  create: (read, context) => new CallMedia(read, context),
})

const callSchema = z.object({ lastUs: z.number(), isOneWay: z.boolean(), agent: z.string() })
const pathSchema = z.object({
  key: z.string(),
  labels: z.record(z.string(), z.string()),
  calls: z.array(z.tuple([z.string(), callSchema])),
  breach: breachSchema.exactOptional(),
})
const agentSchema = z.object({
  agent: z.string(),
  target: z.string(),
  calls: z.number(),
  atUs: z.number(),
})

type Call = z.output<typeof callSchema>

interface Path {
  readonly key: string
  readonly labels: Readonly<Record<string, string>>
  /** By Call-ID, those found without their media within the window. */
  readonly calls: Map<string, Call>
  breach?: Breach
}

class CallMedia implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #paths = new Map<string, Path>()
  /** Calls up, by agent and probe. */
  readonly #agents = new Map<string, z.output<typeof agentSchema>>()
  readonly #counters = { from_the_future: 0, too_many: 0 }

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const restored = parts(context.restored)
    for (const { calls, ...path } of items(pathSchema, restored['paths'])) {
      this.#paths.set(path.key, { ...path, calls: new Map(calls) })
      if (path.breach !== undefined) context.update(path.breach)
    }
    for (const agent of items(agentSchema, restored['agents']))
      this.#agents.set(`${agent.agent} ${agent.target}`, agent)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    const touched = new Set<Path>()
    for (const point of points) {
      if (point.name !== 'rtp_call' && point.name !== 'agent') continue
      if (point.timeUs > arrivalUs + FUTURE_US) this.#counters.from_the_future++
      else if (point.name === 'agent') this.#learnCalls(point)
      else this.#learnTrouble(point, arrivalUs, touched)
    }
    for (const path of touched) this.#judge(path, arrivalUs)
  }

  tick(nowUs: number): void {
    for (const path of this.#paths.values()) this.#judge(path, nowUs)
    for (const [key, { atUs }] of this.#agents)
      if (Math.abs(nowUs - atUs) > CALLS_HOLD_US) this.#agents.delete(key)
  }

  forgetAgent(agent: string): void {
    for (const { calls } of this.#paths.values())
      for (const [id, call] of calls) if (call.agent === agent) calls.delete(id)
  }

  snapshot(): unknown {
    const paths = [...this.#paths.values()].map((path) => ({ ...path, calls: [...path.calls] }))
    return { paths, agents: [...this.#agents.values()] }
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters
  }

  #learnCalls({ tags, fields, timeUs }: Measurement): void {
    const { calls } = fields
    const { agent = '', target = '' } = tags
    if (typeof calls !== 'number' || agent === '') return
    const key = `${agent} ${target}`
    const known = this.#agents.get(key)
    if (known === undefined && this.#agents.size >= MAX_AGENTS) this.#counters.too_many++
    else if (known === undefined || timeUs >= known.atUs)
      this.#agents.set(key, { agent, target, calls, atUs: timeUs })
  }

  #learnTrouble({ tags, fields, timeUs }: Measurement, nowUs: number, touched: Set<Path>): void {
    const { call_id: id, one_way: oneWay, silent } = fields
    const { agent = '', site = 'unknown', from = 'unknown', to = 'unknown' } = tags
    const { at = 'unknown', bearer = 'unknown', owner = 'unknown' } = tags
    const isTrouble = oneWay === true || silent === true
    if (typeof id !== 'string' || !isTrouble || timeUs <= nowUs - this.#windowUs) return
    // Found nothing because nothing reaches the agent at all.
    if (this.#context.isolation.isIsolated(agent, timeUs)) return
    const key = [from, to, at].join('\n')
    let path = this.#paths.get(key)
    if (path === undefined) {
      if (this.#paths.size >= MAX_PATHS) {
        this.#counters.too_many++
        return
      }
      const segment = `${from} -> ${at}`
      const labels = { from, to, at, segment, site, agent, bearer, owner }
      path = { key, labels, calls: new Map() }
      this.#paths.set(key, path)
    }
    if (!path.calls.has(id) && path.calls.size >= MAX_CALLS) {
      this.#counters.too_many++
      return
    }
    path.calls.set(copyOf(id), { lastUs: timeUs, isOneWay: silent !== true, agent })
    touched.add(path)
  }

  #judge(path: Path, nowUs: number): void {
    for (const [id, { lastUs }] of path.calls)
      if (Math.abs(nowUs - lastUs) >= this.#windowUs) path.calls.delete(id)
    const severity = this.#severityOf(path)
    const { breach } = path
    if (severity === undefined) {
      if (breach !== undefined) this.#close(breach, nowUs)
      delete path.breach
      if (path.calls.size === 0) this.#paths.delete(path.key)
      return
    }
    const isWorse = breach?.severity === 'notice' && severity === 'warning'
    // Once it was a warning it stays one until it is over.
    const kept: Severity = breach?.severity === 'warning' ? 'warning' : severity
    const newest = this.#breachOf(path, kept, nowUs)
    if (breach?.summary === newest.summary && !isWorse) return
    path.breach = newest
    if (breach === undefined) this.#context.change('firing', newest, nowUs)
    else if (isWorse) this.#context.change('escalated', newest, nowUs)
    else this.#context.update(newest)
  }

  #severityOf(path: Path): Severity | undefined {
    const { notice, warning, share } = this.#options
    const { size } = path.calls
    const known = this.#knownCalls(path)
    if (size >= warning && known !== undefined && size >= share * known) return 'warning'
    return size >= notice ? 'notice' : undefined
  }

  /** All calls the agents that saw these have up; undefined while they do not tell. */
  #knownCalls({ calls }: Path): number | undefined {
    const agents = new Set([...calls.values()].map(({ agent }) => agent))
    let sum: number | undefined
    for (const one of this.#agents.values()) if (agents.has(one.agent)) sum = (sum ?? 0) + one.calls
    return sum
  }

  #breachOf(path: Path, severity: Severity, nowUs: number): Breach {
    const { labels, calls, breach } = path
    const all = [...calls.values()]
    const oneWay = all.filter(({ isOneWay }) => isOneWay).length
    const known = this.#knownCalls(path)
    const sinceUs = breach?.sinceUs ?? Math.min(...all.map(({ lastUs }) => lastUs))
    const fingerprint = fingerprintOf(NAME, ...path.key.split('\n'))
    const what = [
      oneWay === 0 ? '' : `${oneWay} one-way`,
      oneWay === all.length ? '' : `${all.length - oneWay} silent`,
    ].filter((part) => part !== '')
    const of =
      known === undefined || known < all.length
        ? ''
        : `, ${percent(all.length / known)} of the ${known} calls up`
    return {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: NAME,
      object: `${labels['from'] ?? ''} -> ${labels['to'] ?? ''}`,
      state: 'firing',
      severity,
      summary: `${all.length === 1 ? 'a call is' : `${all.length} calls are`} up without speech (${what.join(', ')})${of}`,
      labels,
      evidence: {
        calls_one_way: oneWay,
        calls_silent: all.length - oneWay,
        ...(known === undefined ? {} : { calls: known }),
        call_ids: [...calls.keys()].slice(0, EXAMPLES).join(', '),
      },
      sinceUs,
      firedUs: breach?.firedUs ?? nowUs,
      updatedUs: nowUs,
    }
  }

  #close(breach: Breach, nowUs: number): void {
    const agent = breach.labels['agent'] ?? ''
    const isGone = this.#context.presence.isOverdue(agent, nowUs)
    const summary = isGone
      ? `nothing is heard from ${agent} any more, not proven healed`
      : `no more calls without speech for ${lasting(this.#windowUs)}`
    const state = isGone ? 'ended' : 'resolved'
    this.#context.change(
      state,
      { ...breach, state, summary, closedUs: nowUs, updatedUs: nowUs },
      nowUs,
    )
  }

  get #windowUs(): number {
    return this.#options.window * US_PER_MS
  }
}
