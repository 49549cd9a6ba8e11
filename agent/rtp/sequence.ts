/**
 * Sequence numbers as in RFC 3550 section A.1, in 16-bit arithmetic throughout. (The C of the RFC compares `max_seq + 1` as an int and
 * so spends a packet too many in probation when a source starts at 65535.)
 */

const SEQUENCE_MASK = 0xffff
const SEQUENCE_NUMBERS = 65_536
/** A jump ahead of this many or more is a restart: one minute at 50 packets/s. */
export const MAX_DROPOUT = 3000
/** A packet this many or more behind the highest is not late but of another run of numbers: 2 s at 50 packets/s. */
export const MAX_MISORDER = 100
/** Packets in sequence that make a source valid. */
export const MIN_SEQUENTIAL = 2

/** Where a packet stands against the highest number of its source. */
export const AHEAD = 0
/** Late, or a copy of a late one. */
export const BEHIND = 1
/** Too far either way: a stray packet, or the sender restarted. */
export const ASTRAY = 2

/** How far `sequenceNumber` is ahead of `highest`, modulo 2^16: 0..65535. */
export function sequenceDistance(sequenceNumber: number, highest: number): number {
  return (sequenceNumber - highest) & SEQUENCE_MASK
}

/** How many packets a distance is behind, where it stands for BEHIND. */
export function behindBy(distance: number): number {
  return SEQUENCE_NUMBERS - distance
}

/** AHEAD (0 counts as such: a copy of the newest), BEHIND or ASTRAY. */
export function standing(distance: number): number {
  if (distance < MAX_DROPOUT) return AHEAD
  return distance > SEQUENCE_NUMBERS - MAX_MISORDER ? BEHIND : ASTRAY
}

/**
 * One packet of a source in probation: how many more must come in sequence after it. Zero means the source is valid with this packet.
 * Before the first packet `remaining` is `minSequential` and `previous` the number before it.
 */
export function probationAfter(
  sequenceNumber: number,
  previous: number,
  remaining: number,
  minSequential = MIN_SEQUENTIAL,
): number {
  return sequenceDistance(sequenceNumber, previous) === 1 ? remaining - 1 : minSequential - 1
}
