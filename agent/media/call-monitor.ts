import type { Datagram } from '../capture/datagram.ts'
import { callEventOf, callNamesOf, sdpIn } from './call-event.ts'
import { Call, type CallEvent } from './call.ts'
import type { CallRow, SipCounts } from './call-row.ts'
import type { MediaBook } from './call-party.ts'
import { Hops } from './hop.ts'
import { EvictionOrder } from './eviction-order.ts'
import type { MediaDescription, MediaEntry, MediaTable } from './media-table.ts'
import { Witness } from './missing-media.ts'
import { TcpStreams } from './tcp-streams.ts'
import { SipMessage } from '../sip/message.ts'
import { METHODS } from '../sip/names.ts'
import { IS_SIP, SIP_VERDICTS } from '../sip/verdicts.ts'

const US_PER_S = 1_000_000
/** An address is still described this long after its call ended, a call still known. */
const AFTERLIFE_US = 60 * US_PER_S
/** Timer C of a proxy is more than three minutes (RFC 3261 section 16.6): unanswered, nothing rings this long. */
const UNANSWERED_US = 300 * US_PER_S
const IDLE_US = 4 * 3600 * US_PER_S
const MAX_CONNECTIONS = 4096
/** More calls than ever ring at once are a flood; each takes kilobytes. */
const MAX_UNANSWERED = 8192
/** And more than these that are over need not be known for a minute. */
const MAX_OVER = 8192
/** More addresses than these wait for no minute. */
const RETIRED_PER_CALL = 4
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx', '6xx'] as const
const PER_CLASS = 100

export interface CallMonitorOptions {
  readonly media: MediaTable
  readonly maxCalls: number
  /** An answered call with neither a message nor RTP for this long is over; 4 hours unless told. */
  readonly idleUs?: number
  /** Is told of every message there is, once; it is valid during the call only. */
  readonly onMessage?: (
    message: SipMessage,
    datagram: Datagram,
    timeUs: number,
    isTcp: boolean,
  ) => void
  /** Is told of everything that looked like SIP and was none. */
  readonly onRefused?: () => void
}

/** An address whose call is over. */
interface Retired {
  readonly entry: MediaEntry
  readonly description: MediaDescription
  readonly removeUs: number
}

/** From SIP messages to calls, and to what they said about media. */
export class CallMonitor {
  readonly #options: CallMonitorOptions
  readonly #message = new SipMessage()
  readonly #streams: TcpStreams
  readonly #book: MediaBook
  readonly #witness = new Witness()
  readonly #hops = new Hops()
  readonly #calls = new Map<string, Call>()
  readonly #order = new EvictionOrder<Call>()
  /** Calls that are over, the oldest first. */
  readonly #over = new Set<Call>()
  /** The oldest first. */
  readonly #retired = new Set<Retired>()
  #messages = 0
  #begun = 0
  /** By method and by class; the last is for methods we do not know. */
  readonly #requests = new Float64Array(METHODS.length + 1)
  readonly #responses = new Float64Array(CLASSES.length)
  readonly #invalid = new Map<string, number>()
  /** Calls that gave way to others. */
  evicted = 0

