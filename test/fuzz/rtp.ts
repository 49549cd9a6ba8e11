import type { Measures } from '../../agent/rtp/measures.ts'
import { BAD_PADDING, IS_RTP, RTP_VERDICTS, RtpPacket, parseRtp } from '../../agent/rtp/packet.ts'
import { Reception } from '../../agent/rtp/reception.ts'
import { rtp } from '../support/pcap-writer.ts'
import type { FuzzTarget } from './fuzz.ts'

/** Where the packets of a sequence begin: each 6 octets, its number, its timestamp in packets of 20 ms, milliseconds since the last. */
const SEQUENCE_AT = 16
const STEP_OCTETS = 6
const TICKS_PER_PACKET = 160
const TICK_US = 125
const US_PER_MS = 1000
const START_US = 1_750_000_000_000_000
const KINDS = 3

const packet = new RtpPacket()
const reception = new Reception(2)
const HEADER = rtp({ timeUs: 0, sequenceNumber: 7, timestamp: 160 }).subarray(0, SEQUENCE_AT)

/** A datagram, then a sequence of packets as it may arrive: the header is parsed, the sequence measured. */
export const target: FuzzTarget = {
  name: 'rtp',
  corpus: [
    sequence(Array.from({ length: 100 }, (_, index) => [65_500 + index, index, 20])),
    sequence(Array.from({ length: 100 }, (_, index) => [index * 2, index * 2, 40])),
    sequence(Array.from({ length: 60 }, (_, index) => [index ^ 3, index ^ 3, index % 30])),
    sequence(Array.from({ length: 40 }, (_, index) => [index * 700, index * 900, 3000])),
  ],
  share: 2,
  run(input) {
    const view = new DataView(input.buffer, input.byteOffset, input.length)
    const verdict = parseRtp(view, 0, input.length, input.length, packet)
    if (RTP_VERDICTS[verdict] === undefined) throw new Error(`verdict ${verdict}`)
    const { headerOctets, payloadOctets, paddingOctets } = packet
    const isRtp = verdict === IS_RTP || verdict === BAD_PADDING
    if (isRtp && (headerOctets + payloadOctets !== input.length || paddingOctets > payloadOctets))
      throw new Error(`${headerOctets} + ${payloadOctets}, padding ${paddingOctets}`)
    measure(view)
  },
}

function measure(view: DataView): void {
  let timeUs = START_US
  let isOpen = false
  for (let at = SEQUENCE_AT; at + STEP_OCTETS <= view.byteLength; at += STEP_OCTETS) {
    const sequenceNumber = view.getUint16(at)
    const timestamp = Math.imul(view.getUint16(at + 2), TICKS_PER_PACKET)
    timeUs += view.getInt16(at + 4) * US_PER_MS
    if (!isOpen) reception.open(1, sequenceNumber)
    isOpen = true
    const marker = (sequenceNumber & 0x10) !== 0
    // Now and then an interlude, a packet without a clock, and the end of an interval.
    const kind = sequenceNumber % 61 === 0 ? timestamp % KINDS : 0
    const tickUs = sequenceNumber % 97 === 0 ? 0 : TICK_US
    reception.receive(1, sequenceNumber, timestamp, timeUs, 160, tickUs, marker, kind)
    if (sequenceNumber % 53 !== 0) continue
    check(reception.measures(1, timeUs, false))
    reception.startInterval(1)
  }
  if (isOpen) check(reception.measures(1, timeUs, true))
}

/** What holds of every interval, whatever came. */
function check(measures: Measures): void {
  const { expected, received, lost, lostUnique, duplicates, reordered, bursts, discarded } =
    measures
  if (lost !== expected - received) throw new Error(`${lost} of ${expected}, ${received} received`)
  if (lostUnique > expected) throw new Error(`${lostUnique} lost of ${expected}`)
  const counts = [
    received,
    duplicates,
    reordered,
    measures.late,
    measures.restarts,
    measures.rejected,
    measures.octets,
    measures.gapLost,
    measures.jitterSamples,
    measures.deltaSamples,
    measures.talkspurts,
    measures.comfortNoise,
    measures.events,
    ...measures.deltaCounts,
    ...measures.lossRuns,
    ...Object.values<number>({ ...bursts }),
    ...Object.values<number>({ ...discarded }),
  ]
  if (counts.some((count) => !(count >= 0 && Number.isSafeInteger(count))))
    throw new Error(JSON.stringify(measures))
  const times = [
    measures.activeMs,
    measures.stalledMs,
    measures.gapMs,
    measures.packetMs,
    measures.jitterMs,
    measures.jitterMeanMs,
    measures.jitterP95Ms,
    measures.jitterMaxMs,
    measures.deltaMeanMs,
    measures.deltaMaxMs,
  ]
  if (times.some((ms) => ms !== undefined && !(ms >= 0 && Number.isFinite(ms))))
    throw new Error(JSON.stringify(measures))
}

function sequence(packets: readonly (readonly [number, number, number])[]): Buffer {
  const octets = Buffer.alloc(packets.length * STEP_OCTETS)
  packets.forEach(([sequenceNumber, timestamp, ms], index) => {
    octets.writeUInt16BE(sequenceNumber & 0xffff, index * STEP_OCTETS)
    octets.writeUInt16BE(timestamp & 0xffff, index * STEP_OCTETS + 2)
    octets.writeInt16BE(ms, index * STEP_OCTETS + 4)
  })
  return Buffer.concat([HEADER, octets])
}
