import { parseUri, type SipUri } from './uri.ts'
import { parameterOf } from './values.ts'

/** SIP URIs as one needs them to send a request: written, compared, asked for their parameters. */

export const SIP_PORT = 5060
export const SIPS_PORT = 5061

/** A host, or an address, with the brackets of IPv6, and the port where one is given. */
export function hostPortText(host: string, port?: number): string {
  const written = host.includes(':') ? `[${host}]` : host
  return port === undefined ? written : `${written}:${port}`
}

/** A parameter of the URI itself: '' for one without a value, undefined when it is not there. */
export function uriParameter(uri: SipUri, name: string): string | undefined {
  return parameterOf(uri.parameters, name)
}

/** Scheme, host and port: what the Request-URI of a REGISTER may have (RFC 3261 section 10.2). */
export function domainUri(uri: SipUri): string {
  return `${uri.scheme}:${hostPortText(uri.host, uri.port)}`
}

/** Whether two URIs name one contact, as far as a registrar's list of bindings goes (RFC 3261 section 19.1.4). */
export function isSameContact(one: string, other: string): boolean {
  const [a, b] = [parseUri(one), parseUri(other)]
  if (a === undefined || b === undefined) return false
  const isSameTransport =
    (uriParameter(a, 'transport') ?? '').toLowerCase() ===
    (uriParameter(b, 'transport') ?? '').toLowerCase()
  return (
    a.scheme === b.scheme &&
    unescaped(a.user) === unescaped(b.user) &&
    a.host === b.host &&
    a.port === b.port &&
    isSameTransport
  )
}

/** The user part of a URI made of any text: what may not stand there is escaped (RFC 3261 section 25.1). */
export function escapedUser(user: string): string {
  return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu, (character) =>
    [...Buffer.from(character)]
      .map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  )
}

function unescaped(user: string | undefined): string {
  try {
    return decodeURIComponent(user ?? '')
  } catch {
    return user ?? ''
  }
}
