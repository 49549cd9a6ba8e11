import { CODEC_IMPAIRMENTS } from '../rtp/codec-impairments.ts'
import { rate } from '../rtp/rate.ts'
import { isPossible } from '../rtp/report-difference.ts'
import { middleOfNtp, roundTripMs } from '../rtp/round-trip.ts'
import type { ReportBlock, RtcpPacket } from '../rtp/rtcp-packet.ts'
import type { ReportedMedia } from './media-report.ts'

/** What the far end says in RTCP: of our packets, and of the time it takes there and back. */

/** Sender reports of ours whose time is kept for the answer. */
const MAX_STAMPS = 16
/** Senders whose reports are answered. */
const MAX_SENDERS = 8
/** Reports of who hears us name us; so many that do not say that nothing of ours arrives. */
const SILENT_REPORTS = 2
/** A report that comes earlier may be on what was before our first packets. */
const FIRST_WORD_US = 2_000_000
const STAMPS_PER_S = 65_536
const US_PER_S = 1_000_000
const MS_PER_S = 1000
/** Longer than this nobody's jitter is. */
const MAX_JITTER_MS = 10_000

export interface OwnStream {
  readonly ssrc: number
  readonly firstSequence: number
  readonly codec: string
  readonly clockRate: number
  readonly packetMs: number
}

export class FarReports {
  readonly #own: number
  readonly #stamps = new Map<number, number>()
  readonly #heard = new Map<number, { readonly stamp: number; readonly atUs: number }>()
  #newest: ReportBlock | undefined
  #roundTripMs: number | undefined
  #reports = 0
  #silent = 0

  /** @param own our SSRC */
  constructor(own: number) {
    this.#own = own
  }

  get reports(): number {
    return this.#reports
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs
  }

  /** Whether the far end hears us, as far as it says. */
  get isHeard(): boolean | undefined {
    if (this.#newest !== undefined) return true
    return this.#silent >= SILENT_REPORTS ? false : undefined
  }

  /** A report of ours goes out with this NTP time. */
  stamp(ntpSeconds: number, ntpFraction: number, nowUs: number): void {
    if (this.#stamps.size >= MAX_STAMPS)
      for (const oldest of this.#stamps.keys()) {
        this.#stamps.delete(oldest)
        break
      }
    this.#stamps.set(middleOfNtp(ntpSeconds, ntpFraction), nowUs)
  }

  /** @param sendingUs for how long we have been sending; 0 while we do not */
  take(packets: readonly RtcpPacket[], nowUs: number, sendingUs: number): void {
    for (const packet of packets) {
      if (packet.type !== 'SR' && packet.type !== 'RR') continue
      // Our own, come back from an echo.
      if (packet.ssrc === this.#own) continue
      this.#reports++
      if (packet.type === 'SR' && (this.#heard.size < MAX_SENDERS || this.#heard.has(packet.ssrc)))
        this.#heard.set(packet.ssrc, {
          stamp: middleOfNtp(packet.ntpSeconds, packet.ntpFraction),
          atUs: nowUs,
        })
      const block = packet.reports.find(({ ssrc }) => ssrc === this.#own)
      if (block !== undefined) this.#takeBlock(block, nowUs)
      else if (sendingUs >= FIRST_WORD_US) this.#silent++
    }
  }

  /** When a sender reported last, for the block that answers it. */
  heardOf(
    ssrc: number,
    nowUs: number,
  ): Pick<ReportBlock, 'lastSenderReport' | 'delaySinceLastSenderReport'> | undefined {
    const heard = this.#heard.get(ssrc)
    if (heard === undefined) return undefined
    const delay = Math.round(((nowUs - heard.atUs) * STAMPS_PER_S) / US_PER_S)
    return { lastSenderReport: heard.stamp, delaySinceLastSenderReport: delay }
  }

  /** Undefined when the far end said nothing of our packets, or nothing that can be. */
  reported(stream: OwnStream): ReportedMedia | undefined {
    if (this.#newest === undefined) return undefined
    const { extendedHighestSequence, cumulativeLost, jitterTicks } = this.#newest
    const { firstSequence, codec, clockRate, packetMs } = stream
    const expected = extendedHighestSequence - firstSequence + 1
    const jitterMs = (jitterTicks * MS_PER_S) / clockRate
    if (expected <= 0 || cumulativeLost > expected || jitterMs > MAX_JITTER_MS) return undefined
    const lost = Math.max(0, cumulativeLost)
    // How losses followed one another, and what came too late there, it does not say.
    const unknown = { discarded: 0, lossRuns: 0, lossRunPackets: 0, roundTripMs: undefined }
    const quality = rate(
      { ...unknown, codec, clockRate, packetMs, expected, lost },
      CODEC_IMPAIRMENTS,
    )
    return { expected, lost, jitterMs, rFactor: quality?.rFactor, mosLq: quality?.mosLq }
  }

  #takeBlock(block: ReportBlock, nowUs: number): void {
    if (!isPossible(block)) return
    const before = this.#newest?.extendedHighestSequence ?? -1
    if (block.extendedHighestSequence >= before) this.#newest = block
    const sentUs = this.#stamps.get(block.lastSenderReport)
    if (sentUs === undefined || block.lastSenderReport === 0) return
    this.#roundTripMs =
      roundTripMs(nowUs - sentUs, block.delaySinceLastSenderReport) ?? this.#roundTripMs
  }
}
