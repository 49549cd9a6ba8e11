import { hostPortText } from '../sip/sip-uri.ts'
import { emergencyNumberIn } from '../sip/emergency-numbers.ts'
import { SipMessage } from '../sip/message.ts'
import {
  ClientTransaction,
  type TransactionClock,
  type TransactionTimers,
} from '../sip/transaction.ts'
import { parameterOf, splitValues } from '../sip/values.ts'
import { SIP_VERDICTS } from '../sip/verdicts.ts'
import {
  messageLength,
  requestLine,
  writeMessage,
  type HeaderRow,
  type RequestDraft,
} from '../sip/write-message.ts'
import { acknowledgement } from '../sip/acknowledgement.ts'
import { SentExchange, notSent, type Exchange, type Outcome } from './exchange.ts'
import { targetText, type Flow, type FlowEvents, type NoFlow, type Target } from './flow.ts'
import { onAbort } from './on-abort.ts'
import { RecentKeys } from './recent-keys.ts'
import { StreamFlows } from './stream-flows.ts'
import type { TlsOptions } from './stream-connection.ts'
import { UdpFlows } from './udp-flows.ts'

/** Marks a branch made by the rules of RFC 3261 (section 8.1.1.7). */
const BRANCH_COOKIE = 'z9hG4bK'
/** As long as any of ours. */
const LONGEST_BRANCH = `${BRANCH_COOKIE}${'0'.repeat(32)}`
const MAX_FORWARDS = '70'
const FIRST_FINAL = 200

export interface EndpointOptions {
  readonly clock: TransactionClock
  /** Wall clock, for certificates. */
  readonly nowUs: () => number
  readonly timers: TransactionTimers
  /** Our own address, where there are several. */
  readonly bind?: string | undefined
  readonly tls?: TlsOptions
  readonly userAgent: string
  /** A text nobody can guess, for branches. */
  readonly newToken: () => string
  /** Numbers no INVITE may lead to, beside those built in. */
  readonly emergencyNumbers?: readonly string[]
  /** Takes requests that others send to us; the message is good during the call only. Without it they are counted, and that is all. */
  readonly onRequest?: (request: SipMessage, reply: (bytes: Uint8Array) => void) => void
}

export interface SendOptions {
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Every response that is news: provisional ones, the final one, and every further 2xx to an INVITE. */
  readonly onResponse?: (response: SipMessage, atMs: number) => void
  /** That of the INVITE, for its CANCEL. */
  readonly via?: string
}

interface Pending {
  readonly transaction: ClientTransaction
  readonly flow: Flow
  readonly isInvite: boolean
  readonly settle: (outcome: Outcome) => void
  readonly onResponse: SendOptions['onResponse']
  /** The first final response to an INVITE: what an ACK is made from. */
  final: SipMessage | undefined
  /** What came from there and was no message. */
  refused: number
  lastVerdict: number
}

/** What came in and was nobody's. */
export interface EndpointCounts {
  /** Responses to no request of ours, or far too late. */
  readonly strays: number
  readonly refused: number
  readonly requests: number
}

/** Our end of SIP: sends requests over shared sockets, and hands each response to whoever asked (RFC 3261 sections 17.1 and 18.1). */
export class SipEndpoint {
  readonly #options: EndpointOptions
  readonly #udp: UdpFlows
  readonly #streams: StreamFlows
  /** By branch and method. */
  readonly #pending = new Map<string, Pending>()
  /** Of transactions that are over: what comes of them now is the same again, or too late. */
  readonly #ended: RecentKeys
  #strays = 0
  #refused = 0
  #requests = 0

