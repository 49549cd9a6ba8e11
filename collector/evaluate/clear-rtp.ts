import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { duration } from '../../common/settings.ts'
import { breachSchema, fingerprintOf, type Breach } from './breach.ts'
import { copyOf } from './copy-of.ts'
import { defineRule, type Rule, type RuleContext } from './rule.ts'
import { items, parts } from './snapshot.ts'
import { lasting } from './words.ts'

const NAME = 'clear-rtp'
const US_PER_MS = 1000
/** Points further ahead than this have no time to be judged by. */
const FUTURE_US = 60_000_000
/** Full, further paths are counted, not told. */
const MAX_PATHS = 1000
/** Full, further streams of a path are not told apart any more: "at least so many". */
const MAX_STREAMS = 1000
const EXAMPLES = 3

const options = z.strictObject({
  /** Without a clear stream for this long the finding is over. */
  'clear-hold': duration.prefault('1h'),
})
type Options = z.output<typeof options>

/** Speech that could be listened to, where the site file says it cannot. */
export const clearRtp = defineRule({
  name: NAME,
  summary: 'clear RTP in a network whose media the site file says is encrypted',
  options,
  create: (read, context) => new ClearRtp(read, context),
})

const findingSchema = z.object({
  breach: breachSchema,
  /** Agent's word on when the newest clear packet was heard, by event time. */
  lastUs: z.number(),
  streams: z.array(z.string()),
})

interface Finding {
  breach: Breach
  lastUs: number
  readonly streams: Set<string>
}

class ClearRtp implements Rule {
  readonly #options: Options
  readonly #context: RuleContext
  /** By path: who sends to whom. Which tap saw it is of no importance. */
  readonly #findings = new Map<string, Finding>()
  readonly #counters = { from_the_future: 0, too_many_paths: 0 }

  constructor(read: Options, context: RuleContext) {
    this.#options = read
    this.#context = context
    for (const { breach, lastUs, streams } of items(
      findingSchema,
      parts(context.restored)['findings'],
    )) {
      this.#findings.set(breach.fingerprint, { breach, lastUs, streams: new Set(streams) })
      context.update(breach)
    }
  }

  observe(points: readonly Measurement[], arrivalUs: number): void {
    for (const point of points) {
      const { name, fields } = point
      // Absent says that nothing tells; only a stream known to be clear is one.
      if (name !== 'rtp_stream' || fields['srtp'] !== false) continue
      const network = this.#networkOf(point)
      if (network === undefined) continue
      if (point.timeUs > arrivalUs + FUTURE_US) this.#counters.from_the_future++
      else if (point.timeUs > arrivalUs - this.#clearUs) this.#found(point, network, arrivalUs)
    }
  }

  tick(nowUs: number): void {
    for (const [key, finding] of this.#findings) {
      // What is ahead of now was heard before our clock was set back.
      finding.lastUs = Math.min(finding.lastUs, nowUs + FUTURE_US)
      if (nowUs - finding.lastUs < this.#clearUs) continue
      this.#findings.delete(key)
      const summary = `no clear RTP for ${lasting(this.#clearUs)}`
      this.#context.change(
        'resolved',
        { ...finding.breach, state: 'resolved', summary, closedUs: nowUs, updatedUs: nowUs },
        nowUs,
      )
    }
  }

  snapshot(): unknown {
    return {
      findings: [...this.#findings.values()].map(({ breach, lastUs, streams }) => ({
        breach,
        lastUs,
        streams: [...streams],
      })),
    }
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters
  }

  get #clearUs(): number {
    return this.#options['clear-hold'] * US_PER_MS
  }

  /** The network whose policy is broken; the sender's before the receiver's. Where the tap is does not matter: it only listens. */
  #networkOf({ tags }: Measurement): string | undefined {
    const topology = this.#context.topology()
    return [tags['from'], tags['to']].find(
      (network) => network !== undefined && topology.expectsEncryption(network),
    )
  }

  #found({ tags, fields, timeUs }: Measurement, network: string, nowUs: number): void {
    const { from = 'unknown', to = 'unknown', site = 'unknown' } = tags
    const fingerprint = fingerprintOf(NAME, from, to)
    const known = this.#findings.get(fingerprint)
    if (known === undefined && this.#findings.size >= MAX_PATHS) {
      this.#counters.too_many_paths++
      return
    }
    const streams = known?.streams ?? new Set<string>()
    const stream = copyOf(
      `${fields['ssrc'] ?? ''} ${fields['src_ip'] ?? ''} -> ${fields['dst_ip'] ?? ''}`.trim(),
    )
    const isNew = streams.size < MAX_STREAMS && !streams.has(stream)
    if (isNew) streams.add(stream)
    const lastUs = Math.max(known?.lastUs ?? -Infinity, timeUs)
    if (known !== undefined && !isNew) {
      known.lastUs = lastUs
      return
    }
    const sinceUs = known?.breach.sinceUs ?? timeUs
    const examples = [...streams].slice(0, EXAMPLES)
    const breach: Breach = {
      id: `${fingerprint}/${sinceUs}`,
      fingerprint,
      rule: NAME,
      object: `${from} -> ${to}`,
      state: 'firing',
      severity: 'notice',
      summary: `clear RTP where the policy of ${network} says encrypted: ${streamsOf(streams.size)}, such as ${examples.join(', ')}`,
      labels: {
        from,
        to,
        site,
        segment: `${from} -> ${to}`,
        network,
        owner: this.#context.topology().ownerOf(network),
      },
      evidence: { streams: streams.size, examples: examples.join(', ') },
      sinceUs,
      firedUs: known?.breach.firedUs ?? nowUs,
      updatedUs: nowUs,
    }
    this.#findings.set(fingerprint, { breach, lastUs, streams })
    if (known === undefined) this.#context.change('firing', breach, nowUs)
    else this.#context.update(breach)
  }
}

function streamsOf(size: number): string {
  if (size >= MAX_STREAMS) return `at least ${MAX_STREAMS} streams`
  return size === 1 ? 'one stream' : `${size} streams`
}
