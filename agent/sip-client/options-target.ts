import { escapedUser, hostPortText } from '../sip/sip-uri.ts'
import { parseUri } from '../sip/uri.ts'
import type { Server, Locator } from './locator.ts'
import { targetText } from './flow.ts'
import { statusText } from './response-words.ts'
import { routeRows } from './route.ts'
import type { Delivery, Question, UserAgentClient } from './user-agent-client.ts'

const FIRST_SUCCESS = 200
const FIRST_REDIRECT = 300
const REQUEST_TIMEOUT = 408
const SERVICE_UNAVAILABLE = 503
/** Servers that are gone from DNS are forgotten when there are more than these. */
const MAX_SERVERS = 64

export interface OptionsSettings {
  readonly name: string
  readonly uri: string
  readonly proxy: string | undefined
  /** User part of the From; some trunks answer only to whom they know. */
  readonly fromUser: string
}

export interface OptionsTools {
  readonly client: UserAgentClient
  readonly locator: Locator
  readonly newToken: () => string
}

/** What one OPTIONS to one server found. */
export interface OptionsCheck {
  /** Undefined when not even a server is known. */
  readonly server: string | undefined
  /** Undefined when there was no time to find out. */
  readonly isAlive: boolean | undefined
  readonly delivery: Delivery | undefined
  /** Undefined for a 408: that is a timeout of somebody else's, not a round trip. */
  readonly roundTripMs: number | undefined
  readonly failuresInRow: number
  readonly reason: string | undefined
}

/** A peer that is asked by OPTIONS whether it lives (RFC 3261 section 11): each of its servers, not only the one a call would take. */
export class OptionsTarget {
  readonly settings: OptionsSettings
  readonly #tools: OptionsTools
  readonly #failures = new Map<string, number>()

  constructor(settings: OptionsSettings, tools: OptionsTools) {
    this.settings = settings
    this.#tools = tools
  }

  async check(signal: AbortSignal): Promise<OptionsCheck[]> {
    const { uri, proxy } = this.settings
    const { servers, reason } = await this.#tools.locator.locate(proxy ?? uri)
    if (this.#failures.size > MAX_SERVERS) this.#failures.clear()
    if (servers.length > 0)
      return await Promise.all(servers.map(async (server) => this.#checkServer(server, signal)))
    const nobody = { server: undefined, delivery: undefined, roundTripMs: undefined, reason }
    return [{ ...nobody, isAlive: false, failuresInRow: this.#countFailure('', false) }]
  }

  async #checkServer({ name, targets }: Server, signal: AbortSignal): Promise<OptionsCheck> {
    const delivery = await this.#tools.client.askAt(this.#question(), targets, signal)
    const { response, delayMs, target, isCutOff } = delivery
    const statusCode = response?.statusCode
    const isAlive = isCutOff ? undefined : isProofOfLife(statusCode)
    const isSuccess = response !== undefined && isSuccessful(response.statusCode)
    const status =
      response === undefined || target === undefined || isSuccess
        ? []
        : [`${statusText(response)} from ${targetText(target)}`]
    const reasons = [...status, ...(delivery.reason === undefined ? [] : [delivery.reason])]
    return {
      server: name,
      isAlive,
      delivery,
      roundTripMs: statusCode === REQUEST_TIMEOUT ? undefined : delayMs,
      failuresInRow: this.#countFailure(name, isAlive),
      reason: reasons.length === 0 ? undefined : reasons.join('; '),
    }
  }

  #question(): Question {
    const { uri, proxy, fromUser } = this.settings
    const { newToken } = this.#tools
    const [tag, callId] = [newToken(), newToken()]
    return {
      method: 'OPTIONS',
      uri,
      requestUri: requestUriOf,
      proxy,
      authenticator: undefined,
      headers: ({ local }) => [
        ...routeRows(proxy),
        ['From', `<sip:${escapedUser(fromUser)}@${hostPortText(local.host)}>;tag=${tag}`],
        ['To', `<${requestUriOf(uri)}>`],
        ['Call-ID', callId],
        ['CSeq', '1 OPTIONS'],
        ['Accept', 'application/sdp'],
      ],
    }
  }

  #countFailure(server: string, isAlive: boolean | undefined): number {
    const before = this.#failures.get(server) ?? 0
    const now = isAlive === undefined ? before : isAlive ? 0 : before + 1
    this.#failures.set(server, now)
    return now
  }
}

/** Any final answer shows that somebody is there, but for these two: the next hop is silent, or takes no calls. */
function isProofOfLife(statusCode: number | undefined): boolean {
  return (
    statusCode !== undefined && statusCode !== REQUEST_TIMEOUT && statusCode !== SERVICE_UNAVAILABLE
  )
}

function isSuccessful(statusCode: number): boolean {
  return statusCode >= FIRST_SUCCESS && statusCode < FIRST_REDIRECT
}

/** Without parameters: how to get there is no part of who is asked. */
function requestUriOf(uri: string): string {
  const parsed = parseUri(uri)
  if (parsed === undefined) return uri
  const user = parsed.user === undefined ? '' : `${parsed.user}@`
  return `${parsed.scheme}:${user}${hostPortText(parsed.host, parsed.port)}`
}
