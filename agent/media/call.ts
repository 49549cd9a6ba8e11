import type { AnnouncedMedia } from './announced-media.ts'
import { CallParty, type MediaBook, type Said } from './call-party.ts'
import type { CallMedia, CallRow, CallState } from './call-row.ts'
import { NOTHING_MISSING, missingMedia, type MediaSide, type Witness } from './missing-media.ts'

const US_PER_MS = 1000
/** More forks of one call than these are not followed. */
const MAX_PARTIES = 16
/** Exchanges remembered, so that responses and repeated requests find theirs. */
const MAX_EXCHANGES = 16
/** RTP heard this long ago is heard still. */
const HEARD_WITHIN_US = 10_000_000

/** Final responses after which the caller tries again in the same call (RFC 3261 section 22, RFC 4028, RFC 3329; 8.1.3.4 for 3xx). */
const CONTINUED: readonly number[] = [401, 407, 422, 423, 491, 494]
const NO_SUCH_CALL = 481
const AUDIO = 'audio'

/** A message of a call, read. */
export interface CallEvent {
  readonly timeUs: number
  readonly isRequest: boolean
  readonly statusCode: number
  /** Of the CSeq. */
  readonly method: string
  readonly cseq: number
  readonly fromTag: string
  readonly toTag: string
  /** From whom to whom it went: a proxy passes it on over another. */
  readonly hop: string
  /** What it says of media. */
  said: Omit<Said, 'round'> | undefined
}

export interface CallNames {
  readonly callId: string
  /** Masked. */
  readonly caller: string
  readonly callee: string
}

/** A request with its responses: at most one offer and its answer (RFC 3264, RFC 3261 section 13.2.1). */
interface Exchange {
  readonly method: string
  readonly cseq: number
  readonly fromTag: string
  readonly round: number
  readonly isInDialog: boolean
}

/** One call, by its Call-ID: what was said, what came of it, and whether its media is there. */
export class Call {
  readonly callId: string
  readonly #caller: string
  readonly #callee: string
  readonly #book: MediaBook
  readonly #startUs: number
  /** The caller first. These three hold a few things each, and are looked through; maps would be most of what a call takes. */
  readonly #parties: CallParty[] = []
  /** The oldest first. */
  readonly #exchanges: Exchange[] = []
  readonly #isMidCall: boolean
  /** Where the INVITE that began it was seen, in which attempt. */
  readonly #attempts: { readonly cseq: number; readonly hop: string }[] = []
  #rounds = 0
  #inviteCseq = -1
  #state: CallState = 'trying'
  #statusCode: number | undefined
  #answerUs: number | undefined
  #endUs: number | undefined
  /** The answer, or the last change of its media. */
  #mediaSinceUs = 0
  /** Media was offered that differs from before, and is not yet agreed upon. */
  #isChanging = false
  /** When its last message came. */
  lastUs: number
  /** Something happened since the last row. */
  isChanged = true

