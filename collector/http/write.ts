import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Precision } from '../../common/line-protocol.ts'
import type { Ingest, Outcome } from '../ingest.ts'
import { secretOf, type Access, type Sender } from './access.ts'
import { inflate } from './inflate.ts'
import { refuse } from './reply.ts'

const US_PER_MS = 1000
const RETRY_AFTER_S = '1'
const MAX_BATCH_ID = 128

/** InfluxDB's names: those of /api/v2/write and those of /write. */
const PRECISIONS: Readonly<Record<string, Precision>> = {
  ns: 'ns',
  n: 'ns',
  us: 'us',
  u: 'us',
  ms: 'ms',
  s: 's',
}

export interface WriteOptions {
  readonly ingest: Pick<Ingest, 'accept'>
  readonly access: Access
  readonly nowMs: () => number
  readonly limits: {
    /** Of a body as it comes. */
    readonly bodyBytes: number
    /** Of a body unpacked. */
    readonly inflatedBytes: number
    /** Of all requests that are not answered yet, unpacked. */
    readonly inFlightBytes: number
  }
}

interface Admitted extends Sender {
  readonly arrivedMs: number
}

/** `POST /api/v2/write` and `/write`: line protocol from agents, or from anything that writes to InfluxDB. */
export function writeRoutes(server: FastifyInstance, options: WriteOptions): void {
  const { access, ingest, limits, nowMs } = options
  const senders = new WeakMap<FastifyRequest, Admitted>()
  let inFlightBytes = 0

  const reserve = (reply: FastifyReply, bytes: number): boolean => {
    if (inFlightBytes + bytes > limits.inFlightBytes) return false
    inFlightBytes += bytes
    reply.raw.once('close', () => {
      inFlightBytes -= bytes
    })
    return true
  }

  /** Before the body is read: who sends it, in what coding, and whether there is room. */
  const admit = async (request: FastifyRequest, reply: FastifyReply) => {
    const arrivedMs = nowMs()
    const sender = await access.agent(secretOf(request) ?? query(request, 'p'))
    if ('status' in sender) return refuse(reply, sender.status, sender.code, sender.message)
    if (codingOf(request) === undefined)
      return refuse(reply, 415, 'unsupported-encoding', 'Content-Encoding must be gzip or identity')
    if (precisionOf(request) === undefined)
      return refuse(reply, 400, 'precision', 'precision must be ns, us, ms or s')
    const length = Number(header(request, 'content-length') ?? limits.bodyBytes)
    if (!reserve(reply, Math.min(length, limits.bodyBytes))) return overloaded(reply)
    senders.set(request, { ...sender, arrivedMs })
    return undefined
  }

  const write = async (request: FastifyRequest, reply: FastifyReply) => {
    const sender = senders.get(request)
    const precision = precisionOf(request)
    if (sender === undefined || precision === undefined) throw new Error('not admitted')
    let body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    if (codingOf(request) === 'gzip' && body.length > 0) {
      const inflated = await inflate(body, limits.inflatedBytes)
      if (inflated === 'corrupt')
        return refuse(reply, 400, 'corrupt-gzip', 'the body is not whole gzip')
      if (inflated === 'too-large')
        return refuse(
          reply,
          413,
          'too-large',
          `the body unpacks to more than ${limits.inflatedBytes} bytes: send smaller batches`,
        )
      if (!reserve(reply, inflated.length)) return overloaded(reply)
      body = inflated
    }
    const outcome = await ingest.accept({
      ...sender,
      text: body.toString('utf8'),
      precision,
      sentAtMs: sentAtMs(request),
      id: header(request, 'x-kiestoon-batch')?.slice(0, MAX_BATCH_ID),
    })
    return outcome.rejected === 0 ? reply.code(204).send() : reply.code(400).send(reportOf(outcome))
  }

  void server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body)
    })
    for (const path of ['/api/v2/write', '/write']) {
      scope.post(path, { bodyLimit: limits.bodyBytes, onRequest: admit }, write)
    }
  })
}

/** `error` is for clients of InfluxDB 1: Telegraf sends a batch again and again unless it reads one of these words there. */
function reportOf({ accepted, rejected, errors }: Outcome) {
  const first = errors[0]
  const example = first === undefined ? '' : `; line ${first.line}: ${first.reason}`
  const message =
    accepted > 0
      ? `${rejected} of ${accepted + rejected} lines were refused, the others are stored${example}`
      : `no line could be taken${example}`
  return accepted > 0
    ? { code: 'partial', message, accepted, rejected, errors, error: `partial write: ${message}` }
    : { code: 'invalid', message, accepted, rejected, errors, error: `unable to parse: ${message}` }
}

function overloaded(reply: FastifyReply): FastifyReply {
  void reply.header('retry-after', RETRY_AFTER_S)
  return refuse(reply, 503, 'overloaded', 'too much is being written at once: try again')
}

function codingOf(request: FastifyRequest): 'gzip' | 'identity' | undefined {
  switch (header(request, 'content-encoding')?.trim().toLowerCase() ?? '') {
    case '':
    case 'identity':
      return 'identity'
    case 'gzip':
    case 'x-gzip':
      return 'gzip'
    default:
      return undefined
  }
}

function precisionOf(request: FastifyRequest): Precision | undefined {
  const name = query(request, 'precision') ?? 'ns'
  return Object.hasOwn(PRECISIONS, name) ? PRECISIONS[name] : undefined
}

function sentAtMs(request: FastifyRequest): number | undefined {
  const text = header(request, 'x-kiestoon-sent-at') ?? ''
  return /^\d{1,16}$/.test(text) ? Number(text) / US_PER_MS : undefined
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/** A parameter given twice is neither of the two: ''. */
function query(request: FastifyRequest, name: string): string | undefined {
  const { query: read } = request
  if (typeof read !== 'object' || read === null || !(name in read)) return undefined
  const value: unknown = Object.entries(read).find(([key]) => key === name)?.[1]
  return typeof value === 'string' ? value : ''
}
