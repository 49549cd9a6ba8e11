import { breachSchema, fingerprintOf, type Breach, type Severity } from './breach.ts'
import type { RuleContext } from './rule.ts'
import type { SilentStream, SilentStreams } from './silent-streams.ts'
import { items } from './snapshot.ts'
import { lasting, utcMinute } from './words.ts'

const RULE = 'call-stopped'
const US_PER_MS = 1000
/** Agents watch a silence for so long. */
const GIVEN_UP_US = 30_000_000

/** One call that fell silent while the others go on: a notice, nobody is paged for it. */
export class SilentCalls {
  readonly #severity: Severity
  readonly #context: RuleContext
  /** By fingerprint. */
  readonly #breaches = new Map<string, Breach>()

  constructor(severity: Severity, context: RuleContext, restored: unknown) {
    this.#severity = severity
    this.#context = context
    for (const breach of items(breachSchema, restored)) {
      this.#breaches.set(breach.fingerprint, breach)
      context.update(breach)
    }
  }

  get size(): number {
    return this.#breaches.size
  }

  get memory(): unknown {
    return [...this.#breaches.values()]
  }

  /** @param streams of one call, seen by one agent */
  fire(streams: readonly SilentStream[], nowUs: number): void {
    const [stream] = streams
    if (stream === undefined) return
    const fingerprint = fingerprintOf(RULE, stream.agent, stream.call)
    const known = this.#breaches.get(fingerprint)
    for (const one of streams) one.breach = fingerprint
    if (known !== undefined) return
    const { from, to, at, site, agent, bearer, owner, label } = stream
    const sinceUs = Math.min(...streams.map((one) => one.sinceUs))
    const directions = streams.length > 1 ? 'in both directions' : 'in one direction'
    const breach: Breach = {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: RULE,
      object: `${from} -> ${to}`,
      state: 'firing',
      severity: this.#severity,
      summary: `one call (${label}) is silent ${directions} since ${utcMinute(sinceUs)}; the other calls go on`,
      labels: {
        ...{ from, to, at, source: 'stream', segment: `${from} -> ${at}`, bearer, owner },
        ...{ site: site === '' ? 'unknown' : site, agent },
      },
      evidence: {
        stream: label,
        streams: streams.length,
        call: stream.call,
        silent_since_ms: Math.round(sinceUs / US_PER_MS),
      },
      sinceUs,
      firedUs: nowUs,
      updatedUs: nowUs,
    }
    this.#breaches.set(fingerprint, breach)
    this.#context.change('firing', breach, nowUs)
  }

  /** Closes those of which no stream is silent any more. */
  step(streams: SilentStreams, nowUs: number): void {
    for (const breach of this.#breaches.values()) {
      const theirs = streams.ofBreach(breach.fingerprint)
      if (theirs.some(({ isOver }) => !isOver)) continue
      const lastedUs = Math.max(0, ...theirs.map(({ newestUs }) => newestUs - breach.sinceUs))
      const isHeardOf = theirs.length > 0 && lastedUs < GIVEN_UP_US
      const summary = isHeardOf
        ? `it sounds again, or was hung up, after ${lasting(lastedUs)}`
        : 'nothing more was heard of the call'
      const state = isHeardOf ? 'resolved' : 'ended'
      this.#breaches.delete(breach.fingerprint)
      this.#context.change(
        state,
        { ...breach, state, summary, closedUs: nowUs, updatedUs: nowUs },
        nowUs,
      )
    }
  }
}
