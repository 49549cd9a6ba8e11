import type { SipMessage } from '../sip/message.ts'
import { sdpOf } from '../sip/multipart.ts'
import { STANDARD_TIMERS, type TransactionClock } from '../sip/transaction.ts'
import { parameterOf, splitValues } from '../sip/values.ts'
import { writeMessage, type HeaderRow } from '../sip/write-message.ts'
import type { Dialog } from './dialog.ts'

/** What a caller of ours answers to. */
export const ALLOWED = 'INVITE, ACK, CANCEL, BYE, OPTIONS'
/** Answers kept for requests that come again. */
const MAX_KEPT = 16
/** Answers in one call; a far end that asks for more is ill, or no far end. */
const MAX_ANSWERS = 500
const SDP_ROW: HeaderRow = ['Content-Type', 'application/sdp']
const NOT_ACCEPTABLE = '488 Not Acceptable Here'

export interface DialogRequestsOptions {
  readonly dialog: Dialog
  readonly clock: TransactionClock
  /** Over UDP an answer to an INVITE goes out again until it is acknowledged. */
  readonly isReliable: boolean
  /** Where we are to be reached. */
  readonly contact: string
  readonly onBye: () => void
  /** Our description for this offer, or an offer of our own where there was none; undefined when the offer cannot be taken. */
  readonly describe: (offer: string | undefined) => string | undefined
  /** The answer to that offer of our own. */
  readonly onAnswer: (answer: string) => void
}

/** The far end's requests within a call of ours: it may hang up, hold, move its sound, or ask whether we are there. */
export class DialogRequests {
  readonly #options: DialogRequestsOptions
  /** By branch and method. */
  readonly #kept = new Map<string, Uint8Array>()
  #answers = 0
  #awaitsAnswer = false
  #stopResending = (): void => undefined

  constructor(options: DialogRequestsOptions) {
    this.#options = options
  }

  receive(request: SipMessage, reply: (bytes: Uint8Array) => void): void {
    const method = request.methodText
    if (method === 'ACK') {
      this.#takeAck(request)
      return
    }
    const [via = ''] = request.headers('via').flatMap(splitValues)
    const key = `${parameterOf(via, 'branch') ?? ''} ${method}`
    const kept = this.#kept.get(key)
    if (kept === undefined && ++this.#answers > MAX_ANSWERS) return
    const answer = kept ?? this.#answerTo(request, method, reply)
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear()
    this.#kept.set(key, answer)
    reply(answer)
    if (kept === undefined && method === 'BYE') this.#options.onBye()
  }

  close(): void {
    this.#stopResending()
  }

  #answerTo(request: SipMessage, method: string, reply: (bytes: Uint8Array) => void): Uint8Array {
    if (!this.#options.dialog.accepts(request)) return answerTo(request, '500 Out Of Order')
    switch (method) {
      case 'BYE':
        return answerTo(request, '200 OK')
      case 'OPTIONS':
        return answerTo(request, '200 OK', [['Accept', 'application/sdp']])
      case 'INVITE':
        return this.#answerInvite(request, reply)
      // What it would take back has been answered.
      case 'CANCEL':
        return answerTo(request, '481 Call/Transaction Does Not Exist')
      default:
        return answerTo(request, '405 Method Not Allowed')
    }
  }

  #answerInvite(request: SipMessage, reply: (bytes: Uint8Array) => void): Uint8Array {
    const { dialog, describe, contact, isReliable } = this.#options
    const offer = sdpOf(request)
    const description = describe(offer)
    if (description === undefined) return answerTo(request, NOT_ACCEPTABLE)
    dialog.moveTo(request)
    this.#awaitsAnswer = offer === undefined
    const rows: HeaderRow[] = [['Contact', `<${contact}>`], SDP_ROW]
    const answer = answerTo(request, '200 OK', rows, Buffer.from(description))
    if (!isReliable) this.#resend(answer, reply)
    return answer
  }

  /** Timers G and H (RFC 3261 section 13.3.1.4). */
  #resend(answer: Uint8Array, reply: (bytes: Uint8Array) => void): void {
    const { clock } = this.#options
    const { t1Ms, t2Ms } = STANDARD_TIMERS
    this.#stopResending()
    let cancel = (): void => undefined
    let leftMs = 64 * t1Ms
    const wait = (delayMs: number): void => {
      leftMs -= delayMs
      if (leftMs < 0) return
      cancel = clock.setTimer(() => {
        reply(answer)
        wait(Math.min(2 * delayMs, t2Ms))
      }, delayMs)
    }
    this.#stopResending = () => {
      cancel()
    }
    wait(t1Ms)
  }

  #takeAck(request: SipMessage): void {
    this.#stopResending()
    const answer = sdpOf(request)
    if (this.#awaitsAnswer && answer !== undefined) this.#options.onAnswer(answer)
    this.#awaitsAnswer = false
  }
}

function answerTo(
  request: SipMessage,
  status: string,
  rows: readonly HeaderRow[] = [],
  body?: Uint8Array,
): Uint8Array {
  return writeMessage(
    `SIP/2.0 ${status}`,
    [
      ...request.headers('via').map((via): HeaderRow => ['Via', via]),
      ['From', request.header('from') ?? ''],
      ['To', request.header('to') ?? ''],
      ['Call-ID', request.header('call-id') ?? ''],
      ['CSeq', request.header('cseq') ?? ''],
      ['Allow', ALLOWED],
      ...rows,
    ],
    body,
  )
}
