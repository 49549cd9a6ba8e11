import type { Scale } from './codec-impairments.ts'

/** What the E-model says of one interval of a stream. Never made from a default: without a rated codec or packets there is none. */
export interface Quality {
  /** R without the delay terms: what mosLq is made of, 0..100 (narrowband), 129 (wideband) or 148 (fullband). */
  readonly rFactor: number
  /** Listening quality, 1..4.5. */
  readonly mosLq: number
  /** Conversational quality: with delay. Undefined while nobody has measured a round trip. */
  readonly mosCq: number | undefined
  readonly scale: Scale
  /** The impairments of the codec are an assumption, not from G.113 or the operator. */
  readonly isAssumed: boolean
}

export interface QualityInput {
  /** Encoding name of the payload, in any case: PCMA, G729, opus. */
  readonly codec: string
  readonly clockRate: number
  readonly packetMs: number | undefined
  readonly expected: number
  /** Lost on the way. */
  readonly lost: number
  /** Discarded by the adaptive buffer. */
  readonly discarded: number
  /** Runs of consecutive loss, for the burst ratio: how many, and how many packets they held. */
  readonly lossRuns: number
  readonly lossRunPackets: number
  /** From RTCP or a test stream; undefined when unknown. */
  readonly roundTripMs: number | undefined
}
