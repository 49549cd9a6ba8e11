import type { SipMessage } from '../sip/message.ts'
import { uriParameter } from '../sip/sip-uri.ts'
import { parseUri } from '../sip/uri.ts'
import { parameterOf, parseNameAddress, splitValues } from '../sip/values.ts'

/** Of one question; the URIs visited are counted. */
const MAX_REDIRECTS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 305])

export function isRedirect({ statusCode }: SipMessage): boolean {
  return REDIRECTS.has(statusCode)
}

/**
 * Where a redirect leads, or why we do not follow: each URI is asked once, and what was asked over TLS is not asked again in clear text
 * because somebody says so.
 */
export function redirectOf(
  response: SipMessage,
  isSecure: boolean,
  visited: ReadonlySet<string>,
): { readonly uri: string } | { readonly fault: string } {
  const contacts = contactsOf(response).filter((uri) => !isSecure || isSecured(uri))
  const uri = contacts.find((contact) => !visited.has(contact))
  if (uri !== undefined && visited.size <= MAX_REDIRECTS) return { uri }
  const where =
    contacts.length === 0
      ? 'to nowhere we can go'
      : uri === undefined
        ? 'in a circle'
        : `more than ${MAX_REDIRECTS} times`
  return { fault: `${response.statusCode}: redirected ${where}` }
}

/** SIP URIs of the Contact rows, the preferred first (RFC 3261 section 8.1.3.4). */
function contactsOf(response: SipMessage): string[] {
  const contacts = response.headers('contact').flatMap(splitValues).map(parseNameAddress)
  return contacts
    .flatMap((contact) => contact ?? [])
    .filter(({ uri }) => /^sips?:/i.test(uri) && parseUri(uri) !== undefined)
    .map(({ uri, parameters }) => ({ uri, q: Number(parameterOf(parameters, 'q') ?? 1) }))
    .toSorted((a, b) => (b.q || 0) - (a.q || 0))
    .map(({ uri }) => uri)
}

function isSecured(uri: string): boolean {
  const parsed = parseUri(uri)
  if (parsed === undefined) return false
  return parsed.scheme === 'sips' || uriParameter(parsed, 'transport')?.toLowerCase() === 'tls'
}
