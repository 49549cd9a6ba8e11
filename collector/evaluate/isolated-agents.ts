import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items, parts } from './snapshot.ts'

/** Its word holds for so long; an agent that says nothing more says nothing about itself either. */
const WORD_HOLDS_US = 5 * 60_000_000
/** Further ahead than this there is no time to judge by. */
const FUTURE_US = 60_000_000
const US_PER_MS = 1000
const MAX_AGENTS = 10_000

const agentSchema = z.object({
  agent: z.string(),
  sinceUs: z.number(),
  untilUs: z.number(),
  isIsolated: z.boolean(),
})

interface Agent {
  readonly agent: string
  /** Of its newest isolation: when it first and last said so. */
  sinceUs: number
  untilUs: number
  isIsolated: boolean
}

/**
 * Which agents say that everything they watch fell silent at once: what they then find silent is unknown, not down. By event time, for
 * an agent that was cut off tells of it afterwards.
 */
export class IsolatedAgents {
  readonly #agents = new Map<string, Agent>()
  #tooMany = 0

  constructor(restored: unknown) {
    for (const agent of items(agentSchema, parts(restored)['agents']))
      this.#agents.set(agent.agent, agent)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const { name, tags, fields, timeUs } of points) {
      const { isolated, interval_ms: intervalMs } = fields
      const { agent = '' } = tags
      if (name !== 'agent' || tags['target'] !== undefined || agent === '') continue
      if (typeof isolated !== 'boolean' || timeUs > arrivalUs + FUTURE_US) continue
      const startUs = timeUs - (typeof intervalMs === 'number' ? intervalMs * US_PER_MS : 0)
      this.#learn(agent, isolated, startUs, timeUs)
    }
  }

  tick(nowUs: number): void {
    for (const { agent, untilUs } of this.#agents.values())
      if (untilUs < nowUs - WORD_HOLDS_US || untilUs > nowUs + FUTURE_US) this.#agents.delete(agent)
  }

  /** Whether what the agent found at this time says something about the agent only. */
  isIsolated(name: string, atUs: number): boolean {
    const agent = this.#agents.get(name)
    if (agent === undefined || atUs < agent.sinceUs) return false
    return atUs <= agent.untilUs + (agent.isIsolated ? WORD_HOLDS_US : 0)
  }

  forget(name: string): void {
    this.#agents.delete(name)
  }

  get memory(): unknown {
    return { agents: [...this.#agents.values()] }
  }

  /** Agents beyond what is kept. */
  get tooMany(): number {
    return this.#tooMany
  }

  #learn(name: string, isIsolated: boolean, startUs: number, timeUs: number): void {
    const known = this.#agents.get(name)
    if (known === undefined) {
      if (!isIsolated) return
      if (this.#agents.size >= MAX_AGENTS) {
        this.#tooMany++
        return
      }
      const agent = { agent: copyOf(name), sinceUs: startUs, untilUs: timeUs, isIsolated }
      this.#agents.set(agent.agent, agent)
      return
    }
    if (timeUs < known.untilUs) return // sent again, or late
    if (isIsolated && !known.isIsolated) known.sinceUs = startUs
    // Isolated until it said otherwise: its verdicts of the interval in which it came back are of the time before.
    if (isIsolated || known.isIsolated) known.untilUs = timeUs
    known.isIsolated = isIsolated
  }
}
