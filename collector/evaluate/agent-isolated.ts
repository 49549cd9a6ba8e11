import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'

const NAME = 'agent-isolated'
const US_PER_MS = 1000
/** Older than this on arrival is history: the isolation is over, or the agent would not have got through. */
const CURRENT_US = 60_000_000
const FORGOTTEN_US = 5 * 60_000_000
const MAX_BREACHES = 10_000

const options = z.strictObject({ severity: z.enum(SEVERITIES).default('notice') })

type Options = z.output<typeof options>

export const agentIsolated = defineRule({
  name: NAME,
  summary: 'everything an agent watches fell silent at once: it may itself be cut off',
  options,
  create: (read, context) => new AgentIsolated(read, context),
})

const openSchema = z.object({ agent: z.string(), lastUs: z.number(), breach: breachSchema })

interface Open {
  readonly agent: string
  /** When it last said so. */
  readonly lastUs: number
  readonly breach: Breach
}

/** Says that an agent sees nothing. What other rules do about its findings they ask of the context. */
class AgentIsolated implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #open = new Map<string, Open>()
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    for (const open of items(openSchema, parts(context.restored)['open'])) {
      this.#open.set(open.agent, open)
      context.update(open.breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points) {
      if (point.name !== 'agent' || point.tags['target'] !== undefined) continue
      if (typeof point.fields['isolated'] !== 'boolean') continue
      if (Math.abs(point.timeUs - arrivalUs) <= CURRENT_US) this.#step(point, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    for (const { agent, lastUs } of this.#open.values()) {
      if (nowUs - Math.max(lastUs, this.#startedUs) < FORGOTTEN_US) continue
      this.#close(agent, 'ended', `it has said nothing since ${utcMinute(lastUs)}`, nowUs)
    }
  }

  forgetAgent(name: string): void {
    const open = this.#open.get(name)
    if (open !== undefined)
      this.#close(name, 'ended', 'its token was revoked', open.breach.updatedUs)
  }

  siteLost(site: string, atUs: number): void {
    for (const { agent, breach } of this.#open.values())
      if (breach.labels['site'] === site) this.#close(agent, 'ended', 'its site was cut off', atUs)
  }

  snapshot(): unknown {
    return { open: [...this.#open.values()] }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many_agents: this.#tooMany }
  }

  #step({ tags, fields, timeUs }: Measurement, arrivalUs: number): void {
    const { agent = '', site = '' } = tags
    const open = this.#open.get(agent)
    if (open !== undefined && timeUs <= open.lastUs) return
    if (fields['isolated'] === true) {
      if (open === undefined && this.#open.size >= MAX_BREACHES) {
        this.#tooMany++
        return
      }
      const intervalMs = fields['interval_ms']
      const startUs = timeUs - (typeof intervalMs === 'number' ? intervalMs * US_PER_MS : 0)
      const breach = open?.breach ?? this.#breachOf(agent, site, startUs, arrivalUs)
      this.#open.set(agent, { agent, lastUs: timeUs, breach })
      if (open === undefined) this.#context.change('firing', breach, arrivalUs)
    } else if (open !== undefined) {
      const summary = `it is answered again after ${lasting(timeUs - open.breach.sinceUs)}`
      this.#close(agent, 'resolved', summary, arrivalUs)
    }
  }

  #close(agent: string, state: 'resolved' | 'ended', summary: string, atUs: number): void {
    const open = this.#open.get(agent)
    if (open === undefined) return
    this.#open.delete(agent)
    const closed: Breach = { ...open.breach, state, summary, closedUs: atUs, updatedUs: atUs }
    this.#context.change(state, closed, atUs)
  }

  #breachOf(agent: string, site: string, sinceUs: number, nowUs: number): Breach {
    const fingerprint = fingerprintOf(NAME, agent)
    return {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: NAME,
      object: `agent ${agent}`,
      state: 'firing',
      severity: this.#options.severity,
      summary: `sees nothing since ${utcMinute(sinceUs)}: everything it watches fell silent at once, it may itself be cut off; what it finds silent is unknown, not down`,
      labels: {
        agent,
        site: site === '' ? 'unknown' : site,
        owner: this.#context.topology().ownerOfAgent({ agent, site }),
      },
      evidence: { first_said_ms: Math.round(sinceUs / US_PER_MS) },
      sinceUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
  }
}
