import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'

const NAME = 'agent-silent'
const US_PER_MS = 1000
/** Missing this many intervals of its own is silence; missing one or two is a slow network. */
const INTERVALS = 3
/** Batches closer together than this are one push. */
const ONE_PUSH_US = 500_000
/** How slowly a learned rhythm forgets a long pause. */
const FORGET = 0.9
const MAX_AGENTS = 10_000

const options = z.strictObject({
  after: duration.prefault('30s'),
  severity: z.enum(SEVERITIES).default('warning'),
})

type Options = z.output<typeof options>

export const agentSilent = defineRule({
  name: NAME,
  summary: 'an agent that used to push has not been heard from',
  options,
  create: (read, context) => new AgentSilent(read, context),
})

const agentSchema = z.object({
  agent: z.string(),
  site: z.string(),
  lastUs: z.number(),
  statedUs: z.number().exactOptional(),
  ownUs: z.number().exactOptional(),
  gapUs: z.number().exactOptional(),
  breach: breachSchema.exactOptional(),
})

interface Agent {
  readonly agent: string
  site: string
  /** Arrival of its newest points. */
  lastUs: number
  /** Shortest interval among its measurements. */
  statedUs?: number
  /** Interval of its own `agent` measurement. */
  ownUs?: number
  /** For clients that state no interval: the pause between pushes, as seen. */
  gapUs?: number
  breach?: Breach
}

/** Silence is judged by arrival: what an agent says of earlier times does not make it present. */
class AgentSilent implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #agents = new Map<string, Agent>()
  /** Nobody could be heard before this process began to listen. */
  #listeningSinceUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    for (const agent of items(agentSchema, parts(context.restored)['agents'])) {
      this.#agents.set(agent.agent, agent)
      if (agent.breach !== undefined) context.update(agent.breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#listeningSinceUs ??= arrivalUs
    let seen: Agent | undefined
    for (const point of points) {
      const { agent: name = '', site = '' } = point.tags
      if (name === '') continue
      if (seen?.agent !== name) {
        seen = this.#agents.get(name) ?? this.#add(name)
        if (seen === undefined) continue
        this.#heard(seen, arrivalUs)
      }
      if (site !== '') seen.site = site
      learnInterval(seen, point)
    }
  }

  tick(nowUs: number): void {
    this.#listeningSinceUs ??= nowUs
    // What is ahead of now was heard before our clock was set back.
    this.#listeningSinceUs = Math.min(this.#listeningSinceUs, nowUs)
    for (const agent of this.#agents.values()) {
      agent.lastUs = Math.min(agent.lastUs, nowUs)
      const limitUs = this.#limitUs(agent)
      if (agent.breach !== undefined || limitUs === undefined) continue
      if (nowUs - Math.max(agent.lastUs, this.#listeningSinceUs) <= limitUs) continue
      agent.breach = this.#breachOf(agent, limitUs, nowUs)
      this.#context.change('firing', agent.breach, nowUs)
    }
  }

  forgetAgent(name: string): void {
    const agent = this.#agents.get(name)
    if (agent?.breach !== undefined) {
      const { lastUs, breach } = agent
      const closedUs = Math.max(lastUs, breach.updatedUs)
      const summary = 'its token was revoked'
      this.#context.change(
        'ended',
        { ...breach, state: 'ended', summary, closedUs, updatedUs: closedUs },
        closedUs,
      )
    }
    this.#agents.delete(name)
  }

  snapshot(): unknown {
    return { agents: [...this.#agents.values()] }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many_agents: this.#tooMany }
  }

  #add(name: string): Agent | undefined {
    if (this.#agents.size >= MAX_AGENTS) {
      this.#tooMany++
      return undefined
    }
    const agent = { agent: name, site: '', lastUs: 0 }
    this.#agents.set(name, agent)
    return agent
  }

  #heard(agent: Agent, arrivalUs: number): void {
    const pauseUs = arrivalUs - agent.lastUs
    const heardByUs = agent.lastUs >= (this.#listeningSinceUs ?? arrivalUs)
    if (heardByUs && agent.breach === undefined && pauseUs >= ONE_PUSH_US)
      agent.gapUs = Math.max(pauseUs, (agent.gapUs ?? 0) * FORGET)
    agent.lastUs = arrivalUs
    if (agent.breach === undefined) return
    const { sinceUs } = agent.breach
    const closed: Breach = {
      ...agent.breach,
      state: 'resolved',
      summary: `heard again after ${lasting(arrivalUs - sinceUs)}`,
      closedUs: arrivalUs,
      updatedUs: arrivalUs,
    }
    delete agent.breach
    this.#context.change('resolved', closed, arrivalUs)
  }

  /** How long this agent may be silent; undefined while its rhythm is not known. */
  #limitUs({ ownUs, statedUs, gapUs }: Agent): number | undefined {
    const intervalUs = ownUs ?? statedUs ?? gapUs
    if (intervalUs === undefined) return undefined
    return Math.max(this.#options.after * US_PER_MS, INTERVALS * intervalUs)
  }

  #breachOf({ agent, site, lastUs }: Agent, limitUs: number, nowUs: number): Breach {
    const fingerprint = fingerprintOf(NAME, agent)
    return {
      id: `${fingerprint}/${lastUs}`,
      fingerprint,
      rule: NAME,
      object: `agent ${agent}`,
      state: 'firing',
      severity: this.#options.severity,
      summary: `not heard from since ${utcMinute(lastUs)}, limit ${lasting(limitUs)}`,
      labels: { agent, site: site === '' ? 'unknown' : site, owner: 'unknown' },
      evidence: { last_seen_ms: Math.round(lastUs / US_PER_MS), limit_ms: limitUs / US_PER_MS },
      sinceUs: lastUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
  }
}

function learnInterval(agent: Agent, { name, tags, fields }: Measurement): void {
  const intervalMs = fields['interval_ms']
  if (typeof intervalMs !== 'number' || intervalMs <= 0) return
  const intervalUs = intervalMs * US_PER_MS
  if (name === 'agent' && tags['target'] === undefined) agent.ownUs = intervalUs
  agent.statedUs = Math.min(agent.statedUs ?? Infinity, intervalUs)
}
