import { announcedMedia, type AnnouncedMedia, type Target } from './announced-media.ts'
import type { MediaDescription, MediaEntry, MediaTable } from './media-table.ts'
import type { SessionDescription } from '../sip/sdp.ts'

/** Proxies between the parties, each passing a description on; with the newest kept. */
const MAX_ANNOUNCEMENTS = 8

/** Where addresses are announced, and taken back some time after they ended. */
export interface MediaBook {
  readonly table: MediaTable
  /** `entry` is to be removed some time after `timeUs`, unless it has another description by then. */
  retire(entry: MediaEntry, description: MediaDescription, timeUs: number): void
}

/** A description as one message carried it. */
export interface Said {
  readonly sdp: SessionDescription
  /** The text, to tell a message repeated from one changed. */
  readonly text: string
  readonly hop: string
  readonly source: Pick<Target, 'version' | 'words'>
  /** Counts the offer/answer exchanges of the call. */
  readonly round: number
}

/** What a party said of its media on one hop. */
interface Announcement {
  readonly hop: string
  readonly text: string
  readonly round: number
  readonly media: readonly AnnouncedMedia[]
  readonly bound: Bound[]
}

/** An address in the table, and what we put there: another call may have put something else since. */
interface Bound {
  readonly index: number
  readonly entry: MediaEntry
  description: MediaDescription
}

/** One side of a call, known by its tag, and the addresses it announced: of several proxies' making when there are relays between. */
export class CallParty {
  readonly tag: string
  readonly isCaller: boolean
  isEstablished = false
  isEnded = false
  readonly #callId: string
  readonly #book: MediaBook
  #announcements: Announcement[] = []

  constructor(tag: string, isCaller: boolean, callId: string, book: MediaBook) {
    this.tag = tag
    this.isCaller = isCaller
    this.#callId = callId
    this.#book = book
  }

  /** What was said last. */
  get current(): readonly AnnouncedMedia[] {
    return this.#announcements.at(-1)?.media ?? []
  }

  /** Everything said, with the addresses it was written to: by medium, one hop after the other. */
  *addresses(): Generator<{ index: number; media: AnnouncedMedia; entries: MediaEntry[] }> {
    for (const { media, bound } of this.#announcements)
      for (const [index, medium] of media.entries()) {
        const own = bound.filter((one) => one.index === index).map(({ entry }) => entry)
        yield { index, media: medium, entries: own }
      }
  }

  /** Takes a description; true when it says something new. */
  announce(said: Said, timeUs: number): boolean {
    const { hop, text, round } = said
    const known = this.#announcements.findLast((one) => one.hop === hop)
    if (known?.text === text && !this.isEnded) {
      // The same again, perhaps in a new exchange: then it is said anew.
      if (known.round !== round) {
        const others = this.#announcements.filter((one) => one !== known)
        this.#announcements = [...others, { ...known, round }]
      }
      return false
    }
    // An answer repeated late, after the next exchange began.
    if (known !== undefined && known.round > round) return false
    const before = known?.media ?? this.current
    const media = announcedMedia(said.sdp, said.source, before)
    const announcement: Announcement = { hop, text, round, media, bound: [] }
    this.#bind(announcement)
    const replaced = (one: Announcement) => one.hop === hop && one.round === round
    this.#end(replaced, timeUs)
    this.#announcements.push(announcement)
    this.isEnded = false
    const oldest = this.#announcements[0]
    if (this.#announcements.length > MAX_ANNOUNCEMENTS) this.#end((one) => one === oldest, timeUs)
    return !isLike(before, media)
  }

  /** The exchange was concluded: what this party said before it is over, on all hops. */
  settle(round: number, timeUs: number): void {
    if (!this.#announcements.some((one) => one.round === round)) return
    this.#end((one) => one.round < round, timeUs)
  }

  /** The exchange failed: what was said before it stays, if anything was. */
  revert(round: number, timeUs: number): void {
    if (!this.#announcements.some((one) => one.round < round)) return
    this.#end((one) => one.round === round, timeUs)
    this.#bindAll()
  }

  /** No more RTP is expected. What was said is still known. */
  end(timeUs: number): void {
    if (this.isEnded) return
    this.isEnded = true
    for (const announcement of this.#announcements) this.#retire(announcement, timeUs)
  }

  /** It was not the end after all. */
  revive(): void {
    if (!this.isEnded) return
    this.isEnded = false
    this.#bindAll()
  }

  prove(): void {
    this.isEstablished = true
    for (const { bound } of this.#announcements)
      for (const { entry } of bound) this.#book.table.prove(entry)
  }

  /** Writes to the table what follows from what the other party says: silence, and keys that both have. */
  heed(other: readonly AnnouncedMedia[]): void {
    if (this.isEnded) return
    for (const { media, bound } of this.#announcements)
      for (const one of bound) {
        const medium = media[one.index]
        if (medium === undefined) continue
        const isOnHold = !medium.receives || other[one.index]?.sends === false
        const isEncrypted =
          medium.isSecure || (medium.hasCrypto && other[one.index]?.hasCrypto === true)
        const { description } = one
        if (description.isOnHold !== isOnHold || description.isEncrypted !== isEncrypted)
          this.#describe(one, { ...description, isOnHold, isEncrypted })
      }
  }

  /** Forgets everything, as far as the table still holds it. */
  forget(): void {
    for (const { bound } of this.#announcements)
      for (const { entry, description } of bound)
        if (entry.description === description) this.#book.table.remove(entry)
    this.#announcements = []
  }

  #bindAll(): void {
    for (const announcement of this.#announcements) {
      announcement.bound.length = 0
      this.#bind(announcement)
    }
  }

  #bind(announcement: Announcement): void {
    for (const [index, media] of announcement.media.entries()) {
      const { payloads, packetMs, isSecure, mayPause, receives } = media
      const description: MediaDescription = {
        callId: this.#callId,
        payloads,
        packetMs,
        isEncrypted: isSecure,
        mayPause,
        isOnHold: !receives,
        isEnded: false,
      }
      for (const { version, words, port } of media.targets) {
        const { table } = this.#book
        const entry = table.announce(version, words, port, description, this.isEstablished)
        announcement.bound.push({ index, entry, description })
      }
    }
  }

  #end(isOver: (one: Announcement) => boolean, timeUs: number): void {
    for (const announcement of this.#announcements)
      if (isOver(announcement)) this.#retire(announcement, timeUs)
    this.#announcements = this.#announcements.filter((one) => !isOver(one))
  }

  #retire(announcement: Announcement, timeUs: number): void {
    for (const one of announcement.bound) {
      if (one.entry.description !== one.description || one.description.isEnded) continue
      this.#describe(one, { ...one.description, isEnded: true })
      this.#book.retire(one.entry, one.description, timeUs)
    }
  }

  #describe(one: Bound, description: MediaDescription): void {
    if (one.entry.description === one.description) this.#book.table.describe(one.entry, description)
    one.description = description
  }
}

/** Whether two descriptions want the same RTP at the same places. */
function isLike(before: readonly AnnouncedMedia[], after: readonly AnnouncedMedia[]): boolean {
  return (
    before.length === after.length &&
    before.every((one, index) => {
      const other = after[index]
      return (
        one.ip === other?.ip &&
        one.port === other.port &&
        one.receives === other.receives &&
        one.sends === other.sends
      )
    })
  )
}
