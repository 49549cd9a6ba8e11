import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { listen } from './listen.ts'

/** One push as it came. */
export interface Push {
  readonly id: string
  readonly text: string
  readonly sentAtUs: number
  readonly request: IncomingMessage
}

/** What a scripted collector does with its n-th push, counted from 0. */
export type Script = (response: ServerResponse, push: Push, n: number) => void

const PATIENCE_MS = 10_000
const POLL_MS = 2

/** A real HTTP server in the collector's place that does what its script says, however bad. */
export class ScriptedCollector {
  readonly pushes: Push[] = []
  readonly url: string
  script: Script
  readonly #server: Server

  private constructor(server: Server, url: string, script: Script) {
    this.#server = server
    this.url = url
    this.script = script
  }

  /** On a free port, or on the one given. */
  static async start(
    script: Script,
    options: { readonly port?: number; readonly tls?: ServerOptions } = {},
  ): Promise<ScriptedCollector> {
    const { port, tls } = options
    const server = tls === undefined ? createServer() : createTlsServer(tls)
    if (port !== undefined) {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    }
    const bound = port ?? (await listen(server))
    const scheme = tls === undefined ? 'http' : 'https'
    const collector = new ScriptedCollector(server, `${scheme}://127.0.0.1:${bound}`, script)
    server.on('request', (request, response) => {
      collector.#receive(request, response).catch(() => response.destroy())
    })
    return collector
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  get ids(): readonly string[] {
    return this.pushes.map(({ id }) => id)
  }

  async received(count: number): Promise<readonly Push[]> {
    await until(() => this.pushes.length >= count, `${count} pushes`)
    return this.pushes
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const push = {
      id: String(request.headers['x-kiestoon-batch']),
      sentAtUs: Number(request.headers['x-kiestoon-sent-at']),
      text: gunzipSync(await buffer(request)).toString('utf8'),
      request,
    }
    this.pushes.push(push)
    this.script(response, push, this.pushes.length - 1)
  }
}

/** A script that answers the same every time. */
export function always(status: number, headers: Record<string, string> = {}, body = ''): Script {
  return (response) => response.writeHead(status, headers).end(body)
}

/** Waits until something is so; what is waited for often runs in another process, so without taking its core. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await delay(POLL_MS)
  }
}
