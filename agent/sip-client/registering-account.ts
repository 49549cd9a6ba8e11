import { Authenticator } from '../sip/authenticator.ts'
import { readBindings, waitSeconds, type Binding } from '../sip/bindings.ts'
import type { SipMessage } from '../sip/message.ts'
import { domainUri, escapedUser, hostPortText, isSameContact } from '../sip/sip-uri.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { maskedParty, parseUri } from '../sip/uri.ts'
import type { HeaderRow } from '../sip/write-message.ts'
import { targetText, type Flow } from './flow.ts'
import { statusText } from './response-words.ts'
import { routeRows } from './route.ts'
import type { Delivery, Question, UserAgentClient } from './user-agent-client.ts'

/** After a refusal: whoever goes on trying a wrong password locks the account out. */
const REFUSED_PAUSE_S = 900
/** What a registrar asks for in Retry-After is granted up to this. */
const MAX_PAUSE_S = 3600
/** What a registrar asks for in Min-Expires is granted up to this. */
const MAX_EXPIRES_S = 86_400
/** For taking our contact back, when the time of the interval is up. */
const REMOVE_LIMIT_MS = 2000
const MS_PER_S = 1000
const S_PER_MIN = 60
const FIRST_REFUSAL = 300
const FORBIDDEN = 403
const INTERVAL_TOO_BRIEF = 423
const CONTACT_USER_LENGTH = 12

export interface AccountSettings {
  /** What it is called: never the number. */
  readonly name: string
  /** User part of the address of record. */
  readonly user: string
  readonly authUser: string
  readonly revealPassword: () => string
  /** Nobody else registers it: we may, for as long as a check takes. */
  readonly isDedicated: boolean
}

export interface RegistrarSettings {
  /** With the transport, where it matters. */
  readonly uri: string
  readonly proxy: string | undefined
  /** Asked for where a contact of our own is added. */
  readonly expiresS: number
}

export interface AccountTools {
  readonly client: UserAgentClient
  readonly clock: TransactionClock
  readonly newToken: () => string
}

/** What one check found. */
export interface RegistrationCheck {
  /** Why nothing was sent, and for how long; then nothing else is known. */
  readonly pause: { readonly leftS: number; readonly reason: string } | undefined
  readonly delivery: Delivery | undefined
  /** The registrar took our REGISTER; false too when it did not answer. */
  readonly isAccepted: boolean | undefined
  /** Undefined when nobody said. */
  readonly isRegistered: boolean | undefined
  readonly bindings: readonly Binding[] | undefined
  /** Granted to the contact of our own. */
  readonly grantedS: number | undefined
  readonly reason: string | undefined
  readonly algorithm: string | undefined
  /** Checks in a row, this one included, that did not find it registered; those skipped in a pause do not count. */
  readonly failuresInRow: number
}

type Finding = Omit<RegistrationCheck, 'algorithm' | 'failuresInRow'>

/** One account, checked again and again by REGISTER (RFC 3261 section 10.2). */
export class RegisteringAccount {
  readonly settings: AccountSettings
  readonly #registrar: RegistrarSettings
  readonly #tools: AccountTools
  readonly #authenticator: Authenticator
  readonly #aor: string
  /** The same for all we ask of the registrar, with numbers that rise (section 10.2). */
  readonly #callId: string
  readonly #contactUser: string
  #cseq = 0
  #expiresS: number
  #pause: { readonly untilMs: number; readonly reason: string } | undefined
  #failuresInRow = 0

