import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { lasting, utcMinute } from '../words.ts'
import { Findings } from '../findings.ts'
import { countOf, hostOf, intervalUsOf, isCurrent, numberOf, placeOf, textOf } from '../points.ts'

const NAME = 'trunk-down'
const FORGOTTEN_US = 5 * 60_000_000
/** Without a word for so many of its intervals, a server is no longer checked: DNS does not name it any more. */
const FORGOTTEN_INTERVALS = 3
const MAX_SERVERS = 10_000
const NAMED = 5

const options = z.strictObject({
  /** So many in a row must fail. */
  checks: z.int().min(1).default(3),
  /** All servers of the trunk are down. */
  severity: z.enum(SEVERITIES).default('critical'),
  /** Some of them are: calls go on, with less to fall back on. */
  'server-severity': z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const trunkDown = defineRule({
  name: NAME,
  summary: 'a trunk, or one of its servers, does not answer OPTIONS',
  options,
  create: (read, context) => new TrunkDown(read, context),
})

const serverSchema = z.object({
  ...{ key: z.string(), agent: z.string(), site: z.string(), trunk: z.string() },
  /** As DNS or the configuration names it; '' where none is known. */
  server: z.string(),
  address: z.string(),
  lastUs: z.number(),
  intervalUs: z.number(),
  /** Start of the first check of those that failed in a row, and how many these are; negative: not known. */
  sinceUs: z.number(),
  failures: z.number(),
  reason: z.string(),
})
type Server = z.output<typeof serverSchema>

const UNKNOWN = -1

/** One alert for a trunk, whichever of its servers are down. */
class TrunkDown implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_options'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #servers = new Map<string, Server>()
  readonly #findings: Findings
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const server of items(serverSchema, memory['servers']))
      this.#servers.set(server.key, server)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points)
      if (point.name === 'sip_options' && isCurrent(point, arrivalUs)) this.#learn(point, arrivalUs)
  }

  /** The servers of a trunk are checked together; which of them are down is asked when all of them are in. */
  tick(nowUs: number): void {
    const startedUs = (this.#startedUs ??= nowUs)
    const trunks = new Map<string, Server[]>()
    for (const server of this.#servers.values()) {
      const { key, agent, trunk, lastUs, intervalUs } = server
      const forgottenUs = Math.max(FORGOTTEN_US, FORGOTTEN_INTERVALS * intervalUs)
      if (nowUs - Math.max(lastUs, startedUs) >= forgottenUs) {
        this.#servers.delete(key)
        continue
      }
      if (server.failures > 0 && this.#context.isolation.isIsolated(agent, lastUs))
        server.failures = UNKNOWN
      const trunkKey = fingerprintOf(NAME, agent, trunk)
      const members = trunks.get(trunkKey)
      if (members === undefined) trunks.set(trunkKey, [server])
      else members.push(server)
    }
    for (const { breach } of this.#findings.memory)
      if (!trunks.has(breach.fingerprint))
        this.#findings.close(breach.fingerprint, 'ended', 'no longer checked: unknown', nowUs)
    for (const [key, members] of trunks) this.#judge(key, members, nowUs)
  }

  forgetAgent(agent: string): void {
    for (const server of this.#servers.values())
      if (server.agent === agent) this.#servers.delete(server.key)
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    for (const server of this.#servers.values())
      if (server.site === site) this.#servers.delete(server.key)
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { servers: [...this.#servers.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #learn({ tags, fields, timeUs }: Measurement, nowUs: number): void {
    const { agent = '', site = '', target = '', server: name = '' } = tags
    const { alive } = fields
    const server = this.#serverOf({ agent, site, trunk: target, server: name })
    if (server === undefined) return
    // No point is taken from so far ahead: our clock has been set back since.
    if (server.lastUs > nowUs + FORGOTTEN_US) server.lastUs = -Infinity
    if (timeUs <= server.lastUs) return
    server.lastUs = timeUs
    server.intervalUs = intervalUsOf(fields)
    server.address = copyOf(textOf(fields, 'server_address') ?? name)
    if (alive === true) {
      server.failures = 0
      // Servers are known again.
      if (name !== '') this.#servers.delete(keyOf({ agent, trunk: target, server: '' }))
    } else if (alive === false) {
      if (server.failures <= 0) server.sinceUs = timeUs - server.intervalUs
      const failures = Math.max(server.failures, 0) + 1
      server.failures = Math.max(failures, countOf(fields, 'failures_in_row'))
      const status = numberOf(fields, 'status_code')
      const reason = textOf(fields, 'reason') ?? (status === undefined ? 'no answer' : `${status}`)
      server.reason = copyOf(reason)
    }
  }

  #serverOf(of: Pick<Server, 'agent' | 'site' | 'trunk' | 'server'>): Server | undefined {
    const key = keyOf(of)
    const known = this.#servers.get(key)
    if (known !== undefined) return known
    if (this.#servers.size >= MAX_SERVERS) {
      this.#tooMany++
      return undefined
    }
    const server: Server = {
      ...{ key, agent: copyOf(of.agent), site: copyOf(of.site), trunk: copyOf(of.trunk) },
      ...{ server: copyOf(of.server), address: '', reason: '', sinceUs: 0, failures: UNKNOWN },
      ...{ lastUs: -Infinity, intervalUs: 0 },
    }
    this.#servers.set(key, server)
    return server
  }

  #judge(fingerprint: string, all: readonly Server[], nowUs: number): void {
    // Where not even a server is known, what is known of those before says nothing any more.
    const nameless = all.filter(({ server, failures }) => server === '' && failures > 0)
    const servers = nameless.length > 0 ? nameless : all.filter(({ server }) => server !== '')
    const down = servers.filter(({ failures }) => failures >= this.#options.checks)
    const [first] = down
    if (first === undefined) {
      this.#findWell(fingerprint, servers, nowUs)
      return
    }
    const { agent, site, trunk } = first
    const isAll = down.length === servers.length
    const sinceUs = Math.min(...down.map((server) => server.sinceUs))
    const named = down.slice(0, NAMED).map(({ server, reason }) => `${server} (${reason})`)
    const which =
      first.server === ''
        ? `no server is known: ${first.reason}`
        : `${down.length} of ${servers.length} servers: ${named.join(', ')}${down.length > NAMED ? ' ...' : ''}`
    const finding = {
      fingerprint,
      object: `trunk ${trunk}`,
      severity: this.#options[isAll ? 'severity' : 'server-severity'],
      summary: `no answer to ${first.failures} checks since ${utcMinute(sinceUs)}; ${which}`,
      labels: {
        ...placeOf(this.#context.topology(), { agent, site }, hostOf(first.address)),
        trunk,
      },
      evidence: {
        ...{ servers: servers.length, servers_down: down.length, checks: this.#options.checks },
        ...{ checks_failed: first.failures, server: first.server, reason: first.reason },
      },
      sinceUs,
    }
    const lastUs = Math.max(...down.map((server) => server.lastUs))
    this.#findings.raise(finding, lastUs, nowUs)
  }

  #findWell(fingerprint: string, servers: readonly Server[], nowUs: number): void {
    const breach = this.#findings.find(fingerprint)
    if (breach === undefined) return
    if (servers.every(({ failures }) => failures === UNKNOWN))
      this.#findings.close(fingerprint, 'ended', 'the agent may itself be cut off: unknown', nowUs)
    else if (servers.every(({ failures }) => failures === 0)) {
      const lastUs = Math.max(...servers.map((server) => server.lastUs))
      const summary = `answers again after ${lasting(lastUs - breach.sinceUs)}`
      this.#findings.close(fingerprint, 'resolved', summary, nowUs)
    }
  }
}

function keyOf({ agent, trunk, server }: Pick<Server, 'agent' | 'trunk' | 'server'>): string {
  return fingerprintOf(NAME, agent, trunk, server)
}
