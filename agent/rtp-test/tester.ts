import { percentile } from '../rtp/percentile.ts'
import {
  decodePacket,
  encodePacket,
  looksLikeOurs,
  type Challenge,
  type Echo,
  type ForwardCounts,
} from './packet.ts'
import { TestReception } from './reception.ts'
import type { Seal } from './seal.ts'

/** How often we knock while nothing comes back. */
const KNOCK_EVERY_US = 1_000_000
/** Round trips kept for the median: the newest of an interval. */
const MAX_ROUND_TRIPS = 8192
const MAX_SEQUENCE = 0xffff_ffff
const MEDIAN = 0.5
const US_PER_MS = 1000

export interface TesterOptions {
  readonly seal: Seal
  /** Size of the RTP packets, header included. */
  readonly packetBytes: number
  /** Random octets for the name of a session. */
  readonly newSession: () => Uint8Array
}

/** What one direction did since it was judged last. Numbers not seen yet but still to come are not judged. */
export interface DirectionCounts {
  readonly expected: number
  /** Duplicates included. */
  readonly received: number
  /** Below 0 when a packet came late that was counted as lost before. */
  readonly lostUnique: number
  readonly duplicates: number
  readonly reordered: number
  readonly jitterMs: number
  readonly jitterMaxMs: number
}

export interface TestInterval {
  readonly sent: number
  /** A packet of the stream came back. If none did, nobody can say in which direction they were lost, and nothing is judged. */
  readonly answered: boolean
  /** The reflector gave a cookie: it is there, whether or not it sends anything back. */
  readonly challenged: boolean
  readonly forward?: DirectionCounts | undefined
  readonly return?: DirectionCounts | undefined
  /** Median and longest, without the reflector's own time. */
  readonly roundTripMs?: number | undefined
  readonly roundTripMaxMs?: number | undefined
  /** Time the counts cover: longer than the interval when they make up for intervals without an answer. */
  readonly coveredMs: number
}

interface Totals {
  readonly expected: number
  readonly received: number
  readonly unique: number
  readonly duplicates: number
  readonly reordered: number
}

const ZERO: Totals = { expected: 0, received: 0, unique: 0, duplicates: 0, reordered: 0 }

/**
 * The sending end of a test stream. A session begins with a hello, gets a cookie and then sends numbered probes at the caller's
 * pace; every echo brings the reflector's counts of the way there and carries a number of its own for the way back. The session is
 * kept through an outage, so that what was lost, and in which direction, is known exactly once an echo comes through again.
 */
export class Tester {
  readonly #options: TesterOptions
  #session: Uint8Array
  #cookie: Uint8Array | undefined
  #nextSequence = 0
  #beganUs: number
  #lastHeardUs = -Infinity
  #lastKnockUs = -Infinity
  #knocks = 0
  /** The first knock after probes had been sent: only an answer to that or a later one can say "I do not know you". */
  #knockWithProbes = Infinity

  #back = new TestReception()
  #forth: ForwardCounts | undefined
  #forthSequence = -1
  /** Totals already reported of this session, by direction. */
  #forthBefore = ZERO
  #backBefore = ZERO
  /** Totals of sessions that ended within the interval, not reported yet. */
  #forthEnded = ZERO
  #backEnded = ZERO

  #sent = 0
  #answered = false
  #challenged = false
  #forthJitterMaxMs = 0
  #backJitterMaxMs = 0
  #roundTripsUs = new Float64Array(MAX_ROUND_TRIPS)
  #roundTrips = 0
  #unjudgedMs = 0

  constructor(options: TesterOptions, nowUs: number) {
    this.#options = options
    this.#session = options.newSession()
    this.#beganUs = nowUs
  }

