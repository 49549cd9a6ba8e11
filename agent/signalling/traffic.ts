import { METHODS } from '../sip/names.ts'
import { Counters, type Counts } from './counters.ts'
import { Delays, type DelaySummary } from './delays.ts'
import { LANES, OTHER_PEER, directionOf, peerOf, type Direction } from './peers.ts'

/** What is counted per lane, as it is called on the wire. */
export const TRAFFIC_COUNTERS = [
  'messages',
  'tcp',
  'clear_text',
  'clear_credentials',
  'duplicated',
  'requests',
  'requests_invite',
  'requests_ack',
  'requests_bye',
  'requests_cancel',
  'requests_options',
  'requests_register',
  'requests_prack',
  'requests_update',
  'requests_info',
  'requests_message',
  'requests_notify',
  'requests_publish',
  'requests_refer',
  'requests_subscribe',
  'requests_other',
  'responses_1xx',
  'responses_2xx',
  'responses_3xx',
  'responses_4xx',
  'responses_5xx',
  'responses_6xx',
  'responses_401',
  'responses_403',
  'responses_404',
  'responses_408',
  'responses_481',
  'responses_482',
  'responses_488',
  'responses_500',
  'responses_503',
  'retransmitted_requests',
  'retransmitted_responses',
  'unanswered',
  'congestion',
  'evicted',
  'registration_attempts',
  'registration_ok',
  'registration_failed',
  'registration_timeouts',
  'registration_too_brief',
  'registration_abandoned',
  'session_attempts',
  'session_established',
  'session_redirected',
  'session_declined',
  'session_cancelled',
  'session_failed',
  'session_ineffective',
  'session_timeouts',
  'session_abandoned',
  'session_completed',
  'session_lost',
  'session_duration_sum_s',
  'disconnects',
  'disconnect_timeouts',
  'sessions_up',
  'sessions_setting_up',
  'nat_checked',
  'nat_damage',
  'nat_mixed',
  'spoofed',
  'identity_mismatch',
  'verstat_failed',
] as const
export type TrafficCounter = (typeof TRAFFIC_COUNTERS)[number]

/** RFC 6076: RRD, SRD of sessions established and of those that were not, SDD. */
export const DELAY_KINDS = ['registration', 'session', 'sessionFailed', 'disconnect'] as const
export type DelayKind = (typeof DELAY_KINDS)[number]

/** SIP with one peer in one direction over one interval. */
export interface TrafficRow {
  /** Undefined for all peers that are not told apart. */
  readonly target: string | undefined
  readonly direction: Direction
  /** Those that are not 0. */
  readonly counts: Counts<TrafficCounter>
  readonly delays: Readonly<Partial<Record<DelayKind, DelaySummary>>>
  /** User-Agent or Server of the peer, as it last said. */
  readonly server: string | undefined
}

/** Responses that are counted apart: the first of a group gives it its name. */
const RESPONSE_GROUPS: readonly (readonly [TrafficCounter, readonly number[]])[] = [
  ['responses_401', [401, 407]],
  ['responses_403', [403]],
  ['responses_404', [404, 410, 484, 485, 604]],
  ['responses_408', [408, 504]],
  ['responses_481', [481]],
  ['responses_482', [482, 483]],
  ['responses_488', [415, 488, 606]],
  ['responses_500', [500, 502, 580]],
  ['responses_503', [503]],
]
const STATUSES = 700
const PER_CLASS = 100
const NO_GROUP = -1

/** Counts and delays of every lane. */
export class Traffic {
  readonly #counters = new Counters(TRAFFIC_COUNTERS, LANES)
  readonly #delays = new Map<number, Delays>()
  /** By peer. */
  readonly #servers = new Map<number, string>()
  readonly #groups = new Int16Array(STATUSES).fill(NO_GROUP)
  readonly #messages = this.indexOf('messages')
  readonly #requests = this.indexOf('requests')
  readonly #firstMethod = this.indexOf('requests_invite')
  readonly #firstClass = this.indexOf('responses_1xx')

  constructor() {
    for (const [name, statuses] of RESPONSE_GROUPS)
      for (const status of statuses) this.#groups[status] = this.indexOf(name)
  }

  indexOf(name: TrafficCounter): number {
    return this.#counters.indexOf(name)
  }

  add(lane: number, index: number, count = 1): void {
    this.#counters.add(lane, index, count)
  }

  countRequest(lane: number, method: number): void {
    this.#counters.add(lane, this.#messages)
    this.#counters.add(lane, this.#requests)
    // The counters of methods stand in the order of METHODS, then that of all others.
    this.#counters.add(lane, this.#firstMethod + (method < 0 ? METHODS.length : method))
  }

  countResponse(lane: number, status: number): void {
    this.#counters.add(lane, this.#messages)
    this.#counters.add(lane, this.#firstClass + Math.floor(status / PER_CLASS) - 1)
    const group = this.#groups[status] ?? NO_GROUP
    if (group !== NO_GROUP) this.#counters.add(lane, group)
  }

  addDelay(lane: number, kind: DelayKind, delayUs: number): void {
    const key = lane * DELAY_KINDS.length + DELAY_KINDS.indexOf(kind)
    const known = this.#delays.get(key)
    if (known !== undefined) {
      known.add(delayUs)
      return
    }
    const delays = new Delays()
    delays.add(delayUs)
    this.#delays.set(key, delays)
  }

  setServer(peer: number, name: string): void {
    this.#servers.set(peer, name)
  }

  /** The rows of an interval, which end here; peers nobody shows become one. */
  take(nameOf: (peer: number) => string | undefined): readonly TrafficRow[] {
    for (let lane = 0; lane < LANES; lane++)
      if (nameOf(peerOf(lane)) === undefined) this.#moveToOther(lane)
    const rows: TrafficRow[] = []
    for (let lane = 0; lane < LANES; lane++) {
      const counts = this.#counters.of(lane)
      const delays = this.#takeDelays(lane)
      if (Object.keys(counts).length === 0) continue
      this.#counters.clear(lane)
      const peer = peerOf(lane)
      const direction = directionOf(lane)
      const server = peer === OTHER_PEER ? undefined : this.#servers.get(peer)
      rows.push({ target: nameOf(peer), direction, counts, delays, server })
    }
    return rows
  }

  /** These peers are gone; their numbers may soon be another's. */
  forget(peers: ReadonlySet<number>): void {
    for (const peer of peers) this.#servers.delete(peer)
  }

  #takeDelays(lane: number): TrafficRow['delays'] {
    const delays: Partial<Record<DelayKind, DelaySummary>> = {}
    DELAY_KINDS.forEach((kind, index) => {
      const summary = this.#delays.get(lane * DELAY_KINDS.length + index)?.take()
      if (summary !== undefined) delays[kind] = summary
    })
    return delays
  }

  #moveToOther(lane: number): void {
    const other = otherLane(lane)
    if (lane === other) return
    this.#counters.move(lane, other)
    DELAY_KINDS.forEach((_, index) => {
      const own = this.#delays.get(lane * DELAY_KINDS.length + index)
      if (own === undefined) return
      this.#delays.delete(lane * DELAY_KINDS.length + index)
      const key = other * DELAY_KINDS.length + index
      const theirs = this.#delays.get(key)
      if (theirs === undefined) this.#delays.set(key, own)
      else theirs.addAll(own)
    })
  }
}

/** The lane of the same direction of all peers that are not told apart. */
export function otherLane(lane: number): number {
  return lane & 1
}
