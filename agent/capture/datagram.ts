import type { IpVersion } from './address.ts'

const MAX_ADDRESS_WORDS = 4

/** One UDP datagram, TCP segment or fragment, to be filled again and again. Addresses are 32-bit words, signed; see address.ts. */
export class Datagram {
  ipVersion: IpVersion = 4
  dscp = 0
  sourcePort = 0
  destinationPort = 0
  /** IPv4 uses the first word of each and leaves the others as they are. */
  readonly source = new Int32Array(MAX_ADDRESS_WORDS)
  readonly destination = new Int32Array(MAX_ADDRESS_WORDS)
  /** Where the payload begins, its length by the headers, and how much of it was captured. */
  payloadAt = 0
  payloadOctets = 0
  capturedOctets = 0

  /** How many tunnels it came through; what was inside fragments of one is nowhere else. */
  tunnels = 0

  /** Of TCP only: 32 bits, unsigned; and FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32. */
  tcpSequence = 0
  tcpFlags = 0

  /** True for every fragment but the last; with IS_UDP: the payload goes on in fragments to come. What follows is valid with it, or with FRAGMENT. */
  moreFragments = false
  /** 16 bits in IPv4, 32 bits in IPv6. */
  identification = 0
  /** Octets of the datagram before this piece. */
  fragmentOffset = 0
  /** Where the piece begins, its length by the IP header, and how much of it was captured. */
  fragmentAt = 0
  fragmentOctets = 0
  fragmentCaptured = 0
  /** What is in it: 17 UDP, 6 TCP ... */
  protocol = 0
}

/** Where another frame begins and ends, and of what link type it is. */
export class Inner {
  offset = 0
  end = 0
  linkType = 0
}
