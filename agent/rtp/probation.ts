import type { RtpPacket } from './packet.ts'
import { MAX_MISORDER, probationAfter, sequenceDistance } from './sequence.ts'

/**
 * Whether what looks like a source of RTP is one: its numbers must go on as those of a sender do (RFC 3550 A.1). One header proves
 * nothing, as much other UDP begins with the same two bits; and what counts lengths or flags where RTP has its numbers goes on now and
 * then by chance. So every oddity, which a sender may show too, asks for one more packet in sequence.
 */

/** Without a verdict after so many packets the source begins anew. */
const MAX_PACKETS = 16
/** More in sequence are never asked for because of oddities. */
const MAX_IN_SEQUENCE = 8
/**
 * With heavy loss packets may never come in sequence; so many steps forward do as well, none of MAX_MISORDER or more, if the timestamp
 * grows as much with each number. A count of milliseconds, say, where RTP has its numbers, does not have that.
 */
const LOSSY_STEPS = 8
const SEQUENCE_NUMBERS = 65_536
const SEEN_BITS = 32
/** No sender's timestamp moves as far from one packet to the next: 46 s of video. */
const MAX_TICKS = 1 << 22

/** A source being tried. */
export interface Probation {
  /** Packets in sequence still wanted; 0 when the source is valid. */
  remaining: number
  /** Even steps forward in a row. */
  steps: number
  packets: number
  /** The highest number, and which of the 32 up to it have come, a bit each, the lowest that of the highest. */
  highest: number
  seen: number
  /** Of the highest number, and by how much it grew for each number since the one before. */
  timestamp: number
  ticks: number
  /** Payload type of the newest packet. */
  triedType: number
  /** What no proper sender does often: a late number, another payload type, a far timestamp, a trial without a verdict. */
  oddities: number
}

/** What counts of a packet. */
export type TriedPacket = Pick<RtpPacket, 'sequenceNumber' | 'timestamp' | 'payloadType'>

/** A source not tried before. */
export function forgetProbation(probation: Probation): void {
  probation.packets = 0
  probation.oddities = 0
}

export function beginProbation(
  probation: Probation,
  { sequenceNumber, timestamp, payloadType }: TriedPacket,
  minSequential: number,
): void {
  if (probation.packets > 0) probation.oddities++
  probation.remaining = inSequence(probation, minSequential) - 1
  probation.steps = 0
  probation.packets = 1
  probation.highest = sequenceNumber
  probation.seen = 1
  probation.timestamp = timestamp
  probation.ticks = 0
  probation.triedType = payloadType
}

/** The next packet of a source on probation. False when it does not go on from those before: then the source begins anew with it. */
export function goesOn(probation: Probation, packet: TriedPacket, minSequential: number): boolean {
  const { sequenceNumber, payloadType } = packet
  const distance = sequenceDistance(sequenceNumber, probation.highest)
  const isForward = distance < MAX_MISORDER
  const behind = (SEQUENCE_NUMBERS - distance) % SEQUENCE_NUMBERS
  if (!isForward && behind >= MAX_MISORDER) return false
  if (probation.packets === MAX_PACKETS) return false
  probation.packets++
  if (payloadType !== probation.triedType) takeOddity(probation, minSequential)
  probation.triedType = payloadType
  if (behind < SEEN_BITS && ((probation.seen >>> behind) & 1) === 1) {
    // A copy of a packet says nothing, for or against.
    return true
  }
  if (isForward) stepForward(probation, packet, distance, minSequential)
  else {
    takeOddity(probation, minSequential)
    if (behind < SEEN_BITS) probation.seen |= 1 << behind
  }
  return true
}

function stepForward(
  probation: Probation,
  { sequenceNumber, timestamp }: TriedPacket,
  distance: number,
  minSequential: number,
): void {
  const ticks = ((timestamp - probation.timestamp) | 0) / distance
  if (Math.abs(ticks) > MAX_TICKS) takeOddity(probation, minSequential)
  const { highest, remaining, oddities } = probation
  const isEven = ticks > 0 && (probation.ticks === 0 || ticks === probation.ticks)
  probation.steps = isEven ? probation.steps + 1 : 0
  probation.ticks = ticks
  probation.timestamp = timestamp
  probation.seen = distance < SEEN_BITS ? (probation.seen << distance) | 1 : 1
  probation.highest = sequenceNumber
  probation.remaining =
    probation.steps >= LOSSY_STEPS + oddities
      ? 0
      : probationAfter(sequenceNumber, highest, remaining, inSequence(probation, minSequential))
}

function takeOddity(probation: Probation, minSequential: number): void {
  const before = inSequence(probation, minSequential)
  probation.oddities++
  probation.remaining += inSequence(probation, minSequential) - before
}

/** How many packets in sequence it takes. */
function inSequence({ oddities }: Probation, minSequential: number): number {
  return Math.max(minSequential, Math.min(MAX_IN_SEQUENCE, minSequential + oddities))
}
