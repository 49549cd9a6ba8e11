import { roundTripMs } from '../rtp/round-trip.ts'
import type { DatagramPath } from './datagram-path.ts'
import { RecentMap } from './recent-map.ts'

/** Stamps kept of each source: at the usual 5 s more than any answer takes. */
const MAX_STAMPS = 10
/** The same stamp after this is not a copy the tap made, but a sender whose clock stands still. */
const COPY_US = 1_000_000
/** A leg measured longer ago says nothing about now: a dozen reports at the usual 5 s. */
const MAX_AGE_US = 60_000_000

/** A stamp that passed the tap: an SR's, or an XR receiver reference time's. */
interface Stamp {
  readonly value: number
  /** NaN when it came again later, so that an answer to it means nothing. */
  seenUs: number
}

interface Leg {
  readonly ms: number
  readonly atUs: number
}

/**
 * Round trips without clocks of our own in the packets: a stamp passes the tap, its answer comes back past the tap and says how long it
 * was held. What is left is the way from the tap to who answered, and back. Both legs together are the way from end to end.
 */
export class RoundTrips {
  /** By the path and SSRC of who stamped. */
  readonly #stamps: RecentMap<Stamp[]>
  /** By the path of who answered. */
  readonly #legs: RecentMap<Leg>

  constructor(limit: number) {
    this.#stamps = new RecentMap(limit)
    this.#legs = new RecentMap(limit)
  }

  get evicted(): number {
    return this.#stamps.evicted + this.#legs.evicted
  }

  /** A stamp passes. 0 is none: what is sent back would say that there was none. */
  stamp({ there }: DatagramPath, ssrc: number, value: number, timeUs: number): void {
    if (value === 0) return
    const key = `${there} ${ssrc}`
    const stamps = this.#stamps.use(key) ?? []
    const same = stamps.find((stamp) => stamp.value === value)
    if (same !== undefined) {
      if (!(Math.abs(timeUs - same.seenUs) < COPY_US)) same.seenUs = NaN
      return
    }
    if (stamps.length === MAX_STAMPS) stamps.shift()
    stamps.push({ value, seenUs: timeUs })
    if (stamps.length === 1) this.#stamps.set(key, stamps)
  }

  /** An answer passes, about the source `ssrc` at the other end. Gives the leg, ms, from the tap to who answered and back. */
  answer(
    { there, back }: DatagramPath,
    ssrc: number,
    value: number,
    delay: number,
    timeUs: number,
  ): number | undefined {
    if (value === 0) return undefined
    const stamp = this.#stamps.peek(`${back} ${ssrc}`)?.find((one) => one.value === value)
    if (stamp === undefined) return undefined
    const ms = roundTripMs(timeUs - stamp.seenUs, delay)
    if (ms !== undefined) this.#legs.set(there, { ms, atUs: timeUs })
    return ms
  }

  /** Both legs, when both are known and fresh. */
  endToEndMs({ there, back }: DatagramPath, nowUs: number): number | undefined {
    const one = this.#leg(there, nowUs)
    const other = this.#leg(back, nowUs)
    return one === undefined || other === undefined ? undefined : one + other
  }

  #leg(path: string, nowUs: number): number | undefined {
    const leg = this.#legs.peek(path)
    return leg === undefined || nowUs - leg.atUs > MAX_AGE_US ? undefined : leg.ms
  }
}
