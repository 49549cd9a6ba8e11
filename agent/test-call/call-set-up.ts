import { cancellation } from '../sip/acknowledgement.ts'
import type { Authenticator } from '../sip/authenticator.ts'
import { emergencyNumberIn } from '../sip/emergency-numbers.ts'
import type { SipMessage } from '../sip/message.ts'
import { sdpOf } from '../sip/multipart.ts'
import { hostPortText } from '../sip/sip-uri.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { parseUri } from '../sip/uri.ts'
import { Dialog, remoteTagOf } from '../sip-client/dialog.ts'
import { ALLOWED } from '../sip-client/dialog-requests.ts'
import type { SipEndpoint } from '../sip-client/endpoint.ts'
import { isFlow, targetText, type Flow } from '../sip-client/flow.ts'
import type { Locator } from '../sip-client/locator.ts'
import { routeRows } from '../sip-client/route.ts'
import type {
  Delivery,
  Question,
  SentRequest,
  UserAgentClient,
} from '../sip-client/user-agent-client.ts'

/** A late 200 is acknowledged and hung up for so long: 64 T1, as its sender tries (RFC 3261 section 13.3.1.4). */
const LINGER_MS = 32_000
/** Branches of a forked call that answered, each hung up but the first; more are left to their own timers. */
const MAX_BRANCHES = 8
const TRYING = 100
const RINGING = 180
const FIRST_FINAL = 200
const FIRST_REFUSAL = 300
/** Of the Request-URI: how to get there is no part of who is called. */
const NO_PART_OF_WHO: ReadonlySet<string> = new Set(['transport', 'maddr', 'ttl', 'lr', 'method'])

export interface SetUpSettings {
  readonly uri: string
  readonly proxy: string | undefined
  /** Our address of record, and the user part of our contact. */
  readonly from: string
  readonly contactUser: string
  readonly authenticator: Authenticator | undefined
  readonly emergencyNumbers: readonly string[]
  readonly offer: (flow: Flow) => string
  /** Until the answer. */
  readonly ringMs: number
  /** For what the far end says to a CANCEL. */
  readonly cancelWaitMs: number
}

export interface SetUpTools {
  readonly endpoint: SipEndpoint
  readonly locator: Locator
  readonly client: UserAgentClient
  readonly clock: TransactionClock
  readonly newToken: () => string
}

/** A call that is up. */
export interface Answered {
  readonly dialog: Dialog
  readonly flow: Flow
  readonly response: SipMessage
  readonly atMs: number
}

/** How far it came, on the way and in the end. */
export interface Progress {
  /** INVITE to the first provisional response but 100. */
  readonly ringMs: number | undefined
  readonly isRinging: boolean
  /** A description came before the answer. */
  readonly earlySdp: string | undefined
  readonly isRefused: boolean
  /** When the INVITE left that was answered in the end. */
  readonly sentMs: number | undefined
}

/** Sets up one call (RFC 3261 section 13), takes it back when told to, and hangs up whoever answers too late or besides. */
export class CallSetUp {
  readonly #settings: SetUpSettings
  readonly #tools: SetUpTools
  readonly #callId: string
  readonly #tag: string
  readonly #end = new AbortController()
  readonly #branches = new Map<string, { again: () => void }>()
  readonly #givenUp: Promise<undefined>
  #giveUp = (): void => undefined
  #cancelTimers: (() => void)[] = []
  #current: SentRequest | undefined
  #hasProvisional = false
  #isCancelled = false
  #isCancelSent = false
  #cseq = 0
  #sentMs: number | undefined
  #ringAtMs: number | undefined
  #finalAtMs: number | undefined
  #isRinging = false
  #earlySdp: string | undefined
  #isRefused = false
  #answered: Answered | undefined
  /** The first description before the answer is worth to be known at once. */
  onEarly: (sdp: string) => void = () => undefined

