import { parseNetwork } from '../../agent/capture/address.ts'
import { Datagram } from '../../agent/capture/datagram.ts'
import { SipMessage } from '../../agent/sip/message.ts'
import { SIP_VERDICTS } from '../../agent/sip/verdicts.ts'
import { signallingOptions } from '../../agent/signalling/options.ts'
import type { SignallingInterval } from '../../agent/signalling/signalling-row.ts'
import { SignallingWatch } from '../../agent/signalling/signalling-watch.ts'
import type { TrafficRow } from '../../agent/signalling/traffic.ts'
import { sipText } from './sip-messages.ts'

const S = 1_000_000
const MS = 1000
const FIRST_US = 1_700_000_000 * S

/** What one request has that others have not. */
export interface Words {
  readonly method: string
  readonly callId: string
  readonly from: string
  readonly to: string
  readonly uri: string
  readonly fromTag: string
  readonly toTag: string
  readonly cseq: number
  readonly branch: string
  readonly contact: string | undefined
  readonly lines: readonly string[]
}

/** A watch over signalling with a clock of its own, to which tests show SIP between addresses. */
export class SignallingTap {
  readonly watch: SignallingWatch
  readonly #message = new SipMessage()
  readonly #datagram = new Datagram()
  #branches = 0
  nowUs = FIRST_US

  constructor(options: unknown = {}) {
    this.watch = new SignallingWatch({ ...signallingOptions.parse(options), seed: 0x5eed })
  }

  wait(ms: number): void {
    this.nowUs += ms * MS
  }

  /** Text on its way from one address to another; 1 ms passes. */
  show(text: string, from: string, to: string, isTcp = false): void {
    const bytes = Buffer.from(text)
    const verdict = this.#message.parse(bytes, 0, bytes.length)
    if (verdict !== 0) throw new Error(`${SIP_VERDICTS[verdict] ?? verdict}: ${text}`)
    const [source, destination] = [parseNetwork(from), parseNetwork(to)]
    if (source === undefined || destination === undefined) throw new Error(`${from} ${to}`)
    this.#datagram.ipVersion = source.version
    this.#datagram.source.set(source.words)
    this.#datagram.destination.set(destination.words)
    const { nowUs: timeUs } = this
    this.watch.handle({ message: this.#message, datagram: this.#datagram, timeUs, isTcp })
    this.wait(1)
  }

  take(): SignallingInterval {
    return this.watch.takeInterval(this.nowUs)
  }

  /** A branch nobody has had. */
  branch(): string {
    return `z9hG4bK-${this.#branches++}`
  }
}

/** A client and a server between which requests go and responses come back. */
export class Hop {
  readonly #tap: SignallingTap
  readonly client: string
  readonly server: string

  constructor(tap: SignallingTap, client = '10.0.0.1', server = '10.0.0.9') {
    this.#tap = tap
    this.client = client
    this.server = server
  }

  /** Shows a request; gives the words the responses to it need. */
  ask(method: string, words: Partial<Words> = {}): Words {
    const asked: Words = {
      method,
      callId: 'a@client',
      from: 'sip:101@pbx.example',
      to: method === 'REGISTER' ? 'sip:101@pbx.example' : 'sip:102@pbx.example',
      uri: method === 'REGISTER' ? 'sip:pbx.example' : 'sip:102@pbx.example',
      fromTag: 'from',
      toTag: '',
      cseq: 1,
      branch: this.#tap.branch(),
      contact: undefined,
      lines: [],
      ...words,
    }
    this.again(asked)
    return asked
  }

  /** The same request, once more. */
  again(words: Words): void {
    const { method, uri, lines } = words
    const start = `${method} ${uri} SIP/2.0`
    const contact = words.contact === undefined ? [] : [`Contact: ${words.contact}`]
    this.#tap.show(
      sipText([start, ...headersOf(words, this.client), ...contact, ...lines]),
      this.client,
      this.server,
    )
  }

  answer(words: Words, status: number, lines: readonly string[] = [], toTag = 'to'): void {
    const tag = words.toTag === '' ? toTag : words.toTag
    const headers = headersOf({ ...words, toTag: tag }, this.client)
    this.#tap.show(
      sipText([`SIP/2.0 ${status} Whatever`, ...headers, ...lines]),
      this.server,
      this.client,
    )
  }

  /** A call that is answered after `ringMs` and ended after `talkMs`. */
  call(callId: string, ringMs = 100, talkMs = 1000, words: Partial<Words> = {}): void {
    const invite = this.ask('INVITE', { ...words, callId })
    this.answer(invite, 100)
    this.#tap.wait(ringMs)
    this.answer(invite, 180)
    this.#tap.wait(ringMs)
    this.answer(invite, 200)
    this.ask('ACK', { ...words, callId, toTag: 'to' })
    this.#tap.wait(talkMs)
    const bye = this.ask('BYE', { ...words, callId, toTag: 'to', cseq: 2 })
    this.answer(bye, 200)
  }

  /** A REGISTER, and its 200 with the contact in it. */
  register(user: string, expiresS = 3600, words: Partial<Words> = {}): void {
    const uri = `sip:${user}@pbx.example`
    const contact = `<sip:${user}@${this.client}:5060>`
    const register = this.ask('REGISTER', {
      callId: `${user}-register`,
      from: uri,
      to: uri,
      contact,
      lines: [`Expires: ${expiresS}`],
      ...words,
    })
    const list = expiresS === 0 ? [] : [`Contact: ${contact};expires=${expiresS}`]
    this.answer(register, 200, list)
  }
}

/** The row of a lane; fails when there is none. */
export function trafficOf(
  interval: SignallingInterval,
  target: string | undefined,
  direction = 'to',
): TrafficRow {
  const row = interval.traffic.find((one) => one.target === target && one.direction === direction)
  if (row !== undefined) return row
  throw new Error(`no ${target ?? 'other'} ${direction}: ${JSON.stringify(interval.traffic)}`)
}

function headersOf(words: Words, client: string): string[] {
  const { method, callId, from, to, fromTag, toTag, cseq, branch } = words
  return [
    `Via: SIP/2.0/UDP ${client}:5060;branch=${branch};rport`,
    `From: <${from}>;tag=${fromTag}`,
    `To: <${to}>${toTag === '' ? '' : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    'Max-Forwards: 70',
  ]
}
