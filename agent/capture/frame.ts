import { Inner, type Datagram } from './datagram.ts'
import { decodeLink } from './link.ts'
import { IS_TUNNEL, TUNNEL_TOO_DEEP } from './verdicts.ts'

export { Datagram, Inner } from './datagram.ts'
export { decapsulateMirror, type MirrorKind } from './tunnel.ts'
export { FRAGMENT, FRAME_VERDICTS, IS_TCP, IS_UDP, TRUNCATED } from './verdicts.ts'

/** A frame in a tunnel in a tunnel ... */
const MAX_TUNNELS = 4

/** Where to go on, between two layers of one frame. */
const inner = new Inner()

/**
 * From a captured frame to the UDP datagram or TCP segment in it: the link (link.ts), IPv4 or IPv6 (ip.ts), and again through every
 * tunnel (tunnel.ts). Reads the frame of link type `linkType` between `offset` and `end` (what was captured of it) and fills
 * `datagram`; nothing is copied but addresses and numbers. Returns an index into FRAME_VERDICTS:
 *
 * - IS_UDP: also for the first fragment of a datagram, then `moreFragments` is true and the payload goes on elsewhere;
 * - IS_TCP: one segment, which may be empty;
 * - FRAGMENT: of `datagram` the addresses and what describes the fragment are valid;
 * - anything else: the reason why there is none; `datagram` means nothing then.
 */
export function decodeFrame(
  view: DataView,
  offset: number,
  end: number,
  linkType: number,
  datagram: Datagram,
): number {
  datagram.tunnels = 0
  let verdict = decodeLink(view, offset, end, linkType, datagram, inner)
  while (verdict === IS_TUNNEL) {
    if (datagram.tunnels === MAX_TUNNELS) return TUNNEL_TOO_DEEP
    datagram.tunnels++
    verdict = decodeLink(view, inner.offset, inner.end, inner.linkType, datagram, inner)
  }
  return verdict
}
