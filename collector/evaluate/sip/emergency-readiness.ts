import { z } from 'zod'
import { measurement, type Measurement, type MeasurementName } from '../../../common/measurement.ts'
import { duration } from '../../../common/settings.ts'
import type { EmergencyCall } from '../../topology/site.ts'
import { fingerprintOf, SEVERITIES, type Severity } from '../breach.ts'
import { emergencyPower, type EmergencyPower } from '../power/emergency-power.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { utcMinute } from '../words.ts'
import { Findings } from '../findings.ts'
import { isCurrent, placeOf } from '../points.ts'
import { NewestChecks, type Answer } from './newest-checks.ts'

const NAME = 'emergency-readiness'
const SERVICE = 'emergency-112'
/** The class of rules about emergency calls: channels may be for these only. */
export const EMERGENCY = 'emergency'
const US_PER_MS = 1000
/** A state that does not change is stored so often. */
const STORED_US = 60_000_000

const options = z.strictObject({
  /** After it ceased to be ready. */
  hold: duration.prefault('10s'),
  severity: z.enum(SEVERITIES).default('critical'),
  /** Nobody knows for so long. */
  'unknown-after': duration.prefault('10min'),
  'unknown-severity': z.enum(SEVERITIES).default('warning'),
  /** Caller id or location is not in the site file. */
  'incomplete-severity': z.enum(SEVERITIES).default('warning'),
  /** It would get through, and its power will not last as long as it should: power-event tells of that too. */
  'short-severity': z.enum(SEVERITIES).default('notice'),
})
type Options = z.output<typeof options>

/** Would a call to the emergency services get through, with a number to call back and a place to go to? Without calling them. */
export const emergencyReadiness = defineRule({
  name: NAME,
  summary: 'an emergency call from a site would not get through, or nobody knows',
  options,
  create: (read, context) => new EmergencyReadiness(read, context),
})

type State = 'ready' | 'not-ready' | 'unknown'

const siteSchema = z.object({
  site: z.string(),
  state: z.enum(['ready', 'not-ready', 'unknown']),
  sinceUs: z.number(),
  storedUs: z.number(),
})
type Site = z.output<typeof siteSchema>

interface Verdict {
  readonly state: State
  /** Only the site file is at fault. */
  readonly isIncomplete: boolean
  readonly reasons: readonly string[]
  readonly trunk: Answer
  readonly account: Answer
  readonly power: EmergencyPower
}

