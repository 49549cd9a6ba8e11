import type { Round, RoundsMemory, Stream, StreamInterval } from './round.ts'

/**
 * Gathers the intervals of a path's streams into rounds, each interval of each stream in exactly one. Agents end their intervals at
 * different moments and send hundreds of streams in several batches, so a round is closed when every stream of the last round has
 * reported again, and not at each batch: judging half of a batch, or the same time twice, would be judging something else.
 */

/** An agent that has sent something for the round is not waited for when it has been quiet for this long. */
const QUIET_US = 500_000
/** An agent that has sent nothing for the round is waited for until this long after its interval should have arrived. */
const OVERDUE_US = 2_000_000
/** What ends at most this share of an interval after the last round belongs to that round and came too late for it. */
const STRAGGLER_SHARE = 0.25
/** A second interval may overlap the first by less than half of the shorter; more means that it is the same one, sent again. */
const SAME_SHARE = 0.5
/** A stream that said nothing for this long, not even that it ended, is forgotten. */
const LOST_US = 60_000_000

interface Observer {
  /** Streams of the last round that are still alive. */
  awaited: number
  reported: number
  round: number
  lastArrivalUs: number
  intervalUs: number
  drops: number
  /** After a restart: end of what had been counted before. */
  countedUs: number
}

/** More streams than this are not kept through a restart; they lose one interval of judgement. */
const MAX_REMEMBERED = 2000

export class PathRounds {
  readonly streams = new Map<string, Stream>()
  readonly #observers = new Map<string, Observer>()
  #round = 1
  #isOpen = false
  #members: Stream[] = []
  #startUs = Infinity
  #endUs = -Infinity
  #intervalUs = 0
  #jitterMs = -1
  #roundTripMs = -1
  #arrivalUs = 0
  #coveredUntilUs = -Infinity
  #isEndExplicit = false

  constructor(memory?: RoundsMemory) {
    if (memory === undefined) return
    this.#coveredUntilUs = memory.coveredUs ?? -Infinity
    for (const point of memory.open) this.add(point, point.endUs)
    for (const [agent, countedUs] of memory.observers) this.#observer(agent).countedUs = countedUs
  }

  /** Whether every stream of the path has said that it ended. */
  get isOver(): boolean {
    return this.streams.size === 0 && this.#members.length === 0 && this.#isEndExplicit
  }

  get isEmpty(): boolean {
    return this.streams.size === 0 && this.#members.length === 0
  }

  get endUs(): number {
    return this.#coveredUntilUs
  }

  /** False for what has been counted already: a point sent again, or one that came after its successor. */
  isNew({ key, agent, endUs, intervalUs }: StreamInterval): boolean {
    const stream = this.streams.get(key)
    // The first counts after an outage come in an interval that reaches back over those in which nothing was counted.
    if (stream !== undefined)
      return endUs > stream.endUs + Math.min(intervalUs, stream.intervalUs) * SAME_SHARE
    const countedUs = this.#observers.get(agent)?.countedUs ?? -Infinity
    return endUs > countedUs + intervalUs * STRAGGLER_SHARE
  }

  /** Whether the stream is in the round already, so that the round has to be closed before add(). */
  isTaken(key: string): boolean {
    return this.streams.get(key)?.round === this.#round
  }

  add(point: StreamInterval, arrivalUs: number): void {
    const observer = this.#observer(point.agent)
    const stream = this.#stream(point)
    const isAwaited = stream.round === this.#round - 1
    const isStraggler =
      !this.#isOpen &&
      !isAwaited &&
      point.endUs <= this.#coveredUntilUs + point.intervalUs * STRAGGLER_SHARE
    if (stream.pooledRound !== this.#round) {
      stream.pooledRound = this.#round
      stream.expected = 0
      stream.lost = 0
      this.#members.push(stream)
    }
    stream.expected += point.expected
    stream.lost += point.lost
    stream.endUs = point.endUs
    stream.intervalUs = point.intervalUs
    stream.isEnded = point.isEnded
    this.#startUs = Math.min(this.#startUs, point.endUs - point.intervalUs)
    this.#endUs = Math.max(this.#endUs, point.endUs)
    this.#intervalUs = Math.max(this.#intervalUs, point.intervalUs)
    this.#jitterMs = Math.max(this.#jitterMs, point.jitterMs)
    this.#roundTripMs = Math.max(this.#roundTripMs, point.roundTripMs)
    this.#arrivalUs = arrivalUs
    observer.drops = Math.max(observer.drops, point.drops)
    observer.intervalUs = point.intervalUs
    observer.lastArrivalUs = arrivalUs
    if (isStraggler) {
      stream.round = this.#round - 1
      observer.awaited++
      return
    }
    if (isAwaited) observer.reported++
    stream.round = this.#round
    observer.round = this.#round
    this.#isOpen = true
  }

