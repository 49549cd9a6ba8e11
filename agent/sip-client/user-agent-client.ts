import type { Authenticator } from '../sip/authenticator.ts'
import type { SipMessage } from '../sip/message.ts'
import { NO_BODY, type HeaderRow, type RequestDraft } from '../sip/write-message.ts'
import type { Certificate } from './certificate.ts'
import type { SipEndpoint } from './endpoint.ts'
import type { Exchange, Outcome } from './exchange.ts'
import { isFlow, targetText, type Flow, type NoFlow, type Target } from './flow.ts'
import type { Locator } from './locator.ts'
import { onAbort } from './on-abort.ts'
import { isRedirect, redirectOf } from './redirect.ts'

/** Requests to one server for one answer: a challenge of each proxy, a stale nonce or two. */
const MAX_ROUNDS = 6
/** Addresses tried for one answer. */
const MAX_TARGETS = 4
/** Requests longer than this go by TCP (RFC 3261 section 18.1.1). */
const MAX_UDP_OCTETS = 1300
/** Cut off earlier than this, a request has not had the time to be answered: nothing is known. */
const MIN_WAIT_MS = 2000
const MAX_REASON_LENGTH = 300
const UNAUTHORIZED = 401
const PROXY_AUTHENTICATION_REQUIRED = 407
const SERVICE_UNAVAILABLE = 503
const NO_TIME = 'no time left in the interval'

/** A request to be answered by whoever serves a URI. */
export interface Question {
  readonly method: string
  /** Who is asked. */
  readonly uri: string
  /** What of that goes into the request line. */
  readonly requestUri: (uri: string) => string
  /** By way of whom. */
  readonly proxy: string | undefined
  readonly authenticator: Authenticator | undefined
  /** All other rows, made anew for every time it is sent. */
  readonly headers: (flow: Flow) => readonly HeaderRow[]
  readonly body?: (flow: Flow) => Uint8Array
  readonly watcher?: Watcher
}

/** Who follows a question while it is asked, as a caller must. */
export interface Watcher {
  /** Why nothing more is to be asked, of this URI or at all. */
  readonly whyNot: (uri: string) => string | undefined
  /** A request has left. `isElsewhere`: another server has failed before. */
  readonly sent: (request: SentRequest) => void
  /** Everything that comes in answer, as it comes: provisional, final, and each further 2xx. */
  readonly response: (response: SipMessage, atMs: number) => void
}

export interface SentRequest {
  readonly flow: Flow
  readonly draft: RequestDraft
  readonly exchange: Exchange
  readonly isElsewhere: boolean
}

/** What came of it, and what it took. */
export interface Delivery {
  /** The final response: no challenge that could be answered, no redirect that could be followed. */
  readonly response: SipMessage | undefined
  /** From the first request to the server that answered, to its answer; challenges are part of it, servers that failed are not. */
  readonly delayMs: number | undefined
  /** The last one used. */
  readonly flow: Flow | undefined
  /** The last one tried. */
  readonly target: Target | undefined
  readonly certificate: Certificate | undefined
  readonly connectMs: number | undefined
  /** Nobody answered, and had the time to. */
  readonly isTimeout: boolean
  /** The time was up before anything could be known. */
  readonly isCutOff: boolean
  /** How long the last request that was not answered was waited for. */
  readonly waitedMs: number | undefined
  readonly areCredentialsWrong: boolean
  readonly challenges: number
  readonly stale: number
  readonly retransmissions: number
  readonly redirects: number
  /** Servers that were tried in vain before the last one. */
  readonly failovers: number
  /** What went wrong, the last of it first. */
  readonly reason: string | undefined
}

type Opened = { readonly flow: Flow; readonly request: RequestDraft } | { readonly noFlow: NoFlow }
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
type Draft = Mutable<Delivery> & { readonly faults: string[] }

export interface UserAgentClientOptions {
  readonly endpoint: SipEndpoint
  readonly locator: Locator
}

/** Asks a question until it is answered: finds servers, goes on to the next, answers challenges, follows redirects; all of it bounded. */
export class UserAgentClient {
  readonly #endpoint: SipEndpoint
  readonly #locator: Locator

