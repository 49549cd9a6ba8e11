/**
 * The static payload types: what a number means when no signalling is at hand. RFC 3551 section 6, tables 4 and 5, and the two it took
 * back from RFC 1890, which old gateways still send.
 */

export interface Payload {
  readonly name: string
  /** RTP clock, Hz: G722 says 8000 although it samples at 16000 (RFC 3551 section 4.5.2). */
  readonly clockRate: number
}

/** Numbers from here on are bound by signalling only (RFC 3551 section 3). */
const FIRST_DYNAMIC = 96
const CN = 13
/** What comfort noise was numbered before RFC 3551; old gateways still send it. */
const CN_OLD = 19
/** What a packet is to the measurements: audio, or one of the interludes, which keep a time of their own. */
export const AUDIO = 0
export const COMFORT_NOISE = 1
export const TELEPHONE_EVENT = 2

/** An event report is 4 octets (RFC 4733 section 2.3), plus the tag where it goes through SRTP (RFC 3711: 4 or 10, RFC 7714: 16). */
const EVENT_OCTETS = 4
const SRTP_TAG_OCTETS: readonly number[] = [0, 4, 10, 16]

const STATIC: Readonly<Record<number, Payload>> = {
  0: { name: 'PCMU', clockRate: 8000 },
  1: { name: '1016', clockRate: 8000 },
  2: { name: 'G721', clockRate: 8000 },
  3: { name: 'GSM', clockRate: 8000 },
  4: { name: 'G723', clockRate: 8000 },
  5: { name: 'DVI4', clockRate: 8000 },
  6: { name: 'DVI4', clockRate: 16_000 },
  7: { name: 'LPC', clockRate: 8000 },
  8: { name: 'PCMA', clockRate: 8000 },
  9: { name: 'G722', clockRate: 8000 },
  10: { name: 'L16', clockRate: 44_100 },
  11: { name: 'L16', clockRate: 44_100 },
  12: { name: 'QCELP', clockRate: 8000 },
  13: { name: 'CN', clockRate: 8000 },
  14: { name: 'MPA', clockRate: 90_000 },
  15: { name: 'G728', clockRate: 8000 },
  16: { name: 'DVI4', clockRate: 11_025 },
  17: { name: 'DVI4', clockRate: 22_050 },
  18: { name: 'G729', clockRate: 8000 },
  19: { name: 'CN', clockRate: 8000 },
  25: { name: 'CelB', clockRate: 90_000 },
  26: { name: 'JPEG', clockRate: 90_000 },
  28: { name: 'nv', clockRate: 90_000 },
  31: { name: 'H261', clockRate: 90_000 },
  32: { name: 'MPV', clockRate: 90_000 },
  33: { name: 'MP2T', clockRate: 90_000 },
  34: { name: 'H263', clockRate: 90_000 },
}

/** Name and clock of a static payload type; undefined for dynamic, reserved and unassigned ones. */
export function staticPayload(payloadType: number): Payload | undefined {
  return STATIC[payloadType]
}

function isComfortNoise(payloadType: number): boolean {
  return payloadType === CN || payloadType === CN_OLD
}

/** The kind of a payload signalling has named (RFC 3389, RFC 4733). Names are compared in any case (RFC 8866 section 6.6). */
export function payloadKind(name: string): number {
  const lower = name.toLowerCase()
  if (lower === 'cn') return COMFORT_NOISE
  return lower === 'telephone-event' ? TELEPHONE_EVENT : AUDIO
}

/**
 * The kind of a packet whose payload type nobody has named and which is not its stream's usual one. An event freezes its timestamp
 * (RFC 4733 section 2.3.1) and must stay out of the jitter of the audio around it; it is known by its size: nothing else with a
 * dynamic number is that small for long.
 */
export function kindWithoutName(payloadType: number, payloadOctets: number): number {
  if (isComfortNoise(payloadType)) return COMFORT_NOISE
  return payloadType >= FIRST_DYNAMIC && SRTP_TAG_OCTETS.includes(payloadOctets - EVENT_OCTETS)
    ? TELEPHONE_EVENT
    : AUDIO
}
