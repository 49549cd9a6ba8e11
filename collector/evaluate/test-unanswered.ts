import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { count, lasting, utcMinute } from './words.ts'

const NAME = 'test-unanswered'
const US_PER_MS = 1000
const DEFAULT_INTERVAL_MS = 10_000
/** Intervals are as exact as their timers: this share of one may be missing from a hold. */
const TIMER_SLACK = 0.1
/** Older than this on arrival is history, and nobody is paged for history; further ahead there is no time to judge it by. */
const CURRENT_US = 60_000_000
/** Without a word from the tester for this long, its breach is ended: not proven healed. */
const FORGOTTEN_US = 5 * 60_000_000
const MAX_TESTS = 10_000

const options = z.strictObject({
  hold: duration.prefault('20s'),
  severity: z.enum(SEVERITIES).default('warning'),
})

type Options = z.output<typeof options>

export const testUnanswered = defineRule({
  name: NAME,
  summary: 'a test stream is sent and nothing comes back',
  options,
  create: (read, context) => new TestUnanswered(read, context),
})

const testSchema = z.object({
  key: z.string(),
  lastUs: z.number(),
  sinceUs: z.number(),
  unansweredUs: z.number(),
  sent: z.number(),
  breach: breachSchema.exactOptional(),
})

interface Test {
  readonly key: string
  /** End of the newest interval. */
  lastUs: number
  /** Start of the first interval without an answer. */
  sinceUs: number
  /** Interval time without an answer since then; 0 while it answers. */
  unansweredUs: number
  /** Packets sent in that time. */
  sent: number
  breach?: Breach
}

/** What was lost cannot be told where nothing comes back, so the 3 % rule is silent on it: this one is not. */
class TestUnanswered implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #tests = new Map<string, Test>()
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    for (const test of items(testSchema, parts(context.restored)['tests'])) {
      this.#tests.set(test.key, test)
      if (test.breach !== undefined) context.update(test.breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points) {
      if (point.name !== 'rtp_test' || typeof point.fields['answered'] !== 'boolean') continue
      if (point.timeUs > arrivalUs + CURRENT_US) continue
      const test = this.#testOf(point)
      if (test !== undefined) this.#step(test, point, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    for (const test of this.#tests.values()) {
      const agent = test.breach?.labels['agent'] ?? ''
      if (this.#context.isolation.isIsolated(agent, test.lastUs)) this.#setAside(test, nowUs)
      if (nowUs - Math.max(test.lastUs, this.#startedUs) < FORGOTTEN_US) continue
      if (test.breach !== undefined) {
        const summary = `no test since ${utcMinute(test.lastUs)}, not proven healed`
        this.#close(test, 'ended', summary, nowUs)
      }
      this.#tests.delete(test.key)
    }
  }

  siteLost(site: string, atUs: number): void {
    for (const test of this.#tests.values())
      if (test.breach?.labels['site'] === site)
        this.#close(test, 'ended', 'its site was cut off: unknown, not proven healed', atUs)
  }

  snapshot(): unknown {
    return { tests: [...this.#tests.values()] }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many_tests: this.#tooMany }
  }

  #testOf({ tags, timeUs }: Measurement): Test | undefined {
    const key = fingerprintOf(NAME, tags['agent'] ?? '', tags['target'] ?? '')
    const known = this.#tests.get(key)
    if (known !== undefined) return known
    if (this.#tests.size >= MAX_TESTS) {
      this.#tooMany++
      return undefined
    }
    const test = { key, lastUs: 0, sinceUs: timeUs, unansweredUs: 0, sent: 0 }
    this.#tests.set(key, test)
    return test
  }

  #step(test: Test, point: Measurement, arrivalUs: number): void {
    const { answered, sent, interval_ms: intervalMs } = point.fields
    const intervalUs = (positive(intervalMs) ?? DEFAULT_INTERVAL_MS) * US_PER_MS
    const isCurrent = point.timeUs >= arrivalUs - CURRENT_US
    // No point is taken from so far ahead: our clock has been set back since.
    if (test.lastUs > arrivalUs + CURRENT_US) test.lastUs = test.unansweredUs = test.sent = 0
    if (answered === true) {
      if (point.timeUs < test.lastUs - intervalUs / 2) return // older than what is known
      test.lastUs = Math.max(test.lastUs, point.timeUs)
      test.unansweredUs = 0
      test.sent = 0
      if (test.breach !== undefined && isCurrent) {
        const summary = `answers again after ${lasting(point.timeUs - test.breach.sinceUs)}`
        this.#close(test, 'resolved', summary, arrivalUs)
      }
      return
    }
    const packets = positive(sent)
    // Both directions of an interval say the same; a retried batch says it again.
    if (packets === undefined || point.timeUs <= test.lastUs + intervalUs / 2) return
    if (this.#context.isolation.isIsolated(point.tags['agent'] ?? '', point.timeUs)) {
      test.lastUs = point.timeUs
      this.#setAside(test, arrivalUs)
      return
    }
    if (test.unansweredUs === 0) test.sinceUs = point.timeUs - intervalUs
    test.lastUs = point.timeUs
    test.unansweredUs += intervalUs
    test.sent += packets
    const isHeld = test.unansweredUs + intervalUs * TIMER_SLACK >= this.#options.hold * US_PER_MS
    if (test.breach !== undefined) {
      test.breach = { ...test.breach, ...this.#figures(test), updatedUs: arrivalUs }
      this.#context.update(test.breach)
    } else if (isHeld && isCurrent) {
      test.breach = this.#breachOf(test, point, arrivalUs)
      this.#context.change('firing', test.breach, arrivalUs)
    }
  }

  /** The tester sees nothing at all: that says nothing of the way to the target. */
  #setAside(test: Test, atUs: number): void {
    test.unansweredUs = 0
    test.sent = 0
    this.#close(test, 'ended', 'the agent may itself be cut off: unknown', atUs)
  }

  #close(test: Test, state: 'resolved' | 'ended', summary: string, atUs: number): void {
    if (test.breach === undefined) return
    const closed: Breach = { ...test.breach, state, summary, closedUs: atUs, updatedUs: atUs }
    delete test.breach
    this.#context.change(state, closed, atUs)
  }

  #figures({ sent, sinceUs }: Test): Pick<Breach, 'summary' | 'evidence'> {
    return {
      summary: `no answer to ${count(sent)} test packets since ${utcMinute(sinceUs)}`,
      evidence: { sent, hold_ms: this.#options.hold },
    }
  }

  #breachOf(test: Test, { tags }: Measurement, atUs: number): Breach {
    const { agent = 'unknown', target = 'unknown', from = 'unknown', to = 'unknown' } = tags
    const { at = 'unknown', site = 'unknown', bearer = 'unknown', owner = 'unknown' } = tags
    return {
      id: `${test.key}/${test.sinceUs}`,
      fingerprint: test.key,
      rule: NAME,
      object: `${agent} -> ${target}`,
      state: 'firing',
      severity: this.#options.severity,
      ...this.#figures(test),
      labels: {
        ...{ agent, target, from, to, at, source: 'test' },
        ...{ segment: `${from} -> ${to}`, site, bearer, owner },
      },
      sinceUs: test.sinceUs,
      firedUs: atUs,
      updatedUs: atUs,
    }
  }
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined
}
