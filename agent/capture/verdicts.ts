/** What decodeFrame() returns: IS_UDP, IS_TCP, or why there is neither, each an index here. */
export const FRAME_VERDICTS = [
  'udp',
  'tcp',
  'truncated',
  'unknown-link-type',
  'not-ip',
  'bad-ip-header',
  'not-udp',
  'fragment',
  'bad-udp-length',
  'bad-tcp-header',
  'bad-tunnel-header',
  'tunnel-too-deep',
] as const

export const IS_UDP = 0
export const IS_TCP = 1
export const TRUNCATED = 2
export const UNKNOWN_LINK_TYPE = 3
export const NOT_IP = 4
export const BAD_IP_HEADER = 5
/** Neither UDP nor TCP: ICMP, OSPF, IPsec ... */
export const NOT_UDP = 6
/** A piece of a datagram that means nothing without the others; see reassembler.ts. */
export const FRAGMENT = 7
export const BAD_UDP_LENGTH = 8
export const BAD_TCP_HEADER = 9
export const BAD_TUNNEL_HEADER = 10
export const TUNNEL_TOO_DEEP = 11

/** Another frame is inside, see Inner. Of the parts of decodeFrame(), which goes on with it: nobody else sees this. */
export const IS_TUNNEL = -1
