import { addressText } from './address.ts'
import type { Datagram } from './datagram.ts'

/** Puts fragments of IPv4 (RFC 791) and IPv6 (RFC 8200 section 4.5) together again. Bounded in number, octets and time. */

/** RFC 8200 gives a datagram 60 s, Linux 30 s. */
const MAX_AGE_US = 30_000_000
const MAX_DATAGRAMS = 1024
const MAX_OCTETS = 8 << 20
/** More than any that is sent: 1280 octets a piece would be 52. */
const MAX_PIECES = 256
const PIECE_UNIT = 8
/** What a piece takes besides its octets, so that a flood of small ones is bounded too. */
const PIECE_COST_OCTETS = 200

const IPV4_OCTETS = 20
const IPV4_MAX_PAYLOAD = 65_535 - IPV4_OCTETS
const IPV4_VERSION_AND_LENGTH = 0x45
const IPV4_LENGTH_AT = 2
const IPV4_LIFETIME_AT = 8
const IPV4_PROTOCOL_AT = 9
const IPV4_SOURCE_AT = 12
const IPV4_DESTINATION_AT = 16
const IPV6_OCTETS = 40
const IPV6_MAX_PAYLOAD = 65_535
const IPV6_VERSION = 0x60
const IPV6_LENGTH_AT = 4
const IPV6_PROTOCOL_AT = 6
const IPV6_LIFETIME_AT = 7
const IPV6_SOURCE_AT = 8
const IPV6_DESTINATION_AT = 24
const WORD_OCTETS = 4
const ADDRESS_WORDS = 4
const DSCP_SHIFT = 2
const IPV6_DSCP_SHIFT = 6
const LIFETIME = 64

/** What became of fragments, and of datagrams that were never whole. */
export interface ReassemblyCounts {
  readonly fragments: number
  /** Datagrams put together. */
  readonly whole: number
  /** Fragments that had come before, to the octet. */
  readonly duplicates: number
  /** Datagrams refused because two fragments overlap (RFC 5722): nobody honest sends that. */
  readonly overlaps: number
  /** Fragments of a length that none can have, or beyond the largest datagram. */
  readonly malformed: number
  /** Fragments of which the capture kept only a part. */
  readonly truncated: number
  /** Datagrams given up because a fragment did not come in time, or to make room for newer ones. */
  readonly expired: number
  readonly evicted: number
}

interface Piece {
  readonly offset: number
  readonly octets: Uint8Array
}

interface Unfinished {
  readonly sinceUs: number
  /** In order of offset. Empty once the datagram is refused: it stays to refuse what is to come. */
  readonly pieces: Piece[]
  octets: number
  /** Length of the datagram, once the last piece is there. */
  total: number | undefined
  isRefused: boolean
}

