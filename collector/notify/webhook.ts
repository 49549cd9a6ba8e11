import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import { httpUrl, secret, type Secret } from '../../common/settings.ts'
import { version } from '../../common/version.ts'
import {
  COMMON_OPTIONS,
  defineNotifier,
  type Notification,
  type Notifier,
  type NotifierContext,
} from './notifier.ts'

const TIMEOUT_MS = 10_000
/** Goes up when a member of the body changes its meaning. */
const BODY_SCHEMA = 1
const MS_PER_S = 1000
/** How much of a refusal is quoted in the log. */
const MAX_QUOTE = 200
const REQUEST_TIMEOUT = 408
const TOO_MANY_REQUESTS = 429
const FIRST_SERVER_ERROR = 500

/** POSTs each change as JSON. Signed where a secret is configured, so that the receiver can tell it from anybody else's. */
export const webhook = defineNotifier({
  name: 'webhook',
  summary: 'a signed HTTP POST in JSON',
  options: z.strictObject({
    notifier: z.literal('webhook'),
    ...COMMON_OPTIONS,
    url: httpUrl,
    secret: secret.optional(),
  }),
  create: (options, context) => new Webhook(options.url, options.secret, context),
})

class Webhook implements Notifier {
  readonly #url: string
  /** Named in errors instead of the address, whose path is often a secret. */
  readonly #host: string
  readonly #secret: Secret | undefined
  readonly #context: NotifierContext

  constructor(url: string, key: Secret | undefined, context: NotifierContext) {
    this.#url = url
    this.#host = new URL(url).host
    this.#secret = key
    this.#context = context
  }

  async notify(notification: Notification, signal: AbortSignal): Promise<void> {
    const body = JSON.stringify({ schema: BODY_SCHEMA, ...notification })
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    const response = await this.#post(notification.id, body, AbortSignal.any([signal, timeout]))
    if (response.ok) {
      await response.body?.cancel()
      return
    }
    const said = `${this.#host} answered ${response.status}${await quote(response)}`
    const { status } = response
    if (
      status === REQUEST_TIMEOUT ||
      status === TOO_MANY_REQUESTS ||
      status >= FIRST_SERVER_ERROR
    ) {
      const retryAfterMs = retryAfterMsOf(response.headers.get('retry-after'))
      throw new TransientError('webhook-refused', said, retryAfterMs)
    }
    throw new PermanentError('webhook-refused', said)
  }

  async #post(id: string, body: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'user-agent': `kiestoon/${version}`,
      'x-kiestoon-delivery': id,
    }
    if (this.#secret !== undefined) {
      const timeS = Math.floor(this.#context.now() / MS_PER_S)
      headers['x-kiestoon-signature'] = signatureOf(this.#secret, timeS, body)
    }
    try {
      // A redirect is not followed: the message and its signature are for the configured address only.
      return await fetch(this.#url, { method: 'POST', headers, body, redirect: 'manual', signal })
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
      throw new TransientError('webhook-unreachable', `${this.#host}: ${reasonOf(cause)}`, {
        cause: error,
      })
    }
  }
}

/** `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body">`: the time is signed too, so that an old message cannot be sent again. */
function signatureOf(key: Secret, timeS: number, body: string): string {
  const mac = createHmac('sha256', key.reveal()).update(`${timeS}.${body}`).digest('hex')
  return `t=${timeS},v1=${mac}`
}

/** The beginning of what a refusal says, without control characters. */
async function quote(response: Response): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  try {
    const chunk: { value?: Uint8Array } = await reader.read()
    await reader.cancel()
    const text = new TextDecoder().decode(chunk.value).slice(0, MAX_QUOTE)
    const clean = text.replace(/[\p{C}\s]+/gu, ' ').trim()
    return clean === '' ? '' : `: ${clean}`
  } catch {
    return '' // the status says enough
  }
}

/** Only the form in seconds; a date needs the far side's clock to be right. */
function retryAfterMsOf(header: string | null): { retryAfterMs?: number } {
  return header !== null && /^\d{1,6}$/.test(header)
    ? { retryAfterMs: Number(header) * MS_PER_S }
    : {}
}
