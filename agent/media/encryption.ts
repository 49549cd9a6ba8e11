import type { Measures } from '../rtp/measures.ts'
import type { Payload } from '../rtp/payload.ts'

/**
 * Whether packets are SRTP, by their size, where no signalling tells: a codec of a constant rate fills a packet time with so many octets,
 * and SRTP adds a tag to them.
 */

/** Octets per second of the codecs that send nothing else (RFC 3551 section 4.5). */
const OCTETS_PER_S: Readonly<Record<string, number>> = {
  PCMU: 8000,
  PCMA: 8000,
  G722: 8000,
  GSM: 1650,
}
/** RFC 3711 section 5.2, RFC 4568 section 6.2, RFC 7714 section 13. */
const TAG_OCTETS: readonly number[] = [4, 10, 16]
/** So many packets must agree. */
const MIN_PACKETS = 10
const MS_PER_S = 1000

/** Of an interval; undefined when it does not tell, or its packets were of several sizes. */
export function isEncryptedBySize(
  payload: Payload | undefined,
  { packetMs, received, rejected, octets, events, comfortNoise }: Measures,
): boolean | undefined {
  const rate = OCTETS_PER_S[payload?.name ?? '']
  const packets = received + rejected
  if (rate === undefined || packetMs === undefined || packets < MIN_PACKETS) return undefined
  if (events > 0 || comfortNoise > 0) return undefined
  const added = octets / packets - (rate * packetMs) / MS_PER_S
  if (added === 0) return false
  return TAG_OCTETS.includes(added) ? true : undefined
}
