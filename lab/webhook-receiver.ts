import { createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { z } from 'zod'

const MAX_BODY = 1_000_000

const payload = z.looseObject({
  kind: z.string(),
  title: z.string(),
  breach: z.looseObject({ rule: z.string() }),
})

export interface ReceivedAlert {
  readonly kind: string
  readonly title: string
  readonly rule: string
  /** Whether the signature proves that our collector sent it. */
  readonly genuine: boolean
}

/** What an on-call system would be: takes the collector's signed webhook. */
export class WebhookReceiver {
  readonly #server: Server

  constructor(secret: string, receive: (alert: ReceivedAlert) => void) {
    this.#server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (chunk: string) => {
        body += chunk
        if (body.length > MAX_BODY) request.destroy()
      })
      request.on('end', () => {
        const read = payload.safeParse(parse(body))
        response.writeHead(read.success ? 204 : 400).end()
        if (!read.success) return
        const signature = request.headers['x-kiestoon-signature']
        const genuine = typeof signature === 'string' && isGenuine(signature, body, secret)
        const { kind, title, breach } = read.data
        receive({ kind, title, rule: breach.rule, genuine })
      })
      request.on('error', () => undefined)
    })
  }

  /** Listens on a free port of 127.0.0.1; gives the address to post to. */
  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return `http://127.0.0.1:${address.port}/alerts`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

/** Header: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body">`. */
function isGenuine(header: string, body: string, secret: string): boolean {
  const match = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header)
  const [, time, given] = match ?? []
  if (time === undefined || given === undefined) return false
  const wanted = createHmac('sha256', secret).update(`${time}.${body}`).digest()
  return timingSafeEqual(wanted, Buffer.from(given, 'hex'))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
