import { checkServerIdentity, type PeerCertificate, type TLSSocket } from 'node:tls'

const MS_PER_DAY = 86_400_000
const US_PER_MS = 1000

/** Of a server's own certificate, what is worth watching. */
export interface Certificate {
  /** Until it expires; negative when it has. */
  readonly daysLeft: number
}

/** The server's own certificate; undefined when it showed none. */
export function certificateOf(socket: TLSSocket, nowUs: number): Certificate | undefined {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return undefined
  // eslint-disable-next-line no-restricted-globals -- reads a text, looks at no clock
  const validToMs = Date.parse(certificate.validTo)
  return { daysLeft: (validToMs - nowUs / US_PER_MS) / MS_PER_DAY }
}

/** Why the certificate is not the domain's, or undefined: a SIP URI in it counts as well as a host name (RFC 5922 section 7.2). */
export function identityFault(domain: string, certificate: PeerCertificate): Error | undefined {
  const names = (certificate.subjectaltname ?? '').split(', ')
  if (names.some((name) => name.toLowerCase() === `uri:sip:${domain}`)) return undefined
  return checkServerIdentity(domain, certificate)
}