  /** A call that begins with this message, which is still to be handled. */
  constructor(names: CallNames, book: MediaBook, event: CallEvent) {
    const { isRequest, fromTag, toTag, timeUs } = event
    this.callId = names.callId
    this.#caller = names.caller
    this.#callee = names.callee
    this.#book = book
    this.#startUs = timeUs
    this.lastUs = timeUs
    this.#mediaSinceUs = timeUs
    // The tap came too late for the beginning; when it was answered is not known.
    this.#isMidCall = isRequest && toTag !== ''
    if (this.#isMidCall) this.#state = 'established'
    this.#partyOf(fromTag)
  }

  get state(): CallState {
    return this.#state
  }

  get isOver(): boolean {
    return this.#state === 'ended' || this.#state === 'failed'
  }

  /** Whether this message begins another call under the same Call-ID. */
  isAnother({ isRequest, method, toTag, cseq }: CallEvent): boolean {
    if (!this.isOver || !isRequest || method !== 'INVITE' || toTag !== '') return false
    return cseq > this.#inviteCseq && !isContinued(this.#statusCode)
  }

  handle(event: CallEvent): void {
    this.lastUs = event.timeUs
    this.isChanged = true
    if (event.isRequest) this.#handleRequest(event)
    else this.#handleResponse(event)
  }

  /** When RTP last arrived at any of its addresses, -Infinity when never. */
  get heardUs(): number {
    let heardUs = -Infinity
    for (const party of this.#parties)
      for (const { entries } of party.addresses())
        for (const entry of entries) heardUs = Math.max(heardUs, entry.heardUs)
    return heardUs
  }

  /** Nothing was heard of it for too long. */
  expire(timeUs: number): void {
    if (this.isOver) return
    this.#finish(this.#state === 'established' ? 'ended' : 'failed', timeUs)
    this.isChanged = true
  }

  /** Takes its addresses from the table. */
  forget(): void {
    for (const party of this.#parties) party.forget()
  }

  row(nowUs: number, witness: Witness): CallRow {
    this.isChanged = false
    const caller = this.#side(true)
    const callee = this.#side(false)
    const missing =
      this.#state === 'established' && caller !== undefined && callee !== undefined
        ? missingMedia([caller, callee], this.#mediaSinceUs, nowUs, witness)
        : NOTHING_MISSING
    return {
      callId: this.callId,
      caller: this.#caller,
      callee: this.#callee,
      state: this.#state,
      statusCode: this.#statusCode,
      startMs: this.#startUs / US_PER_MS,
      answerMs: inMs(this.#answerUs),
      endMs: inMs(this.#endUs),
      media: [...this.#media(true, nowUs), ...this.#media(false, nowUs)],
      ...missing,
    }
  }

  #handleRequest(event: CallEvent): void {
    const { method, fromTag, toTag, timeUs } = event
    switch (method) {
      case 'INVITE':
        this.#invite(event)
        break
      case 'ACK':
        if (event.said === undefined) break
        this.#announce(fromTag, event)
        this.#settle(event)
        break
      case 'PRACK':
      case 'UPDATE':
        this.#announce(fromTag, event)
        break
      case 'BYE':
        this.#bye(fromTag, toTag, timeUs)
        break
      case 'CANCEL':
        // The final response is still to come, and may be a 200 that crossed this.
        if (this.#state === 'trying' || this.#state === 'ringing') this.#finish('failed', timeUs)
    }
  }

  #handleResponse(event: CallEvent): void {
    const { method, statusCode } = event
    const isFinal = statusCode >= 200
    if (method === 'INVITE') {
      if (statusCode < 200) this.#provisional(event)
      else if (statusCode < 300) this.#accept(event)
      else this.#refuse(event)
    } else if (method === 'UPDATE' || method === 'PRACK') {
      if (statusCode < 300) this.#announce(event.toTag, event)
      if (isFinal && statusCode < 300) this.#settle(event)
      else if (isFinal) this.#revert(event)
    }
  }

  #invite(event: CallEvent): void {
    const { cseq, fromTag, toTag, hop } = event
    if (toTag === '') {
      const isKnown = this.#attempts.some((one) => one.cseq === cseq && one.hop === hop)
      // Another try, or the next fork's turn.
      if (this.#state === 'failed' && !isKnown) {
        this.#resume()
        this.#state = 'trying'
      }
      if (!isKnown && this.#attempts.length < MAX_EXCHANGES) this.#attempts.push({ cseq, hop })
      this.#inviteCseq = Math.max(cseq, this.#inviteCseq)
    }
    if (!this.isOver) this.#announce(fromTag, event)
  }

  #provisional(event: CallEvent): void {
    const { statusCode, toTag } = event
    if (statusCode === 100 || this.#state === 'ended') return
    const party = this.#partyOf(toTag)
    if (party === undefined || party.isEnded) return
    if (this.#state !== 'established') {
      this.#resume()
      this.#state = 'ringing'
    }
    this.#announce(toTag, event)
  }

  #accept(event: CallEvent): void {
    const { timeUs, toTag, statusCode, fromTag } = event
    if (this.#state === 'ended') return
    this.#resume()
    this.#announce(toTag, event)
    this.#state = 'established'
    this.#statusCode ??= statusCode
    if (this.#answerUs === undefined && !this.#isMidCall) {
      this.#answerUs = timeUs
      this.#mediaSinceUs = timeUs
    }
    for (const tag of [fromTag, toTag]) this.#partyOf(tag)?.prove()
    // The other forks lost.
    for (const party of this.#parties)
      if (!party.isCaller && !party.isEstablished) party.end(timeUs)
    this.#settle(event)
  }

  #refuse(event: CallEvent): void {
    const { statusCode, timeUs, toTag } = event
    const isInDialog = this.#state === 'established' || this.#exchangeOf(event).isInDialog
    if (isInDialog) {
      if (statusCode === NO_SUCH_CALL) this.#finish('ended', timeUs)
      else this.#revert(event)
      return
    }
    if (this.#state === 'ended') return
    // A challenge is no failure: the caller tries again with credentials.
    if (statusCode === 401 || statusCode === 407) return
    const refusing = this.#known(toTag)
    const others = this.#parties.filter((party) => party !== refusing)
    // One fork of several.
    if (others.some((party) => !party.isCaller && !party.isEnded)) {
      if (refusing?.isCaller === false) refusing.end(timeUs)
      return
    }
    this.#statusCode = statusCode
    this.#finish('failed', timeUs)
  }

  #bye(fromTag: string, toTag: string, timeUs: number): void {
    if (this.isOver) return
    const parties = [fromTag, toTag].map((tag) => this.#known(tag))
    const ended = parties.find((party) => party?.isCaller === false)
    const others = this.#parties.filter(
      (party) => party !== ended && party.isEstablished && !party.isCaller && !party.isEnded,
    )
    // Of two forks that both answered one is let go.
    if (ended !== undefined && others.length > 0) ended.end(timeUs)
    else this.#finish('ended', timeUs)
  }

  #finish(state: 'ended' | 'failed', timeUs: number): void {
    this.#state = state
    this.#endUs = timeUs
    for (const party of this.#parties) party.end(timeUs)
  }

  /** It goes on, though it seemed to have failed: another fork, or a CANCEL that came too late. */
  #resume(): void {
    if (this.#state !== 'failed') return
    this.#statusCode = undefined
    this.#endUs = undefined
    for (const party of this.#parties) if (party.isCaller) party.revive()
  }

  #announce(tag: string, event: CallEvent): void {
    const { said, timeUs } = event
    const exchange = this.#exchangeOf(event)
    const party = this.#partyOf(tag)
    if (said === undefined || party === undefined) return
    const { round } = exchange
    if (party.announce({ ...said, round }, timeUs)) this.#isChanging = true
    this.#heed()
  }

  /** The exchange is concluded. */
  #settle(event: CallEvent): void {
    const { round } = this.#exchangeOf(event)
    for (const party of this.#parties) party.settle(round, event.timeUs)
    if (this.#isChanging) this.#mediaSinceUs = event.timeUs
    this.#isChanging = false
  }

  #revert(event: CallEvent): void {
    const { round } = this.#exchangeOf(event)
    for (const party of this.#parties) party.revert(round, event.timeUs)
    if (this.#isChanging) this.#mediaSinceUs = event.timeUs
    this.#isChanging = false
    this.#heed()
  }

  #heed(): void {
    const caller = this.#speaking(true)
    const callee = this.#speaking(false)
    for (const party of this.#parties) party.heed((party.isCaller ? callee : caller)?.current ?? [])
  }

  #exchangeOf({ method: own, cseq, fromTag, toTag, isRequest }: CallEvent): Exchange {
    const method = own === 'ACK' ? 'INVITE' : own
    for (const one of this.#exchanges)
      if (one.cseq === cseq && one.method === method && one.fromTag === fromTag) return one
    const isInDialog = isRequest && toTag !== ''
    const exchange = { method, cseq, fromTag, round: this.#rounds++, isInDialog }
    this.#exchanges.push(exchange)
    if (this.#exchanges.length > MAX_EXCHANGES) this.#exchanges.shift()
    return exchange
  }

  #known(tag: string): CallParty | undefined {
    for (const party of this.#parties) if (party.tag === tag) return party
    return undefined
  }

  /** The first to speak is the caller. */
  #partyOf(tag: string): CallParty | undefined {
    const known = this.#known(tag)
    if (known !== undefined || this.#parties.length === MAX_PARTIES) return known
    const party = new CallParty(tag, this.#parties.length === 0, this.callId, this.#book)
    this.#parties.push(party)
    return party
  }

  /** The caller, or of those called who answered, else who spoke last; who has not ended comes before who has. */
  #speaking(isCaller: boolean): CallParty | undefined {
    let found: CallParty | undefined
    for (const party of this.#parties) {
      if (party.isCaller !== isCaller) continue
      if (found === undefined || party.isEnded < found.isEnded) found = party
      else if (party.isEnded === found.isEnded && party.isEstablished >= found.isEstablished)
        found = party
    }
    return found
  }

  #side(isCaller: boolean): MediaSide | undefined {
    const party = this.#speaking(isCaller)
    const other = this.#speaking(!isCaller)?.current
    if (party === undefined || other === undefined) return undefined
    let heardUs = -Infinity
    let sentUs = -Infinity
    const ips = new Set<string>()
    let isOwnAddress = false
    let mayPause = false
    for (const { media, entries } of party.addresses()) {
      if (media.kind !== AUDIO || !media.isActive) continue
      ips.add(media.ip)
      isOwnAddress ||= media.isOwnAddress
      mayPause ||= media.mayPause === true
      for (const entry of entries) {
        heardUs = Math.max(heardUs, entry.heardUs)
        sentUs = Math.max(sentUs, entry.sentUs)
      }
    }
    const isExpected = party.current.some(
      (media, index) => media.kind === AUDIO && isExpectedAt(media, other[index]),
    )
    return { isExpected, heardUs, sentUs, ips: [...ips], isOwnAddress, mayPause }
  }

  #media(isCaller: boolean, nowUs: number): CallMedia[] {
    const party = this.#speaking(isCaller)
    const other = this.#speaking(!isCaller)?.current ?? []
    const since = this.#answerUs ?? this.#startUs
    const fromUs = this.isOver ? since : Math.max(since, nowUs - HEARD_WITHIN_US)
    const found = new Map<string, CallMedia>()
    for (const { index, media, entries } of party?.addresses() ?? []) {
      if (!media.isActive || entries.length === 0) continue
      const isHeard = entries.some(({ heardUs }) => heardUs >= fromUs)
      const { kind, ip, port, codecs } = media
      const isExpected = !this.isOver && isExpectedAt(media, other[index])
      const of = isCaller ? ('caller' as const) : ('callee' as const)
      found.set(`${kind} ${ip} ${port}`, { party: of, kind, ip, port, codecs, isExpected, isHeard })
    }
    return [...found.values()]
  }
}

function isExpectedAt(media: AnnouncedMedia, other: AnnouncedMedia | undefined): boolean {
  return media.isActive && media.receives && other?.sends === true
}

function isContinued(statusCode: number | undefined): boolean {
  if (statusCode === undefined) return false
  return CONTINUED.includes(statusCode) || Math.floor(statusCode / 100) === 3
}

function inMs(us: number | undefined): number | undefined {
  return us === undefined ? undefined : us / US_PER_MS
}