  constructor({ endpoint, locator }: UserAgentClientOptions) {
    this.#endpoint = endpoint
    this.#locator = locator
  }

  async ask(question: Question, signal: AbortSignal): Promise<Delivery> {
    const draft = newDraft()
    const visited = new Set([question.uri])
    let { uri } = question
    for (;;) {
      const whyNot = question.watcher?.whyNot(uri)
      if (whyNot !== undefined) {
        draft.faults.unshift(whyNot)
        return finished(draft)
      }
      const located = await orAborted(this.#locator.locate(question.proxy ?? uri), signal)
      const targets = located?.servers.flatMap((server) => server.targets) ?? []
      if (targets.length === 0) {
        draft.isCutOff = located === undefined
        draft.faults.unshift(located?.reason ?? NO_TIME)
      }
      await this.#askInTurn(question, uri, targets, draft, signal)
      if (draft.response === undefined || !isRedirect(draft.response)) return finished(draft)
      const next = redirectOf(draft.response, draft.target?.transport === 'tls', visited)
      if ('fault' in next) {
        draft.faults.unshift(next.fault)
        return finished(draft)
      }
      draft.redirects++
      uri = next.uri
      visited.add(uri)
    }
  }

  /** Asks at these addresses and nowhere else. */
  async askAt(
    question: Question,
    targets: readonly Target[],
    signal: AbortSignal,
  ): Promise<Delivery> {
    const draft = newDraft()
    await this.#askInTurn(question, question.uri, targets, draft, signal)
    return finished(draft)
  }

  async #askInTurn(
    question: Question,
    uri: string,
    targets: readonly Target[],
    draft: Draft,
    signal: AbortSignal,
  ): Promise<void> {
    const tried = targets.slice(0, MAX_TARGETS)
    for (const [index, target] of tried.entries()) {
      startWith(target, draft)
      // Nonces are good at the server that gave them.
      if (index > 0) question.authenticator?.forget()
      const isLocalFault = await this.#askOne(question, uri, target, index > 0, draft, signal)
      const isUnavailable = draft.response?.statusCode === SERVICE_UNAVAILABLE
      const isAnswered = draft.response !== undefined && !isUnavailable
      if (isAnswered || index === tried.length - 1 || signal.aborted) return
      if (isUnavailable) draft.faults.unshift(`${targetText(target)}: 503`)
      if (!isLocalFault) draft.failovers++
    }
  }

  /** Fills in what came of it; true when the fault was on our side. */
  async #askOne(
    question: Question,
    uri: string,
    target: Target,
    isElsewhere: boolean,
    draft: Draft,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { watcher } = question
    let firstSentMs: number | undefined
    let isRetried = false
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const opened = await orAborted(this.#openFor(question, uri, target), signal)
      if (opened === undefined || 'noFlow' in opened) {
        const { reason = NO_TIME, isLocal = false, isTimeout = false } = opened?.noFlow ?? {}
        draft.isTimeout = isTimeout
        draft.isCutOff = opened === undefined
        draft.response = draft.delayMs = undefined
        draft.certificate = opened?.noFlow.certificate
        draft.faults.unshift(`${targetText(target)}: ${reason}`)
        return isLocal
      }
      const whyNot = watcher?.whyNot(uri)
      if (whyNot !== undefined) {
        draft.faults.unshift(whyNot)
        return true
      }
      const { flow, request } = opened
      draft.flow = flow
      draft.certificate = flow.certificate
      draft.connectMs ??= flow.connectMs
      const options = watcher === undefined ? { signal } : { signal, onResponse: watcher.response }
      const exchange = this.#endpoint.send(flow, request, options)
      watcher?.sent({ flow, draft: request, exchange, isElsewhere })
      firstSentMs ??= exchange.sentMs
      const outcome = await exchange.outcome
      draft.retransmissions += exchange.retransmissions
      if (outcome.kind === 'lost' && flow.isReused && !isRetried) {
        // The server closed it while nobody was using it: that is its right.
        isRetried = true
        continue
      }
      if (outcome.kind !== 'answered') {
        noteSilence(draft, outcome)
        return false
      }
      draft.response = outcome.response
      draft.delayMs = outcome.atMs - firstSentMs
      if (!answersChallenge(question, outcome.response, draft)) return false
    }
    draft.faults.unshift(`${targetText(target)}: challenged again and again`)
    return false
  }

  /** A way to the target, and the request as it goes that way: a long one goes by TCP where that is to be had. */
  async #openFor(question: Question, asked: string, target: Target): Promise<Opened> {
    const endpoint = this.#endpoint
    const found = await endpoint.open(target)
    if (!isFlow(found)) return { noFlow: found }
    const { method, authenticator, headers } = question
    const uri = question.requestUri(asked)
    const body = question.body?.(found) ?? NO_BODY
    const authorizations = authenticator?.authorizations(method, uri, body) ?? []
    const requestOver = (flow: Flow): RequestDraft => {
      return { method, uri, headers: [...headers(flow), ...authorizations], body }
    }
    const opened = { flow: found, request: requestOver(found) }
    const isTooLong = endpoint.lengthOf(found, opened.request) > MAX_UDP_OCTETS
    if (target.transport !== 'udp' || !isTooLong) return opened
    const byTcp = await endpoint.open({ ...target, transport: 'tcp' })
    return isFlow(byTcp) ? { flow: byTcp, request: requestOver(byTcp) } : opened
  }
}

