/** Writes RTCP packets, so that tests say in one line who reports what. Concatenate them to a compound. */

const SENDER_REPORT = 200
const RECEIVER_REPORT = 201
const SOURCE_DESCRIPTION = 202
const GOODBYE = 203
const EXTENDED_REPORT = 207
const VERSION = 0x80
const WORD_OCTETS = 4
const STAMPS_PER_S = 65_536

export interface Report {
  readonly ssrc: number
  readonly fractionLost?: number
  readonly lost?: number
  readonly highest?: number
  readonly jitter?: number
  readonly lsr?: number
  readonly dlsrS?: number
}

export interface Sent {
  readonly ssrc: number
  readonly ntpSeconds?: number
  readonly ntpFraction?: number
  readonly rtpTimestamp?: number
  readonly packets?: number
  readonly octets?: number
}

export interface Voip {
  readonly ssrc: number
  /** All octets from the loss rate to the end of the block. */
  readonly octets: string
}

export function senderReport(sent: Sent, reports: readonly Report[] = []): Buffer {
  const head = words(
    sent.ssrc,
    sent.ntpSeconds ?? 0,
    sent.ntpFraction ?? 0,
    sent.rtpTimestamp ?? 0,
    sent.packets ?? 0,
    sent.octets ?? 0,
  )
  return rtcpPacket(SENDER_REPORT, reports.length, head, ...reports.map(block))
}

export function receiverReport(ssrc: number, reports: readonly Report[] = []): Buffer {
  return rtcpPacket(RECEIVER_REPORT, reports.length, words(ssrc), ...reports.map(block))
}

/** One chunk with a CNAME. */
export function sourceDescription(ssrc: number, cname = 'a@b'): Buffer {
  const items = Buffer.from([1, cname.length, ...Buffer.from(cname), 0])
  const padded = Buffer.alloc(Math.ceil(items.length / WORD_OCTETS) * WORD_OCTETS)
  items.copy(padded)
  return rtcpPacket(SOURCE_DESCRIPTION, 1, words(ssrc), padded)
}

export function goodbye(...sources: readonly number[]): Buffer {
  return rtcpPacket(GOODBYE, sources.length, words(...sources))
}

export function extendedReport(ssrc: number, ...blocks: readonly Uint8Array[]): Buffer {
  return rtcpPacket(EXTENDED_REPORT, 0, words(ssrc), ...blocks)
}

export function referenceTime(ntpSeconds: number, ntpFraction: number): Buffer {
  return words((4 << 24) | 2, ntpSeconds, ntpFraction)
}

export function delaySinceLast(ssrc: number, lrr: number, dlrrS: number): Buffer {
  return words((5 << 24) | 3, ssrc, lrr, Math.round(dlrrS * STAMPS_PER_S))
}

export function voipMetrics({ ssrc, octets }: Voip): Buffer {
  return Buffer.concat([words((7 << 24) | 8, ssrc), Buffer.from(octets, 'hex')])
}

/** A packet of any type. */
export function rtcpPacket(type: number, count: number, ...body: readonly Uint8Array[]): Buffer {
  const contents = Buffer.concat(body)
  const header = Buffer.from([VERSION | count, type, 0, 0])
  header.writeUInt16BE(contents.length / WORD_OCTETS, 2)
  return Buffer.concat([header, contents])
}

function block(report: Report): Buffer {
  const { ssrc, fractionLost = 0, lost = 0, highest = 0, jitter = 0, lsr = 0, dlsrS = 0 } = report
  const losses = (fractionLost << 24) | (lost & 0xffffff)
  return words(ssrc, losses, highest, jitter, lsr, Math.round(dlsrS * STAMPS_PER_S))
}

function words(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(values.length * WORD_OCTETS)
  values.forEach((value, index) => octets.writeUInt32BE(value >>> 0, index * WORD_OCTETS))
  return octets
}
