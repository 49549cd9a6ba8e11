import type { Datagram } from '../capture/datagram.ts'
import type { SipMessage } from '../sip/message.ts'

/** A message as it passed: what it says, and from where to where it went. Valid during a call only. */
export interface Heard {
  readonly message: SipMessage
  readonly datagram: Datagram
  readonly timeUs: number
  readonly isTcp: boolean
}
