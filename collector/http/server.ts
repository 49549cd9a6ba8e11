import { STATUS_CODES } from 'node:http'
import type { ServerOptions as TlsOptions } from 'node:https'
import type { Socket } from 'node:net'
import helmet from '@fastify/helmet'
import {
  LogController,
  fastify,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { PermanentError, reasonOf, TransientError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Ingest } from '../ingest.ts'
import { Access } from './access.ts'
import { consoleRoutes } from './console.ts'
import { EventStreams } from './events.ts'
import { powerRoutes, type PowerPages } from './power-routes.ts'
import { refuse } from './reply.ts'
import { sessionRoutes } from './session-routes.ts'
import { Sessions } from './sessions.ts'
import type { Tokens } from './tokens.ts'
import { writeRoutes, type WriteOptions } from './write.ts'

const MS_PER_S = 1000
/** Whoever has not sent a whole request by then is not going to (slowloris). */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 60_000
/** Both are looked after only so often: Node's own 30 s would let a slow one stay four times as long as said. */
const TIMEOUT_CHECK_MS = 2000
/** An agent pushes every few seconds; longer than that between two requests is somebody else. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
/** A connection on which nothing moves at all; the heartbeat of an event stream moves. */
const IDLE_TIMEOUT_MS = 60_000
const MAX_HEADER_BYTES = 16 * 1024
const SMALL_BODY_BYTES = 64 * 1024
const DEFAULT_RETRY_AFTER_MS = 5000

const NO_HTTP: Readonly<Record<string, readonly [status: number, code: string, message: string]>> =
  {
    HPE_HEADER_OVERFLOW: [
      431,
      'headers-too-large',
      `more than ${MAX_HEADER_BYTES} bytes of headers`,
    ],
    ERR_HTTP_REQUEST_TIMEOUT: [408, 'timeout', 'the request did not come to its end'],
  }

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

export type HttpServer = FastifyInstance

export interface ServerOptions {
  readonly log: Logger
  readonly ingest: Pick<Ingest, 'accept'>
  readonly tokens: Tokens
  /** The overview as JSON, not older than a second. */
  readonly overview: () => Promise<string>
  /** Begins a stream of changes with the overview they build upon. */
  readonly follow: <T>(begin: (first: string) => T) => Promise<T>
  readonly power: PowerPages
  /** Why the collector cannot do its work now; undefined when it can. */
  readonly problem: () => Promise<string | undefined>
  readonly streams: EventStreams
  readonly nowMs: () => number
  readonly loopbackMayRead: boolean
  readonly limits: WriteOptions['limits'] & { readonly connections: number }
  readonly consoleFolder: URL
  readonly tls: TlsOptions | undefined
}

/** The collector's HTTP side, not listening yet. */
export async function createServer(options: ServerOptions): Promise<HttpServer> {
  const { follow, ingest, limits, log, nowMs, overview, problem, streams, tls, tokens } = options
  const server = bareServer(log, tls)
  server.server.maxConnections = limits.connections
  const sessions = new Sessions(nowMs)
  const access = new Access(tokens, sessions, options.loopbackMayRead)
  answerErrors(server, log)
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    strictTransportSecurity: tls !== undefined,
    crossOriginOpenerPolicy: tls !== undefined,
    originAgentCluster: tls !== undefined,
  })
  writeRoutes(server, { ingest, access, nowMs, limits })
  await sessionRoutes(server, access, sessions, tls !== undefined)
  server.get('/healthz', () => ({ status: 'ok' }))
  server.get('/readyz', async (_request, reply) => {
    const reason = await problem()
    return reason === undefined ? { status: 'ready' } : refuse(reply, 503, 'not-ready', reason)
  })
  const forViewers = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await access.person(request, 'viewer')
    if (!('status' in identity)) return undefined
    return refuse(reply, identity.status, identity.code, identity.message)
  }
  server.get('/api/v1/overview', { onRequest: forViewers }, async (_request, reply) =>
    reply
      .type('application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(await overview()),
  )
  server.get(
    '/api/v1/events',
    { onRequest: forViewers, exposeHeadRoute: false },
    async (request, reply) => follow((first) => streams.open(request, reply, first)),
  )
  powerRoutes(server, options.power, forViewers)
  await consoleRoutes(server, options.consoleFolder)
  return server
}

function bareServer(log: Logger, tls: TlsOptions | undefined): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = log // the wider type keeps FastifyInstance the plain one
  const common = {
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle' as const,
    bodyLimit: SMALL_BODY_BYTES,
    connectionTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    clientErrorHandler: answerNoHttp,
  }
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  }
  return tls === undefined
    ? fastify({ ...common, http: limits })
    : fastify({ ...common, https: { ...tls, ...limits } })
}

/** To what is not HTTP, or comes too slowly, there is no request to answer: written by hand. */
function answerNoHttp(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, code, message] = NO_HTTP[error.code ?? ''] ?? [
    400,
    'bad-request',
    'this is not HTTP',
  ]
  const body = JSON.stringify({ code, message })
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

/** Every error is JSON `{code, message}`; what went wrong inside is logged and not told. */
function answerErrors(server: FastifyInstance, log: Logger): void {
  const routes = new Map<string, Set<string>>()
  server.addHook('onRoute', ({ url, method }) => {
    const methods = routes.get(url) ?? new Set()
    for (const one of [method].flat()) methods.add(one)
    routes.set(url, methods)
  })
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const methods = routes.get(path)
    if (methods === undefined) return refuse(reply, 404, 'not-found', 'there is nothing here')
    const allowed = [...methods].join(', ')
    void reply.header('allow', allowed)
    return refuse(reply, 405, 'method-not-allowed', `this takes ${allowed}`)
  })
  server.setErrorHandler((error: FastifyError, _request, reply) => {
    if (error instanceof TransientError) {
      const retryAfterMs = error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS
      void reply.header('retry-after', String(Math.ceil(retryAfterMs / MS_PER_S)))
      return refuse(reply, 503, error.code, error.message)
    }
    if (error instanceof PermanentError && error.code === 'too-many-points')
      return refuse(reply, 413, error.code, error.message)
    const status = error.statusCode ?? 500
    if (status === 413) return refuse(reply, 413, 'too-large', 'the body is too large')
    if (status >= 400 && status < 500) return refuse(reply, status, 'bad-request', error.message)
    log.error({ reason: reasonOf(error), stack: error.stack }, 'a request failed')
    return refuse(reply, 500, 'internal', 'the collector failed at this: its log says why')
  })
}
