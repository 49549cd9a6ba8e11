import { z } from 'zod'
import type { Measurement } from '../../common/measurement.ts'
import { copyOf } from './copy-of.ts'
import { items } from './snapshot.ts'

const US_PER_MS = 1000
/** A stream nobody says anything of any more is gone: an agent forgets it after 30 s. */
const GONE_US = 120_000_000
/** Two words about one silence differ in its beginning by less. */
const SAME_SILENCE_US = 1_000_000
const MAX_STREAMS = 20_000
const MAX_KEY_LENGTH = 512
const UNKNOWN = 'unknown'

const streamSchema = z.object({
  key: z.string(),
  agent: z.string(),
  site: z.string(),
  from: z.string(),
  to: z.string(),
  at: z.string(),
  bearer: z.string(),
  owner: z.string(),
  label: z.string(),
  call: z.string(),
  sinceUs: z.number(),
  stalledUs: z.number(),
  newestUs: z.number(),
  isOver: z.boolean(),
  breach: z.string(),
})

/** A stream that fell silent without BYE, hold or pause in speech, by what its agent said last. */
export interface SilentStream {
  readonly key: string
  readonly agent: string
  readonly site: string
  readonly from: string
  readonly to: string
  readonly at: string
  readonly bearer: string
  readonly owner: string
  /** As people find it again: SSRC and addresses. */
  readonly label: string
  /** The same for all streams of a call: the Call-ID, else the two ends. */
  readonly call: string
  sinceUs: number
  /** Length of the silence by its own newest word. */
  stalledUs: number
  newestUs: number
  /** It came back, or its call ended. */
  isOver: boolean
  /** Fingerprint of the breach it is part of, '' while it is of none. */
  breach: string
}

/** What agents say of streams that fell silent. */
export class SilentStreams {
  /** The one heard of longest ago first. */
  readonly #streams = new Map<string, SilentStream>()
  #evicted = 0

  constructor(restored: unknown) {
    for (const stream of items(streamSchema, restored)) this.#streams.set(stream.key, stream)
  }

  get size(): number {
    return this.#streams.size
  }

  /** Takes an rtp_stall point; false for what is known already or cannot be. */
  tell(point: Measurement): boolean {
    const { fields, timeUs } = point
    const { stalled_ms: stalledMs, over } = fields
    const key = keyOf(point)
    if (typeof stalledMs !== 'number' || stalledMs < 0 || key.length > MAX_KEY_LENGTH) return false
    const known = this.#streams.get(key)
    // Sent again: what came after it must not be undone.
    if (known !== undefined && timeUs <= known.newestUs) return false
    const stalledUs = stalledMs * US_PER_MS
    if (over === true) {
      if (known === undefined) return false
      known.newestUs = timeUs
      known.isOver = true
      return true
    }
    const sinceUs = timeUs - stalledUs
    const isSame = Math.abs(sinceUs - (known?.sinceUs ?? Infinity)) <= SAME_SILENCE_US
    if (known !== undefined && !known.isOver && isSame) {
      known.stalledUs = stalledUs
      known.newestUs = timeUs
      return true
    }
    this.#streams.delete(key)
    this.#makeRoom()
    const stream = { ...namesOf(point, key), sinceUs, stalledUs, newestUs: timeUs }
    this.#streams.set(stream.key, { ...stream, isOver: false, breach: '' })
    return true
  }

  /** The stream is over: nothing of it is to be expected any more. */
  ended(point: Measurement): void {
    if (this.#streams.size === 0) return
    const stream = this.#streams.get(keyOf(point))
    if (stream !== undefined) stream.isOver = true
  }

  /** Those that are silent now. */
  silent(): readonly SilentStream[] {
    return [...this.#streams.values()].filter(({ isOver }) => !isOver)
  }

  /** Silent or not, those of a breach. */
  ofBreach(fingerprint: string): readonly SilentStream[] {
    return [...this.#streams.values()].filter(({ breach }) => breach === fingerprint)
  }

  /** Nothing more is made of their silence; they stay known, so that a word about it sent again is not news. */
  settle(isTheirs: (stream: SilentStream) => boolean): void {
    for (const stream of this.#streams.values()) {
      if (!isTheirs(stream)) continue
      stream.isOver = true
      stream.breach = ''
    }
  }

  sweep(nowUs: number): void {
    for (const { key, newestUs } of this.#streams.values()) {
      // What is ahead of now was said before our clock was set back.
      const isGone = newestUs < nowUs - GONE_US || newestUs > nowUs + GONE_US
      if (isGone) this.#streams.delete(key)
    }
  }

  get memory(): unknown {
    return [...this.#streams.values()]
  }

  get evicted(): number {
    return this.#evicted
  }

  #makeRoom(): void {
    for (const oldest of this.#streams.keys()) {
      if (this.#streams.size < MAX_STREAMS) return
      this.#streams.delete(oldest)
      this.#evicted++
    }
  }
}

function keyOf({ tags, fields }: Measurement): string {
  const { ssrc = '', src_ip: source = '', src_port: sourcePort = '' } = fields
  const { dst_ip: destination = '', dst_port: destinationPort = '' } = fields
  const { agent = '' } = tags
  return `${agent} ${ssrc} ${source} ${sourcePort} ${destination} ${destinationPort}`
}

/** Without signalling, both directions of a call are known by their two ends. */
function callOf(fields: Measurement['fields']): string {
  const { call_id: callId } = fields
  if (typeof callId === 'string' && callId !== '') return callId
  const source = `${fields['src_ip'] ?? ''} ${fields['src_port'] ?? ''}`
  const destination = `${fields['dst_ip'] ?? ''} ${fields['dst_port'] ?? ''}`
  return [source, destination].sort((a, b) => (a < b ? -1 : 1)).join(' ')
}

function namesOf({ tags, fields }: Measurement, key: string) {
  const { site = '', agent = '', from = UNKNOWN, to = UNKNOWN, at = UNKNOWN } = tags
  const { bearer = UNKNOWN, owner = UNKNOWN } = tags
  const { ssrc = '', src_ip: source = '', dst_ip: destination = '' } = fields
  return {
    key: copyOf(key),
    agent: copyOf(agent),
    site: copyOf(site),
    from: copyOf(from),
    to: copyOf(to),
    at: copyOf(at),
    bearer: copyOf(bearer),
    owner: copyOf(owner),
    label: copyOf(`${ssrc} ${source} -> ${destination}`),
    call: copyOf(callOf(fields)),
  }
}
