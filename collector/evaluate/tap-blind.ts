import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, SEVERITIES, type Breach } from './breach.ts'
import { copyOf } from './copy-of.ts'
import { pathLimits } from './path-limits.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { TaintedTap } from './tainted-tap.ts'
import { count, lasting, utcMinute } from './words.ts'

const NAME = 'tap-blind'
/** The probe whose points tell of a tap; a second one of the agent is called rtp-capture-2. */
const TAP = /^rtp-capture(-\d+)?$/
const US_PER_MS = 1000
const DEFAULT_INTERVAL_MS = 10_000
/** Intervals are as exact as their timers: this share of one may be missing from a hold. */
const TIMER_SLACK = 0.1
/** With a longer pause between two intervals, nobody knows what was in between. */
const MAX_GAP_INTERVALS = 2
/** Older than this on arrival is history; further ahead there is no time to judge it by. */
const CURRENT_US = 60_000_000
const FORGOTTEN_US = 5 * 60_000_000
const MAX_TAPS = 10_000

const options = z.strictObject({
  after: duration.prefault('60s'),
  'clear-hold': duration.prefault('60s'),
  severity: z.enum(SEVERITIES).default('warning'),
  /** By which limits of path-loss a verdict is one that the tap's drops could have made. */
  limits: pathLimits.prefault({}),
})

type Options = z.output<typeof options>

export const tapBlind = defineRule({
  name: NAME,
  summary: 'a tap captures nothing, or drops so much itself that no verdict can be trusted',
  options,
  create: (read, context) => new TapBlind(read, context),
})

const tapSchema = z.object({
  key: z.string(),
  agent: z.string(),
  target: z.string(),
  lastUs: z.number(),
  sinceUs: z.number(),
  condition: z.enum(['clean', 'no-capture', 'tainted']),
  blindSinceUs: z.number(),
  why: z.string(),
  breach: breachSchema.exactOptional(),
})

interface Tap {
  readonly key: string
  readonly agent: string
  readonly target: string
  /** End of the newest interval. */
  lastUs: number
  /** Start of the first interval that is clean, or blind, like all since. */
  sinceUs: number
  condition: Evidence['condition']
  /** Start of the first blind interval before it was clean for long enough. */
  blindSinceUs: number
  why: string
  breach?: Breach
}

/** What one interval says of a tap. */
interface Evidence {
  readonly condition: 'clean' | 'no-capture' | 'tainted'
  readonly why: string
}

