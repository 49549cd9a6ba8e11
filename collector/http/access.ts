import type { FastifyRequest } from 'fastify'
import { SESSION_COOKIE, type Sessions } from './sessions.ts'
import type { Role, Token, Tokens } from './tokens.ts'

/** Who may see and do how much; an agent may do nothing but write. */
const RANK: Readonly<Record<Role, number>> = { agent: 0, viewer: 1, operator: 2, admin: 3 }
/** A request that passed a proxy is not from this machine, whatever the socket says. */
const PROXY_HEADER = /^(?:forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip)$/
/** The names of this machine; any other name on a loopback socket is a page of somebody else that was told our address (DNS rebinding). */
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/

export interface Identity {
  readonly role: Role
  readonly tokenId?: string
  /** How it was shown: only a cookie is sent by a browser that was tricked into it. */
  readonly by: 'token' | 'cookie' | 'loopback'
}

/** Whom a token lets write. */
export interface Sender {
  readonly agent: string
  readonly site: string
  /** SHA-256 of the token, hexadecimal. */
  readonly tokenHash: string
}

export interface Refusal {
  readonly status: 401 | 403
  readonly code: string
  readonly message: string
}

const NO_TOKEN: Refusal = {
  status: 401,
  code: 'unauthorized',
  message: 'a token is needed: Authorization: Token ...',
}

/** Decides who a request is from. */
export class Access {
  readonly #tokens: Tokens
  readonly #sessions: Sessions
  readonly #loopbackMayRead: boolean

  constructor(tokens: Tokens, sessions: Sessions, loopbackMayRead: boolean) {
    this.#tokens = tokens
    this.#sessions = sessions
    this.#loopbackMayRead = loopbackMayRead
  }

  /** Somebody who reads, or at least `role`. */
  async person(request: FastifyRequest, role: Exclude<Role, 'agent'>): Promise<Identity | Refusal> {
    const identity = await this.#identify(request)
    if ('status' in identity) return identity
    if (RANK[identity.role] >= RANK[role]) return identity
    return {
      status: 403,
      code: 'forbidden',
      message: `this needs the role ${role}, the token has ${identity.role}`,
    }
  }

  /** The agent a token was made for. */
  async agent(secret: string | undefined): Promise<Sender | Refusal> {
    const token = await this.token(secret)
    if ('status' in token) return token
    const { agent, site, hash } = token
    if (agent !== undefined && site !== undefined) return { agent, site, tokenHash: hash }
    return {
      status: 403,
      code: 'forbidden',
      message: `a token of role ${token.role} cannot write: make one with kiestoon-collector token create --agent NAME --site SITE`,
    }
  }

  async token(secret: string | undefined): Promise<Token | Refusal> {
    if (secret === undefined) return NO_TOKEN
    const token = await this.#tokens.find(secret)
    if (token === undefined) return { status: 401, code: 'unauthorized', message: 'unknown token' }
    if (token.revoked !== undefined)
      return { status: 401, code: 'unauthorized', message: `token ${token.id} is revoked` }
    return token
  }

  async #identify(request: FastifyRequest): Promise<Identity | Refusal> {
    const secret = secretOf(request)
    const cookie = sessionCookie(request)
    if (secret !== undefined) {
      const token = await this.token(secret)
      if ('status' in token) return token
      return { role: token.role, tokenId: token.id, by: 'token' }
    }
    const session = cookie === undefined ? undefined : this.#sessions.tokenOf(cookie)
    if (session !== undefined) {
      const token = await this.#tokens.byId(session)
      if (token !== undefined && token.revoked === undefined)
        return { role: token.role, tokenId: token.id, by: 'cookie' }
    }
    if (this.#loopbackMayRead && isFromThisMachine(request))
      return { role: 'viewer', by: 'loopback' }
    return NO_TOKEN
  }
}

/** What is shown as `Token X`, `Bearer X`, or as the password of `Basic` (what Telegraf's influxdb output sends). */
export function secretOf(request: FastifyRequest): string | undefined {
  const match = /^(\w+) +(\S+)$/.exec(request.headers.authorization ?? '')
  const [, scheme = '', value = ''] = match ?? []
  switch (scheme.toLowerCase()) {
    case 'token':
    case 'bearer':
      return value
    case 'basic': {
      const pair = Buffer.from(value, 'base64').toString('utf8')
      const colon = pair.indexOf(':')
      return colon < 0 ? undefined : pair.slice(colon + 1)
    }
    default:
      return undefined
  }
}

export function sessionCookie(request: FastifyRequest): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const [key = '', value] = pair.trim().split('=', 2)
    if (key === SESSION_COOKIE) return value
  }
  return undefined
}

/** Whether a browser says the request came from our own page; one that says nothing is not taken at its word. */
export function isSameOrigin(request: FastifyRequest): boolean {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === host
}

function isFromThisMachine(request: FastifyRequest): boolean {
  return (
    LOOPBACK.test(request.socket.remoteAddress ?? '') &&
    LOCAL_HOST.test(request.headers.host ?? '') &&
    !Object.keys(request.headers).some((header) => PROXY_HEADER.test(header))
  )
}
