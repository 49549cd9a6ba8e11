import { PermanentError, TransientError } from '../common/errors.ts'
import { isFarewellGenuine } from '../common/farewell.ts'
import {
  decodeLines,
  type BadLine,
  type DecodedPoint,
  type Precision,
} from '../common/line-protocol.ts'
import {
  complaintAbout,
  definitionOf,
  isMeasurementName,
  measurementNames,
  type FieldValue,
  type Measurement,
  type MeasurementName,
} from '../common/measurement.ts'
import { Sender } from './sender.ts'
import type { Store } from './store/store.ts'
import { UNKNOWN, type Site } from './topology/site.ts'

/** The first so many bad lines of a batch are named, the rest counted. */
const NAMED_ERRORS = 20
/** A point further ahead of our clock is a broken clock or a wrong precision, and would stop the clocks of the rules. */
const MAX_AHEAD_US = 600_000_000
const RETRY_AFTER_MS = 1000
const US_PER_MS = 1000

/** Written by the collector itself; from anybody else they would be forged verdicts. */
const COLLECTORS_OWN: ReadonlySet<string> = new Set<MeasurementName>(['path', 'service', 'event'])
/** Tags the collector sets. */
const SEGMENT_TAGS = ['from', 'to', 'at', 'bearer', 'owner'] as const
const ON_A_PATH: ReadonlySet<string> = new Set(
  measurementNames().filter((name) => SEGMENT_TAGS.every((tag) => tag in definitionOf(name).tags)),
)
const KNOWN_FIELDS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  measurementNames().map((name) => [name, new Set(Object.keys(definitionOf(name).fields))]),
)
/**
 * Measured over the whole path, not up to the agent: a test stream, and what the receiver reports, wherever the report was overheard.
 * Their `at` is their `to`.
 */
const WHOLE_PATH: ReadonlySet<string> = new Set<MeasurementName>(['rtp_test', 'rtp_report'])

export interface IngestLimits {
  /** Points of one request. */
  readonly points: number
  /** Points taken in and not yet durable, of all requests. */
  readonly inFlight: number
  /** Series of one agent in a day. */
  readonly series: number
}

export interface Batch {
  readonly text: string
  readonly precision: Precision
  readonly agent: string
  readonly site: string
  /** SHA-256 of the token it came with, hexadecimal; a farewell is believed with it only. */
  readonly tokenHash?: string | undefined
  readonly arrivedMs: number
  /** When the agent sent it by its own clock, if it says. */
  readonly sentAtMs?: number | undefined
  /** The same on every retry, if the agent gives one. */
  readonly id?: string | undefined
}

export interface Outcome {
  readonly accepted: number
  readonly rejected: number
  /** The first of the rejected lines. */
  readonly errors: readonly BadLine[]
}

export interface IngestContext {
  readonly store: Pick<Store, 'write'>
  readonly limits: IngestLimits
  readonly site: () => Site
  /** Told of points once they are durable, an agent's in the order they came. */
  readonly judge: (points: readonly Measurement[]) => void
}

/** The way in: a batch of lines becomes points of the vocabulary, durable in the store, and only then judged. */
export class Ingest {
  readonly #context: IngestContext
  readonly #senders: Map<string, Sender>
  #inFlight = 0
  #unknownFields = 0
  #forgedFarewells = 0

  /** @param senders the agents known from before a restart */
  constructor(context: IngestContext, senders: readonly Sender[] = []) {
    this.#context = context
    this.#senders = new Map(senders.map((sender) => [sender.agent, sender]))
  }

  get senders(): readonly Sender[] {
    return [...this.#senders.values()]
  }

  /** The agent's token is revoked. */
  forget(agent: string): void {
    this.#senders.delete(agent)
  }

  /** Fields no vocabulary knows, dropped since the start. */
  get unknownFields(): number {
    return this.#unknownFields
  }

  /** Farewells whose signature is not that of the agent's token, refused since the start. */
  get forgedFarewells(): number {
    return this.#forgedFarewells
  }

  /**
   * Resolves when the good points of the batch are durable and judged.
   * @throws TransientError when overloaded or the store cannot take them: nothing of the batch is judged
   * @throws PermanentError too-many-points
   */
  async accept(batch: Batch): Promise<Outcome> {
    const { limits, store } = this.#context
    const sender = this.#sender(batch)
    const { points, accepted, rejected, errors } = this.#read(batch, sender)
    if (this.#inFlight + points.length > limits.inFlight) {
      throw new TransientError('overloaded', 'too many points are waiting for the store', {
        retryAfterMs: RETRY_AFTER_MS,
      })
    }
    this.#inFlight += points.length
    try {
      if (points.length > 0) await this.#storeAndJudge(store, points, sender)
    } finally {
      this.#inFlight -= points.length
    }
    sender.lastSeenMs = batch.arrivedMs
    sender.points += accepted
    sender.rejected += rejected
    return { accepted, rejected, errors }
  }

  async #storeAndJudge(
    store: Pick<Store, 'write'>,
    points: readonly Measurement[],
    sender: Sender,
  ): Promise<void> {
    const before = sender.judged
    const judged = store.write(points).then(async () => {
      await before
      this.#context.judge(points)
    })
    // Without the results: those of every batch before would hang on it, one in the other, errors with their points among them.
    sender.judged = Promise.allSettled([before, judged]).then(() => undefined)
    await judged
  }

