import { CARRIAGE_RETURN, LINE_FEED, SPACE, isTokenOctet } from './octets.ts'

/**
 * Whether a payload begins like a SIP message: for telling it from everything else on the wire before anything is parsed. A request
 * begins with a token and a space, and its first line ends in " SIP/2.0"; a response begins with "SIP/2.0 ".
 */

/** "SIP/" as 32 bits, and the bits that make letters lower case: versions are told without regard to case (RFC 3261 section 7.1). */
const SIP_SLASH = 0x7369702f
const LOWER_CASE = 0x20202000
const VERSION_OCTETS = 7
/** No method is longer; a token that goes on and on is none. */
const MAX_METHOD_OCTETS = 32
/** A request line longer than this is not looked at. */
const MAX_LINE_OCTETS = 2048

/** Reads between `at` and `end`; allocates nothing. */
export function looksLikeSip(view: DataView, at: number, end: number): boolean {
  if (end - at < VERSION_OCTETS + 1) return false
  if (!isTokenOctet(view.getUint8(at))) return false
  if (isSipSlash(view, at)) return view.getUint8(at + VERSION_OCTETS) === SPACE
  let space = at
  const methodEnd = Math.min(end, at + MAX_METHOD_OCTETS + 1)
  while (space < methodEnd && isTokenOctet(view.getUint8(space))) space++
  if (space >= methodEnd || view.getUint8(space) !== SPACE) return false
  const limit = Math.min(end, at + MAX_LINE_OCTETS)
  let lineEnd = space + 1
  while (lineEnd < limit && view.getUint8(lineEnd) !== LINE_FEED) lineEnd++
  if (lineEnd >= limit) return false
  if (view.getUint8(lineEnd - 1) === CARRIAGE_RETURN) lineEnd--
  while (lineEnd > space && view.getUint8(lineEnd - 1) === SPACE) lineEnd--
  return lineEnd - VERSION_OCTETS > space && isSipSlash(view, lineEnd - VERSION_OCTETS)
}

function isSipSlash(view: DataView, at: number): boolean {
  return (view.getUint32(at) | LOWER_CASE) === SIP_SLASH
}
