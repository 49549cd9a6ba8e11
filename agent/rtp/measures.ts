/**
 * What is measured of one stream over one interval. Counts are differences since the interval before, so that the sums over intervals
 * are the stream's own. What was not measured is undefined.
 */
export interface Measures {
  /** Packets the sequence numbers say were sent (RFC 3550 A.3), over all restarts. */
  readonly expected: number
  /** Highest sequence number so far, extended by the wraps since the stream began. */
  readonly sequenceLast: number
  /** Packets accepted, duplicates and late ones included (RFC 3550 A.3). */
  readonly received: number
  /** expected - received; negative when duplicates outnumber losses. */
  readonly lost: number
  /** expected - distinct packets received. Negative when a packet came that an earlier interval counted as lost. */
  readonly lostUnique: number
  readonly duplicates: number
  /** Older than the newest, and not seen before. */
  readonly reordered: number
  /** 100 to 3000 behind the newest: too late to be placed (RFC 3550 A.1, MAX_MISORDER). Part of `rejected`. */
  readonly late: number
  /** Jumps of 3000 or more after which counting began anew (RFC 3550 A.1). */
  readonly restarts: number
  /** Packets not counted: first of a large jump, or too late to be placed. */
  readonly rejected: number
  /** Payload octets of all packets, padding included. */
  readonly octets: number
  /** Time from the first to the last arrival. */
  readonly activeMs: number | undefined

  /** How long nothing had come at the interval's end, of a constant-rate stream that fell silent without a reason. */
  readonly stalledMs: number | undefined
  /** Length of the silences without a reason that ended in the interval. */
  readonly gapMs: number | undefined
  /** Packets missing over a restart at which number, timestamp and clock advanced alike; not part of expected or lost. */
  readonly gapLost: number

  /** Packet time learnt from timestamps of packets in sequence. */
  readonly packetMs: number | undefined
  /** Interarrival jitter of the audio (RFC 3550 A.8; events and comfort noise kept out): at the end, mean, 95th percentile, highest. */
  readonly jitterMs: number | undefined
  readonly jitterMeanMs: number | undefined
  readonly jitterP95Ms: number | undefined
  readonly jitterMaxMs: number | undefined
  /** Packets whose jitter was measured: the weight of the mean. */
  readonly jitterSamples: number
  readonly deltaMeanMs: number | undefined
  readonly deltaMaxMs: number | undefined
  readonly deltaSamples: number
  /** Times between arrivals: [n] is how many were above DELTA_BOUNDS_MS[n - 1] and at most DELTA_BOUNDS_MS[n]; the last one is open. */
  readonly deltaCounts: readonly number[]
  /** Runs of consecutive loss that ended: [0] is how many of one packet, [9] of ten or more. A loss joins them when it is settled. */
  readonly lossRuns: readonly number[]
  /** Packets lost in these runs. */
  readonly lossRunPackets: number
  /** Bursts and gaps of what was lost, or discarded by the adaptive buffer (RFC 3611 section 4.7.2, Gmin 16). */
  readonly bursts: BurstCounts
  /** Packets that came, but after the moment a simulated jitter buffer would have played them. */
  readonly discarded: DiscardCounts
  readonly talkspurts: number
  readonly comfortNoise: number
  /** Packets of telephone events. */
  readonly events: number
  /** How much faster than our clock the sender's runs, since its timing was taken up; undefined while the error is above 100 ppm. */
  readonly clockSkewPpm: number | undefined
  /** Twice the standard error of the skew: the truth is within, 19 times of 20. */
  readonly clockSkewErrorPpm: number | undefined
}

/** Additive. A burst counts in the interval in which it was known to be over. */
export interface BurstCounts {
  readonly bursts: number
  readonly burstPackets: number
  /** Lost or discarded within bursts. */
  readonly burstBad: number
  /** Gaps, counted in the interval in which they began. */
  readonly gaps: number
  readonly gapPackets: number
  readonly gapBad: number
}

/** Additive. A packet lost on the way is in none of them. */
export interface DiscardCounts {
  /** Fixed depth of 50 ms. */
  readonly fixed50: number
  /** Fixed depth of 200 ms. */
  readonly fixed200: number
  readonly adaptive: number
}

/** Upper bounds of the first fields of `deltaCounts`. */
export const DELTA_BOUNDS_MS: readonly number[] = [
  5, 10, 15, 20, 25, 30, 40, 60, 80, 100, 150, 200, 500,
]
