import { z } from 'zod'
import type { Measurement, MeasurementName } from '../../../common/measurement.ts'
import { ratio } from '../../../common/settings.ts'
import { fingerprintOf, SEVERITIES } from '../breach.ts'
import { copyOf } from '../copy-of.ts'
import { defineRule, type Rule, type RuleContext } from '../rule.ts'
import { items, parts } from '../snapshot.ts'
import { lasting, percent, utcMinute } from '../words.ts'
import { readCall } from './call-verdict.ts'
import { Findings } from '../findings.ts'
import { countOf, hostOf, intervalUsOf, isCurrent, placeOf, textOf } from '../points.ts'

const NAME = 'test-call'
const FORGOTTEN_US = 5 * 60_000_000
/** Without a word for so many of its intervals, nobody calls there any more. */
const FORGOTTEN_INTERVALS = 3
const MAX_CALLED = 10_000

const options = z.strictObject({
  /** Calls in a row that must fail. */
  checks: z.int().min(1).default(2),
  /** Calls in a row that must be well before it is over. */
  'clear-checks': z.int().min(1).default(2),
  /** Of a direction that was measured; more is a fault. */
  loss: ratio.default(0.03),
  /** Turn off where the number called answers in silence. */
  sound: z.boolean().default(true),
  /** No call comes up, or it is silent. */
  severity: z.enum(SEVERITIES).default('critical'),
  'loss-severity': z.enum(SEVERITIES).default('warning'),
})
type Options = z.output<typeof options>

export const testCall = defineRule({
  name: NAME,
  summary: 'test calls do not come up, have sound one way only or none, or lose too much',
  options,
  create: (read, context) => new TestCall(read, context),
})

const calledSchema = z.object({
  ...{ key: z.string(), agent: z.string(), site: z.string(), target: z.string() },
  server: z.string(),
  lastUs: z.number(),
  intervalUs: z.number(),
  /** Of the first of those that failed in a row. */
  sinceUs: z.number(),
  failures: z.number(),
  wells: z.number(),
})
type Called = z.output<typeof calledSchema>

/** One alert for each number that is called. */
class TestCall implements Rule {
  readonly measurements = new Set<MeasurementName>(['sip_call'])
  readonly #options: Options
  readonly #context: RuleContext
  readonly #called = new Map<string, Called>()
  readonly #findings: Findings
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    const memory = parts(context.restored)
    for (const called of items(calledSchema, memory['called'])) this.#called.set(called.key, called)
    this.#findings = new Findings(NAME, context, memory['findings'])
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points)
      if (point.name === 'sip_call' && isCurrent(point, arrivalUs)) this.#judge(point, arrivalUs)
  }

  tick(nowUs: number): void {
    const startedUs = (this.#startedUs ??= nowUs)
    for (const { key, lastUs, intervalUs } of this.#called.values()) {
      const forgottenUs = Math.max(FORGOTTEN_US, FORGOTTEN_INTERVALS * intervalUs)
      if (nowUs - Math.max(lastUs, startedUs) < forgottenUs) continue
      this.#called.delete(key)
      this.#findings.close(key, 'ended', 'no longer called: not proven healed', nowUs)
    }
  }

  forgetAgent(agent: string): void {
    for (const called of this.#called.values())
      if (called.agent === agent) this.#called.delete(called.key)
    this.#findings.forgetAgent(agent)
  }

  siteLost(site: string, atUs: number): void {
    for (const called of this.#called.values())
      if (called.site === site) this.#called.delete(called.key)
    this.#findings.siteLost(site, atUs)
  }

  snapshot(): unknown {
    return { called: [...this.#called.values()], findings: this.#findings.memory }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many: this.#tooMany + this.#findings.tooMany }
  }

  #judge(point: Measurement, nowUs: number): void {
    const { tags, fields, timeUs } = point
    const called = this.#calledOf(tags)
    if (called === undefined) return
    // No point is taken from so far ahead: our clock has been set back since.
    if (called.lastUs > nowUs + FORGOTTEN_US) called.lastUs = -Infinity
    if (timeUs <= called.lastUs) return
    called.lastUs = timeUs
    called.intervalUs = intervalUsOf(fields)
    called.server = copyOf(textOf(fields, 'server') ?? called.server)
    const { loss, sound, checks } = this.#options
    const verdict = readCall(point, { loss, sound })
    if (verdict.kind === 'unknown') return
    if (verdict.kind === 'well') {
      this.#findWell(called, nowUs)
      return
    }
    if (this.#context.isolation.isIsolated(called.agent, timeUs)) {
      called.failures = called.wells = 0
      this.#findings.close(called.key, 'ended', 'the agent may itself be cut off: unknown', nowUs)
      return
    }
    if (called.failures === 0) called.sinceUs = timeUs
    called.wells = 0
    called.failures++
    // Known to the agent from before our own start.
    const failures =
      verdict.kind === 'set-up'
        ? Math.max(called.failures, countOf(fields, 'failures_in_row'))
        : called.failures
    if (failures < checks) return
    const { key, agent, site, target, sinceUs, server } = called
    const severity = this.#options[verdict.kind === 'loss' ? 'loss-severity' : 'severity']
    const limit = verdict.kind === 'loss' ? `, limit ${percent(loss)}` : ''
    this.#findings.raise(
      {
        ...{ fingerprint: key, object: `test call ${target}`, severity, sinceUs },
        summary: `${verdict.summary}${limit}; ${failures} calls in a row since ${utcMinute(sinceUs)}`,
        labels: { ...placeOf(this.#context.topology(), { agent, site }, hostOf(server)), target },
        evidence: {
          ...{ fault: verdict.kind, calls_failed: failures, checks, server },
          ...{ outcome: textOf(fields, 'outcome') ?? '', reason: verdict.reason },
        },
      },
      timeUs,
      nowUs,
    )
  }

  #findWell(called: Called, nowUs: number): void {
    called.failures = 0
    called.wells++
    const breach = this.#findings.find(called.key)
    if (breach === undefined || called.wells < this.#options['clear-checks']) return
    const summary = `calls are well again after ${lasting(called.lastUs - breach.sinceUs)}`
    this.#findings.close(called.key, 'resolved', summary, nowUs)
  }

  #calledOf(tags: Measurement['tags']): Called | undefined {
    const { agent = '', site = '', target = '' } = tags
    const key = fingerprintOf(NAME, agent, target)
    const known = this.#called.get(key)
    if (known !== undefined) return known
    if (this.#called.size >= MAX_CALLED) {
      this.#tooMany++
      return undefined
    }
    const called: Called = {
      ...{ key, agent: copyOf(agent), site: copyOf(site), target: copyOf(target), server: '' },
      ...{ lastUs: -Infinity, intervalUs: 0, sinceUs: 0, failures: 0, wells: 0 },
    }
    this.#called.set(key, called)
    return called
  }
}
