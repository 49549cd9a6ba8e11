import type { FieldValue, Measurement } from '../common/measurement.ts'

/** One that falls silent is that one's trouble. */
const MIN_TARGETS = 2
/** They fell silent at once when the first and the last of them did so within so many intervals of the slowest. */
const AT_ONCE_INTERVALS = 1.5
/** What was not asked for so many intervals is not watched any more. */
const FORGOTTEN_INTERVALS = 5
const DEFAULT_INTERVAL_MS = 10_000
const US_PER_MS = 1000
/** The machine's own way out is gone: nothing was sent, and nothing will be. */
const NO_WAY_OUT = /unreachable|name resolution/i
/** This machine answers itself always. */
const OURSELVES = /^(?:127\.|::1$|localhost$)/
const COLLECTOR = 'collector'

interface Target {
  intervalUs: number
  /** Of the newest result. */
  lastUs: number
  /** Of the first result without an answer after one with; undefined while it answers, and if it never did. */
  silentSinceUs: number | undefined
  isSilent: boolean
}

/**
 * Whether the agent itself may be cut off: of what its probes ask, at least two answered and fell silent at once, and nothing answers,
 * nor is any stream heard, now. It knows no limit: what silence means is for others to judge.
 */
export class Isolation {
  readonly #targets = new Map<string, Target>()
  /** Start of the newest interval in which a stream was heard on a tap. */
  #heardUs = -Infinity
  #isIsolated = false

  /** undefined while too little is watched to tell. */
  get isIsolated(): boolean | undefined {
    return this.#targets.size < MIN_TARGETS ? undefined : this.#isIsolated
  }

  /** Takes what a probe measured; true when it changed the answer. */
  observe(points: readonly Measurement[]): boolean {
    for (const point of points) {
      const { tags, fields, timeUs } = point
      if (point.name === 'rtp_stream') this.#hear(point)
      const isAnswered = answerOf(point)
      const address = String(fields['dst_ip'] ?? tags['target'] ?? '')
      if (isAnswered === undefined || OURSELVES.test(address)) continue
      this.#asked(address, isAnswered, intervalOf(fields), timeUs)
    }
    return this.#decide()
  }

  /**
   * The collector is a target as well, but only its silence says something: it may be on this machine, or on another network. True when
   * it changed the answer.
   */
  pushed(isFailing: boolean, intervalMs: number, nowUs: number): boolean {
    if (isFailing) this.#asked(COLLECTOR, false, intervalMs * US_PER_MS, nowUs)
    else this.#targets.delete(COLLECTOR)
    return this.#decide()
  }

  #hear({ tags, fields, timeUs }: Measurement): void {
    const { received } = fields
    if (tags['source'] !== 'capture' || typeof received !== 'number' || received === 0) return
    this.#heardUs = Math.max(this.#heardUs, timeUs - intervalOf(fields))
  }

  #asked(name: string, isAnswered: boolean, intervalUs: number, timeUs: number): void {
    const before = this.#targets.get(name)
    const firstUs = name === COLLECTOR ? timeUs : undefined
    const silentSinceUs =
      before === undefined ? firstUs : before.isSilent ? before.silentSinceUs : timeUs
    this.#targets.set(name, {
      intervalUs,
      lastUs: timeUs,
      silentSinceUs: isAnswered ? undefined : silentSinceUs,
      isSilent: !isAnswered,
    })
  }

  #decide(): boolean {
    const before = this.#isIsolated
    const newestUs = Math.max(...[...this.#targets.values()].map(({ lastUs }) => lastUs))
    for (const [name, { lastUs, intervalUs }] of this.#targets)
      if (lastUs < newestUs - FORGOTTEN_INTERVALS * intervalUs) this.#targets.delete(name)
    const targets = [...this.#targets.values()]
    this.#isIsolated = targets.every(({ isSilent }) => isSilent) && this.#fellAtOnce(targets)
    return this.#isIsolated !== before
  }

  #fellAtOnce(targets: readonly Target[]): boolean {
    const fell = targets.flatMap(({ silentSinceUs }) => silentSinceUs ?? [])
    const lastUs = Math.max(...fell)
    const slowestUs = Math.max(...targets.map(({ intervalUs }) => intervalUs))
    const together = fell.filter((sinceUs) => sinceUs >= lastUs - AT_ONCE_INTERVALS * slowestUs)
    // With a stream heard since, not everything is gone.
    return together.length >= MIN_TARGETS && this.#heardUs < Math.min(...together)
  }
}

/** Whether the other side answered; undefined for what asks nobody, and where it was not asked. */
export function answerOf({ name, tags, fields }: Measurement): boolean | undefined {
  const { received, answered, reason } = fields
  if (name === 'rtp_test')
    return tags['direction'] !== 'return' && typeof answered === 'boolean' ? answered : undefined
  if (name !== 'ping') return undefined
  if (typeof received === 'number') return received > 0
  return typeof reason === 'string' && NO_WAY_OUT.test(reason) ? false : undefined
}

function intervalOf(fields: Readonly<Record<string, FieldValue>>): number {
  const { interval_ms: intervalMs } = fields
  return (typeof intervalMs === 'number' ? intervalMs : DEFAULT_INTERVAL_MS) * US_PER_MS
}
