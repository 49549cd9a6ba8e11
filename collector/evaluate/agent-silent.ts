import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import type { PresentAgent } from './presence.ts'
import { farewellWords } from './farewells.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { seenByOthers, type SeenByOthers } from './power/machine-power.ts'
import { items, parts } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'

const NAME = 'agent-silent'
const US_PER_MS = 1000

const options = z.strictObject({
  after: duration.prefault('30s'),
  severity: z.enum(SEVERITIES).default('warning'),
})

type Options = z.output<typeof options>

export const agentSilent = defineRule({
  name: NAME,
  summary: 'an agent that used to push has not been heard from, others of its site have',
  options,
  create: (read, context) => new AgentSilent(read, context),
})

const missedSchema = z.object({ agent: z.string(), breach: breachSchema })

/** One agent missing. All of a site missing is the site's trouble, and one alert: rule site-cut-off. */
class AgentSilent implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  /** By agent. */
  readonly #breaches = new Map<string, Breach>()

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    for (const { agent, breach } of items(missedSchema, parts(context.restored)['missed'])) {
      this.#breaches.set(agent, breach)
      context.update(breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    if (this.#breaches.size === 0) return
    for (const { tags } of points) {
      const { agent = '' } = tags
      const breach = this.#breaches.get(agent)
      if (breach === undefined) continue
      this.#close(agent, 'resolved', arrivalUs, {
        summary: `heard again after ${lasting(arrivalUs - breach.sinceUs)}`,
      })
    }
  }

  tick(nowUs: number): void {
    const { presence } = this.#context
    const afterUs = this.#options.after * US_PER_MS
    const due = presence.agents.filter(
      ({ agent }) => !this.#breaches.has(agent) && presence.isSilent(agent, afterUs, nowUs),
    )
    if (due.length === 0) return
    const { sites } = presence
    const isHeard = ({ agent }: PresentAgent): boolean => !presence.isOverdue(agent, nowUs)
    const heard = new Set([...sites.keys()].filter((site) => sites.get(site)?.some(isHeard)))
    for (const agent of due) {
      if (agent.site !== '' && !heard.has(agent.site)) continue
      const breach = this.#breachOf(agent, presence.limitUs(agent.agent, afterUs), nowUs)
      this.#breaches.set(agent.agent, breach)
      this.#context.change('firing', breach, nowUs)
    }
  }

  forgetAgent(name: string): void {
    const breach = this.#breaches.get(name)
    if (breach === undefined) return
    this.#close(name, 'ended', breach.updatedUs, { summary: 'its token was revoked' })
  }

  snapshot(): unknown {
    return { missed: [...this.#breaches].map(([agent, breach]) => ({ agent, breach })) }
  }

  counters(): Readonly<Record<string, number>> {
    return {}
  }

  #close(
    agent: string,
    state: 'resolved' | 'ended',
    closedUs: number,
    { summary }: Pick<Breach, 'summary'>,
  ): void {
    const breach = this.#breaches.get(agent)
    if (breach === undefined) return
    this.#breaches.delete(agent)
    this.#context.change(
      state,
      { ...breach, state, summary, closedUs, updatedUs: closedUs },
      closedUs,
    )
  }

  #breachOf({ agent, site, lastUs }: PresentAgent, limitUs: number, nowUs: number): Breach {
    const fingerprint = fingerprintOf(NAME, agent)
    const farewell = this.#context.farewells.lastOf(agent, lastUs)
    const seen = seenByOthers(this.#context, agent, lastUs)
    const why =
      farewell === undefined ? causeOf(seen) : `it said farewell: ${farewellWords(farewell)}`
    return {
      id: `${fingerprint}/${lastUs}`,
      fingerprint,
      rule: NAME,
      object: `agent ${agent}`,
      state: 'firing',
      severity: this.#options.severity,
      summary: `not heard from since ${utcMinute(lastUs)}, limit ${lasting(limitUs)}; ${why}`,
      labels: {
        agent,
        site: site === '' ? 'unknown' : site,
        owner: this.#context.topology().ownerOfAgent({ agent, site }),
      },
      evidence: {
        last_seen_ms: Math.round(lastUs / US_PER_MS),
        limit_ms: limitUs / US_PER_MS,
        farewell: farewell?.cause ?? 'none',
      },
      sinceUs: lastUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
  }
}

/** Of one that said no farewell. */
function causeOf(seen: SeenByOthers | undefined): string {
  switch (seen?.state) {
    case 'dark':
      return `power lost: ${seen.words}`
    case 'answers':
      return `without a farewell: the agent crashed, for ${seen.words}`
    case 'fed':
      return `without a farewell: it crashed, its machine did, or its own line is cut; ${seen.words}`
    case undefined:
      return 'without a farewell: it crashed, its machine did, or its own line is cut'
  }
}
