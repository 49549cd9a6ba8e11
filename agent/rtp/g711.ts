/**
 * G.711 of ITU-T: one octet for each of 8000 samples a second. Both laws hold a sign, a segment of three bits and four bits within it,
 *
 *    +-+-+-+-+-+-+-+-+
 *    |S| segment | q |      A-law: even bits inverted (clause 3.1); u-law: all bits inverted (clause 3.3)
 *    +-+-+-+-+-+-+-+-+
 *
 * here made from 16-bit samples, of which A-law uses the upper 13 bits and u-law the upper 14.
 */

export const G711_LAWS = ['PCMA', 'PCMU'] as const
export type G711Law = (typeof G711_LAWS)[number]

export const G711_SAMPLES_PER_S = 8000
/** RFC 3551 table 4. */
export const G711_PAYLOAD_TYPE: Readonly<Record<G711Law, number>> = { PCMA: 8, PCMU: 0 }

const SIGN = 0x80
const SEGMENT_BITS = 4
const MAX_SEGMENT = 7
const QUANTUM_MASK = 0x0f
const A_LAW_MASK = 0x55
/** A-law: shift of a sample of segment 1, whose 13 bits lie in 16. */
const A_LAW_SHIFT = 4
/** u-law: what is added before the segment is looked for, 33 in 14 bits, and the highest sample that leaves room for it. */
const MU_LAW_BIAS = 132
const MU_LAW_CLIP = 32_635
const MU_LAW_SHIFT = 3
/** Position of the leading bit in segment 1 (A-law) and segment 0 (u-law). */
const A_LAW_FIRST_BIT = 8
const MU_LAW_FIRST_BIT = 7
const INT_BITS = 31

/** The octet of a sample of 16 bits, signed. */
export function encodeG711(law: G711Law, sample: number): number {
  return law === 'PCMA' ? encodeALaw(sample) : encodeMuLaw(sample)
}

function encodeALaw(sample: number): number {
  // One's complement: the least negative sample is the smallest magnitude, as in clause 3.1.
  const magnitude = sample < 0 ? ~sample : sample
  const sign = sample < 0 ? 0 : SIGN
  const segment = Math.max(0, leadingBit(magnitude) - A_LAW_FIRST_BIT + 1)
  const quantum = (magnitude >> (A_LAW_SHIFT + Math.max(0, segment - 1))) & QUANTUM_MASK
  return (sign | (segment << SEGMENT_BITS) | quantum) ^ A_LAW_MASK
}

function encodeMuLaw(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), MU_LAW_CLIP) + MU_LAW_BIAS
  const sign = sample < 0 ? SIGN : 0
  const segment = Math.min(MAX_SEGMENT, leadingBit(magnitude) - MU_LAW_FIRST_BIT)
  const quantum = (magnitude >> (MU_LAW_SHIFT + segment)) & QUANTUM_MASK
  return ~(sign | (segment << SEGMENT_BITS) | quantum) & 0xff
}

function leadingBit(value: number): number {
  return INT_BITS - Math.clz32(value)
}

/** A tone, one packet of it; where the packet holds whole periods, packets follow one another without a click. */
export function toneOf(
  law: G711Law,
  {
    hz,
    amplitude,
    samples,
  }: { readonly hz: number; readonly amplitude: number; readonly samples: number },
): Uint8Array {
  return Uint8Array.from({ length: samples }, (_, index) =>
    encodeG711(
      law,
      Math.round(amplitude * Math.sin((2 * Math.PI * hz * index) / G711_SAMPLES_PER_S)),
    ),
  )
}