  #sender({ agent, site }: Batch): Sender {
    let sender = this.#senders.get(agent)
    if (sender?.site !== site) {
      sender = new Sender(agent, site)
      this.#senders.set(agent, sender)
    }
    return sender
  }

  #read(batch: Batch, sender: Sender): Outcome & { readonly points: readonly Measurement[] } {
    const { limits } = this.#context
    const { text, precision, arrivedMs, sentAtMs, id, tokenHash } = batch
    const nowUs = arrivedMs * US_PER_MS
    const decoded = decodeLines(text, { precision, nowUs, maxPoints: limits.points })
    if (decoded.points.length + decoded.bad.length > limits.points) {
      throw new PermanentError(
        'too-many-points',
        `more than ${limits.points} points in one request: send smaller batches`,
      )
    }
    const correctionUs = sentAtMs === undefined ? 0 : sender.clock.push(sentAtMs, arrivedMs, id)
    const errors: BadLine[] = decoded.bad.slice(0, NAMED_ERRORS)
    const points: Measurement[] = []
    let rejected = decoded.bad.length
    for (const { line, point } of decoded.points) {
      const read =
        point.name === 'farewell' && !isGenuine(point, sender, tokenHash)
          ? this.#forged()
          : this.#point(point, sender, correctionUs, nowUs)
      if (typeof read !== 'string') {
        points.push(read)
        continue
      }
      rejected++
      if (errors.length < NAMED_ERRORS) errors.push({ line, reason: read })
    }
    errors.sort((a, b) => a.line - b.line)
    return { points, accepted: points.length, rejected, errors }
  }

  #forged(): string {
    this.#forgedFarewells++
    return 'the farewell is not signed with the token it came with'
  }

  /** A point of the vocabulary, or why it is none. */
  #point(
    { name, tags, fields, timeUs }: DecodedPoint,
    sender: Sender,
    correctionUs: number,
    nowUs: number,
  ): Measurement | string {
    const correctedUs = timeUs + correctionUs
    const complaint = complaintAbout({ name, tags, fields, timeUs: correctedUs })
    if (complaint !== undefined) return complaint
    if (!isMeasurementName(name)) return 'unknown measurement'
    if (COLLECTORS_OWN.has(name)) return `${name} is written by the collector only`
    const { agent = sender.agent, site = sender.site } = tags
    if (agent !== sender.agent) return `tag agent is "${agent}", the token is for "${sender.agent}"`
    if (site !== sender.site) return `tag site is "${site}", the token is for "${sender.site}"`
    if (correctedUs - nowUs > MAX_AHEAD_US) return 'time is more than 10 minutes ahead'
    if (!sender.admits(name, tags, this.#context.limits.series, nowUs))
      return `a new series, and the agent has ${this.#context.limits.series} today already: which tag grows without end?`
    const point = {
      name,
      tags: ON_A_PATH.has(name)
        ? this.#onPath(name, tags, fields, sender)
        : withTags({ agent, site }, tags),
      fields: this.#known(name, fields),
      timeUs: correctedUs,
    }
    if (name === 'agent') sender.learn(point)
    return point
  }

  #onPath(
    name: string,
    tags: Readonly<Record<string, string>>,
    fields: Readonly<Record<string, FieldValue>>,
    sender: Sender,
  ): Readonly<Record<string, string>> {
    const site = this.#context.site()
    const { src_ip: source, dst_ip: destination } = fields
    const whole = WHOLE_PATH.has(name)
    const segment =
      typeof source === 'string' && typeof destination === 'string'
        ? sender.segment(site, source, destination, whole)
        : this.#withoutAddress(tags, sender, whole)
    const { from, to, at, bearer, owner } = segment
    return withTags({ agent: sender.agent, site: sender.site, from, to, at, bearer, owner }, tags)
  }

  /** A sensor that gives no addresses may name declared networks itself. */
  #withoutAddress(tags: Readonly<Record<string, string>>, sender: Sender, whole: boolean) {
    const site = this.#context.site()
    const declared = (name = ''): string => (site.isNetwork(name) ? name : UNKNOWN)
    const to = declared(tags['to'])
    return site.segment(declared(tags['from']), to, whole ? to : site.observedAt(sender))
  }

  #known(
    name: MeasurementName,
    fields: Readonly<Record<string, FieldValue>>,
  ): Readonly<Record<string, FieldValue>> {
    const known = KNOWN_FIELDS.get(name)
    let unknown = 0
    for (const field in fields) if (known?.has(field) !== true) unknown++
    if (unknown === 0) return fields
    this.#unknownFields += unknown
    return Object.fromEntries(Object.entries(fields).filter(([field]) => known?.has(field)))
  }
}

/** Signed is what went over the wire: the time before any correction of the agent's clock. */
function isGenuine(
  { fields, timeUs }: DecodedPoint,
  { agent, site }: Sender,
  tokenHash: string | undefined,
): boolean {
  const { cause = '', power = '', signature } = fields
  if (tokenHash === undefined || typeof cause !== 'string' || typeof power !== 'string')
    return false
  return isFarewellGenuine(tokenHash, { agent, site, timeUs, cause, power }, signature)
}

/** Ours, and of the sender's those that are not ours. */
function withTags(
  ours: Record<string, string>,
  sent: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  for (const tag in sent) ours[tag] ??= sent[tag] ?? ''
  return ours
}
