/**
 * Header values as text (RFC 3261 sections 7.3 and 25.1): lists parted by commas, parameters parted by semicolons, names and addresses.
 * Commas and semicolons within "quotes" or <brackets> part nothing.
 */

/** More of either than any header has; what is behind them is not looked at. */
const MAX_PARTS = 256

const ESCAPE = /\\(.)/g

/** A name-addr or addr-spec with its header parameters, as in From, To, Contact and Route. */
export interface NameAddress {
  /** Undefined when there is none. */
  readonly displayName: string | undefined
  readonly uri: string
  /** What follows it, from the first semicolon on. */
  readonly parameters: string
}

/** The values of a list header, blanks around each taken off. */
export function splitValues(text: string): string[] {
  return splitOutside(text, ',').map((value) => value.trim())
}

/** The value of a `;name=value` parameter, unquoted; '' for one without a value, undefined when it is not there. */
export function parameterOf(parameters: string, name: string): string | undefined {
  const wanted = name.toLowerCase()
  for (const part of splitOutside(parameters, ';')) {
    const equals = part.indexOf('=')
    const own = equals < 0 ? part : part.slice(0, equals)
    if (own.trim().toLowerCase() !== wanted) continue
    return equals < 0 ? '' : unquoted(part.slice(equals + 1).trim())
  }
  return undefined
}

/** The value before its parameters, blanks taken off. */
export function valueOf(text: string): string {
  return (splitOutside(text, ';')[0] ?? '').trim()
}

/**
 * Reads one name-addr, or one addr-spec: without brackets what follows a semicolon belongs to the header (RFC 3261 section 20).
 * Undefined when a quote or a bracket is not closed, or no URI is there.
 */
export function parseNameAddress(text: string): NameAddress | undefined {
  const open = indexOutsideQuotes(text, '<')
  if (open === undefined) return undefined
  if (open < 0) {
    const at = indexOutsideQuotes(text, ';') ?? -1
    const uri = (at < 0 ? text : text.slice(0, at)).trim()
    const parameters = at < 0 ? '' : text.slice(at)
    return uri === '' || /["\s]/.test(uri) ? undefined : { displayName: undefined, uri, parameters }
  }
  const close = text.indexOf('>', open)
  if (close < 0) return undefined
  const name = text.slice(0, open).trim()
  const uri = text.slice(open + 1, close).trim()
  if (uri === '') return undefined
  const displayName = name === '' ? undefined : unquoted(name)
  return { displayName, uri, parameters: text.slice(close + 1) }
}

function unquoted(text: string): string {
  const isQuoted = text.length > 1 && text.startsWith('"') && text.endsWith('"')
  return isQuoted ? text.slice(1, -1).replace(ESCAPE, '$1') : text
}

/** Where `wanted` stands outside of quotes; -1 when nowhere, undefined when a quote is not closed before it. */
function indexOutsideQuotes(text: string, wanted: string): number | undefined {
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (isQuoted && character === '\\') at++
    else if (character === '"') isQuoted = !isQuoted
    else if (!isQuoted && character === wanted) return at
  }
  return isQuoted ? undefined : -1
}

function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = []
  let isQuoted = false
  let isBracketed = false
  let from = 0
  for (let at = 0; at < text.length && parts.length < MAX_PARTS; at++) {
    const character = text[at]
    if (isQuoted) {
      if (character === '\\') at++
      else if (character === '"') isQuoted = false
    } else if (character === '"') isQuoted = true
    else if (character === '<') isBracketed = true
    else if (character === '>') isBracketed = false
    else if (character === separator && !isBracketed) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  if (parts.length < MAX_PARTS) parts.push(text.slice(from))
  return parts
}
