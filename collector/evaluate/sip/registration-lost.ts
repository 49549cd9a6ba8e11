import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { lasting, utcMinute } from '../words.ts'
import { Findings, type Finding } from '../findings.ts'
import { hostOf, isCurrent, placeOf } from '../points.ts'
import { readRegistrationCheck, type RegistrationCheck } from './registration-check.ts'

const NAME = 'registration-lost'
const US_PER_MS = 1000
const FORGOTTEN_US = 5 * 60_000_000
/** Without a word for so many of its intervals, an account is no longer checked. */
const FORGOTTEN_INTERVALS = 3
const MAX_ACCOUNTS = 10_000
const NAMED = 3

const options = z.strictObject({
  /** After the check that failed; a better one in this time, and nobody is told. */
  hold: duration.prefault('10s'),
  /** So many checks in a row must go without an answer: one lost packet is no lost registration. A refusal is one at once. */
  timeouts: z.int().min(1).default(2),
  /** More accounts of a registrar than these are one alert about the registrar; so are all of them. */
  group: z.int().min(1).default(5),
  severity: z.enum(SEVERITIES).default('warning'),
  'registrar-severity': z.enum(SEVERITIES).default('critical'),
})
type Options = z.output<typeof options>

export const registrationLost = defineRule({
  name: NAME,
  summary: 'an account is not registered, is refused, or its registrar does not answer',
  options,
  create: (read, context) => new RegistrationLost(read, context),
})

const accountSchema = z.object({
  ...{ key: z.string(), agent: z.string(), site: z.string(), account: z.string() },
  ...{ aor: z.string(), registrar: z.string(), server: z.string() },
  lastUs: z.number(),
  intervalUs: z.number(),
  state: z.enum(['unknown', 'registered', 'unregistered', 'refused', 'silent']),
  /** Start and end of the first check of those that failed in a row, and how many these are. */
  sinceUs: z.number(),
  failedUs: z.number(),
  failures: z.number(),
  statusCode: z.number().exactOptional(),
  reason: z.string(),
})
type Account = z.output<typeof accountSchema>

