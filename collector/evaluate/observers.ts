import type { Topology } from '../topology/site.ts'
import type { Sample, Stream } from './round.ts'
import { ratioOf } from './verdict.ts'

/** One stream seen at several places: which intervals are of the same packets, and who stands nearer the receiver. */

/** Sequence numbers wrap at this (RFC 3550 section 5.1); how often they did is each observer's own count. */
const WRAP = 65_536
/** Intervals that end further apart than this share of one are not about the same time. */
const APART = 1.5

/** What two observers counted of the streams both saw. */
export interface Shared {
  readonly mine: Counts
  readonly theirs: Counts
}

export interface Counts {
  readonly expected: number
  readonly lost: number
}

interface Seen {
  readonly identity: string
  readonly newest: Sample
}

/** Of a stream seen by several taps at the same place, the one that saw most of it: a packet seen by anyone was not lost before. */
export function eachOnce(members: readonly Stream[]): readonly Stream[] {
  const best = new Map<string, Stream>()
  for (const stream of members) {
    const id = stream.identity
    const other = best.get(id)
    // The same tap seeing an SSRC twice sees two streams, and so do two taps whose sequence numbers have nothing in common.
    if (other === undefined) best.set(id, stream)
    else if (other.observer === stream.observer || !isSameStream(stream, other))
      best.set(`${id} ${stream.key}`, stream)
    else if (stream.expected - stream.lost > other.expected - other.lost) best.set(id, stream)
  }
  return [...best.values()]
}

/** What was counted of the streams seen by both; `mine` is a round just closed, `theirs` the newest interval of each. */
export function sharedBy(mine: readonly Stream[], theirs: Iterable<Stream>): Shared {
  const seen = new Map<string, Stream[]>()
  for (const stream of theirs) {
    const same = seen.get(ssrcOf(stream))
    if (same === undefined) seen.set(ssrcOf(stream), [stream])
    else same.push(stream)
  }
  const sums = { mine: { expected: 0, lost: 0 }, theirs: { expected: 0, lost: 0 } }
  for (const stream of mine) {
    const other = seen.get(ssrcOf(stream))?.find((candidate) => isSameStream(stream, candidate))
    if (other === undefined) continue
    sums.mine.expected += stream.expected
    sums.mine.lost += stream.lost
    sums.theirs.expected += other.expected
    sums.theirs.lost += other.lost
  }
  return sums
}

/** How far along the way from -> to somebody at `at` stands: 0 with the sender, 4 with the receiver, 2 where nothing tells. */
export function stepOf(
  { from, to, at }: { readonly from: string; readonly to: string; readonly at: string },
  topology: Topology,
): number {
  if (at === to) return 4
  if (at === from) return 0
  const [site, sender, receiver] = [at, from, to].map((network) => topology.siteOf(network))
  if (site === undefined || sender === receiver) return 2
  return site === receiver ? 3 : site === sender ? 1 : 2
}

/** Whether `other` stands nearer the receiver than `own`: by the map, else because fewer packets came so far. */
export function isBehind(own: number, other: number, { mine, theirs }: Shared): boolean {
  return own === other ? ratioOf(theirs) > ratioOf(mine) : other > own
}

/** Whether both are the same packets on their way: same SSRC and payload type, overlapping in time and, where it is told, in number. */
function isSameStream(one: Seen, other: Seen): boolean {
  const [a, b] = [one.newest, other.newest]
  if (!isSameIdentity(one.identity, other.identity)) return false
  if (Math.abs(a.endUs - b.endUs) > APART * Math.max(a.intervalUs, b.intervalUs)) return false
  return a.sequenceFirst < 0 || b.sequenceFirst < 0 || overlap(a, b)
}

/** A report does not tell the payload type. */
function isSameIdentity(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other} `) || other.startsWith(`${one} `)
}

function ssrcOf({ identity }: Seen): string {
  return identity.split(' ', 1)[0] ?? ''
}

/** Intervals end at different moments: neighbours in number are as good as overlapping, for what is compared is their loss. */
function overlap(a: Sample, b: Sample): boolean {
  const lengthOf = ({ sequenceFirst, sequenceLast }: Sample): number => sequenceLast - sequenceFirst
  const slack = Math.max(lengthOf(a), lengthOf(b))
  const distance = (from: number, to: number): number => (((to - from) % WRAP) + WRAP) % WRAP
  return (
    distance(a.sequenceFirst, b.sequenceFirst) <= lengthOf(a) + slack ||
    distance(b.sequenceFirst, a.sequenceFirst) <= lengthOf(b) + slack
  )
}
