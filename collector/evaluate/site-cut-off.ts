import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import { farewellWords, readFarewell, tellsOfPower, type Farewell } from './farewells.ts'
import type { PresentAgent } from './presence.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { seenByOthers } from './power/machine-power.ts'
import { SitePower } from './site-power.ts'
import { items, parts } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'

const NAME = 'site-cut-off'
const US_PER_MS = 1000
const US_PER_S = 1_000_000
/** So many names make an alert that can be read; the rest is counted. */
const NAMED = 5
/** Of the silence, at both ends: points measured so near to them do not say where the agent was in between. */
const EDGE_SHARE = 0.25

const options = z.strictObject({
  after: duration.prefault('30s'),
  severity: z.enum(SEVERITIES).default('critical'),
})

type Options = z.output<typeof options>

export const siteCutOff = defineRule({
  name: NAME,
  summary:
    'no agent of a site is heard from any more: power lost, network cut, shut down, or unknown',
  options,
  create: (read, context) => new SiteCutOff(read, context),
})

const cutSchema = z.object({ sites: z.array(z.string()), breach: breachSchema })

interface Cut {
  /** All that fell silent together. */
  readonly sites: readonly string[]
  readonly breach: Breach
}

type SiteAgents = readonly [site: string, agents: readonly PresentAgent[]]

/** One alert for a site of which nothing is heard; what is open there becomes unknown. */
class SiteCutOff implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #power: SitePower
  #cuts: readonly Cut[]

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    this.#power = new SitePower(memory['power'])
    this.#cuts = items(cutSchema, memory['cuts'])
    for (const { breach } of this.#cuts) context.update(breach)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) this.#power.observe(point)
    for (const cut of this.#cuts) {
      const theirs = points.filter(({ tags }) => cut.sites.includes(tags['site'] ?? ''))
      if (theirs.length > 0) this.#heardAgain(cut, theirs, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    const { presence } = this.#context
    const afterUs = this.#options.after * US_PER_MS
    const isSilent = ([, agents]: SiteAgents): boolean =>
      agents.every(({ agent }) => presence.isSilent(agent, afterUs, nowUs))
    const isHeard = ([, agents]: SiteAgents): boolean =>
      agents.some(({ agent }) => !presence.isOverdue(agent, nowUs))
    const known = new Set(this.#cuts.flatMap(({ sites }) => sites))
    const sites = [...presence.sites].filter(([site]) => !known.has(site))
    const silent = sites.filter(isSilent)
    if (silent.length === 0) return
    if (sites.some(isHeard)) for (const site of silent) this.#cut([site], false, nowUs)
    // Perhaps all at once: that is known when the last of them has had its time.
    else if (silent.length === sites.length) this.#cut(silent, true, nowUs)
  }

  forgetAgent(name: string): void {
    const gone = this.#context.presence.find(name)
    if (gone === undefined) return
    const { sites } = this.#context.presence
    for (const cut of this.#cuts) {
      if (!cut.sites.includes(gone.site)) continue
      const left = cut.sites.flatMap((site) => sites.get(site) ?? [])
      if (left.every(({ agent }) => agent === name))
        this.#close(cut, 'ended', 'the tokens of its agents were revoked', cut.breach.updatedUs)
    }
  }

  snapshot(): unknown {
    return { cuts: this.#cuts, power: this.#power.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return {}
  }

  #cut(silent: readonly SiteAgents[], isEverybody: boolean, nowUs: number): void {
    const breach = this.#breachOf(silent, isEverybody, nowUs)
    const sites = silent.map(([site]) => site)
    this.#cuts = [...this.#cuts, { sites, breach }]
    this.#context.change('firing', breach, nowUs)
    for (const site of sites) this.#context.siteLost(site, nowUs)
  }

  #breachOf(silent: readonly SiteAgents[], isEverybody: boolean, nowUs: number): Breach {
    const { presence } = this.#context
    const [first = ''] = silent.map(([site]) => site)
    const agents = silent.flatMap(([, ofSite]) => ofSite)
    const sinceUs = Math.max(...agents.map(({ lastUs }) => lastUs))
    const afterUs = this.#options.after * US_PER_MS
    const limitUs = Math.max(...agents.map(({ agent }) => presence.limitUs(agent, afterUs)))
    const isOne = silent.length === 1
    const fingerprint = isOne ? fingerprintOf(NAME, first) : fingerprintOf(NAME, '', 'all')
    const { cause, reason } = this.#causeOf(silent, isEverybody, sinceUs)
    const [only] = agents.length === 1 ? agents : []
    const who =
      only === undefined
        ? `none of ${isOne ? 'its' : 'their'} ${agents.length} agents`
        : `its only agent (${only.agent})`
    const not = only === undefined ? '' : ' not'
    return {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: NAME,
      object: isOne ? `site ${first}` : `all ${silent.length} sites`,
      state: 'firing',
      severity: this.#options.severity,
      summary: `${cause}: ${who}${not} heard from since ${utcMinute(sinceUs)}, limit ${lasting(limitUs)}; ${reason}`,
      labels: {
        site: isOne ? first : 'all',
        owner: 'unknown',
        ...(only === undefined ? {} : { agent: only.agent }),
      },
      evidence: {
        cause,
        agents: agents.length,
        silent_agents: named(agents.map(({ agent }) => agent)),
        silent_sites: named(silent.map(([site]) => site)),
        last_seen_ms: Math.round(sinceUs / US_PER_MS),
        limit_ms: limitUs / US_PER_MS,
      },
      sinceUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
  }

  #causeOf(
    silent: readonly SiteAgents[],
    isEverybody: boolean,
    sinceUs: number,
  ): { readonly cause: string; readonly reason: string } {
    if (isEverybody && silent.length > 1)
      return {
        cause: 'unknown',
        reason:
          'no other site is heard either: perhaps it is this collector that is cut off, look at its own network first',
      }
    const agents = silent.flatMap(([, ofSite]) => ofSite)
    const farewells = agents.flatMap(
      ({ agent, lastUs }) => this.#context.farewells.lastOf(agent, lastUs) ?? [],
    )
    const last = farewells.find(tellsOfPower)
    if (last !== undefined)
      return { cause: 'power lost', reason: `${last.agent} said farewell: ${farewellWords(last)}` }
    const ended = farewells.length === agents.length ? endOf(farewells) : undefined
    if (ended !== undefined) return ended
    const seen = agents.flatMap(
      ({ agent, lastUs }) => seenByOthers(this.#context, agent, lastUs) ?? [],
    )
    const dark = seen.find(({ state }) => state === 'dark')
    if (dark !== undefined) return { cause: 'power lost', reason: dark.words }
    const answers = seen.find(({ state }) => state === 'answers')
    if (answers !== undefined)
      return {
        cause: agents.length > 1 ? 'network cut' : 'network cut or agent crashed',
        reason: answers.words,
      }
    const fed = seen.find(({ state }) => state === 'fed')
    if (fed !== undefined && seen.length === agents.length)
      return { cause: 'network cut', reason: fed.words }
    const power = silent.map(([site]) => this.#power.before(site, sinceUs))
    const battery = power.find((word) => word !== undefined && word !== 'mains')
    if (battery !== undefined) return { cause: 'power lost', reason: `last heard: ${battery}` }
    if (isEverybody)
      return {
        cause: 'unknown',
        reason:
          'no other site is heard: power, its line, or the network of this collector (perhaps it is this collector that is cut off)',
      }
    if (power.includes('mains'))
      return agents.length > 1
        ? {
            cause: 'network cut',
            reason: 'its power supplies were on mains just before, and other sites are heard',
          }
        : {
            cause: 'network cut or agent crashed',
            reason:
              'its power supplies were on mains just before, it said no farewell, and other sites are heard',
          }
    return {
      cause: 'unknown',
      reason: `other sites are heard: its power, its line, or the machine of its agent`,
    }
  }

  /** What comes first after a cut tells what it was: an agent that measured all along had power. */
  #heardAgain(cut: Cut, points: readonly Measurement[], arrivalUs: number): void {
    const { sinceUs } = cut.breach
    const durationUs = arrivalUs - sinceUs
    const edgeUs = EDGE_SHARE * durationUs
    const measuredOn = points.some(
      ({ timeUs }) => timeUs > sinceUs + edgeUs && timeUs < arrivalUs - edgeUs,
    )
    const agent = points[0]?.tags['agent'] ?? ''
    const late = points.map(readFarewell).find((said) => said !== undefined)
    const word = late === undefined ? '' : `; its farewell came late: ${farewellWords(late)}`
    const found = measuredOn
      ? `; ${agent} measured all along: the network was cut, the power was not`
      : startedAnew(points, agent, durationUs)
    this.#close(
      cut,
      'resolved',
      `heard again (agent ${agent}) after ${lasting(durationUs)}${found}${word}`,
      arrivalUs,
    )
  }

  #close(cut: Cut, state: 'resolved' | 'ended', summary: string, atUs: number): void {
    this.#cuts = this.#cuts.filter((other) => other !== cut)
    const closed = { ...cut.breach, state, summary, closedUs: atUs, updatedUs: atUs }
    this.#context.change(state, closed, atUs)
  }
}

