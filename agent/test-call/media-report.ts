/** What was measured of the sound of one test call. What was not measured is undefined; no direction is told from the other. */
export interface MediaReport {
  /** Packets that left us, before and after the answer. */
  readonly sentPackets: number
  /** Before the answer: ringing tone and announcements. */
  readonly early: ReceivedMedia | undefined
  /** From the far end to us, by its own numbers, since the answer. */
  readonly received: ReceivedMedia | undefined
  /** From us to the far end, as the far end says itself. */
  readonly reported: ReportedMedia | undefined
  /** Our own packets that came back: there and back again, not to be told apart. */
  readonly echoed: EchoedMedia | undefined
  /** There and back, from its reports or its echo, without what it took itself where it says so. */
  readonly roundTripMs: number | undefined
  /** Reports that came from the far end, whatever they said. */
  readonly peerReports: number
  /** False when it reported again and again and never of us; undefined when it did not say. */
  readonly isHeard: boolean | undefined
  /** Packets from elsewhere, and of no use. */
  readonly strangers: number
  /** Where our packets went last. */
  readonly remote: string | undefined
  /** What the operating system said of our sending. */
  readonly reason: string | undefined
}

export interface ReceivedMedia {
  readonly codec: string
  /** Different senders in one call: an announcement and a person. */
  readonly sources: number
  readonly expected: number
  readonly received: number
  /** expected - distinct packets. */
  readonly lost: number
  readonly duplicates: number
  readonly reordered: number
  /** Too late for an adaptive jitter buffer. */
  readonly discarded: number
  readonly jitterMs: number | undefined
  readonly jitterMaxMs: number | undefined
  readonly deltaMaxMs: number | undefined
  readonly burstDensityRatio: number | undefined
  readonly rFactor: number | undefined
  readonly mosLq: number | undefined
}

export interface ReportedMedia {
  /** From our first packet to the highest number it had when it reported last. */
  readonly expected: number
  /** RFC 3550: duplicates count against losses. */
  readonly lost: number
  readonly jitterMs: number
  readonly rFactor: number | undefined
  readonly mosLq: number | undefined
}

export interface EchoedMedia {
  /** From the first packet that came back to the last we sent. */
  readonly expected: number
  readonly lost: number
  readonly duplicates: number
  readonly reordered: number
  readonly jitterMs: number | undefined
  readonly roundTripMs: number | undefined
  readonly roundTripMaxMs: number | undefined
}
