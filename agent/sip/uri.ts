/** SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966), as far as one needs to say who and where. */

const DEFAULT_PORTS: Readonly<Record<string, number>> = { sip: 5060, sips: 5061 }
const MAX_PORT = 65_535
/** What is left to see of a number, or a name. */
const SHOWN = 2
const MAX_SHOWN_OCTETS = 64
const MASK = '*'
const NUMBER = /^\+?[\d*#()-]*\d[\d*#()-]*$/

export interface SipUri {
  /** Lower case. */
  readonly scheme: string
  /** Of a tel URI the number; undefined when there is none. As written, escapes and all. */
  readonly user: string | undefined
  /** Lower case; an IPv6 address without its brackets. Of a tel URI ''. */
  readonly host: string
  readonly port: number | undefined
  /** From the first semicolon behind the host on. */
  readonly parameters: string
}

/** Undefined when it is none of the three, or broken. */
export function parseUri(text: string): SipUri | undefined {
  const colon = text.indexOf(':')
  if (colon < 1) return undefined
  const scheme = text.slice(0, colon).toLowerCase()
  const rest = text.slice(colon + 1)
  if (scheme === 'tel') {
    const [number = ''] = rest.split(';', 1)
    if (number === '') return undefined
    return {
      scheme,
      user: number,
      host: '',
      port: undefined,
      parameters: rest.slice(number.length),
    }
  }
  if (DEFAULT_PORTS[scheme] === undefined) return undefined
  // No other @ may stand unescaped in user or password; in a header of the URI one may.
  const [beforeHeaders = ''] = rest.split('?', 1)
  const at = beforeHeaders.includes('@') ? beforeHeaders.indexOf('@') : rest.indexOf('@')
  const user = at < 0 ? undefined : rest.slice(0, at).split(':', 1)[0]
  const match = /^(\[[0-9a-f:.]+\]|[^\s:;?<>[\]@]+)(?::(\d{1,5}))?(;[^?]*)?(?:\?.*)?$/i.exec(
    rest.slice(at + 1),
  )
  if (match?.[1] === undefined) return undefined
  const port = match[2] === undefined ? undefined : Number(match[2])
  if (port !== undefined && port > MAX_PORT) return undefined
  const host = match[1].replace(/^\[|\]$/g, '').toLowerCase()
  return { scheme, user, host, port, parameters: match[3] ?? '' }
}

/** Who a URI names, fit to be shown: all of the user part masked but its last two characters, then the host. */
export function maskedParty(uri: string): string {
  const parsed = parseUri(uri)
  if (parsed === undefined) return ''
  const { user } = parsed
  const whole = parsed.host.slice(0, MAX_SHOWN_OCTETS)
  // A number without a host is read as a host.
  const host = isNumber(whole) ? maskedUser(whole) : whole
  if (user === undefined) return host
  const masked = maskedUser(user.slice(0, MAX_SHOWN_OCTETS))
  return host === '' ? masked : `${masked}@${host}`
}

/** Whether what stands where a host does is a number: addresses have dots or colons. */
export function isNumber(host: string): boolean {
  return NUMBER.test(host)
}

function maskedUser(user: string): string {
  const masked = user.length > SHOWN ? user.length - SHOWN : user.length
  return MASK.repeat(masked) + user.slice(masked)
}
