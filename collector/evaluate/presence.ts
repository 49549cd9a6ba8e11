import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items, parts } from './snapshot.ts'

/** Missing this many intervals of its own is silence; missing one or two is a slow network. */
const SILENT_INTERVALS = 3
/** From here on it may be silence: whether one is missing or all is not said before everybody has had the time to be missed. */
const OVERDUE_INTERVALS = 1.5
/** Batches closer together than this are one push. */
const ONE_PUSH_US = 500_000
/** A pause up to this long is rhythm in any case. */
const RHYTHM_US = 30_000_000
/** How slowly a learned rhythm forgets a long pause. */
const FORGET = 0.9
/** With this many missing it had been cut off. */
const CUT_INTERVALS = 2.5
/** An agent that could not reach us tries again at most so much later: after a cut not all are back at once. */
const RETURN_US = 60_000_000
const US_PER_MS = 1000
const MAX_AGENTS = 10_000

const agentSchema = z.object({
  agent: z.string(),
  site: z.string(),
  lastUs: z.number(),
  statedUs: z.number().exactOptional(),
  ownUs: z.number().exactOptional(),
  gapUs: z.number().exactOptional(),
})

interface Agent {
  readonly agent: string
  site: string
  lastUs: number
  /** Shortest interval among its measurements. */
  statedUs?: number
  /** Interval of its own `agent` measurement. */
  ownUs?: number
  /** For clients that state no interval: the pause between pushes, as seen. */
  gapUs?: number
}

/** An agent as the rules see it. */
export interface PresentAgent {
  readonly agent: string
  /** '' where it says none. */
  readonly site: string
  /** Arrival of its newest points. */
  readonly lastUs: number
}

/** Who pushes, how often, and since when not. Judged by arrival: what an agent says of earlier times does not make it present. */
export class Presence {
  readonly #agents = new Map<string, Agent>()
  /** By site: silence counts from here, for its agents come back one after the other. */
  readonly #sitesBackUs = new Map<string, number>()
  /** Nobody could be heard before this process began to listen. */
  #listeningSinceUs: number | undefined
  /** The same for all, after nobody was heard. */
  #backUs = -Infinity
  #tooMany = 0

  constructor(restored: unknown) {
    for (const agent of items(agentSchema, parts(restored)['agents']))
      this.#agents.set(agent.agent, agent)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#listeningSinceUs ??= arrivalUs
    let seen: Agent | undefined
    for (const point of points) {
      const { agent: name = '', site = '' } = point.tags
      // A last word is no sign of life, and comes also to collectors that nothing else is pushed to.
      if (name === '' || point.name === 'farewell') continue
      if (seen?.agent !== name) {
        seen = this.#agents.get(name) ?? this.#add(name)
        if (seen === undefined) continue
        this.#heard(seen, arrivalUs)
      }
      if (site !== '' && site !== seen.site) seen.site = copyOf(site)
      learnInterval(seen, point)
    }
  }