/** Where all of them said that they end, and why. */
function endOf(
  farewells: readonly Farewell[],
): { readonly cause: string; readonly reason: string } | undefined {
  const [first] = farewells
  if (first === undefined) return undefined
  const hasFailed = farewells.some(({ cause }) => cause === 'failure')
  const isOff = farewells.every(({ cause }) => cause === 'shutdown')
  const others = farewells.length - 1
  return {
    cause: isOff ? 'shut down' : hasFailed ? 'agent crashed' : 'agent stopped',
    reason: `${first.agent} said farewell: ${farewellWords(first)}${others > 0 ? `, and so did the others (${others})` : ''}`,
  }
}

/** What the ages of agent and machine say of a cut; '' where they say nothing. */
function startedAnew(points: readonly Measurement[], agent: string, durationUs: number): string {
  const own = points.find(({ name, tags }) => name === 'agent' && tags['target'] === undefined)
  const { uptime_s: uptimeS, machine_uptime_s: machineUptimeS } = own?.fields ?? {}
  const isYounger = (ageS: number): boolean => ageS * US_PER_S < durationUs
  if (typeof uptimeS !== 'number' || !isYounger(uptimeS)) return ''
  if (typeof machineUptimeS !== 'number')
    return `; ${agent} was started anew: it had been without power, or stopped`
  return isYounger(machineUptimeS)
    ? `; the machine of ${agent} was started anew: it had been without power, or shut down`
    : `; ${agent} was started anew and its machine was not: the agent had crashed, or was stopped`
}

function named(names: readonly string[]): string {
  const more = names.length - NAMED
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
