import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration, ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { lasting } from '../words.ts'
import { Findings } from '../findings.ts'
import { hostOf, isCurrent, placeOf } from '../points.ts'
import { readRegistrationCheck, type RegistrationCheck } from './registration-check.ts'

const NAME = 'registration-lapsing'
const MS_PER_S = 1000
const US_PER_S = 1_000_000
const FORGOTTEN_US = 15 * 60_000_000
const MAX_ACCOUNTS = 10_000

const options = z.strictObject({
  /** A registration with less than this share of its time left should have been refreshed long ago (RFC 3261 section 10.2.4). */
  share: ratio.default(0.1),
  /** Less than this is lapsing in any case. */
  margin: z.union([z.literal(['off', false]), duration]).default('off'),
  severity: z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const registrationLapsing = defineRule({
  name: NAME,
  summary: 'a registration is about to lapse: it was not refreshed in time',
  options,
  create: (read, context) => new RegistrationLapsing(read, context),
})

const accountSchema = z.object({ key: z.string(), lastUs: z.number(), grantedS: z.number() })
type Account = z.output<typeof accountSchema>

/** Calls to the account still arrive, and in so many seconds they will not. */
class RegistrationLapsing implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_registration'])
  readonly #options: Options
  readonly #context: RuleContext
  /** The longest time each account was seen to have left: about what its registrar grants. The one heard of least lately first. */
  readonly #accounts = new Map<string, Account>()
  readonly #findings: Findings

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const account of items(accountSchema, memory['accounts']))
      this.#accounts.set(account.key, account)
    this.#findings = new Findings(NAME, context, memory['findings'], false)
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      const check = readRegistrationCheck(point)
      if (check !== undefined && isCurrent(point, arrivalUs)) this.#judge(check, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    for (const [key, { lastUs }] of this.#accounts)
      if (Math.abs(nowUs - lastUs) > FORGOTTEN_US) this.#accounts.delete(key)
    this.#findings.settle(nowUs, FORGOTTEN_US)
  }

  forgetAgent(agent: string): void {
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { accounts: [...this.#accounts.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge(check: RegistrationCheck, nowUs: number): void {
    const { agent, account, outcome, marginS, timeUs, reason } = check
    const key = fingerprintOf(NAME, agent, account)
    if (outcome === 'unchecked') return
    if (outcome !== 'registered' || marginS === undefined) {
      // It lapsed, or the registrar is gone: registration-lost says so.
      this.#findings.close(key, 'ended', `no longer registered: ${reason}`, nowUs)
      return
    }
    const granted = this.#grantedS(key, marginS, timeUs)
    const { share, margin } = this.#options
    const leastS = typeof margin === 'number' ? margin / MS_PER_S : 0
    const limitS = Math.max(share * granted, leastS)
    if (marginS >= limitS) {
      this.#findings.close(key, 'resolved', `refreshed: ${seconds(marginS)} left`, nowUs)
      return
    }
    const { aor, registrar, server, site, intervalUs } = check
    this.#findings.raise(
      {
        fingerprint: key,
        object: `account ${account}`,
        severity: this.#options.severity,
        summary: `lapses in ${seconds(marginS)} unless it is refreshed, limit ${seconds(limitS)} of ${seconds(granted)} granted`,
        labels: {
          ...placeOf(this.#context.topology(), { agent, site }, hostOf(server)),
          ...{ account, aor, registrar },
        },
        evidence: { margin_s: marginS, limit_s: limitS, granted_s: granted },
        sinceUs: timeUs - intervalUs,
      },
      timeUs,
      nowUs,
    )
  }

  #grantedS(key: string, marginS: number, lastUs: number): number {
    const known = this.#accounts.get(key)
    const account = { key: known?.key ?? copyOf(key), lastUs, grantedS: marginS }
    if (known !== undefined) account.grantedS = Math.max(known.grantedS, marginS)
    this.#accounts.delete(key)
    this.#accounts.set(account.key, account)
    for (const oldest of this.#accounts.keys()) {
      if (this.#accounts.size <= MAX_ACCOUNTS) break
      this.#accounts.delete(oldest)
    }
    return account.grantedS
  }
}

function seconds(s: number): string {
  return lasting(s * US_PER_S)
}
