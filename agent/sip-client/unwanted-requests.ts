import { createHash } from 'node:crypto'
import type { SipMessage } from '../sip/message.ts'
import type { TransactionClock } from '../sip/transaction.ts'
import { writeMessage, type HeaderRow } from '../sip/write-message.ts'

/** More in a second are not answered. */
const MAX_ANSWERS_PER_S = 50
const MS_PER_S = 1000
const TAG_LENGTH = 16
const ALLOWED = 'INVITE, ACK, CANCEL, BYE, OPTIONS'

/**
 * Answers what others send to a contact of ours while it stands. A call is 480: not here just now, so that it goes on to ring elsewhere;
 * 486 or 6xx could end it for all. Stateless (RFC 3261 section 8.2.7): the same request gets the same answer again.
 */
export class UnwantedRequests {
  readonly #clock: TransactionClock
  readonly #key: string
  #windowMs = -Infinity
  #answers = 0

  /** `key` is what tags are made from: one of our own, that nobody knows. */
  constructor(clock: TransactionClock, key: string) {
    this.#clock = clock
    this.#key = key
  }

  answer(request: SipMessage, reply: (bytes: Uint8Array) => void): void {
    const status = statusFor(request.methodText)
    if (status === undefined || !this.#mayAnswer()) return
    const callId = request.header('call-id') ?? ''
    const tag = createHash('sha256')
      .update(this.#key + callId)
      .digest('hex')
      .slice(0, TAG_LENGTH)
    const to = request.header('to') ?? ''
    const rows: HeaderRow[] = [
      ...request.headers('via').map((via): HeaderRow => ['Via', via]),
      ['From', request.header('from') ?? ''],
      ['To', /;\s*tag\s*=/i.test(to) ? to : `${to};tag=${tag}`],
      ['Call-ID', callId],
      ['CSeq', request.header('cseq') ?? ''],
      ['Allow', ALLOWED],
    ]
    reply(writeMessage(`SIP/2.0 ${status}`, rows))
  }

  #mayAnswer(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#windowMs >= MS_PER_S) {
      this.#windowMs = nowMs
      this.#answers = 0
    }
    return ++this.#answers <= MAX_ANSWERS_PER_S
  }
}

function statusFor(method: string): string | undefined {
  switch (method) {
    case 'ACK':
      return undefined
    case 'INVITE':
      return '480 Temporarily Unavailable'
    case 'OPTIONS':
      return '200 OK'
    case 'BYE':
    case 'CANCEL':
      return '481 Call/Transaction Does Not Exist'
    default:
      return '405 Method Not Allowed'
  }
}
