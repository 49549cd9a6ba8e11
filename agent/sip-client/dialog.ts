import type { SipMessage } from '../sip/message.ts'
import { uriParameter } from '../sip/sip-uri.ts'
import { tagOf } from '../sip/tag.ts'
import { headerNumber } from '../sip/names.ts'
import { parseUri } from '../sip/uri.ts'
import { parameterOf, parseNameAddress, splitValues } from '../sip/values.ts'
import type { HeaderRow, RequestDraft } from '../sip/write-message.ts'

const TO = headerNumber('to')
const FROM = headerNumber('from')
const MAX_ROUTES = 32

/** What two ends of a call have agreed upon by the answer to an INVITE of ours (RFC 3261 section 12.1.2). */
export class Dialog {
  readonly #invite: RequestDraft
  readonly #callId: string
  readonly #local: string
  readonly #remote: string
  readonly #remoteTag: string
  readonly #localTag: string
  readonly #routes: readonly string[]
  #target: string
  #cseq: number
  #remoteCseq = -1

  /** @param cseq the last number used under this Call-ID */
  constructor(invite: RequestDraft, response: SipMessage, cseq: number) {
    this.#invite = invite
    this.#callId = rowOf(invite, 'call-id')
    this.#local = rowOf(invite, 'from')
    this.#localTag = parameterOf(this.#local, 'tag') ?? ''
    this.#remote = response.header('to') ?? rowOf(invite, 'to')
    this.#remoteTag = remoteTagOf(response)
    this.#routes = response
      .headers('record-route')
      .flatMap(splitValues)
      .slice(0, MAX_ROUTES)
      .toReversed()
    this.#target = contactOf(response) ?? invite.uri
    this.#cseq = cseq
  }

  get remoteTag(): string {
    return this.#remoteTag
  }

  /** Who is asked next: the first proxy on the way, or else the far end itself. */
  get nextHop(): string {
    return uriIn(this.#routes[0]) ?? this.#target
  }

  /** Whether a request belongs here. */
  owns(request: SipMessage): boolean {
    return (
      request.header('call-id') === this.#callId &&
      tagOf(request, request.rowOf(TO)) === this.#localTag &&
      tagOf(request, request.rowOf(FROM)) === this.#remoteTag
    )
  }

  /** Takes the number of a request; false when it is older than one before (section 12.2.2). */
  accepts({ cseqNumber }: SipMessage): boolean {
    if (cseqNumber < this.#remoteCseq) return false
    this.#remoteCseq = cseqNumber
    return true
  }

  /** A re-INVITE may name another contact (section 12.2.2). */
  moveTo(request: SipMessage): void {
    this.#target = contactOf(request) ?? this.#target
  }

  get requestUri(): string {
    return this.#draft('', 0).uri
  }

  /** Request-URI and rows of the next request within the dialog (section 12.2.1.1). */
  request(method: string): RequestDraft {
    this.#cseq++
    return this.#draft(method, this.#cseq)
  }

  /** The ACK to the 2xx of the INVITE, with its number and its credentials (section 13.2.2.4). */
  acknowledgement(): RequestDraft {
    const number = Number(rowOf(this.#invite, 'cseq').split(' ', 1)[0])
    const credentials = this.#invite.headers.filter(([name]) =>
      /^(?:proxy-)?authorization$/i.test(name),
    )
    const draft = this.#draft('ACK', number)
    return { ...draft, headers: [...draft.headers, ...credentials] }
  }

  #draft(method: string, number: number): RequestDraft {
    const [first, ...others] = this.#routes
    const isStrict = first !== undefined && !isLoose(first)
    const strictUri = isStrict ? uriIn(first) : undefined
    // A router of the old kind finds where to go in the Request-URI, and the far end as the last route.
    const routes = strictUri === undefined ? this.#routes : [...others, `<${this.#target}>`]
    return {
      method,
      uri: strictUri ?? this.#target,
      headers: [
        ...routes.map((route): HeaderRow => ['Route', route]),
        ['From', this.#local],
        ['To', this.#remote],
        ['Call-ID', this.#callId],
        ['CSeq', `${number} ${method}`],
      ],
    }
  }
}

/** Tells the branches of a forked call apart. */
export function remoteTagOf(response: SipMessage): string {
  return tagOf(response, response.rowOf(TO))
}

/** Where the sender wants requests sent to; undefined when it does not say, or says nothing that can be used. */
function contactOf(message: SipMessage): string | undefined {
  const [contact] = message.headers('contact').flatMap(splitValues)
  return uriIn(contact)
}

function uriIn(value: string | undefined): string | undefined {
  const uri = value === undefined ? undefined : parseNameAddress(value)?.uri
  if (uri === undefined || /[\s<>"]/.test(uri)) return undefined
  const parsed = parseUri(uri)
  return parsed === undefined || parsed.scheme === 'tel' ? undefined : uri
}

function isLoose(route: string): boolean {
  const uri = parseUri(uriIn(route) ?? '')
  return uri !== undefined && uriParameter(uri, 'lr') !== undefined
}

function rowOf({ headers }: RequestDraft, name: string): string {
  return headers.find(([own]) => own.toLowerCase() === name)?.[1] ?? ''
}