  /** How long nothing of this session has come back. */
  silentUs(nowUs: number): number {
    return nowUs - Math.max(this.#beganUs, this.#lastHeardUs)
  }

  /** What to send now; to be called once per packet time. */
  packetsDue(nowUs: number): readonly Uint8Array[] {
    if (this.#nextSequence > MAX_SEQUENCE) this.renew(nowUs)
    const due: Uint8Array[] = []
    if (this.#cookie !== undefined) {
      const probe = { session: this.#session, cookie: this.#cookie, sequence: this.#nextSequence++ }
      due.push(this.#seal({ kind: 'probe', ...probe, sentUs: nowUs }, nowUs))
    }
    const unheard = this.#cookie === undefined || this.silentUs(nowUs) >= KNOCK_EVERY_US
    if (unheard && nowUs - this.#lastKnockUs >= KNOCK_EVERY_US) {
      this.#lastKnockUs = nowUs
      this.#knocks++
      if (this.#nextSequence > 0)
        this.#knockWithProbes = Math.min(this.#knockWithProbes, this.#knocks)
      due.push(this.#seal({ kind: 'hello', session: this.#session, number: this.#knocks }, nowUs))
    }
    this.#sent += due.length
    return due
  }

  /** Takes in a datagram; what the reflector did not seal for this session is nothing. */
  receive(datagram: Uint8Array, nowUs: number): void {
    if (!looksLikeOurs(datagram) || !this.#options.seal.verify(datagram)) return
    const packet = decodePacket(datagram)
    if (packet === undefined || !sameBytes(packet.session, this.#session)) return
    if (packet.kind === 'challenge') this.#takeChallenge(packet, nowUs)
    else if (packet.kind === 'echo') this.#takeEcho(packet, nowUs)
  }

  /** Begins a session anew; what is unanswered of the old one stays unknown. */
  renew(nowUs: number): void {
    this.#forthEnded = sum(this.#forthEnded, difference(this.#forthTotals(), this.#forthBefore))
    this.#backEnded = sum(this.#backEnded, difference(this.#backTotals(), this.#backBefore))
    this.#forthBefore = this.#backBefore = ZERO
    this.#session = this.#options.newSession()
    this.#cookie = undefined
    this.#nextSequence = 0
    this.#beganUs = nowUs
    this.#lastHeardUs = -Infinity
    this.#lastKnockUs = -Infinity
    this.#knockWithProbes = Infinity
    this.#back = new TestReception()
    this.#forth = undefined
    this.#forthSequence = -1
    this.#unjudgedMs = 0
  }

  /** The interval since the last call. */
  takeInterval(durationMs: number): TestInterval {
    const forth = sum(this.#forthEnded, difference(this.#forthTotals(), this.#forthBefore))
    const back = sum(this.#backEnded, difference(this.#backTotals(), this.#backBefore))
    const judged = this.#answered && forth.expected + back.expected + forth.received > 0
    const roundTripsUs = this.#roundTripsUs
      .slice(0, Math.min(this.#roundTrips, MAX_ROUND_TRIPS))
      .sort()
    const interval: TestInterval = {
      sent: this.#sent,
      answered: this.#answered,
      challenged: this.#challenged,
      forward: judged
        ? toCounts(forth, this.#forth?.jitterMs ?? this.#forthJitterMaxMs, this.#forthJitterMaxMs)
        : undefined,
      return: judged ? toCounts(back, this.#back.jitterMs, this.#backJitterMaxMs) : undefined,
      roundTripMs: toMs(percentile(roundTripsUs, MEDIAN)),
      roundTripMaxMs: toMs(roundTripsUs.at(-1)),
      coveredMs: judged ? durationMs + this.#unjudgedMs : durationMs,
    }
    this.#unjudgedMs = judged ? 0 : this.#unjudgedMs + durationMs
    if (judged) {
      this.#forthBefore = this.#forthTotals()
      this.#backBefore = this.#backTotals()
      this.#forthEnded = this.#backEnded = ZERO
    }
    this.#sent = 0
    this.#answered = this.#challenged = false
    this.#forthJitterMaxMs = this.#backJitterMaxMs = 0
    this.#roundTrips = 0
    return interval
  }

  #takeChallenge({ cookie, number, known }: Challenge, nowUs: number): void {
    this.#challenged = true
    if (this.#nextSequence === 0) {
      this.#cookie = cookie
      return
    }
    // The reflector has been restarted, or has forgotten us: its counts begin anew, and so must ours.
    if (!known && number >= this.#knockWithProbes && this.#lastHeardUs < this.#lastKnockUs) {
      this.renew(nowUs)
    }
  }

  #takeEcho(echo: Echo, nowUs: number): void {
    if (this.#back.take(echo.ownSequence, echo.answeredUs, nowUs) !== 'new') return
    this.#answered = true
    this.#lastHeardUs = nowUs
    this.#knockWithProbes = Infinity
    if (echo.ownSequence > this.#forthSequence) {
      this.#forthSequence = echo.ownSequence
      this.#forth = echo
    }
    this.#forthJitterMaxMs = Math.max(this.#forthJitterMaxMs, echo.jitterMs)
    this.#backJitterMaxMs = Math.max(this.#backJitterMaxMs, this.#back.jitterMs)
    const roundTripUs = nowUs - echo.sentUs - (echo.answeredUs - echo.receivedUs)
    if (roundTripUs >= 0) this.#roundTripsUs[this.#roundTrips++ % MAX_ROUND_TRIPS] = roundTripUs
  }

  #forthTotals(): Totals {
    return this.#forth === undefined ? ZERO : toTotals(this.#forth)
  }

  #backTotals(): Totals {
    return toTotals(this.#back)
  }

  #seal(packet: Parameters<typeof encodePacket>[0], nowUs: number): Uint8Array {
    return this.#options.seal.sign(encodePacket(packet, this.#options.packetBytes, nowUs))
  }
}

function toTotals(counts: Omit<ForwardCounts, 'jitterMs'>): Totals {
  const { highest, received, unique, duplicates, reordered } = counts
  return { expected: highest + 1, received, unique, duplicates, reordered }
}

function sum(a: Totals, b: Totals): Totals {
  return {
    expected: a.expected + b.expected,
    received: a.received + b.received,
    unique: a.unique + b.unique,
    duplicates: a.duplicates + b.duplicates,
    reordered: a.reordered + b.reordered,
  }
}

function difference(now: Totals, before: Totals): Totals {
  return {
    expected: now.expected - before.expected,
    received: now.received - before.received,
    unique: now.unique - before.unique,
    duplicates: now.duplicates - before.duplicates,
    reordered: now.reordered - before.reordered,
  }
}

function toCounts(totals: Totals, jitterMs: number, jitterMaxMs: number): DirectionCounts {
  const { expected, received, unique, duplicates, reordered } = totals
  return {
    expected,
    received,
    lostUnique: expected - unique,
    duplicates,
    reordered,
    jitterMs,
    jitterMaxMs,
  }
}

function toMs(durationUs: number | undefined): number | undefined {
  return durationUs === undefined ? undefined : durationUs / US_PER_MS
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}
