import { G711_PAYLOAD_TYPE, G711_SAMPLES_PER_S, toneOf, type G711Law } from '../rtp/g711.ts'
import { FIXED_OCTETS, IS_RTCP, IS_RTP, RtpPacket, parseRtp } from '../rtp/packet.ts'
import { parseRtcp } from '../rtp/rtcp.ts'
import { writeReport } from '../rtp/write-rtcp.ts'
import { Echoes } from './echoes.ts'
import { FarEnd } from './far-end.ts'
import { FarReports } from './far-reports.ts'
import type { MediaReport, ReceivedMedia } from './media-report.ts'
import type { Remote } from './messages.ts'

/** A quiet tone: silence would be left out on the way by whoever saves bandwidth. Whole periods fit into each packet of 10 ms or more. */
const TONE_HZ = 400
/** About -30 dBm0: a full-scale sine of 16 bits is +3.14 dBm0. */
const TONE_AMPLITUDE = 720
/** RFC 3550 section 6.2: every 5 s, the first after half of that. */
const REPORT_EVERY_US = 5_000_000
const VERSION = 0x80
const MARKER = 0x80
const SEQUENCE_MASK = 0xffff
const MAX_FIRST_SEQUENCE = 0x7fff
const MS_PER_S = 1000
const US_PER_S = 1_000_000
/** 1900 to 1970 (RFC 5905 figure 4). */
const NTP_EPOCH_S = 2_208_988_800
const FRACTIONS_PER_S = 2 ** 32

export interface CallMediaOptions {
  /** From 0 up to 1, unpredictable: for SSRC, first number and first timestamp (RFC 3550 section 5.1). */
  readonly random: () => number
  readonly cname: string
}

/** The sound of one call, both ways; time, sending and arrivals are arguments. */
export class CallMedia {
  readonly #cname: string
  readonly #ssrc: number
  readonly #firstSequence: number
  readonly #firstTimestamp: number
  readonly #echoes: Echoes
  readonly #reports: FarReports
  readonly #farEnd = new FarEnd()
  readonly #echoEnd = new FarEnd()
  readonly #rtp = new RtpPacket()
  #remote: Remote | undefined
  #payload: Uint8Array = new Uint8Array(0)
  #ticks = 0
  #timestamp = 0
  #sent = 0
  #octets = 0
  #isPausing = true
  #sendingSinceUs = NaN
  #reportDueUs = NaN
  #signalled: string | undefined
  #latched: string | undefined
  #isSignalledHeard = false
  #strangers = 0
  #early: ReceivedMedia | undefined

  constructor({ random, cname }: CallMediaOptions) {
    const word = () => Math.floor(random() * FRACTIONS_PER_S)
    this.#cname = cname
    this.#ssrc = word() | 0
    this.#firstSequence = word() & MAX_FIRST_SEQUENCE
    this.#firstTimestamp = word()
    this.#echoes = new Echoes(this.#firstSequence)
    this.#reports = new FarReports(this.#ssrc)
  }

  get packetMs(): number {
    return this.#remote?.packetMs ?? 0
  }

  get hasAllEchoes(): boolean {
    return this.#echoes.isComplete
  }

  get isEchoed(): boolean {
    return this.#echoes.counts !== undefined
  }

  /** Where packets come from besides where signalling said: behind a NAT it cannot know (symmetric RTP, RFC 4961). */
  get latched(): string | undefined {
    return this.#isSignalledHeard ? undefined : this.#latched
  }

  /** @param key of its address and port, as those of arrivals are written */
  talkTo(remote: Remote, key: string): void {
    if (key !== this.#signalled) {
      this.#latched = undefined
      this.#isSignalledHeard = false
    }
    this.#signalled = key
    this.#remote = remote
    this.#ticks = (remote.packetMs * G711_SAMPLES_PER_S) / MS_PER_S
    this.#payload = payloadOf(remote.law, this.#ticks)
  }

  /** What comes from now on is the call's own. */
  answer(nowUs: number): void {
    this.#early = this.#farEnd.take(nowUs, false)
  }

