import { AUDIO, payloadKind, staticPayload, type Payload } from '../rtp/payload.ts'
import { tickUs } from '../rtp/jitter.ts'
import { forgetProbation, type Probation } from '../rtp/probation.ts'
import type { MediaDescription } from './media-table.ts'

/** Numbers that RTCP takes on a shared port (RFC 5761 section 4): RTP only where signalling says so. */
const FIRST_RTCP_TYPE = 64
const LAST_RTCP_TYPE = 95

/** What is known of a stream, or a source that may become one, besides its reception. */
export interface WatchedStream extends Probation {
  /** What its audio is numbered and called; undefined where nobody told. */
  payloadType: number
  payload: Payload | undefined
  /** Of this payload type: the kind of its packets, and the length of a tick, 0 where the clock is unknown. */
  kind: number
  usPerTick: number
  dscp: number
  /** Never reported before. */
  isNew: boolean
  /** Silent for so long that its last row was given; it is remembered for a while, as it may come back. */
  isResting: boolean
  /** Packets in sequence that this source must show. */
  minSequential: number
  /** What its receiver announced, what its sender did, and the version of the table that said so. */
  toward: MediaDescription | undefined
  from: MediaDescription | undefined
  mediaVersion: number
  /** Another call has taken over an address: nobody knows any more how ours goes on. */
  isReplaced: boolean
  /** When its sender said good-bye in RTCP; Infinity when it did not. */
  leftUs: number
  /** SRTP, by the size of the packets. */
  isEncrypted: boolean | undefined
  /** Steps of its silence reported so far, and the packet before it. */
  stallSteps: number
  silentSinceUs: number
  /** On probation: the stream that it may be, come from another address; or undefined. */
  successor: Successor | undefined
}

/** A source that may be a stream known already, seen from a new address: its first packet waits for the second. */
export interface Successor {
  readonly of: number
  /** Newest packet of that stream when this one began. */
  readonly lastArrivalUs: number
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly arrivalUs: number
  readonly octets: number
  readonly marker: boolean
}

export function newWatchedStream(): WatchedStream {
  return {
    payloadType: 0,
    payload: undefined,
    kind: AUDIO,
    usPerTick: 0,
    dscp: 0,
    isNew: true,
    isResting: false,
    minSequential: 1,
    toward: undefined,
    from: undefined,
    mediaVersion: 0,
    isReplaced: false,
    leftUs: Infinity,
    isEncrypted: undefined,
    stallSteps: 0,
    silentSinceUs: 0,
    successor: undefined,
    remaining: 0,
    steps: 0,
    packets: 0,
    highest: 0,
    seen: 0,
    timestamp: 0,
    ticks: 0,
    triedType: 0,
    oddities: 0,
  }
}

/** For another source: nothing of the one before stays. */
export function beginWatching(watched: WatchedStream, minSequential: number): void {
  watched.isNew = true
  watched.isResting = false
  watched.minSequential = minSequential
  watched.remaining = minSequential
  forgetProbation(watched)
  watched.toward = undefined
  watched.from = undefined
  watched.isReplaced = false
  watched.leftUs = Infinity
  watched.isEncrypted = undefined
  watched.stallSteps = 0
  watched.successor = undefined
}

/**
 * What a payload type means on the way to this receiver: what the receiver announced (RFC 3264 section 5.1), else what the sender did,
 * who prefers to send what it wants to get, else RFC 3551.
 */
export function payloadOf(
  payloadType: number,
  toward: MediaDescription | undefined,
  from: MediaDescription | undefined,
): Payload | undefined {
  return (
    toward?.payloads.get(payloadType) ??
    from?.payloads.get(payloadType) ??
    staticPayload(payloadType)
  )
}

/** The stream sends this from now on. */
export function setPayload(
  state: WatchedStream,
  payloadType: number,
  payload: Payload | undefined,
): void {
  state.payloadType = payloadType
  state.payload = payload
  state.kind = payload === undefined ? AUDIO : payloadKind(payload.name)
  const isMeasured = payload !== undefined && state.kind === AUDIO
  state.usPerTick = isMeasured ? tickUs(payload.clockRate) : 0
}

/** Whether signalling or RTCP give a reason for silence, or cannot tell. */
export function mayBeSilent(stream: WatchedStream): boolean {
  const { toward, from, isReplaced } = stream
  const mayPause = (toward ?? from)?.mayPause === true
  return isReplaced || mayPause || toward?.isOnHold === true || isLeaving(stream)
}

/** Whether nothing more is to come. */
export function isLeaving({ toward, from, leftUs }: WatchedStream): boolean {
  return leftUs < Infinity || toward?.isEnded === true || from?.isEnded === true
}

export function isRtcpType(payloadType: number): boolean {
  return payloadType >= FIRST_RTCP_TYPE && payloadType <= LAST_RTCP_TYPE
}
