import { MISSING_MEDIA_MS } from './call-row.ts'

/**
 * When a call may be said to be one-way or silent. A tap sees what passes it: media may take another way than signalling, and behind NAT
 * a phone announces an address that no packet ever carries. So a party is called missing only when
 *
 * - the call was answered, and its media settled, at least MISSING_MEDIA_MS ago, both sides mean to send and to receive, and none has
 *   come to any address of the party (relays make several) for 10 s; 60 s where its description allows the sender to pause;
 * - nothing was seen leaving the address where the other party receives: then it does send, to somewhere signalling did not name;
 * - one-way: RTP does arrive at the other party, and this party's address can be believed: its description came from that very address,
 *   or RTP from the other party's address to this one was seen on this tap before;
 * - silent: RTP was seen on this tap before between these two addresses, in both directions. A tap that sees only signalling, or a
 *   pair of phones whose media goes straight, is never called silent.
 */

const US_PER_MS = 1000
/** Media comes every 20 ms or so, and what arrived is told once an interval. */
const HEARD_WITHIN_US = 10_000_000
/** Nobody says nothing for a minute. */
const PAUSE_US = 60_000_000
/** Pairs of addresses remembered; the least recently seen are forgotten. */
const MAX_WITNESSED = 20_000

/** One party of a call, as far as its audio goes. */
export interface MediaSide {
  /** It wants RTP and the other one means to send. */
  readonly isExpected: boolean
  /** When RTP last arrived at, and last left, any of its addresses; -Infinity when never. */
  readonly heardUs: number
  readonly sentUs: number
  /** As announced. */
  readonly ips: readonly string[]
  readonly isOwnAddress: boolean
  readonly mayPause: boolean
}

export interface MissingMedia {
  readonly isOneWay: boolean
  readonly isSilent: boolean
}

export const NOTHING_MISSING: MissingMedia = { isOneWay: false, isSilent: false }

/** Between which addresses RTP was seen. */
export class Witness {
  /** "from>to", the most recent last. */
  readonly #pairs = new Set<string>()

  /** RTP from one of these addresses, as far as signalling knows, arrived at one of those. */
  note(from: readonly string[], to: readonly string[]): void {
    for (const one of from)
      for (const other of to) {
        const pair = `${one}>${other}`
        this.#pairs.delete(pair)
        this.#pairs.add(pair)
      }
    for (const pair of this.#pairs) {
      if (this.#pairs.size <= MAX_WITNESSED) break
      this.#pairs.delete(pair)
    }
  }

  has(from: readonly string[], to: readonly string[]): boolean {
    return from.some((one) => to.some((other) => this.#pairs.has(`${one}>${other}`)))
  }
}

/** What is missing of an established call at `nowUs`; `sinceUs` is when it was answered, or its media last changed. */
export function missingMedia(
  sides: readonly [MediaSide, MediaSide],
  sinceUs: number,
  nowUs: number,
  witness: Witness,
): MissingMedia {
  const [one, other] = sides
  const patienceUs = (side: MediaSide) => (side.mayPause ? PAUSE_US : HEARD_WITHIN_US)
  const isHeard = (side: MediaSide) => side.heardUs >= Math.max(sinceUs, nowUs - patienceUs(side))
  if (isHeard(one)) witness.note(other.ips, one.ips)
  if (isHeard(other)) witness.note(one.ips, other.ips)
  if (!one.isExpected || !other.isExpected) return NOTHING_MISSING
  const isMissing = (side: MediaSide) =>
    !isHeard(side) && nowUs - sinceUs >= (side.mayPause ? PAUSE_US : MISSING_MEDIA_MS * US_PER_MS)
  const goesElsewhere = (sender: MediaSide) => sender.sentUs >= nowUs - HEARD_WITHIN_US
  const isDeprived = (side: MediaSide, sender: MediaSide) =>
    isMissing(side) && !goesElsewhere(sender)
  if (isDeprived(one, other) && isDeprived(other, one)) {
    const isKnown = witness.has(one.ips, other.ips) && witness.has(other.ips, one.ips)
    return { isOneWay: false, isSilent: isKnown }
  }
  const isOneWay = (side: MediaSide, sender: MediaSide) =>
    isDeprived(side, sender) &&
    isHeard(sender) &&
    (side.isOwnAddress || witness.has(sender.ips, side.ips))
  return { isOneWay: isOneWay(one, other) || isOneWay(other, one), isSilent: false }
}
