import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { z } from 'zod'
import { reasonOf } from '../common/errors.ts'
import { version } from '../common/version.ts'
import type { CollectorAddress } from './config.ts'

const WRITE_PATH = 'api/v2/write?precision=us'
/** An answer longer than this is not one of ours. */
const MAX_ANSWER_BYTES = 256 * 1024
/** What sending on a connection fails with that the far side has closed. */
const STALE_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])
const MAX_QUOTED = 200
const MS_PER_S = 1000
const US_PER_MS = 1000

/** A gzipped batch of line protocol. */
export interface Batch {
  readonly payload: Uint8Array
  /** The same on every attempt, so that the collector can tell a retry from a new batch. */
  readonly id: string
  readonly points: number
}

/** What became of one attempt to push a batch. */
export type Answer =
  | { readonly kind: 'accepted' }
  /** The collector looked at the batch and will not take these points, now or later. */
  | { readonly kind: 'refused'; readonly rejected: number; readonly reason: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'unauthorised'; readonly reason: string }
  /** Nothing is known about the batch: keep it. `retryAfterMs` is there where the collector said when. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number | undefined }

interface Response {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** What a 400 says: ours, or InfluxDB's of which it is an extension. */
const refusal = z.object({
  code: z.string(),
  message: z.string().default(''),
  rejected: z.int().nonnegative().optional().catch(undefined),
  errors: z
    .array(z.object({ line: z.number().optional(), reason: z.string() }))
    .catch([])
    .default([]),
})

/** One collector, over a connection that stays open. */
export class CollectorClient {
  readonly url: string
  readonly #address: CollectorAddress
  readonly #target: URL
  readonly #nowUs: () => number
  readonly #agent: HttpAgent | HttpsAgent

  constructor(address: CollectorAddress, nowUs: () => number) {
    const { url, ca, cert, key } = address
    this.url = url
    this.#address = address
    this.#nowUs = nowUs
    this.#target = new URL(WRITE_PATH, url.endsWith('/') ? url : `${url}/`)
    const keepAlive = { keepAlive: true, maxSockets: 1 }
    this.#agent =
      this.#target.protocol === 'https:'
        ? new HttpsAgent({
            ...keepAlive,
            ...(ca === undefined ? {} : { ca }),
            ...(cert === undefined ? {} : { cert }),
            ...(key === undefined ? {} : { key }),
          })
        : new HttpAgent(keepAlive)
  }

  /** Pushes a batch once. Never throws: whatever goes wrong, including the signal firing, is an answer. */
  async push(batch: Batch, signal: AbortSignal): Promise<Answer> {
    try {
      return this.#judge(await this.#post(batch, signal), batch)
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error
      return { kind: 'failed', reason: reasonOf(reason) }
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #post(batch: Batch, signal: AbortSignal): Promise<Response> {
    return await new Promise((resolve, reject) => {
      const send = this.#target.protocol === 'https:' ? httpsRequest : httpRequest
      const request = send(this.#target, {
        method: 'POST',
        agent: this.#agent,
        signal,
        headers: {
          authorization: `Token ${this.#address.token.reveal()}`,
          'content-encoding': 'gzip',
          'content-length': batch.payload.byteLength,
          'content-type': 'text/plain; charset=utf-8',
          'user-agent': `kiestoon-agent/${version}`,
          'x-kiestoon-batch': batch.id,
          'x-kiestoon-sent-at': String(Math.round(this.#nowUs())),
        },
      })
      let isAnswered = false
      request.once('response', (message) => {
        isAnswered = true
        readAnswer(message).then(resolve, reject)
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        // An early answer, such as 413, may come while we are still sending: it counts, not what became of the rest.
        if (isAnswered) return
        // The connection kept open was closed by the far side in the same moment: that is no failure of the collector.
        const isStale = request.reusedSocket && !signal.aborted
        if (isStale && STALE_CODES.has(error.code ?? '')) {
          this.#post(batch, signal).then(resolve, reject)
        } else {
          reject(error)
        }
      })
      request.once('close', () => {
        if (!isAnswered && request.errored === null) reject(new Error('closed without an answer'))
      })
      request.end(batch.payload)
    })
  }

  #judge(response: Response, batch: Batch): Answer {
    const { status, headers, body } = response
    const said = `${this.url} answered ${status}${quoted(body)}`
    if (status >= 200 && status < 300) {
      // A captive portal or a proxy's page also says 200; it has not stored anything.
      if (headers['content-type']?.startsWith('text/html') !== true) return { kind: 'accepted' }
      return { kind: 'failed', reason: `${this.url} answered with a web page: no collector` }
    }
    if (status === 400 || status === 422) {
      const refused = readRefusal(body)
      if (refused === undefined) return { kind: 'failed', reason: said }
      const { message, rejected = batch.points, errors } = refused
      return { kind: 'refused', rejected, reason: errors[0]?.reason ?? message }
    }
    if (status === 401 || status === 403) return { kind: 'unauthorised', reason: said }
    if (status === 413) return { kind: 'too-large' }
    const retryAfterMs = readRetryAfter(headers['retry-after'], this.#nowUs())
    return { kind: 'failed', reason: said, retryAfterMs }
  }
}

async function readAnswer(message: IncomingMessage): Promise<Response> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of message) {
    if (!(chunk instanceof Uint8Array)) continue
    length += chunk.byteLength
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer does not end')
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks).toString('utf8')
  return { status: message.statusCode ?? 0, headers: message.headers, body }
}

function readRefusal(body: string): z.infer<typeof refusal> | undefined {
  try {
    return refusal.safeParse(JSON.parse(body)).data
  } catch {
    return undefined
  }
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3), as milliseconds from now. */
function readRetryAfter(value: string | undefined, nowUs: number): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * MS_PER_S
  // eslint-disable-next-line no-restricted-globals -- reads a text, looks at no clock
  const untilMs = Date.parse(value)
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - nowUs / US_PER_MS)
}

/** The beginning of what the far side said, on one line. */
function quoted(body: string): string {
  const words = body.slice(0, MAX_QUOTED).replace(/\s+/g, ' ').trim()
  return words === '' ? '' : `: ${words}`
}
