import { copyOf } from './copy-of.ts'
import { eachOnce } from './observers.ts'
import {
  NO_SAMPLE,
  sampleOf,
  type Round,
  type RoundsMemory,
  type Stream,
  type StreamInterval,
  type TapShare,
} from './round.ts'

/**
 * Gathers the intervals of a path's streams into rounds, each interval of each stream in exactly one. Agents end their intervals at
 * different moments and send hundreds of streams in several batches, so a round is closed when every stream of the last round has
 * reported again, and not at each batch: judging half of a batch, or the same time twice, would be judging something else.
 */

/** An observer, a tap of an agent, that has sent something for the round is not waited for when it has been quiet for this long. */
const QUIET_US = 500_000
/** An observer that has sent nothing for the round is waited for until this long after its interval should have arrived. */
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
    for (const [name, countedUs] of memory.observers) this.#observer(name).countedUs = countedUs
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
  isNew({ key, observer, endUs, intervalUs }: StreamInterval): boolean {
    const newest = this.streams.get(key)?.newest
    // The first counts after an outage come in an interval that reaches back over those in which nothing was counted.
    if (newest !== undefined)
      return endUs > newest.endUs + Math.min(intervalUs, newest.intervalUs) * SAME_SHARE
    const countedUs = this.#observers.get(observer)?.countedUs ?? -Infinity
    return endUs > countedUs + intervalUs * STRAGGLER_SHARE
  }

  /** Whether the stream is in the round already, so that the round has to be closed before add(). */
  isTaken(key: string): boolean {
    return this.streams.get(key)?.round === this.#round
  }

  add(point: StreamInterval, arrivalUs: number): void {
    const observer = this.#observer(point.observer)
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
    stream.newest = sampleOf(point)
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
    const taps = this.#taps(shares)
    const spanUs = this.#endUs - Math.max(this.#startUs, this.#coveredUntilUs)
    const jitterMs = this.#jitterMs < 0 ? undefined : this.#jitterMs
    const roundTripMs = this.#roundTripMs < 0 ? undefined : this.#roundTripMs
    const round = {
      startUs: this.#startUs,
      endUs: this.#endUs,
      intervalUs: this.#intervalUs,
      coveredUs: Math.min(Math.max(spanUs, 0), this.#intervalUs),
      expected: sumOf(shares, 'expected'),
      lost: sumOf(shares, 'lost'),
      drops: sumOf(taps, 'drops'),
      shares,
      taps,
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
      if (stream.newest.endUs > nowUs - LOST_US || stream.pooledRound === this.#round) continue
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
    for (const [name, { countedUs }] of this.#observers)
      if (Number.isFinite(countedUs)) observers.set(name, countedUs)
    for (const { observer, newest } of this.streams.values())
      observers.set(observer, Math.max(observers.get(observer) ?? -Infinity, newest.endUs))
    const open = this.#members.slice(0, MAX_REMEMBERED).map((stream) => ({
      ...stream.newest,
      key: stream.key,
      label: stream.label,
      agent: stream.agent,
      observer: stream.observer,
      identity: stream.identity,
      expected: stream.expected,
      lost: stream.lost,
      drops: this.#observers.get(stream.observer)?.drops ?? 0,
      jitterMs: this.#jitterMs,
      roundTripMs: this.#roundTripMs,
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
      if (stream.newest.isEnded) {
        this.streams.delete(stream.key)
        this.#isEndExplicit = true
        continue
      }
      stream.round = this.#round
      const observer = this.#observers.get(stream.observer)
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

  /** The sums of each tap that saw something of it; its drops once, however many streams carry them. */
  #taps(shares: readonly Stream[]): readonly TapShare[] {
    const taps = new Map<string, { -readonly [Figure in keyof TapShare]: TapShare[Figure] }>()
    for (const { agent, observer, expected, lost } of shares) {
      let tap = taps.get(observer)
      if (tap === undefined) {
        const drops = this.#observers.get(observer)?.drops ?? 0
        tap = { agent, observer, expected: 0, lost: 0, drops }
        taps.set(observer, tap)
      }
      tap.expected += expected
      tap.lost += lost
    }
    return [...taps.values()]
  }

  #observer(name: string): Observer {
    const known = this.#observers.get(name)
    if (known !== undefined) return known
    const observer = { ...NEW_OBSERVER }
    this.#observers.set(name, observer)
    return observer
  }

  #stream(point: StreamInterval): Stream {
    const known = this.streams.get(point.key)
    if (known !== undefined) return known
    const { key, agent, observer, identity } = point
    const stream: Stream = {
      key,
      label: copyOf(point.label),
      agent,
      observer,
      identity,
      expected: 0,
      lost: 0,
      newest: NO_SAMPLE,
      round: -1,
      pooledRound: -1,
      pending: -1,
      sinceExpected: 0,
      sinceLost: 0,
    }
    this.streams.set(key, stream)
    return stream
  }
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

function sumOf<Figure extends string>(
  of: readonly Readonly<Record<Figure, number>>[],
  figure: Figure,
): number {
  return of.reduce((total, one) => total + one[figure], 0)
}