  constructor(options: CallMonitorOptions) {
    this.#options = options
    this.#book = {
      table: options.media,
      retire: (entry, description, timeUs) => {
        this.#retired.add({ entry, description, removeUs: timeUs + AFTERLIFE_US })
        if (this.#retired.size > options.maxCalls * RETIRED_PER_CALL) this.#removeRetired(timeUs, 1)
      },
    }
    this.#streams = new TcpStreams(this.#message, {
      maxConnections: MAX_CONNECTIONS,
      onMessage: (message, datagram, timeUs) => {
        this.#handle(message, datagram, timeUs, true)
      },
      onRefused: (verdict) => {
        this.#refuse(SIP_VERDICTS[verdict] ?? '')
      },
    })
  }

  /** The payload of one UDP datagram, as far as captured. Valid during the call only. */
  handleDatagram(bytes: Uint8Array, datagram: Datagram, timeUs: number): void {
    const end = Math.min(bytes.length, datagram.payloadOctets)
    const verdict = this.#message.parse(bytes, 0, end, datagram.payloadOctets)
    if (verdict === IS_SIP) this.#handle(this.#message, datagram, timeUs, false)
    else this.#refuse(SIP_VERDICTS[verdict] ?? '')
  }

  /** The payload of one TCP segment, as far as captured; empty ones too, as SYN, FIN and RST tell where a connection begins and ends. */
  handleSegment(bytes: Uint8Array, datagram: Datagram, timeUs: number): void {
    this.#streams.handle(bytes, datagram, timeUs)
  }

  /** Calls something happened to since the last time, or that are up. MediaTable.heard() of the interval comes first. */
  takeInterval(endUs: number): readonly CallRow[] {
    this.#removeRetired(endUs)
    const rows: CallRow[] = []
    for (const call of this.#calls.values()) {
      this.#expire(call, endUs)
      if (call.isChanged || !call.isOver) rows.push(call.row(endUs, this.#witness))
      if (call.isOver && call.lastUs <= endUs - AFTERLIFE_US) this.#forget(call)
    }
    return rows
  }

  get counts(): SipCounts {
    const requests: Record<string, number> = {}
    this.#requests.forEach((count, method) => {
      if (count > 0) requests[METHODS[method] ?? 'other'] = count
    })
    const responses: Record<string, number> = {}
    CLASSES.forEach((name, index) => {
      const count = this.#responses[index] ?? 0
      if (count > 0) responses[name] = count
    })
    const invalid = Object.fromEntries(this.#invalid)
    return { messages: this.#messages, requests, responses, calls: this.#begun, invalid }
  }

  #handle(message: SipMessage, datagram: Datagram, timeUs: number, isTcp: boolean): void {
    this.#count(message)
    this.#options.onMessage?.(message, datagram, timeUs, isTcp)
    const event = callEventOf(message, datagram, timeUs, this.#hops)
    if (event === undefined) return
    if (typeof event === 'string') {
      this.#refuse(event)
      return
    }
    const call = this.#callOf(event.callId, event, message)
    if (call === undefined) return
    const said = sdpIn(message, datagram, event.hop)
    if (typeof said === 'string') this.#refuse(said)
    if (typeof said === 'object') event.said = said
    call.handle(event)
    this.#arrange(call)
  }

  #count(message: SipMessage): void {
    this.#messages++
    const { isRequest, method, statusCode } = message
    const counts = isRequest ? this.#requests : this.#responses
    const index = isRequest
      ? method < 0
        ? METHODS.length
        : method
      : Math.floor(statusCode / PER_CLASS) - 1
    counts[index] = (counts[index] ?? 0) + 1
  }

  #refuse(reason: string): void {
    this.#invalid.set(reason, (this.#invalid.get(reason) ?? 0) + 1)
    this.#options.onRefused?.()
  }

  /** The call this message belongs to; only an INVITE, or what answers one, begins one. */
  #callOf(callId: string, event: CallEvent, message: SipMessage): Call | undefined {
    const known = this.#calls.get(callId)
    if (known !== undefined && !known.isAnother(event)) return known
    const { isRequest, method, statusCode } = event
    const mayBegin = method === 'INVITE' && (isRequest || (statusCode > 100 && statusCode < 300))
    if (!mayBegin) return undefined
    if (known !== undefined) this.#leave(known)
    else if (this.#isFull) this.#evict()
    const call = new Call(callNamesOf(message, callId), this.#book, event)
    this.#calls.set(callId, call)
    this.#begun++
    return call
  }

  get #isFull(): boolean {
    return this.#calls.size >= this.#options.maxCalls || this.#order.unproven >= MAX_UNANSWERED
  }

  /** Who began, was answered or ended first is the first to go. */
  #arrange(call: Call): void {
    if (!call.isOver) {
      const isAnswered = call.state === 'established'
      if (this.#order.has(call, isAnswered)) return
      this.#over.delete(call)
      this.#order.add(call, isAnswered)
      return
    }
    if (this.#over.has(call)) return
    this.#order.delete(call)
    this.#over.add(call)
    if (this.#over.size > MAX_OVER) this.#forgetOver()
  }

  #evict(): void {
    if (this.#calls.size >= this.#options.maxCalls && this.#forgetOver()) return
    const first = this.#order.first()
    if (first === undefined) return
    this.#forget(first)
    this.evicted++
  }

  /** Of the calls that are over the oldest; false when none is. */
  #forgetOver(): boolean {
    for (const call of this.#over) {
      this.#forget(call)
      this.evicted++
      return true
    }
    return false
  }

  /** Makes room; what it said of media goes too. */
  #forget(call: Call): void {
    call.forget()
    this.#leave(call)
  }

  #leave(call: Call): void {
    this.#calls.delete(call.callId)
    this.#order.delete(call)
    this.#over.delete(call)
  }

  #expire(call: Call, nowUs: number): void {
    const isAnswered = call.state === 'established'
    const idleUs = isAnswered ? (this.#options.idleUs ?? IDLE_US) : UNANSWERED_US
    if (call.lastUs > nowUs - idleUs) return
    if (isAnswered && call.heardUs > nowUs - idleUs) return
    call.expire(nowUs)
    this.#arrange(call)
  }

  /** Those whose time has come, and in any case `atLeast` so many. */
  #removeRetired(nowUs: number, atLeast = 0): void {
    let removed = 0
    for (const retired of this.#retired) {
      const { entry, description, removeUs } = retired
      if (removeUs > nowUs && removed >= atLeast) return
      if (entry.description === description) this.#options.media.remove(entry)
      this.#retired.delete(retired)
      removed++
    }
  }
}
