import type { SipMessage } from '../sip/message.ts'
import { headerNumber } from '../sip/names.ts'
import { parameterEnd, parameterName, topParameterAt } from '../sip/parameter.ts'
import { tagAt, tagEnd } from '../sip/tag.ts'
import { OctetHash } from './octet-hash.ts'

export const CALL_ID = headerNumber('call-id')
export const FROM = headerNumber('from')
export const TO = headerNumber('to')
export const VIA = headerNumber('via')
const BRANCH = parameterName('branch')
/** What a branch begins with that is unique (RFC 3261 section 8.1.1.7), in lower case. */
const COOKIE = parameterName('z9hg4bk')
const UPPER_A = 0x41
const UPPER_Z = 0x5a
const LOWER_CASE_BIT = 0x20
/** Longer ones only have to differ within their beginning. */
const MAX_OCTETS = 256

/** By what a message is told to belong to a transaction and a dialog, as sums of its octets; filled again and again. */
export class MessageFacts {
  hasToTag = false
  transactionHigh = 0
  transactionLow = 0
  /** Of the dialog, or dialogs to be, that the sender of the request opened: Call-ID and From tag. */
  dialogHigh = 0
  dialogLow = 0

  readonly #hash: OctetHash
  #callHigh = 0
  #callLow = 0

  constructor(seed: number) {
    this.#hash = new OctetHash(seed)
  }

  /** False when the message leaves out what all must have (RFC 3261 section 8.1.1). */
  read(message: SipMessage): boolean {
    const { bytes } = message
    const callIdRow = message.rowOf(CALL_ID)
    const fromRow = message.rowOf(FROM)
    const toRow = message.rowOf(TO)
    if (callIdRow < 0 || fromRow < 0 || toRow < 0 || message.cseqNumber < 0) return false
    const hash = this.#hash
    const callIdAt = message.valueAt(callIdRow)
    hash.begin()
    hash.add(bytes, callIdAt, Math.min(message.valueEnd(callIdRow), callIdAt + MAX_OCTETS))
    this.#callHigh = hash.high
    this.#callLow = hash.low
    this.#addTag(message, fromRow)
    hash.finish()
    this.dialogHigh = hash.high
    this.dialogLow = hash.low
    this.hasToTag = tagAt(message, toRow) >= 0
    this.#readTransaction(message, fromRow)
    return true
  }

  /** Turns to the dialog that the one opened whom the request was sent to: Call-ID and To tag. */
  turn(message: SipMessage): void {
    const hash = this.#hash
    hash.resume(this.#callHigh, this.#callLow)
    this.#addTag(message, message.rowOf(TO))
    hash.finish()
    this.dialogHigh = hash.high
    this.dialogLow = hash.low
  }

  /** Without a branch that is unique the headers say it (RFC 3261 section 17.2.3). */
  #readTransaction(message: SipMessage, fromRow: number): void {
    const hash = this.#hash
    hash.resume(this.#callHigh, this.#callLow)
    if (!this.#addBranch(message)) this.#addTag(message, fromRow)
    hash.addWord(message.cseqNumber)
    hash.addWord(message.cseqMethod)
    hash.finish()
    this.transactionHigh = hash.high
    this.transactionLow = hash.low
  }

  #addBranch(message: SipMessage): boolean {
    const { bytes } = message
    const row = message.rowOf(VIA)
    if (row < 0) return false
    const end = message.valueEnd(row)
    const at = topParameterAt(bytes, message.valueAt(row), end, BRANCH)
    if (at < 0) return false
    const to = parameterEnd(bytes, at, Math.min(end, at + MAX_OCTETS))
    if (!isUnique(bytes, at, to)) return false
    this.#hash.add(bytes, at, to)
    return true
  }

  #addTag(message: SipMessage, row: number): void {
    const at = tagAt(message, row)
    if (at >= 0) this.#hash.add(message.bytes, at, tagEnd(message, row, at))
  }
}

function isUnique(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at <= COOKIE.length) return false
  for (let index = 0; index < COOKIE.length; index++)
    if (inLowerCase(bytes[at + index] ?? 0) !== COOKIE[index]) return false
  return true
}

function inLowerCase(octet: number): number {
  return octet >= UPPER_A && octet <= UPPER_Z ? octet | LOWER_CASE_BIT : octet
}