/** Whether the response is a challenge that the next request answers. */
function answersChallenge(
  { authenticator }: Question,
  response: SipMessage,
  draft: Draft,
): boolean {
  const { statusCode } = response
  if (statusCode !== UNAUTHORIZED && statusCode !== PROXY_AUTHENTICATION_REQUIRED) {
    authenticator?.takeAcceptance(response)
    return false
  }
  if (authenticator === undefined) return false
  draft.challenges++
  const verdict = authenticator.takeChallenge(response)
  switch (verdict.kind) {
    case 'answer':
      if (verdict.isStale) draft.stale++
      return true
    case 'wrong-credentials':
      draft.areCredentialsWrong = true
      draft.faults.unshift('our answer to the challenge was refused: name or password is wrong')
      return false
    case 'unanswerable':
      draft.faults.unshift(verdict.reason)
      return false
  }
}

function noteSilence(draft: Draft, outcome: Exclude<Outcome, { kind: 'answered' }>): void {
  draft.response = draft.delayMs = undefined
  draft.faults.unshift(outcome.reason)
  if (outcome.kind === 'lost' || outcome.kind === 'refused') return
  draft.waitedMs = outcome.waitedMs
  draft.isTimeout = outcome.kind === 'timed-out' || outcome.waitedMs >= MIN_WAIT_MS
  draft.isCutOff = !draft.isTimeout
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined
  let stop = (): void => undefined
  const aborted = new Promise<undefined>((resolve) => {
    stop = onAbort(signal, () => {
      resolve(undefined)
    })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    stop()
  }
}

/** Written out: a literal that begins with a spread is given a shape of its own each time, and shapes are kept for long. */
function newDraft(): Draft {
  return {
    response: undefined,
    delayMs: undefined,
    flow: undefined,
    target: undefined,
    certificate: undefined,
    connectMs: undefined,
    isTimeout: false,
    isCutOff: false,
    waitedMs: undefined,
    areCredentialsWrong: false,
    challenges: 0,
    stale: 0,
    retransmissions: 0,
    redirects: 0,
    failovers: 0,
    reason: undefined,
    faults: [],
  }
}

/** What was found of the server before is forgotten. */
function startWith(target: Target, draft: Draft): void {
  draft.target = target
  draft.response = draft.delayMs = draft.flow = draft.certificate = draft.waitedMs = undefined
  draft.isTimeout = draft.isCutOff = false
}

function finished(draft: Draft): Delivery {
  if (draft.faults.length > 0) draft.reason = draft.faults.join('; ').slice(0, MAX_REASON_LENGTH)
  return draft
}
