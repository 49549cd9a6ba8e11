import { rtp, udpFrame, type CapturedFrame, type Path } from './pcap-writer.ts'

/** Streams of RTP as they come through a network, from a seed. */

export const START_US = 1_750_000_000_000_000
const US_PER_MS = 1000
/** Mulberry32, by Tommy Ettinger (public domain). */
const STEP = 0x6d2b79f5

export interface StreamOptions {
  readonly packets?: number
  readonly payloadType?: number
  readonly clockRate?: number
  readonly packetMs?: number
  readonly ssrc?: number
  /** First sequence number and timestamp. */
  readonly number?: number
  readonly timestamp?: number
  readonly path?: Path
  /** When the first packet comes, after START_US. */
  readonly atMs?: number
  readonly jitterMs?: number
  /** Shares of the packets behind the third. */
  readonly lost?: number
  readonly copied?: number
  readonly late?: number
  readonly payloadOctets?: number
  /** What becomes of a packet; undefined when it is not sent. */
  readonly edit?: (packet: Buffer, index: number) => Buffer | undefined
}

/** In order of their times. */
export function rtpFrames(
  options: StreamOptions = {},
  random: () => number = seeded(1),
): CapturedFrame[] {
  const { packets = 200, payloadType = 0, clockRate = 8000, packetMs = 20, path = {} } = options
  const { ssrc = 0x11223344, number = 1000, timestamp = 5000, payloadOctets = 160 } = options
  const { atMs = 0, jitterMs = 3, lost = 0, copied = 0, late = 0 } = options
  const edit = options.edit ?? ((packet: Buffer) => packet)
  const frames: CapturedFrame[] = []
  for (let index = 0; index < packets; index++) {
    const isOdd = (share: number) => index > 2 && random() < share
    if (isOdd(lost)) continue
    const packet = edit(
      rtp({
        timeUs: 0,
        sequenceNumber: number + index,
        timestamp: timestamp + (index * packetMs * clockRate) / 1000,
        payloadType,
        ssrc,
        marker: index === 0,
        payload: Buffer.alloc(payloadOctets, 0xd5),
      }),
      index,
    )
    if (packet === undefined) continue
    const delayMs = random() * jitterMs + (isOdd(late) ? 2.5 * packetMs : 0)
    const ms = atMs + index * packetMs + delayMs
    const timeUs = START_US + Math.round(ms * US_PER_MS)
    frames.push({ timeUs, frame: udpFrame(packet, path) })
    if (isOdd(copied)) frames.push({ timeUs: timeUs + 50, frame: udpFrame(packet, path) })
  }
  return inOrder(frames)
}

export function inOrder(frames: readonly CapturedFrame[]): CapturedFrame[] {
  return [...frames].sort((a, b) => a.timeUs - b.timeUs)
}

/** Numbers of 0 to 1, the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + STEP) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