  /** The packet due now, once per packet time; undefined while nothing is to be sent. Time goes on all the same. */
  packetDue(nowUs: number): Uint8Array | undefined {
    const remote = this.#remote
    if (remote?.maySend !== true) {
      this.#isPausing = true
      return undefined
    }
    if (Number.isNaN(this.#sendingSinceUs)) this.#sendingSinceUs = nowUs
    const octets = new Uint8Array(FIXED_OCTETS + this.#payload.length)
    const view = new DataView(octets.buffer)
    view.setUint8(0, VERSION)
    view.setUint8(1, G711_PAYLOAD_TYPE[remote.law] | (this.#isPausing ? MARKER : 0))
    view.setUint16(2, (this.#firstSequence + this.#sent) & SEQUENCE_MASK)
    view.setUint32(4, this.#nextTimestamp(nowUs))
    view.setInt32(8, this.#ssrc)
    octets.set(this.#payload, FIXED_OCTETS)
    this.#isPausing = false
    this.#echoes.send(nowUs)
    this.#sent++
    this.#octets += this.#payload.length
    return octets
  }

  /** What was due could not be sent in time, and is left out: the next packet begins anew, as after a pause. */
  skip(): void {
    this.#isPausing = true
  }

  /** The report due now, or the last one. */
  reportDue(nowUs: number, wallUs: number, isLeaving: boolean): Uint8Array | undefined {
    if (this.#remote === undefined) return undefined
    if (Number.isNaN(this.#reportDueUs)) this.#reportDueUs = nowUs + REPORT_EVERY_US / 2
    if (nowUs < this.#reportDueUs && !isLeaving) return undefined
    this.#reportDueUs = nowUs + REPORT_EVERY_US
    const ntpSeconds = Math.floor(wallUs / US_PER_S) + NTP_EPOCH_S
    const ntpFraction = Math.floor(((wallUs % US_PER_S) * FRACTIONS_PER_S) / US_PER_S)
    this.#reports.stamp(ntpSeconds, ntpFraction, nowUs)
    const rtpTimestamp = this.#timestamp
    const counts = { packetCount: this.#sent, octetCount: this.#octets }
    return writeReport({
      ssrc: this.#ssrc,
      sent: this.#sent === 0 ? undefined : { ntpSeconds, ntpFraction, rtpTimestamp, ...counts },
      reports: this.#farEnd.reportBlocks((ssrc) => this.#reports.heardOf(ssrc, nowUs)),
      cname: this.#cname,
      isLeaving,
    })
  }

  /** Takes a datagram of the RTP port. */
  receive(datagram: Uint8Array, from: string, nowUs: number): void {
    const { byteOffset, byteLength, buffer } = datagram
    const view = new DataView(buffer, byteOffset, byteLength)
    const verdict = parseRtp(view, 0, byteLength, byteLength, this.#rtp)
    if (verdict === IS_RTCP) this.receiveReport(datagram, nowUs)
    if (verdict !== IS_RTP) return
    if (!this.#isFrom(from)) {
      this.#strangers++
      return
    }
    const isOwn = this.#rtp.ssrc === this.#ssrc
    if (!isOwn) this.#farEnd.receive(this.#rtp, nowUs)
    else if (this.#echoes.take(this.#rtp.sequenceNumber, nowUs))
      this.#echoEnd.receive(this.#rtp, nowUs)
    else this.#strangers++
  }

  /** Takes a datagram of the RTCP port, or one that shares that of RTP (RFC 5761). */
  receiveReport(datagram: Uint8Array, nowUs: number): void {
    const { byteOffset, byteLength, buffer } = datagram
    const read = parseRtcp(new DataView(buffer, byteOffset, byteLength), 0, byteLength, byteLength)
    if (read.kind !== 'rtcp') return
    const sendingUs = Number.isNaN(this.#sendingSinceUs) ? 0 : nowUs - this.#sendingSinceUs
    this.#reports.take(read.packets, nowUs, sendingUs)
  }

  report(nowUs: number): Omit<MediaReport, 'remote' | 'reason'> {
    const received = this.#farEnd.take(nowUs, true)
    const counts = this.#echoes.counts
    const echo = this.#echoEnd.take(nowUs, true)
    const { law = 'PCMA', packetMs = 0 } = this.#remote ?? {}
    const reported = this.#reports.reported({
      ...{ ssrc: this.#ssrc, firstSequence: this.#firstSequence },
      ...{ codec: law, clockRate: G711_SAMPLES_PER_S, packetMs },
    })
    return {
      sentPackets: this.#sent,
      early: this.#early,
      received,
      reported,
      echoed: counts && { ...counts, reordered: echo?.reordered ?? 0, jitterMs: echo?.jitterMs },
      roundTripMs: this.#reports.roundTripMs ?? counts?.roundTripMs,
      peerReports: this.#reports.reports,
      isHeard: counts === undefined ? this.#reports.isHeard : true,
      strangers: this.#strangers + this.#farEnd.ignored,
    }
  }

  /** Whether what comes from there belongs to the call: from where signalling said, or else from where it came first. */
  #isFrom(from: string): boolean {
    if (from === this.#signalled) {
      this.#isSignalledHeard = true
      return true
    }
    if (this.#signalled === undefined || this.#isSignalledHeard) return false
    this.#latched ??= from
    return from === this.#latched
  }

  /** Between packets of a stream a packet's samples; after a pause what the clock says. */
  #nextTimestamp(nowUs: number): number {
    const sinceUs = nowUs - this.#sendingSinceUs
    const ticks = Math.round((sinceUs * G711_SAMPLES_PER_S) / US_PER_S)
    this.#timestamp =
      (this.#isPausing ? this.#firstTimestamp + ticks : this.#timestamp + this.#ticks) >>> 0
    return this.#timestamp
  }
}

function payloadOf(law: G711Law, samples: number): Uint8Array {
  return toneOf(law, { hz: TONE_HZ, amplitude: TONE_AMPLITUDE, samples })
}