  tick(nowUs: number): void {
    // What is ahead of now was heard before our clock was set back.
    this.#listeningSinceUs = Math.min(this.#listeningSinceUs ?? nowUs, nowUs)
    this.#backUs = Math.min(this.#backUs, nowUs + RETURN_US)
    for (const [site, backUs] of this.#sitesBackUs)
      if (backUs > nowUs + RETURN_US || backUs < nowUs - RETURN_US) this.#sitesBackUs.delete(site)
    for (const agent of this.#agents.values()) agent.lastUs = Math.min(agent.lastUs, nowUs)
  }

  forget(name: string): void {
    this.#agents.delete(name)
  }

  find(name: string): PresentAgent | undefined {
    return this.#agents.get(name)
  }

  /** Those whose rhythm is known: of the others nobody can say that they are silent. */
  get agents(): readonly PresentAgent[] {
    return [...this.#agents.values()].filter((agent) => intervalOf(agent) !== undefined)
  }

  /** The same by site, without those that say none. */
  get sites(): ReadonlyMap<string, readonly PresentAgent[]> {
    const sites = new Map<string, PresentAgent[]>()
    for (const agent of this.agents) {
      if (agent.site === '') continue
      const agents = sites.get(agent.site)
      if (agents === undefined) sites.set(agent.site, [agent])
      else agents.push(agent)
    }
    return sites
  }

  /** How long the agent may be silent: three of its intervals, and at least the time given. */
  limitUs(name: string, afterUs: number): number {
    const agent = this.#agents.get(name)
    const intervalUs = agent === undefined ? undefined : intervalOf(agent)
    return Math.max(afterUs, SILENT_INTERVALS * (intervalUs ?? Infinity))
  }

  isSilent(name: string, afterUs: number, nowUs: number): boolean {
    return this.#silentForUs(name, nowUs) > this.limitUs(name, afterUs)
  }

  /** Silent, or perhaps about to be: it should have been heard from by now. */
  isOverdue(name: string, nowUs: number): boolean {
    return this.#misses(name, OVERDUE_INTERVALS, nowUs)
  }

  get memory(): unknown {
    return { agents: [...this.#agents.values()] }
  }

  /** Agents beyond what is kept. */
  get tooMany(): number {
    return this.#tooMany
  }

  #misses(name: string, intervals: number, nowUs: number): boolean {
    const agent = this.#agents.get(name)
    const intervalUs = agent === undefined ? undefined : intervalOf(agent)
    return intervalUs === undefined || this.#silentForUs(name, nowUs) > intervals * intervalUs
  }

  #silentForUs(name: string, nowUs: number): number {
    const agent = this.#agents.get(name)
    if (agent === undefined) return Infinity
    const siteBackUs = this.#sitesBackUs.get(agent.site) ?? -Infinity
    const sinceUs = Math.max(agent.lastUs, this.#listeningSinceUs ?? nowUs)
    return nowUs - Math.max(sinceUs, this.#backUs, siteBackUs)
  }

  #add(name: string): Agent | undefined {
    if (this.#agents.size >= MAX_AGENTS) {
      this.#tooMany++
      return undefined
    }
    const agent = { agent: copyOf(name), site: '', lastUs: 0 }
    this.#agents.set(agent.agent, agent)
    return agent
  }

  #heard(agent: Agent, arrivalUs: number): void {
    const pauseUs = arrivalUs - agent.lastUs
    const wasCut = this.#misses(agent.agent, CUT_INTERVALS, arrivalUs)
    if (wasCut && agent.lastUs > 0) this.#heardAgain(agent, arrivalUs)
    const heardByUs = agent.lastUs >= (this.#listeningSinceUs ?? arrivalUs)
    if (heardByUs && !this.isSilent(agent.agent, RHYTHM_US, arrivalUs) && pauseUs >= ONE_PUSH_US)
      agent.gapUs = Math.max(pauseUs, (agent.gapUs ?? 0) * FORGET)
    agent.lastUs = arrivalUs
  }

  /** The first of its site, or of all, after a cut: the others get the time to come back. */
  #heardAgain({ agent, site }: Agent, arrivalUs: number): void {
    const others = this.agents.filter((other) => other.agent !== agent)
    const isCut = (those: readonly PresentAgent[]): boolean =>
      those.length > 0 &&
      those.every((other) => this.#misses(other.agent, CUT_INTERVALS, arrivalUs))
    if (isCut(others)) this.#backUs = arrivalUs + RETURN_US
    else if (isCut(others.filter((other) => other.site === site)))
      this.#sitesBackUs.set(site, arrivalUs + RETURN_US)
  }
}

function intervalOf({ ownUs, statedUs, gapUs }: Agent): number | undefined {
  return ownUs ?? statedUs ?? gapUs
}

function learnInterval(agent: Agent, { name, tags, fields }: Measurement): void {
  const intervalMs = fields['interval_ms']
  if (typeof intervalMs !== 'number' || intervalMs <= 0) return
  const intervalUs = intervalMs * US_PER_MS
  if (name === 'agent' && tags['target'] === undefined) agent.ownUs = intervalUs
  agent.statedUs = Math.min(agent.statedUs ?? Infinity, intervalUs)
}
