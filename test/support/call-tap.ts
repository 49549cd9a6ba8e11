import { Datagram } from '../../agent/capture/datagram.ts'
import { parseNetwork } from '../../agent/capture/address.ts'
import { CallMonitor } from '../../agent/media/call-monitor.ts'
import type { CallRow } from '../../agent/media/call-row.ts'
import { MediaTable, type MediaDescription } from '../../agent/media/media-table.ts'

export interface Way {
  readonly from?: string
  readonly fromPort?: number
  readonly to?: string
  readonly toPort?: number
}

const S = 1_000_000

/** A call monitor with a clock of its own, to which tests show SIP and RTP. */
export class CallTap {
  readonly media: MediaTable
  readonly monitor: CallMonitor
  readonly #datagram = new Datagram()
  nowUs = 1_700_000_000 * S

  constructor(options: { maxCalls?: number; maxMedia?: number } = {}) {
    this.media = new MediaTable(options.maxMedia ?? 1000)
    this.monitor = new CallMonitor({ media: this.media, maxCalls: options.maxCalls ?? 1000 })
  }

  /** Lets time pass. */
  wait(seconds: number): void {
    this.nowUs += seconds * S
  }

  sip(text: string, way: Way = {}): void {
    const bytes = Buffer.from(text)
    this.monitor.handleDatagram(bytes, this.#fill(way, bytes.length), this.nowUs)
  }

  tcp(bytes: Uint8Array, sequence: number, flags = 0x10, way: Way = {}, wireOctets?: number): void {
    const datagram = this.#fill(way, wireOctets ?? bytes.length)
    datagram.tcpSequence = sequence >>> 0
    datagram.tcpFlags = flags
    this.monitor.handleSegment(bytes, datagram, this.nowUs)
  }

  /** RTP arrived there just now. */
  rtpTo(ip: string, port: number): void {
    const { version, words } = wordsOf(ip)
    this.media.heard(version, words, port, this.nowUs)
  }

  rtpFrom(ip: string, port: number): void {
    const { version, words } = wordsOf(ip)
    this.media.sent(version, words, port, this.nowUs)
  }

  described(ip: string, port: number): MediaDescription | undefined {
    const { version, words } = wordsOf(ip)
    return this.media.find(version, words, port)
  }

  rows(): readonly CallRow[] {
    return this.monitor.takeInterval(this.nowUs)
  }

  row(): CallRow {
    const [row] = this.rows()
    if (row === undefined) throw new Error('no call')
    return row
  }

  #fill(
    { from = '10.0.0.1', fromPort = 5060, to = '10.0.0.2', toPort = 5060 }: Way,
    octets: number,
  ): Datagram {
    const datagram = this.#datagram
    const source = wordsOf(from)
    datagram.ipVersion = source.version
    datagram.source.set(source.words)
    datagram.destination.set(wordsOf(to).words)
    datagram.sourcePort = fromPort
    datagram.destinationPort = toPort
    datagram.payloadOctets = octets
    return datagram
  }
}

function wordsOf(ip: string) {
  const network = parseNetwork(ip)
  if (network === undefined) throw new Error(`no address: ${ip}`)
  return network
}
