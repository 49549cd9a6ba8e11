import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  CHALLENGE_BYTES,
  COOKIE_BYTES,
  decodePacket,
  encodePacket,
  looksLikeOurs,
  type Hello,
  type TestProbe,
} from './packet.ts'
import { TestReception } from './reception.ts'
import type { Seal } from './seal.ts'
import { TokenBucket } from './token-bucket.ts'

/**
 * A cookie opens a session for so long, a session lives longer than that without packets, and is not given up for a newcomer
 * before: so a recorded first packet can never open a session a second time.
 */
const COOKIE_LIFE_US = 10_000_000
const YIELDING_AFTER_US = 30_000_000
const IDLE_LIFE_US = 90_000_000
/** Challenges go to addresses not proven yet: few, and seldom to the same. */
const CHALLENGES_PER_S = 20
const CHALLENGE_GAP_US = 200_000
const MAX_CHALLENGED = 1024
/** A second's worth at once: what a stall of the network or of ours piles up. */
const BURST_S = 1
const COOKIE_TIME_BYTES = 4
const US_PER_MS = 1000
const UINT32 = 0x1_0000_0000

export interface ReflectorOptions {
  readonly seal: Seal
  /** Known to this reflector alone and new at every start: cookies of an earlier life mean nothing. */
  readonly secret: Uint8Array
  readonly maxSenders: number
  /** Answers per second, to one sender and to all. */
  readonly maxRate: number
  readonly maxTotalRate: number
}

/** What happened since it was asked last. */
export interface ReflectorCounts {
  readonly senders: number
  /** Packets of sessions, duplicates included. */
  readonly received: number
  readonly reflected: number
  readonly challenged: number
  /** Not ours, wrong key, no valid cookie, too old. */
  readonly ignored: number
  /** Counted but not answered: beyond a rate. */
  readonly limited: number
  /** Testers turned away because there were too many. */
  readonly refused: number
}

interface Session {
  readonly id: string
  readonly cookieMs: number
  readonly reception: TestReception
  readonly bucket: TokenBucket
  nextSequence: number
  lastSeenUs: number
}

const NOTHING = { received: 0, reflected: 0, challenged: 0, ignored: 0, limited: 0, refused: 0 }

/**
 * Sends test packets back to where they came from: only packets sealed with the shared key, and only to addresses that have shown,
 * by returning a cookie, that they receive what is sent to them. One answer at most to a packet, never larger than the packet; what
 * does not fit is ignored in silence. No clock is compared with another agent's.
 */
export class Reflector {
  readonly #options: ReflectorOptions
  readonly #sessions = new Map<string, Session>()
  readonly #challengedUs = new Map<string, number>()
  readonly #challenges: TokenBucket
  readonly #total: TokenBucket
  #counts = NOTHING

  constructor(options: ReflectorOptions, nowUs: number) {
    this.#options = options
    this.#challenges = new TokenBucket(CHALLENGES_PER_S, CHALLENGES_PER_S, nowUs)
    this.#total = new TokenBucket(options.maxTotalRate, options.maxTotalRate * BURST_S, nowUs)
  }

  /**
   * The answer to a datagram, if it gets one.
   * @param from address and port, in any form that is always the same
   * @param clockUs monotonic; asked again when the answer is ready, to leave our own time out of the round trip
   */
  answer(datagram: Uint8Array, from: string, clockUs: () => number): Uint8Array | undefined {
    const nowUs = clockUs()
    const { seal } = this.#options
    const packet =
      looksLikeOurs(datagram) && seal.verify(datagram) ? decodePacket(datagram) : undefined
    if (packet?.kind === 'hello') return this.#challenge(packet, from, nowUs)
    if (packet?.kind === 'probe') return this.#echo(packet, datagram.length, from, nowUs, clockUs)
    this.#count('ignored')
    return undefined
  }