export class Reassembler {
  /** By addresses, protocol and identification, the oldest first. */
  readonly #unfinished = new Map<string, Unfinished>()
  readonly #packet = new Uint8Array(IPV6_OCTETS + IPV6_MAX_PAYLOAD)
  #octets = 0
  readonly #counts = {
    fragments: 0,
    whole: 0,
    duplicates: 0,
    overlaps: 0,
    malformed: 0,
    truncated: 0,
    expired: 0,
    evicted: 0,
  }

  /** The packet that add() completed: link type 101, raw IP, from 0 on. Valid until the next add(). */
  readonly view = new DataView(this.#packet.buffer)

  get counts(): ReassemblyCounts {
    return this.#counts
  }

  /** What is kept of datagrams that are not whole yet. */
  get octets(): number {
    return this.#octets
  }

  /**
   * Takes a fragment: what decodeFrame() called FRAGMENT, or IS_UDP with `moreFragments`. When it was the one that was missing, the
   * whole packet is in `view`, to be decoded as link type 101, and its length is returned; else 0.
   */
  add(view: DataView, datagram: Datagram, timeUs: number): number {
    this.#counts.fragments++
    this.#expire(timeUs)
    if (!this.#isUsable(datagram)) return 0
    const key = keyOf(datagram)
    const unfinished = this.#unfinished.get(key) ?? this.#begin(key, timeUs)
    if (!this.#insert(unfinished, pieceOf(view, datagram), datagram.moreFragments)) return 0
    const { octets, total } = unfinished
    if (octets !== total) {
      this.#makeRoom(MAX_DATAGRAMS)
      return 0
    }
    this.#remove(key, unfinished)
    this.#counts.whole++
    return this.#write(unfinished, total, datagram)
  }

  #begin(key: string, sinceUs: number): Unfinished {
    this.#makeRoom(MAX_DATAGRAMS - 1)
    const unfinished = { sinceUs, pieces: [], octets: 0, total: undefined, isRefused: false }
    this.#unfinished.set(key, unfinished)
    return unfinished
  }

  #isUsable(datagram: Datagram): boolean {
    const { fragmentOffset, fragmentOctets, fragmentCaptured, moreFragments } = datagram
    const isMalformed =
      fragmentOctets === 0 ||
      (moreFragments && fragmentOctets % PIECE_UNIT !== 0) ||
      fragmentOffset + fragmentOctets >
        (datagram.ipVersion === 4 ? IPV4_MAX_PAYLOAD : IPV6_MAX_PAYLOAD)
    if (isMalformed) this.#counts.malformed++
    else if (fragmentCaptured < fragmentOctets) this.#counts.truncated++
    else return true
    return false
  }

  /** Whether the piece was added to the others. */
  #insert(unfinished: Unfinished, piece: Piece, moreFragments: boolean): boolean {
    if (unfinished.isRefused) return false
    const { pieces } = unfinished
    const end = piece.offset + piece.octets.length
    const after = pieces.findIndex(({ offset }) => offset >= piece.offset)
    const at = after < 0 ? pieces.length : after
    const [previous, next] = [pieces[at - 1], pieces[at]]
    if (next !== undefined && isSame(next, piece)) {
      this.#counts.duplicates++
      return false
    }
    const overlaps =
      (previous !== undefined && previous.offset + previous.octets.length > piece.offset) ||
      (next !== undefined && (next.offset < end || !moreFragments)) ||
      (unfinished.total !== undefined && (end > unfinished.total || !moreFragments))
    if (overlaps || pieces.length === MAX_PIECES) {
      this.#counts[overlaps ? 'overlaps' : 'malformed']++
      this.#refuse(unfinished)
      return false
    }
    pieces.splice(at, 0, piece)
    unfinished.octets += piece.octets.length
    if (!moreFragments) unfinished.total = end
    this.#octets += PIECE_COST_OCTETS + piece.octets.length
    return true
  }

  #refuse(unfinished: Unfinished): void {
    this.#octets -= costOf(unfinished)
    unfinished.octets = 0
    unfinished.pieces.length = 0
    unfinished.isRefused = true
  }

  #expire(timeUs: number): void {
    for (const [key, unfinished] of this.#unfinished) {
      // The oldest is first; a capture may go back in time a little.
      if (Math.abs(timeUs - unfinished.sinceUs) <= MAX_AGE_US) return
      this.#giveUp(key, unfinished, 'expired')
    }
  }

  #makeRoom(datagrams: number): void {
    for (const [key, unfinished] of this.#unfinished) {
      if (this.#unfinished.size <= datagrams && this.#octets <= MAX_OCTETS) return
      this.#giveUp(key, unfinished, 'evicted')
    }
  }

  #giveUp(key: string, unfinished: Unfinished, reason: 'expired' | 'evicted'): void {
    this.#remove(key, unfinished)
    if (!unfinished.isRefused) this.#counts[reason]++
  }

  #remove(key: string, unfinished: Unfinished): void {
    this.#unfinished.delete(key)
    this.#octets -= costOf(unfinished)
  }

  /** The packet as it would have come in one piece, checksums left out. */
  #write({ pieces }: Unfinished, total: number, datagram: Datagram): number {
    const headerOctets = datagram.ipVersion === 4 ? IPV4_OCTETS : IPV6_OCTETS
    this.#packet.fill(0, 0, headerOctets)
    if (datagram.ipVersion === 4) this.#writeIpv4(total, datagram)
    else this.#writeIpv6(total, datagram)
    for (const { offset, octets } of pieces) this.#packet.set(octets, headerOctets + offset)
    return headerOctets + total
  }

  #writeIpv4(total: number, { dscp, protocol, source, destination }: Datagram): void {
    this.view.setUint8(0, IPV4_VERSION_AND_LENGTH)
    this.view.setUint8(1, dscp << DSCP_SHIFT)
    this.view.setUint16(IPV4_LENGTH_AT, IPV4_OCTETS + total)
    this.view.setUint8(IPV4_LIFETIME_AT, LIFETIME)
    this.view.setUint8(IPV4_PROTOCOL_AT, protocol)
    this.view.setInt32(IPV4_SOURCE_AT, source[0] ?? 0)
    this.view.setInt32(IPV4_DESTINATION_AT, destination[0] ?? 0)
  }

  #writeIpv6(total: number, { dscp, protocol, source, destination }: Datagram): void {
    this.view.setUint16(0, (IPV6_VERSION << 8) | (dscp << IPV6_DSCP_SHIFT))
    this.view.setUint16(IPV6_LENGTH_AT, total)
    this.view.setUint8(IPV6_PROTOCOL_AT, protocol)
    this.view.setUint8(IPV6_LIFETIME_AT, LIFETIME)
    for (let word = 0; word < ADDRESS_WORDS; word++) {
      this.view.setInt32(IPV6_SOURCE_AT + word * WORD_OCTETS, source[word] ?? 0)
      this.view.setInt32(IPV6_DESTINATION_AT + word * WORD_OCTETS, destination[word] ?? 0)
    }
  }
}

function costOf({ pieces, octets }: Unfinished): number {
  return pieces.length * PIECE_COST_OCTETS + octets
}

function keyOf({ ipVersion, source, destination, protocol, identification }: Datagram): string {
  const words = ipVersion === 4 ? 1 : ADDRESS_WORDS
  const [from, to] = [source, destination].map((all) => addressText([...all.subarray(0, words)]))
  return `${from ?? ''} ${to ?? ''} ${protocol} ${identification}`
}

function pieceOf(view: DataView, datagram: Datagram): Piece {
  const { fragmentOffset, fragmentAt, fragmentOctets } = datagram
  const octets = new Uint8Array(view.buffer, view.byteOffset + fragmentAt, fragmentOctets)
  // A copy: the view belongs to the capture.
  return { offset: fragmentOffset, octets: octets.slice() }
}

function isSame(one: Piece, other: Piece): boolean {
  return (
    one.offset === other.offset &&
    one.octets.length === other.octets.length &&
    one.octets.every((octet, at) => octet === other.octets[at])
  )
}