  constructor(options: EndpointOptions) {
    const { clock, nowUs, bind, tls = {}, timers } = options
    const events: FlowEvents = {
      message: (message, reply) => {
        this.#receive(message, reply)
      },
      refused: (key, verdict) => {
        this.#noteRefused(key, verdict)
      },
      lost: (key, reason) => {
        this.#lose(key, reason)
      },
    }
    this.#options = options
    this.#ended = new RecentKeys(timers.t4Ms)
    this.#udp = new UdpFlows({ bind, clock, events })
    const connectLimitMs = timers.timeoutMs
    this.#streams = new StreamFlows({ bind, tls, connectLimitMs, clock, nowUs, events })
  }

  get counts(): EndpointCounts {
    return { strays: this.#strays, refused: this.#refused, requests: this.#requests }
  }

  /** Requests of which something may still come. */
  get pending(): number {
    return this.#pending.size
  }

  async open(target: Target): Promise<Flow | NoFlow> {
    return await (target.transport === 'udp' ? this.#udp : this.#streams).open(target)
  }

  /** Length of the request in octets, as it would be sent, or a little more. */
  lengthOf(flow: Flow, draft: RequestDraft): number {
    const via = viaText(flow, LONGEST_BRANCH)
    return messageLength(requestLine(draft), this.#rows(draft, via), draft.body)
  }

  /** Sends a request in a transaction of its own. */
  send(flow: Flow, draft: RequestDraft, options: SendOptions): Exchange {
    const { signal, onResponse } = options
    const { clock, timers } = this.#options
    const refusal = this.#refusalOf(draft)
    if (refusal !== undefined) return notSent(clock.monotonicMs(), refusal)
    const via = options.via ?? this.#newVia(flow)
    const key = transactionKey(parameterOf(via, 'branch') ?? '', draft.method)
    const bytes = this.#write(draft, via)
    const release = flow.hold()
    let settle: Pending['settle'] = () => undefined
    const outcome = new Promise<Outcome>((resolve) => {
      settle = resolve
    })
    const isInvite = draft.method === 'INVITE'
    const transaction = new ClientTransaction({
      isInvite,
      isReliable: flow.target.transport !== 'udp',
      timers,
      clock,
      send: () => {
        if (transaction.retransmissions > 0) flow.doubt()
        flow.write(bytes)
      },
      acknowledge: () => {
        const { final } = pending
        if (final !== undefined) flow.write(this.#write(acknowledgement(draft, final), via))
      },
      onTimeout: () => {
        const reason = this.#silenceOf(pending)
        flow.doubt()
        settle({ kind: 'timed-out', reason, waitedMs: clock.monotonicMs() - sentMs })
      },
      onEnd: () => {
        this.#pending.delete(key)
        this.#ended.add(key, clock.monotonicMs())
        unlisten()
        release()
      },
    })
    const pending: Pending = {
      transaction,
      flow,
      isInvite,
      settle,
      onResponse,
      final: undefined,
      refused: 0,
      lastVerdict: 0,
    }
    const cutOff = (): void => {
      const reason = `${targetText(flow.target)}: the time of the interval was up`
      settle({ kind: 'cut-off', reason, waitedMs: clock.monotonicMs() - sentMs })
      transaction.stop()
    }
    const unlisten = onAbort(signal, cutOff)
    this.#pending.set(key, pending)
    const sentMs = clock.monotonicMs()
    if (signal.aborted) cutOff()
    else transaction.start()
    return new SentExchange(sentMs, via, outcome, transaction)
  }

  /**
   * Sends a request to which no answer is awaited: the ACK to a 2xx (RFC 3261 section 13.2.2.4). The function returned sends the same
   * again.
   */
  sendAlone(flow: Flow, draft: RequestDraft): () => void {
    const bytes = this.#write(draft, this.#newVia(flow))
    flow.write(bytes)
    return () => {
      flow.write(bytes)
    }
  }

  /** Ends all that is going on. */
  close(): void {
    for (const { settle, transaction } of [...this.#pending.values()]) {
      settle({ kind: 'lost', reason: 'closed' })
      transaction.stop()
    }
    this.#udp.close()
    this.#streams.close()
  }

  /** The last look before a call goes out: whoever made the request, no test rings for help. */
  #refusalOf({ method, uri, headers }: RequestDraft): string | undefined {
    if (method !== 'INVITE') return undefined
    const { emergencyNumbers } = this.#options
    const routes = headers.filter(([name]) => name.toLowerCase() === 'route')
    const targets = [uri, ...routes.flatMap(([, value]) => splitValues(value))]
    for (const target of targets) {
      const number = emergencyNumberIn(target.replace(/[<>]/g, ' ').trim(), emergencyNumbers)
      if (number !== undefined) return `not called: it may reach the emergency number ${number}`
    }
    return undefined
  }

  #newVia(flow: Flow): string {
    return viaText(flow, `${BRANCH_COOKIE}${this.#options.newToken()}`)
  }

  #write(draft: RequestDraft, via: string): Uint8Array {
    return writeMessage(requestLine(draft), this.#rows(draft, via), draft.body)
  }

  #rows({ headers }: RequestDraft, via: string): HeaderRow[] {
    return [
      ['Via', via],
      ['Max-Forwards', MAX_FORWARDS],
      ...headers,
      ['User-Agent', this.#options.userAgent],
    ]
  }

  #receive(message: SipMessage, reply: (bytes: Uint8Array) => void): void {
    if (message.isRequest) {
      this.#requests++
      this.#options.onRequest?.(message, reply)
      return
    }
    const atMs = this.#options.clock.monotonicMs()
    const key = keyOf(message)
    const pending = key === undefined ? undefined : this.#pending.get(key)
    if (key === undefined || pending === undefined) {
      if (key === undefined || !this.#ended.has(key, atMs)) this.#strays++
      return
    }
    const { transaction, isInvite, onResponse, settle } = pending
    const { statusCode } = message
    const isFinal = statusCode >= FIRST_FINAL
    // The transaction acknowledges it at once.
    if (isInvite && isFinal) pending.final ??= message.copy()
    if (!transaction.receive(statusCode)) return
    const response = message.copy()
    onResponse?.(response, atMs)
    if (isFinal) settle({ kind: 'answered', response, atMs })
  }

  #noteRefused(key: string, verdict: number): void {
    this.#refused++
    for (const pending of this.#pending.values()) {
      if (pending.flow.key !== key) continue
      pending.refused++
      pending.lastVerdict = verdict
    }
  }

  #lose(key: string, reason: string): void {
    for (const { flow, settle, transaction } of [...this.#pending.values()]) {
      if (flow.key !== key) continue
      settle({ kind: 'lost', reason: `${targetText(flow.target)}: ${reason}` })
      transaction.stop()
    }
  }

  #silenceOf({ flow, refused, lastVerdict }: Pending): string {
    const { timers } = this.#options
    const pendingOctets = flow.pendingOctets()
    const instead =
      refused > 0
        ? `; ${refused} times what came was no SIP message (${SIP_VERDICTS[lastVerdict] ?? ''})`
        : pendingOctets > 0
          ? '; what came is only part of a message'
          : ''
    return `${targetText(flow.target)}: no answer in ${timers.timeoutMs} ms${instead}`
  }
}

/** Whose response it is: no other Via stands above or below ours (RFC 3261 section 8.1.3.3). */
function keyOf(message: SipMessage): string | undefined {
  const [via, ...others] = message.headers('via').flatMap(splitValues)
  if (via === undefined || others.length > 0) return undefined
  return transactionKey(parameterOf(via, 'branch') ?? '', message.cseqMethodText)
}

function viaText({ target, local }: Flow, branch: string): string {
  const sentBy = hostPortText(local.host.split('%', 1)[0] ?? '', local.port)
  return `SIP/2.0/${target.transport.toUpperCase()} ${sentBy};branch=${branch};rport`
}

function transactionKey(branch: string, method: string): string {
  return `${branch} ${method}`
}
