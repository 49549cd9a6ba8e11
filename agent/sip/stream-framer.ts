import { SipFramer, type MessageSink } from './framer.ts'
import type { SipMessage } from './message.ts'
import { WebSocketFramer } from './web-socket.ts'
import { openingOf } from './web-socket-start.ts'

/** Messages out of one direction of a connection, as it is or as a WebSocket: its first octets tell. */
export class StreamFramer {
  readonly #message: SipMessage
  #framer: SipFramer | WebSocketFramer | undefined
  /** Too few to tell. */
  #first = Buffer.alloc(0)

  /** `message` is filled with every message in turn; framers may share one. */
  constructor(message: SipMessage) {
    this.#message = message
  }

  /** Octets of memory held. */
  get held(): number {
    return this.#framer?.held ?? this.#first.length
  }

  /** Both sides said that they would speak SIP, before a message came. */
  get isAgreed(): boolean {
    return this.#framer instanceof WebSocketFramer && this.#framer.isAgreed
  }

  push(bytes: Uint8Array, sink: MessageSink): void {
    if (this.#framer !== undefined) {
      this.#framer.push(bytes, sink)
      return
    }
    const begun = this.#first.length === 0 ? bytes : Buffer.concat([this.#first, bytes])
    const opening = openingOf(begun)
    if (opening === undefined) {
      this.#first = Buffer.from(begun)
      return
    }
    this.#framer =
      opening === 'other'
        ? new SipFramer(this.#message)
        : new WebSocketFramer(this.#message, opening === 'frame')
    this.#first = Buffer.alloc(0)
    this.#framer.push(begun, sink)
  }

  /** Octets are missing here: what had begun is given up. */
  lose(sink: MessageSink): void {
    this.#first = Buffer.alloc(0)
    this.#framer ??= new SipFramer(this.#message)
    this.#framer.lose(sink)
  }
}