class EmergencyReadiness implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_options', 'sip_registration'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #checks: NewestChecks
  readonly #findings: Findings
  readonly #sites = new Map<string, Site>()
  #startedUs: number | undefined

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    this.#checks = new NewestChecks(memory['checks'])
    for (const site of items(siteSchema, memory['sites'])) this.#sites.set(site.site, site)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points) if (isCurrent(point, arrivalUs)) this.#checks.learn(point)
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    const sites = this.#context.topology().emergencySites()
    for (const [site, call] of sites) this.#judge(site, call, nowUs)
    const declared = new Set(sites.map(([site]) => site))
    for (const site of this.#sites.keys()) {
      if (declared.has(site)) continue
      this.#sites.delete(site)
      const summary = 'the site file says nothing of it any more'
      this.#findings.close(fingerprintOf(NAME, site), 'ended', summary, nowUs)
    }
  }

  forgetAgent(agent: string): void {
    this.#checks.forget((check) => check.agent === agent)
  }

  /** Its checks are of the time before. */
  siteLost(site: string, atUs: number): void {
    this.#checks.forget((check) => check.site === site)
    this.#sites.delete(site)
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return {
      checks: this.#checks.memory,
      sites: [...this.#sites.values()],
      findings: this.#findings.memory,
    }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#findings.tooMany }
  }

  #judge(name: string, call: EmergencyCall, nowUs: number): void {
    const verdict = this.#verdictOn(name, call, nowUs)
    const known = this.#sites.get(name)
    const isNew = known?.state !== verdict.state
    const site: Site = isNew
      ? { site: name, state: verdict.state, sinceUs: nowUs, storedUs: nowUs }
      : known
    if (isNew || Math.abs(nowUs - site.storedUs) >= STORED_US) {
      site.storedUs = nowUs
      this.#context.point(pointOf(name, call, verdict, nowUs))
    }
    this.#sites.set(name, site)
    this.#alert(site, call, verdict, nowUs)
  }

  #verdictOn(site: string, call: EmergencyCall, nowUs: number): Verdict {
    const { trunk: trunkName, account: accountName, 'caller-id': callerId, location } = call
    const answer = (kind: 'trunk' | 'account', target: string | undefined): Answer =>
      target === undefined
        ? { isWell: undefined, reason: `no ${kind} in the site file` }
        : this.#checks.answer(kind, site, target, nowUs, (agent, atUs) =>
            this.#context.isolation.isIsolated(agent, atUs),
          )
    const trunk = answer('trunk', trunkName)
    const account = answer('account', accountName)
    const missing = [
      callerId === undefined ? 'no caller id in the site file' : '',
      location === undefined ? 'no location in the site file' : '',
    ].filter((reason) => reason !== '')
    const power = emergencyPower(this.#context, this.#context.topology().emergencyService(site))
    const answers = [trunk, account]
    const isDown = answers.some(({ isWell }) => isWell === false) || power.state === 'down'
    const isUnknown =
      answers.some(({ isWell }) => isWell === undefined) || power.state === 'unknown'
    const isReady = !isDown && missing.length === 0 && power.state !== 'short'
    const said = answers.filter(({ isWell }) => isWell !== true).map(({ reason }) => reason)
    return {
      state: !isReady ? 'not-ready' : isUnknown ? 'unknown' : 'ready',
      isIncomplete: !isDown && missing.length > 0,
      reasons: [...said, ...missing, power.words],
      ...{ trunk, account, power },
    }
  }

  #alert(site: Site, call: EmergencyCall, verdict: Verdict, nowUs: number): void {
    const { state, isIncomplete, reasons, power } = verdict
    const fingerprint = fingerprintOf(NAME, site.site)
    if (state === 'ready') {
      this.#findings.close(fingerprint, 'resolved', `ready again; ${power.words}`, nowUs)
      return
    }
    const isUnknown = state === 'unknown'
    const afterMs = this.#options[isUnknown ? 'unknown-after' : 'hold']
    // After a restart the agents get the time to be heard again.
    const sinceUs = Math.max(site.sinceUs, this.#startedUs ?? nowUs)
    const isHeld = nowUs - sinceUs >= afterMs * US_PER_MS
    if (!isHeld && !this.#findings.has(fingerprint)) return
    const severity: Severity =
      this.#options[
        isUnknown
          ? 'unknown-severity'
          : isIncomplete
            ? 'incomplete-severity'
            : isDown(verdict)
              ? 'severity'
              : 'short-severity'
      ]
    const words = isUnknown ? 'nobody knows whether it would get through' : 'would not be ready'
    this.#findings.raise(
      {
        fingerprint,
        object: `emergency calls from ${site.site}`,
        severity,
        summary: `${words} since ${utcMinute(site.sinceUs)}: ${reasons.join('; ')}`,
        labels: {
          class: EMERGENCY,
          site: site.site,
          owner: placeOf(this.#context.topology(), { site: site.site }, call.trunk).owner,
          ...(call.trunk === undefined ? {} : { trunk: call.trunk }),
          ...(call.account === undefined ? {} : { account: call.account }),
        },
        evidence: { state, reasons: reasons.join('; '), power: power.words },
        sinceUs: site.sinceUs,
      },
      nowUs,
      nowUs,
    )
  }
}

function isDown({ trunk, account, power }: Verdict): boolean {
  return trunk.isWell === false || account.isWell === false || power.state === 'down'
}

function pointOf(site: string, call: EmergencyCall, verdict: Verdict, nowUs: number): Measurement {
  const { state, reasons, trunk, account } = verdict
  return measurement(
    'service',
    nowUs,
    { target: SERVICE, site, source: 'readiness' },
    {
      state,
      ...(state === 'unknown' ? {} : { ready: state === 'ready' }),
      trunk_answers: trunk.isWell,
      account_registered: account.isWell,
      caller_id_configured: call['caller-id'] !== undefined,
      location_configured: call.location !== undefined,
      reason: reasons.join('; '),
    },
  )
}
