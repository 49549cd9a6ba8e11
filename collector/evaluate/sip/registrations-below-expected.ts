import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { count, utcMinute } from '../words.ts'
import { Findings } from '../findings.ts'
import { isCurrent, placeOf } from '../points.ts'
import { SeenBindings, type Bindings } from './seen-bindings.ts'

const NAME = 'registrations-below-expected'
const US_PER_MS = 1000
const MAX_SITES = 1000

const options = z.strictObject({
  /** Phones expected, by site; the site file says it too (sites: {hq: {expected-registrations: 120}}) and goes first. */
  expected: z.record(z.string(), z.int().min(1)).default({}),
  /** Fewer than this share of them is too few. */
  share: ratio.default(0.95),
  hold: duration.prefault('60s'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const registrationsBelowExpected = defineRule({
  name: NAME,
  summary: 'fewer phones of a site are registered than the site file expects',
  options,
  create: (read, context) => new RegistrationsBelowExpected(read, context),
})

const shortSchema = z.object({ site: z.string(), sinceUs: z.number() })

class RegistrationsBelowExpected implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_bindings'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #bindings: SeenBindings
  readonly #findings: Findings
  /** Since when a site has been short, by site. */
  readonly #shortSinceUs = new Map<string, number>()
  #startedUs: number | undefined

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    this.#bindings = new SeenBindings(memory['bindings'])
    for (const { site, sinceUs } of items(shortSchema, memory['short']))
      this.#shortSinceUs.set(site, sinceUs)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points)
      if (point.name === 'sip_bindings' && isCurrent(point, arrivalUs)) this.#bindings.learn(point)
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    // After a restart the taps get the time to be heard again.
    if (nowUs - this.#startedUs >= this.#options.hold * US_PER_MS) this.#bindings.trim(nowUs)
    const { sites } = this.#bindings
    for (const [site, taps] of sites) this.#judge(site, taps, nowUs)
    for (const { breach } of this.#findings.memory)
      if (!sites.has(breach.labels['site'] ?? ''))
        this.#findings.close(breach.fingerprint, 'ended', 'no tap tells any more: unknown', nowUs)
  }

  forgetAgent(agent: string): void {
    this.#bindings.forget((bindings) => bindings.agent === agent)
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    this.#bindings.forget((bindings) => bindings.site === site)
    this.#shortSinceUs.delete(site)
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    const short = [...this.#shortSinceUs].map(([site, sinceUs]) => ({ site, sinceUs }))
    return { bindings: this.#bindings.memory, short, findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#bindings.tooMany + this.#findings.tooMany }
  }

  #judge(site: string, taps: ReadonlyMap<string, readonly Bindings[]>, nowUs: number): void {
    const fingerprint = fingerprintOf(NAME, site)
    const expected =
      this.#context.topology().expectedRegistrations(site) ?? this.#options.expected[site]
    // A tap that has not watched for long does not know yet who is registered.
    const complete = [...taps.values()].filter(
      (registrars) =>
        registrars.every(({ isComplete }) => isComplete) &&
        !registrars.some(({ agent, timeUs }) => this.#context.isolation.isIsolated(agent, timeUs)),
    )
    const seen = complete.map((registrars) => ({ registrars, accounts: accountsOf(registrars) }))
    const [best] = seen.sort((a, b) => b.accounts - a.accounts)
    if (expected === undefined || best === undefined) {
      this.#shortSinceUs.delete(site)
      const why = expected === undefined ? 'nothing is expected any more' : 'nobody knows yet'
      this.#findings.close(fingerprint, 'ended', why, nowUs)
      return
    }
    const { accounts, registrars } = best
    if (accounts >= this.#options.share * expected) {
      this.#shortSinceUs.delete(site)
      const summary = `${count(accounts)} of ${count(expected)} registered again`
      this.#findings.close(fingerprint, 'resolved', summary, nowUs)
      return
    }
    const [{ agent, timeUs, intervalUs } = NOBODY] = registrars
    const sinceUs = this.#shortSinceUs.get(site) ?? timeUs - intervalUs
    if (this.#shortSinceUs.size < MAX_SITES) this.#shortSinceUs.set(site, sinceUs)
    if (timeUs - sinceUs < this.#options.hold * US_PER_MS && !this.#findings.has(fingerprint))
      return
    this.#findings.raise(
      {
        fingerprint,
        object: `phones of ${site}`,
        severity: this.#options.severity,
        summary: `${count(accounts)} of ${count(expected)} expected phones are registered since ${utcMinute(sinceUs)}, ${count(expected - accounts)} are missing`,
        labels: placeOf(this.#context.topology(), { agent, site }),
        evidence: {
          ...{ accounts, expected, missing: expected - accounts, share: this.#options.share },
          registrars: registrars.map(({ registrar }) => registrar).join(', '),
        },
        sinceUs,
      },
      timeUs,
      nowUs,
    )
  }
}

const NOBODY = { agent: '', timeUs: 0, intervalUs: 0 }

function accountsOf(registrars: readonly Bindings[]): number {
  return registrars.reduce((sum, { accounts }) => sum + accounts, 0)
}