  constructor(settings: SetUpSettings, tools: SetUpTools) {
    this.#settings = settings
    this.#tools = tools
    this.#callId = tools.newToken()
    this.#tag = tools.newToken()
    this.#givenUp = new Promise((resolve) => {
      this.#giveUp = () => {
        resolve(undefined)
      }
    })
  }

  get progress(): Progress {
    const isTimed = this.#ringAtMs !== undefined && this.#sentMs !== undefined
    return {
      ringMs: isTimed ? (this.#ringAtMs ?? 0) - (this.#sentMs ?? 0) : undefined,
      isRinging: this.#isRinging,
      earlySdp: this.#earlySdp,
      isRefused: this.#isRefused,
      sentMs: this.#sentMs,
    }
  }

  /** First INVITE to the last final response, whatever it was; undefined when none came. */
  get finalDelayMs(): number | undefined {
    if (this.#finalAtMs === undefined || this.#sentMs === undefined) return undefined
    return this.#finalAtMs - this.#sentMs
  }

  get answered(): Answered | undefined {
    return this.#answered
  }

  get isCancelled(): boolean {
    return this.#isCancelled
  }

  /** Calls until somebody answers or it is over; undefined when it was taken back and nobody said anything to that. */
  async run(): Promise<Delivery | undefined> {
    const { clock, client } = this.#tools
    const { ringMs, cancelWaitMs } = this.#settings
    this.#cancelTimers.push(
      clock.setTimer(() => {
        this.cancel(cancelWaitMs)
      }, ringMs),
    )
    const asking = client.ask(this.#question(), this.#end.signal)
    const delivery = await Promise.race([asking, this.#givenUp])
    this.#clearTimers()
    // Who answers later is still told that we have gone.
    this.#cancelTimers.push(
      clock.setTimer(() => {
        this.close()
      }, LINGER_MS),
    )
    return delivery
  }

  /** Takes the call back; who does not say a word to that is waited for no longer than this. */
  cancel(waitMs: number): void {
    if (this.#answered !== undefined) return
    this.#isCancelled = true
    const { clock } = this.#tools
    this.#cancelTimers.push(clock.setTimer(this.#giveUp, waitMs))
    if (this.#current === undefined) this.#end.abort()
    else if (this.#hasProvisional) this.#sendCancel()
  }

  /** Says no more, whatever comes. */
  close(): void {
    this.#clearTimers()
    this.#giveUp()
    this.#end.abort()
  }

  /** A way to whoever is asked next within the call; that of the INVITE where the far end names a place nobody finds. */
  async flowFor(dialog: Dialog, otherwise: Flow): Promise<Flow> {
    const { servers } = await this.#tools.locator.locate(dialog.nextHop)
    const target = servers[0]?.targets[0]
    if (target === undefined) return otherwise
    const found = await this.#tools.endpoint.open(target)
    return isFlow(found) ? found : otherwise
  }

  /** Hangs up (RFC 3261 section 15.1.1). */
  async bye({ dialog, flow }: Answered, signal: AbortSignal): Promise<Delivery> {
    const { target } = await this.flowFor(dialog, flow)
    const question: Question = {
      method: 'BYE',
      uri: dialog.requestUri,
      requestUri: (uri) => uri,
      proxy: undefined,
      authenticator: this.#settings.authenticator,
      headers: () => dialog.request('BYE').headers,
    }
    return await this.#tools.client.askAt(question, [target], signal)
  }

  /** `sip:user@host:port`, where the far end is to send its own requests. */
  contactOf({ local, target: { transport } }: Flow): string {
    const { contactUser, from } = this.#settings
    const address = hostPortText(local.host.split('%', 1)[0] ?? '', local.port)
    if (from.startsWith('sips:')) return `sips:${contactUser}@${address};transport=tcp`
    const parameter = transport === 'udp' ? '' : `;transport=${transport}`
    return `sip:${contactUser}@${address}${parameter}`
  }

  #question(): Question {
    const { uri, proxy, from, authenticator, offer } = this.#settings
    return {
      method: 'INVITE',
      uri,
      requestUri: whoOf,
      proxy,
      authenticator,
      headers: (flow) => [
        ...routeRows(proxy),
        ['From', `<${from}>;tag=${this.#tag}`],
        ['To', `<${whoOf(uri)}>`],
        ['Call-ID', this.#callId],
        ['CSeq', `${++this.#cseq} INVITE`],
        ['Contact', `<${this.contactOf(flow)}>`],
        ['Allow', ALLOWED],
        ['Accept', 'application/sdp'],
        ['Content-Type', 'application/sdp'],
      ],
      body: (flow) => Buffer.from(offer(flow)),
      watcher: {
        whyNot: (next) => this.#whyNot(next),
        sent: (request) => {
          this.#noteSent(request)
        },
        response: (response, atMs) => {
          this.#take(response, atMs)
        },
      },
    }
  }

  #whyNot(uri: string): string | undefined {
    const number = emergencyNumberIn(uri, this.#settings.emergencyNumbers)
    if (number !== undefined) {
      this.#isRefused = true
      return `not called: it may reach the emergency number ${number}`
    }
    return this.#isCancelled ? 'taken back before it was answered' : undefined
  }

  #noteSent(request: SentRequest): void {
    // A server that failed is no part of the delay; redirects and challenges are (RFC 6076 section 4.3).
    const before = this.#current?.flow.target
    const isAnother = before !== undefined && targetText(before) !== targetText(request.flow.target)
    if (request.isElsewhere && isAnother) {
      this.#sentMs = this.#ringAtMs = undefined
      this.#isRinging = false
    }
    this.#current = request
    this.#hasProvisional = this.#isCancelSent = false
    this.#sentMs ??= request.exchange.sentMs
  }

  #take(response: SipMessage, atMs: number): void {
    const { statusCode } = response
    if (statusCode >= FIRST_FINAL) this.#finalAtMs = atMs
    if (statusCode < FIRST_FINAL) this.#takeProvisional(response, atMs)
    else if (statusCode < FIRST_REFUSAL) this.#takeAnswer(response, atMs)
  }

  #takeProvisional(response: SipMessage, atMs: number): void {
    this.#hasProvisional = true
    if (this.#isCancelled) {
      this.#sendCancel()
      return
    }
    const { statusCode } = response
    if (statusCode === TRYING) return
    this.#ringAtMs ??= atMs
    if (statusCode === RINGING) this.#isRinging = true
    const sdp = sdpOf(response)
    if (sdp === undefined || sdp === this.#earlySdp) return
    this.#earlySdp = sdp
    this.onEarly(sdp)
  }

  #takeAnswer(response: SipMessage, atMs: number): void {
    const current = this.#current
    const tag = remoteTagOf(response)
    const known = this.#branches.get(tag)
    if (known !== undefined || current === undefined) {
      known?.again()
      return
    }
    if (this.#branches.size >= MAX_BRANCHES) return
    const branch = { again: (): void => undefined }
    this.#branches.set(tag, branch)
    const dialog = new Dialog(current.draft, response, this.#cseq)
    const answered = { dialog, flow: current.flow, response, atMs }
    const isUnwanted = this.#isCancelled || this.#answered !== undefined
    if (!isUnwanted) {
      this.#answered = answered
      this.#ringAtMs ??= atMs
    }
    void this.#acknowledge(answered, branch).then(async () => {
      if (isUnwanted) await this.bye(answered, this.#end.signal)
    })
  }

  async #acknowledge({ dialog, flow }: Answered, branch: { again: () => void }): Promise<void> {
    const way = await this.flowFor(dialog, flow)
    branch.again = this.#tools.endpoint.sendAlone(way, dialog.acknowledgement())
  }

  #sendCancel(): void {
    const current = this.#current
    if (current === undefined || this.#isCancelSent) return
    this.#isCancelSent = true
    const { flow, draft, exchange } = current
    const { signal } = this.#end
    this.#tools.endpoint.send(flow, cancellation(draft), { signal, via: exchange.via })
  }

  #clearTimers(): void {
    for (const cancel of this.#cancelTimers) cancel()
    this.#cancelTimers = []
  }
}

/** Who is called, without what only says how to get there, and without the headers a URI may carry. */
function whoOf(uri: string): string {
  const parsed = parseUri(uri)
  if (parsed === undefined) return uri
  const user = parsed.user === undefined ? '' : `${parsed.user}@`
  const parameters = parsed.parameters
    .split(';')
    .filter((one) => one !== '' && !NO_PART_OF_WHO.has(one.split('=', 1)[0]?.toLowerCase() ?? ''))
    .map((one) => `;${one}`)
  return `${parsed.scheme}:${user}${hostPortText(parsed.host, parsed.port)}${parameters.join('')}`
}