  /** The counts since the last call; forgets sessions that have gone quiet. */
  takeCounts(nowUs: number): ReflectorCounts {
    for (const [from, { lastSeenUs }] of this.#sessions) {
      if (nowUs - lastSeenUs > IDLE_LIFE_US) this.#sessions.delete(from)
    }
    const counts = { senders: this.#sessions.size, ...this.#counts }
    this.#counts = NOTHING
    return counts
  }

  #challenge(hello: Hello, from: string, nowUs: number): Uint8Array | undefined {
    const { session, number } = hello
    const lastUs = this.#challengedUs.get(from) ?? -Infinity
    if (nowUs - lastUs < CHALLENGE_GAP_US || !this.#challenges.take(nowUs)) {
      this.#count('limited')
      return undefined
    }
    if (this.#challengedUs.size >= MAX_CHALLENGED) this.#challengedUs.clear()
    this.#challengedUs.set(from, nowUs)
    this.#count('challenged')
    const known = this.#sessions.get(from)?.id === idOf(session)
    const cookie = this.#bake(Math.floor(nowUs / US_PER_MS) % UINT32, session, from)
    const packet = { kind: 'challenge', session, cookie, number, known } as const
    return this.#options.seal.sign(encodePacket(packet, CHALLENGE_BYTES, nowUs))
  }

  #echo(
    { session: id, cookie, sequence, sentUs }: TestProbe,
    size: number,
    from: string,
    receivedUs: number,
    clockUs: () => number,
  ): Uint8Array | undefined {
    const known = this.#sessions.get(from)
    const session =
      known?.id === idOf(id) ? known : this.#admit(id, cookie, known, from, receivedUs)
    if (session === undefined) return undefined
    const { reception, bucket } = session
    const arrival = reception.take(sequence, sentUs, receivedUs)
    if (arrival === 'too-old') {
      this.#count('ignored')
      return undefined
    }
    this.#count('received')
    session.lastSeenUs = receivedUs
    // A second answer to one packet, whether the network or an attacker doubled it, would be an amplifier.
    if (arrival === 'duplicate') return undefined
    if (!bucket.take(receivedUs) || !this.#total.take(receivedUs)) {
      this.#count('limited')
      return undefined
    }
    this.#count('reflected')
    const { received, highest, unique, duplicates, reordered, jitterMs } = reception
    const counts = { received, highest, unique, duplicates, reordered, jitterMs }
    const ownSequence = session.nextSequence++
    const answeredUs = clockUs()
    const times = { sentUs, receivedUs, answeredUs }
    const packet = {
      kind: 'echo',
      session: id,
      sequence,
      ownSequence,
      ...times,
      ...counts,
    } as const
    return this.#options.seal.sign(encodePacket(packet, size, answeredUs))
  }

  /** Opens a session for a sender that brought a fresh cookie; one in the place of an older one of the same address. */
  #admit(
    id: Uint8Array,
    cookie: Uint8Array,
    known: Session | undefined,
    from: string,
    nowUs: number,
  ): Session | undefined {
    const cookieMs = readTime(cookie)
    // Modulo 2^32: the milliseconds in a cookie wrap every 49 days.
    const ageUs = ((Math.floor(nowUs / US_PER_MS) - cookieMs) >>> 0) * US_PER_MS
    if (
      !timingSafeEqual(cookie, this.#bake(cookieMs, id, from)) ||
      ageUs > COOKIE_LIFE_US ||
      (known !== undefined && ((cookieMs - known.cookieMs) | 0) <= 0)
    ) {
      this.#count('ignored')
      return undefined
    }
    const { maxSenders, maxRate } = this.#options
    if (known === undefined && this.#sessions.size >= maxSenders && !this.#makeRoom(nowUs)) {
      this.#count('refused')
      return undefined
    }
    const session: Session = {
      id: idOf(id),
      cookieMs,
      reception: new TestReception(),
      bucket: new TokenBucket(maxRate, maxRate * BURST_S, nowUs),
      nextSequence: 0,
      lastSeenUs: nowUs,
    }
    this.#sessions.set(from, session)
    return session
  }

  #makeRoom(nowUs: number): boolean {
    const quietest = [...this.#sessions].sort(([, a], [, b]) => a.lastSeenUs - b.lastSeenUs)[0]
    if (quietest === undefined || nowUs - quietest[1].lastSeenUs < YIELDING_AFTER_US) return false
    return this.#sessions.delete(quietest[0])
  }

  /** Time it was made, and a proof that it was made here for this session and this address. */
  #bake(timeMs: number, session: Uint8Array, from: string): Uint8Array {
    const cookie = new Uint8Array(COOKIE_BYTES)
    new DataView(cookie.buffer).setUint32(0, timeMs)
    const proof = createHmac('sha256', this.#options.secret)
      .update(cookie.subarray(0, COOKIE_TIME_BYTES))
      .update(session)
      .update(from)
      .digest()
    cookie.set(proof.subarray(0, COOKIE_BYTES - COOKIE_TIME_BYTES), COOKIE_TIME_BYTES)
    return cookie
  }

  #count(what: keyof typeof NOTHING): void {
    this.#counts = { ...this.#counts, [what]: this.#counts[what] + 1 }
  }
}

function idOf(session: Uint8Array): string {
  return Buffer.from(session).toString('hex')
}

function readTime(cookie: Uint8Array): number {
  return new DataView(cookie.buffer, cookie.byteOffset).getUint32(0)
}
