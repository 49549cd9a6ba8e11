import type { SipMessage } from '../sip/message.ts'
import type { ClientTransaction } from '../sip/transaction.ts'

/** How an exchange ended. */
export type Outcome =
  | { readonly kind: 'answered'; readonly response: SipMessage; readonly atMs: number }
  /** Timer B or F; `reason` says what came instead, if anything. */
  | { readonly kind: 'timed-out'; readonly reason: string; readonly waitedMs: number }
  | { readonly kind: 'lost'; readonly reason: string }
  /** Not sent: it would have called for help. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'cut-off'; readonly reason: string; readonly waitedMs: number }

/** A request sent, and what comes of it. */
export interface Exchange {
  /** When the request left for the first time. */
  readonly sentMs: number
  readonly retransmissions: number
  /** What CANCEL and ACK must repeat. */
  readonly via: string
  /** The first final response, or why there is none. */
  readonly outcome: Promise<Outcome>
}

/** A class of its own: a literal with a getter is given a shape of its own each time, and shapes are kept for long. */
export class SentExchange implements Exchange {
  readonly sentMs: number
  readonly via: string
  readonly outcome: Promise<Outcome>
  readonly #transaction: ClientTransaction

  constructor(
    sentMs: number,
    via: string,
    outcome: Promise<Outcome>,
    transaction: ClientTransaction,
  ) {
    this.sentMs = sentMs
    this.via = via
    this.outcome = outcome
    this.#transaction = transaction
  }

  get retransmissions(): number {
    return this.#transaction.retransmissions
  }
}

export function notSent(sentMs: number, reason: string): Exchange {
  const outcome = Promise.resolve<Outcome>({ kind: 'refused', reason })
  return { sentMs, retransmissions: 0, via: '', outcome }
}