/** The tap's own trouble goes to the tap's owner: it accuses no path. */
class TapBlind implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  readonly #tainted: TaintedTap
  readonly #taps = new Map<string, Tap>()
  #startedUs: number | undefined
  #tooMany = 0

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    this.#tainted = new TaintedTap(read.limits)
    for (const tap of items(tapSchema, parts(context.restored)['taps'])) {
      this.#taps.set(tap.key, tap)
      if (tap.breach !== undefined) context.update(tap.breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    this.#startedUs ??= arrivalUs
    for (const point of points) {
      if (point.name === 'rtp_stream') this.#tainted.add(point)
      else if (point.name === 'agent' && TAP.test(point.tags['target'] ?? ''))
        this.#judge(point, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    this.#startedUs ??= nowUs
    for (const tap of this.#taps.values()) {
      if (nowUs - Math.max(tap.lastUs, this.#startedUs) < FORGOTTEN_US) continue
      this.#close(tap, 'ended', `nothing heard of the tap since ${utcMinute(tap.lastUs)}`, nowUs)
      this.#taps.delete(tap.key)
    }
  }

  forgetAgent(name: string): void {
    this.#tainted.forget(name)
    for (const tap of this.#taps.values()) {
      if (tap.agent !== name) continue
      this.#close(tap, 'ended', 'its token was revoked', tap.lastUs)
      this.#taps.delete(tap.key)
    }
  }

  siteLost(site: string, atUs: number): void {
    for (const tap of this.#taps.values())
      if (tap.breach?.labels['site'] === site)
        this.#close(tap, 'ended', 'its site was cut off: unknown', atUs)
  }

  snapshot(): unknown {
    return { taps: [...this.#taps.values()] }
  }

  counters(): Readonly<Record<string, number>> {
    return { too_many_taps: this.#tooMany }
  }

  #judge(point: Measurement, arrivalUs: number): void {
    const evidence = this.#evidence(point)
    if (evidence === undefined || Math.abs(point.timeUs - arrivalUs) > CURRENT_US) return
    const tap = this.#tapOf(point)
    if (tap !== undefined) this.#step(tap, evidence, point, arrivalUs)
  }

  /** Of a tap the probe itself tells what it dropped, and the agent whether the probe runs at all. */
  #evidence({ tags, fields }: Measurement): Evidence | undefined {
    const { agent = '' } = tags
    const { sensor_drops: drops, reason, runs, failures = 0, timeouts = 0 } = fields
    const why = typeof reason === 'string' ? reason : 'no reason given'
    if (typeof drops === 'number') {
      const tainted = this.#tainted.take(agent, drops)
      if (reason !== undefined) return { condition: 'no-capture', why }
      if (tainted === 0) return { condition: 'clean', why: '' }
      return {
        condition: 'tainted',
        why: `it dropped ${count(drops)} packets itself, enough to explain the loss on ${tainted === 1 ? 'a path' : `${tainted} paths`}`,
      }
    }
    if (typeof runs !== 'number') return undefined
    const failed = Math.max(Number(failures), Number(timeouts))
    if (failed > 0 && failed >= runs) return { condition: 'no-capture', why }
    // That it runs says nothing of what it drops.
    const known = this.#taps.get(keyOf({ tags, fields }))
    const isKnown = known !== undefined && known.condition !== 'tainted'
    return runs > 0 && isKnown ? { condition: 'clean', why: '' } : undefined
  }

  #tapOf({ tags, fields, timeUs }: Measurement): Tap | undefined {
    const { agent = '' } = tags
    const key = keyOf({ tags, fields })
    const known = this.#taps.get(key)
    if (known !== undefined) return known
    if (this.#taps.size >= MAX_TAPS) {
      this.#tooMany++
      return undefined
    }
    const tap: Tap = {
      ...{ key: copyOf(key), agent: copyOf(agent), target: copyOf(nameOf({ tags, fields })) },
      ...{ lastUs: -Infinity, sinceUs: timeUs, condition: 'clean', blindSinceUs: timeUs, why: '' },
    }
    this.#taps.set(tap.key, tap)
    return tap
  }

  #step(tap: Tap, evidence: Evidence, { fields, tags, timeUs }: Measurement, nowUs: number): void {
    const { interval_ms: intervalMs } = fields
    const lengthMs =
      typeof intervalMs === 'number' && intervalMs > 0 ? intervalMs : DEFAULT_INTERVAL_MS
    const intervalUs = lengthMs * US_PER_MS
    // No point is taken from so far ahead: our clock has been set back since.
    if (tap.lastUs > nowUs + CURRENT_US) tap.lastUs = -Infinity
    if (timeUs <= tap.lastUs) return
    const isBlind = evidence.condition !== 'clean'
    const wasBlind = tap.condition !== 'clean'
    const startUs = timeUs - intervalUs
    const isGap = startUs > tap.lastUs + MAX_GAP_INTERVALS * intervalUs
    if (isBlind !== wasBlind || isGap) tap.sinceUs = startUs
    if (isBlind && (!wasBlind || isGap) && tap.breach === undefined) tap.blindSinceUs = startUs
    tap.lastUs = timeUs
    tap.condition = evidence.condition
    if (isBlind) tap.why = evidence.why
    const { after, 'clear-hold': clearHold } = this.#options
    const lasted = (ms: number): boolean =>
      timeUs - tap.sinceUs + TIMER_SLACK * intervalUs >= ms * US_PER_MS
    if (tap.breach === undefined) {
      if (!isBlind || !lasted(after)) return
      tap.breach = this.#breachOf(tap, tags['site'] ?? '', nowUs)
      this.#context.change('firing', tap.breach, nowUs)
    } else if (isBlind) {
      tap.breach = { ...tap.breach, summary: summaryOf(tap), updatedUs: nowUs }
      this.#context.update(tap.breach)
    } else if (lasted(clearHold)) {
      const lastingUs = tap.sinceUs - tap.blindSinceUs
      this.#close(tap, 'resolved', `it sees again, after ${lasting(lastingUs)}`, nowUs)
    }
  }

  #close(tap: Tap, state: 'resolved' | 'ended', summary: string, atUs: number): void {
    if (tap.breach === undefined) return
    const closed: Breach = { ...tap.breach, state, summary, closedUs: atUs, updatedUs: atUs }
    delete tap.breach
    this.#context.change(state, closed, atUs)
  }

  #breachOf(tap: Tap, site: string, nowUs: number): Breach {
    const { key, agent, target, blindSinceUs } = tap
    return {
      id: `${key}/${blindSinceUs}`,
      fingerprint: key,
      rule: NAME,
      object: `tap ${target} of ${agent}`,
      state: 'firing',
      severity: this.#options.severity,
      summary: summaryOf(tap),
      labels: {
        agent,
        target,
        site: site === '' ? 'unknown' : site,
        owner: this.#context.topology().ownerOfAgent({ agent, site }),
      },
      evidence: { condition: tap.condition, after_ms: this.#options.after },
      sinceUs: blindSinceUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
  }
}

/** The interface where the probe tells it, else the probe: of an agent's taps each has its own trouble. */
function nameOf({ tags, fields }: Pick<Measurement, 'tags' | 'fields'>): string {
  const { tap } = fields
  return typeof tap === 'string' && tap !== '' ? tap : (tags['target'] ?? '')
}

function keyOf(point: Pick<Measurement, 'tags' | 'fields'>): string {
  return fingerprintOf(NAME, point.tags['agent'] ?? '', nameOf(point))
}

function summaryOf({ condition, why, blindSinceUs }: Tap): string {
  const since = utcMinute(blindSinceUs)
  return condition === 'tainted'
    ? `blind since ${since}: ${why}; no path is accused from it`
    : `captures nothing since ${since}: ${why}`
}
