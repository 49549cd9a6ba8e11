import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { z } from 'zod'
import { isSameOrigin, sessionCookie, type Access } from './access.ts'
import { refuse } from './reply.ts'
import { SESSION_COOKIE, SESSION_LIFETIME_S, type Sessions } from './sessions.ts'

const PATH = '/api/v1/session'
const MAX_BODY_BYTES = 4096
/** Failed logins of one address in a minute. */
const MAX_FAILURES = 10

const login = z.object({ token: z.string().min(1) })

/** Log in to the console with a token, say who is logged in, log out. */
export async function sessionRoutes(
  server: FastifyInstance,
  access: Access,
  sessions: Sessions,
  isTls: boolean,
): Promise<void> {
  const cookie = (value: string, lifetimeS: number): string =>
    `${SESSION_COOKIE}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${lifetimeS}${isTls ? '; Secure' : ''}`
  await server.register(rateLimit, { global: false })
  const failures = server.createRateLimit({ max: MAX_FAILURES, timeWindow: '1 minute' })

  server.get(PATH, async (request, reply) => {
    const identity = await access.person(request, 'viewer')
    if ('status' in identity) return refuse(reply, identity.status, identity.code, identity.message)
    return { role: identity.role, anonymous: identity.by === 'loopback' }
  })

  server.post(PATH, { bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    if (request.headers['sec-fetch-site'] !== undefined && !isSameOrigin(request))
      return crossOrigin(reply)
    // `max` is what is left to fail: an answer before this one may have used the last.
    const before = await failures(request, { increment: false })
    if (!before.isAllowed && before.isExceeded) return tooMany(reply, before.ttlInSeconds)
    const body = login.safeParse(request.body)
    if (!body.success) return refuse(reply, 400, 'invalid', 'expected {"token": "..."}')
    const token = await access.token(body.data.token)
    if ('status' in token) {
      const counted = await failures(request)
      if (!counted.isAllowed && counted.isExceeded) return tooMany(reply, counted.ttlInSeconds)
      return refuse(reply, token.status, token.code, token.message)
    }
    if (token.role === 'agent')
      return refuse(reply, 403, 'forbidden', "an agent's token opens no console")
    const id = sessions.begin(token.id)
    return reply
      .header('set-cookie', cookie(id, SESSION_LIFETIME_S))
      .header('cache-control', 'no-store')
      .send({ role: token.role, anonymous: false })
  })

  server.delete(PATH, async (request, reply) => {
    if (!isSameOrigin(request)) return crossOrigin(reply)
    const id = sessionCookie(request)
    if (id !== undefined) sessions.end(id)
    return reply.code(204).header('set-cookie', cookie('', 0)).send()
  })
}

function crossOrigin(reply: FastifyReply): FastifyReply {
  return refuse(reply, 403, 'cross-origin', 'this request did not come from the console')
}

function tooMany(reply: FastifyReply, retryAfterS: number): FastifyReply {
  void reply.header('retry-after', String(retryAfterS))
  return refuse(reply, 429, 'too-many-attempts', 'too many failed logins: wait a minute')
}
