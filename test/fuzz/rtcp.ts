import { Datagram } from '../../agent/capture/frame.ts'
import type { ReportRow } from '../../agent/media/report-row.ts'
import { RtcpMonitor } from '../../agent/media/rtcp-monitor.ts'
import { parseRtcp } from '../../agent/rtp/rtcp.ts'
import {
  delaySinceLast,
  extendedReport,
  goodbye,
  receiverReport,
  referenceTime,
  rtcpPacket,
  senderReport,
  sourceDescription,
  voipMetrics,
} from '../support/rtcp-writer.ts'
import type { FuzzTarget } from './fuzz.ts'

const ALICE = 0x11223344
const BOB = 0x55667788
const VOIP = '08045502007802080055003cf0c82d10527f2928bc00002800500078'
const REPORT = { ssrc: ALICE, lost: 10, highest: 70_000, jitter: 80, lsr: 9 << 16, dlsrS: 1 }
const SENT = { ssrc: ALICE, ntpSeconds: 9, ntpFraction: 0 }
const STREAM = {
  codec: 'PCMA',
  clockRate: 8000,
  srcIp: '10.0.0.1',
  srcPort: 4000,
  dstIp: '10.0.0.2',
  dstPort: 6000,
}
const MAX_SOURCES = 500
const INPUTS_PER_INTERVAL = 1000
const STEP_US = 20_000
const MAX_PACKETS = 64
const MAX_REPORTS = 31
/** As many as a monitor believes of one report, times what comes in an interval. */
const MAX_EXPECTED = 131_072 * INPUTS_PER_INTERVAL

const there = new Datagram()
const back = new Datagram()
there.destination[0] = 1
back.source[0] = 1
const monitor = new RtcpMonitor({
  maxSources: MAX_SOURCES,
  findStream: (ssrc) => (ssrc === ALICE ? STREAM : undefined),
})
let inputs = 0

/** Datagrams of RTCP: the first octet says how much of it was captured and which way it goes. */
export const target: FuzzTarget = {
  name: 'rtcp',
  corpus: [
    [senderReport(SENT, [{ ...REPORT, ssrc: BOB }]), sourceDescription(ALICE), goodbye(ALICE)],
    [
      receiverReport(BOB, [REPORT, { ssrc: 7, highest: 900 }]),
      sourceDescription(BOB, 'bob@b.example'),
    ],
    [
      receiverReport(BOB),
      extendedReport(
        BOB,
        referenceTime(300, 5),
        delaySinceLast(ALICE, 9 << 16, 0.5),
        voipMetrics({ ssrc: ALICE, octets: VOIP }),
      ),
    ],
    [rtcpPacket(205, 1, Buffer.alloc(12)), rtcpPacket(204, 3, Buffer.alloc(16)), goodbye(BOB, 7)],
  ].flatMap((packets) => [0, 0x81].map((first) => Buffer.concat([Buffer.of(first), ...packets]))),
  words: [Buffer.from('81c80006', 'hex'), Buffer.from('11223344', 'hex')],
  share: 2,
  run(input) {
    const first = input[0] ?? 0
    const octets = Math.max(0, input.length - 1)
    const captured = (first & 1) === 0 ? octets : Math.min(octets, first)
    // What was not captured is not there to be read either.
    const view = new DataView(input.buffer, input.byteOffset, Math.min(input.length, captured + 1))
    checkParser(view, octets, captured)
    inputs++
    const datagram = first < 0x80 ? there : back
    monitor.handle(view, Math.min(1, input.length), octets, captured, datagram, inputs * STEP_US)
    if (inputs % INPUTS_PER_INTERVAL === 0) checkInterval()
  },
}

function checkParser(view: DataView, octets: number, captured: number): void {
  const result = parseRtcp(view, Math.min(1, view.byteLength), octets, captured)
  if (result.kind !== 'rtcp') return
  if (result.isWhole && (captured < octets || octets % 4 !== 0)) throw new Error('not whole')
  if (result.packets.length > MAX_PACKETS) throw new Error(`${result.packets.length} packets`)
  for (const packet of result.packets) {
    if ((packet.type === 'SR' || packet.type === 'RR') && packet.reports.length > MAX_REPORTS)
      throw new Error(`${packet.reports.length} reports`)
  }
}

function checkInterval(): void {
  const rows = monitor.takeInterval(inputs * STEP_US)
  // A stream has a row of each kind.
  if (rows.length > 2 * MAX_SOURCES) throw new Error(`${rows.length} rows`)
  for (const row of rows) checkRow(row)
  const roundTripMs = monitor.roundTripMs(ALICE)
  if (roundTripMs !== undefined && !isBetween(roundTripMs, 0, 65_535))
    throw new Error(`round trip ${roundTripMs}`)
}

function checkRow(row: ReportRow): void {
  const { reports, expected = 0, lost = 0, jitterMs = 0, roundTripMs = 0 } = row
  const { discardRatio = 0, rFactor = 0, mosLq = 1, mosCq = 1 } = row
  const isFine =
    reports > 0 &&
    isBetween(expected, 0, MAX_EXPECTED) &&
    lost <= expected &&
    isBetween(jitterMs, 0, 10_000) &&
    isBetween(roundTripMs, 0, 65_535) &&
    isBetween(discardRatio, 0, 1) &&
    isBetween(rFactor, 0, 100) &&
    isBetween(mosLq, 1, 5) &&
    isBetween(mosCq, 1, 5)
  if (!isFine) throw new Error(JSON.stringify(row))
}

function isBetween(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}
