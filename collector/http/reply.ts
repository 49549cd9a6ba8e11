import type { FastifyReply } from 'fastify'

/** Answers with an error: a stable code, and a sentence that says what to do. */
export function refuse(
  reply: FastifyReply,
  status: number,
  code: string,
  message: string,
): FastifyReply {
  return reply.code(status).header('cache-control', 'no-store').send({ code, message })
}
