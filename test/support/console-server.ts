import { PassThrough } from 'node:stream'
import { fileURLToPath } from 'node:url'
import helmet from '@fastify/helmet'
import serveStatic from '@fastify/static'
import { fastify } from 'fastify'
import { build } from 'vite'
import type { Overview } from '../../collector/http/overview.ts'
import { powerRoutes, type PowerPages } from '../../collector/http/power-routes.ts'

const ROOT = new URL('../../', import.meta.url)
/** The collector's own policy: a page that needs more is blank there. */
const CONTENT_SECURITY_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  manifestSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
}
export const TOKEN = 'k1-right-token'

export interface ConsoleServer {
  readonly port: number
  /** Sends it to every page that looks, and to those that come later. */
  show(overview: Overview): void
  /** Who answers what the page Power asks; it asks again when the overview's version of power is another. */
  power(pages: PowerPages): void
  /** Says nothing more, not even to those that come anew. */
  hush(): void
  /** Takes the session away and cuts the streams, as a restart with a new token does. */
  forgetSessions(): void
  /** Number of pages connected. */
  readonly pages: () => number
  close(): Promise<void>
}

/** Builds the page as it is shipped. */
export async function buildConsole(folder: string): Promise<void> {
  await build({
    configFile: fileURLToPath(new URL('vite.config.ts', ROOT)),
    root: fileURLToPath(new URL('collector/console', ROOT)),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  })
}

/** Speaks to the console as the collector does, and says what a test tells it to: states that a real night seldom has all at once. */
export async function startConsoleServer(folder: string): Promise<ConsoleServer> {
  const server = fastify({ forceCloseConnections: true })
  const streams = new Set<PassThrough>()
  let latest: Overview | undefined
  let session = 1
  let pages: PowerPages | undefined
  const knows = (cookie: string | undefined): boolean => cookie === `session=${session}`

  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    strictTransportSecurity: false,
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
  })
  await server.register(serveStatic, { root: folder })
  server.get('/api/v1/session', (request, reply) =>
    reply.code(knows(request.headers.cookie) ? 200 : 401).send({}),
  )
  server.post<{ Body: { token: string } }>('/api/v1/session', (request, reply) => {
    if (request.body.token !== TOKEN) return reply.code(401).send({ error: 'unknown token' })
    return reply
      .header('set-cookie', `session=${session}; HttpOnly; SameSite=Strict; Path=/`)
      .send({})
  })
  server.get('/api/v1/events', (request, reply) => {
    if (!knows(request.headers.cookie)) return reply.code(401).send({})
    const stream = new PassThrough()
    streams.add(stream)
    request.raw.once('close', () => {
      streams.delete(stream)
      stream.end()
    })
    stream.write('retry: 200\n\n')
    if (latest) stream.write(event(latest))
    return reply.type('text/event-stream').header('cache-control', 'no-store').send(stream)
  })
  const asked = (): PowerPages => {
    if (pages === undefined) throw new Error('nobody answers for power')
    return pages
  }
  powerRoutes(
    server,
    {
      view: (of) => asked().view(of),
      zippedView: async (of) => asked().zippedView(of),
      whatIf: (query) => asked().whatIf(query),
      search: (text) => asked().search(text),
    },
    async (request, reply) =>
      knows(request.headers.cookie) ? undefined : reply.code(401).send({}),
  )
  const address = await server.listen({ host: '127.0.0.1', port: 0 })
  return {
    port: Number(new URL(address).port),
    show: (overview) => {
      latest = overview
      for (const stream of streams) stream.write(event(overview))
    },
    power: (given) => {
      pages = given
    },
    hush: () => {
      latest = undefined
    },
    forgetSessions: () => {
      session++
      for (const stream of streams) stream.end()
    },
    pages: () => streams.size,
    close: () => server.close(),
  }
}

function event(overview: Overview): string {
  return `event: overview\ndata: ${JSON.stringify(overview)}\n\n`
}