  /** Whether every stream that was awaited has reported. */
  isComplete(): boolean {
    if (!this.#isOpen) return false
    for (const { awaited, reported } of this.#observers.values())
      if (reported < awaited) return false
    return true
  }

  /** Whether waiting any longer is in vain. */
  isDue(nowUs: number): boolean {
    if (!this.#isOpen)
      return this.#members.length > 0 && nowUs > this.#arrivalUs + this.#intervalUs + OVERDUE_US
    for (const observer of this.#observers.values()) {
      if (observer.reported >= observer.awaited) continue
      const waitUs = observer.round === this.#round ? QUIET_US : observer.intervalUs + OVERDUE_US
      if (nowUs < observer.lastArrivalUs + waitUs) return false
    }
    return true
  }

  /** Ends the round, if anything is in it. What it returns is valid until the next add(). */
  close(): Round | undefined {
    if (this.#members.length === 0) return undefined
    const shares = this.#observers.size > 1 ? eachOnce(this.#members) : this.#members
    const spanUs = this.#endUs - Math.max(this.#startUs, this.#coveredUntilUs)
    const jitterMs = this.#jitterMs < 0 ? undefined : this.#jitterMs
    const roundTripMs = this.#roundTripMs < 0 ? undefined : this.#roundTripMs
    const round = {
      startUs: this.#startUs,
      endUs: this.#endUs,
      intervalUs: this.#intervalUs,
      coveredUs: Math.min(Math.max(spanUs, 0), this.#intervalUs),
      expected: shares.reduce((total, { expected }) => total + expected, 0),
      lost: shares.reduce((total, { lost }) => total + lost, 0),
      drops: this.#drops(shares),
      shares,
      jitterMs,
      roundTripMs,
    }
    this.#coveredUntilUs = Math.max(this.#coveredUntilUs, this.#endUs)
    this.#startNext()
    return round
  }

  /** Forgets streams that vanished without a word. */
  sweep(nowUs: number): void {
    for (const stream of this.streams.values()) {
      if (stream.endUs > nowUs - LOST_US || stream.pooledRound === this.#round) continue
      this.streams.delete(stream.key)
      this.#isEndExplicit = false
    }
    if (this.streams.size === 0 && this.#members.length === 0) this.#observers.clear()
  }

  /** Forgets its oldest stream; false when there is none. */
  evictOldest(): boolean {
    for (const key of this.streams.keys()) {
      this.#isEndExplicit = false
      return this.streams.delete(key)
    }
    return false
  }

  get memory(): RoundsMemory {
    const observers = new Map<string, number>()
    for (const [agent, { countedUs }] of this.#observers)
      if (Number.isFinite(countedUs)) observers.set(agent, countedUs)
    for (const { agent, endUs } of this.streams.values())
      observers.set(agent, Math.max(observers.get(agent) ?? -Infinity, endUs))
    const open = this.#members.slice(0, MAX_REMEMBERED).map((stream) => ({
      key: stream.key,
      label: stream.label,
      agent: stream.agent,
      identity: stream.identity,
      endUs: stream.endUs,
      intervalUs: stream.intervalUs,
      expected: stream.expected,
      lost: stream.lost,
      drops: this.#observers.get(stream.agent)?.drops ?? 0,
      jitterMs: this.#jitterMs,
      roundTripMs: this.#roundTripMs,
      isEnded: stream.isEnded,
    }))
    const covered = Number.isFinite(this.#coveredUntilUs) ? { coveredUs: this.#coveredUntilUs } : {}
    return { ...covered, observers: [...observers], open }
  }

  #startNext(): void {
    for (const observer of this.#observers.values()) {
      observer.awaited = 0
      observer.reported = 0
      observer.drops = 0
    }
    for (const stream of this.#members) {
      if (stream.isEnded) {
        this.streams.delete(stream.key)
        this.#isEndExplicit = true
        continue
      }
      stream.round = this.#round
      const observer = this.#observers.get(stream.agent)
      if (observer !== undefined) observer.awaited++
    }
    this.#members = []
    this.#isOpen = false
    this.#startUs = Infinity
    this.#endUs = -Infinity
    this.#intervalUs = 0
    this.#jitterMs = -1
    this.#roundTripMs = -1
    this.#round++
  }

  #drops(shares: readonly Stream[]): number {
    let drops = 0
    const seen = new Set<string>()
    for (const { agent } of shares) {
      if (seen.has(agent)) continue
      seen.add(agent)
      drops += this.#observers.get(agent)?.drops ?? 0
    }
    return drops
  }

  #observer(agent: string): Observer {
    const known = this.#observers.get(agent)
    if (known !== undefined) return known
    const observer = { ...NEW_OBSERVER }
    this.#observers.set(agent, observer)
    return observer
  }

  #stream({ key, label, agent, identity }: StreamInterval): Stream {
    const known = this.streams.get(key)
    if (known !== undefined) return known
    const stream = { key, label: copyOf(label), agent, identity, ...NEW_STREAM }
    this.streams.set(key, stream)
    return stream
  }
}

/** A string of its own: one made of slices of a batch would keep the whole batch in memory for as long as the stream lives. */
function copyOf(text: string): string {
  return text.split('').join('')
}

const NEW_OBSERVER: Observer = {
  awaited: 0,
  reported: 0,
  round: 0,
  lastArrivalUs: -Infinity,
  intervalUs: 0,
  drops: 0,
  countedUs: -Infinity,
}

const NEW_STREAM = {
  expected: 0,
  lost: 0,
  endUs: -Infinity,
  intervalUs: 0,
  round: -1,
  pooledRound: -1,
  isEnded: false,
  pending: -1,
  sinceExpected: 0,
  sinceLost: 0,
}

/** Of a stream seen by several agents at the same place, the observer who saw most of it: a packet seen by anyone was not lost before. */
function eachOnce(members: readonly Stream[]): readonly Stream[] {
  const best = new Map<string, Stream>()
  for (const stream of members) {
    const id = stream.identity
    const other = best.get(id)
    // The same agent seeing an SSRC twice sees two streams.
    if (other === undefined) best.set(id, stream)
    else if (other.agent === stream.agent) best.set(`${id} ${stream.key}`, stream)
    else if (stream.expected - stream.lost > other.expected - other.lost) best.set(id, stream)
  }
  return [...best.values()]
}
