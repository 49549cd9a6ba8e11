import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { PowerMatch, WhatIfView } from './power-view.ts'
import { refuse } from './reply.ts'

const MAX_TEXT = 200
const MAX_IDS_TEXT = 8000

/** Why a question was not answered. */
export interface Refused {
  readonly code: string
  readonly message: string
}

export interface WhatIfQuery {
  readonly fail: readonly string[]
  /** As 10:00 or 2026-12-24T10:00; both '' for good. */
  readonly from: string
  readonly to: string
}

/** What the routes below ask of the collector. */
export interface PowerPages {
  /** The view as JSON: of everything, or of the chain of one service or component. */
  view(of: string | undefined): string
  zippedView(of: string | undefined): Promise<Buffer>
  whatIf(query: WhatIfQuery): WhatIfView | Refused
  search(text: string): readonly PowerMatch[]
}

type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>

/** GET /api/v1/power?of=ID, /api/v1/power/what-if?fail=ID,ID&from=&to=, /api/v1/power/search?text= */
export function powerRoutes(server: FastifyInstance, pages: PowerPages, forViewers: Guard): void {
  server.get('/api/v1/power', { onRequest: forViewers }, async (request, reply) => {
    const of = textOf(request, 'of')
    const asked = of === '' ? undefined : of
    void reply
      .type('application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .header('vary', 'accept-encoding')
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
      return reply.send(pages.view(asked))
    return reply.header('content-encoding', 'gzip').send(await pages.zippedView(asked))
  })
  server.get('/api/v1/power/what-if', { onRequest: forViewers }, async (request, reply) => {
    const fail = textOf(request, 'fail', MAX_IDS_TEXT)
      .split(',')
      .map((id) => id.trim())
      .filter((id) => id !== '')
    const answer = pages.whatIf({
      fail: [...new Set(fail)],
      from: textOf(request, 'from'),
      to: textOf(request, 'to'),
    })
    if ('code' in answer) return refuse(reply, 400, answer.code, answer.message)
    return reply.header('cache-control', 'no-store').send(answer)
  })
  server.get('/api/v1/power/search', { onRequest: forViewers }, async (request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .send({ found: pages.search(textOf(request, 'text')) }),
  )
}

/** A part of the query; given twice, or not at all, it is ''. */
function textOf({ query }: FastifyRequest, name: string, most = MAX_TEXT): string {
  const value: unknown = new Map(Object.entries(query ?? {})).get(name)
  return typeof value === 'string' ? value.slice(0, most) : ''
}
