import { PassThrough } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { refuse } from './reply.ts'

/** A browser that has not read so much is not read by anybody: it reconnects when it wakes up. */
const MAX_UNREAD_BYTES = 4 * 1024 ** 2
const RECONNECT_MS = 2000

/** The open consoles, each a stream of server-sent events. */
export class EventStreams {
  readonly #max: number
  readonly #streams = new Set<PassThrough>()
  #dropped = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#streams.size
  }

  /** Viewers cut off because they did not read. */
  get dropped(): number {
    return this.#dropped
  }

  /** Answers with a stream that begins with the overview `first`, as JSON. */
  open(request: FastifyRequest, reply: FastifyReply, first: string): FastifyReply {
    if (this.#streams.size >= this.#max) {
      void reply.header('retry-after', '10')
      return refuse(reply, 503, 'too-many-viewers', `${this.#max} consoles are open already`)
    }
    const stream = new PassThrough()
    this.#streams.add(stream)
    const forget = (): void => {
      this.#streams.delete(stream)
      stream.destroy()
    }
    request.raw.once('close', forget)
    reply.raw.once('close', forget)
    stream.write(`retry: ${RECONNECT_MS}\n\n${frame('overview', first)}`)
    return reply
      .type('text/event-stream')
      .header('cache-control', 'no-store')
      .header('x-accel-buffering', 'no')
      .header('connection', 'close')
      .send(stream)
  }

  /** Sends what changed since the last time, as JSON, to everybody. */
  send(change: string): void {
    this.#write(frame('change', change))
  }

  /** Keeps proxies from closing a connection on which nothing happens. */
  heartbeat(): void {
    this.#write(':\n\n')
  }

  close(): void {
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
  }

  #write(text: string): void {
    for (const stream of this.#streams) {
      if (stream.writableLength + stream.readableLength > MAX_UNREAD_BYTES) {
        this.#dropped++
        this.#streams.delete(stream)
        stream.destroy()
      } else {
        stream.write(text)
      }
    }
  }
}

function frame(event: 'overview' | 'change', json: string): string {
  return `event: ${event}\ndata: ${json}\n\n`
}