/** Accounts nobody can be called on: one alert each, or one for a registrar all of whose accounts are gone at once. */
class RegistrationLost implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_registration'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #accounts = new Map<string, Account>()
  readonly #findings: Findings
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const account of items(accountSchema, memory['accounts']))
      this.#accounts.set(account.key, account)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points) {
      const check = readRegistrationCheck(point)
      if (check !== undefined && isCurrent(point, arrivalUs)) this.#learn(check, arrivalUs)
    }
  }

  /** All accounts of a registrar are checked together; whether one or all are gone is asked when all of them are in. */
  tick(nowUs: number): void {
    const startedUs = (this.#startedUs ??= nowUs)
    const registrars = new Map<string, Account[]>()
    for (const account of this.#accounts.values()) {
      const { key, agent, registrar, lastUs, intervalUs, state } = account
      const forgottenUs = Math.max(FORGOTTEN_US, FORGOTTEN_INTERVALS * intervalUs)
      if (nowUs - Math.max(lastUs, startedUs) >= forgottenUs) {
        this.#accounts.delete(key)
        const summary = `not checked since ${utcMinute(lastUs)}, not proven healed`
        this.#findings.close(key, 'ended', summary, nowUs)
        continue
      }
      // It gets no answer from anybody: that says nothing of the registrar.
      if (state === 'silent' && this.#context.isolation.isIsolated(agent, lastUs)) {
        account.state = 'unknown'
        account.failures = 0
      }
      const registrarKey = fingerprintOf(NAME, agent, 'registrar', registrar)
      const members = registrars.get(registrarKey)
      if (members === undefined) registrars.set(registrarKey, [account])
      else members.push(account)
    }
    for (const [key, members] of registrars) this.#judge(key, members, nowUs)
    for (const { breach } of this.#findings.memory)
      if (breach.labels['account'] === undefined && !registrars.has(breach.fingerprint))
        this.#findings.close(breach.fingerprint, 'ended', 'its accounts are not checked', nowUs)
  }

  forgetAgent(agent: string): void {
    for (const account of this.#accounts.values())
      if (account.agent === agent) this.#accounts.delete(account.key)
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    for (const account of this.#accounts.values())
      if (account.site === site) this.#accounts.delete(account.key)
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { accounts: [...this.#accounts.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #learn(check: RegistrationCheck, nowUs: number): void {
    const { timeUs, intervalUs, outcome } = check
    const account = this.#accountOf(check)
    if (account === undefined) return
    // No point is taken from so far ahead: our clock has been set back since.
    if (account.lastUs > nowUs + FORGOTTEN_US) account.lastUs = -Infinity
    if (timeUs <= account.lastUs) return
    account.lastUs = timeUs
    account.intervalUs = intervalUs
    if (outcome === 'unchecked') return
    account.state = outcome
    if (outcome === 'registered') {
      account.failures = 0
      return
    }
    if (account.failures === 0) {
      account.sinceUs = timeUs - intervalUs
      account.failedUs = timeUs
    }
    account.failures = Math.max(account.failures + 1, check.failuresInRow)
    account.reason = copyOf(check.reason)
    account.server = copyOf(check.server)
    delete account.statusCode
    if (check.statusCode !== undefined) account.statusCode = check.statusCode
  }

  #accountOf(check: RegistrationCheck): Account | undefined {
    const key = fingerprintOf(NAME, check.agent, check.account)
    const known = this.#accounts.get(key)
    if (known?.registrar === check.registrar) return known
    if (known === undefined && this.#accounts.size >= MAX_ACCOUNTS) {
      this.#tooMany++
      return undefined
    }
    const account: Account = {
      ...{ key, agent: copyOf(check.agent), site: copyOf(check.site) },
      ...{ account: copyOf(check.account), aor: copyOf(check.aor) },
      ...{ registrar: copyOf(check.registrar), server: copyOf(check.server) },
      ...{ lastUs: -Infinity, intervalUs: check.intervalUs, state: 'unknown', failures: 0 },
      ...{ sinceUs: 0, failedUs: 0, reason: '' },
    }
    this.#accounts.set(key, account)
    return account
  }

  #judge(registrarKey: string, members: readonly Account[], nowUs: number): void {
    const lost = members.filter((account) => this.#isLost(account, nowUs))
    const known = members.filter(({ state }) => state !== 'unknown')
    const areAll = lost.length > 1 && lost.length === known.length
    const isOne = areAll || lost.length > this.#options.group
    for (const account of members) {
      const { key, state, lastUs } = account
      if (!isOne && lost.includes(account)) {
        this.#findings.raise(this.#lostAccount(account), lastUs, nowUs)
        continue
      }
      const breach = this.#findings.find(key)
      if (breach === undefined) continue
      if (state === 'registered')
        this.#findings.close(
          key,
          'resolved',
          `registered again after ${lasting(lastUs - breach.sinceUs)}`,
          nowUs,
        )
      else if (isOne)
        this.#findings.close(key, 'ended', 'part of the alert on its registrar now', nowUs)
      else if (state === 'unknown')
        this.#findings.close(key, 'ended', 'the agent may itself be cut off: unknown', nowUs)
    }
    if (isOne) {
      const finding = this.#lostRegistrar(registrarKey, lost, known.length)
      this.#findings.raise(finding, nowUs, nowUs)
    } else if (known.length === 0)
      this.#findings.close(registrarKey, 'ended', 'the agent may itself be cut off: unknown', nowUs)
    else {
      const left = lost.length === 0 ? '' : `; ${lost.length} are still lost`
      const well = known.length - lost.length
      const summary = `${well} of ${known.length} accounts are registered again${left}`
      this.#findings.close(registrarKey, 'resolved', summary, nowUs)
    }
  }

  #isLost({ key, state, failures, failedUs }: Account, nowUs: number): boolean {
    if (failures === 0 || state === 'unknown' || state === 'registered') return false
    const { hold, timeouts } = this.#options
    if (this.#findings.has(key)) return true
    const isEvident = state !== 'silent' || failures >= timeouts
    return isEvident && nowUs - failedUs >= hold * US_PER_MS
  }

  #lostAccount(account: Account): Finding {
    const { key, agent, site, aor, registrar, server, sinceUs, failures } = account
    return {
      fingerprint: key,
      object: `account ${account.account}`,
      severity: this.#options.severity,
      summary: `${wordsFor(account)} since ${utcMinute(sinceUs)}: ${account.reason}`,
      labels: {
        ...placeOf(this.#context.topology(), { agent, site }, hostOf(server)),
        ...{ account: account.account, aor, registrar },
      },
      evidence: figuresOf(account, failures),
      sinceUs,
    }
  }

  #lostRegistrar(fingerprint: string, lost: readonly Account[], known: number): Finding {
    const sinceUs = Math.min(...lost.map((account) => account.sinceUs))
    const worst = lost.find(({ state }) => state === 'silent') ?? lost[0]
    const { agent = '', site = '', registrar = '', server = '' } = worst ?? {}
    const silent = lost.filter(({ state }) => state === 'silent').length
    const examples = lost.slice(0, NAMED).map(({ account }) => account)
    const more = lost.length > NAMED ? ' ...' : ''
    const what =
      silent === lost.length
        ? `does not answer for ${lost.length} of ${known} accounts`
        : `${lost.length} of ${known} accounts are lost, ${silent} of them without an answer`
    return {
      fingerprint,
      object: `registrar ${registrar}`,
      severity: this.#options['registrar-severity'],
      summary: `${what} since ${utcMinute(sinceUs)}: ${worst?.reason ?? ''} (${examples.join(', ')}${more})`,
      labels: {
        ...placeOf(this.#context.topology(), { agent, site }, hostOf(server)),
        registrar,
      },
      evidence: {
        ...(worst === undefined ? {} : figuresOf(worst, worst.failures)),
        ...{ accounts: known, accounts_lost: lost.length, accounts_silent: silent },
      },
      sinceUs,
    }
  }
}

function wordsFor({ state }: Account): string {
  if (state === 'silent') return 'the registrar does not answer'
  return state === 'refused' ? 'refused by the registrar' : 'not registered'
}

function figuresOf(account: Account, failures: number): Finding['evidence'] {
  const { statusCode, server, reason } = account
  return {
    ...(statusCode === undefined ? {} : { status_code: statusCode }),
    ...(server === '' ? {} : { server }),
    ...{ checks_failed: failures, reason },
  }
}
