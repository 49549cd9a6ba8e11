import { existsSync } from 'node:fs'
import serveStatic from '@fastify/static'
import type { FastifyInstance, FastifyReply } from 'fastify'

const HINT = `Kiestoon collector: running.
The console is not built here: npm run build makes it.
What it would show: GET /api/v1/overview (Authorization: Token ...).
`

/** Serves the built console; where it was not built, says so. */
export async function consoleRoutes(server: FastifyInstance, folder: URL): Promise<void> {
  if (!existsSync(folder)) {
    server.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(HINT))
    return
  }
  await server.register(serveStatic, {
    root: folder,
    wildcard: true,
    cacheControl: false,
    setHeaders: cacheHashed,
  })
}

/** A file under assets/ has the hash of its content in its name. */
function cacheHashed(reply: FastifyReply, path: string): void {
  void reply.header(
    'cache-control',
    path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  )
}