  constructor(settings: AccountSettings, registrar: RegistrarSettings, tools: AccountTools) {
    const { newToken } = tools
    this.settings = settings
    this.#registrar = registrar
    this.#tools = tools
    this.#authenticator = new Authenticator({
      username: settings.authUser,
      revealPassword: settings.revealPassword,
      newCnonce: newToken,
    })
    const { scheme = 'sip', host = '' } = parseUri(registrar.uri) ?? {}
    this.#aor = `${scheme}:${escapedUser(settings.user)}@${hostPortText(host)}`
    this.#callId = newToken()
    this.#contactUser = newToken().slice(0, CONTACT_USER_LENGTH)
    this.#expiresS = registrar.expiresS
  }

  /** The address of record, fit to be shown. */
  get maskedAor(): string {
    return maskedParty(this.#aor)
  }

  async check(signal: AbortSignal): Promise<RegistrationCheck> {
    const pause = this.#pauseNow()
    if (pause !== undefined) {
      const { reason } = pause
      return this.#told(finding({ pause, reason }), undefined)
    }
    this.#authenticator.startOver()
    const { isDedicated } = this.settings
    const found = isDedicated ? await this.#register(signal) : await this.#fetch(signal)
    if (found.isRegistered === true) this.#failuresInRow = 0
    else if (found.delivery?.isCutOff === false) this.#failuresInRow++
    return this.#told(found, this.#authenticator.algorithm)
  }

  #told(found: Finding, algorithm: string | undefined): RegistrationCheck {
    const { pause, delivery, isAccepted, isRegistered, bindings, grantedS, reason } = found
    return {
      pause,
      delivery,
      isAccepted,
      isRegistered,
      bindings,
      grantedS,
      reason,
      algorithm,
      failuresInRow: this.#failuresInRow,
    }
  }

  /** Without a Contact nothing is changed: the registrar lists what it has. */
  async #fetch(signal: AbortSignal): Promise<Finding> {
    const delivery = await this.#tools.client.ask(
      this.#question(() => []),
      signal,
    )
    const acceptance = acceptanceIn(delivery)
    if (acceptance === undefined) return this.#refused(delivery)
    const bindings = readBindings(acceptance)
    const isRegistered = bindings.some(({ expiresS }) => expiresS !== 0)
    const reason = isRegistered ? delivery.reason : 'nobody is registered under this account'
    return finding({ delivery, isAccepted: true, isRegistered, bindings, reason })
  }

  /** Adds a contact of our own, and takes it back. */
  async #register(signal: AbortSignal): Promise<Finding> {
    let delivery = await this.#add(signal)
    const wantedS = waitSeconds(delivery.response?.header('min-expires')) ?? 0
    if (
      delivery.response?.statusCode === INTERVAL_TOO_BRIEF &&
      wantedS > this.#expiresS &&
      wantedS <= MAX_EXPIRES_S
    ) {
      this.#expiresS = wantedS
      delivery = await this.#add(signal)
    }
    const { flow } = delivery
    const acceptance = acceptanceIn(delivery)
    if (acceptance === undefined || flow === undefined) return this.#refused(delivery)
    const bindings = readBindings(acceptance)
    const own = this.#ownAmong(bindings, flow)
    const fault = await this.#remove(flow)
    const missing =
      own === undefined
        ? `the registrar does not list our contact among the ${bindings.length} it has`
        : undefined
    return finding({
      delivery,
      isAccepted: true,
      isRegistered: own !== undefined && own.expiresS !== 0,
      bindings,
      grantedS: own?.expiresS,
      reason: joined(missing, fault, delivery.reason),
    })
  }

  async #add(signal: AbortSignal): Promise<Delivery> {
    const contact = (flow: Flow): HeaderRow[] => [
      ['Contact', `<${this.#contactUri(flow)}>;expires=${this.#expiresS}`],
    ]
    return await this.#tools.client.ask(this.#question(contact), signal)
  }

  /** At the server that took it, though the time be up: nothing of ours is to stay. Why it may stay, or undefined. */
  async #remove({ target }: Flow): Promise<string | undefined> {
    const { client, clock } = this.#tools
    const limit = new AbortController()
    const cancel = clock.setTimer(() => {
      limit.abort()
    }, REMOVE_LIMIT_MS)
    const contact = (flow: Flow): HeaderRow[] => [
      ['Contact', `<${this.#contactUri(flow)}>;expires=0`],
    ]
    const delivery = await client.askAt(this.#question(contact), [target], limit.signal)
    cancel()
    if (acceptanceIn(delivery) !== undefined) return undefined
    const { response, reason = 'no answer' } = delivery
    const why = response === undefined ? reason : statusText(response)
    return `our contact could not be taken back (${why}); it lapses by itself`
  }

  /** Behind a NAT the registrar may have rewritten all of it but the user, which is nobody else's. */
  #ownAmong(bindings: readonly Binding[], flow: Flow): Binding | undefined {
    const uri = this.#contactUri(flow)
    return (
      bindings.find((binding) => isSameContact(binding.uri, uri)) ??
      bindings.find((binding) => parseUri(binding.uri)?.user === this.#contactUser)
    )
  }

  #contactUri({ local, target: { transport } }: Flow): string {
    const address = hostPortText(local.host.split('%', 1)[0] ?? '', local.port)
    if (this.#aor.startsWith('sips:')) return `sips:${this.#contactUser}@${address};transport=tcp`
    const parameter = transport === 'udp' ? '' : `;transport=${transport}`
    return `sip:${this.#contactUser}@${address}${parameter}`
  }

  #question(contact: (flow: Flow) => readonly HeaderRow[]): Question {
    const { uri, proxy } = this.#registrar
    const tag = this.#tools.newToken()
    return {
      method: 'REGISTER',
      uri,
      requestUri: requestUriOf,
      proxy,
      authenticator: this.#authenticator,
      headers: (flow) => [
        ...routeRows(proxy),
        ['From', `<${this.#aor}>;tag=${tag}`],
        ['To', `<${this.#aor}>`],
        ['Call-ID', this.#callId],
        ['CSeq', `${++this.#cseq} REGISTER`],
        ...contact(flow),
      ],
    }
  }

  /** No 2xx: what that says of the account, and whether to keep quiet for a while. */
  #refused(delivery: Delivery): Finding {
    const { response, target, areCredentialsWrong, isCutOff } = delivery
    const status =
      response === undefined || target === undefined
        ? undefined
        : `${statusText(response)} from ${targetText(target)}`
    const reason = joined(status, delivery.reason)
    const pauseS = this.#pauseAfter(response, areCredentialsWrong, reason ?? '')
    const silence = pauseS > 0 ? `no check for ${Math.ceil(pauseS / S_PER_MIN)} min` : undefined
    return finding({
      delivery,
      isAccepted: isCutOff ? undefined : false,
      isRegistered: response === undefined ? undefined : false,
      reason: joined(reason, silence),
    })
  }

  /** Seconds for which nothing more is asked. */
  #pauseAfter(
    response: SipMessage | undefined,
    areCredentialsWrong: boolean,
    reason: string,
  ): number {
    const isLockout = areCredentialsWrong || response?.statusCode === FORBIDDEN
    const retryS = waitSeconds(response?.header('retry-after')) ?? 0
    const pauseS = isLockout ? REFUSED_PAUSE_S : Math.min(retryS, MAX_PAUSE_S)
    if (pauseS === 0) return 0
    const why = isLockout ? 'so as not to lock the account out' : 'as the registrar asked'
    this.#pause = {
      untilMs: this.#tools.clock.monotonicMs() + pauseS * MS_PER_S,
      reason: `not checked, ${why}: ${reason}`,
    }
    return pauseS
  }

  #pauseNow(): RegistrationCheck['pause'] {
    if (this.#pause === undefined) return undefined
    const { untilMs, reason } = this.#pause
    const leftS = (untilMs - this.#tools.clock.monotonicMs()) / MS_PER_S
    if (leftS > 0) return { leftS, reason }
    this.#pause = undefined
    return undefined
  }
}

/** What is not given was not found. */
function finding(found: Partial<Finding>): Finding {
  const { pause, delivery, isAccepted, isRegistered, bindings, grantedS, reason } = found
  return { pause, delivery, isAccepted, isRegistered, bindings, grantedS, reason }
}

/** The 2xx, if that is what came. */
function acceptanceIn({ response }: Delivery): SipMessage | undefined {
  return response !== undefined && response.statusCode < FIRST_REFUSAL ? response : undefined
}

/** Scheme and domain alone (RFC 3261 section 10.2). */
function requestUriOf(uri: string): string {
  const parsed = parseUri(uri)
  return parsed === undefined ? uri : domainUri(parsed)
}

function joined(...reasons: readonly (string | undefined)[]): string | undefined {
  const said = reasons.filter((reason) => reason !== undefined)
  return said.length === 0 ? undefined : said.join('; ')
}
