import { EventEmitter } from 'node:events'
import { createServer, type Server } from 'node:http'
import { z } from 'zod'
import { listen } from './listen.ts'

const notification = z.looseObject({
  id: z.string(),
  kind: z.enum(['firing', 'escalated', 'resolved', 'ended']),
  title: z.string(),
  text: z.string(),
  breach: z.looseObject({
    object: z.string(),
    labels: z.record(z.string(), z.string()),
    evidence: z.record(z.string(), z.union([z.number(), z.string()])),
  }),
})

export interface ReceivedAlert {
  /** Wall clock at its arrival. */
  readonly atMs: number
  readonly body: z.infer<typeof notification>
}

/** A webhook receiver on loopback that keeps what came, with the time. */
export class AlertReceiver {
  readonly alerts: ReceivedAlert[] = []
  readonly #server: Server
  readonly #arrivals = new EventEmitter().setMaxListeners(0)

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const read = notification.safeParse(JSON.parse(Buffer.concat(chunks).toString()))
        response.writeHead(read.success ? 204 : 400).end(read.error?.message)
        if (!read.success) return
        this.alerts.push({ atMs: Date.now(), body: read.data })
        this.#arrivals.emit('alert')
      })
    })
  }

  async open(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#server)}/`
  }

  /** The first alert of this kind on this object, come or still to come; undefined when none comes in time. */
  async next(kind: string, object: string, withinMs: number): Promise<ReceivedAlert | undefined> {
    const find = (): ReceivedAlert | undefined =>
      this.alerts.find(({ body }) => body.kind === kind && body.breach.object === object)
    return await new Promise((resolve) => {
      const look = (): void => {
        const found = find()
        if (found) settle(found)
      }
      const settle = (alert: ReceivedAlert | undefined): void => {
        clearTimeout(timer)
        this.#arrivals.off('alert', look)
        resolve(alert)
      }
      const timer = setTimeout(() => {
        settle(find())
      }, withinMs)
      this.#arrivals.on('alert', look)
      look()
    })
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
