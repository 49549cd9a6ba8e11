import { MAX_MISORDER, probationAfter, sequenceDistance } from './sequence.ts'

/**
 * Whether what looks like a source of RTP is one: its numbers must go on as those of a sender do (RFC 3550 A.1). One header proves
 * nothing, as much other UDP begins with the same two bits.
 */

/** Without a verdict after so many packets the source begins anew. */
const MAX_PACKETS = 16
/**
 * With heavy loss packets may never come in sequence; so many steps forward, none of MAX_MISORDER or more, do as well. By chance that
 * happens with (99 / 65536) ^ 8, and the SSRC would have to be the same each time.
 */
const LOSSY_STEPS = 8
const SEQUENCE_NUMBERS = 65_536

/** A source being tried. */
export interface Probation {
  /** Packets in sequence still wanted; 0 when the source is valid. */
  remaining: number
  /** Steps forward so far. */
  steps: number
  packets: number
  previous: number
}

export function beginProbation(
  probation: Probation,
  sequenceNumber: number,
  minSequential: number,
): void {
  probation.remaining = minSequential - 1
  probation.steps = 0
  probation.packets = 1
  probation.previous = sequenceNumber
}

/** The next packet of a source on probation. False when it does not go on from the one before: then the source begins anew with it. */
export function goesOn(
  probation: Probation,
  sequenceNumber: number,
  minSequential: number,
): boolean {
  const distance = sequenceDistance(sequenceNumber, probation.previous)
  const isForward = distance < MAX_MISORDER
  if (!isForward && distance <= SEQUENCE_NUMBERS - MAX_MISORDER) return false
  if (probation.packets === MAX_PACKETS) return false
  probation.packets++
  // A copy of the packet before says nothing, for or against.
  if (distance === 0) return true
  if (isForward) probation.steps++
  probation.remaining =
    probation.steps === LOSSY_STEPS
      ? 0
      : probationAfter(sequenceNumber, probation.previous, probation.remaining, minSequential)
  probation.previous = sequenceNumber
  return true
}
